//! What operations leave for a store to write. Rows are named by id, not copied: whatever changed several times in a batch is written once.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::AccountId;
use crate::ledger::types::{Certainty, ChargeLabel, HoldId};
use crate::maps::{Map, Set};
use crate::money::Usd;
use crate::prices::{Unit, Usage};
use crate::tokens::{SecretHash, TokenId};

/// What a store has to write after one or more operations.
#[derive(Debug, Default)]
pub struct Changes {
    /// New entries of the journal, in order.
    pub journal: Vec<JournalEntry>,
    /// Tokens whose figures (balance, held, spent, times) changed.
    pub tokens: Set<TokenId>,
    /// Tokens that are new, or of which anything else changed too.
    pub identities: Set<TokenId>,
    /// Accounts that are new or changed.
    pub accounts: Set<AccountId>,
    /// Holds that were made, changed or ended.
    pub holds: Map<HoldId, HoldChange>,
    /// Tombstones that were made, changed or dropped.
    pub tombstones: Set<HoldId>,
    /// What to add to the daily usage.
    pub usage: Map<UsageKey, UsageDelta>,
    /// Secrets that open nothing any more.
    pub dropped_secrets: Vec<SecretHash>,
    /// Whether a main key changed.
    pub main_keys: bool,
}

/// Whether the store has a row of a hold already: one that began and ended in the same batch is never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldChange {
    /// Made in this batch.
    New,
    /// Made before.
    Stored,
}

/// Why a figure changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// The first balance of a token.
    Grant,
    /// A balance was set by hand.
    Adjust,
    /// A balance was set by its period.
    Reset,
    /// A request was charged.
    Charge,
    /// A hold whose lease ran out was charged at its amount.
    Expire,
    /// A charge of that kind was lowered, because somebody knew better in the end.
    Correct,
}

/// One line of the journal. The sum of the deltas of a budget is its balance; the sum of the costs of a token is what it spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// When.
    pub time: Timestamp,
    /// Why.
    pub kind: EntryKind,
    /// The account.
    pub account: AccountId,
    /// The token, where it is about one.
    pub token: Option<TokenId>,
    /// The hold that ended.
    pub hold: Option<HoldId>,
    /// By how many nano-dollars the token's balance changed.
    pub token_delta_nanos: i64,
    /// By how many nano-dollars the account's balance changed.
    pub account_delta_nanos: i64,
    /// What was charged, enforced or not; negative in a correction.
    pub cost: Usd,
    /// How sure the charge is.
    pub certainty: Option<Certainty>,
    /// Under what it is booked.
    pub label: Option<Arc<ChargeLabel>>,
    /// What was consumed.
    pub usage: Usage,
    /// The version of the price book.
    pub price_version: Arc<str>,
}

/// A row of the daily usage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UsageKey {
    /// The day in the configured time zone.
    pub day: Date,
    /// The token.
    pub token: TokenId,
    /// Provider, model and feature.
    pub label: Arc<ChargeLabel>,
}

/// What is added to a row. Corrections take away what they replace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageDelta {
    /// Requests.
    pub requests: i64,
    /// Nano-dollars.
    pub cost_nanos: i64,
    /// Requests whose charge is not exact.
    pub estimated: i64,
    /// Units consumed.
    pub usage: Usage,
}

// === impl Changes ===

impl Changes {
    /// Nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.journal.is_empty()
            && self.tokens.is_empty()
            && self.identities.is_empty()
            && self.accounts.is_empty()
            && self.holds.is_empty()
            && self.tombstones.is_empty()
            && self.usage.is_empty()
    }

    /// Forgets all of it, and keeps the room.
    pub fn clear(&mut self) {
        let Self { journal, tokens, identities, accounts, holds, tombstones, usage, dropped_secrets, main_keys } = self;
        journal.clear();
        tokens.clear();
        identities.clear();
        accounts.clear();
        holds.clear();
        tombstones.clear();
        usage.clear();
        dropped_secrets.clear();
        *main_keys = false;
    }

    pub(super) fn hold_made(&mut self, id: HoldId) {
        self.holds.entry(id).or_insert(HoldChange::New);
    }

    pub(super) fn hold_touched(&mut self, id: HoldId) {
        self.holds.entry(id).or_insert(HoldChange::Stored);
    }

    pub(super) fn add_usage(&mut self, key: UsageKey, delta: UsageDelta) {
        let sum = self.usage.entry(key).or_default();
        sum.requests += delta.requests;
        sum.cost_nanos = sum.cost_nanos.saturating_add(delta.cost_nanos);
        sum.estimated += delta.estimated;
        for (unit, count) in delta.usage.iter() {
            sum.usage.set(unit, sum.usage.get(unit).saturating_add(count));
        }
    }
}

// === impl EntryKind ===

impl EntryKind {
    /// Its name in the journal.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Adjust => "adjust",
            Self::Reset => "reset",
            Self::Charge => "charge",
            Self::Expire => "expire",
            Self::Correct => "correct",
        }
    }
}

// === impl JournalEntry ===

impl JournalEntry {
    /// An entry about a balance, not about a request.
    pub(super) fn balance(time: Timestamp, kind: EntryKind, account: AccountId, token: Option<TokenId>) -> Self {
        Self {
            time,
            kind,
            account,
            token,
            hold: None,
            token_delta_nanos: 0,
            account_delta_nanos: 0,
            cost: Usd::ZERO,
            certainty: None,
            label: None,
            usage: Usage::default(),
            price_version: Arc::default(),
        }
    }

    /// The units of its usage as text: `input=12 output=3`.
    #[must_use]
    pub fn usage_text(&self) -> String {
        let mut text = String::new();
        for unit in Unit::ALL {
            let count = self.usage.get(unit);
            if count > 0 {
                let gap = if text.is_empty() { "" } else { " " };
                // Writing to a String cannot fail.
                let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{gap}{}={count}", unit.name()));
            }
        }
        text
    }
}
