//! How values are spelt in the arguments of scripts, and how their replies are read.

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use redis::Value;

use super::keys::{hex, unhex};
use super::script::CallError;
use crate::ledger::types::{Certainty, ChargeLabel, HoldId};
use crate::money::Usd;
use crate::prices::{Unit, Usage};
use crate::tokens::SecretHash;

/// Where and when an answer was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// How many scripts have written to the account. Going back means that a failover lost some.
    pub(crate) seq: u64,
    /// The store's time.
    pub(crate) now: Timestamp,
}

/// A script's reply: an outcome, the stamp, and what the operation tells.
#[derive(Debug)]
pub(super) struct Reply {
    /// What came of it.
    pub(super) outcome: String,
    /// Where and when.
    pub(super) stamp: Stamp,
    rest: std::vec::IntoIter<String>,
}

/// The arguments of a script, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Arguments(Vec<Vec<u8>>);

/// A hold's id as it stands in keys: 32 hex digits.
pub(crate) fn hold_text(hold: HoldId) -> String {
    hex(&hold.0)
}

/// The id that `text` spells.
pub(crate) fn hold_id(text: &str) -> Option<HoldId> {
    unhex(text).map(HoldId)
}

/// A label as a piece of JSON: `"provider","model","feature"`.
pub(crate) fn label_text(label: &ChargeLabel) -> String {
    format!("{},{},{}", json(&label.provider), json(&label.model), json(&label.feature))
}

/// The label that a piece of JSON spells.
pub(crate) fn label(text: &str) -> Option<ChargeLabel> {
    let (provider, model, feature) = serde_json::from_str(&format!("[{text}]")).ok()?;
    Some(ChargeLabel { provider, model, feature })
}

/// The units of a usage: `input=12 output=3`.
pub(crate) fn usage_text(usage: &Usage) -> String {
    let mut text = String::new();
    for (unit, count) in usage.iter() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{}{}={count}", if text.is_empty() { "" } else { " " }, unit.name());
    }
    text
}

/// The usage that `text` spells; units that are not known here count for nothing.
pub(crate) fn usage(text: &str) -> Usage {
    let mut usage = Usage::default();
    for (name, count) in text.split(' ').filter_map(|word| word.split_once('=')) {
        if let (Some(unit), Ok(count)) = (Unit::from_name(name), count.parse()) {
            usage.set(unit, count);
        }
    }
    usage
}

/// The name of a certainty in the journal.
pub(crate) fn certainty_name(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Exact => "exact",
        Certainty::Estimated => "estimated",
        Certainty::Uncertain => "uncertain",
    }
}

/// A text as a JSON string.
pub(super) fn json(text: &str) -> String {
    // Writing a text to memory cannot fail.
    serde_json::to_string(text).unwrap_or_default()
}

/// A reply that no script of ours gives.
pub(super) fn senseless(what: &str) -> CallError {
    CallError::Script(format!("cannot read {what} in a script's reply"))
}

/// A moment from a count of milliseconds.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(text.parse().ok()?).ok()
}

/// An amount from a count of nano-dollars.
pub(super) fn amount(text: &str) -> Option<Usd> {
    Usd::from_nanos(text.parse().ok()?).ok()
}

// === impl Arguments ===

impl Arguments {
    /// One more text.
    pub(super) fn text(mut self, text: impl Into<String>) -> Self {
        self.0.push(text.into().into_bytes());
        self
    }

    /// One more amount.
    pub(super) fn amount(self, amount: Usd) -> Self {
        self.text(amount.nanos().to_string())
    }

    /// One more moment.
    pub(super) fn moment(self, time: Timestamp) -> Self {
        self.text(time.as_millisecond().to_string())
    }

    /// One more length of time, in whole milliseconds.
    pub(super) fn duration(self, duration: Duration) -> Self {
        // Beyond what a double counts, it is the end of time anyhow.
        self.text(duration.as_millis().min(1 << 52).to_string())
    }

    /// One more hold.
    pub(super) fn hold(self, hold: HoldId) -> Self {
        self.text(hold_text(hold))
    }

    /// One more secret.
    pub(super) fn secret(self, secret: &SecretHash) -> Self {
        self.text(hex(&secret.0))
    }

    /// One more yes or no.
    pub(super) fn flag(self, flag: bool) -> Self {
        self.text(if flag { "1" } else { "0" })
    }

    /// One more value, or nothing.
    pub(super) fn optional<T>(self, value: Option<T>, add: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => add(self, value),
            None => self.text(""),
        }
    }

    /// One more change: as it is, none, or a value.
    pub(super) fn patch<T>(self, patch: Option<Option<T>>, add: impl FnOnce(Self, T) -> Self) -> Self {
        match patch {
            Some(value) => self.optional(value, add),
            None => self.text("="),
        }
    }

    /// All of `others` after these.
    pub(super) fn then(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// As a call takes them.
    pub(super) fn finish(self) -> Vec<Vec<u8>> {
        self.0
    }
}

// === impl Reply ===

impl Reply {
    /// Reads a reply.
    pub(super) fn read(value: Value) -> Result<Self, CallError> {
        let Value::Array(items) = value else { return Err(senseless("an array")) };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            let text = match item {
                Value::BulkString(bytes) => String::from_utf8(bytes).map_err(|_| senseless("a text"))?,
                Value::SimpleString(text) => text,
                _ => return Err(senseless("a text")),
            };
            texts.push(text);
        }
        let mut rest = texts.into_iter();
        let outcome = rest.next().ok_or_else(|| senseless("an outcome"))?;
        let seq = rest.next().and_then(|text| text.parse().ok()).ok_or_else(|| senseless("a sequence number"))?;
        let now = rest.next().and_then(|text| moment(&text)).ok_or_else(|| senseless("the time"))?;
        Ok(Self { outcome, stamp: Stamp { seq, now }, rest })
    }

    /// The next text, if there is one.
    pub(super) fn more(&mut self) -> Option<String> {
        self.rest.next()
    }

    /// The next text.
    pub(super) fn text(&mut self) -> Result<String, CallError> {
        self.more().ok_or_else(|| senseless("a text that should be there"))
    }

    /// The next text as a number.
    pub(super) fn number<T: FromStr>(&mut self) -> Result<T, CallError> {
        self.text()?.parse().map_err(|_| senseless("a number"))
    }

    /// The next text as an amount.
    pub(super) fn amount(&mut self) -> Result<Usd, CallError> {
        amount(&self.text()?).ok_or_else(|| senseless("an amount"))
    }

    /// The next text as an amount, or nothing.
    pub(super) fn optional_amount(&mut self) -> Result<Option<Usd>, CallError> {
        let text = self.text()?;
        if text.is_empty() { Ok(None) } else { amount(&text).map(Some).ok_or_else(|| senseless("an amount")) }
    }

    /// The next text as a moment.
    pub(super) fn moment(&mut self) -> Result<Timestamp, CallError> {
        moment(&self.text()?).ok_or_else(|| senseless("a time"))
    }

    /// The next text as a moment, or nothing.
    pub(super) fn optional_moment(&mut self) -> Result<Option<Timestamp>, CallError> {
        let text = self.text()?;
        if text.is_empty() { Ok(None) } else { moment(&text).map(Some).ok_or_else(|| senseless("a time")) }
    }

    /// The next text as a yes or no.
    pub(super) fn flag(&mut self) -> Result<bool, CallError> {
        match self.text()?.as_str() {
            "1" => Ok(true),
            "0" => Ok(false),
            _ => Err(senseless("a yes or no")),
        }
    }

    /// The texts that are left, as hashes of secrets.
    pub(super) fn secrets(&mut self) -> Result<Vec<SecretHash>, CallError> {
        self.rest.by_ref().map(|text| unhex(&text).map(SecretHash).ok_or_else(|| senseless("the hash of a secret"))).collect()
    }
}
