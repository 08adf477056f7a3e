//! Meters an answer that is one JSON object. A small one is kept back whole and a large one but for its last chunk, so that the charge
//! is durable before the client has seen the end.

use bytes::Bytes;

use super::members::TopMembers;
use super::usage;
use crate::apis::{Measured, Meter};
use crate::prices::Unit;

/// Answers up to this size are kept back whole.
const KEPT_WHOLE: usize = 1 << 20;

/// The meter.
pub(super) struct WholeMeter {
    has_output: bool,
    searches: u64,
    members: TopMembers,
    held: Vec<Bytes>,
    seen: usize,
    ended: bool,
}

// === impl WholeMeter ===

impl WholeMeter {
    pub(super) fn new(has_output: bool, searches: u64) -> Self {
        Self { has_output, searches, members: TopMembers::new(&["usage", "model", "service_tier"]), held: Vec::new(), seen: 0, ended: false }
    }

    fn text(&self, member: &str) -> Option<String> {
        serde_json::from_slice(self.members.get(member)?).ok()
    }
}

impl Meter for WholeMeter {
    fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>) {
        if chunk.is_empty() {
            return;
        }
        self.members.feed(&chunk);
        self.seen = self.seen.saturating_add(chunk.len());
        if self.seen > KEPT_WHOLE {
            pass.append(&mut self.held);
        }
        self.held.push(chunk);
    }

    fn end(&mut self, _pass: &mut Vec<Bytes>) {
        self.ended = true;
    }

    fn terminal(&self) -> bool {
        self.ended
    }

    fn take_held(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.held)
    }

    fn measured(&self) -> Measured {
        let reported = self.members.get("usage").filter(|raw| *raw != b"null");
        let usage = reported.and_then(|raw| usage::read(raw, self.has_output));
        Measured {
            absurd: reported.is_some() && usage.is_none(),
            usage: usage.map(|usage| usage.with(Unit::WebSearches, self.searches)),
            service_tier: self.text("service_tier"),
            model: self.text("model"),
            served_output: if self.has_output { self.members.nested_text() } else { 0 },
            complete: self.ended && self.members.closed(),
            reported_cost: None,
            input: None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
