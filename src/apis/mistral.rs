//! Mistral's API: chat and fill-in-the-middle completions, embeddings, OCR and the list of models.
//!
//! Its chats have OpenAI's shapes, so they are read by `openai` in a dialect of their own: `fields` says what their members mean. What differs stands
//! here, one file a concern: `ocr` bounds documents by their pages, `meter_stream` ends a stream and finds the tier that was billed, `meter_whole`
//! reads answers in one piece, `simulate` makes answers up. What bounds a request is told in docs/mistral.md.

use http::Method;

use self::fields::MISTRAL;
use self::meter_stream::StreamMeter;
use self::meter_whole::{Billed, WholeMeter};
use super::models::{ModelList, Models, model_in_path};
use super::openai::{self, Shape};
use super::{Api, Ask, AskError, Billing, Envelope, Meter, NoOperation, Operation, RequestView};
use crate::prices::Unit;
use crate::sandbox::{Faults, Problem, Simulated};

mod fields;
mod meter_stream;
mod meter_whole;
mod ocr;
mod simulate;

/// Mistral's API.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mistral;

/// An operation that is metered by tokens.
#[derive(Clone, Copy, Debug)]
struct Metered {
    name: &'static str,
    feature: &'static str,
    shape: Shape,
}

/// `POST ocr`.
#[derive(Clone, Copy, Debug)]
struct Ocr;

const CHAT: Metered = Metered { name: "chat.completions", feature: "text__chat", shape: Shape::Chat };
const FIM: Metered = Metered { name: "fim.completions", feature: "text__generation", shape: Shape::Completion };
const EMBEDDINGS: Metered = Metered { name: "embeddings", feature: "text__embeddings", shape: Shape::Embedding };
const MODEL_LIST: Models = Models::list(ModelList::OPENAI, simulated_models);
const MODEL: Models = Models::one(|path| model_in_path(below_version(path)), simulated_models);

/// What else the API has, by the beginning of the path.
const NOT_YET: [(&str, &str); 20] = [
    ("agents", "agents: their model and their tools stand at the provider, so what a call costs cannot be bounded"),
    ("conversations", "conversations: what they hold stands at the provider, so what a call costs cannot be bounded"),
    ("moderations", "moderations"),
    ("chat/moderations", "moderations"),
    ("classifications", "classifications"),
    ("chat/classifications", "classifications"),
    ("audio", "speech and transcription"),
    ("batch", "batches: they cost long after the call"),
    ("files", "files"),
    ("fine_tuning", "fine-tuning"),
    ("libraries", "libraries of documents"),
    ("connectors", "connectors"),
    ("context", "search indexes"),
    ("rag", "search indexes"),
    ("workflows", "workflows"),
    ("observability", "observability"),
    ("client", "sessions"),
    ("realtime", "the realtime API"),
    ("events", "events"),
    ("deployments", "deployments"),
];

/// Mistral's SDKs take any JSON for a refusal, and show all of it.
static ENVELOPE: Envelope = Envelope {
    key: None,
    request_header: openai::passes_request,
    response_header: |name| name == "mistral-correlation-id" || openai::passes_response(name),
    refusal: openai::refusal_body,
    problem: simulate::problem_body,
    keep_alive: Some(openai::COMMENT),
};

impl Api for Mistral {
    fn name(&self) -> &'static str {
        "mistral"
    }

    fn operation(&self, method: &Method, path: &str) -> Result<&'static dyn Operation, NoOperation> {
        let path = below_version(path);
        let (operation, wants): (&'static dyn Operation, Method) = match path {
            "chat/completions" => (&CHAT, Method::POST),
            "fim/completions" => (&FIM, Method::POST),
            "embeddings" => (&EMBEDDINGS, Method::POST),
            "ocr" => (&Ocr, Method::POST),
            "models" => (&MODEL_LIST, Method::GET),
            _ if model_in_path(path).is_some() => (&MODEL, Method::GET),
            _ => return Err(no_operation(path)),
        };
        NoOperation::unless(method, &wants, path, operation)
    }

    fn upstream_path(&self, base: &str, request: &RequestView<'_>, _path: &str) -> String {
        // Operators write the base with or without the version, as SDKs do.
        let version = if base.ends_with("/v1") { "" } else { "/v1" };
        format!("{base}{version}/{}", below_version(request.path))
    }

    fn passes_query(&self, _parameter: &str) -> bool {
        false
    }

    fn envelope(&self) -> &'static Envelope {
        &ENVELOPE
    }
}

impl Operation for Metered {
    fn name(&self) -> &'static str {
        self.name
    }

    fn feature(&self) -> &'static str {
        self.feature
    }

    fn billing(&self) -> Billing {
        Billing::Tokens
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        openai::read_as(&MISTRAL, self.shape, request.body, None)
    }

    fn meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        if streamed { Box::new(StreamMeter::begin()) } else { Box::new(WholeMeter::new(Billed::Tokens { has_output: ask.bound.has_output })) }
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        match self.shape {
            Shape::Chat => simulate::chat(request.body, faults),
            Shape::Completion => simulate::fim(request.body, faults),
            Shape::Embedding | Shape::Moderation => simulate::embeddings(request.body, faults),
        }
    }

    /// Priority capacity, where the organisation has any, serves whatever does not say `standard_only` (Mistral's page "Priority Tier").
    fn unasked_tiers(&self, ask: &Ask) -> &'static [&'static str] {
        if ask.service_tier.as_deref() == Some("standard_only") { &[] } else { &["priority"] }
    }
}

impl Operation for Ocr {
    fn name(&self) -> &'static str {
        "ocr"
    }

    fn feature(&self) -> &'static str {
        "ocr__ocr"
    }

    fn billing(&self) -> Billing {
        Billing::Tokens
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        ocr::read(request.body)
    }

    fn meter(&self, ask: &Ask, _streamed: bool) -> Box<dyn Meter> {
        let unit = if ask.bound.input.get(Unit::AnnotatedPages) > 0 { Unit::AnnotatedPages } else { Unit::Pages };
        Box::new(WholeMeter::new(Billed::Pages(unit)))
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        simulate::ocr(request.body, faults)
    }
}

/// The path without the version: it may stand in the mount (`/mistral/v1/*`) or below it (`/mistral/*`).
fn below_version(path: &str) -> &str {
    path.strip_prefix("v1/").unwrap_or(path)
}

fn simulated_models(id: Option<&str>, models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
    match id {
        Some(id) => simulate::model(id, models),
        None => Ok(simulate::models(models)),
    }
}

fn no_operation(path: &str) -> NoOperation {
    match path.strip_prefix("v1/") {
        Some(rest) => NoOperation::version_twice(rest),
        None => NoOperation::unknown(path, path, &NOT_YET, "chat/completions, fim/completions, embeddings, ocr and models"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
