//! What one event of a stream says. Read in one scan, without copying.

use std::ops::Range;

use crate::apis::json::{JsonError, Kind, Scanner, Text};

/// What stands in an event.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    /// Its type: `message-start`.
    pub(super) kind: &'a [u8],
    /// The message's, in the first event.
    pub(super) id: Option<Text<'a>>,
    /// Which part of the message it belongs to.
    pub(super) index: Option<u64>,
    /// Where the usage stands, in the last one.
    pub(super) usage: Option<Range<usize>>,
    /// It shows something that was generated.
    pub(super) generates: bool,
    /// The tokens of that, at most.
    pub(super) generated: u64,
}

/// Reads an event's data.
pub(super) fn read(data: &[u8]) -> Result<Event<'_>, JsonError> {
    let mut event = Event::default();
    let mut scanner = Scanner::lenient(data);
    scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
        (b"type", Kind::String) => scanner.string().map(|kind| event.kind = kind.raw()),
        (b"id", Kind::String) => scanner.string().map(|id| event.id = Some(id)),
        (b"index", Kind::Number) => scanner.number().map(|index| event.index = std::str::from_utf8(index).ok().and_then(|index| index.parse().ok())),
        (b"delta", Kind::Object) => scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
            (b"usage", Kind::Object) => scanner.value().map(|usage| event.usage = Some(usage)),
            (b"message", Kind::Object) => scanner.object(|scanner, member| match member.key.raw() {
                // Text, thinking, the plan for tools, and their calls. Citations repeat what was said and what was in the prompt.
                b"content" | b"tool_plan" | b"tool_calls" => {
                    event.generates = true;
                    scanner.text_tokens().map(|tokens| event.generated = event.generated.saturating_add(tokens))
                }
                _ => scanner.skip(),
            }),
            _ => scanner.skip(),
        }),
        _ => scanner.skip(),
    })?;
    scanner.finish()?;
    Ok(event)
}
