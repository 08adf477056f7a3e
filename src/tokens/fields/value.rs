//! Reads one value of a field. Each reader returns the message that stands in the answer when it cannot.

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::time::parse_time;
use super::{MAX_NAME_CHARS, RESERVED_NAMES};
use crate::money::Usd;
use crate::tokens::{ResetPeriod, TokenKind};

const NOT_AN_AMOUNT: &str = "A valid amount in USD is required: at most 5 digits before and 9 after the point, no exponent, for example \"50.00\".";
const NOT_A_TIME: &str = "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuuuuu]][+HH:MM|-HH:MM|Z].";

/// A string, its escapes undone.
fn string(raw: &RawValue) -> Result<String, String> {
    // A lone surrogate is JSON, but no text.
    serde_json::from_str(raw.get()).map_err(|_| "Not a valid string.".to_owned())
}

/// `true` or `false`, nothing that resembles them.
pub(super) fn boolean(raw: &RawValue) -> Result<bool, String> {
    serde_json::from_str(raw.get()).map_err(|_| "Must be a valid boolean.".to_owned())
}

/// A name that a token may have.
pub(super) fn name(raw: &RawValue) -> Result<String, String> {
    let name = string(raw)?;
    if name.trim().is_empty() {
        return Err("This field may not be blank.".to_owned());
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(format!("Ensure this field has no more than {MAX_NAME_CHARS} characters."));
    }
    if name.contains('/') || name.chars().any(char::is_control) {
        return Err("A name may not contain \"/\" or control characters.".to_owned());
    }
    // Clients fold `.` and `..` out of paths, so that such a token could never be reached.
    if RESERVED_NAMES.contains(&name.as_str()) || name == "." || name == ".." {
        return Err(format!("\"{name}\" is reserved."));
    }
    Ok(name)
}

/// `api_token` or `sandbox_api_token`.
pub(super) fn kind(raw: &RawValue) -> Result<TokenKind, String> {
    let text = string(raw)?;
    TokenKind::from_name(&text).ok_or_else(|| not_a_choice(&text))
}

/// `none`, `daily`, `weekly` or `monthly`; null is `none`.
pub(super) fn period(raw: &RawValue) -> Result<Option<ResetPeriod>, String> {
    if raw.get() == "null" {
        return Ok(None);
    }
    let text = string(raw)?;
    if text == "none" {
        return Ok(None);
    }
    ResetPeriod::from_name(&text).map(Some).ok_or_else(|| not_a_choice(&text))
}

fn not_a_choice(text: &str) -> String {
    let shown: String = text.chars().take(50).collect();
    format!("\"{shown}\" is not a valid choice.")
}

/// An amount, as a decimal string or as a JSON number: read from its characters either way.
pub(super) fn amount(raw: &RawValue) -> Result<Usd, String> {
    match raw.get().as_bytes().first() {
        Some(b'"') => amount_text(&string(raw)?),
        Some(b'-' | b'0'..=b'9') => amount_text(raw.get()),
        _ => Err(NOT_AN_AMOUNT.to_owned()),
    }
}

/// An amount as people type it.
///
/// # Errors
/// The message that says what an amount looks like.
pub fn amount_text(text: &str) -> Result<Usd, String> {
    text.parse().map_err(|_| NOT_AN_AMOUNT.to_owned())
}

/// An amount of zero or more.
pub(super) fn not_negative(raw: &RawValue) -> Result<Usd, String> {
    let usd = amount(raw)?;
    if usd.is_negative() { Err("Ensure this value is greater than or equal to 0.".to_owned()) } else { Ok(usd) }
}

/// A point in time.
pub(super) fn time(raw: &RawValue) -> Result<Timestamp, String> {
    string(raw).ok().and_then(|text| parse_time(&text)).ok_or_else(|| NOT_A_TIME.to_owned())
}

/// A point in time that is yet to come.
pub(super) fn future(raw: &RawValue, now: Timestamp) -> Result<Timestamp, String> {
    let time = time(raw)?;
    if time <= now { Err("Ensure this time is in the future.".to_owned()) } else { Ok(time) }
}

/// A whole number from 0 to `most`.
pub(super) fn count(raw: &RawValue, most: u64) -> Result<u64, String> {
    let count: u64 = serde_json::from_str(raw.get()).map_err(|_| format!("A whole number from 0 to {most} is required."))?;
    if count > most { Err(format!("Ensure this value is less than or equal to {most}.")) } else { Ok(count) }
}
