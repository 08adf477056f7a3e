//! The names under which people write prices (`input_mtok`), the [`Unit`] that each one prices, and its scale.
//!
//! Amounts become whole atoms here, exactly. An atom is 1/9 of 1e-24 USD: fine enough for twelve decimals of a price by the million, and the ninth makes
//! a price by the hour exact for a millisecond (an hour has 3,600,000 of them, and 36 divides 9 times a power of ten).

use super::Unit;

/// Atoms in a dollar.
pub(super) const ATOMS_PER_USD: u128 = 9_000_000_000_000_000_000_000_000;
/// Atoms in a nano-dollar.
pub(super) const ATOMS_PER_NANO: u128 = ATOMS_PER_USD / 1_000_000_000;

/// Digits before the point of an amount, at most.
const MOST_WHOLE: usize = 6;
/// Digits after the point, at most: what every scale below divides exactly.
const MOST_FRACTION: u32 = 12;

const MILLION: u128 = 1_000_000;
const THOUSAND: u128 = 1_000;
const MILLIS_PER_HOUR: u128 = 3_600_000;

/// Every key: its name, what it prices, and for how many of them the amount stands.
///
/// Two pairs price one unit, and the dearer of the two counts, since the usage does not tell which one it was: `audio_hours` and `input_audio_hours`
/// (the same wherever a list gives both), and plain and annotated documents.
const KEYS: [(&str, Unit, u128); 24] = [
    ("requests_kcount", Unit::Requests, THOUSAND),
    ("input_mtok", Unit::Input, MILLION),
    ("cache_read_mtok", Unit::CacheRead, MILLION),
    ("cache_write_mtok", Unit::CacheWrite, MILLION),
    ("cache_write_1h_mtok", Unit::CacheWrite1h, MILLION),
    ("input_audio_mtok", Unit::InputAudio, MILLION),
    ("cache_audio_read_mtok", Unit::CacheAudioRead, MILLION),
    ("input_image_mtok", Unit::InputImage, MILLION),
    ("cache_image_read_mtok", Unit::CacheImageRead, MILLION),
    ("input_video_mtok", Unit::InputVideo, MILLION),
    ("output_mtok", Unit::Output, MILLION),
    ("output_reasoning_mtok", Unit::OutputReasoning, MILLION),
    ("output_audio_mtok", Unit::OutputAudio, MILLION),
    ("output_image_mtok", Unit::OutputImage, MILLION),
    ("output_video_mtok", Unit::OutputVideo, MILLION),
    ("web_searches_kcount", Unit::WebSearches, THOUSAND),
    ("storage_searches_kcount", Unit::StorageSearches, THOUSAND),
    ("audio_hours", Unit::AudioMillis, MILLIS_PER_HOUR),
    ("input_audio_hours", Unit::AudioMillis, MILLIS_PER_HOUR),
    ("input_mchars", Unit::Characters, MILLION),
    ("input_document_kpages", Unit::Pages, THOUSAND),
    ("input_annotated_document_kpages", Unit::Pages, THOUSAND),
    ("search_units_kcount", Unit::SearchUnits, THOUSAND),
    ("images", Unit::Images, 1),
];

/// A key that prices a unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct PriceKey {
    /// What it prices.
    pub(super) unit: Unit,
    /// How many units the amount stands for.
    per: u128,
}

/// What is wrong with one key of a table of prices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {what}")]
pub struct UnitError {
    /// The key as it was written.
    pub key: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// Why an amount was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AmountError {
    #[error("a price cannot be negative")]
    Negative,
    #[error("must be a decimal amount in USD with at most 6 digits before and 12 digits after the point, for example \"2.50\"")]
    Malformed,
}

// === impl PriceKey ===

impl PriceKey {
    /// The key of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        KEYS.into_iter().find(|(key, ..)| *key == name).map(|(_, unit, per)| Self { unit, per })
    }

    /// The name of a key, where there is one of that name.
    pub(super) fn name_of(name: &str) -> Option<&'static str> {
        KEYS.into_iter().find(|(key, ..)| *key == name).map(|(key, ..)| key)
    }

    /// The key of a unit, and its name. Of two keys the first.
    pub(super) fn of_unit(unit: Unit) -> Option<(&'static str, Self)> {
        KEYS.into_iter().find(|(_, own, _)| *own == unit).map(|(key, unit, per)| (key, Self { unit, per }))
    }

    /// How many units the amount stands for.
    pub(super) const fn per(self) -> u128 {
        self.per
    }

    /// The amount that [`PriceKey::rate`] makes so many atoms of, without zeros at its end.
    pub(super) fn amount(self, rate: u128) -> String {
        // At most 1e6 * 9e24: what `rate` multiplied is divided by the same.
        let whole = rate.saturating_mul(self.per);
        let fraction = whole % ATOMS_PER_USD / (ATOMS_PER_USD / 10_u128.pow(MOST_FRACTION));
        let text = format!("{}.{fraction:012}", whole / ATOMS_PER_USD);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// Atoms for one unit, exactly.
    pub(super) fn rate(self, amount: &str) -> Result<u128, AmountError> {
        if amount.starts_with('-') {
            return Err(AmountError::Negative);
        }
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
        let digits = |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole, MOST_WHOLE) || !digits(fraction, MOST_FRACTION as usize) {
            return Err(AmountError::Malformed);
        }
        let value = |part: &str| part.bytes().fold(0_u128, |sum, byte| sum * 10 + u128::from(byte - b'0'));
        let scale = ATOMS_PER_USD / self.per;
        // At most 1e6 * 9e21 and 1e12 * 9e21; the division leaves nothing, since 1e12 divides every scale (the smallest is 2.5e18).
        let places = u32::try_from(fraction.len()).unwrap_or(MOST_FRACTION);
        Ok(value(whole) * scale + value(fraction) * scale / 10_u128.pow(places))
    }
}

/// Every key, for messages.
pub(super) fn known_keys() -> String {
    KEYS.map(|(key, ..)| key).join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_scale_divides_twelve_decimals_exactly() {
        for (key, _, per) in KEYS {
            assert_eq!(ATOMS_PER_USD % per, 0, "{key}");
            assert_eq!((ATOMS_PER_USD / per) % 10_u128.pow(MOST_FRACTION), 0, "{key}");
        }
    }

    #[test]
    fn an_amount_becomes_atoms() {
        let rate = |key: &str, amount: &str| PriceKey::from_name(key).unwrap().rate(amount);
        assert_eq!(rate("input_mtok", "1").unwrap() * 1_000_000, ATOMS_PER_USD);
        assert_eq!(rate("input_mtok", "0.000000000001").unwrap(), 9_000_000);
        assert_eq!(rate("web_searches_kcount", "10").unwrap() * 100, ATOMS_PER_USD);
        assert_eq!(rate("audio_hours", "0.111").unwrap() * 3_600_000 * 1000, ATOMS_PER_USD * 111);
        assert_eq!(rate("requests_kcount", "999999.999999999999").unwrap() * 1000, ATOMS_PER_USD * 1_000_000 - 9_000_000_000_000);
        for bad in ["", ".", "1.", ".5", "1e3", "1_000", "+1", " 1", "1 ", "NaN", "1000000", "0.0000000000001", "1.2.3", "٣"] {
            assert_eq!(rate("input_mtok", bad), Err(AmountError::Malformed), "{bad}");
        }
        assert_eq!(rate("input_mtok", "-1"), Err(AmountError::Negative));
    }

    #[test]
    fn atoms_become_the_amount_again() {
        for unit in Unit::ALL {
            let (_, key) = PriceKey::of_unit(unit).unwrap();
            for amount in ["0", "1", "10", "0.000000000001", "999999.999999999999", "2.5", "100000", "0.111"] {
                assert_eq!(key.amount(key.rate(amount).unwrap()), amount, "{}", unit.name());
            }
            assert_eq!(key.amount(key.rate("007.500").unwrap()), "7.5");
        }
    }
}
