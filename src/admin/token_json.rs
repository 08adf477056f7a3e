//! What a token looks like in answers.

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::Serializer;

use super::money_json::{Number, Text};
use crate::money::Usd;
use crate::tokens::{Secret, TokenView};

/// A token in an answer, in the order in which the fields are written.
#[derive(Serialize)]
pub(super) struct TokenJson<'a> {
    name: &'a str,
    token: &'a str,
    token_type: &'static str,
    balance: Option<Balance>,
    active_balance: bool,
    expire_time: Option<Time>,
    balance_reset_period: &'static str,
    balance_reset_amount: Option<Number>,
    resets_at: Option<Time>,
    held: Number,
    spent: Number,
    created_at: Time,
    last_used_at: Option<Time>,
}

/// The balance has two forms: that of create and rotate, and that of all others.
enum Balance {
    Created(Usd),
    Listed(Usd),
}

/// RFC 3339, in UTC.
struct Time(Timestamp);

// === impl TokenJson ===

impl<'a> TokenJson<'a> {
    /// The answer of create and rotate, the only ones with the secret.
    pub(super) fn created(view: &'a TokenView, secret: &'a Secret) -> Self {
        Self { token: secret.reveal(), balance: view.balance.map(Balance::Created), ..Self::listed(view) }
    }

    /// The answer of list, show, update and `me`.
    pub(super) fn listed(view: &'a TokenView) -> Self {
        Self {
            name: &view.name,
            token: &view.masked_secret,
            token_type: view.kind.name(),
            balance: view.balance.map(Balance::Listed),
            active_balance: view.active_balance,
            expire_time: view.expire_time.map(Time),
            balance_reset_period: view.reset.map_or("none", |reset| reset.period.name()),
            balance_reset_amount: view.reset.map(|reset| Number(reset.amount)),
            resets_at: view.resets_at.map(Time),
            held: Number(view.held),
            spent: Number(view.spent),
            created_at: Time(view.created_at),
            last_used_at: view.last_used_at.map(Time),
        }
    }
}

impl Serialize for Balance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Created(usd) => Text(*usd).serialize(serializer),
            Self::Listed(usd) => Number(*usd).serialize(serializer),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
