//! A hold that outlives its request: that of a job, which goes on at the provider when the request that began it has ended.

use std::time::Duration;

use jiff::Timestamp;

use super::Changes;
use super::mutation::{Mutation, mutated};
use super::state::{State, later};
use crate::ledger::types::{HoldId, Settled};
use crate::money::MoneyError;

impl State {
    /// Gives a hold another id, under which it lives on for `lease` though nobody prolongs it: whoever learns what the job cost settles it by that id.
    /// Of an id that is known already the job was begun before: the hold is charged at its amount then. A hold that is gone: nothing happens.
    ///
    /// # Errors
    /// When a figure leaves the range that can be counted. The hold stays as it was.
    pub fn keep(&mut self, now: Timestamp, id: HoldId, kept: HoldId, lease: Duration, changes: &mut Changes) -> Result<Settled, MoneyError> {
        if !self.holds.contains_key(&id) {
            return Ok(Settled::default());
        }
        let known = self.holds.contains_key(&kept) || self.tombstones.get(&kept).is_some_and(|tombstone| now < tombstone.ends_at);
        if known {
            return self.charge_hold(now, id, changes);
        }
        let Some(hold) = self.holds.get(&id) else { return Ok(Settled::default()) };
        let twice = mutated(Mutation::KeepTwice).then(|| hold.clone());
        let (token, account) = (hold.token, hold.account);
        // What is held of the budgets stays the same: it is looked up before the hold is taken away.
        let held = (self.tokens.get(&token).map(|token| token.budget.held), self.account(account).map(|account| account.budget.held));
        let Some(mut hold) = self.remove_hold(id) else { return Ok(Settled::default()) };
        if !mutated(Mutation::KeepFrees) {
            self.set_held(token, account, held.0, held.1);
        }
        hold.lease_end = later(now, lease);
        self.insert_hold(kept, hold);
        if let Some(hold) = twice {
            self.insert_hold(id, hold);
        }
        changes.hold_touched(id);
        changes.hold_made(kept);
        Ok(Settled::default())
    }
}
