//! `api = "http"`: any other API, paid for by the call or by what its provider reports. Nothing of it is read but that report.

use http::{HeaderName, HeaderValue, Method};
use serde_json::json;

use super::pass_meter::{self, PassMeter};
use super::{Api, Ask, AskError, Billing, Envelope, Meter, NoOperation, Operation, RequestView, UnseenOutput, openai};
use crate::money::Usd;
use crate::prices::Bound;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, Problem, Simulated};

/// Any HTTP API.
#[derive(Clone, Copy, Debug)]
pub struct Http;

/// Its one operation.
#[derive(Clone, Copy, Debug)]
struct Call;

static ENVELOPE: Envelope = Envelope {
    key: None,
    request_header: |name| matches!(name.as_str(), "accept" | "accept-language" | "content-type" | "user-agent"),
    response_header: passes_response,
    refusal: openai::refusal_body,
    problem: openai::problem_body,
    keep_alive: None,
};

fn passes_response(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "content-type"
            | "content-disposition"
            | "content-language"
            | "cache-control"
            | "etag"
            | "last-modified"
            | "request-id"
            | "retry-after"
            | "x-request-id"
    )
}

impl Api for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn operation(&self, _method: &Method, _path: &str) -> Result<&'static dyn Operation, NoOperation> {
        Ok(&Call)
    }

    fn upstream_path(&self, base: &str, _request: &RequestView<'_>, path: &str) -> String {
        format!("{base}{path}")
    }

    fn passes_query(&self, _parameter: &str) -> bool {
        true
    }

    fn envelope(&self) -> &'static Envelope {
        &ENVELOPE
    }

    fn has_operations(&self) -> bool {
        false
    }
}

impl Operation for Call {
    fn name(&self) -> &'static str {
        "http"
    }

    fn feature(&self) -> &'static str {
        "http__call"
    }

    fn billing(&self) -> Billing {
        Billing::PerRequest
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        let streams = |accept: &HeaderValue| accept.to_str().is_ok_and(|accept| accept.to_ascii_lowercase().contains("text/event-stream"));
        Ok(Ask {
            model: String::new(),
            bound: Bound { choices: 1, ..Bound::default() },
            stream: request.headers.get(http::header::ACCEPT).is_some_and(streams),
            service_tier: None,
            unseen: UnseenOutput::Any,
            asked_usage: false,
            edits: super::splice::Edits::default(),
        })
    }

    fn meter(&self, _ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        Box::new(PassMeter::new(streamed, None))
    }

    /// Nothing is known about what the provider would say: a small object that says it is simulated. Its id follows from the body.
    fn simulate(&self, request: &RequestView<'_>, _faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        let answer = json!({
            "simulated": true,
            "id": Seed::of_bytes("http", request.body).id("sim_", 24),
            "message": "This is a simulated answer; no provider was asked.",
        });
        Ok(Simulated::json(answer.to_string()))
    }
}

/// A meter for a route whose provider reports the cost in its JSON answer, at a JSON pointer such as `/cost`: the amount is in
/// [`Measured::reported_cost`](super::Measured::reported_cost).
#[must_use]
pub fn reported_cost_meter(streamed: bool, pointer: &str) -> Box<dyn Meter> {
    Box::new(PassMeter::new(streamed, Some(pointer.to_owned())))
}

/// The cost that a provider reports in a header. None when it is not an amount, negative, or more than can be counted.
#[must_use]
pub fn reported_cost_header(value: &HeaderValue) -> Option<Usd> {
    pass_meter::amount(value.to_str().ok()?)
}
