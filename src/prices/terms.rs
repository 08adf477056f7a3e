//! What a model costs as its table says it, before what it leaves out is filled in: one [`Terms`] for each case and time.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::keys::PriceKey;
use super::model::{Entry, EntryVariant, Hours, precedence};
use super::rates::{Price, PriceList};
use super::{Rates, Unit};

/// The prices of one case (the usual one, a service tier, ...) since one date, in some hours of the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(super) variant: EntryVariant,
    /// The beginning of time where it was always so.
    pub(super) from: Timestamp,
    pub(super) hours: Option<Hours>,
    pub(super) list: PriceList,
}

/// One price, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PriceRow {
    /// What it prices.
    pub(crate) unit: Unit,
    /// Its key in the file.
    pub(crate) key: &'static str,
    /// US dollars, exactly.
    pub(crate) usd: String,
    /// For how many units that is.
    pub(crate) per: u128,
    /// Only for requests with more input tokens than this.
    pub(crate) above_input_tokens: Option<u64>,
    /// Only for images of this size, as the provider names it.
    pub(crate) size: Option<String>,
    /// Only for images of this quality.
    pub(crate) quality: Option<String>,
}

// === impl Terms ===

impl Terms {
    /// The usual case, always.
    pub(super) fn usual(list: PriceList) -> Self {
        Self { variant: EntryVariant::Default, from: Timestamp::MIN, hours: None, list }
    }

    /// Which case: `usual`, or as the file says it, `service_tier = "flex"`.
    pub(crate) fn case(&self) -> String {
        self.condition().unwrap_or_else(|| "usual".to_owned())
    }

    /// Its `when` as the file says it; none for the usual case.
    pub(super) fn condition(&self) -> Option<String> {
        match &self.variant {
            EntryVariant::Default => None,
            EntryVariant::ServiceTier(name) => Some(format!("service_tier = {}", toml::Value::from(&**name))),
            EntryVariant::Speed(name) => Some(format!("speed = {}", toml::Value::from(&**name))),
            EntryVariant::Batch => Some("processing = \"batch\"".to_owned()),
        }
    }

    /// The day since when it applies, where there is one: `2026-12-01`.
    pub(crate) fn since(&self) -> Option<String> {
        (self.from != Timestamp::MIN).then(|| TimeZone::UTC.to_datetime(self.from).date().to_string())
    }

    /// Between which hours of the day in UTC, where not the whole day: `16:30`, `00:30`.
    pub(crate) fn hours(&self) -> Option<[String; 2]> {
        self.hours.map(|hours| [hours.begin, hours.end].map(|minute| format!("{:02}:{:02}", minute / 60, minute % 60)))
    }

    /// True for the same case, at the same time.
    pub(super) fn same_case(&self, other: &Self) -> bool {
        (&self.variant, self.from, self.hours) == (&other.variant, other.from, other.hours)
    }

    /// Its prices as they were given.
    pub(crate) fn rows(&self) -> Vec<PriceRow> {
        let mut rows = Vec::new();
        for unit in Unit::ALL {
            let (Some(price), Some((key, price_key))) = (self.list.get(unit), PriceKey::of_unit(unit)) else { continue };
            let row = |rate, above_input_tokens| PriceRow {
                unit,
                key,
                usd: price_key.amount(rate),
                per: price_key.per(),
                above_input_tokens,
                size: None,
                quality: None,
            };
            rows.push(row(price.base, None));
            rows.extend(price.tiers.iter().map(|(above, rate)| row(*rate, Some(*above))));
        }
        if let Some((key, price_key)) = PriceKey::of_unit(Unit::Images) {
            rows.extend(self.list.images().iter().map(|image| PriceRow {
                unit: Unit::Images,
                key,
                usd: price_key.amount(image.rate),
                per: price_key.per(),
                above_input_tokens: None,
                size: image.size.map(|word| word.as_str().to_owned()),
                quality: image.quality.map(|word| word.as_str().to_owned()),
            }));
        }
        rows
    }
}

/// Whether those of its terms are the ones that a request at that moment is billed at, in their case.
pub(crate) fn in_force(list: &[Terms], terms: &Terms, now: Timestamp) -> bool {
    let of_case = list.iter().filter(|other| other.variant == terms.variant);
    let first = of_case.filter_map(|other| Some((precedence(other.from, other.hours, now)?, other))).max_by_key(|(rank, _)| *rank);
    first.is_some_and(|(_, first)| std::ptr::eq(first, terms))
}

/// What a model costs when, with what its terms leave out filled in. Price lists give what a search costs once, for the usual case: it costs the same in a
/// service tier. Where it changed over time, the dearest counts.
pub(super) fn resolve(terms: &[Terms]) -> Vec<Entry> {
    let usual = |unit: Unit| {
        let given = terms.iter().filter(|terms| terms.variant == EntryVariant::Default).filter_map(|terms| terms.list.get(unit));
        given.fold(None, |dearest: Option<Price>, price| Some(dearest.map_or_else(|| price.clone(), |dearest| dearest.dearer(price))))
    };
    let searches = [Unit::WebSearches, Unit::StorageSearches].map(|unit| (unit, usual(unit)));
    let entry = |terms: &Terms| {
        let mut list = terms.list.clone();
        for (unit, usual) in &searches {
            if let Some(usual) = usual.as_ref().filter(|_| terms.variant != EntryVariant::Default && terms.list.get(*unit).is_none()) {
                list.add(*unit, usual.clone());
            }
        }
        Entry { variant: terms.variant.clone(), from: terms.from, hours: terms.hours, rates: list.resolve() }
    };
    terms.iter().map(entry).collect()
}

/// True where nothing of it costs anything, ever.
pub(super) fn costs_nothing(terms: &[Terms]) -> bool {
    let free = |terms: &Terms| {
        let prices = Unit::ALL.into_iter().filter_map(|unit| terms.list.get(unit));
        prices.map(Price::dearest).chain(terms.list.images().iter().map(|image| image.rate)).all(|rate| rate == 0)
    };
    terms.iter().all(free)
}

/// The only terms of what costs nothing.
pub(super) fn free() -> Entry {
    Entry { variant: EntryVariant::Default, from: Timestamp::MIN, hours: None, rates: Rates::free() }
}
