//! What a response object says: the whole of an answer, or `response` in an event of a stream. Read in one scan, without copying.

use std::ops::Range;

use crate::apis::json::{JsonError, Kind, Scanner, Text};
use crate::apis::openai::usage;
use crate::apis::pass_meter::reported_cost;
use crate::money::Usd;

/// An id of something that the provider keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdAt<'a> {
    pub(super) id: &'a [u8],
    /// The offset of its closing quote.
    pub(super) end: usize,
}

/// What stands in a response.
#[derive(Debug, Default)]
pub(super) struct Response<'a> {
    pub(super) ids: Vec<IdAt<'a>>,
    pub(super) model: Option<Text<'a>>,
    pub(super) service_tier: Option<Text<'a>>,
    /// Where its usage stands; none where it is null.
    pub(super) usage: Option<Range<usize>>,
    /// Where the cost stands that an API tells beside it.
    cost: Option<Range<usize>>,
    /// Where the count of searches stands that are billed, if it tells.
    pub(super) searches_at: Option<Range<usize>>,
    /// Searches among the items of its output.
    pub(super) searches_shown: u64,
    /// The tokens of what was generated, at most.
    pub(super) generated: u64,
}

/// Reads the response that comes next.
pub(super) fn response<'a>(scanner: &mut Scanner<'a>, into: &mut Response<'a>) -> Result<(), JsonError> {
    scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
        (b"id" | b"previous_response_id", Kind::String) => scanner.string().map(|id| into.ids.push(IdAt { id: id.raw(), end: scanner.position() - 1 })),
        (b"model", Kind::String) => scanner.string().map(|model| into.model = Some(model)),
        (b"service_tier", Kind::String) => scanner.string().map(|tier| into.service_tier = Some(tier)),
        (b"usage", Kind::Object) => scanner.value().map(|usage| into.usage = Some(usage)),
        (b"cost", Kind::Number | Kind::String) => scanner.value().map(|cost| into.cost = Some(cost)),
        (b"tool_usage", Kind::Object) => scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
            (b"web_search", Kind::Object) => scanner.object(|scanner, member| match member.key.raw() {
                b"num_requests" => scanner.value().map(|count| into.searches_at = Some(count)),
                _ => scanner.skip(),
            }),
            _ => scanner.skip(),
        }),
        (b"output", Kind::Array) => scanner.array(|scanner| {
            let item = item(scanner)?;
            into.ids.extend(item.id);
            into.searches_shown += u64::from(item.is_search);
            into.generated = into.generated.saturating_add(item.generated);
            Ok(())
        }),
        _ => scanner.skip(),
    })
}

// === impl Response ===

impl Response<'_> {
    /// The cost that it tells: beside its usage, as Eden AI does, or in it, as OpenRouter does too. `body` is what it was read from.
    pub(super) fn reported_cost(&self, body: &[u8]) -> Option<Usd> {
        let slice = |at: &Range<usize>| body.get(at.clone()).unwrap_or_default();
        self.cost.as_ref().and_then(|at| reported_cost(slice(at))).or_else(|| self.usage.as_ref().and_then(|at| usage::cost(slice(at))))
    }
}

/// What stands in an item of the output.
#[derive(Debug, Default)]
pub(super) struct Item<'a> {
    pub(super) id: Option<IdAt<'a>>,
    /// The tokens of what was generated, at most.
    pub(super) generated: u64,
    pub(super) is_search: bool,
}

/// Reads the item that comes next.
pub(super) fn item<'a>(scanner: &mut Scanner<'a>) -> Result<Item<'a>, JsonError> {
    let mut item = Item::default();
    let (mut searches, mut opens_page) = (false, false);
    if scanner.kind()? != Kind::Object {
        return scanner.skip().map(|()| item);
    }
    scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
        (b"id", Kind::String) => scanner.string().map(|id| item.id = Some(IdAt { id: id.raw(), end: scanner.position() - 1 })),
        (b"type", Kind::String) => scanner.string().map(|kind| searches = kind.raw() == b"web_search_call"),
        (b"action", Kind::Object) => scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
            // Only searches are billed, not what is done with the pages that they found.
            (b"type", Kind::String) => scanner.string().map(|kind| opens_page = kind.raw() != b"search"),
            _ => scanner.text_tokens().map(|tokens| item.generated = item.generated.saturating_add(tokens)),
        }),
        (b"name" | b"arguments" | b"input" | b"content" | b"summary" | b"actions" | b"operation", _) => {
            scanner.text_tokens().map(|tokens| item.generated = item.generated.saturating_add(tokens))
        }
        _ => scanner.skip(),
    })?;
    item.is_search = searches && !opens_page;
    Ok(item)
}
