//! A change of a token, decided as a whole before anything is written: so that it can be tried first, and so that all errors come together.

use jiff::Timestamp;

use super::period::next_reset;
use super::state::{State, Token, whole_millis};
use super::{Changes, EntryKind, JournalEntry};
use crate::money::Usd;
use crate::tokens::{BudgetReset, TokenPatch, TokenRuleError, TokenView};

/// What a patch makes of a token.
struct Plan {
    balance: Option<Usd>,
    active_balance: bool,
    reset: Option<BudgetReset>,
    /// The period begins now, rather than going on.
    new_period: bool,
    expire_time: Option<Timestamp>,
}

impl State {
    /// Changes a token, or only tries to (`dry_run`) and shows what it would be. None where there is no such token.
    ///
    /// # Errors
    /// Every rule that it breaks, together. Nothing changes then.
    pub fn update_token(
        &mut self,
        now: Timestamp,
        account: &str,
        name: &str,
        patch: &TokenPatch,
        dry_run: bool,
        changes: &mut Changes,
    ) -> Option<Result<TokenView, Vec<TokenRuleError>>> {
        let id = *self.account_named(account)?.names.get(name)?;
        if !dry_run {
            self.reset_if_due(id, now, changes);
        }
        let view = self.view(id, now)?;
        let token = self.tokens.get(&id)?;
        let plan = match plan(token, view.balance, patch) {
            Ok(plan) => plan,
            Err(errors) => return Some(Err(errors)),
        };
        let resets_at = match plan.reset {
            Some(reset) if plan.new_period => next_reset(reset.period, now, &self.zone),
            Some(_) => view.resets_at,
            None => None,
        };
        if dry_run {
            let Plan { balance, active_balance, reset, expire_time, .. } = plan;
            return Some(Ok(TokenView { balance, active_balance, reset, resets_at, expire_time, ..view }));
        }
        let token = self.tokens.get_mut(&id)?;
        if token.budget.balance != plan.balance {
            let mut entry = JournalEntry::balance(now, EntryKind::Adjust, token.account, Some(id));
            entry.token_delta_nanos = token.budget.set(plan.balance);
            changes.journal.push(entry);
        }
        token.active_balance = plan.active_balance;
        token.reset = plan.reset;
        token.resets_at = resets_at;
        token.expire_time = plan.expire_time;
        changes.identities.insert(id);
        self.view(id, now).map(Ok)
    }
}

/// Decides what `patch` makes of `token`, whose balance is `balance` now.
fn plan(token: &Token, balance: Option<Usd>, patch: &TokenPatch) -> Result<Plan, Vec<TokenRuleError>> {
    let mut errors = Vec::new();
    let old_period = token.reset.map(|reset| reset.period);
    let period = patch.reset_period.unwrap_or(old_period);
    let amount = patch.reset_amount.unwrap_or(token.reset.map(|reset| reset.amount));
    if period.is_some() && amount.is_none() {
        errors.push(TokenRuleError::NoResetAmount);
    }
    let new_period = period.is_some() && period != old_period;
    // Setting a period turns enforcement on; repeating the one that is set does so too, unless the same request says otherwise.
    let active_balance = new_period || patch.active_balance.unwrap_or(token.active_balance || patch.reset_period.flatten().is_some());
    let turned_on = active_balance && !token.active_balance;
    let mut balance = patch.balance.unwrap_or(balance);
    if balance.is_none() && (new_period || turned_on) && period.is_some() {
        balance = amount;
    }
    // A missing amount is reported once, as such.
    if active_balance && balance.is_none() && errors.is_empty() {
        errors.push(TokenRuleError::NoBalanceToEnforce);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let reset = period.zip(amount).map(|(period, amount)| BudgetReset { period, amount });
    Ok(Plan { balance, active_balance, reset, new_period, expire_time: patch.expire_time.map_or(token.expire_time, |time| time.map(whole_millis)) })
}
