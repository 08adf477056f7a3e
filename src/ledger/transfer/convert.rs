//! Records from and to the types of the rules. A record names a hold's account by its token, so turning one back takes the account too.

use std::sync::Arc;

use super::record::{AccountRecord, Day, EntryRecord, ExpiredRecord, HoldRecord, Label, ResetRecord, SecretRecord, TokenRecord, TombstoneRecord, UsageRecord};
use super::words::{Delta, Hex, Nanos, Time, Units, Word};
use crate::ledger::rules::{Account, AccountId, Budget, Expired, Hold, JournalEntry, StoredSecret, Token, Tombstone, UsageDelta, UsageKey};
use crate::ledger::types::{ChargeLabel, HoldId};
use crate::tokens::{BudgetReset, SecretHash, TokenId};

// === impl Label ===

impl From<&ChargeLabel> for Label {
    fn from(label: &ChargeLabel) -> Self {
        Self { provider: label.provider.clone(), model: label.model.clone(), feature: label.feature.clone() }
    }
}

impl From<Label> for Arc<ChargeLabel> {
    fn from(label: Label) -> Self {
        Self::new(ChargeLabel { provider: label.provider, model: label.model, feature: label.feature })
    }
}

// === impl AccountRecord ===

impl From<&Account> for AccountRecord {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.0,
            name: account.name.to_string(),
            main_key: account.main_key.map(|key| Hex(key.0)),
            balance: account.budget.balance.map(Nanos),
            held: Nanos(account.budget.held),
            sets: account.budget.sets,
            created: Time(account.created_at),
        }
    }
}

/// The account of a record.
pub(crate) fn account_of(record: AccountRecord) -> Account {
    let mut account = Account::new(AccountId(record.id), record.name.into(), record.created.0);
    account.main_key = record.main_key.map(|key| SecretHash(key.0));
    account.budget = Budget { balance: record.balance.map(|balance| balance.0), held: record.held.0, sets: record.sets };
    account
}

// === impl TokenRecord ===

impl From<Token> for TokenRecord {
    fn from(token: Token) -> Self {
        let secret = |secret: StoredSecret| SecretRecord { sha256: Hex(secret.hash.0), masked: secret.masked, ends: secret.ends_at.map(Time) };
        Self {
            id: token.id.0,
            account: token.account.0,
            name: token.name.to_string(),
            kind: Word(token.kind),
            secrets: token.secrets.into_iter().map(secret).collect(),
            balance: token.budget.balance.map(Nanos),
            active: token.active_balance,
            held: Nanos(token.budget.held),
            sets: token.budget.sets,
            spent: Nanos(token.spent),
            reset: token.reset.map(|reset| ResetRecord { period: Word(reset.period), amount: Nanos(reset.amount) }),
            resets: token.resets_at.map(Time),
            expires: token.expire_time.map(Time),
            created: Time(token.created_at),
            last_used: token.last_used_at.map(Time),
            deleted: token.deleted_at.map(Time),
        }
    }
}

/// The token of a record.
pub(crate) fn token_of(record: TokenRecord) -> Token {
    let secret = |secret: SecretRecord| StoredSecret { hash: SecretHash(secret.sha256.0), masked: secret.masked, ends_at: secret.ends.map(|end| end.0) };
    Token {
        id: TokenId(record.id),
        account: AccountId(record.account),
        name: record.name.into(),
        kind: record.kind.0,
        secrets: record.secrets.into_iter().map(secret).collect(),
        budget: Budget { balance: record.balance.map(|balance| balance.0), held: record.held.0, sets: record.sets },
        active_balance: record.active,
        reset: record.reset.map(|reset| BudgetReset { period: reset.period.0, amount: reset.amount.0 }),
        resets_at: record.resets.map(|time| time.0),
        spent: record.spent.0,
        expire_time: record.expires.map(|time| time.0),
        created_at: record.created.0,
        last_used_at: record.last_used.map(|time| time.0),
        deleted_at: record.deleted.map(|time| time.0),
        unfinished: 0,
    }
}

// === impl HoldRecord ===

impl From<(HoldId, &Hold)> for HoldRecord {
    fn from((id, hold): (HoldId, &Hold)) -> Self {
        Self {
            hold: Hex(id.0),
            token: hold.token.0,
            amount: Nanos(hold.amount),
            on_token: hold.on_token,
            on_account: hold.on_account,
            lease_end: Time(hold.lease_end),
            label: Label::from(&*hold.label),
        }
    }
}

/// The hold of a record, of a token of `account`.
pub(crate) fn hold_of(record: HoldRecord, account: AccountId) -> (HoldId, Hold) {
    let hold = Hold {
        token: TokenId(record.token),
        account,
        amount: record.amount.0,
        on_token: record.on_token,
        on_account: record.on_account,
        lease_end: record.lease_end.0,
        label: record.label.into(),
    };
    (HoldId(record.hold.0), hold)
}

// === impl TombstoneRecord ===

impl TombstoneRecord {
    /// The record of a tombstone. `account`: whose, where it does not follow from the token; `day`: the one that an expired hold was booked on.
    pub(crate) fn of(id: HoldId, tombstone: &Tombstone, account: Option<u32>, day: impl Fn(&Expired) -> jiff::civil::Date) -> Self {
        let expired = tombstone.expired.as_ref().map(|expired| ExpiredRecord {
            at: Time(expired.expired_at),
            day: Day(day(expired)),
            token: expired.hold.token.0,
            amount: Nanos(expired.hold.amount),
            on_token: expired.hold.on_token,
            on_account: expired.hold.on_account,
            lease_end: Time(expired.hold.lease_end),
            token_sets: expired.token_sets,
            account_sets: expired.account_sets,
            label: Label::from(&*expired.hold.label),
        });
        Self { hold: Hex(id.0), account: account.filter(|_| expired.is_none()), ends: Time(tombstone.ends_at), expired }
    }
}

/// The tombstone of a record; `account` is that of the token of an expired hold.
pub(crate) fn tombstone_of(record: TombstoneRecord, account: AccountId) -> (HoldId, Tombstone) {
    let expired = record.expired.map(|expired| Expired {
        expired_at: expired.at.0,
        token_sets: expired.token_sets,
        account_sets: expired.account_sets,
        hold: Hold {
            token: TokenId(expired.token),
            account,
            amount: expired.amount.0,
            on_token: expired.on_token,
            on_account: expired.on_account,
            lease_end: expired.lease_end.0,
            label: expired.label.into(),
        },
    });
    (HoldId(record.hold.0), Tombstone { ends_at: record.ends.0, expired })
}

// === impl EntryRecord ===

impl From<JournalEntry> for EntryRecord {
    fn from(entry: JournalEntry) -> Self {
        Self {
            time: Time(entry.time),
            kind: Word(entry.kind),
            account: entry.account.0,
            token: entry.token.map(|token| token.0),
            hold: entry.hold.map(|hold| Hex(hold.0)),
            token_delta: Delta(entry.token_delta_nanos),
            account_delta: Delta(entry.account_delta_nanos),
            cost: Nanos(entry.cost),
            certainty: entry.certainty.map(Word),
            label: entry.label.as_deref().map(Label::from),
            units: Units(entry.usage),
            price_version: entry.price_version.to_string(),
        }
    }
}

/// The journal entry of a record.
pub(crate) fn journal_entry_of(record: EntryRecord) -> JournalEntry {
    JournalEntry {
        time: record.time.0,
        kind: record.kind.0,
        account: AccountId(record.account),
        token: record.token.map(TokenId),
        hold: record.hold.map(|hold| HoldId(hold.0)),
        token_delta_nanos: record.token_delta.0,
        account_delta_nanos: record.account_delta.0,
        cost: record.cost.0,
        certainty: record.certainty.map(|certainty| certainty.0),
        label: record.label.map(Arc::from),
        usage: record.units.0,
        price_version: record.price_version.into(),
    }
}

/// The row of the daily usage of a record.
pub(crate) fn usage_of(record: UsageRecord) -> (UsageKey, UsageDelta) {
    let key = UsageKey { day: record.day.0, token: TokenId(record.token), label: record.label.into() };
    (key, UsageDelta { requests: record.requests, cost_nanos: record.cost.0, estimated: record.estimated, usage: record.units.0 })
}
