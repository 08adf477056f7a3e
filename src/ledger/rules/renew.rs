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
        let missing = renewal.raise_to.minus(hold.amount).unwrap_or(Usd::ZERO).max(Usd::ZERO);
        let raise = if hold.on_token || hold.on_account { missing } else { Usd::ZERO };
        let lacking = if raise.is_positive() { self.lacking(hold, raise) } else { None };
        let raised = raise.is_positive() && lacking.is_none();
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
        Ok(lacking.unwrap_or(Renewed::Done))
    }

    /// Why the hold gets no more: none where every budget of it has that much. A deleted token gets no more money.
    fn lacking(&self, hold: &Hold, raise: Usd) -> Option<Renewed> {
        let nothing = Renewed::NotRaised { free: Usd::ZERO, others: Usd::ZERO };
        let Some(token) = self.tokens.get(&hold.token).filter(|token| token.deleted_at.is_none()) else { return Some(nothing) };
        let Some(account) = self.account(hold.account) else { return Some(nothing) };
        let budgets = [(hold.on_token, &token.budget), (hold.on_account, &account.budget)];
        let limited = budgets.into_iter().filter(|(stands, _)| *stands).filter_map(|(_, budget)| Some((budget.free()?, budget.held)));
        let (free, held) = limited.min_by_key(|(free, _)| *free)?;
        if free >= raise || mutated(Mutation::RaiseUnchecked) {
            return None;
        }
        Some(Renewed::NotRaised { free, others: held.minus(hold.amount).unwrap_or(Usd::ZERO) })
    }
}
