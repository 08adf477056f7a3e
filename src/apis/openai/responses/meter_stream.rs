//! Reads a streamed answer: the usage in its last event, the ids that get a seal, and what ends the stream early.

use std::collections::HashMap;

use bytes::Bytes;

use super::closing::Closing;
use super::events::{self, Event};
use super::usage;
use crate::apis::event_meter::{EventMeter, EventReader, Verdict};
use crate::apis::read::remember;
use crate::apis::tokens::at_most;
use crate::apis::{Measured, Seal, Served};
use crate::money::Usd;
use crate::prices::{Unit, Usage};

/// Seals that are remembered: a stream names few ids, and each of them again and again.
const MOST_SEALS: usize = 64;

/// The meter.
pub(super) type StreamMeter = EventMeter<Reader>;

/// Reads the events of a response.
pub(super) struct Reader {
    /// The provider may search: what it did is counted.
    searches: bool,
    sealer: Option<Sealer>,
    usage: Option<Usage>,
    /// What the provider says it costs.
    cost: Option<Usd>,
    absurd: bool,
    model: Option<String>,
    service_tier: Option<String>,
    served: Served,
    /// What was counted of the items that are not done, by their place in the output.
    counted: HashMap<u64, u64>,
    closing: Closing,
}

/// Seals ids.
pub(super) struct Sealer {
    seal: Seal,
    known: Vec<(Vec<u8>, String)>,
}

// === impl StreamMeter ===

impl StreamMeter {
    pub(super) fn of(searches: bool, seal: Option<Seal>) -> Self {
        Self::new(Reader {
            searches,
            sealer: seal.map(Sealer::new),
            usage: None,
            cost: None,
            absurd: false,
            model: None,
            service_tier: None,
            served: Served::default(),
            counted: HashMap::new(),
            closing: Closing::default(),
        })
    }
}

// === impl Reader ===

impl Reader {
    /// Counts what an event shows, and one token at least, since some are never shown.
    fn count(&mut self, event: &Event<'_>) {
        let shown = event.delta.map_or(event.other_delta, |delta| at_most(delta.raw()));
        if event.delta.is_some() || shown > 0 {
            self.served.event(shown.max(1));
            let counted = self.counted.entry(event.output_index).or_default();
            *counted = counted.saturating_add(shown);
        }
        if let Some(item) = &event.item {
            // A whole item repeats what its deltas brought, or brings it at once.
            let counted = self.counted.entry(event.output_index).or_default();
            let more = item.generated.saturating_sub(*counted);
            *counted = (*counted).max(item.generated);
            self.served.event(more.max(1));
        }
    }

    fn read_usage(&mut self, event: &Event<'_>, data: &[u8]) {
        let Some(response) = &event.response else { return };
        let Some(at) = &response.usage else { return };
        self.cost = response.reported_cost(data);
        let slice = |at: &std::ops::Range<usize>| data.get(at.clone()).unwrap_or_default();
        let told = response.searches_at.as_ref().map(|at| usage::read_count(slice(at)));
        let usage = usage::read(slice(at));
        // A count of searches that cannot be is as absurd as one of tokens.
        self.absurd = usage.is_none() || told == Some(None);
        let searches = told.flatten().unwrap_or(if self.searches { response.searches_shown } else { 0 });
        self.usage = usage.filter(|_| !self.absurd).map(|usage| usage.with(Unit::WebSearches, searches));
    }
}

impl EventReader for Reader {
    /// The last event holds the whole answer: it is as long as that.
    fn longest_last(&self) -> usize {
        usize::MAX
    }

    fn changes(&self) -> bool {
        self.sealer.is_some()
    }

    fn event(&mut self, data: &[u8]) -> Verdict {
        // Some providers end every stream as chat completions do.
        if data.is_empty() || data == b"[DONE]" {
            return Verdict::Pass;
        }
        let Ok(event) = events::read(data) else {
            self.served.unread(data.len() as u64);
            return Verdict::Pass;
        };
        self.count(&event);
        if let Some(response) = &event.response {
            remember(&mut self.model, response.model);
            remember(&mut self.service_tier, response.service_tier);
        }
        self.read_usage(&event, data);
        self.closing.take(&event, data);
        let last = matches!(event.kind, b"response.completed" | b"response.incomplete" | b"response.failed");
        let texts = self.sealer.as_mut().map(|sealer| event.ids().iter().map(|id| (id.end, sealer.suffix(id.id))).collect()).unwrap_or_default();
        let texts: Vec<(usize, String)> = texts;
        match (texts.is_empty(), last) {
            (true, true) => Verdict::Last,
            (true, false) => Verdict::Pass,
            (false, last) => Verdict::Insert { texts, last },
        }
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
        Measured {
            usage: self.usage,
            absurd: self.absurd,
            service_tier: self.service_tier.clone(),
            model: self.model.clone(),
            input: None,
            served_output: self.served.tokens(),
            complete: done,
            reported_cost: self.cost,
        }
    }

    fn end_at_limit(&mut self, usage: &Usage) -> Option<Bytes> {
        self.closing.end(usage, self.sealer.as_mut())
    }
}

// === impl Sealer ===

impl Sealer {
    pub(super) fn new(seal: Seal) -> Self {
        Self { seal, known: Vec::new() }
    }

    /// What is put behind an id. Nothing behind one that is no text.
    pub(super) fn suffix(&mut self, id: &[u8]) -> String {
        if let Some((_, suffix)) = self.known.iter().find(|(known, _)| known == id) {
            return suffix.clone();
        }
        let suffix = std::str::from_utf8(id).map(|id| self.seal.suffix(id)).unwrap_or_default();
        if self.known.len() < MOST_SEALS {
            self.known.push((id.to_vec(), suffix.clone()));
        }
        suffix
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
