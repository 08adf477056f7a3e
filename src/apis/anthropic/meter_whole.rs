//! Meters an answer that is one JSON object. A small one is kept back whole and a large one but for its last chunk, so that the charge
//! is durable before the client has seen the end.

use bytes::Bytes;

use super::usage::Reported;
use crate::apis::openai::members::TopMembers;
use crate::apis::{Measured, Meter};
use crate::prices::{Bound, Unit};

/// Answers up to this size are kept back whole.
const KEPT_WHOLE: usize = 1 << 20;

/// The meter.
pub(super) struct WholeMeter {
    hour_cache: bool,
    members: TopMembers,
    held: Vec<Bytes>,
    seen: usize,
    ended: bool,
}

// === impl WholeMeter ===

impl WholeMeter {
    pub(super) fn new(bound: &Bound) -> Self {
        Self { hour_cache: bound.input.get(Unit::CacheWrite1h) > 0, members: TopMembers::new(&["usage", "model"]), held: Vec::new(), seen: 0, ended: false }
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
        let raw = self.members.get("usage").filter(|raw| *raw != b"null");
        let mut reported = Reported::default();
        let read = raw.is_some_and(|raw| reported.read(raw));
        let usage = if read { reported.usage(self.hour_cache) } else { None };
        Measured {
            absurd: raw.is_some() && usage.is_none(),
            usage,
            service_tier: reported.served(),
            model: self.members.get("model").and_then(|raw| serde_json::from_slice(raw).ok()),
            input: None,
            served_output: self.members.nested_text(),
            complete: self.ended && self.members.closed(),
            reported_cost: None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
