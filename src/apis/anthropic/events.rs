//! What one event of a stream says. Read in one scan, without copying.

use std::ops::Range;

use crate::apis::json::{JsonError, Kind, Scanner, Text};

/// What stands in an event.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    /// Its type: `message_start`.
    pub(super) kind: &'a [u8],
    pub(super) model: Option<Text<'a>>,
    /// Where the usage of the message stands, in the first event.
    pub(super) first_usage: Option<Range<usize>>,
    /// Where the usage stands, in the last but one.
    pub(super) last_usage: Option<Range<usize>>,
    /// Why the model stopped is told: nothing follows that is billed.
    pub(super) stopped: bool,
    /// The bytes of what was generated.
    pub(super) generated: u64,
}

/// Reads an event's data.
pub(super) fn read(data: &[u8]) -> Result<Event<'_>, JsonError> {
    let mut event = Event::default();
    let mut scanner = Scanner::lenient(data);
    scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
        (b"type", Kind::String) => scanner.string().map(|kind| event.kind = kind.raw()),
        (b"message", Kind::Object) => scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
            (b"model", Kind::String) => scanner.string().map(|model| event.model = Some(model)),
            (b"usage", Kind::Object) => scanner.value().map(|usage| event.first_usage = Some(usage)),
            _ => scanner.skip(),
        }),
        (b"usage", Kind::Object) => scanner.value().map(|usage| event.last_usage = Some(usage)),
        (b"delta", Kind::Object) => scanner.object(|scanner, member| match member.key.raw() {
            b"stop_reason" => {
                event.stopped = scanner.kind()? == Kind::String;
                scanner.skip()
            }
            // A citation repeats what was in the prompt.
            b"type" | b"stop_sequence" | b"citation" => scanner.skip(),
            // Text, JSON, thinking, and the signature that holds the thinking which is not shown.
            _ => scanner.text_bytes().map(|bytes| event.generated = event.generated.saturating_add(bytes)),
        }),
        // What a tool found or brought is input, and not generated.
        (b"content_block", Kind::Object) => scanner.object(|scanner, member| match member.key.raw() {
            b"text" | b"thinking" | b"signature" | b"data" | b"name" | b"input" => {
                scanner.text_bytes().map(|bytes| event.generated = event.generated.saturating_add(bytes))
            }
            _ => scanner.skip(),
        }),
        _ => scanner.skip(),
    })?;
    scanner.finish()?;
    Ok(event)
}
