//! How values are spelt in a record: amounts as whole nano-dollars, times as RFC 3339 in whole milliseconds, hashes and hold ids in hexadecimal, words by name.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ledger::rules::EntryKind;
use crate::ledger::types::Certainty;
use crate::money::Usd;
use crate::prices::{Unit, Usage};
use crate::tokens::{ResetPeriod, TokenKind};

/// An amount within ±2^53 nano-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nanos(pub(crate) Usd);

/// By how many nano-dollars a balance changed, within ±2^54: from one end of the range to the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delta(pub(crate) i64);

/// A moment in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(pub(crate) Timestamp);

/// Bytes, in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Hex<const BYTES: usize>(pub(crate) [u8; BYTES]);

/// One of a closed set of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word<T>(pub(crate) T);

/// Units consumed, by name; those that are zero are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Units(pub(crate) Usage);

/// A closed set of words, the same in every store.
pub(crate) trait Named: Copy + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// How it is written.
    fn word(self) -> &'static str;

    /// Which one is written like that.
    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.word() == word)
    }
}

const DELTA_MAX: u64 = 1 << 54;

/// Bytes as lower-case hexadecimal.
pub(crate) fn hex_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

// === impl Named ===

impl Named for TokenKind {
    const ALL: &'static [Self] = &[Self::Api, Self::Sandbox];

    fn word(self) -> &'static str {
        match self {
            Self::Api => "api_token",
            Self::Sandbox => "sandbox_api_token",
        }
    }
}

impl Named for ResetPeriod {
    const ALL: &'static [Self] = &[Self::Daily, Self::Weekly, Self::Monthly];

    fn word(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }
}

impl Named for Certainty {
    const ALL: &'static [Self] = &[Self::Exact, Self::Estimated, Self::Uncertain];

    fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Estimated => "estimated",
            Self::Uncertain => "uncertain",
        }
    }
}

impl Named for EntryKind {
    const ALL: &'static [Self] = &[Self::Grant, Self::Adjust, Self::Reset, Self::Charge, Self::Expire, Self::Correct];

    fn word(self) -> &'static str {
        self.name()
    }
}

// === impl Nanos ===

impl Serialize for Nanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0.nanos())
    }
}

impl<'de> Deserialize<'de> for Nanos {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let nanos = i64::deserialize(deserializer)?;
        Usd::from_nanos(nanos).map(Self).map_err(|_| D::Error::custom(format!("{nanos} nano-dollars are more than a ledger can count")))
    }
}

// === impl Delta ===

impl Delta {
    /// A difference of two amounts; none beyond what that can be.
    pub(crate) fn new(nanos: i64) -> Option<Self> {
        (nanos.unsigned_abs() <= DELTA_MAX).then_some(Self(nanos))
    }
}

impl Serialize for Delta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Delta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let nanos = i64::deserialize(deserializer)?;
        Self::new(nanos).ok_or_else(|| D::Error::custom(format!("{nanos} nano-dollars are more than a balance can change by")))
    }
}

// === impl Time ===

impl Time {
    /// The moment so many milliseconds after 1970; none outside of the calendar.
    pub(crate) fn from_millis(millis: i64) -> Option<Self> {
        Timestamp::from_millisecond(millis).ok().map(Self)
    }

    /// Milliseconds since 1970.
    pub(crate) fn millis(self) -> i64 {
        self.0.as_millisecond()
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time: Timestamp = text.parse().map_err(|_| D::Error::custom(format!("{text:?} is not a time; write for example \"2026-01-31T12:00:00.5Z\"")))?;
        match Self::from_millis(time.as_millisecond()) {
            Some(whole) if whole.0 == time => Ok(whole),
            _ => Err(D::Error::custom(format!("{text:?} is not in whole milliseconds"))),
        }
    }
}

// === impl Hex ===

impl<const BYTES: usize> Hex<BYTES> {
    /// Bytes from lower-case hexadecimal; none where it is anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        if text.len() != 2 * BYTES {
            return None;
        }
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; BYTES];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? * 16 + digit(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// In hexadecimal.
    pub(crate) fn text(&self) -> String {
        hex_of(&self.0)
    }
}

impl<const BYTES: usize> std::fmt::Debug for Hex<BYTES> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.text())
    }
}

impl<const BYTES: usize> Serialize for Hex<BYTES> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de, const BYTES: usize> Deserialize<'de> for Hex<BYTES> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not {BYTES} bytes in lower-case hexadecimal")))
    }
}

// === impl Word ===

impl<T: Named> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.word())
    }
}

impl<'de, T: Named> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        T::from_word(&text).map(Self).ok_or_else(|| {
            let words: Vec<&str> = T::ALL.iter().map(|one| one.word()).collect();
            D::Error::custom(format!("{text:?} is none of {}", words.join(", ")))
        })
    }
}

// === impl Units ===

impl Units {
    /// Nothing was consumed.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().next().is_none()
    }

    /// Units as the stores write them: `input=12 output=3`; none where a unit is unknown or not a count.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut usage = Usage::default();
        for part in text.split(' ').filter(|part| !part.is_empty()) {
            let (name, count) = part.split_once('=')?;
            let count: i64 = count.parse().ok()?;
            usage.set(Unit::from_name(name)?, u64::try_from(count).ok()?);
        }
        Some(Self(usage))
    }

    /// `input=12 output=3`.
    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|(unit, count)| format!("{}={count}", unit.name())).collect::<Vec<_>>().join(" ")
    }
}

impl Serialize for Units {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (unit, count) in self.0.iter() {
            map.serialize_entry(unit.name(), &count)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Units;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("counts of units by name")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Units, A::Error> {
                let mut usage = Usage::default();
                while let Some(name) = map.next_key::<String>()? {
                    let unit = Unit::from_name(&name).ok_or_else(|| A::Error::custom(format!("{name:?} is no unit that this spendgate knows")))?;
                    let count: i64 = map.next_value()?;
                    // Zero is not written, so that it also tells a unit that is there twice.
                    if count <= 0 || usage.get(unit) > 0 {
                        return Err(A::Error::custom(format!("unit {name:?} is there twice, or not above zero")));
                    }
                    usage.set(unit, count.unsigned_abs());
                }
                Ok(Units(usage))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}
