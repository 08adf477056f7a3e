//! Meters an answer that is one response, and seals the ids in it. It is kept back whole until it has ended: the ids stand at its front, the usage behind.

use bytes::Bytes;

use super::answer::{self, Response};
use super::meter_stream::Sealer;
use super::usage;
use crate::apis::json::Scanner;
use crate::apis::{Measured, Meter, Seal};
use crate::prices::Unit;

/// A longer answer passes as it is, and is metered by its bytes. No model writes so much; what a request sends comes back in part.
const MAX_BODY: usize = 64 << 20;

/// The meter.
pub(super) struct WholeMeter {
    /// The provider may search: what it did is counted.
    searches: bool,
    seal: Option<Seal>,
    held: Vec<Bytes>,
    seen: usize,
    ended: bool,
    measured: Measured,
}

// === impl WholeMeter ===

impl WholeMeter {
    pub(super) fn new(searches: bool, seal: Option<Seal>) -> Self {
        Self { searches, seal, held: Vec::new(), seen: 0, ended: false, measured: Measured::default() }
    }

    /// Reads the whole body. Answers it with its ids sealed; none where it is no response.
    fn read(&mut self, body: &[u8]) -> Option<Bytes> {
        let mut response = Response::default();
        let mut scanner = Scanner::lenient(body);
        answer::response(&mut scanner, &mut response).and_then(|()| scanner.finish()).ok()?;
        let slice = |at: &std::ops::Range<usize>| body.get(at.clone()).unwrap_or_default();
        let told = response.searches_at.as_ref().map(|at| usage::read_count(slice(at)));
        let usage = response.usage.as_ref().map(|at| usage::read(slice(at)));
        let absurd = usage == Some(None) || told == Some(None);
        let searches = told.flatten().unwrap_or(if self.searches { response.searches_shown } else { 0 });
        let text = |text: Option<crate::apis::json::Text<'_>>| text.and_then(|text| text.decode()).map(std::borrow::Cow::into_owned);
        self.measured = Measured {
            usage: usage.flatten().filter(|_| !absurd).map(|usage| usage.with(Unit::WebSearches, searches)),
            absurd,
            service_tier: text(response.service_tier),
            model: text(response.model),
            input: None,
            served_output: response.generated,
            complete: true,
            reported_cost: response.reported_cost(body),
        };
        let mut sealer = Sealer::new(self.seal.clone()?);
        let mut sealed = Vec::with_capacity(body.len() + response.ids.len() * 40);
        let mut at = 0;
        for id in &response.ids {
            sealed.extend_from_slice(body.get(at..id.end)?);
            sealed.extend_from_slice(sealer.suffix(id.id).as_bytes());
            at = id.end;
        }
        sealed.extend_from_slice(body.get(at..)?);
        Some(Bytes::from(sealed))
    }
}

impl Meter for WholeMeter {
    fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>) {
        if chunk.is_empty() {
            return;
        }
        self.seen = self.seen.saturating_add(chunk.len());
        self.measured.served_output = self.seen as u64;
        if self.seen > MAX_BODY {
            pass.append(&mut self.held);
        }
        self.held.push(chunk);
    }

    fn end(&mut self, _pass: &mut Vec<Bytes>) {
        self.ended = true;
        if self.seen > MAX_BODY {
            return;
        }
        let body: Bytes = if let [one] = self.held.as_slice() { one.clone() } else { self.held.concat().into() };
        let sealed = self.read(&body);
        self.held = vec![sealed.unwrap_or(body)];
    }

    fn terminal(&self) -> bool {
        self.ended
    }

    fn take_held(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.held)
    }

    fn measured(&self) -> Measured {
        self.measured.clone()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
