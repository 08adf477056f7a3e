//! The OpenAI API, as OpenAI and the many providers that speak it: responses, chat completions, completions, embeddings, moderations and the list of
//! models; and the same as Azure serves it.
//!
//! `responses` is a folder of its own and `azure` has the other paths. Else one file a concern: `fields` says which members of a request cost, `ask` and `content` bound them, `images` bounds pictures,
//! `vocabulary` counts the tokens of texts, `meter_stream` and `meter_whole` read answers, `usage` maps what they report, `simulate` makes answers up, `refuse` shapes errors,
//! `headers` lists what passes.

use bytes::Bytes;
use http::Method;

use super::models::{ModelList, Models, model_in_path};
use super::{Api, Ask, AskError, Billing, Envelope, Meter, NoOperation, Operation, RequestView};
use crate::sandbox::{Faults, Problem, Simulated};

mod answer;
mod ask;
mod azure;
mod content;
mod fields;
mod given;
mod headers;
mod images;
pub(super) mod imaging;
mod meter_stream;
mod meter_whole;
mod refuse;
pub(super) mod responses;
mod simulate;
mod speech;
pub(super) mod transcription;
mod usage;
mod vocabulary;

pub(super) use ask::read_as;
pub(super) use azure::Azure;
pub(super) use fields::{Dialect, Field, OPENAI, Shape};
pub(super) use headers::{passes_request, passes_response};
pub(super) use images::most_tokens as most_image_tokens;
pub(super) use meter_stream::{Reader, StreamMeter};
pub(super) use meter_whole::WholeMeter;
pub(super) use refuse::body as refusal_body;
pub(super) use simulate::{chat as simulated_chat, embeddings as simulated_embeddings, moderations as simulated_moderations};
pub(super) use simulate::{named_event, problem_body};
pub(super) use speech::Speech;
pub(super) use usage::read as read_usage;

use vocabulary::Counter;

/// The OpenAI API.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenAi;

/// An operation that is metered.
#[derive(Clone, Copy, Debug)]
struct Metered {
    name: &'static str,
    feature: &'static str,
    shape: Shape,
    default_output: Option<u64>,
}

const CHAT: Metered = Metered { name: "chat.completions", feature: "text__chat", shape: Shape::Chat, default_output: None };
/// Its `max_tokens` is 16 where it is not set (OpenAI's API reference, "Completions").
const COMPLETIONS: Metered = Metered { name: "completions", feature: "text__generation", shape: Shape::Completion, default_output: Some(16) };
const EMBEDDINGS: Metered = Metered { name: "embeddings", feature: "text__embeddings", shape: Shape::Embedding, default_output: None };
/// OpenAI's are free, those of others may not be: the price book tells.
const MODERATIONS: Metered = Metered { name: "moderations", feature: "text__moderation", shape: Shape::Moderation, default_output: None };
const MODEL_LIST: Models = Models::list(ModelList::OPENAI, simulated_models);
const MODEL: Models = Models::one(|path| model_in_path(azure::operation_path(path)), simulated_models);

/// What else the API has, by the first step of the path.
const NOT_YET: [(&str, &str); 20] = [
    ("responses", "this part of the Responses API"),
    ("conversations", "the Conversations API, whose contents all tokens of a provider's key share"),
    ("files", "files"),
    ("uploads", "uploads"),
    ("batches", "batches"),
    ("fine_tuning", "fine-tuning"),
    ("vector_stores", "vector stores"),
    ("containers", "containers"),
    ("realtime", "the Realtime API"),
    ("images", "this operation on images"),
    ("videos", "video generation"),
    ("audio", "this operation on audio"),
    ("assistants", "assistants"),
    ("threads", "threads"),
    ("evals", "evals"),
    ("graders", "graders"),
    ("organization", "the administration API"),
    ("rerank", "reranking"),
    ("edits", "edits"),
    ("engines", "engines"),
];

/// What a stream says in the meantime: a comment, which no SDK shows.
pub(super) const COMMENT: &str = ": ping\n\n";

static ENVELOPE: Envelope = Envelope {
    key: None,
    request_header: headers::passes_request,
    response_header: headers::passes_response,
    refusal: refuse::body,
    problem: simulate::problem_body,
    keep_alive: Some(COMMENT),
};

impl Api for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn operation(&self, method: &Method, path: &str) -> Result<&'static dyn Operation, NoOperation> {
        let (operation, wants): (&'static dyn Operation, Method) = match path {
            "chat/completions" => (&CHAT, Method::POST),
            "completions" => (&COMPLETIONS, Method::POST),
            "embeddings" => (&EMBEDDINGS, Method::POST),
            "moderations" => (&MODERATIONS, Method::POST),
            "images/generations" => (&imaging::GENERATIONS, Method::POST),
            "images/edits" => (&imaging::EDITS, Method::POST),
            "images/variations" => (&imaging::VARIATIONS, Method::POST),
            "audio/speech" => (&speech::Speech { added: None }, Method::POST),
            "audio/transcriptions" => (&transcription::TRANSCRIPTIONS, Method::POST),
            "audio/translations" => (&transcription::TRANSLATIONS, Method::POST),
            "models" => (&MODEL_LIST, Method::GET),
            _ if model_in_path(path).is_some() => (&MODEL, Method::GET),
            _ => return responses::operation(method, path).unwrap_or_else(|| Err(no_operation(path))),
        };
        NoOperation::unless(method, &wants, path, operation)
    }

    fn upstream_path(&self, base: &str, request: &RequestView<'_>, _path: &str) -> String {
        // Operators write the base with or without the version, as SDKs do.
        let version = if base.ends_with("/v1") { "" } else { "/v1" };
        format!("{base}{version}/{}", responses::upstream_path(request.path))
    }

    fn passes_query(&self, parameter: &str) -> bool {
        parameter == "api-version" || responses::passes_query(parameter)
    }

    fn envelope(&self) -> &'static Envelope {
        &ENVELOPE
    }

    /// OpenRouter does.
    fn may_report_cost(&self) -> bool {
        true
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
        ask::read(self.shape, request.body, azure::deployment(request.path))
    }

    fn ask_as(&self, request: &RequestView<'_>, model: &str) -> Result<Ask, AskError> {
        ask::read(self.shape, request.body, Some(model))
    }

    fn counts(&self, model: &str) -> bool {
        vocabulary::of(model).is_some()
    }

    fn ask_counted(&self, body: &Bytes, model: &str) -> Result<Ask, AskError> {
        ask::read_counted(self.shape, body, model, Counter::of(model).as_ref())
    }

    fn meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        if streamed {
            Box::new(StreamMeter::of(!ask.asked_usage, ask.bound.max_searches, self.shape == Shape::Completion))
        } else {
            Box::new(WholeMeter::new(ask.bound.has_output, ask.bound.max_searches))
        }
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        let body = azure::body_of(request, faults);
        match self.shape {
            Shape::Chat => simulate::chat::answer(&body, faults),
            Shape::Completion => simulate::completions::answer(&body, faults),
            Shape::Embedding => simulate::embeddings::answer(&body, faults),
            Shape::Moderation => simulate::moderations::answer(&body),
        }
    }

    fn default_output(&self) -> Option<u64> {
        self.default_output
    }
}

fn simulated_models(id: Option<&str>, models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
    match id {
        Some(id) => simulate::models::one(id, models),
        None => Ok(simulate::models::list(models)),
    }
}

fn no_operation(path: &str) -> NoOperation {
    match path.strip_prefix("v1/") {
        Some(rest) => NoOperation::version_twice(rest),
        None => NoOperation::unknown(
            path,
            path,
            &NOT_YET,
            "responses, chat/completions, completions, embeddings, moderations, images/generations, images/edits, images/variations, audio/speech, \
             audio/transcriptions, audio/translations and models",
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
