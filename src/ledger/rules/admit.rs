//! Admission: one step, all or nothing.

use std::sync::Arc;

use jiff::Timestamp;

use super::mutation::{Mutation, mutated};
use super::state::{Budget, Hold, State, later};
use super::{AccountId, Changes};
use crate::ledger::types::{AdmitRequest, Admitted, BudgetScope, BudgetState, Denied};
use crate::money::{MoneyError, Usd};
use crate::tokens::{TokenId, TokenKind};

/// How many due holds of the account one admission expires.
const EXPIRED_A_CALL: usize = 16;

/// The answer to a request for admission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdmitReply {
    /// Yes.
    Granted {
        /// What was set aside.
        admitted: Admitted,
        /// Whether there is a hold to be ended: not for sandbox tokens.
        held: bool,
    },
    /// No.
    Denied(Denied),
}

/// An enforced budget above a request.
struct Enforced<'a> {
    scope: BudgetScope,
    name: &'a str,
    balance: Usd,
    held: Usd,
    free: Usd,
    resets_at: Option<Timestamp>,
}

// === impl Enforced ===

impl<'a> Enforced<'a> {
    fn new(scope: BudgetScope, name: &'a str, budget: &Budget, resets_at: Option<Timestamp>) -> Option<Self> {
        let balance = budget.balance?;
        let free = if mutated(Mutation::IgnoreHeld) { balance } else { budget.free()? };
        Some(Self { scope, name, balance, held: budget.held, free, resets_at })
    }

    fn state(&self, asked: Usd) -> BudgetState {
        BudgetState { scope: self.scope, name: self.name.to_owned(), balance: self.balance, held: self.held, asked, resets_at: self.resets_at }
    }

    /// Not even without other requests would it reach.
    fn falls_short(&self, least: Usd) -> bool {
        (!self.balance.is_positive() && !mutated(Mutation::AdmitAtZero)) || self.balance < least || (mutated(Mutation::NeverHeld) && self.free < least)
    }
}

// === impl State ===

impl State {
    /// Admits a request, and sets money aside for it on every enforced budget above its token, or on none.
    ///
    /// # Errors
    /// When an amount leaves the range that can be counted. Nothing is set aside then.
    pub fn admit(&mut self, now: Timestamp, request: &AdmitRequest, changes: &mut Changes) -> Result<AdmitReply, MoneyError> {
        let Some(account_id) = self.tokens.get(&request.token).filter(|token| token.opens_with(&request.secret, now)).map(|token| token.account) else {
            return Ok(AdmitReply::Denied(Denied::Unknown));
        };
        self.expire_due_of(account_id, now, EXPIRED_A_CALL, changes);
        self.reset_if_due(request.token, now, changes);
        if let Some(reply) = self.repeated(now, request) {
            return Ok(reply);
        }
        let (Some(token), Some(account)) = (self.tokens.get(&request.token), self.account(account_id)) else { return Ok(AdmitReply::Denied(Denied::Unknown)) };
        if let Some(since) = token.expire_time.filter(|end| now >= *end) {
            return Ok(AdmitReply::Denied(Denied::Expired { since }));
        }
        if token.kind == TokenKind::Sandbox {
            self.mark_used(request.token, now, changes);
            return Ok(AdmitReply::Granted { admitted: Admitted { amount: Usd::ZERO, budgeted: false, free_after: None }, held: false });
        }
        let want = request.want.max(Usd::ZERO);
        let least = request.least.max(Usd::ZERO).min(want);
        let on_token = token.enforced().then(|| Enforced::new(BudgetScope::Token, &token.name, &token.budget, token.resets_at)).flatten();
        let on_account = Enforced::new(BudgetScope::Account, &account.name, &account.budget, None).filter(|_| !mutated(Mutation::IgnoreAccount));
        let amount = match decide(on_token.as_ref(), on_account.as_ref(), want, least) {
            Ok(amount) => amount,
            Err(denied) => return Ok(AdmitReply::Denied(denied)),
        };
        let hold = Hold {
            token: request.token,
            account: account_id,
            amount,
            on_token: on_token.is_some(),
            on_account: on_account.is_some(),
            lease_end: later(now, request.lease),
            label: Arc::clone(&request.label),
        };
        let admitted = self.set_aside(&hold)?;
        if hold.on_account {
            changes.accounts.insert(account_id);
        }
        self.insert_hold(request.hold, hold);
        changes.hold_made(request.hold);
        self.mark_used(request.token, now, changes);
        Ok(AdmitReply::Granted { admitted, held: true })
    }

    /// The answer for a hold id that was seen before: the same grant again while it lives, and no second hold when it has ended without an answer.
    fn repeated(&self, now: Timestamp, request: &AdmitRequest) -> Option<AdmitReply> {
        if let Some(hold) = self.holds.get(&request.hold).filter(|_| !mutated(Mutation::RepeatHolds)) {
            if hold.token != request.token {
                return Some(AdmitReply::Denied(Denied::Voided));
            }
            return Some(AdmitReply::Granted { admitted: self.admitted(hold), held: true });
        }
        let tombstone = self.tombstones.get(&request.hold)?;
        (now < tombstone.ends_at).then_some(AdmitReply::Denied(Denied::Voided))
    }

    /// Adds the amount to what is held of every budget of the hold, or to none.
    fn set_aside(&mut self, hold: &Hold) -> Result<Admitted, MoneyError> {
        let (token_held, account_held) = self.held_with(hold, hold.amount)?;
        self.set_held(hold.token, hold.account, token_held, account_held);
        Ok(self.admitted(hold))
    }

    /// What would be held of the budgets of a hold with `more` set aside; none for a budget that it does not stand on.
    pub(super) fn held_with(&self, hold: &Hold, more: Usd) -> Result<(Option<Usd>, Option<Usd>), MoneyError> {
        let token = self.tokens.get(&hold.token).filter(|_| hold.on_token).map(|token| token.budget.held.plus(more)).transpose()?;
        let account = self.account(hold.account).filter(|_| hold.on_account).map(|account| account.budget.held.plus(more)).transpose()?;
        Ok((token, account))
    }

    pub(super) fn set_held(&mut self, token: TokenId, account: AccountId, token_held: Option<Usd>, account_held: Option<Usd>) {
        if let (Some(token), Some(held)) = (self.tokens.get_mut(&token), token_held) {
            token.budget.held = held;
        }
        if let (Some(account), Some(held)) = (self.account_mut(account), account_held) {
            account.budget.held = held;
        }
    }

    /// A hold as the ledger's yes.
    fn admitted(&self, hold: &Hold) -> Admitted {
        let token_free = self.tokens.get(&hold.token).filter(|_| hold.on_token).and_then(|token| token.budget.free());
        let account_free = self.account(hold.account).filter(|_| hold.on_account).and_then(|account| account.budget.free());
        Admitted { amount: hold.amount, budgeted: hold.on_token || hold.on_account, free_after: token_free.into_iter().chain(account_free).min() }
    }

    fn mark_used(&mut self, id: TokenId, now: Timestamp, changes: &mut Changes) {
        if let Some(token) = self.tokens.get_mut(&id) {
            token.last_used_at = Some(now);
            changes.tokens.insert(id);
        }
    }
}

/// How much is granted on all the enforced budgets, or which of them says no, and why.
fn decide(token: Option<&Enforced<'_>>, account: Option<&Enforced<'_>>, want: Usd, least: Usd) -> Result<Usd, Denied> {
    let budgets = || token.into_iter().chain(account);
    // The figure that a person has to raise is the lowest one of those that fall short.
    if let Some(short) = budgets().filter(|budget| budget.falls_short(least)).min_by_key(|budget| budget.balance) {
        return Err(Denied::Exhausted(short.state(least)));
    }
    let Some(tightest) = budgets().min_by_key(|budget| budget.free) else { return Ok(Usd::ZERO) };
    let granted = want.min(tightest.free);
    if granted < least { Err(Denied::Held(tightest.state(least))) } else { Ok(granted) }
}
