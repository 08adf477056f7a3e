//! What the outbox keeps of an ending: enough to deliver it, and to put its hold back first should the store have lost that.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::types::{ChargeLabel, HoldId, Settled, Settlement};
use crate::money::Usd;
use crate::tokens::TokenId;

/// An ending, with all that its delivery needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// How the request ended.
    pub(crate) ending: Ending,
    /// The token's account. At most [`MOST_ACCOUNT_BYTES`](super::MOST_ACCOUNT_BYTES) long.
    pub(crate) account: Arc<str>,
    /// Whose request it was.
    pub(crate) token: TokenId,
    /// The hold that ends.
    pub(crate) facts: HoldFacts,
    /// When it ended, by the gateway's clock, in whole milliseconds: what delivery goes by when it delivers the oldest first.
    pub(crate) written_at: Timestamp,
}

/// How a request's money ends.
#[allow(clippy::large_enum_variant)] // Nearly all are settlements: a box would cost more than it saves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Charged at its cost.
    Settle(Settlement),
    /// Charged at what is held.
    ChargeHold(HoldId),
    /// Given back. An id that is not there is refused for this lease, in whole milliseconds.
    Void(HoldId, Duration),
}

/// What a hold was made of: all that putting it back takes. Of an ending that voids, nothing is put back, and what is not known may be zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HoldFacts {
    /// What is held.
    pub(crate) amount: Usd,
    /// Whether it stands on the token's budget.
    pub(crate) on_token: bool,
    /// Whether it stands on the account's budget.
    pub(crate) on_account: bool,
    /// How long it lives without being renewed, in whole milliseconds.
    pub(crate) lease: Duration,
    /// Under what it is booked, should it expire.
    pub(crate) label: Arc<ChargeLabel>,
    /// The slice that it was admitted from, of which the store may not know yet.
    pub(crate) slice: Option<HoldId>,
}

// === impl Record ===

impl Record {
    /// The hold that ends.
    pub(crate) fn hold(&self) -> HoldId {
        match &self.ending {
            Ending::Settle(settlement) => settlement.hold,
            Ending::ChargeHold(hold) | Ending::Void(hold, _) => *hold,
        }
    }

    /// What the ending does, as far as that is known without the store: the balance is not.
    pub(crate) fn settled_locally(&self) -> Settled {
        match &self.ending {
            Ending::Settle(settlement) => {
                let limited = self.facts.on_token || self.facts.on_account;
                let overrun = if limited { settlement.cost.minus(self.facts.amount).unwrap_or_default().max(Usd::ZERO) } else { Usd::ZERO };
                Settled { charged: true, overrun, balance: None }
            }
            Ending::ChargeHold(_) => Settled { charged: true, ..Settled::default() },
            Ending::Void(..) => Settled::default(),
        }
    }
}
