//! Meters an answer that is one JSON object.

use bytes::Bytes;

use super::usage::{self, Kind, Told};
use crate::apis::whole::WholeBody;
use crate::apis::{Measured, Meter};

/// The meter.
pub(super) struct WholeMeter {
    kind: Kind,
    body: WholeBody,
}

// === impl WholeMeter ===

impl WholeMeter {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, body: WholeBody::new(&["usage", "meta"]).with_shallow_text() }
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
        // Chat has a `usage`; the others tell it in `meta`, beside other things.
        let member = if self.kind == Kind::Chat { "usage" } else { "meta" };
        let told = self.body.member(member).map_or(Told::Nothing, |raw| usage::read(raw, self.kind));
        Measured {
            usage: told.usage(),
            absurd: told == Told::Absurd,
            served_output: if self.kind == Kind::Chat { self.body.nested_text() } else { 0 },
            complete: self.body.complete(),
            ..Measured::default()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
