//! Meters an answer that is one JSON object.

use super::usage::Reported;
use crate::apis::Measured;
use crate::apis::pass_meter::reported_cost;
use crate::apis::whole::{Whole, WholeBody, WholeReader};
use crate::prices::{Bound, Unit};

/// The meter.
pub(super) type WholeMeter = Whole<Answer>;

/// What is known before it comes.
pub(super) struct Answer {
    hour_cache: bool,
}

// === impl WholeMeter ===

impl WholeMeter {
    pub(super) fn new(bound: &Bound) -> Self {
        Self::of(WholeBody::new(&["usage", "model", "cost"]), Answer { hour_cache: bound.input.get(Unit::CacheWrite1h) > 0 })
    }
}

impl WholeReader for Answer {
    fn measured(&self, body: &WholeBody) -> Measured {
        let raw = body.member("usage");
        let mut reported = Reported::default();
        let read = raw.is_some_and(|raw| reported.read(raw));
        let usage = if read { reported.usage(self.hour_cache) } else { None };
        Measured {
            absurd: raw.is_some() && usage.is_none(),
            usage,
            service_tier: reported.served(),
            model: body.text("model"),
            input: None,
            served_output: body.nested_text(),
            complete: body.complete(),
            reported_cost: body.member("cost").and_then(reported_cost),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
