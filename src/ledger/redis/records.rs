//! What is stored of a token, as the scripts write it: its identity, as JSON, and its figures, as words.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::codec::{amount, moment, senseless};
use super::keys::{hex, unhex};
use super::script::CallError;
use crate::ledger::rules::{StoredSecret, next_reset};
use crate::ledger::types::TokenFacts;
use crate::money::Usd;
use crate::tokens::{BudgetReset, ResetPeriod, SecretHash, TokenId, TokenKind, TokenView};

/// What a token is, as opposed to what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Unique among the account's live tokens.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) kind: TokenKind,
    /// Its secrets, the newest last.
    pub(crate) secrets: Vec<StoredSecret>,
    /// Whether the balance is checked and charged.
    pub(crate) active_balance: bool,
    /// The periodic reset.
    pub(crate) reset: Option<BudgetReset>,
    /// From when on it is refused.
    pub(crate) expire_time: Option<Timestamp>,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// Since when it is deleted.
    pub(crate) deleted_at: Option<Timestamp>,
}

/// What a token has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    /// What is left to spend, if a figure was ever set.
    pub(crate) balance: Option<Usd>,
    /// The sum of live holds that stand on its balance.
    pub(crate) held: Usd,
    /// How often the balance was set absolutely.
    pub(crate) sets: u64,
    /// All that it ever cost, enforced or not.
    pub(crate) spent: Usd,
    /// When the balance is next set anew.
    pub(crate) resets_at: Option<Timestamp>,
    /// When a request of it was last admitted.
    pub(crate) last_used_at: Option<Timestamp>,
}

/// What the stages before admission have to know of a live token.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Of the token.
    pub(crate) token: TokenFacts,
    /// Its secrets with their ends: whoever keeps the facts has to look at the time again.
    pub(crate) secrets: Vec<StoredSecret>,
}

/// An identity as it is spelt: every value a text, since Lua's JSON does not print large numbers exactly.
#[derive(Serialize, Deserialize)]
struct Spelt {
    name: String,
    kind: String,
    secrets: Vec<(String, String, String)>,
    active: String,
    period: String,
    reset_amount: String,
    expires: String,
    created: String,
    deleted: String,
}

// === impl Identity ===

impl Identity {
    /// Reads the JSON of an identity.
    ///
    /// # Errors
    /// Where it is not one that a script wrote.
    pub(crate) fn read(text: &str) -> Result<Self, CallError> {
        serde_json::from_str(text).ok().and_then(Self::of).ok_or_else(|| senseless("a token's identity"))
    }

    fn of(spelt: Spelt) -> Option<Self> {
        let mut secrets = Vec::with_capacity(spelt.secrets.len());
        for (hash, masked, ends) in spelt.secrets {
            secrets.push(StoredSecret { hash: SecretHash(unhex(&hash)?), masked, ends_at: unless(&ends, "", moment)? });
        }
        let reset = match spelt.period.as_str() {
            "" => None,
            period => Some(BudgetReset { period: ResetPeriod::from_name(period)?, amount: amount(&spelt.reset_amount)? }),
        };
        Some(Self {
            name: spelt.name,
            kind: TokenKind::from_name(&spelt.kind)?,
            secrets,
            active_balance: spelt.active == "1",
            reset,
            expire_time: unless(&spelt.expires, "", moment)?,
            created_at: moment(&spelt.created)?,
            deleted_at: unless(&spelt.deleted, "", moment)?,
        })
    }

    /// The JSON of it, as the scripts write it.
    pub(crate) fn text(&self) -> String {
        let millis = |time: Option<Timestamp>| time.map(|time| time.as_millisecond().to_string()).unwrap_or_default();
        let secrets = self.secrets.iter().map(|secret| (hex(&secret.hash.0), secret.masked.clone(), millis(secret.ends_at)));
        let spelt = Spelt {
            name: self.name.clone(),
            kind: self.kind.name().to_owned(),
            secrets: secrets.collect(),
            active: if self.active_balance { "1" } else { "0" }.to_owned(),
            period: self.reset.map(|reset| reset.period.name().to_owned()).unwrap_or_default(),
            reset_amount: self.reset.map(|reset| reset.amount.nanos().to_string()).unwrap_or_default(),
            expires: millis(self.expire_time),
            created: millis(Some(self.created_at)),
            deleted: millis(self.deleted_at),
        };
        // Writing texts to memory cannot fail.
        serde_json::to_string(&spelt).unwrap_or_default()
    }

    /// As the stages before admission need it.
    pub(crate) fn facts(self, account: &str, id: TokenId) -> Facts {
        let token = TokenFacts { id, account: account.into(), name: self.name.into(), kind: self.kind, expire_time: self.expire_time };
        Facts { token, secrets: self.secrets }
    }

    /// The token as it is shown. A reset that is due is shown as done, though the next operation on the token will write it.
    pub(crate) fn view(self, account: &str, id: TokenId, figures: &Figures, now: Timestamp, zone: &TimeZone) -> TokenView {
        let due = self.reset.filter(|_| figures.resets_at.is_some_and(|at| now >= at));
        TokenView {
            id,
            account: account.to_owned(),
            name: self.name,
            kind: self.kind,
            masked_secret: self.secrets.into_iter().next_back().map(|secret| secret.masked).unwrap_or_default(),
            balance: due.map_or(figures.balance, |reset| Some(reset.amount)),
            active_balance: self.active_balance,
            reset: self.reset,
            resets_at: due.map_or(figures.resets_at, |reset| next_reset(reset.period, now, zone)),
            held: figures.held,
            spent: figures.spent,
            expire_time: self.expire_time,
            created_at: self.created_at,
            last_used_at: figures.last_used_at,
        }
    }
}

// === impl Figures ===

impl Figures {
    /// Reads `balance held sets spent resets used`.
    ///
    /// # Errors
    /// Where it is not what a script wrote.
    pub(crate) fn read(text: &str) -> Result<Self, CallError> {
        Self::of(text).ok_or_else(|| senseless("a token's figures"))
    }

    /// `balance held sets spent resets used`.
    pub(crate) fn text(&self) -> String {
        let Self { balance, held, sets, spent, resets_at, last_used_at } = self;
        let nanos = |amount: Option<Usd>| amount.map_or("-".to_owned(), |amount| amount.nanos().to_string());
        let millis = |time: Option<Timestamp>| time.map_or("-".to_owned(), |time| time.as_millisecond().to_string());
        format!("{} {} {sets} {} {} {}", nanos(*balance), held.nanos(), spent.nanos(), millis(*resets_at), millis(*last_used_at))
    }

    fn of(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next();
        Some(Self {
            balance: unless(next()?, "-", amount)?,
            held: amount(next()?)?,
            sets: next()?.parse().ok()?,
            spent: amount(next()?)?,
            resets_at: unless(next()?, "-", moment)?,
            last_used_at: unless(next()?, "-", moment)?,
        })
    }
}

/// Inside, nothing where `text` is the word for none; outside, nothing where it cannot be read.
#[allow(clippy::option_option)]
fn unless<T>(text: &str, none: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text == none { Some(None) } else { read(text).map(Some) }
}
