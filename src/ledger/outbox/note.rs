//! What a process did that the store may not know yet, noted down so that the next one on this outbox knows it: what was admitted from slices of budgets, and
//! which slices there are. A note survives `kill -9`; it does not wait for the disk, so after a power loss some may be missing. Which start of the machine a
//! slice was noted on tells the two apart.

use std::sync::Arc;

use jiff::Timestamp;

use super::codec::{Reader, put_facts, put_text};
use super::record::HoldFacts;
use crate::ledger::types::HoldId;
use crate::tokens::TokenId;

const ADMITTED: u8 = 4;
const SLICE: u8 = 5;

/// Something that is gone from the outbox once the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// What was done.
    pub(crate) noted: Noted,
    /// The token's account.
    pub(crate) account: Arc<str>,
    /// Whose money it is.
    pub(crate) token: TokenId,
    /// When, by the gateway's clock, in whole milliseconds.
    pub(crate) written_at: Timestamp,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    /// A request was admitted from a slice.
    Admitted(HoldId, HoldFacts),
    /// A slice was asked for.
    Slice(HoldId, Boot),
}

/// One start of the machine; none where that cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Boot(Option<Box<str>>);

// === impl Note ===

impl Note {
    /// A note of now.
    pub(crate) fn new(noted: Noted, account: Arc<str>, token: TokenId) -> Self {
        let written_at = Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or_default();
        Self { noted, account, token, written_at }
    }

    /// The note as bytes.
    pub(super) fn encode(&self, shortened: bool) -> Vec<u8> {
        let mut into = Vec::with_capacity(256);
        let (kind, id) = match &self.noted {
            Noted::Admitted(hold, _) => (ADMITTED, hold),
            Noted::Slice(slice, _) => (SLICE, slice),
        };
        into.push(kind);
        into.extend(id.0);
        into.extend(self.written_at.as_millisecond().to_le_bytes());
        into.extend(self.token.0.to_le_bytes());
        match &self.noted {
            Noted::Admitted(_, facts) => put_facts(&mut into, facts, &self.account, shortened),
            Noted::Slice(_, boot) => {
                put_text(&mut into, &self.account, None);
                put_text(&mut into, boot.0.as_deref().unwrap_or_default(), None);
            }
        }
        into
    }

    /// The note that was encoded; none where these are not the bytes of one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader { bytes };
        let kind = from.u8()?;
        let id = HoldId(from.array()?);
        let written_at = Timestamp::from_millisecond(i64::from_le_bytes(from.array()?)).ok()?;
        let token = TokenId(from.u64()?);
        let (noted, account) = match kind {
            ADMITTED => {
                let (facts, account) = from.facts()?;
                (Noted::Admitted(id, facts), account)
            }
            SLICE => {
                let account = from.text()?.into();
                (Noted::Slice(id, Boot::of(&from.text()?)), account)
            }
            _ => return None,
        };
        from.bytes.is_empty().then_some(Self { noted, account, token, written_at })
    }
}

// === impl Boot ===

impl Boot {
    /// The one that this process runs on.
    pub(crate) fn this() -> Self {
        // https://www.kernel.org/doc/Documentation/admin-guide/sysctl/kernel.rst: random/boot_id.
        Self::of(std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim())
    }

    /// The one of an id; empty or too long for one: it cannot be told.
    pub(crate) fn of(id: &str) -> Self {
        Self(Some(id).filter(|id| !id.is_empty() && id.len() <= 64).map(Box::from))
    }

    /// Whether both are surely the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.is_some() && self.0 == other.0
    }
}
