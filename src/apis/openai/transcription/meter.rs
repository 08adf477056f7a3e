//! Reads answers that are transcripts: JSON, plain text, or events.

use super::ask::{bills_tokens, least_seconds};
use super::usage;
use crate::apis::event_meter::{EventMeter, EventReader, Verdict};
use crate::apis::members::TopMembers;
use crate::apis::pass_meter::reported_cost;
use crate::apis::whole::{Whole, WholeBody, WholeReader};
use crate::apis::{Ask, Measured};
use crate::prices::Usage;

/// An incomplete event that is longer is still kept: the last one has the whole text in it.
const MAY_BE_LAST: usize = 1 << 20;

/// Meters an answer in one piece.
pub(super) type WholeTranscript = Whole<Transcript>;

/// What is known before it comes.
pub(super) struct Transcript {
    /// It is JSON. In plain text nothing is looked for: whoever speaks could have a usage written into it.
    is_json: bool,
    /// Billed by the token: seconds do not tell the cost then.
    tokens: bool,
    least_seconds: u64,
}

/// Meters a stream.
pub(super) type StreamMeter = EventMeter<Reader>;

/// Reads its events.
pub(super) struct Reader {
    least_seconds: u64,
    usage: Option<Usage>,
    absurd: bool,
    served_output: u64,
}

// === impl WholeTranscript ===

impl WholeTranscript {
    pub(super) fn new(ask: &Ask) -> Self {
        let told = Transcript { is_json: ask.asked_usage, tokens: bills_tokens(&ask.model), least_seconds: least_seconds(&ask.model) };
        Self::of(WholeBody::new(&["usage", "duration", "cost"]), told)
    }
}

impl WholeReader for Transcript {
    fn measured(&self, body: &WholeBody) -> Measured {
        let member = |name| body.member(name).filter(|_| self.is_json);
        let reported = member("usage");
        let duration = member("duration").filter(|_| reported.is_none() && !self.tokens);
        let told = reported.map_or_else(|| duration.map(|raw| usage::duration(raw, self.least_seconds)), |raw| Some(usage::read(raw, self.least_seconds)));
        Measured {
            absurd: told == Some(None),
            usage: told.flatten(),
            complete: if self.is_json { body.complete() } else { body.ended() },
            // A token is at least a byte.
            served_output: body.seen(),
            reported_cost: member("cost").and_then(reported_cost),
            ..Measured::default()
        }
    }
}

// === impl StreamMeter ===

impl StreamMeter {
    pub(super) fn transcript(ask: &Ask) -> Self {
        Self::new(Reader { least_seconds: least_seconds(&ask.model), usage: None, absurd: false, served_output: 0 })
    }
}

impl EventReader for Reader {
    fn longest_last(&self) -> usize {
        MAY_BE_LAST
    }

    fn event(&mut self, data: &[u8]) -> Verdict {
        let mut members = TopMembers::new(&["type", "delta", "usage"]);
        members.feed(data);
        if members.get("type") != Some(br#""transcript.text.done""#) {
            // Segments repeat what deltas said: nothing is lost by counting them, too.
            self.unread(members.get("delta").map_or(data.len(), |delta| delta.len().saturating_sub(1)) as u64);
            return Verdict::Pass;
        }
        if let Some(raw) = members.get("usage").filter(|raw| *raw != b"null") {
            self.usage = usage::read(raw, self.least_seconds);
            self.absurd = self.usage.is_none();
        }
        Verdict::Last
    }

    fn unread(&mut self, bytes: u64) {
        self.served_output = self.served_output.saturating_add(bytes);
    }

    fn measured(&self, done: bool) -> Measured {
        Measured { usage: self.usage, absurd: self.absurd, complete: done, served_output: self.served_output, ..Measured::default() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
