//! Meters a streamed answer: finds the usage, keeps back the end, and hides what the client did not ask for.
//!
//! Bytes pass as they come, as slices of the provider's chunks. Kept back is the front of an event that is not complete yet: where
//! nothing has to be hidden only until it can no longer be the last event, else until it is complete. A client cannot act on half an
//! event, so this costs no time.

use std::ops::Range;

use bytes::Bytes;

use super::answer;
use super::usage;
use crate::apis::json::Text;
use crate::apis::sse::{EventData, EventScanner, event_data};
use crate::apis::{Measured, Meter};
use crate::prices::{Unit, Usage};

/// An incomplete event that is longer cannot be `data: [DONE]`, give or take a comment.
const MAY_BE_LAST: usize = 64;
/// An event that is longer is passed on unread and metered by its bytes.
const MAX_EVENT: usize = 8 << 20;

/// The meter.
pub(super) struct StreamMeter {
    /// The client did not ask for the usage: it is taken out.
    hides_usage: bool,
    /// What the answer says is counted, and this added: searches that no usage reports.
    searches: u64,
    scanner: EventScanner,
    /// The incomplete event so far.
    partial: Vec<u8>,
    /// Those of its bytes that were not passed on.
    unpassed: Vec<Bytes>,
    /// Some of the incomplete event was passed on: it can no longer be changed.
    flowing: bool,
    /// The incomplete event is longer than [`MAX_EVENT`].
    oversized: bool,
    /// The event before was taken out: so is a LF that turns out to belong to its last line end.
    dropped: bool,
    /// `[DONE]` and what follows.
    held: Vec<Bytes>,
    done: bool,
    usage: Option<Usage>,
    absurd: bool,
    model: Option<String>,
    service_tier: Option<String>,
    served_output: u64,
}

/// What becomes of a complete event.
enum Verdict {
    Pass,
    Drop,
    Replace(Bytes),
    Hold,
}

// === impl StreamMeter ===

impl StreamMeter {
    pub(super) fn new(hides_usage: bool, searches: u64) -> Self {
        Self {
            hides_usage,
            searches,
            scanner: EventScanner::new(),
            partial: Vec::new(),
            unpassed: Vec::new(),
            flowing: false,
            oversized: false,
            dropped: false,
            held: Vec::new(),
            done: false,
            usage: None,
            absurd: false,
            model: None,
            service_tier: None,
            served_output: 0,
        }
    }

    /// Decides on a complete event.
    fn judge(&mut self, event: &[u8]) -> Verdict {
        let Some(found) = event_data(event) else { return Verdict::Pass };
        let data = match &found {
            EventData::Line(range) => event.get(range.clone()).unwrap_or_default(),
            EventData::Lines(lines) => lines,
        };
        if data == b"[DONE]" {
            return Verdict::Hold;
        }
        if data.is_empty() {
            return Verdict::Pass;
        }
        let Ok(read) = answer::read(data) else {
            self.served_output = self.served_output.saturating_add(data.len() as u64);
            return Verdict::Pass;
        };
        // One token for each choice beside its bytes: some tokens are never shown.
        self.served_output = self.served_output.saturating_add(read.generated).saturating_add(read.choices);
        remember(&mut self.model, read.model);
        remember(&mut self.service_tier, read.service_tier);
        let Some(at) = read.usage else { return Verdict::Pass };
        if !at.is_null {
            // Providers that report on every event report the sum so far: the last one counts.
            let reported = usage::read(data.get(at.value).unwrap_or_default(), true);
            self.absurd = reported.is_none();
            self.usage = reported.map(|usage| usage.with(Unit::WebSearches, self.searches));
        }
        if !self.hides_usage {
            return Verdict::Pass;
        }
        if !at.is_null && read.choices == 0 {
            return Verdict::Drop;
        }
        Verdict::Replace(match &found {
            EventData::Line(range) => without(event, &(range.start + at.cut.start..range.start + at.cut.end)),
            // An event of its own, on one line.
            EventData::Lines(lines) => [&b"data: "[..], &without(lines, &at.cut), b"\n\n"].concat().into(),
        })
    }

    /// The end has come of an event that began in an earlier chunk.
    fn finish_event(&mut self, end: Bytes, pass: &mut Vec<Bytes>) {
        let verdict = if std::mem::take(&mut self.oversized) {
            self.served_output = self.served_output.saturating_add(end.len() as u64);
            Verdict::Pass
        } else {
            let mut event = std::mem::take(&mut self.partial);
            event.extend_from_slice(&end);
            let verdict = self.judge(&event);
            event.clear();
            self.partial = event;
            verdict
        };
        let flowing = std::mem::take(&mut self.flowing);
        self.dropped = matches!(verdict, Verdict::Drop);
        push_slice(&end, 0..end.len(), &mut self.unpassed);
        match verdict {
            Verdict::Hold => {
                self.done = true;
                self.held.append(&mut self.unpassed);
            }
            Verdict::Drop if !flowing => self.unpassed.clear(),
            Verdict::Replace(event) if !flowing => {
                self.unpassed.clear();
                pass.push(event);
            }
            Verdict::Pass | Verdict::Drop | Verdict::Replace(_) => pass.append(&mut self.unpassed),
        }
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
        if self.oversized || self.flowing || !self.hides_usage && self.partial.len() > MAY_BE_LAST {
            self.flowing = true;
            pass.append(&mut self.unpassed);
        }
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
            at = 1;
            self.scanner = EventScanner::new();
            if !self.dropped {
                pass.push(chunk.slice(..1));
            }
        }
        // Events that pass unchanged, one after the other, go as one slice: from `run` to `at`.
        let mut run = at;
        while let Some(end) = self.scanner.event_end(&chunk, at) {
            if self.oversized || !self.partial.is_empty() {
                self.finish_event(chunk.slice(at..end), pass);
                run = end;
            } else {
                let verdict = self.judge(chunk.get(at..end).unwrap_or_default());
                self.dropped = matches!(verdict, Verdict::Drop);
                if !matches!(verdict, Verdict::Pass) {
                    push_slice(&chunk, run..at, pass);
                    run = end;
                }
                match verdict {
                    Verdict::Pass | Verdict::Drop => {}
                    Verdict::Replace(event) => pass.push(event),
                    Verdict::Hold => {
                        self.done = true;
                        self.held.push(chunk.slice(at..end));
                    }
                }
            }
            at = end;
            if self.done {
                push_slice(&chunk, at..chunk.len(), &mut self.held);
                return;
            }
        }
        push_slice(&chunk, run..at, pass);
        self.begin_event(chunk.slice(at..), pass);
    }

    fn end(&mut self, pass: &mut Vec<Bytes>) {
        // The last event may lack its empty line. Clients differ in whether they read it; the usage in it counts.
        if !self.partial.is_empty() {
            self.finish_event(Bytes::new(), pass);
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
        Measured {
            usage: self.usage,
            absurd: self.absurd,
            service_tier: self.service_tier.clone(),
            model: self.model.clone(),
            served_output: self.served_output,
            complete: self.done,
            reported_cost: None,
            input: None,
        }
    }
}

/// Keeps what an event says, without a copy where it is known already.
pub(in crate::apis) fn remember(known: &mut Option<String>, said: Option<Text<'_>>) {
    if let Some(said) = said.and_then(|text| text.decode())
        && known.as_deref() != Some(said.as_ref())
    {
        *known = Some(said.into_owned());
    }
}

fn without(bytes: &[u8], cut: &Range<usize>) -> Bytes {
    let mut rest = Vec::with_capacity(bytes.len());
    rest.extend_from_slice(bytes.get(..cut.start).unwrap_or_default());
    rest.extend_from_slice(bytes.get(cut.end..).unwrap_or_default());
    Bytes::from(rest)
}

fn push_slice(chunk: &Bytes, range: Range<usize>, into: &mut Vec<Bytes>) {
    if !range.is_empty() {
        into.push(chunk.slice(range));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
