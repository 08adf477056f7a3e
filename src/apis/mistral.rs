//! Mistral's API: chat and fill-in-the-middle completions, embeddings, OCR and the list of models.
//!
//! Its chats have OpenAI's shapes, so they are read by `openai` in a dialect of their own: `fields` says what their members mean. What differs stands
//! here, one file a concern: `ocr` bounds documents by their pages, `meter_stream` ends a stream and finds the tier that was billed, `meter_whole`
//! reads answers in one piece, `simulate` makes answers up. What bounds a request is told in docs/mistral.md.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use self::fields::MISTRAL;
use self::meter_stream::StreamMeter;
use self::meter_whole::{Billed, WholeMeter};
use super::models::{ModelList, model_in_path};
use super::openai::{self, Shape};
use super::read::{put_bearer, shown};
use super::{Api, Ask, AskError, Billing, Meter, NoOperation, Operation, Refusal, RequestView};
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

/// `GET models` and `GET models/{id}`.
#[derive(Clone, Copy, Debug)]
struct Models {
    name: &'static str,
}

const CHAT: Metered = Metered { name: "chat.completions", feature: "text__chat", shape: Shape::Chat };
const FIM: Metered = Metered { name: "fim.completions", feature: "text__generation", shape: Shape::Completion };
const EMBEDDINGS: Metered = Metered { name: "embeddings", feature: "text__embeddings", shape: Shape::Embedding };
const MODEL_LIST: Models = Models { name: "models.list" };
const MODEL: Models = Models { name: "models.retrieve" };

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
        if *method == wants {
            return Ok(operation);
        }
        Err(NoOperation { message: format!("'{path}' is available through this gateway with {wants} only, not {method}.") })
    }

    fn upstream_path(&self, base: &str, request: &RequestView<'_>, _path: &str) -> String {
        // Operators write the base with or without the version, as SDKs do.
        let version = if base.ends_with("/v1") { "" } else { "/v1" };
        format!("{base}{version}/{}", below_version(request.path))
    }

    fn passes_query(&self, _parameter: &str) -> bool {
        false
    }

    fn put_key(&self, headers: &mut HeaderMap, key: &HeaderValue) {
        put_bearer(headers, key);
    }

    fn passes_request_header(&self, name: &HeaderName) -> bool {
        openai::passes_request(name)
    }

    fn passes_response_header(&self, name: &HeaderName) -> bool {
        name == "mistral-correlation-id" || openai::passes_response(name)
    }

    /// Mistral's SDKs take any JSON, and show all of it.
    fn refusal_body(&self, refusal: &Refusal, request_id: Option<&str>) -> Bytes {
        openai::refusal_body(refusal, request_id)
    }

    fn problem_body(&self, problem: &Problem) -> Bytes {
        simulate::problem_body(problem)
    }

    /// A comment, which no SDK shows.
    fn keep_alive(&self) -> Option<&'static str> {
        Some(": ping\n\n")
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

impl Operation for Models {
    fn name(&self) -> &'static str {
        self.name
    }

    fn feature(&self) -> &'static str {
        "text__models"
    }

    fn billing(&self) -> Billing {
        Billing::Free
    }

    /// The model is that of the path, so that the caller can be told that it may not use it.
    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        Ok(Ask::free(model_in_path(below_version(request.path)).unwrap_or_default().to_owned()))
    }

    fn meter(&self, _ask: &Ask, _streamed: bool) -> Box<dyn Meter> {
        // The list is filtered once all of it is there.
        Box::new(WholeMeter::new(Billed::Tokens { has_output: false }))
    }

    fn simulate(&self, request: &RequestView<'_>, _faults: &Faults, models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        match model_in_path(below_version(request.path)) {
            Some(id) => simulate::model(id, models),
            None => Ok(simulate::models(models)),
        }
    }

    fn model_list(&self) -> Option<ModelList> {
        (self.name == MODEL_LIST.name).then_some(ModelList::OPENAI)
    }
}

/// The path without the version: it may stand in the mount (`/mistral/v1/*`) or below it (`/mistral/*`).
fn below_version(path: &str) -> &str {
    path.strip_prefix("v1/").unwrap_or(path)
}

fn no_operation(path: &str) -> NoOperation {
    if let Some(rest) = path.strip_prefix("v1/") {
        return NoOperation::version_twice(rest);
    }
    let is_below = |step: &str| path.strip_prefix(step).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let message = match NOT_YET.iter().find(|(step, _)| is_below(step)) {
        Some((_, what)) => format!("'{}' is not available through this gateway yet: it does not meter {what}.", shown(path)),
        None => {
            let known = "chat/completions, fim/completions, embeddings, ocr and models";
            format!("'{}' is not an operation that this gateway knows. It has {known}.", shown(path))
        }
    };
    NoOperation { message }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
