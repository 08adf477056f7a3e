//! What the ledger knows: accounts, tokens, live holds with their leases in order, and the tombstones of holds that ended without an answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Changes;
use crate::ledger::types::{ChargeLabel, HoldId};
use crate::maps::Map;
use crate::money::{MoneyError, Usd};
use crate::tokens::{BudgetReset, SecretHash, TokenId, TokenKind};

/// An account's identity: its place in the order of creation. Accounts are never deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u32);

/// A balance and what is held of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// What is left to spend; none where no figure was ever set.
    pub balance: Option<Usd>,
    /// The sum of the live holds that stand on it.
    pub held: Usd,
    /// How often the balance was set absolutely. A charge made before that is not given back into the new figure.
    pub sets: u64,
}

/// An account: the tenant that owns tokens.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its identity.
    pub id: AccountId,
    /// Its name, unique.
    pub name: Arc<str>,
    /// The hash of its main API key.
    pub main_key: Option<SecretHash>,
    /// The budget above all of its tokens: enforced whenever a balance is set.
    pub budget: Budget,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its live tokens, in order of creation.
    pub(super) tokens: BTreeSet<TokenId>,
    /// Its live tokens by name.
    pub(super) names: Map<Arc<str>, TokenId>,
    /// Its live holds, the one that ends first in front.
    pub(super) leases: BTreeSet<(Timestamp, HoldId)>,
}

/// A secret as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecret {
    /// What a presented secret is compared with.
    pub hash: SecretHash,
    /// What may be shown of it.
    pub masked: String,
    /// From when on it opens nothing: the end of the grace period after a rotation.
    pub ends_at: Option<Timestamp>,
}

/// A token.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its identity.
    pub id: TokenId,
    /// Whose it is.
    pub account: AccountId,
    /// Unique among the account's live tokens.
    pub name: Arc<str>,
    /// What it is for.
    pub kind: TokenKind,
    /// Its secrets, the newest last.
    pub secrets: Vec<StoredSecret>,
    /// Its budget; enforced where `active_balance` is on.
    pub budget: Budget,
    /// Whether the balance is checked and charged.
    pub active_balance: bool,
    /// The periodic reset.
    pub reset: Option<BudgetReset>,
    /// When it is next due.
    pub resets_at: Option<Timestamp>,
    /// All that it ever cost, enforced or not.
    pub spent: Usd,
    /// From when on it is refused.
    pub expire_time: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a request of it was last admitted.
    pub last_used_at: Option<Timestamp>,
    /// Since when it is deleted.
    pub deleted_at: Option<Timestamp>,
    /// Live holds and expired ones that may still be corrected: a deleted token is kept in memory until there are none.
    /// Counted by the rules; zero in a token that is restored before its holds.
    pub unfinished: u32,
}

/// Money set aside for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Whose request.
    pub token: TokenId,
    /// Whose token.
    pub account: AccountId,
    /// How much.
    pub amount: Usd,
    /// Whether it stands on the token's budget.
    pub on_token: bool,
    /// Whether it stands on the account's budget.
    pub on_account: bool,
    /// When it expires unless it is renewed.
    pub lease_end: Timestamp,
    /// Under what it is booked, should it expire.
    pub label: Arc<ChargeLabel>,
}

/// What is remembered of a hold id that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Until when.
    pub ends_at: Timestamp,
    /// The expired hold, as long as it was not corrected; none for an id that was voided, or corrected already.
    pub expired: Option<Expired>,
}

/// A hold that was charged at its amount because nobody said how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The hold as it was.
    pub hold: Hold,
    /// When it was charged.
    pub expired_at: Timestamp,
    /// [`Budget::sets`] of the token's budget then.
    pub token_sets: u64,
    /// [`Budget::sets`] of the account's budget then.
    pub account_sets: u64,
}

/// The whole ledger in memory.
#[derive(Debug)]
pub struct State {
    pub(super) zone: TimeZone,
    pub(super) accounts: Vec<Account>,
    pub(super) account_ids: Map<Arc<str>, AccountId>,
    /// In boxes: a table has up to twice the places that it needs.
    pub(super) tokens: Map<TokenId, Box<Token>>,
    pub(super) holds: Map<HoldId, Hold>,
    pub(super) tombstones: Map<HoldId, Tombstone>,
    pub(super) tombstone_ends: BTreeSet<(Timestamp, HoldId)>,
    pub(super) next_token: u64,
}

/// The moment `duration` after `now`, in whole milliseconds; the end of time where it is beyond.
pub(super) fn later(now: Timestamp, duration: Duration) -> Timestamp {
    let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(now.as_millisecond().saturating_add(millis)).unwrap_or(Timestamp::MAX)
}

/// `time` cut to whole milliseconds, as it is stored.
pub(super) fn whole_millis(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

// === impl Budget ===

impl Budget {
    /// What can still be set aside; none where there is no balance.
    #[must_use]
    pub fn free(&self) -> Option<Usd> {
        self.balance.map(|balance| Usd::saturating_from_nanos(i128::from(balance.nanos()) - i128::from(self.held.nanos())))
    }

    /// Sets the balance absolutely. Returns by how many nano-dollars it changed; an unset balance counts as nothing.
    pub(super) fn set(&mut self, balance: Option<Usd>) -> i64 {
        let before = self.balance.unwrap_or(Usd::ZERO).nanos();
        self.balance = balance;
        self.sets += 1;
        // Both are within 2^53.
        balance.unwrap_or(Usd::ZERO).nanos() - before
    }

    /// The balance after a charge of `cost` (a correction, where negative). An unset balance stays unset.
    pub(super) fn after(&self, cost: Usd) -> Result<Option<Usd>, MoneyError> {
        self.balance.map(|balance| balance.minus(cost)).transpose()
    }

    /// Gives back what a hold had set aside.
    pub(super) fn release(&mut self, amount: Usd) {
        debug_assert!(self.held >= amount, "held is the sum of live holds");
        self.held = Usd::saturating_from_nanos(i128::from(self.held.nanos()) - i128::from(amount.nanos()));
    }
}

// === impl Account ===

impl Account {
    /// An account with no tokens yet.
    #[must_use]
    pub fn new(id: AccountId, name: Arc<str>, created_at: Timestamp) -> Self {
        Self { id, name, main_key: None, budget: Budget::default(), created_at, tokens: BTreeSet::new(), names: Map::default(), leases: BTreeSet::new() }
    }
}

// === impl Token ===

impl Token {
    /// Whether requests are held against its own balance.
    #[must_use]
    pub fn enforced(&self) -> bool {
        self.active_balance && self.budget.balance.is_some()
    }

    /// Whether a presented secret opens it now.
    #[must_use]
    pub fn opens_with(&self, secret: &SecretHash, now: Timestamp) -> bool {
        self.deleted_at.is_none() && self.secrets.iter().any(|stored| stored.hash.matches(secret) && stored.ends_at.is_none_or(|end| now < end))
    }
}

// === impl State ===

impl State {
    /// An empty ledger whose periods begin at midnight in `zone`.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            accounts: Vec::new(),
            account_ids: Map::default(),
            tokens: Map::default(),
            holds: Map::default(),
            tombstones: Map::default(),
            tombstone_ends: BTreeSet::new(),
            next_token: 1,
        }
    }

    // -- Restoring what a store has kept: accounts first, in order of their ids, then tokens, then holds and tombstones.

    /// Takes back an account. False where its id is not the next one.
    pub fn restore_account(&mut self, account: Account) -> bool {
        if account.id.0 as usize != self.accounts.len() {
            return false;
        }
        self.account_ids.insert(account.name.clone(), account.id);
        self.accounts.push(account);
        true
    }

    /// Takes back a token. False where its account is not there.
    pub fn restore_token(&mut self, token: Token) -> bool {
        self.insert_token(token)
    }

    /// Never gives out a token id up to `id` again.
    pub fn restore_last_token(&mut self, id: u64) {
        self.next_token = self.next_token.max(id.saturating_add(1));
    }

    /// Takes back a live hold. False where its token is not there.
    pub fn restore_hold(&mut self, id: HoldId, hold: Hold) -> bool {
        self.insert_hold(id, hold)
    }

    /// Takes back a tombstone.
    pub fn restore_tombstone(&mut self, id: HoldId, tombstone: Tombstone) {
        self.insert_tombstone(id, tombstone);
    }

    // -- Reading.

    /// Every account, in order of creation.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// An account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(id.0 as usize)
    }

    /// An account by its name.
    #[must_use]
    pub fn account_named(&self, name: &str) -> Option<&Account> {
        self.account(*self.account_ids.get(name)?)
    }

    /// A token that is live, or deleted with requests still in flight.
    #[must_use]
    pub fn token(&self, id: TokenId) -> Option<&Token> {
        self.tokens.get(&id).map(Box::as_ref)
    }

    /// Every token in memory, in no order.
    pub fn tokens(&self) -> impl ExactSizeIterator<Item = &Token> {
        self.tokens.values().map(Box::as_ref)
    }

    /// A live hold.
    #[must_use]
    pub fn hold(&self, id: HoldId) -> Option<&Hold> {
        self.holds.get(&id)
    }

    /// Every live hold, in no order.
    pub fn holds(&self) -> impl Iterator<Item = (HoldId, &Hold)> {
        self.holds.iter().map(|(id, hold)| (*id, hold))
    }

    /// A tombstone.
    #[must_use]
    pub fn tombstone(&self, id: HoldId) -> Option<&Tombstone> {
        self.tombstones.get(&id)
    }

    /// Lets go of deleted tokens whose last request has ended. To be called when `changes` are stored.
    pub fn stored(&mut self, changes: &Changes) {
        for id in &changes.tokens {
            if self.tokens.get(id).is_some_and(|token| token.deleted_at.is_some() && token.unfinished == 0) {
                self.tokens.remove(id);
            }
        }
    }

    // -- What the operations share.

    pub(super) fn account_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.accounts.get_mut(id.0 as usize)
    }

    pub(super) fn insert_token(&mut self, token: Token) -> bool {
        let Some(account) = self.accounts.get_mut(token.account.0 as usize) else { return false };
        if token.deleted_at.is_none() {
            account.tokens.insert(token.id);
            account.names.insert(token.name.clone(), token.id);
        }
        self.next_token = self.next_token.max(token.id.0.saturating_add(1));
        self.tokens.insert(token.id, Box::new(token));
        true
    }

    /// Adds a live hold to the indexes. The budgets' sums are the caller's.
    pub(super) fn insert_hold(&mut self, id: HoldId, hold: Hold) -> bool {
        let (Some(token), Some(account)) = (self.tokens.get_mut(&hold.token), self.accounts.get_mut(hold.account.0 as usize)) else { return false };
        token.unfinished += 1;
        account.leases.insert((hold.lease_end, id));
        self.holds.insert(id, hold);
        true
    }

    /// Takes a live hold away and gives back what it had set aside.
    pub(super) fn remove_hold(&mut self, id: HoldId) -> Option<Hold> {
        let hold = self.holds.remove(&id)?;
        if let Some(account) = self.accounts.get_mut(hold.account.0 as usize) {
            account.leases.remove(&(hold.lease_end, id));
            if hold.on_account {
                account.budget.release(hold.amount);
            }
        }
        if let Some(token) = self.tokens.get_mut(&hold.token) {
            token.unfinished = token.unfinished.saturating_sub(1);
            if hold.on_token {
                token.budget.release(hold.amount);
            }
        }
        Some(hold)
    }

    pub(super) fn insert_tombstone(&mut self, id: HoldId, tombstone: Tombstone) {
        self.remove_tombstone(id);
        if let Some(token) = tombstone.expired.as_ref().and_then(|expired| self.tokens.get_mut(&expired.hold.token)) {
            token.unfinished += 1;
        }
        self.tombstone_ends.insert((tombstone.ends_at, id));
        self.tombstones.insert(id, tombstone);
    }

    pub(super) fn remove_tombstone(&mut self, id: HoldId) -> Option<Tombstone> {
        let tombstone = self.tombstones.remove(&id)?;
        self.tombstone_ends.remove(&(tombstone.ends_at, id));
        if let Some(token) = tombstone.expired.as_ref().and_then(|expired| self.tokens.get_mut(&expired.hold.token)) {
            token.unfinished = token.unfinished.saturating_sub(1);
        }
        Some(tombstone)
    }
}
