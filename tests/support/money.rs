//! Amounts as whole nano-dollars, read from JSON text without ever being a float: the tests must not share a rounding with what they test.

use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A dollar in nano-dollars.
pub(crate) const DOLLAR: i64 = 1_000_000_000;
/// A cent in nano-dollars.
pub(crate) const CENT: i64 = DOLLAR / 100;

/// A JSON object whose values keep their exact text.
pub(crate) type RawObject = BTreeMap<String, Box<RawValue>>;

/// `0.01`, `"0.010000000"`, `-3`, `1e-9` as nano-dollars. Panics on what is not a whole number of them.
pub(crate) fn nanos(text: &str) -> i64 {
    let text = text.trim().trim_matches('"');
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().unwrap_or_else(|_| panic!("exponent in {text:?}"))),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    assert!(!whole.is_empty() || !fraction.is_empty(), "not an amount: {text:?}");
    let mut number: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        assert!(digit.is_ascii_digit(), "not an amount: {text:?}");
        number = number * 10 + i128::from(digit - b'0');
    }
    let mut shift = 9 + exponent - i32::try_from(fraction.len()).unwrap();
    while shift > 0 {
        number *= 10;
        shift -= 1;
    }
    while shift < 0 {
        assert!(number % 10 == 0, "{text:?} is finer than a nano-dollar");
        number /= 10;
        shift += 1;
    }
    let number = i64::try_from(number).unwrap_or_else(|_| panic!("{text:?} is beyond counting"));
    if negative { -number } else { number }
}

/// The amount as a string with nine decimals, as the token API takes and shows it.
pub(crate) fn dollars(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    format!("{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

/// An amount in a JSON object: none where the field is null or missing.
pub(crate) fn amount(object: &RawObject, field: &str) -> Option<i64> {
    let text = object.get(field)?.get();
    if text == "null" { None } else { Some(nanos(text)) }
}

#[test]
fn amounts_are_read_exactly() {
    assert_eq!(nanos("0.000000001"), 1);
    assert_eq!(nanos("\"50.000000000\""), 50 * DOLLAR);
    assert_eq!(nanos("87.45"), 87_450_000_000);
    assert_eq!(nanos("-0.5"), -DOLLAR / 2);
    assert_eq!(nanos("1e-9"), 1);
    assert_eq!(nanos("1.5E2"), 150 * DOLLAR);
    assert_eq!(dollars(-DOLLAR / 2), "-0.500000000");
    assert_eq!(dollars(12_000), "0.000012000");
}
