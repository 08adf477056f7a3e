//! Meters an answer that is one JSON object.

use bytes::Bytes;

use super::usage;
use crate::apis::pass_meter::reported_cost;
use crate::apis::whole::WholeBody;
use crate::apis::{Measured, Meter};
use crate::prices::Unit;

/// The meter.
pub(in crate::apis) struct WholeMeter {
    has_output: bool,
    searches: u64,
    body: WholeBody,
}

// === impl WholeMeter ===

impl WholeMeter {
    pub(in crate::apis) fn new(has_output: bool, searches: u64) -> Self {
        Self { has_output, searches, body: WholeBody::new(&["usage", "model", "service_tier", "cost"]) }
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
        let reported = self.body.member("usage");
        let usage = reported.and_then(|raw| usage::read(raw, self.has_output));
        Measured {
            absurd: reported.is_some() && usage.is_none(),
            usage: usage.map(|usage| usage.with(Unit::WebSearches, self.searches)),
            service_tier: self.body.text("service_tier"),
            model: self.body.text("model"),
            served_output: if self.has_output { self.body.nested_text() } else { 0 },
            complete: self.body.complete(),
            reported_cost: self.body.member("cost").and_then(reported_cost).or_else(|| reported.and_then(usage::cost)),
            input: None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
