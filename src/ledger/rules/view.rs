//! What is shown of accounts and tokens. A reset that is due is shown as done, though the next operation on the token will write it.

use jiff::Timestamp;

use super::period::next_reset;
use super::state::{State, Token};
use crate::money::Usd;
use crate::tokens::{TokenId, TokenView};

impl State {
    /// A token as it is shown.
    pub(super) fn show(&self, token: &Token, now: Timestamp) -> TokenView {
        let due = token.reset.filter(|_| token.resets_at.is_some_and(|at| now >= at));
        TokenView {
            id: token.id,
            account: self.account(token.account).map(|account| account.name.to_string()).unwrap_or_default(),
            name: token.name.to_string(),
            kind: token.kind,
            masked_secret: token.secrets.last().map(|secret| secret.masked.clone()).unwrap_or_default(),
            balance: due.map_or(token.budget.balance, |reset| Some(reset.amount)),
            active_balance: token.active_balance,
            reset: token.reset,
            resets_at: due.map_or(token.resets_at, |reset| next_reset(reset.period, now, &self.zone)),
            held: token.budget.held,
            spent: token.spent,
            expire_time: token.expire_time,
            created_at: token.created_at,
            last_used_at: token.last_used_at,
        }
    }

    /// A live token.
    #[must_use]
    pub fn view(&self, id: TokenId, now: Timestamp) -> Option<TokenView> {
        self.token(id).filter(|token| token.deleted_at.is_none()).map(|token| self.show(token, now))
    }

    /// A live token by its name.
    #[must_use]
    pub fn view_named(&self, account: &str, name: &str, now: Timestamp) -> Option<TokenView> {
        self.view(*self.account_named(account)?.names.get(name)?, now)
    }

    /// The live tokens of an account, in order of creation.
    #[must_use]
    pub fn views(&self, account: &str, now: Timestamp) -> Vec<TokenView> {
        let Some(account) = self.account_named(account) else { return Vec::new() };
        account.tokens.iter().filter_map(|id| self.view(*id, now)).collect()
    }

    /// Up to `most` live tokens of one account after the token `after`, in order of creation: to go through many, a few at a time.
    #[must_use]
    pub fn views_after(&self, account: &str, after: TokenId, most: usize, now: Timestamp) -> Vec<TokenView> {
        let Some(account) = self.account_named(account) else { return Vec::new() };
        let from = TokenId(after.0.saturating_add(1));
        account.tokens.range(from..).take(most).filter_map(|id| self.view(*id, now)).collect()
    }

    /// The account's own balance.
    #[must_use]
    pub fn credits(&self, account: &str) -> Option<Usd> {
        self.account_named(account)?.budget.balance
    }
}
