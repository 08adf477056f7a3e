//! Meters an answer that is one JSON object.

use bytes::Bytes;

use super::usage::Reported;
use crate::apis::pass_meter::reported_cost;
use crate::apis::whole::WholeBody;
use crate::apis::{Measured, Meter};
use crate::prices::{Bound, Unit};

/// The meter.
pub(super) struct WholeMeter {
    hour_cache: bool,
    body: WholeBody,
}

// === impl WholeMeter ===

impl WholeMeter {
    pub(super) fn new(bound: &Bound) -> Self {
        Self { hour_cache: bound.input.get(Unit::CacheWrite1h) > 0, body: WholeBody::new(&["usage", "model", "cost"]) }
    }
}

impl Meter for WholeMeter {
    fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>) {
        self.body.chunk(chunk, pass);
    }

    fn end(&mut self, _pass: &mut Vec<Bytes>) {
        self.body.end();
    }

    fn terminal(&self) -> bool {
        self.body.ended()
    }

    fn take_held(&mut self) -> Vec<Bytes> {
        self.body.take_held()
    }

    fn measured(&self) -> Measured {
        let raw = self.body.member("usage");
        let mut reported = Reported::default();
        let read = raw.is_some_and(|raw| reported.read(raw));
        let usage = if read { reported.usage(self.hour_cache) } else { None };
        Measured {
            absurd: raw.is_some() && usage.is_none(),
            usage,
            service_tier: reported.served(),
            model: self.body.text("model"),
            input: None,
            served_output: self.body.nested_text(),
            complete: self.body.complete(),
            reported_cost: self.body.member("cost").and_then(reported_cost),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
