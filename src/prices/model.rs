//! One model of the price book: its limits, and its rates by date, hour and service tier.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Rates;

/// How long after its admission a request may still be billed at another hour's rates: what [`ModelPrice::candidates`] looks ahead.
const BILLING_WINDOW: SignedDuration = SignedDuration::from_hours(1);
const MINUTES_PER_DAY: u16 = 24 * 60;

/// How a request is processed, where that decides its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant<'a> {
    /// As usual.
    Default,
    /// In a service tier: `flex`, `priority`, `fast`. The names that providers give to their usual one (`default`, `auto`, `standard`, ...) mean [`Variant::Default`].
    ServiceTier(&'a str),
    /// In a batch.
    Batch,
    /// At a speed: `fast`.
    Speed(&'a str),
}

/// How many tokens a model takes and gives, where that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelLimits {
    /// Input and output together.
    pub context: Option<u64>,
    /// Input alone.
    pub input: Option<u64>,
    /// Output alone.
    pub output: Option<u64>,
}

/// What one model costs.
#[derive(Clone, Debug)]
pub struct ModelPrice {
    /// The provider whose model it is: `openai`.
    pub provider: Arc<str>,
    /// Its plain name: what is booked, whatever alias was asked for.
    pub id: Box<str>,
    /// Its limits.
    pub limits: ModelLimits,
    pub(super) entries: Box<[Entry]>,
}

/// Rates, and when they apply.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) variant: EntryVariant,
    /// Since when; the beginning of time where it was always so.
    pub(super) from: Timestamp,
    /// Between which hours of the day; the whole day where none are given.
    pub(super) hours: Option<Hours>,
    pub(super) rates: Rates,
}

/// A [`Variant`] that owns its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EntryVariant {
    Default,
    ServiceTier(Box<str>),
    Batch,
    Speed(Box<str>),
}

/// A part of the day in UTC, in minutes since midnight: from `begin` until before `end`, over midnight where `end` is not after `begin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hours {
    pub(super) begin: u16,
    pub(super) end: u16,
}

// === impl Variant ===

impl Variant<'_> {
    /// The usual tier's many names are one.
    fn canonical(self) -> Self {
        match self {
            // OpenAI (default, auto, standard), Anthropic (standard_only), Groq (on_demand); Anthropic reports `batch` as a tier.
            Self::ServiceTier("default" | "auto" | "standard" | "standard_only" | "on_demand" | "") | Self::Speed("standard" | "") => Self::Default,
            Self::ServiceTier("batch") => Self::Batch,
            other => other,
        }
    }
}

// === impl ModelPrice ===

impl ModelPrice {
    /// The rates that apply at that moment. None where the variant has no price.
    #[must_use]
    pub fn rates(&self, at: Timestamp, variant: &Variant<'_>) -> Option<&Rates> {
        let variant = variant.canonical();
        let of_variant = self.entries.iter().filter(|entry| entry.variant.is(variant));
        of_variant.filter_map(|entry| Some((precedence(entry.from, entry.hours, at)?, entry))).max_by_key(|(rank, _)| *rank).map(|(_, entry)| &entry.rates)
    }

    /// Every rate that may apply to a request that is admitted at that moment, until it is billed: prices change at midnight and by the hour.
    /// Empty where the variant has no price.
    #[must_use]
    pub fn candidates(&self, at: Timestamp, variant: &Variant<'_>) -> Vec<&Rates> {
        let variant_entries = || self.entries.iter().filter(|entry| entry.variant.is(variant.canonical()));
        let mut found: Vec<&Rates> = self.rates(at, variant).into_iter().collect();
        let until = at.saturating_add(BILLING_WINDOW).unwrap_or(Timestamp::MAX);
        let starts = variant_entries().map(|entry| entry.from).filter(|from| at < *from && *from <= until);
        let turns = variant_entries()
            .filter_map(|entry| entry.hours)
            .flat_map(|hours| [hours.begin, hours.end])
            .filter_map(|minute| next_at(at, minute))
            .filter(|turn| *turn <= until);
        for moment in starts.chain(turns) {
            if let Some(rates) = self.rates(moment, variant)
                && !found.iter().any(|other| std::ptr::eq(*other, rates))
            {
                found.push(rates);
            }
        }
        found
    }
}

// === impl EntryVariant ===

impl EntryVariant {
    fn is(&self, variant: Variant<'_>) -> bool {
        match (self, variant) {
            (Self::Default, Variant::Default) | (Self::Batch, Variant::Batch) => true,
            (Self::ServiceTier(own), Variant::ServiceTier(name)) | (Self::Speed(own), Variant::Speed(name)) => **own == *name,
            _ => false,
        }
    }
}

// === impl Hours ===

impl Hours {
    pub(super) const fn contains(self, minute: u16) -> bool {
        if self.begin < self.end { self.begin <= minute && minute < self.end } else { self.begin <= minute || minute < self.end }
    }

    /// True where a minute belongs to both.
    pub(super) const fn overlaps(self, other: Self) -> bool {
        self.contains(other.begin) || other.contains(self.begin)
    }
}

/// What goes before what, of all that applies at that moment: the newest date wins; of one date, the hours win over the whole day. None where it does not
/// apply.
pub(super) fn precedence(from: Timestamp, hours: Option<Hours>, at: Timestamp) -> Option<(Timestamp, bool)> {
    let applies = from <= at && hours.is_none_or(|hours| hours.contains(minute_of_day(at)));
    applies.then_some((from, hours.is_some()))
}

fn minute_of_day(at: Timestamp) -> u16 {
    let minutes = at.as_second().div_euclid(60).rem_euclid(i64::from(MINUTES_PER_DAY));
    u16::try_from(minutes).unwrap_or_default()
}

/// The next time, after that moment, that the clock shows that minute of the day.
fn next_at(at: Timestamp, minute: u16) -> Option<Timestamp> {
    let day = i64::from(MINUTES_PER_DAY) * 60;
    let today = at.as_second().div_euclid(day) * day + i64::from(minute) * 60;
    let next = if today > at.as_second() { today } else { today + day };
    Timestamp::from_second(next).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
