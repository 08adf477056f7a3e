//! Meters a streamed answer: reads the usage as it passes, and keeps back the end. No byte is changed.
//!
//! Bytes pass as slices of the provider's chunks. Kept back is `message_stop`, until the charge is durable, and the front of an event that is
//! not complete yet and may become it. A client cannot act on half an event, so this costs no time.

use bytes::Bytes;

use super::events;
use super::usage::Reported;
use crate::apis::openai::remember;
use crate::apis::sse::{EventData, EventScanner, event_data};
use crate::apis::{Measured, Meter};
use crate::prices::{Bound, Unit};

/// An incomplete event that is longer cannot be `message_stop`, with whatever a provider adds to it.
const MAY_BE_LAST: usize = 4 << 10;
/// An event that is longer is passed on unread and metered by its bytes.
const MAX_EVENT: usize = 8 << 20;

/// The meter.
pub(super) struct StreamMeter {
    /// The provider's tools add input on the way: what is told at first is not all.
    reruns: bool,
    hour_cache: bool,
    scanner: EventScanner,
    /// The incomplete event so far.
    partial: Vec<u8>,
    /// Those of its bytes that were not passed on.
    unpassed: Vec<Bytes>,
    /// The incomplete event is longer than [`MAX_EVENT`].
    oversized: bool,
    /// `message_stop` and what follows.
    held: Vec<Bytes>,
    done: bool,
    /// The output was counted, and why the model stopped was said.
    counted: bool,
    stopped: bool,
    reported: Reported,
    started: bool,
    absurd: bool,
    model: Option<String>,
    served_output: u64,
}

// === impl StreamMeter ===

impl StreamMeter {
    pub(super) fn new(bound: &Bound) -> Self {
        Self {
            reruns: bound.choices > 1,
            hour_cache: bound.input.get(Unit::CacheWrite1h) > 0,
            scanner: EventScanner::new(),
            partial: Vec::new(),
            unpassed: Vec::new(),
            oversized: false,
            held: Vec::new(),
            done: false,
            counted: false,
            stopped: false,
            reported: Reported::default(),
            started: false,
            absurd: false,
            model: None,
            served_output: 0,
        }
    }

    /// Reads a complete event. True for the last one.
    fn judge(&mut self, event: &[u8]) -> bool {
        let Some(found) = event_data(event) else { return false };
        let data = match &found {
            EventData::Line(range) => event.get(range.clone()).unwrap_or_default(),
            EventData::Lines(lines) => lines,
        };
        let Ok(read) = events::read(data) else {
            self.served_output = self.served_output.saturating_add(data.len() as u64);
            return false;
        };
        remember(&mut self.model, read.model);
        // One token beside the bytes: some are never shown.
        let generates = matches!(read.kind, b"content_block_start" | b"content_block_delta");
        self.served_output = self.served_output.saturating_add(read.generated).saturating_add(u64::from(generates));
        if let Some(at) = read.first_usage {
            self.absurd |= !self.reported.read(data.get(at).unwrap_or_default());
            self.started = true;
        }
        if let Some(at) = read.last_usage.filter(|_| read.kind == b"message_delta") {
            self.absurd |= !self.reported.read(data.get(at).unwrap_or_default());
            self.counted = true;
            self.stopped |= read.stopped;
        }
        read.kind == b"message_stop"
    }

    /// Keeps the front of an event whose end has not come.
    fn begin_event(&mut self, front: Bytes, pass: &mut Vec<Bytes>) {
        if front.is_empty() {
            return;
        }
        if self.oversized || self.partial.len() + front.len() > MAX_EVENT {
            let unread = if self.oversized { 0 } else { self.partial.len() };
            self.served_output = self.served_output.saturating_add((unread + front.len()) as u64);
            self.oversized = true;
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(&front);
        }
        self.unpassed.push(front);
        if self.oversized || self.partial.len() > MAY_BE_LAST {
            pass.append(&mut self.unpassed);
        }
    }

    /// The end of the event in progress: `chunk[at..end]`. True for the last one.
    fn end_event(&mut self, chunk: &Bytes, at: usize, end: usize) -> bool {
        let tail = chunk.get(at..end).unwrap_or_default();
        if std::mem::take(&mut self.oversized) {
            self.served_output = self.served_output.saturating_add(tail.len() as u64);
            return false;
        }
        if self.partial.is_empty() {
            return self.judge(tail);
        }
        let mut event = std::mem::take(&mut self.partial);
        event.extend_from_slice(tail);
        let last = self.judge(&event);
        event.clear();
        self.partial = event;
        last
    }
}

impl Meter for StreamMeter {
    fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>) {
        if self.done {
            self.held.push(chunk);
            return;
        }
        let mut at = 0;
        if self.scanner.wants_line_feed() && self.partial.is_empty() && !self.oversized && chunk.first() == Some(&b'\n') {
            // The second half of the line end that closed the event before.
            self.scanner = EventScanner::new();
            at = 1;
        }
        while let Some(end) = self.scanner.event_end(&chunk, at) {
            if self.end_event(&chunk, at, end) {
                self.done = true;
                self.held.append(&mut self.unpassed);
                push_slice(&chunk, 0..at, pass);
                push_slice(&chunk, at..chunk.len(), &mut self.held);
                return;
            }
            // Its front came in an earlier chunk.
            pass.append(&mut self.unpassed);
            at = end;
        }
        push_slice(&chunk, 0..at, pass);
        self.begin_event(chunk.slice(at..), pass);
    }

    fn end(&mut self, pass: &mut Vec<Bytes>) {
        // The last event may lack its empty line. Clients differ in whether they read it; the usage in it counts.
        if !self.partial.is_empty() && self.end_event(&Bytes::new(), 0, 0) {
            self.done = true;
            self.held.append(&mut self.unpassed);
        }
        pass.append(&mut self.unpassed);
    }

    fn terminal(&self) -> bool {
        self.done
    }

    fn take_held(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.held)
    }

    fn measured(&self) -> Measured {
        let believed = !self.absurd;
        // What the first event says of the output is not what it came to.
        let told = self.counted && (self.stopped || self.done);
        Measured {
            usage: if believed && told { self.reported.usage(self.hour_cache) } else { None },
            absurd: self.absurd,
            service_tier: self.reported.served(),
            model: self.model.clone(),
            input: if believed && self.started && !self.reruns { self.reported.input(self.hour_cache) } else { None },
            served_output: self.served_output,
            complete: self.done || told,
            reported_cost: None,
        }
    }
}

fn push_slice(chunk: &Bytes, range: std::ops::Range<usize>, into: &mut Vec<Bytes>) {
    if !range.is_empty() {
        into.push(chunk.slice(range));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
