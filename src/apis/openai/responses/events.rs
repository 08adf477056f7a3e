//! What one event of a stream says. Read in one scan, without copying.

use std::ops::Range;

use super::answer::{self, IdAt, Item, Response};
use crate::apis::json::{JsonError, Kind, Scanner, Text};

/// What stands in an event.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    /// Its type: `response.created`.
    pub(super) kind: &'a [u8],
    pub(super) sequence: Option<u64>,
    pub(super) output_index: u64,
    /// `content_index` or `summary_index`.
    pub(super) part_index: u64,
    /// Where its response, item or part stands.
    pub(super) object: Option<Range<usize>>,
    pub(super) response: Option<Response<'a>>,
    pub(super) item: Option<Item<'a>>,
    /// A piece of text, arguments or whatever is generated.
    pub(super) delta: Option<Text<'a>>,
    /// The tokens of a delta that is no string, at most.
    pub(super) other_delta: u64,
    item_id: Option<IdAt<'a>>,
}

/// Reads an event's data.
pub(super) fn read(data: &[u8]) -> Result<Event<'_>, JsonError> {
    let mut event = Event::default();
    let mut scanner = Scanner::lenient(data);
    scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
        (b"type", Kind::String) => scanner.string().map(|kind| event.kind = kind.raw()),
        (b"sequence_number", Kind::Number) => number(scanner).map(|number| event.sequence = number),
        (b"output_index", Kind::Number) => number(scanner).map(|number| event.output_index = number.unwrap_or_default()),
        (b"content_index" | b"summary_index", Kind::Number) => number(scanner).map(|number| event.part_index = number.unwrap_or_default()),
        (b"delta", Kind::String) => scanner.string().map(|delta| event.delta = Some(delta)),
        (b"delta", _) => scanner.text_tokens().map(|tokens| event.other_delta = tokens),
        (b"item_id", Kind::String) => scanner.string().map(|id| event.item_id = Some(IdAt { id: id.raw(), end: scanner.position() - 1 })),
        (b"response", Kind::Object) => {
            let start = scanner.position();
            let mut response = Response::default();
            answer::response(scanner, &mut response)?;
            event.response = Some(response);
            event.object = Some(start..scanner.position());
            Ok(())
        }
        (b"item", Kind::Object) => {
            let start = scanner.position();
            event.item = Some(answer::item(scanner)?);
            event.object = Some(start..scanner.position());
            Ok(())
        }
        (b"part", Kind::Object) => scanner.value().map(|part| event.object = Some(part)),
        _ => scanner.skip(),
    })?;
    scanner.finish()?;
    Ok(event)
}

/// A whole number, where it is one.
fn number(scanner: &mut Scanner<'_>) -> Result<Option<u64>, JsonError> {
    let digits = scanner.number()?;
    Ok(std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()))
}

// === impl Event ===

impl<'a> Event<'a> {
    /// The ids of what the provider keeps, in the order in which they stand.
    pub(super) fn ids(&self) -> Vec<IdAt<'a>> {
        let nested = self.response.iter().flat_map(|response| response.ids.iter().copied());
        let mut ids: Vec<IdAt<'a>> = nested.chain(self.item.iter().filter_map(|item| item.id)).chain(self.item_id).collect();
        ids.sort_unstable_by_key(|id| id.end);
        ids
    }
}
