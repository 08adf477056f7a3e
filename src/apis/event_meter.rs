//! Meters a stream of server-sent events, whatever API it is: finds the events, passes their bytes, keeps back the last one.
//!
//! Bytes pass as they come, as slices of the provider's chunks. Kept back is the front of an event that is not complete yet: where
//! nothing has to be hidden only until it can no longer be the last event, else until it is complete. A client cannot act on half an
//! event, so this costs no time. What the events say is the business of an [`EventReader`].

use std::ops::Range;

use bytes::Bytes;

use super::sse::{EventData, EventScanner, event_data};
use super::{Measured, Meter, Served};
use crate::prices::Usage;

/// An event that is longer is passed on in pieces; most readers count them by their bytes alone.
pub(super) const MAX_EVENT: usize = 8 << 20;

/// Reads the events of one API.
pub(super) trait EventReader: Send {
    /// An incomplete event that is longer cannot be the last one.
    fn longest_last(&self) -> usize;

    /// Whether events may have to be changed or taken out.
    fn changes(&self) -> bool {
        false
    }

    /// Reads the data of a complete event and decides what becomes of it. Events without data pass.
    fn event(&mut self, data: &[u8]) -> Verdict;

    /// Events that are longer come in pieces, lines and all, since they are not kept.
    fn longest_whole(&self) -> usize {
        MAX_EVENT
    }

    /// A piece of such an event.
    fn piece(&mut self, bytes: &[u8]) {
        self.unread(bytes.len() as u64);
    }

    /// It has ended: whether it was the last one. The end of its last line is still there to be kept back.
    fn long_event_is_last(&mut self) -> bool {
        false
    }

    /// What is known so far; `done`: the last event has been seen.
    fn measured(&self, done: bool) -> Measured;

    /// Bytes passed that could not be read.
    fn unread(&mut self, bytes: u64);

    /// How much output has been served. Only streams whose hold may roll are asked.
    fn served(&self) -> Served {
        Served::default()
    }

    /// See [`Meter::set_pace`].
    fn set_pace(&mut self, _milli: u64) {}

    /// The events that end the stream after the last one that passed. See [`Meter::end_at_limit`].
    fn end_at_limit(&mut self, _usage: &Usage) -> Option<Bytes> {
        None
    }
}

/// What becomes of a complete event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It passes as it is.
    Pass,
    /// It is taken out.
    Drop,
    /// It passes without these bytes of its data.
    Cut(Range<usize>),
    /// It is the last one: it is kept back with all that follows until the charge is durable.
    Last,
    /// It passes, or is the last one, with these texts put into its data, each before the byte at that offset, in rising order.
    Insert { texts: Vec<(usize, String)>, last: bool },
    /// It may be the last one, which only the end of the body tells: it is kept back until another one comes.
    Wait,
}

/// The meter.
pub(super) struct EventMeter<R> {
    reader: R,
    scanner: EventScanner,
    /// The incomplete event so far.
    pub(super) partial: Vec<u8>,
    /// Those of its bytes that were not passed on.
    unpassed: Vec<Bytes>,
    /// Some of the incomplete event was passed on: it can no longer be changed.
    flowing: bool,
    /// No event is passed on before it is complete.
    whole: bool,
    /// The incomplete event is longer than [`EventReader::longest_whole`].
    oversized: bool,
    /// The event before was taken out: so is a LF that turns out to belong to its last line end.
    dropped: bool,
    /// An event that may be the last one, and what came since.
    waiting: Vec<Bytes>,
    /// The last event and what follows.
    held: Vec<Bytes>,
    done: bool,
}

/// A [`Verdict`], with the event as it passes.
enum Ruling {
    /// It has no data: it passes, where nothing waits.
    Blank,
    Pass,
    Drop,
    Replace(Bytes),
    Last,
    ReplaceLast(Bytes),
    Wait,
}

// === impl EventMeter ===

impl<R: EventReader> EventMeter<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            scanner: EventScanner::new(),
            partial: Vec::new(),
            unpassed: Vec::new(),
            flowing: false,
            whole: false,
            oversized: false,
            dropped: false,
            waiting: Vec::new(),
            held: Vec::new(),
            done: false,
        }
    }

    /// Decides on a complete event.
    fn judge(&mut self, event: &[u8]) -> Ruling {
        let Some(found) = event_data(event) else { return Ruling::Blank };
        let data = match &found {
            EventData::Line(range) => event.get(range.clone()).unwrap_or_default(),
            EventData::Lines(lines) => lines,
        };
        match self.reader.event(data) {
            Verdict::Pass => Ruling::Pass,
            Verdict::Drop => Ruling::Drop,
            Verdict::Last => Ruling::Last,
            Verdict::Wait => Ruling::Wait,
            Verdict::Cut(cut) => Ruling::Replace(match &found {
                EventData::Line(range) => without(event, &(range.start + cut.start..range.start + cut.end)),
                // An event of its own, on one line.
                EventData::Lines(lines) => [&b"data: "[..], &without(lines, &cut), b"\n\n"].concat().into(),
            }),
            Verdict::Insert { texts, last } => {
                let event = match &found {
                    EventData::Line(range) => with(event, range.start, &texts),
                    EventData::Lines(lines) => [&b"data: "[..], &with(lines, 0, &texts), b"\n\n"].concat().into(),
                };
                if last { Ruling::ReplaceLast(event) } else { Ruling::Replace(event) }
            }
        }
    }

    /// The end has come of an event that began in an earlier chunk.
    fn finish_event(&mut self, end: Bytes, pass: &mut Vec<Bytes>) {
        let ruling = if std::mem::take(&mut self.oversized) {
            self.reader.piece(&end);
            if self.reader.long_event_is_last() { Ruling::Last } else { Ruling::Pass }
        } else {
            let mut event = std::mem::take(&mut self.partial);
            event.extend_from_slice(&end);
            let ruling = self.judge(&event);
            event.clear();
            self.partial = event;
            ruling
        };
        let flowing = std::mem::take(&mut self.flowing);
        self.dropped = matches!(ruling, Ruling::Drop);
        push_slice(&end, 0..end.len(), &mut self.unpassed);
        if !matches!(ruling, Ruling::Blank) {
            pass.append(&mut self.waiting);
        }
        match ruling {
            Ruling::ReplaceLast(event) if !flowing => {
                self.done = true;
                self.unpassed.clear();
                self.held.push(event);
            }
            Ruling::Last | Ruling::ReplaceLast(_) => {
                self.done = true;
                self.held.append(&mut self.unpassed);
            }
            Ruling::Wait => self.waiting.append(&mut self.unpassed),
            Ruling::Blank if !self.waiting.is_empty() => self.waiting.append(&mut self.unpassed),
            Ruling::Drop if !flowing => self.unpassed.clear(),
            Ruling::Replace(event) if !flowing => {
                self.unpassed.clear();
                pass.push(event);
            }
            Ruling::Blank | Ruling::Pass | Ruling::Drop | Ruling::Replace(_) => pass.append(&mut self.unpassed),
        }
    }

    /// Keeps the front of an event whose end has not come.
    fn begin_event(&mut self, front: Bytes, pass: &mut Vec<Bytes>) {
        if front.is_empty() {
            return;
        }
        if self.oversized || self.partial.len() + front.len() > self.reader.longest_whole() {
            if !self.partial.is_empty() {
                self.reader.piece(&std::mem::take(&mut self.partial));
            }
            self.reader.piece(&front);
            self.oversized = true;
        } else {
            self.partial.extend_from_slice(&front);
        }
        self.unpassed.push(front);
        if self.oversized || self.flowing || !self.whole && !self.reader.changes() && self.partial.len() > self.reader.longest_last() {
            self.flowing = true;
            pass.append(&mut self.waiting);
            pass.append(&mut self.unpassed);
        }
    }
}

impl<R: EventReader> Meter for EventMeter<R> {
    fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>) {
        if self.done {
            self.held.push(chunk);
            return;
        }
        let mut at = 0;
        if self.scanner.wants_line_feed() && self.partial.is_empty() && !self.oversized && chunk.first() == Some(&b'\n') {
            at = 1;
            self.scanner = EventScanner::new();
            if !self.waiting.is_empty() {
                self.waiting.push(chunk.slice(..1));
            } else if !self.dropped {
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
                let ruling = self.judge(chunk.get(at..end).unwrap_or_default());
                self.dropped = matches!(ruling, Ruling::Drop);
                let blank = matches!(ruling, Ruling::Blank);
                if !blank {
                    pass.append(&mut self.waiting);
                }
                let waits = matches!(ruling, Ruling::Wait) || blank && !self.waiting.is_empty();
                if waits || !matches!(ruling, Ruling::Blank | Ruling::Pass) {
                    push_slice(&chunk, run..at, pass);
                    run = end;
                }
                match ruling {
                    _ if waits => self.waiting.push(chunk.slice(at..end)),
                    Ruling::Blank | Ruling::Pass | Ruling::Drop | Ruling::Wait => {}
                    Ruling::Replace(event) => pass.push(event),
                    Ruling::Last => {
                        self.done = true;
                        self.held.push(chunk.slice(at..end));
                    }
                    Ruling::ReplaceLast(event) => {
                        self.done = true;
                        self.held.push(event);
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
        self.held.append(&mut self.waiting);
        // What never became an event comes behind what waited for the end.
        let last = if self.held.is_empty() { pass } else { &mut self.held };
        last.append(&mut self.unpassed);
    }

    fn terminal(&self) -> bool {
        self.done
    }

    fn take_held(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.held)
    }

    fn measured(&self) -> Measured {
        self.reader.measured(self.done)
    }

    fn keep_events_whole(&mut self) {
        self.whole = true;
    }

    fn served(&self) -> Served {
        self.reader.served()
    }

    fn set_pace(&mut self, milli: u64) {
        self.reader.set_pace(milli);
    }

    fn between_events(&self) -> bool {
        // A line feed may still belong to the event before.
        !self.done && !self.flowing && !self.oversized && !self.scanner.wants_line_feed()
    }

    fn end_at_limit(&mut self, usage: &Usage) -> Option<Bytes> {
        if self.done || self.flowing || self.oversized || !self.waiting.is_empty() {
            return None;
        }
        self.partial = Vec::new();
        self.unpassed.clear();
        self.reader.end_at_limit(usage)
    }
}

fn without(bytes: &[u8], cut: &Range<usize>) -> Bytes {
    let mut rest = Vec::with_capacity(bytes.len());
    rest.extend_from_slice(bytes.get(..cut.start).unwrap_or_default());
    rest.extend_from_slice(bytes.get(cut.end..).unwrap_or_default());
    Bytes::from(rest)
}

/// The bytes with texts put in, whose offsets count from `start`.
fn with(bytes: &[u8], start: usize, texts: &[(usize, String)]) -> Bytes {
    let mut whole = Vec::with_capacity(bytes.len() + texts.iter().map(|(_, text)| text.len()).sum::<usize>());
    let mut at = 0;
    for (offset, text) in texts {
        let next = start + offset;
        whole.extend_from_slice(bytes.get(at..next).unwrap_or_default());
        whole.extend_from_slice(text.as_bytes());
        at = next;
    }
    whole.extend_from_slice(bytes.get(at..).unwrap_or_default());
    Bytes::from(whole)
}

fn push_slice(chunk: &Bytes, range: Range<usize>, into: &mut Vec<Bytes>) {
    if !range.is_empty() {
        into.push(chunk.slice(range));
    }
}
