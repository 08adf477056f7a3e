//! Reads a streamed answer: finds the usage, keeps back the end, and hides what the client did not ask for.

use super::answer;
use super::usage;
use crate::apis::Measured;
use crate::apis::event_meter::{EventMeter, EventReader, Verdict};
use crate::apis::pass_meter::reported_cost;
use crate::apis::read::remember;
use crate::money::Usd;
use crate::prices::{Unit, Usage};

/// An incomplete event that is longer cannot be `data: [DONE]`, give or take a comment.
const MAY_BE_LAST: usize = 64;

/// The meter.
pub(in crate::apis) type StreamMeter = EventMeter<Reader>;

/// Reads chunks of chat and of completions.
pub(in crate::apis) struct Reader {
    /// The client did not ask for the usage: it is taken out.
    hides_usage: bool,
    /// What the answer says is counted, and this added: searches that no usage reports.
    searches: u64,
    usage: Option<Usage>,
    /// What the provider says it costs; none where it does not, or not believably.
    cost: Option<Usd>,
    absurd: bool,
    model: Option<String>,
    service_tier: Option<String>,
    served_output: u64,
}

// === impl StreamMeter ===

impl StreamMeter {
    pub(in crate::apis) fn of(hides_usage: bool, searches: u64) -> Self {
        Self::new(Reader { hides_usage, searches, usage: None, cost: None, absurd: false, model: None, service_tier: None, served_output: 0 })
    }
}

// === impl Reader ===

impl EventReader for Reader {
    fn longest_last(&self) -> usize {
        MAY_BE_LAST
    }

    fn changes(&self) -> bool {
        self.hides_usage
    }

    fn event(&mut self, data: &[u8]) -> Verdict {
        if data == b"[DONE]" {
            return Verdict::Last;
        }
        if data.is_empty() {
            return Verdict::Pass;
        }
        let Ok(read) = answer::read(data) else {
            self.unread(data.len() as u64);
            return Verdict::Pass;
        };
        // One token for each choice beside its bytes: some tokens are never shown.
        self.served_output = self.served_output.saturating_add(read.generated).saturating_add(read.choices);
        remember(&mut self.model, read.model);
        remember(&mut self.service_tier, read.service_tier);
        let Some(at) = read.usage else { return Verdict::Pass };
        if !at.is_null {
            self.cost = read.cost.and_then(|at| reported_cost(data.get(at).unwrap_or_default()));
            // Providers that report on every event report the sum so far: the last one counts.
            let reported = usage::read(data.get(at.value).unwrap_or_default(), true);
            self.absurd = reported.is_none();
            self.usage = reported.map(|usage| usage.with(Unit::WebSearches, self.searches));
        }
        if !self.hides_usage {
            return Verdict::Pass;
        }
        if !at.is_null && read.choices == 0 { Verdict::Drop } else { Verdict::Cut(at.cut) }
    }

    fn unread(&mut self, bytes: u64) {
        self.served_output = self.served_output.saturating_add(bytes);
    }

    fn served_output(&self) -> u64 {
        self.served_output
    }

    fn measured(&self, done: bool) -> Measured {
        Measured {
            usage: self.usage,
            absurd: self.absurd,
            service_tier: self.service_tier.clone(),
            model: self.model.clone(),
            served_output: self.served_output,
            complete: done,
            reported_cost: self.cost,
            input: None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
