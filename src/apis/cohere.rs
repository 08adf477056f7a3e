//! Cohere's API, version 2: chat, embeddings and reranking; and from version 1 what costs nothing, the list of models and the tokenizer.
//!
//! One file a concern: `fields` says which members of a request cost, `ask`, `content`, `embed` and `rerank` bound them, `meter_stream` and
//! `meter_whole` read answers, `events` reads one event of a stream, `usage` maps what they bill, `simulate` makes answers up, `headers` lists
//! what passes. Errors have OpenAI's shape, whose `message` at the top is where Cohere's SDK looks. What bounds a request is told in docs/cohere.md.

use http::{HeaderMap, Method};

use self::meter_stream::StreamMeter;
use self::meter_whole::WholeMeter;
use super::models::{ModelList, Models, model_in_path};
use super::pass_meter::PassMeter;
use super::{Api, Ask, AskError, Billing, Envelope, Meter, NoOperation, Operation, RequestView, openai};
use crate::sandbox::{Faults, Problem, Simulated};

mod ask;
mod content;
mod embed;
mod events;
mod fields;
mod headers;
mod meter_stream;
mod meter_whole;
mod rerank;
mod simulate;
mod usage;

/// Cohere's API.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cohere;

/// An operation that is metered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Metered {
    Chat,
    Embed,
    Rerank,
}

/// `POST tokenize` and `POST detokenize`, which cost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tokenizer {
    Tokenize,
    Detokenize,
}

const MODEL_LIST: Models = Models::list(ModelList { member: "models", id: "name", prefix: "" }, simulated_models);
const MODEL: Models = Models::one(named_model, simulated_models);

/// What else the API has, by the first step of the path below its version.
const NOT_YET: [(&str, &str); 13] = [
    ("audio", "transcription"),
    ("batches", "batches: they cost long after the call"),
    ("parse", "the parsing of documents"),
    ("classify", "classification"),
    ("generate", "text generation of version 1"),
    ("summarize", "summaries"),
    ("embed-jobs", "embedding jobs: they cost long after the call"),
    ("datasets", "datasets"),
    ("connectors", "connectors"),
    ("finetuning", "fine-tuning"),
    ("check-api-key", "the check of a key: the provider's is not the client's"),
    ("users", "users"),
    ("organizations", "the administration API"),
];

static ENVELOPE: Envelope = Envelope {
    key: None,
    request_header: headers::passes_request,
    response_header: headers::passes_response,
    refusal: openai::refusal_body,
    problem: simulate::problem_body,
    keep_alive: Some(openai::COMMENT),
};

impl Api for Cohere {
    fn name(&self) -> &'static str {
        "cohere"
    }

    /// The version may stand in the mount (`/v2/chat*`) or below it (`/cohere/*`).
    fn operation(&self, method: &Method, path: &str) -> Result<&'static dyn Operation, NoOperation> {
        let (operation, wants): (&'static dyn Operation, Method) = match path {
            "chat" | "v2/chat" => (&Metered::Chat, Method::POST),
            "embed" | "v2/embed" => (&Metered::Embed, Method::POST),
            "rerank" | "v2/rerank" => (&Metered::Rerank, Method::POST),
            "tokenize" | "v1/tokenize" => (&Tokenizer::Tokenize, Method::POST),
            "detokenize" | "v1/detokenize" => (&Tokenizer::Detokenize, Method::POST),
            "models" | "v1/models" => (&MODEL_LIST, Method::GET),
            _ if named_model(path).is_some() => (&MODEL, Method::GET),
            _ => return Err(no_operation(path)),
        };
        NoOperation::unless(method, &wants, path, operation)
    }

    fn upstream_path(&self, base: &str, request: &RequestView<'_>, _path: &str) -> String {
        let path = below_version(request.path);
        let version = if matches!(path, "chat" | "embed" | "rerank") { "v2" } else { "v1" };
        // Operators write the base with or without a version; each operation has its own.
        let base = base.strip_suffix("/v2").or_else(|| base.strip_suffix("/v1")).unwrap_or(base);
        format!("{base}/{version}/{path}")
    }

    /// How lists are paged and narrowed down.
    fn passes_query(&self, parameter: &str) -> bool {
        matches!(parameter, "page_size" | "page_token" | "endpoint" | "default_only")
    }

    fn envelope(&self) -> &'static Envelope {
        &ENVELOPE
    }

    /// All of Cohere's SDKs say which they are.
    fn is_spoken(&self, headers: &HeaderMap, _query: Option<&str>) -> bool {
        headers.get(headers::SDK_NAME).is_some_and(|name| name.as_bytes().starts_with(b"cohere"))
    }
}

impl Operation for Metered {
    fn name(&self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embed => "embed",
            Self::Rerank => "rerank",
        }
    }

    fn feature(&self) -> &'static str {
        match self {
            Self::Chat => "text__chat",
            Self::Embed => "text__embeddings",
            Self::Rerank => "text__rerank",
        }
    }

    fn billing(&self) -> Billing {
        Billing::Tokens
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        match self {
            Self::Chat => ask::read(request.body),
            Self::Embed => embed::read(request.body),
            Self::Rerank => rerank::read(request.body),
        }
    }

    fn meter(&self, _ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        match self {
            Self::Chat if streamed => Box::new(StreamMeter::begin()),
            Self::Chat => Box::new(WholeMeter::new(usage::Kind::Chat)),
            Self::Embed => Box::new(WholeMeter::new(usage::Kind::Embed)),
            Self::Rerank => Box::new(WholeMeter::new(usage::Kind::Rerank)),
        }
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        match self {
            Self::Chat => simulate::chat(request.body, faults),
            Self::Embed => simulate::embed(request.body, faults),
            Self::Rerank => simulate::rerank(request.body, faults),
        }
    }
}

impl Operation for Tokenizer {
    fn name(&self) -> &'static str {
        match self {
            Self::Tokenize => "tokenize",
            Self::Detokenize => "detokenize",
        }
    }

    fn feature(&self) -> &'static str {
        "text__count_tokens"
    }

    fn billing(&self) -> Billing {
        Billing::Free
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        ask::read_model(request.body).map(Ask::free)
    }

    fn meter(&self, _ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        Box::new(PassMeter::new(streamed, None))
    }

    fn simulate(&self, request: &RequestView<'_>, _faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        match self {
            Self::Tokenize => simulate::tokenize(request.body),
            Self::Detokenize => simulate::detokenize(request.body),
        }
    }
}

fn named_model(path: &str) -> Option<&str> {
    model_in_path(path.strip_prefix("v1/").unwrap_or(path))
}

fn below_version(path: &str) -> &str {
    path.strip_prefix("v2/").or_else(|| path.strip_prefix("v1/")).unwrap_or(path)
}

fn simulated_models(id: Option<&str>, models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
    match id {
        Some(id) => simulate::model(id, models),
        None => Ok(simulate::models(models)),
    }
}

fn no_operation(path: &str) -> NoOperation {
    let below = below_version(path);
    if matches!(path, "v1/chat" | "v1/embed" | "v1/rerank") {
        let right = format!("which speaks version 2 of Cohere's API: 'v2/{below}' (ClientV2 in its SDKs)");
        return NoOperation { message: format!("'{path}' is not available through this gateway, {right}.") };
    }
    NoOperation::unknown(path, below, &NOT_YET, "chat, embed, rerank, models, tokenize and detokenize")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
