//! A hold while its request runs: its lease begins anew, and a rolling one may be raised.

use jiff::Timestamp;

use super::Changes;
use super::mutation::{Mutation, mutated};
use super::state::{Hold, State, later};
use crate::ledger::types::{Renewal, Renewed};
use crate::money::{MoneyError, Usd};

impl State {
    /// Prolongs a hold and raises it on the budgets that it stands on, on all of them or on none. One whose lease ran out lives on if nobody expired it yet.
    ///
    /// # Errors
    /// When an amount leaves the range that can be counted. Nothing changes then.
    pub fn renew(&mut self, now: Timestamp, renewal: &Renewal, changes: &mut Changes) -> Result<Renewed, MoneyError> {
        let Some(token) = self.holds.get(&renewal.hold).map(|hold| hold.token) else { return Ok(Renewed::Gone) };
        self.reset_if_due(token, now, changes);
        let Some(hold) = self.holds.get(&renewal.hold) else { return Ok(Renewed::Gone) };
        let (token, account) = (hold.token, hold.account);
        let raise = if hold.on_token || hold.on_account { renewal.raise.max(Usd::ZERO) } else { Usd::ZERO };
        let raised = raise.is_positive() && self.reaches(hold, raise);
        let amounts = if raised { Some((hold.amount.plus(raise)?, self.held_with(hold, raise)?)) } else { None };
        let (old_end, new_end) = (hold.lease_end, later(now, renewal.lease).max(hold.lease_end));
        if let Some((amount, (token_held, account_held))) = amounts {
            self.set_held(token, account, token_held, account_held);
            changes.tokens.extend(token_held.map(|_| token));
            changes.accounts.extend(account_held.map(|_| account));
            if let Some(hold) = self.holds.get_mut(&renewal.hold) {
                hold.amount = amount;
            }
        }
        if let Some(account) = self.account_mut(account) {
            account.leases.remove(&(old_end, renewal.hold));
            account.leases.insert((new_end, renewal.hold));
        }
        if let Some(hold) = self.holds.get_mut(&renewal.hold) {
            hold.lease_end = new_end;
        }
        changes.hold_touched(renewal.hold);
        Ok(if raised || !raise.is_positive() { Renewed::Done } else { Renewed::NotRaised })
    }

    /// Whether every budget of the hold has that much more. A deleted token gets no more money.
    fn reaches(&self, hold: &Hold, raise: Usd) -> bool {
        let Some(token) = self.tokens.get(&hold.token).filter(|token| token.deleted_at.is_none()) else { return false };
        let Some(account) = self.account(hold.account) else { return false };
        let has = |free: Option<Usd>| free.is_none_or(|free| free >= raise) || mutated(Mutation::RaiseUnchecked);
        (!hold.on_token || has(token.budget.free())) && (!hold.on_account || has(account.budget.free()))
    }
}
