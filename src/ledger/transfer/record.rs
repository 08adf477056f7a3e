//! The records: everything a ledger consists of, the same for every store. What a store derives (indexes, running clocks) is not in them.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::words::{Delta, Hex, Nanos, Time, Units, Word};
use crate::ledger::rules::EntryKind;
use crate::ledger::types::Certainty;
use crate::tokens::{ResetPeriod, TokenKind};

/// One thing that the ledger knows: one line of the file. An account comes before all that is of it, a token before all that names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "there is one at a time, on its way to a file")]
pub(crate) enum Record {
    /// An account.
    Account(AccountRecord),
    /// A token, also a deleted one.
    Token(Box<TokenRecord>),
    /// A live hold.
    Hold(HoldRecord),
    /// What is remembered of a hold that is gone.
    Tombstone(Box<TombstoneRecord>),
    /// The sums of journal entries that were trimmed.
    Checkpoint(CheckpointRecord),
    /// A row of the daily usage.
    Usage(UsageRecord),
    /// An entry of the journal; those of an account are in its order.
    Journal(Box<EntryRecord>),
}

/// An account and its budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountRecord {
    /// Its place in the order of creation, from 0.
    pub(crate) id: u32,
    pub(crate) name: String,
    /// The SHA-256 of its main API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) main_key: Option<Hex<32>>,
    /// What is left; none: no budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) balance: Option<Nanos>,
    pub(crate) held: Nanos,
    /// How often the balance was set absolutely.
    pub(crate) sets: u64,
    pub(crate) created: Time,
}

/// A token with its secrets' hashes and all of its figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRecord {
    /// Never used again, and kept in every store.
    pub(crate) id: u64,
    /// The account's id.
    pub(crate) account: u32,
    pub(crate) name: String,
    pub(crate) kind: Word<TokenKind>,
    /// Newest last; a deleted token has none.
    pub(crate) secrets: Vec<SecretRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) balance: Option<Nanos>,
    /// Whether the balance is enforced.
    pub(crate) active: bool,
    pub(crate) held: Nanos,
    pub(crate) sets: u64,
    pub(crate) spent: Nanos,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reset: Option<ResetRecord>,
    /// When the reset is next due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resets: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Time>,
    pub(crate) created: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_used: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleted: Option<Time>,
}

/// A secret, as far as it is known: its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretRecord {
    pub(crate) sha256: Hex<32>,
    pub(crate) masked: String,
    /// From when on it opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ends: Option<Time>,
}

/// A periodic reset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetRecord {
    pub(crate) period: Word<ResetPeriod>,
    pub(crate) amount: Nanos,
}

/// Under what a charge is booked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Label {
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) feature: String,
}

/// Money set aside for one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoldRecord {
    pub(crate) hold: Hex<16>,
    pub(crate) token: u64,
    pub(crate) amount: Nanos,
    /// Whether it stands on the token's budget.
    pub(crate) on_token: bool,
    /// Whether it stands on the account's budget.
    pub(crate) on_account: bool,
    pub(crate) lease_end: Time,
    pub(crate) label: Label,
}

/// What is remembered of a hold id that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TombstoneRecord {
    pub(crate) hold: Hex<16>,
    /// Whose, where that is known and does not follow from the token; none: the id is refused in every account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<u32>,
    /// Until when it is remembered.
    pub(crate) ends: Time,
    /// The hold, where it expired and can still be corrected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expired: Option<ExpiredRecord>,
}

/// A hold that was charged at its amount when its lease ran out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExpiredRecord {
    pub(crate) at: Time,
    /// The day of the usage row that it was booked in.
    pub(crate) day: Day,
    pub(crate) token: u64,
    pub(crate) amount: Nanos,
    pub(crate) on_token: bool,
    pub(crate) on_account: bool,
    pub(crate) lease_end: Time,
    /// How often the token's balance had been set then.
    pub(crate) token_sets: u64,
    /// How often the account's balance had been set then.
    pub(crate) account_sets: u64,
    pub(crate) label: Label,
}

/// The sums of what was trimmed from the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckpointRecord {
    /// The account's id.
    pub(crate) account: u32,
    /// The token; none: the sum of the account's own balance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<u64>,
    pub(crate) balance: Delta,
    /// What the token spent; nothing in an account's.
    pub(crate) cost: Delta,
}

/// A row of the daily usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsageRecord {
    pub(crate) day: Day,
    pub(crate) token: u64,
    pub(crate) label: Label,
    pub(crate) requests: i64,
    pub(crate) cost: Delta,
    /// Requests whose charge is not exact.
    pub(crate) estimated: i64,
    #[serde(default, skip_serializing_if = "Units::is_empty")]
    pub(crate) units: Units,
}

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntryRecord {
    pub(crate) time: Time,
    pub(crate) kind: Word<EntryKind>,
    /// The account's id.
    pub(crate) account: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<u64>,
    /// The hold that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hold: Option<Hex<16>>,
    pub(crate) token_delta: Delta,
    pub(crate) account_delta: Delta,
    pub(crate) cost: Nanos,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certainty: Option<Word<Certainty>>,
    /// There in an entry about a request, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<Label>,
    #[serde(default, skip_serializing_if = "Units::is_empty")]
    pub(crate) units: Units,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) price_version: String,
}

/// How many records of each kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Accounts.
    pub accounts: u64,
    /// Tokens, deleted ones too.
    pub tokens: u64,
    /// Live holds.
    pub holds: u64,
    /// Ids of holds that are remembered.
    pub tombstones: u64,
    /// Sums of what was trimmed from the journal.
    pub checkpoints: u64,
    /// Rows of the daily usage.
    pub usage: u64,
    /// Entries of the journal.
    pub journal: u64,
}

/// Which store a file came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoreKind {
    /// The embedded one.
    Sqlite,
    /// The shared one.
    Redis,
}

/// A day, `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day(pub(crate) Date);

// === impl Counts ===

impl Counts {
    /// Counts one more.
    pub(crate) fn add(&mut self, record: &Record) {
        let count = match record {
            Record::Account(_) => &mut self.accounts,
            Record::Token(_) => &mut self.tokens,
            Record::Hold(_) => &mut self.holds,
            Record::Tombstone(_) => &mut self.tombstones,
            Record::Checkpoint(_) => &mut self.checkpoints,
            Record::Usage(_) => &mut self.usage,
            Record::Journal(_) => &mut self.journal,
        };
        *count += 1;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { accounts, tokens, holds, tombstones, checkpoints, usage, journal } = self;
        write!(
            out,
            "{accounts} accounts, {tokens} tokens, {journal} journal entries, {checkpoints} checkpoints, {usage} usage rows, {holds} live holds, {tombstones} tombstones"
        )
    }
}

// === impl UsageRecord ===

impl UsageRecord {
    /// Nothing is in it: a correction took away what was.
    pub(crate) fn is_empty(&self) -> bool {
        self.requests == 0 && self.cost.0 == 0 && self.estimated == 0 && self.units.is_empty()
    }
}

// === impl Day ===

impl Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse::<Date>() {
            Ok(day) if day.to_string() == text => Ok(Self(day)),
            _ => Err(serde::de::Error::custom(format!("{text:?} is not a day; write for example \"2026-01-31\""))),
        }
    }
}
