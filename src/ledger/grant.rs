//! [`Grant`]: the ledger's yes. Nothing goes upstream without one, and whatever becomes of it, its money ends: dropping it is an ending too.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::settler::{RaiseTicket, SettleTicket, Settler};
use super::types::{Admitted, Certainty, ChargeLabel, HoldId, Renewal, Settlement, TokenFacts};
use crate::money::Usd;
use crate::prices::Usage;

/// Money set aside for one request, kept alive while this lives. Only the ledger makes one; ended by [`settle`](Self::settle), [`void`](Self::void) or
/// [`keep`](Self::keep).
///
/// Dropped before [`sent`](Self::sent), the hold is given back; dropped after it, the hold is charged, since the provider may have billed.
/// Either way the drop hands itself to the settler and does not block: it may happen in a panic, or outside of any runtime.
///
/// A sandbox token's grant has no hold: every ending of it does nothing.
pub struct Grant {
    settler: Arc<Settler>,
    facts: Arc<TokenFacts>,
    hold: HoldId,
    lease: Duration,
    admitted: Admitted,
    if_dropped: IfDropped,
}

/// What a drop does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IfDropped {
    /// There is no hold, or it has ended.
    Nothing,
    /// Nothing was sent.
    Void,
    /// It was sent, and nobody knows what it cost.
    Charge,
}

// === impl Grant ===

impl Grant {
    /// A grant that was written. `lease` is none where there is no hold.
    pub(super) fn new(settler: Arc<Settler>, facts: Arc<TokenFacts>, hold: HoldId, lease: Option<Duration>, admitted: Admitted) -> Self {
        if let Some(lease) = lease {
            settler.live().insert(hold, lease);
        }
        let if_dropped = if lease.is_some() { IfDropped::Void } else { IfDropped::Nothing };
        Self { settler, facts, hold, lease: lease.unwrap_or_default(), admitted, if_dropped }
    }

    /// The hold's id; the request's id, where there is no hold.
    #[must_use]
    pub fn hold(&self) -> HoldId {
        self.hold
    }

    /// Whose request it is.
    #[must_use]
    pub fn facts(&self) -> &Arc<TokenFacts> {
        &self.facts
    }

    /// What was set aside. Grows with [`raised`](Self::raised).
    #[must_use]
    pub fn admitted(&self) -> Admitted {
        self.admitted
    }

    /// The request goes out now: from here on a drop charges the hold rather than gives it back.
    pub fn sent(&mut self) {
        if self.if_dropped == IfDropped::Void {
            self.if_dropped = IfDropped::Charge;
        }
    }

    /// Sets aside more for a request that runs, on all of its budgets or on none; and prolongs its lease. Tell [`raised`](Self::raised) the amount
    /// when the answer is yes.
    pub fn raise_to(&self, amount: Usd) -> RaiseTicket {
        if self.if_dropped == IfDropped::Nothing || !self.admitted.budgeted {
            return RaiseTicket::nothing();
        }
        self.settler.raise(Renewal { hold: self.hold, lease: self.lease, raise_to: amount })
    }

    /// The ledger raised the hold to that amount.
    pub fn raised(&mut self, amount: Usd) {
        let by = amount.minus(self.admitted.amount).unwrap_or(Usd::ZERO).max(Usd::ZERO);
        self.admitted.amount = self.admitted.amount.max(amount);
        self.admitted.free_after = self.admitted.free_after.and_then(|free| free.minus(by).ok());
    }

    /// Charges what the request cost, in full. Where nobody knows: what was [`admitted`](Self::admitted), and no raise that is still asked for.
    pub fn settle(
        mut self,
        cost: Usd,
        certainty: Certainty,
        usage: Usage,
        label: impl Into<Arc<ChargeLabel>>,
        price_version: impl Into<Arc<str>>,
    ) -> SettleTicket {
        if self.end() == IfDropped::Nothing {
            return SettleTicket::nothing();
        }
        self.settler.settle(Settlement { hold: self.hold, cost, certainty, usage, label: label.into(), price_version: price_version.into() })
    }

    /// Gives the money back: nothing was sent, or the provider does not bill it.
    pub fn void(mut self) {
        if self.end() != IfDropped::Nothing {
            self.settler.void(self.hold, self.lease);
        }
    }

    /// The request ended, and what it began goes on: the hold lives on under another id for `lease`, until [`settle_kept`](Self::settle_kept) ends it or
    /// it is charged at its amount. An id that is known already: it is charged at once.
    pub fn keep(mut self, kept: HoldId, lease: Duration) -> SettleTicket {
        if self.end() == IfDropped::Nothing { SettleTicket::nothing() } else { self.settler.keep(self.hold, kept, lease) }
    }

    /// Gives its own money back, and charges a hold that another request of the account left: once, however often it is asked. Unlike other endings this
    /// one is not tried again where the ledger does not answer; asking again is safe.
    pub fn settle_kept(self, settlement: Settlement) -> SettleTicket {
        let (settler, facts) = (Arc::clone(&self.settler), Arc::clone(&self.facts));
        self.void();
        settler.settle_kept(&facts.account, settlement)
    }

    /// Is no longer kept alive, and a drop does nothing more. Returns what it would have done.
    fn end(&mut self) -> IfDropped {
        let if_dropped = std::mem::replace(&mut self.if_dropped, IfDropped::Nothing);
        if if_dropped != IfDropped::Nothing {
            self.settler.live().remove(self.hold);
        }
        if_dropped
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        match self.end() {
            IfDropped::Nothing => {}
            IfDropped::Void => self.settler.void(self.hold, self.lease),
            IfDropped::Charge => self.settler.charge_dropped(self.hold),
        }
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Grant").field("hold", &self.hold).field("admitted", &self.admitted).field("if_dropped", &self.if_dropped).finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Grant {
    /// Dies without a trace, as in a crash.
    pub(super) fn crash(mut self) {
        self.end();
    }
}
