//! Anthropic's messages at Eden AI, for every model that it sells: `v1/messages` below the mount, as Anthropic's SDKs call it. An answer in one piece tells its
//! cost; a stream does not, and is charged by its usage at the price book's price.

use http::{HeaderMap, Method};

use super::{EdenAi, fields, headers, simulate};
use crate::apis::anthropic::{self, Anthropic};
use crate::apis::{Api, Ask, AskError, Billing, Envelope, Meter, NoOperation, Operation, RequestView, Seller};
use crate::sandbox::{Faults, Problem, Simulated};

/// The part of Eden AI's API that takes Anthropic's shapes.
#[derive(Clone, Copy, Debug)]
pub(super) struct EdenMessages;

/// `POST v1/messages`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Messages;

/// `POST v1/messages/count_tokens`, which costs nothing.
pub(super) const COUNT_TOKENS: anthropic::CountTokens = anthropic::CountTokens;
pub(super) const MESSAGES: Messages = Messages;

static ENVELOPE: Envelope = Envelope {
    key: None,
    request_header: headers::passes_messages_request,
    response_header: headers::passes_messages_response,
    refusal: |refusal, request_id| Anthropic.envelope().refusal_body(refusal, request_id),
    problem: |problem| Anthropic.envelope().problem_body(problem),
    keep_alive: Some(anthropic::KEEP_ALIVE),
};

impl Api for EdenMessages {
    fn name(&self) -> &'static str {
        EdenAi.name()
    }

    fn operation(&self, method: &Method, path: &str) -> Result<&'static dyn Operation, NoOperation> {
        EdenAi.operation(method, path)
    }

    fn upstream_path(&self, base: &str, request: &RequestView<'_>, path: &str) -> String {
        EdenAi.upstream_path(base, request, path)
    }

    fn passes_query(&self, parameter: &str) -> bool {
        EdenAi.passes_query(parameter)
    }

    fn envelope(&self) -> &'static Envelope {
        &ENVELOPE
    }

    fn complete_headers(&self, headers: &mut HeaderMap) {
        Anthropic.complete_headers(headers);
    }

    fn sellers(&self) -> &'static [Seller] {
        EdenAi.sellers()
    }
}

impl Operation for Messages {
    fn name(&self) -> &'static str {
        anthropic::Messages.name()
    }

    fn feature(&self) -> &'static str {
        anthropic::Messages.feature()
    }

    fn billing(&self) -> Billing {
        Billing::Tokens
    }

    fn reports_cost(&self) -> bool {
        true
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        anthropic::read_ask(request.body, request.headers, &fields::FREE, None)
    }

    fn ask_as(&self, request: &RequestView<'_>, model: &str) -> Result<Ask, AskError> {
        anthropic::read_ask(request.body, request.headers, &fields::FREE, Some(model))
    }

    fn meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        anthropic::Messages.meter(ask, streamed)
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        let simulated = anthropic::Messages.simulate(request, faults, models)?;
        Ok(if simulated.is_stream() { simulated } else { simulate::with_cost(simulated) })
    }

    fn unasked_tiers(&self, ask: &Ask) -> &'static [&'static str] {
        anthropic::Messages.unasked_tiers(ask)
    }
}
