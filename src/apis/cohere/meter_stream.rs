//! Reads a streamed answer: what it bills, where it ends, and what of it is open. No byte is changed.

use bytes::Bytes;
use serde_json::{Value, json};

use super::events;
use super::usage::{self, Kind, Told};
use crate::apis::event_meter::{EventMeter, EventReader, Verdict};
use crate::apis::read::remember;
use crate::apis::{Measured, Served};
use crate::prices::{Unit, Usage};

/// An incomplete event that is longer cannot be `message-end`, with whatever a provider adds to it.
const MAY_BE_LAST: usize = 4 << 10;

/// The meter.
pub(super) type StreamMeter = EventMeter<Reader>;

/// Reads the events of a message.
pub(super) struct Reader {
    /// The message's id, once it has begun.
    id: Option<String>,
    begun: bool,
    /// What has begun and not ended: the event that ends it, and its index.
    open: Vec<(&'static str, u64)>,
    told: Told,
    served: Served,
}

// === impl StreamMeter ===

impl StreamMeter {
    pub(super) fn begin() -> Self {
        Self::new(Reader { id: None, begun: false, open: Vec::new(), told: Told::Nothing, served: Served::default() })
    }
}

// === impl Reader ===

impl Reader {
    /// Keeps what has begun and not ended.
    fn follow(&mut self, kind: &[u8], index: Option<u64>) {
        let index = index.unwrap_or_default();
        let begins = match kind {
            b"content-start" => Some("content-end"),
            b"tool-call-start" => Some("tool-call-end"),
            b"citation-start" => Some("citation-end"),
            _ => None,
        };
        match begins {
            Some(end) => self.open.push((end, index)),
            None => self.open.retain(|(end, open)| end.as_bytes() != kind || *open != index),
        }
    }
}

impl EventReader for Reader {
    fn longest_last(&self) -> usize {
        MAY_BE_LAST
    }

    fn event(&mut self, data: &[u8]) -> Verdict {
        // Some servers end with OpenAI's goodbye, after their own.
        if data == b"[DONE]" {
            return Verdict::Last;
        }
        let Ok(read) = events::read(data) else {
            self.served.unread(data.len() as u64);
            return Verdict::Pass;
        };
        // At least one token: some are never shown. The first event shows that there is nothing yet.
        if read.generates && read.kind != b"message-start" {
            self.served.event(read.generated.max(1));
        }
        self.follow(read.kind, read.index);
        if read.kind == b"message-start" {
            self.begun = true;
            remember(&mut self.id, read.id);
        }
        if let Some(at) = read.usage {
            self.told = usage::read(data.get(at).unwrap_or_default(), Kind::Chat);
        }
        if read.kind == b"message-end" { Verdict::Last } else { Verdict::Pass }
    }

    fn served(&self) -> Served {
        self.served
    }

    fn unread(&mut self, bytes: u64) {
        self.served.unread(bytes);
    }

    fn set_pace(&mut self, milli: u64) {
        self.served.set_pace(milli);
    }

    fn measured(&self, done: bool) -> Measured {
        Measured { usage: self.told.usage(), absurd: self.told == Told::Absurd, served_output: self.served.tokens(), complete: done, ..Measured::default() }
    }

    /// Whatever is open ends, and so does the message, at its limit.
    fn end_at_limit(&mut self, usage: &Usage) -> Option<Bytes> {
        if !self.begun {
            return None;
        }
        let mut events: String = self.open.drain(..).rev().map(|(end, index)| event(&json!({"type": end, "index": index}))).collect();
        let output = usage.get(Unit::Output).saturating_add(usage.get(Unit::OutputReasoning));
        let units = json!({"input_tokens": usage.input_tokens(), "output_tokens": output});
        let delta = json!({"finish_reason": "MAX_TOKENS", "usage": {"billed_units": units, "tokens": units}});
        let mut end = json!({"type": "message-end", "delta": delta});
        if let Some(id) = &self.id {
            end["id"] = json!(id);
        }
        events.push_str(&event(&end));
        Some(Bytes::from(events))
    }
}

/// An event as Cohere writes it, named for its type.
fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data.get("type").and_then(Value::as_str).unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
