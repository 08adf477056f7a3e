//! What one event of a stream says. Read in one scan, without copying.

use std::ops::Range;

use crate::apis::json::{JsonError, Kind, Scanner, Text};

/// What stands in an event.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    /// Its type: `message_start`.
    pub(super) kind: &'a [u8],
    pub(super) model: Option<Text<'a>>,
    /// Which block of the content it is about.
    pub(super) index: Option<u64>,
    /// Where the usage of the message stands, in the first event.
    pub(super) first_usage: Option<Range<usize>>,
    /// Where the usage stands, in the last but one.
    pub(super) last_usage: Option<Range<usize>>,
    /// Why the model stopped is told: nothing follows that is billed.
    pub(super) stopped: bool,
    /// The tokens of what was generated, at most.
    pub(super) generated: u64,
}

/// Reads an event's data.
pub(super) fn read(data: &[u8]) -> Result<Event<'_>, JsonError> {
    let mut event = Event::default();
    let mut scanner = Scanner::lenient(data);
    scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
        (b"type", Kind::String) => scanner.string().map(|kind| event.kind = kind.raw()),
        (b"index", Kind::Number) => scanner.number().map(|digits| event.index = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok())),
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
            b"signature" => sealed(scanner).map(|bytes| event.generated = event.generated.saturating_add(bytes)),
            // Text, JSON, thinking.
            _ => scanner.text_tokens().map(|tokens| event.generated = event.generated.saturating_add(tokens)),
        }),
        // What a tool found or brought is input, and not generated.
        (b"content_block", Kind::Object) => scanner.object(|scanner, member| match member.key.raw() {
            b"signature" | b"data" => sealed(scanner).map(|bytes| event.generated = event.generated.saturating_add(bytes)),
            b"text" | b"thinking" | b"name" | b"input" => scanner.text_tokens().map(|tokens| event.generated = event.generated.saturating_add(tokens)),
            _ => scanner.skip(),
        }),
        _ => scanner.skip(),
    })?;
    scanner.finish()?;
    Ok(event)
}

/// Thinking that is not shown, in a form that only the provider reads: a token is at least a byte of it.
fn sealed(scanner: &mut Scanner<'_>) -> Result<u64, JsonError> {
    scanner.value().map(|value| value.len() as u64)
}
