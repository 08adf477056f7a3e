//! Meters an answer that is one JSON object.

use crate::apis::json::{JsonError, Kind, Scanner};
use crate::apis::whole::{Whole, WholeBody, WholeReader};
use crate::apis::{Measured, openai};
use crate::prices::{Unit, Usage};

/// Counts beyond this are not believed.
const MOST: u64 = 1 << 40;

/// What an answer is billed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Billed {
    /// The tokens of its `usage`.
    Tokens {
        /// Some of them are output.
        has_output: bool,
    },
    /// The pages of its `usage_info`, in this class.
    Pages(Unit),
}

/// The meter.
pub(super) type WholeMeter = Whole<Answer>;

/// What is known before it comes.
pub(super) struct Answer {
    billed: Billed,
}

// === impl WholeMeter ===

impl WholeMeter {
    pub(super) fn new(billed: Billed) -> Self {
        Self::of(WholeBody::new(&["usage", "usage_info", "model"]), Answer { billed })
    }
}

impl WholeReader for Answer {
    fn measured(&self, body: &WholeBody) -> Measured {
        let (reported, usage) = match self.billed {
            Billed::Tokens { has_output } => {
                let reported = body.member("usage");
                (reported, reported.and_then(|raw| openai::read_usage(raw, has_output)))
            }
            Billed::Pages(unit) => {
                let reported = body.member("usage_info");
                (reported, reported.and_then(pages).map(|pages| Usage::default().with(unit, pages)))
            }
        };
        Measured {
            absurd: reported.is_some() && usage.is_none(),
            usage,
            service_tier: body.member("usage").and_then(tier),
            model: body.text("model"),
            served_output: if self.billed == (Billed::Tokens { has_output: true }) { body.nested_text() } else { 0 },
            complete: body.complete(),
            ..Measured::default()
        }
    }
}

/// Which tier a `usage` says was billed.
pub(super) fn tier(usage: &[u8]) -> Option<String> {
    let mut tier = None;
    let mut scanner = Scanner::lenient(usage);
    let scanned = scanner.object(|scanner, member| {
        if member.key.raw() == b"service_tier" && scanner.kind()? == Kind::String {
            tier = scanner.string()?.decode().map(std::borrow::Cow::into_owned);
            return Ok::<(), JsonError>(());
        }
        scanner.skip()
    });
    scanned.ok().and(tier)
}

/// How many pages were read.
fn pages(usage_info: &[u8]) -> Option<u64> {
    let mut pages = None;
    let mut scanner = Scanner::lenient(usage_info);
    let scanned = scanner.object(|scanner, member| {
        if member.key.raw() == b"pages_processed" && scanner.kind()? == Kind::Number {
            pages = std::str::from_utf8(scanner.number()?).ok().and_then(|digits| digits.parse::<u64>().ok());
            return Ok::<(), JsonError>(());
        }
        scanner.skip()
    });
    scanned.ok().and(pages).filter(|pages| *pages <= MOST)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
