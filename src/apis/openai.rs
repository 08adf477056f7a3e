//! The OpenAI API, as OpenAI and the many providers that speak it: chat completions, completions, embeddings and the list of models.
//!
//! One file a concern: `fields` says which members of a request cost, `ask` and `content` bound them, `images` bounds pictures,
//! `meter_stream` and `meter_whole` read answers, `usage` maps what they report, `refuse` shapes errors, `headers` lists what passes.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use self::fields::Shape;
use self::meter_stream::StreamMeter;
use self::meter_whole::WholeMeter;
use super::{Api, Ask, AskError, Billing, Meter, NoOperation, Operation, Refusal, RequestView};
use crate::sandbox::{self, Faults, Simulated, SimulatedOperation};

mod answer;
pub(super) mod ask;
pub(super) mod content;
mod fields;
mod headers;
mod images;
pub(super) mod meter_stream;
mod meter_whole;
mod models;
mod refuse;
mod usage;

pub(super) use meter_stream::remember;
pub use models::filter_models;
pub(super) use refuse::body as refusal_body;

/// The OpenAI API.
#[derive(Clone, Copy, Debug)]
pub struct OpenAi;

/// An operation that is metered.
#[derive(Clone, Copy, Debug)]
struct Metered {
    name: &'static str,
    feature: &'static str,
    shape: Shape,
    default_output: Option<u64>,
}

/// `GET models` and `GET models/{id}`.
#[derive(Clone, Copy, Debug)]
struct Models {
    name: &'static str,
}

const CHAT: Metered = Metered { name: "chat.completions", feature: "text__chat", shape: Shape::Chat, default_output: None };
/// Its `max_tokens` is 16 where it is not set (OpenAI's API reference, "Completions").
const COMPLETIONS: Metered = Metered { name: "completions", feature: "text__generation", shape: Shape::Completion, default_output: Some(16) };
const EMBEDDINGS: Metered = Metered { name: "embeddings", feature: "text__embeddings", shape: Shape::Embedding, default_output: None };
const MODEL_LIST: Models = Models { name: "models.list" };
const MODEL: Models = Models { name: "models.retrieve" };

/// What else the API has, by the first step of the path.
const NOT_YET: [(&str, &str); 21] = [
    ("responses", "the Responses API"),
    ("conversations", "the Conversations API"),
    ("files", "files"),
    ("uploads", "uploads"),
    ("batches", "batches"),
    ("fine_tuning", "fine-tuning"),
    ("vector_stores", "vector stores"),
    ("containers", "containers"),
    ("realtime", "the Realtime API"),
    ("images", "image generation"),
    ("videos", "video generation"),
    ("audio", "speech and transcription"),
    ("moderations", "moderations"),
    ("assistants", "assistants"),
    ("threads", "threads"),
    ("evals", "evals"),
    ("graders", "graders"),
    ("organization", "the administration API"),
    ("rerank", "reranking"),
    ("edits", "edits"),
    ("engines", "engines"),
];

impl Api for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn operation(&self, method: &Method, path: &str) -> Result<&'static dyn Operation, NoOperation> {
        let (operation, wants): (&'static dyn Operation, Method) = match path {
            "chat/completions" => (&CHAT, Method::POST),
            "completions" => (&COMPLETIONS, Method::POST),
            "embeddings" => (&EMBEDDINGS, Method::POST),
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
        format!("{base}{version}/{}", request.path)
    }

    fn passes_query(&self, parameter: &str) -> bool {
        parameter == "api-version"
    }

    fn put_key(&self, headers: &mut HeaderMap, key: &HeaderValue) {
        put_bearer(headers, key);
    }

    fn passes_request_header(&self, name: &HeaderName) -> bool {
        headers::passes_request(name)
    }

    fn passes_response_header(&self, name: &HeaderName) -> bool {
        headers::passes_response(name)
    }

    fn refusal_body(&self, refusal: &Refusal, request_id: Option<&str>) -> Bytes {
        refuse::body(refusal, request_id)
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
        ask::read(self.shape, request.body)
    }

    fn meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        if streamed {
            Box::new(StreamMeter::new(!ask.asked_usage, ask.bound.max_searches))
        } else {
            Box::new(WholeMeter::new(ask.bound.has_output, ask.bound.max_searches))
        }
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, models: &mut dyn Iterator<Item = &str>) -> Simulated {
        let operation = match self.shape {
            Shape::Chat => SimulatedOperation::ChatCompletions,
            Shape::Completion => SimulatedOperation::Completions,
            Shape::Embedding => SimulatedOperation::Embeddings,
        };
        sandbox::simulate(operation, request.body, faults, models)
    }

    fn default_output(&self) -> Option<u64> {
        self.default_output
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
        Ok(Ask::free(model_in_path(request.path).unwrap_or_default().to_owned()))
    }

    fn meter(&self, _ask: &Ask, _streamed: bool) -> Box<dyn Meter> {
        Box::new(WholeMeter::new(false, 0))
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, models: &mut dyn Iterator<Item = &str>) -> Simulated {
        match model_in_path(request.path) {
            Some(id) => sandbox::simulate_model(id, faults, models),
            None => sandbox::simulate(SimulatedOperation::Models, request.body, faults, models),
        }
    }

    fn lists_models(&self) -> bool {
        self.name == MODEL_LIST.name
    }
}

/// Puts a key where `Authorization: Bearer` wants it.
pub(super) fn put_bearer(headers: &mut HeaderMap, key: &HeaderValue) {
    // A header value behind more letters is a header value: this cannot fail, and if it did, no key would be sent.
    if let Ok(mut value) = HeaderValue::from_bytes(&[b"Bearer ", key.as_bytes()].concat()) {
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
}

/// The id in `models/{id}`. Ids may have slashes; anything that a provider could read as another path is not one.
pub(super) fn model_in_path(path: &str) -> Option<&str> {
    let id = path.strip_prefix("models/")?;
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:@/~".contains(&byte));
    let steps = id.split('/').all(|step| !step.bytes().all(|byte| byte == b'.'));
    (plain && steps).then_some(id)
}

fn no_operation(path: &str) -> NoOperation {
    if let Some(rest) = path.strip_prefix("v1/") {
        return NoOperation::version_twice(rest);
    }
    let first = path.split('/').next().unwrap_or_default();
    let message = match NOT_YET.iter().find(|(step, _)| *step == first) {
        Some((_, what)) => format!("'{}' is not available through this gateway yet: it does not meter {what}.", shown(path)),
        None => {
            format!("'{}' is not an operation that this gateway knows. It has chat/completions, completions, embeddings and models.", shown(path))
        }
    };
    NoOperation { message }
}

/// A path, short enough for an error.
pub(super) fn shown(path: &str) -> String {
    path.chars().take(100).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
