//! Accounts and tokens: made, keyed, given money, rotated, deleted.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::period::next_reset;
use super::state::{Account, AccountId, Budget, State, StoredSecret, Token, later, whole_millis};
use super::{Changes, EntryKind, JournalEntry};
use crate::ledger::types::EnsuredAccount;
use crate::money::Usd;
use crate::tokens::{NewToken, SecretHash, TokenId, TokenRuleError, TokenView};

impl State {
    /// Makes an account unless it is there, and sets its main key where one is given.
    pub fn ensure_account(&mut self, now: Timestamp, name: &str, main_key: Option<SecretHash>, changes: &mut Changes) -> EnsuredAccount {
        let (id, created) = match self.account_ids.get(name) {
            Some(id) => (*id, false),
            None => {
                let id = AccountId(u32::try_from(self.accounts.len()).unwrap_or(u32::MAX));
                let name = Arc::<str>::from(name);
                self.accounts.push(Account::new(id, Arc::clone(&name), whole_millis(now)));
                self.account_ids.insert(name, id);
                changes.accounts.insert(id);
                (id, true)
            }
        };
        let Some(account) = self.account_mut(id) else { return EnsuredAccount { created, has_main_key: false, replaced_main_key: false } };
        let mut replaced_main_key = false;
        if main_key.is_some() && account.main_key != main_key {
            replaced_main_key = account.main_key.is_some();
            account.main_key = main_key;
            changes.accounts.insert(id);
            changes.main_keys = true;
        }
        EnsuredAccount { created, has_main_key: account.main_key.is_some(), replaced_main_key }
    }

    /// Sets the account's own balance, or takes its budget away. False where there is no such account.
    pub fn set_credits(&mut self, now: Timestamp, account: &str, balance: Option<Usd>, changes: &mut Changes) -> bool {
        let Some(account) = self.account_ids.get(account).copied().and_then(|id| self.account_mut(id)) else { return false };
        if account.budget.balance != balance {
            let mut entry = JournalEntry::balance(now, EntryKind::Adjust, account.id, None);
            entry.account_delta_nanos = account.budget.set(balance);
            changes.journal.push(entry);
            changes.accounts.insert(account.id);
        }
        true
    }

    /// Makes a token. None where there is no such account.
    ///
    /// # Errors
    /// Every rule that it breaks, together.
    pub fn create_token(
        &mut self,
        now: Timestamp,
        account: &str,
        new: NewToken,
        secret: SecretHash,
        masked: String,
        changes: &mut Changes,
    ) -> Option<Result<TokenView, Vec<TokenRuleError>>> {
        let account = self.account_named(account)?;
        let mut errors = Vec::new();
        if account.names.contains_key(new.name.as_str()) {
            errors.push(TokenRuleError::NameTaken);
        }
        // A period turns enforcement on, and gives the first balance where none is given.
        let active_balance = new.active_balance || new.reset.is_some();
        let balance = new.balance.or(new.reset.map(|reset| reset.amount));
        if active_balance && balance.is_none() {
            errors.push(TokenRuleError::NoBalanceToEnforce);
        }
        if !errors.is_empty() {
            return Some(Err(errors));
        }
        let mut token = Token {
            id: TokenId(self.next_token),
            account: account.id,
            name: new.name.into(),
            kind: new.kind,
            secrets: vec![StoredSecret { hash: secret, masked, ends_at: None }],
            budget: Budget::default(),
            active_balance,
            reset: new.reset,
            resets_at: new.reset.and_then(|reset| next_reset(reset.period, now, &self.zone)),
            spent: Usd::ZERO,
            expire_time: new.expire_time.map(whole_millis),
            created_at: whole_millis(now),
            last_used_at: None,
            deleted_at: None,
            unfinished: 0,
        };
        if balance.is_some() {
            let mut entry = JournalEntry::balance(now, EntryKind::Grant, token.account, Some(token.id));
            entry.token_delta_nanos = token.budget.set(balance);
            changes.journal.push(entry);
        }
        changes.identities.insert(token.id);
        let view = self.show(&token, now);
        self.insert_token(token);
        Some(Ok(view))
    }

    /// Gives a token a new secret. The old ones end with the grace period, or sooner where they were to. None where there is no such token.
    pub fn rotate_token(
        &mut self,
        now: Timestamp,
        account: &str,
        name: &str,
        (secret, masked): (SecretHash, String),
        grace: Duration,
        changes: &mut Changes,
    ) -> Option<TokenView> {
        let id = *self.account_named(account)?.names.get(name)?;
        let token = self.tokens.get_mut(&id)?;
        let grace_end = later(now, grace);
        for old in &mut token.secrets {
            old.ends_at = Some(old.ends_at.map_or(grace_end, |end| end.min(grace_end)));
        }
        let (live, over): (Vec<_>, Vec<_>) = token.secrets.drain(..).partition(|old| old.ends_at.is_none_or(|end| now < end));
        changes.dropped_secrets.extend(over.into_iter().map(|old| old.hash));
        token.secrets = live;
        token.secrets.push(StoredSecret { hash: secret, masked, ends_at: None });
        changes.identities.insert(id);
        self.view(id, now)
    }

    /// Deletes a token: its secrets open nothing, its name is free, its requests in flight settle as usual. False where there is no such token.
    pub fn delete_token(&mut self, now: Timestamp, account: &str, name: &str, changes: &mut Changes) -> bool {
        let Some(id) = self.account_named(account).and_then(|account| account.names.get(name).copied()) else { return false };
        // What was due before the end counts.
        self.reset_if_due(id, now, changes);
        let Some(token) = self.tokens.get_mut(&id) else { return false };
        token.deleted_at = Some(whole_millis(now));
        changes.dropped_secrets.extend(token.secrets.drain(..).map(|secret| secret.hash));
        changes.identities.insert(id);
        changes.tokens.insert(id);
        let account = token.account;
        if let Some(account) = self.account_mut(account) {
            account.names.remove(name);
            account.tokens.remove(&id);
        }
        true
    }
}
