//! Money. [`Usd`] is the only type that holds an amount, and this file is the only place where one is parsed, rounded or printed.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// Nano-dollars in a dollar.
pub const NANOS_PER_USD: i64 = 1_000_000_000;

/// An amount of US dollars, counted in nano-dollars (1e-9 USD). May be negative.
///
/// Every operation is checked: what would leave ±[`Usd::MAX`] is an error, never a wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(i64);

/// Why an amount was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not `-`, up to five digits, and up to nine decimals.
    #[error("must be a decimal amount in USD with at most 5 digits before and 9 digits after the point, for example \"50.00\"")]
    Malformed,
    /// Beyond ±[`Usd::MAX`].
    #[error("the amount is beyond the largest that the ledger can count (9007199 USD)")]
    OutOfRange,
}

// === impl Usd ===

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount the ledger counts: 2^53 - 1 nano-dollars, so that every store can hold it exactly, and see in a double when a sum is beyond it.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// An amount of `nanos` nano-dollars.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] beyond ±[`Usd::MAX`].
    pub const fn from_nanos(nanos: i64) -> Result<Self, MoneyError> {
        if nanos > Self::MAX.0 || nanos < -Self::MAX.0 {
            return Err(MoneyError::OutOfRange);
        }
        Ok(Self(nanos))
    }

    /// An amount of `nanos` nano-dollars, the nearest one that can be counted where it is out of range.
    #[must_use]
    pub const fn saturating_from_nanos(nanos: i128) -> Self {
        if nanos > Self::MAX.0 as i128 {
            Self::MAX
        } else if nanos < -(Self::MAX.0 as i128) {
            Self(-Self::MAX.0)
        } else {
            #[allow(clippy::cast_possible_truncation)]
            Self(nanos as i64)
        }
    }

    /// The count of nano-dollars.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// `self + other`.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] when the sum cannot be counted.
    pub const fn plus(self, other: Self) -> Result<Self, MoneyError> {
        // Both are within 2^53, so the sum cannot wrap an i64.
        Self::from_nanos(self.0 + other.0)
    }

    /// `self - other`.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] when the difference cannot be counted.
    pub const fn minus(self, other: Self) -> Result<Self, MoneyError> {
        Self::from_nanos(self.0 - other.0)
    }

    /// True above zero.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// True below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Rounds a decimal amount of dollars **up** to a whole nano-dollar: how every cost and every bound is rounded, once a request.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] when it cannot be counted.
    pub fn ceil_from_decimal(usd: Decimal) -> Result<Self, MoneyError> {
        let nanos = usd.checked_mul(Decimal::from(NANOS_PER_USD)).ok_or(MoneyError::OutOfRange)?.ceil();
        Self::from_nanos(nanos.to_i64().ok_or(MoneyError::OutOfRange)?)
    }

    /// The amount as a decimal number of dollars, exactly.
    #[must_use]
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.0, 9)
    }

    /// The shortest exact decimal form: `87.45`, `0`, `-0.000000001`. Valid as a JSON number.
    #[must_use]
    pub fn to_short_string(self) -> String {
        self.to_decimal().normalize().to_string()
    }
}

impl FromStr for Usd {
    type Err = MoneyError;

    /// Parses what people type: `^-?\d{0,5}(\.\d{0,9})?$` with at least one digit. No exponent, sign `+`, blank or NaN.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let decimal_digits = |part: &str, most: usize| part.len() <= most && part.bytes().all(|byte| byte.is_ascii_digit());
        if !decimal_digits(whole, 5) || !decimal_digits(fraction, 9) || whole.len() + fraction.len() == 0 {
            return Err(MoneyError::Malformed);
        }
        let mut nanos: i64 = 0;
        for digit in whole.bytes().chain(fraction.bytes().chain(std::iter::repeat(b'0')).take(9)) {
            nanos = nanos * 10 + i64::from(digit - b'0');
        }
        Self::from_nanos(if negative { -nanos } else { nanos })
    }
}

impl fmt::Display for Usd {
    /// Nine decimals, always: `50.000000000`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        let unit = NANOS_PER_USD.unsigned_abs();
        write!(out, "{sign}{}.{:09}", nanos / unit, nanos % unit)
    }
}

#[cfg(test)]
mod tests;
