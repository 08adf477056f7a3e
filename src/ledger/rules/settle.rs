//! How a hold ends, exactly once: charged, voided, or expired; and how an expired one is corrected by somebody who knows better, down, once.
//!
//! A live hold is itself the proof that it has not ended: whatever ends it takes it away. Only expired holds leave a tombstone.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::change::{UsageDelta, UsageKey};
use super::mutation::{Mutation, mutated};
use super::state::{Expired, Hold, State, Tombstone, later};
use super::{AccountId, Changes, EntryKind, JournalEntry};
use crate::ledger::types::{Certainty, ChargeLabel, HoldId, Settled, Settlement};
use crate::money::{MoneyError, Usd};
use crate::prices::Usage;
use crate::tokens::TokenId;

/// How long an expired hold can still be corrected, and its id be told from a new one.
const TOMBSTONE_LIFE: Duration = Duration::from_secs(7 * 86_400);

/// What is known of a request at its end.
struct Bill {
    kind: EntryKind,
    cost: Usd,
    certainty: Certainty,
    usage: Usage,
    label: Arc<ChargeLabel>,
    price_version: Arc<str>,
}

/// A charge that was computed and can be applied without failing: new figures of whatever it changes.
struct Charge {
    token: TokenId,
    account: AccountId,
    cost: Usd,
    spent: Usd,
    /// The token's new balance, where the hold stands on it and there is one.
    token_balance: Option<Usd>,
    account_balance: Option<Usd>,
    token_delta_nanos: i64,
    account_delta_nanos: i64,
}

impl State {
    /// Ends a hold by charging the cost in full, whatever was held. Of an expired hold the charge is lowered to the cost, once. Any other id: nothing happens.
    ///
    /// # Errors
    /// When a figure leaves the range that can be counted. The hold stays as it was.
    pub fn settle(&mut self, now: Timestamp, settlement: &Settlement, changes: &mut Changes) -> Result<Settled, MoneyError> {
        let bill = Bill {
            kind: EntryKind::Charge,
            cost: settlement.cost.max(Usd::ZERO),
            certainty: settlement.certainty,
            usage: settlement.usage,
            label: Arc::clone(&settlement.label),
            price_version: Arc::clone(&settlement.price_version),
        };
        if let Some(hold) = self.holds.get(&settlement.hold) {
            let bill = bill.labelled(hold);
            self.charge_live(now, settlement.hold, bill, changes)
        } else {
            self.correct(now, settlement.hold, Some(bill), changes)
        }
    }

    /// Ends a hold by charging what is held: it was sent, and nobody knows what it cost.
    ///
    /// # Errors
    /// When a figure leaves the range that can be counted. The hold stays as it was.
    pub fn charge_hold(&mut self, now: Timestamp, id: HoldId, changes: &mut Changes) -> Result<Settled, MoneyError> {
        match self.holds.get(&id) {
            Some(hold) => {
                let bill = uncertain(EntryKind::Charge, hold);
                self.charge_live(now, id, bill, changes)
            }
            // It expired, and was charged just that.
            None => Ok(Settled::default()),
        }
    }

    /// Ends a hold by giving everything back: nothing was sent, or the provider does not bill it. An id that is not there is refused for one lease,
    /// should its admission still come.
    ///
    /// # Errors
    /// When a figure leaves the range that can be counted. The hold stays as it was.
    pub fn void(&mut self, now: Timestamp, id: HoldId, lease: Duration, changes: &mut Changes) -> Result<(), MoneyError> {
        if let Some(hold) = self.remove_hold(id) {
            changes.hold_touched(id);
            changes.tokens.insert(hold.token);
            changes.accounts.extend(hold.on_account.then_some(hold.account));
            return Ok(());
        }
        if self.tombstones.get(&id).is_some_and(|tombstone| now < tombstone.ends_at) {
            self.correct(now, id, None, changes)?;
        } else if !mutated(Mutation::VoidForgets) {
            self.insert_tombstone(id, Tombstone { ends_at: later(now, lease), expired: None });
            changes.tombstones.insert(id);
        }
        Ok(())
    }

    /// Expires holds whose lease ran out and drops tombstones whose time is over, `most` of each. Returns whether there may be more.
    pub fn sweep(&mut self, now: Timestamp, most: usize, changes: &mut Changes) -> bool {
        let mut room = most;
        for index in 0..self.accounts.len() {
            let Some(id) = self.accounts.get(index).map(|account| account.id) else { break };
            room -= self.expire_due_of(id, now, room, changes).min(room);
        }
        let mut tombstones = most;
        while tombstones > 0
            && let Some((end, id)) = self.tombstone_ends.first().copied()
            && end <= now
        {
            if let Some(expired) = self.remove_tombstone(id).and_then(|tombstone| tombstone.expired) {
                changes.tokens.insert(expired.hold.token);
            }
            changes.tombstones.insert(id);
            tombstones -= 1;
        }
        room == 0 || tombstones == 0
    }

    /// Expires up to `most` holds of an account whose lease ran out. Returns how many.
    pub(super) fn expire_due_of(&mut self, account: AccountId, now: Timestamp, most: usize, changes: &mut Changes) -> usize {
        let mut count = 0;
        while count < most
            && let Some((end, id)) = self.account(account).and_then(|account| account.leases.first().copied())
            && end <= now
        {
            self.expire(now, id, changes);
            count += 1;
        }
        count
    }

    /// Charges a hold at its amount, flagged, since the provider has probably billed; and remembers it for a while.
    fn expire(&mut self, now: Timestamp, id: HoldId, changes: &mut Changes) {
        let Some(hold) = self.holds.get(&id).cloned() else { return };
        let mut bill = uncertain(EntryKind::Expire, &hold);
        if mutated(Mutation::ExpireFrees) {
            bill.cost = Usd::ZERO;
        }
        let charged = self.charge_live(now, id, bill, changes).is_ok();
        if !charged {
            // A figure at the end of the countable range must not keep a dead hold alive: it ends with nothing charged.
            let free = Bill { cost: Usd::ZERO, ..uncertain(EntryKind::Expire, &hold) };
            if self.charge_live(now, id, free, changes).is_err() {
                self.remove_hold(id);
            }
        }
        let token_sets = self.tokens.get(&hold.token).map_or(0, |token| token.budget.sets);
        let account_sets = self.account(hold.account).map_or(0, |account| account.budget.sets);
        // What was not charged cannot be lowered: its id is only remembered.
        let expired = charged.then_some(Expired { hold, expired_at: now, token_sets, account_sets });
        self.insert_tombstone(id, Tombstone { ends_at: later(now, TOMBSTONE_LIFE), expired });
        changes.tombstones.insert(id);
    }

    /// Charges and takes away a live hold.
    fn charge_live(&mut self, now: Timestamp, id: HoldId, bill: Bill, changes: &mut Changes) -> Result<Settled, MoneyError> {
        let Some(mut hold) = self.holds.get(&id).cloned() else { return Ok(Settled::default()) };
        self.reset_if_due(hold.token, now, changes);
        if mutated(Mutation::ChargeSwitchedBudget) {
            hold.on_token = self.tokens.get(&hold.token).is_some_and(|token| token.enforced());
        }
        let mut cost = bill.cost;
        if mutated(Mutation::CapAtHold) {
            cost = cost.min(hold.amount);
        }
        if mutated(Mutation::RoundDown) {
            cost = Usd::saturating_from_nanos(i128::from(cost.nanos() / 1000 * 1000));
        }
        if mutated(Mutation::DeletedIsFree) && self.tokens.get(&hold.token).is_some_and(|token| token.deleted_at.is_some()) {
            cost = Usd::ZERO;
        }
        let charge = self.compute(&hold, cost, hold.on_token, hold.on_account)?;
        if !mutated(Mutation::SettleTwice) {
            self.remove_hold(id);
        }
        if mutated(Mutation::LeakAccountHold)
            && hold.on_account
            && let Some(account) = self.account_mut(hold.account)
        {
            account.budget.held = account.budget.held.plus(hold.amount)?;
        }
        changes.hold_touched(id);
        changes.accounts.extend(hold.on_account.then_some(hold.account));
        let overrun = if hold.on_token || hold.on_account { bill.cost.minus(hold.amount).unwrap_or_default().max(Usd::ZERO) } else { Usd::ZERO };
        let key = UsageKey { day: self.day(now), token: hold.token, label: Arc::clone(&bill.label) };
        let estimated = i64::from(bill.certainty != Certainty::Exact);
        changes.add_usage(key, UsageDelta { requests: 1, cost_nanos: cost.nanos(), estimated, usage: bill.usage });
        let balance = charge.token_balance.into_iter().chain(charge.account_balance).min();
        self.apply(now, id, charge, bill, changes);
        Ok(Settled { charged: true, overrun, balance })
    }

    /// Lowers the charge of an expired hold to what `bill` says (none: to nothing), once; more than was held is never charged afterwards.
    /// What was held on no budget is booked at its cost: nothing stands behind it that could be overrun.
    fn correct(&mut self, now: Timestamp, id: HoldId, bill: Option<Bill>, changes: &mut Changes) -> Result<Settled, MoneyError> {
        let Some(tombstone) = self.tombstones.get(&id).filter(|tombstone| now < tombstone.ends_at) else { return Ok(Settled::default()) };
        let Some(expired) = tombstone.expired.clone() else { return Ok(Settled::default()) };
        let ends_at = tombstone.ends_at;
        let hold = &expired.hold;
        self.reset_if_due(hold.token, now, changes);
        let bill = bill.map(|bill| bill.labelled(hold));
        let asked = bill.as_ref().map_or(Usd::ZERO, |bill| bill.cost);
        let limited = (hold.on_token || hold.on_account) && !mutated(Mutation::CorrectUp);
        let difference = if limited { asked.min(hold.amount) } else { asked }.minus(hold.amount)?;
        // A balance that was set since the charge does not know of it: nothing is given back into that.
        let any = mutated(Mutation::CorrectIntoNewBalance);
        let on_token = hold.on_token && (any || self.tokens.get(&hold.token).is_some_and(|token| token.budget.sets == expired.token_sets));
        let on_account = hold.on_account && (any || self.account(hold.account).is_some_and(|account| account.budget.sets == expired.account_sets));
        let charge = self.compute(hold, difference, on_token, on_account)?;
        // The day's row under the admission's label gives way to one that is known.
        let old = UsageKey { day: self.day(expired.expired_at), token: hold.token, label: Arc::clone(&hold.label) };
        changes.add_usage(old.clone(), UsageDelta { requests: -1, cost_nanos: -hold.amount.nanos(), estimated: -1, usage: Usage::default() });
        if let Some(bill) = &bill {
            let estimated = i64::from(bill.certainty != Certainty::Exact);
            let cost_nanos = hold.amount.nanos() + difference.nanos();
            changes.add_usage(UsageKey { label: Arc::clone(&bill.label), ..old }, UsageDelta { requests: 1, cost_nanos, estimated, usage: bill.usage });
        }
        let mut bill = bill.unwrap_or_else(|| Bill { certainty: Certainty::Exact, ..uncertain(EntryKind::Correct, hold) });
        bill.kind = EntryKind::Correct;
        let balance = charge.token_balance.into_iter().chain(charge.account_balance).min();
        self.apply(now, id, charge, bill, changes);
        if !mutated(Mutation::CorrectTwice) {
            self.insert_tombstone(id, Tombstone { ends_at, expired: None });
        }
        changes.tombstones.insert(id);
        Ok(Settled { charged: true, overrun: Usd::ZERO, balance })
    }

    /// What a charge of `cost` makes of every figure, before anything is changed.
    fn compute(&self, hold: &Hold, cost: Usd, on_token: bool, on_account: bool) -> Result<Charge, MoneyError> {
        let token = self.tokens.get(&hold.token);
        let token_balance = token.filter(|_| on_token).map(|token| token.budget.after(cost)).transpose()?.flatten();
        let account_balance = self.account(hold.account).filter(|_| on_account).map(|account| account.budget.after(cost)).transpose()?.flatten();
        Ok(Charge {
            token: hold.token,
            account: hold.account,
            cost,
            spent: token.map_or(Ok(cost), |token| token.spent.plus(cost))?,
            token_balance,
            account_balance,
            token_delta_nanos: token_balance.map_or(0, |_| -cost.nanos()),
            account_delta_nanos: account_balance.map_or(0, |_| -cost.nanos()),
        })
    }

    /// Writes the figures of a charge, and its line in the journal.
    fn apply(&mut self, now: Timestamp, id: HoldId, charge: Charge, bill: Bill, changes: &mut Changes) {
        if let Some(token) = self.tokens.get_mut(&charge.token) {
            token.spent = charge.spent;
            if charge.token_balance.is_some() {
                token.budget.balance = charge.token_balance;
            }
        }
        if let Some(account) = self.account_mut(charge.account)
            && charge.account_balance.is_some()
        {
            account.budget.balance = charge.account_balance;
            changes.accounts.insert(charge.account);
        }
        changes.tokens.insert(charge.token);
        changes.journal.push(JournalEntry {
            time: now,
            kind: bill.kind,
            account: charge.account,
            token: Some(charge.token),
            hold: Some(id),
            token_delta_nanos: charge.token_delta_nanos,
            account_delta_nanos: charge.account_delta_nanos,
            cost: charge.cost,
            certainty: Some(bill.certainty),
            label: Some(bill.label),
            usage: bill.usage,
            price_version: bill.price_version,
        });
    }
}

// === impl Bill ===

impl Bill {
    /// Whoever does not know under what to book it leaves that to the admission.
    fn labelled(self, hold: &Hold) -> Self {
        if *self.label == ChargeLabel::default() { Self { label: Arc::clone(&hold.label), ..self } } else { self }
    }
}

/// The bill of a hold of which nobody knows what it cost.
fn uncertain(kind: EntryKind, hold: &Hold) -> Bill {
    Bill { kind, cost: hold.amount, certainty: Certainty::Uncertain, usage: Usage::default(), label: Arc::clone(&hold.label), price_version: Arc::default() }
}
