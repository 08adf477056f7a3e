//! Reads a streamed answer: the usage as it passes, and where it ends. No byte is changed.

use bytes::Bytes;
use serde_json::{Value, json};

use super::events;
use super::usage::Reported;
use crate::apis::event_meter::{EventMeter, EventReader, Verdict};
use crate::apis::read::remember;
use crate::apis::{Measured, Served};
use crate::prices::{Bound, Unit, Usage};

/// An incomplete event that is longer cannot be `message_stop`, with whatever a provider adds to it.
const MAY_BE_LAST: usize = 4 << 10;

/// The meter.
pub(super) type StreamMeter = EventMeter<Reader>;

/// Reads the events of a message.
pub(super) struct Reader {
    /// The provider's tools add input on the way: what is told at first is not all.
    reruns: bool,
    hour_cache: bool,
    /// The output was counted, and why the model stopped was said.
    counted: bool,
    stopped: bool,
    reported: Reported,
    started: bool,
    absurd: bool,
    model: Option<String>,
    /// The block of the content that has begun and not ended.
    open_block: Option<u64>,
    served: Served,
}

// === impl StreamMeter ===

impl StreamMeter {
    pub(super) fn of(bound: &Bound) -> Self {
        Self::new(Reader {
            reruns: bound.choices > 1,
            hour_cache: bound.input.get(Unit::CacheWrite1h) > 0,
            counted: false,
            stopped: false,
            reported: Reported::default(),
            started: false,
            absurd: false,
            model: None,
            open_block: None,
            served: Served::default(),
        })
    }
}

// === impl Reader ===

impl EventReader for Reader {
    fn longest_last(&self) -> usize {
        MAY_BE_LAST
    }

    fn event(&mut self, data: &[u8]) -> Verdict {
        let Ok(read) = events::read(data) else {
            self.served.unread(data.len() as u64);
            return Verdict::Pass;
        };
        remember(&mut self.model, read.model);
        // At least one token: some are never shown.
        if matches!(read.kind, b"content_block_start" | b"content_block_delta") {
            self.served.event(read.generated.max(1));
        }
        match read.kind {
            b"content_block_start" => self.open_block = read.index,
            b"content_block_stop" => self.open_block = None,
            _ => {}
        }
        if let Some(at) = read.first_usage {
            self.absurd |= !self.reported.read(data.get(at).unwrap_or_default());
            self.started = true;
        }
        if let Some(at) = read.last_usage.filter(|_| read.kind == b"message_delta") {
            self.absurd |= !self.reported.read(data.get(at).unwrap_or_default());
            self.counted = true;
            self.stopped |= read.stopped;
        }
        if read.kind == b"message_stop" { Verdict::Last } else { Verdict::Pass }
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

    fn end_at_limit(&mut self, usage: &Usage) -> Option<Bytes> {
        if !self.started || self.stopped {
            return None;
        }
        let mut events = Vec::new();
        if let Some(index) = self.open_block.take() {
            events.push(json!({"type": "content_block_stop", "index": index}));
        }
        let output = usage.get(Unit::Output).saturating_add(usage.get(Unit::OutputReasoning));
        events.push(json!({
            "type": "message_delta",
            "delta": {"stop_reason": "max_tokens", "stop_sequence": null},
            "usage": {"output_tokens": output},
        }));
        events.push(json!({"type": "message_stop"}));
        let named = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
        Some(Bytes::from(events.iter().map(named).collect::<String>()))
    }

    fn measured(&self, done: bool) -> Measured {
        let believed = !self.absurd;
        // What the first event says of the output is not what it came to.
        let told = self.counted && (self.stopped || done);
        Measured {
            usage: if believed && told { self.reported.usage(self.hour_cache) } else { None },
            absurd: self.absurd,
            service_tier: self.reported.served(),
            model: self.model.clone(),
            input: if believed && self.started && !self.reruns { self.reported.input(self.hour_cache) } else { None },
            served_output: self.served.tokens(),
            complete: done || told,
            reported_cost: None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
