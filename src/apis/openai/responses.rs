//! The Responses API: `POST responses`, the counting of its input, and what it keeps.
//!
//! One file a concern: `fields` says which members of a request cost, `ask`, `items` and `tools` bound them, `events` and `answer` read what the provider
//! says, `meter_stream` and `meter_whole` measure it, `closing` ends a stream, `usage` maps counts, `simulate` makes answers up.
//!
//! **What the provider keeps** (responses, their input and output items) belongs to its key, which all tokens share. So every id of it that passes to a
//! client is sealed for the token that asked ([`crate::apis::Seal`] argues why), and only an id with that seal is taken back. The ids of items that come
//! back with their content are taken out of the request instead: the provider then bills what the gateway has seen, and looks nothing up.

use bytes::Bytes;
use http::Method;

use super::azure;
use super::fields::Added;
use super::vocabulary::{self, Counter};
use crate::apis::pass_meter::PassMeter;
use crate::apis::{Ask, AskError, Billing, KeptId, Meter, NoOperation, Operation, RequestView, Seal};
use crate::sandbox::{Faults, Problem, Simulated};

mod answer;
mod ask;
mod closing;
mod events;
mod fields;
mod items;
mod meter_stream;
mod meter_whole;
mod simulate;
mod tools;
mod usage;

use self::meter_stream::StreamMeter;
use self::meter_whole::WholeMeter;

/// `POST responses`.
#[derive(Clone, Copy, Debug)]
pub(in crate::apis) struct Create {
    /// Parameters that an API adds to it.
    pub(in crate::apis) added: Option<Added>,
}

/// `POST responses/input_tokens`, which costs nothing.
#[derive(Clone, Copy, Debug)]
struct InputTokens;

/// What is done with a response that the provider keeps: `responses/{id}` and below. It costs nothing more.
#[derive(Clone, Copy, Debug)]
pub(in crate::apis) struct Stored {
    name: &'static str,
    action: Action,
}

/// What is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Retrieve,
    Delete,
    Cancel,
    InputItems,
}

pub(in crate::apis) const RETRIEVE: Stored = Stored { name: "responses.retrieve", action: Action::Retrieve };
pub(in crate::apis) const DELETE: Stored = Stored { name: "responses.delete", action: Action::Delete };
const CANCEL: Stored = Stored { name: "responses.cancel", action: Action::Cancel };
const INPUT_ITEMS: Stored = Stored { name: "responses.input_items", action: Action::InputItems };

/// The operation at a path; none where the path is not one of this API's.
pub(in crate::apis) fn operation(method: &Method, path: &str) -> Option<Result<&'static dyn Operation, NoOperation>> {
    let operation: &'static dyn Operation = match (path, stored_id(path)) {
        ("responses", _) => &Create { added: None },
        ("responses/input_tokens", _) => &InputTokens,
        ("responses/compact", _) => return None,
        (_, Some((_, ""))) if *method == Method::DELETE => &DELETE,
        (_, Some((_, ""))) => &RETRIEVE,
        (_, Some((_, "cancel"))) => &CANCEL,
        (_, Some((_, "input_items"))) => &INPUT_ITEMS,
        _ => return None,
    };
    let wants = if matches!(path, "responses" | "responses/input_tokens") || operation.name() == CANCEL.name { Method::POST } else { Method::GET };
    if *method == wants || operation.name() == DELETE.name {
        return Some(Ok(operation));
    }
    let wants = if operation.name() == RETRIEVE.name { "GET and DELETE".to_owned() } else { wants.to_string() };
    Some(Err(NoOperation { message: format!("'{path}' is available through this gateway with {wants} only, not {method}.") }))
}

/// Whether a path asks for one response as a whole: `responses/{id}`.
pub(in crate::apis) fn is_stored(path: &str) -> bool {
    matches!(stored_id(path), Some((id, "")) if !matches!(id, "input_tokens" | "compact"))
}

/// The id in `responses/{id}` and what stands behind it.
fn stored_id(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("responses/")?;
    let (id, below) = rest.split_once('/').unwrap_or((rest, ""));
    let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let ended = !rest.ends_with('/');
    (plain && ended).then_some((id, below))
}

/// The path for the provider: its own id, without our seal.
pub(in crate::apis) fn upstream_path(path: &str) -> String {
    match stored_id(path) {
        Some((id, below)) => {
            let slash = if below.is_empty() { "" } else { "/" };
            format!("responses/{}{slash}{below}", KeptId::read(id, None).id)
        }
        None => path.to_owned(),
    }
}

/// Parameters of the query that say what is shown of a kept response, and how its lists are paged.
pub(in crate::apis) fn passes_query(parameter: &str) -> bool {
    matches!(parameter, "include" | "include[]" | "include%5B%5D" | "limit" | "order" | "after" | "before" | "beta")
}

impl Operation for Create {
    fn name(&self) -> &'static str {
        "responses"
    }

    fn feature(&self) -> &'static str {
        "text__chat"
    }

    fn billing(&self) -> Billing {
        Billing::Tokens
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        ask::read_as(request.body, self.added, None)
    }

    fn ask_as(&self, request: &RequestView<'_>, model: &str) -> Result<Ask, AskError> {
        ask::read_as(request.body, self.added, Some(model))
    }

    fn counts(&self, model: &str) -> bool {
        vocabulary::of(model).is_some()
    }

    fn ask_counted(&self, body: &Bytes, model: &str) -> Result<Ask, AskError> {
        ask::read_with(body, Some(model), Counter::of(model).as_ref())
    }

    fn kept_ids(&self, request: &RequestView<'_>) -> Vec<KeptId> {
        ask::kept_ids(request.body)
    }

    fn meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        meter(ask, streamed, None)
    }

    fn seals(&self) -> bool {
        true
    }

    fn meter_sealed(&self, ask: &Ask, streamed: bool, seal: &Seal) -> Box<dyn Meter> {
        meter(ask, streamed, Some(seal))
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        simulate::create(&azure::body_of(request, faults), faults)
    }
}

fn meter(ask: &Ask, streamed: bool, seal: Option<&Seal>) -> Box<dyn Meter> {
    let searches = ask.bound.max_searches > 0;
    if streamed { Box::new(StreamMeter::of(searches, seal.cloned())) } else { Box::new(WholeMeter::new(searches, seal.cloned())) }
}

impl Operation for InputTokens {
    fn name(&self) -> &'static str {
        "responses.input_tokens"
    }

    fn feature(&self) -> &'static str {
        "text__count_tokens"
    }

    fn billing(&self) -> Billing {
        Billing::Free
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        ask::read_counted(request.body)
    }

    fn kept_ids(&self, request: &RequestView<'_>) -> Vec<KeptId> {
        ask::kept_ids(request.body)
    }

    fn meter(&self, _ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        Box::new(PassMeter::new(streamed, None))
    }

    fn simulate(&self, request: &RequestView<'_>, _faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        simulate::count(request.body)
    }
}

impl Operation for Stored {
    fn name(&self) -> &'static str {
        self.name
    }

    fn feature(&self) -> &'static str {
        "text__stored"
    }

    fn billing(&self) -> Billing {
        Billing::Free
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        let streams = |pair: &str| pair.split_once('=').is_some_and(|(name, value)| name == "stream" && !value.eq_ignore_ascii_case("false"));
        if request.query.is_some_and(|query| query.split('&').any(streams)) {
            let reason = "only responses in the background are streamed a second time, and those are not available through this gateway";
            return Err(AskError::unsupported("stream", format!("'stream' is not available here: {reason}")));
        }
        Ok(Ask::free(String::new()))
    }

    fn kept_ids(&self, request: &RequestView<'_>) -> Vec<KeptId> {
        stored_id(azure::operation_path(request.path)).map(|(id, _)| KeptId::read(id, None)).into_iter().collect()
    }

    fn meter(&self, _ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        Box::new(PassMeter::new(streamed, None))
    }

    fn seals(&self) -> bool {
        true
    }

    fn meter_sealed(&self, ask: &Ask, streamed: bool, seal: &Seal) -> Box<dyn Meter> {
        // Items of the input may bear ids of the client's own making: sealing those would make any id good.
        if self.action == Action::InputItems || streamed { self.meter(ask, streamed) } else { Box::new(WholeMeter::new(false, Some(seal.clone()))) }
    }

    fn simulate(&self, request: &RequestView<'_>, _faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        let id = stored_id(azure::operation_path(request.path)).map(|(id, _)| id).unwrap_or_default();
        simulate::stored::answer(self.action, id)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
