//! A margin: by how much a provider's bill may exceed the price book, where a route says so.

use std::fmt;
use std::str::FromStr;

/// Decimals of a margin, at most.
const DECIMALS: usize = 4;
const ONE: u32 = 10_000;
/// The largest margin: a hundred times the price book's price.
const MOST: u32 = 100 * ONE;

/// A factor of at least one, in ten-thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margin(u32);

/// Why a margin was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a decimal factor from \"1\" to \"100\" with at most 4 digits after the point, for example \"1.1\"")]
pub struct MarginError;

// === impl Margin ===

impl Margin {
    /// The price book's own price.
    pub const NONE: Self = Self(ONE);

    /// A number of tokens with the margin on it, rounded up.
    #[must_use]
    pub fn of_count(self, tokens: u64) -> u64 {
        u64::try_from(self.widen(u128::from(tokens))).unwrap_or(u64::MAX)
    }

    /// An amount of atoms with the margin on it, rounded up.
    pub(super) const fn widen(self, atoms: u128) -> u128 {
        if self.0 == ONE {
            return atoms;
        }
        // In two parts, so that nothing wraps before it is beyond any budget.
        let (whole, rest) = (atoms / ONE as u128, atoms % ONE as u128);
        whole.saturating_mul(self.0 as u128).saturating_add((rest * self.0 as u128).div_ceil(ONE as u128))
    }
}

impl Default for Margin {
    fn default() -> Self {
        Self::NONE
    }
}

impl FromStr for Margin {
    type Err = MarginError;

    fn from_str(text: &str) -> Result<Self, MarginError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole, 3) || !digits(fraction, DECIMALS) {
            return Err(MarginError);
        }
        let padded = whole.bytes().chain(fraction.bytes().chain(std::iter::repeat(b'0')).take(DECIMALS));
        let parts = padded.fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        if (ONE..=MOST).contains(&parts) { Ok(Self(parts)) } else { Err(MarginError) }
    }
}

impl fmt::Display for Margin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:04}", self.0 % ONE);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        write!(out, "{}{point}{fraction}", self.0 / ONE)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::prices::{Bound, ModelLimits, QuoteLimits, Rates, Unit, Usage, quote};

    #[test]
    fn a_margin_is_a_plain_factor_of_at_least_one() {
        for (text, atoms) in [("1", 1_000_001), ("1.0", 1_000_001), ("1.1", 1_100_002), ("1.055", 1_055_002), ("1.0001", 1_000_102), ("100", 100_000_100)] {
            assert_eq!(text.parse::<Margin>().unwrap().widen(1_000_001), atoms, "{text}");
        }
        for text in ["", "0", "0.9999", "1.", ".5", "-1", "+1", "1e1", "1.00001", "100.0001", "1000", "1,1", " 1", "NaN"] {
            assert_eq!(text.parse::<Margin>(), Err(MarginError), "{text}");
        }
        assert_eq!(["1", "1.1", "1.055", "100"].map(|text| text.parse::<Margin>().unwrap().to_string()), ["1", "1.1", "1.055", "100"]);
        assert_eq!("100".parse::<Margin>().unwrap().widen(u128::MAX), u128::MAX);
    }

    #[test]
    fn a_bound_with_a_margin_is_not_exceeded_by_a_cost_with_it() {
        let prices = [("input_mtok", "0.1500001"), ("output_mtok", "0.6")];
        let rates = Rates::from_units(&prices.map(|(key, amount)| (key.to_owned(), amount.to_owned())).into()).unwrap();
        let limits = QuoteLimits { min_output: 16, default_max_output: None, clamp: true };
        for margin in ["1", "1.1", "1.0551", "2.5"].map(|text| text.parse::<Margin>().unwrap()) {
            for output in [0, 1, 16, 17, 1_000] {
                let input = Usage::default().with(Unit::Input, 333);
                let bound = Bound { input, output_tokens: Some(output), has_output: true, choices: 1, ..Bound::default() };
                let plain = quote(&[&rates], &ModelLimits::default(), &bound, &limits).unwrap();
                let quote = plain.widened(margin);
                let cost = |output| rates.cost_with(&input.with(Unit::Output, output), margin).unwrap();
                assert_eq!(quote.want, cost(output), "{margin} {output}");
                assert!(quote.least <= quote.want && quote.least >= cost(output.min(16)), "{margin} {output}");
                assert!(quote.least.nanos() <= cost(output.min(16)).nanos() + 3, "{margin} {output}");
                let bought = quote.output_limit_for(quote.least);
                assert!(bought >= output.min(16) && cost(bought) <= quote.least, "{margin} {output}");
            }
        }
    }
}
