//! Finds where server-sent events end, in chunks that may be cut anywhere: between CR and LF, inside a line, inside a character.
//!
//! The rules are those of the HTML standard ("server-sent events"): lines end in LF, CR or CRLF, and an empty line ends an event.

use std::ops::Range;

use memchr::memchr2;

/// Where in the stream the scanner stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventScanner {
    /// Nothing of the current line has been seen.
    line_empty: bool,
    /// The last byte was a CR: a LF that follows belongs to it.
    after_cr: bool,
}

// === impl EventScanner ===

impl EventScanner {
    pub(crate) const fn new() -> Self {
        Self { line_empty: true, after_cr: false }
    }

    /// True when a LF at the front of the next chunk is the second half of a line end that was seen.
    pub(crate) fn wants_line_feed(&self) -> bool {
        self.after_cr
    }

    /// Finds the end of the first event that ends at or after `from`: the offset behind its empty line. Each byte is looked at once:
    /// call again with the offset, and with the next chunk after a None.
    pub(crate) fn event_end(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(length) = memchr2(b'\r', b'\n', rest) else {
                if !rest.is_empty() {
                    *self = Self { line_empty: false, after_cr: false };
                }
                return None;
            };
            let line_feed = rest.get(length) == Some(&b'\n');
            at += length + 1;
            if line_feed && length == 0 && self.after_cr {
                self.after_cr = false;
                continue;
            }
            let ends = self.line_empty && length == 0;
            *self = Self { line_empty: true, after_cr: !line_feed };
            if ends {
                if self.after_cr && bytes.get(at) == Some(&b'\n') {
                    self.after_cr = false;
                    at += 1;
                }
                return Some(at);
            }
        }
    }
}

/// The data of a complete event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EventData {
    /// On one line: where it stands in the event, white space around it left out.
    Line(Range<usize>),
    /// On several lines: joined by a space and not a line feed, which mean the same between the tokens of JSON.
    Lines(Vec<u8>),
}

/// The data of a complete event. None where it has none.
pub(crate) fn event_data(event: &[u8]) -> Option<EventData> {
    let mut data: Option<EventData> = None;
    let mut at = 0;
    while let Some(line) = event.get(at..).filter(|rest| !rest.is_empty()) {
        let line = line.get(..memchr2(b'\r', b'\n', line).unwrap_or(line.len())).unwrap_or_default();
        let start = at;
        at += line.len() + 1;
        let Some(value) = line.strip_prefix(b"data:") else { continue };
        let trimmed = value.trim_ascii();
        let begin = start + line.len() - value.trim_ascii_start().len();
        data = Some(match data {
            None => EventData::Line(begin..begin + trimmed.len()),
            Some(EventData::Line(first)) => EventData::Lines([event.get(first).unwrap_or_default(), trimmed].join(&b' ')),
            Some(EventData::Lines(mut lines)) => {
                lines.push(b' ');
                lines.extend_from_slice(trimmed);
                EventData::Lines(lines)
            }
        });
    }
    data
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
