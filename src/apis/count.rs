//! Asking the provider how many tokens the input of a request has: some count for nothing, and keep their vocabulary to themselves.

use bytes::Bytes;

use super::read::{self, integer};
use super::{Ask, AskError};
use crate::prices::Margin;

/// Providers call their counts estimates, from which the bill differs by a few tokens: so many at least, whatever the margin makes of a short request.
const LEAST_MARGIN: u64 = 64;
/// No token of a text is longer in any vocabulary that is known here: the longest are 128 spaces.
const LONGEST_TOKEN: u64 = 128;

/// The request that has the provider count the input of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountCall {
    /// Its path below the mount.
    pub path: String,
    /// Its query.
    pub query: Option<String>,
    /// Its body: the members of the other one that become input, as they stand there.
    pub body: Bytes,
    /// The member of the answer that tells the count.
    pub(crate) told_in: &'static str,
    /// Tokens at most that the count may leave out.
    pub(crate) beside: u64,
    /// Bytes of text that the count surely has in it.
    pub(crate) text_bytes: u64,
}

// === impl CountCall ===

impl CountCall {
    /// The count that the answer tells. None where it cannot be one: nothing, negative, or more than the request bounded by its bytes.
    #[must_use]
    pub fn read(&self, answer: &[u8], ask: &Ask) -> Option<u64> {
        let most = if ask.bound.windows > 0 { u64::MAX } else { ask.bound.input.input_tokens() };
        let mut told = None;
        let mut scanner = read::object(answer).ok()?;
        let read = scanner.object(|scanner, member| {
            if member.key.decode().as_deref() == Some(self.told_in) {
                told = Some(integer(scanner, self.told_in, most)?);
                return Ok(());
            }
            scanner.skip().map_err(AskError::from)
        });
        read.and_then(|()| scanner.finish().map_err(AskError::from)).ok()?;
        told.filter(|told| *told > 0)
    }

    /// The same request, bounded by a count and a margin, and by what the count may leave out.
    #[must_use]
    pub fn ask_counted(&self, ask: &Ask, count: u64, margin: Margin) -> Ask {
        let most = margin.of_count(count).max(count.saturating_add(LEAST_MARGIN));
        Ask { bound: ask.bound.counted(most.saturating_add(self.beside)), ..ask.clone() }
    }

    /// The same request with the least that a count could make of it: whoever cannot pay for that need not ask.
    #[must_use]
    pub fn ask_at_least(&self, ask: &Ask) -> Ask {
        Ask { bound: ask.bound.counted(self.beside.saturating_add(self.text_bytes / LONGEST_TOKEN).saturating_add(LEAST_MARGIN)), ..ask.clone() }
    }
}

/// Members of a body, each as it stands there, between a front and a back.
pub(crate) fn excerpt(front: &str, members: &[&[u8]], back: &str) -> Bytes {
    Bytes::from([front.as_bytes(), &members.join(&b","[..]), back.as_bytes()].concat())
}
