//! Meters an answer that is one JSON object.

use super::usage::{self, Kind, Told};
use crate::apis::Measured;
use crate::apis::whole::{Whole, WholeBody, WholeReader};

/// The meter.
pub(super) type WholeMeter = Whole<Answer>;

/// What is known before it comes.
pub(super) struct Answer {
    kind: Kind,
}

// === impl WholeMeter ===

impl WholeMeter {
    pub(super) fn new(kind: Kind) -> Self {
        Self::of(WholeBody::new(&["usage", "meta"]).with_shallow_text(), Answer { kind })
    }
}

impl WholeReader for Answer {
    fn measured(&self, body: &WholeBody) -> Measured {
        // Chat has a `usage`; the others tell it in `meta`, beside other things.
        let member = if self.kind == Kind::Chat { "usage" } else { "meta" };
        let told = body.member(member).map_or(Told::Nothing, |raw| usage::read(raw, self.kind));
        Measured {
            usage: told.usage(),
            absurd: told == Told::Absurd,
            served_output: if self.kind == Kind::Chat { body.nested_text() } else { 0 },
            complete: body.complete(),
            ..Measured::default()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
