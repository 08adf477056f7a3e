//! The fields of the token API: reads the bodies of create, PATCH and rotate, and says everything that is wrong with one at once.
//!
//! Nothing is guessed: a field given twice, one that does not exist (a misspelt budget must never pass silently) and a value of another type are
//! errors. An amount is read from the very characters of the body, so it never passes through a float.

mod errors;
mod object;
mod time;
mod value;

use std::time::Duration;

use jiff::Timestamp;

pub use errors::FieldErrors;
pub use time::parse_time;
pub use value::amount_text;

use object::Object;

use super::{BudgetReset, NewToken, TokenKind, TokenPatch, TokenRuleError, TokenView};
use crate::money::Usd;

/// The longest name, in characters.
pub const MAX_NAME_CHARS: usize = 200;
/// Names that the API's paths use.
pub const RESERVED_NAMES: [&str; 2] = ["me", "legacy"];
/// The longest time for which an old secret goes on working after a rotation: 30 days.
pub const MAX_GRACE_SECONDS: u64 = 30 * 24 * 60 * 60;

/// What answers show and requests cannot set. PATCH ignores them, so that an answer can be sent back changed; create does likewise but for `token`.
const READ_ONLY: [&str; 6] = ["token", "held", "spent", "created_at", "last_used_at", "resets_at"];

/// A body of create that was refused.
#[derive(Debug)]
pub struct RefusedCreate {
    /// The name, where that at least is right: the caller adds whether it is taken.
    pub name: Option<String>,
    /// What is wrong.
    pub errors: FieldErrors,
}

/// A body of PATCH that was refused.
#[derive(Debug)]
pub struct RefusedPatch {
    /// The fields that are right: the caller adds what the ledger would say of them.
    pub patch: TokenPatch,
    /// What is wrong.
    pub errors: FieldErrors,
}

/// Reads the body of create, at the time `now`.
///
/// `token` is an error here: secrets are generated, and one that was silently ignored would be taken for valid.
///
/// # Errors
/// Everything that is wrong with it, by field.
pub fn create(body: &[u8], now: Timestamp) -> Result<NewToken, RefusedCreate> {
    let mut fields = Object::parse(body).map_err(|errors| RefusedCreate { name: None, errors })?;
    let name = fields.required("name", value::name);
    let kind = fields.optional("token_type", value::kind).unwrap_or(TokenKind::Api);
    let balance = fields.nullable("balance", value::amount).flatten();
    let active_balance = fields.optional("active_balance", value::boolean);
    let expire_time = fields.nullable("expire_time", |raw| value::future(raw, now)).flatten();
    let period = fields.optional("balance_reset_period", value::period);
    let amount = fields.nullable("balance_reset_amount", value::not_negative).flatten();
    if fields.has("token") {
        fields.error("token", "Secrets are generated: this field cannot be set.");
    }
    let mut errors = fields.finish(&READ_ONLY);

    let reset = match (period.flatten(), amount) {
        (Some(period), Some(amount)) => Some(BudgetReset { period, amount }),
        (Some(_), None) => {
            errors.add_rule(TokenRuleError::NoResetAmount);
            None
        }
        (None, Some(_)) if period.is_none() && !errors.has("balance_reset_period") => {
            errors.add("balance_reset_amount", AMOUNT_WITHOUT_PERIOD);
            None
        }
        (None, _) => None,
    };
    let balance = balance.or(reset.map(|reset| reset.amount));
    // A period turns enforcement on, whatever else is said: a client that sends every field with its default must not get a budget that binds nobody.
    let active_balance = active_balance.unwrap_or(false) || reset.is_some();
    if active_balance && balance.is_none() {
        errors.add_rule(TokenRuleError::NoBalanceToEnforce);
    }
    match name {
        Some(name) if errors.is_empty() => Ok(NewToken { name, kind, balance, active_balance, expire_time, reset }),
        name => Err(RefusedCreate { name, errors }),
    }
}

/// Reads the body of PATCH. Unlike create it accepts an expiry in the past: an expired token's own answer can be sent back.
///
/// # Errors
/// Everything that is wrong with it, by field.
pub fn patch(body: &[u8]) -> Result<TokenPatch, RefusedPatch> {
    let refused = |patch, errors| Err(RefusedPatch { patch, errors });
    let mut fields = match Object::parse(body) {
        Ok(fields) if body.is_empty() => return refused(TokenPatch::default(), fields.without_body()),
        Ok(fields) => fields,
        Err(errors) => return refused(TokenPatch::default(), errors),
    };
    let patch = TokenPatch {
        balance: fields.nullable("balance", value::amount),
        active_balance: fields.optional("active_balance", value::boolean),
        expire_time: fields.nullable("expire_time", value::time),
        reset_period: fields.optional("balance_reset_period", value::period),
        reset_amount: fields.nullable("balance_reset_amount", value::not_negative),
    };
    fields.ignore(&["name", "token_type"]);
    let errors = fields.finish(&READ_ONLY);
    if errors.is_empty() { Ok(patch) } else { refused(patch, errors) }
}

/// What is wrong with a patch only because of the token that it is for: an amount to reset to, where no reset is or comes.
pub fn check_against(patch: &TokenPatch, token: &TokenView, errors: &mut FieldErrors) {
    if patch.reset_amount.flatten().is_some() && patch.reset_period.is_none() && token.reset.is_none() && !errors.has("balance_reset_period") {
        errors.add("balance_reset_amount", AMOUNT_WITHOUT_PERIOD);
    }
}

/// Reads the body of rotate, which may be missing: for how long the old secret goes on working.
///
/// # Errors
/// Everything that is wrong with it, by field.
pub fn rotate(body: &[u8]) -> Result<Duration, FieldErrors> {
    let mut fields = Object::parse(body)?;
    let grace = fields.optional("grace_seconds", |raw| value::count(raw, MAX_GRACE_SECONDS)).unwrap_or(0);
    let errors = fields.finish(&[]);
    if errors.is_empty() { Ok(Duration::from_secs(grace)) } else { Err(errors) }
}

/// Reads `{"credits": ..}`: the account's own balance, null for none.
///
/// # Errors
/// Everything that is wrong with it, by field.
pub fn credits(body: &[u8]) -> Result<Option<Usd>, FieldErrors> {
    let mut fields = Object::parse(body)?;
    let credits = fields.nullable("credits", value::amount);
    if credits.is_none() && !fields.errors().has("credits") {
        fields.error("credits", REQUIRED);
    }
    let errors = fields.finish(&[]);
    if errors.is_empty() { Ok(credits.flatten()) } else { Err(errors) }
}

const REQUIRED: &str = "This field is required.";
const AMOUNT_WITHOUT_PERIOD: &str = "An amount without a balance_reset_period has no effect.";

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
