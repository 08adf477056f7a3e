//! Meters an answer that is one JSON object.

use super::usage;
use crate::apis::Measured;
use crate::apis::pass_meter::reported_cost;
use crate::apis::whole::{Whole, WholeBody, WholeReader};
use crate::prices::Unit;

/// The meter.
pub(in crate::apis) type WholeMeter = Whole<Answer>;

/// What is known before it comes.
pub(in crate::apis) struct Answer {
    has_output: bool,
    searches: u64,
}

// === impl WholeMeter ===

impl WholeMeter {
    pub(in crate::apis) fn new(has_output: bool, searches: u64) -> Self {
        Self::of(WholeBody::new(&["usage", "model", "service_tier", "cost"]), Answer { has_output, searches })
    }
}

impl WholeReader for Answer {
    fn measured(&self, body: &WholeBody) -> Measured {
        let reported = body.member("usage");
        let usage = reported.and_then(|raw| usage::read(raw, self.has_output));
        Measured {
            absurd: reported.is_some() && usage.is_none(),
            usage: usage.map(|usage| usage.with(Unit::WebSearches, self.searches)),
            service_tier: body.text("service_tier"),
            model: body.text("model"),
            served_output: if self.has_output { body.nested_text() } else { 0 },
            complete: body.complete(),
            reported_cost: body.member("cost").and_then(reported_cost).or_else(|| reported.and_then(usage::cost)),
            input: None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
