//! The Anthropic API: messages, the counting of their tokens, and the list of models.
//!
//! One file a concern: `fields` says which members of a request cost, `ask`, `content` and `tools` bound them, `count` has the provider count them,
//! `meter_stream` and `meter_whole` read answers, `events` reads one event of a stream, `usage` maps what they report, `simulate` makes answers up,
//! `refuse` shapes errors, `headers` lists what passes. What bounds a request, and what is refused because nothing does, is told in docs/anthropic.md.

use http::{HeaderMap, HeaderValue, Method};

use self::meter_stream::StreamMeter;
use self::meter_whole::WholeMeter;
use super::models::{ModelList, Models, model_in_path};
use super::pass_meter::PassMeter;
use super::{Api, Ask, AskError, Billing, CountCall, Envelope, Meter, NoOperation, Operation, RequestView};
use crate::sandbox::{Faults, Problem, Simulated};

mod ask;
mod content;
mod count;
mod events;
mod fields;
mod headers;
mod meter_stream;
mod meter_whole;
mod refuse;
mod simulate;
mod tools;
mod usage;

pub(super) use ask::read_with as read_ask;

/// The Anthropic API.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anthropic;

/// `POST messages`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Messages;

/// `POST messages/count_tokens`, which costs nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct CountTokens;

const MODEL_LIST: Models = Models::list(ModelList::OPENAI, simulated_models);
const MODEL: Models = Models::one(|path| model_in_path(below_version(path)), simulated_models);

/// The version of the API that the provider is asked for where the client names none.
const DEFAULT_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// What else the API has, by the beginning of the path.
const NOT_YET: [(&str, &str); 17] = [
    ("messages/batches", "message batches: they cost long after the call, and their results come from an address that is not this gateway's"),
    ("files", "files"),
    ("skills", "skills"),
    ("agents", "managed agents"),
    ("sessions", "managed agents"),
    ("environments", "managed agents"),
    ("deployments", "managed agents"),
    ("threads", "message threads"),
    ("memory_stores", "memory stores"),
    ("vaults", "vaults"),
    ("user_profiles", "user profiles"),
    ("organizations", "the administration API"),
    ("organization", "the administration API"),
    ("complete", "text completions"),
    ("experimental", "experimental operations"),
    ("dreams", "dreams"),
    ("tunnels", "tunnels"),
];

/// What a stream says in the meantime: the API's own event for this (its guide "Streaming messages", on ping events).
pub(super) const KEEP_ALIVE: &str = "event: ping\ndata: {\"type\": \"ping\"}\n\n";

static ENVELOPE: Envelope = Envelope {
    key: Some(headers::API_KEY),
    request_header: headers::passes_request,
    response_header: headers::passes_response,
    refusal: refuse::body,
    problem: simulate::problem_body,
    keep_alive: Some(KEEP_ALIVE),
};

impl Api for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn operation(&self, method: &Method, path: &str) -> Result<&'static dyn Operation, NoOperation> {
        let path = below_version(path);
        let (operation, wants): (&'static dyn Operation, Method) = match path {
            "messages" => (&Messages, Method::POST),
            "messages/count_tokens" => (&CountTokens, Method::POST),
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

    /// SDKs mark calls of their `beta` namespace; the rest is how lists are paged.
    fn passes_query(&self, parameter: &str) -> bool {
        matches!(parameter, "beta" | "limit" | "after_id" | "before_id")
    }

    fn envelope(&self) -> &'static Envelope {
        &ENVELOPE
    }

    fn is_spoken(&self, headers: &HeaderMap, _query: Option<&str>) -> bool {
        headers.contains_key(&headers::VERSION)
    }

    fn complete_headers(&self, headers: &mut HeaderMap) {
        headers.entry(headers::VERSION).or_insert(DEFAULT_VERSION);
    }
}

impl Operation for Messages {
    fn name(&self) -> &'static str {
        "messages"
    }

    fn feature(&self) -> &'static str {
        "text__chat"
    }

    fn billing(&self) -> Billing {
        Billing::Tokens
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        ask::read(request.body, request.headers)
    }

    fn counted_by_provider(&self) -> bool {
        true
    }

    fn count_call(&self, request: &RequestView<'_>) -> Option<CountCall> {
        count::call(request)
    }

    fn meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        if streamed { Box::new(StreamMeter::of(&ask.bound)) } else { Box::new(WholeMeter::new(&ask.bound)) }
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        simulate::answer(request.body, faults)
    }

    /// Priority capacity, where the organisation has any, serves whatever does not say `standard_only`. Where inference runs may be set for a whole
    /// workspace; see [`usage`] for the name it is priced under.
    fn unasked_tiers(&self, ask: &Ask) -> &'static [&'static str] {
        if ask.service_tier.as_deref() == Some("standard_only") { &["us"] } else { &["priority", "us"] }
    }
}

impl Operation for CountTokens {
    fn name(&self) -> &'static str {
        "messages.count_tokens"
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
        simulate::count(request.body)
    }
}

/// The path without the version: it may stand in the mount (`/v1/*`) or below it (`/anthropic/*`).
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
        None => NoOperation::unknown(path, path, &NOT_YET, "messages, messages/count_tokens and models"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
