//! Amounts of the public lists: decimals as text, with or without an exponent (`2.5e-06`), turned exactly into the amounts of a price book.

/// An amount that is not below zero: `digits` times ten to the power of minus `places`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: u128,
    places: u32,
}

/// An amount for a price book, as its file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scaled {
    /// With at most twelve digits after the point.
    pub(super) text: String,
    /// True where more digits than that were rounded up.
    pub(super) rounded: bool,
}

/// Why an amount cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecimalError {
    #[error("is no amount")]
    NoAmount,
    #[error("is below zero, which lists say of what they do not know")]
    Negative,
    #[error("has more digits than a price can have")]
    TooLong,
}

/// Digits after the point of a price book's amount, at most.
const MOST_PLACES: u32 = 12;
/// Far beyond every price; keeps the arithmetic below from overflowing.
const MOST_DIGITS: usize = 24;
const MOST_EXPONENT: i32 = 40;

// === impl Decimal ===

impl Decimal {
    /// Reads what JSON and Python write: `0.15`, `2.5e-06`, `1E3`, `3`.
    pub(super) fn parse(text: &str) -> Result<Self, DecimalError> {
        let negative = text.starts_with('-');
        let text = text.strip_prefix('-').unwrap_or(text);
        let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || (number.contains('.') && fraction.is_empty()) {
            return Err(DecimalError::NoAmount);
        }
        let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if exponent_digits.is_empty() || !all_digits(exponent_digits) {
            return Err(DecimalError::NoAmount);
        }
        let exponent: i32 = exponent.parse().map_err(|_| DecimalError::TooLong)?;
        let fraction = fraction.trim_end_matches('0');
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Ok(Self { digits: 0, places: 0 });
        }
        if digits.len() > MOST_DIGITS || exponent.abs() > MOST_EXPONENT || fraction.len() > MOST_DIGITS {
            return Err(DecimalError::TooLong);
        }
        if negative {
            return Err(DecimalError::Negative);
        }
        let digits: u128 = digits.parse().map_err(|_| DecimalError::TooLong)?;
        let places = i32::try_from(fraction.len()).map_err(|_| DecimalError::TooLong)? - exponent;
        match u32::try_from(places) {
            Ok(places) => Ok(Self { digits, places }),
            Err(_) => {
                let power = 10_u128.checked_pow(places.unsigned_abs()).ok_or(DecimalError::TooLong)?;
                Ok(Self { digits: digits.checked_mul(power).ok_or(DecimalError::TooLong)?, places: 0 })
            }
        }
    }

    /// True where it is nothing.
    pub(super) const fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// So many times the amount. What does not fit twelve digits after the point is rounded up: a price is never taken for less than the list says.
    pub(super) fn times(self, count: u128) -> Result<Scaled, DecimalError> {
        let digits = self.digits.checked_mul(count).ok_or(DecimalError::TooLong)?;
        let (digits, places, rounded) = match self.places.checked_sub(MOST_PLACES) {
            Some(beyond) if beyond > 0 => {
                let power = 10_u128.checked_pow(beyond);
                // Beyond all digits that there are, there is a little left all the same.
                let (rest, quotient) = power.map_or((digits, 0), |power| (digits % power, digits / power));
                (quotient + u128::from(rest > 0), MOST_PLACES, rest > 0)
            }
            _ => (digits, self.places, false),
        };
        let power = 10_u128.checked_pow(places).ok_or(DecimalError::TooLong)?;
        let fraction = format!("{:0width$}", digits % power, width = places as usize);
        let fraction = if places == 0 { "" } else { fraction.trim_end_matches('0') };
        let whole = digits / power;
        let text = if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") };
        Ok(Scaled { text, rounded })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scaled(text: &str, count: u128) -> Result<(String, bool), DecimalError> {
        Decimal::parse(text)?.times(count).map(|scaled| (scaled.text, scaled.rounded))
    }

    #[test]
    fn amounts_are_turned_exactly() {
        let exact = [
            ("2.5e-06", 1_000_000, "2.5"),
            ("2.5E-6", 1_000_000, "2.5"),
            ("0.0000025", 1_000_000, "2.5"),
            ("1e-7", 1_000_000, "0.1"),
            ("1.25e-07", 1_000_000, "0.125"),
            ("5e-10", 1_000_000, "0.0005"),
            ("3.333e-05", 3_600, "0.119988"),
            ("0.0001", 3_600, "0.36"),
            ("3.81469e-08", 1024 * 1024, "0.039999923815"),
            ("0", 1_000_000, "0"),
            ("0.0", 1, "0"),
            ("-0.0", 1, "0"),
            ("15", 1, "15"),
            ("15.0", 1, "15"),
            ("1e3", 1, "1000"),
            ("1.5e+1", 1, "15"),
            ("100", 1, "100"),
        ];
        for (text, count, expected) in exact {
            let (found, rounded) = scaled(text, count).unwrap();
            assert_eq!(found, expected, "{text}");
            assert_eq!(rounded, text == "3.81469e-08", "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_rounded_up() {
        assert_eq!(scaled("0.00000018000000000000002", 1_000_000).unwrap(), ("0.180000000001".to_owned(), true));
        assert_eq!(scaled("1e-30", 1).unwrap(), ("0.000000000001".to_owned(), true));
        assert_eq!(scaled("9.9999999999999e-1", 1).unwrap(), ("1".to_owned(), true));
        assert_eq!(scaled("3.3333333333333335e-07", 1_000_000).unwrap(), ("0.333333333334".to_owned(), true));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for bad in ["", ".", "1.", ".5", "NaN", "Infinity", "1e", "e5", "1e5.5", "+1", " 1", "1 ", "0x10", "1_000", "--1", "٣", "1e+-5", "free"] {
            assert_eq!(Decimal::parse(bad), Err(DecimalError::NoAmount), "{bad}");
        }
        for negative in ["-1", "-1e-9", "-0.5"] {
            assert_eq!(Decimal::parse(negative), Err(DecimalError::Negative), "{negative}");
        }
        for long in ["1e99", "1e-99", "1e99999999999999", "1234567890123456789012345", "1e38", "0.1234567890123456789012345678"] {
            assert!(matches!(Decimal::parse(long).and_then(|amount| amount.times(1_000_000)), Err(DecimalError::TooLong)), "{long}");
        }
    }

    proptest! {
        /// The text, read as a decimal, is the amount times the count, or that rounded up by less than the last digit.
        #[test]
        fn any_amount_is_turned_exactly(digits in 0_u64..1_000_000_000_000_000_000, places in 0_u32..30, count in prop::sample::select(vec![1_u128, 1_000, 3_600, 1_000_000])) {
            let written = format!("{digits}e-{places}");
            let found = Decimal::parse(&written).unwrap().times(count).unwrap();
            let (whole, fraction) = found.text.split_once('.').unwrap_or((&found.text, ""));
            prop_assert!(fraction.len() <= 12);
            // Both in units of the twelfth digit after the point, and of what is smaller.
            let own: u128 = format!("{whole}{fraction:0<12}").parse().unwrap();
            let (exact, rest) = if places > 12 {
                let power = 10_u128.pow(places - 12);
                (u128::from(digits) * count / power, u128::from(digits) * count % power)
            } else {
                (u128::from(digits) * count * 10_u128.pow(12 - places), 0)
            };
            prop_assert_eq!(own, exact + u128::from(rest > 0));
            prop_assert_eq!(found.rounded, rest > 0);
        }

        #[test]
        fn no_text_is_too_much(text in ".{0,60}") {
            let _ = Decimal::parse(&text).and_then(|amount| amount.times(u128::from(u64::MAX)));
        }
    }
}
