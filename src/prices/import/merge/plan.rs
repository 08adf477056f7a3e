//! What a model costs after a merge, and how that differs from before, in words.

use jiff::Timestamp;

use super::Change;
use crate::prices::Unit;
use crate::prices::images::ImagePrice;
use crate::prices::keys::PriceKey;
use crate::prices::model::Hours;
use crate::prices::rates::{Price, PriceList};
use crate::prices::terms::{Terms, in_force};

/// A price that changes so many times over is pointed out.
const FAR: u128 = 10;

/// The terms with the list's laid over them: each price that the list gives takes the place of the one that applies now, or, where the list has dates and
/// hours, of the one with the same. All others stay.
pub(super) fn merged_terms(before: &[Terms], listed: &[Terms], dated: bool, now: Timestamp) -> Vec<Terms> {
    let mut after = before.to_vec();
    for terms in listed {
        let same =
            |own: &Terms| if dated { own.same_case(terms) } else { own.variant == terms.variant && own.hours.is_none() && applies_whole_day(before, own, now) };
        match after.iter_mut().find(|own| same(own)) {
            Some(own) => own.list = laid_over(&own.list, &terms.list),
            None => {
                // Hours that are cut otherwise than before.
                let clash = |own: &Terms| {
                    let hours: (Option<Hours>, Option<Hours>) = (own.hours, terms.hours);
                    (&own.variant, own.from) == (&terms.variant, terms.from) && matches!(hours, (Some(own), Some(new)) if own.overlaps(new))
                };
                after.retain(|own| !clash(own));
                after.push(terms.clone());
            }
        }
    }
    after
}

/// Whether those terms are in force, hours aside.
fn applies_whole_day(list: &[Terms], terms: &Terms, now: Timestamp) -> bool {
    let whole_days: Vec<Terms> = list.iter().filter(|own| own.hours.is_none()).cloned().collect();
    whole_days.iter().any(|own| own == terms && in_force(&whole_days, own, now))
}

fn laid_over(own: &PriceList, listed: &PriceList) -> PriceList {
    let mut list = PriceList::default();
    for unit in Unit::ALL {
        if let Some(price) = listed.get(unit).or_else(|| own.get(unit)) {
            list.add(unit, price.clone());
        }
    }
    let images = if listed.images().is_empty() || near(own.images(), listed.images()) { own.images() } else { listed.images() };
    list.add_images(images.iter().copied());
    list
}

/// True where both price the same images within a hundredth: a list that prices by the pixel rounds.
fn near(own: &[ImagePrice], listed: &[ImagePrice]) -> bool {
    let same = |one: &ImagePrice, other: &ImagePrice| (one.size, one.quality) == (other.size, other.quality) && one.rate.abs_diff(other.rate) <= one.rate / 100;
    own.len() == listed.len() && listed.iter().all(|listed| own.iter().any(|own| same(own, listed)))
}

/// True where laying the list's terms over these changes nothing.
pub(super) fn says_the_same(own: &[Terms], listed: &[Terms], dated: bool, now: Timestamp) -> bool {
    !own.is_empty() && merged_terms(own, listed, dated, now) == own
}

/// How a model differs from before.
#[derive(Debug, Default)]
pub(super) struct Differences {
    changes: Vec<String>,
    kept: Vec<String>,
}

// === impl Differences ===

impl Differences {
    /// Of prices.
    pub(super) fn between(before: &[Terms], after: &[Terms], listed: &[Terms], now: Timestamp) -> Self {
        let mut differences = Self::default();
        for terms in after {
            let old = before.iter().find(|old| old.same_case(terms)).map(|old| &old.list);
            let mut changes: Vec<String> =
                Unit::ALL.into_iter().filter_map(|unit| price_change(unit, old.and_then(|old| old.get(unit)), terms.list.get(unit)?)).collect();
            let images = |list: &PriceList| list.images().to_vec();
            if old.map(images).unwrap_or_default() != images(&terms.list) {
                changes.push(format!("{} prices of images", terms.list.images().len()));
            }
            if !changes.is_empty() {
                differences.changes.push(format!("{}{}", prefix(terms), changes.join(", ")));
            }
        }
        if !differences.changes.is_empty() {
            differences.keeps(before, listed, now);
        }
        differences
    }

    /// What stays of the prices in force, since the list does not give it.
    fn keeps(&mut self, before: &[Terms], listed: &[Terms], now: Timestamp) {
        for own in before.iter().filter(|own| in_force(before, own, now)) {
            let Some(given) = listed.iter().find(|listed| listed.variant == own.variant) else {
                self.kept.push(own.case());
                continue;
            };
            let keys = Unit::ALL.into_iter().filter(|unit| own.list.get(*unit).is_some() && given.list.get(*unit).is_none()).filter_map(PriceKey::of_unit);
            self.kept.extend(keys.map(|(key, _)| format!("{}{key}", prefix(own))));
        }
    }

    pub(super) fn limit(&mut self, key: &str, was: Option<u64>, is: u64) {
        self.changes.push(was.map_or_else(|| format!("{key} {is}"), |was| format!("{key} {was} -> {is}")));
    }

    pub(super) fn note(&mut self, what: &str) {
        self.changes.push(what.to_owned());
    }

    /// What became of a model that was there.
    pub(super) fn change(self, notes: &[String]) -> Change {
        if self.changes.is_empty() { Change::Same } else { Change::Changed(self.words(notes)) }
    }

    /// What became of a model that is new.
    pub(super) fn added(self, notes: &[String]) -> Change {
        Change::Added(self.words(notes))
    }

    fn words(self, notes: &[String]) -> String {
        let mut words = self.changes.join("; ");
        if !self.kept.is_empty() {
            words.push_str(&format!("; as before: {}", self.kept.join(", ")));
        }
        for note in notes {
            words.push_str(&format!("; {note}"));
        }
        words
    }
}

/// How the price of a unit changed, in words.
fn price_change(unit: Unit, old: Option<&Price>, new: &Price) -> Option<String> {
    let (key, price_key) = PriceKey::of_unit(unit).filter(|_| old != Some(new))?;
    let shown = |price: &Price| {
        let tiers: String = price.tiers.iter().map(|(above, rate)| format!(", {} above {above}", price_key.amount(*rate))).collect();
        if tiers.is_empty() { price_key.amount(price.base) } else { format!("({}{tiers})", price_key.amount(price.base)) }
    };
    Some(match old {
        None => format!("{key} {}", shown(new)),
        Some(old) => {
            let far = old.base.min(new.base) > 0 && old.base.max(new.base) > old.base.min(new.base).saturating_mul(FAR);
            let mark = if far { " (more than tenfold)" } else { "" };
            format!("{key} {} -> {}{mark}", shown(old), shown(new))
        }
    })
}

fn prefix(terms: &Terms) -> String {
    let parts = terms.condition().into_iter().chain(terms.since().map(|since| format!("from {since}")));
    let parts = parts.chain(terms.hours().map(|[begin, end]| format!("{begin} to {end}")));
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { String::new() } else { format!("{}: ", parts.join(", ")) }
}
