//! What each class of consumption costs, and the one place where a cost is computed: exact integers, rounded up once.

use std::collections::BTreeMap;

use super::images::{self, ImagePrice};
use super::keys::{ATOMS_PER_NANO, PriceKey, known_keys};
use super::{Margin, Unit, UnitError, Usage};
use crate::money::Usd;

/// How many classes there are.
const UNITS: usize = Unit::ALL.len();
/// Stands where a class has no price. No rate comes near it.
const UNPRICED: u128 = u128::MAX;

/// Why no amount can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// The usage has a class that has no price, and none that could stand for it.
    #[error("there is no price for {}", .0.name())]
    Unpriced(Unit),
    /// The request sets no output limit, and nothing says how much the model gives at most.
    #[error("the request sets no output limit and none is known for this model: set max_tokens, or give the model a max_output in the price book")]
    Unbounded,
    /// The request brings input that only the model's context window bounds, and that is not known.
    #[error("the request brings input that only the model's context window bounds, and it is not known: give the model a context in the price book")]
    UnknownWindow,
    /// There are no rates at all for what was asked, for example for a service tier.
    #[error("there is no price for what was asked")]
    NoRates,
    /// Beyond what can be counted.
    #[error("the cost is beyond the largest amount that can be counted")]
    TooLarge,
}

/// What each unit costs, at one time and in one service tier, by steps of the input's length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Below the first step's threshold.
    base: [u128; UNITS],
    /// By rising threshold.
    steps: Box<[Step]>,
    /// Images by the piece, by kind, whatever the input's length: the classes above hold no price for [`Unit::Images`].
    images: Box<[ImagePrice]>,
}

/// Rates for a whole request once it has more input than this.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    above_input_tokens: u64,
    rates: [u128; UNITS],
}

/// The prices that a table gives, before what it leaves out is filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PriceList {
    prices: [Option<Price>; UNITS],
    images: Vec<ImagePrice>,
}

/// One price: atoms for one unit, and by rising threshold what it is for longer inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Price {
    pub(super) base: u128,
    pub(super) tiers: Vec<(u64, u128)>,
}

// === impl Rates ===

impl Rates {
    /// Nothing costs anything.
    #[must_use]
    pub fn free() -> Self {
        Self { base: [0; UNITS], steps: Box::default(), images: Box::new([ImagePrice::of_any(0)]) }
    }

    /// So much for a request, whatever it consumes.
    #[must_use]
    pub fn per_request(amount: Usd) -> Self {
        let mut rates = Self::free();
        // A price is never negative: what is below zero counts as nothing.
        rates.base[Unit::Requests as usize] = u128::try_from(amount.nanos()).unwrap_or(0) * ATOMS_PER_NANO;
        rates
    }

    /// From a table of prices as people write it: `{ input_mtok = "2.50", output_mtok = "10" }`.
    ///
    /// # Errors
    /// One for each key that is unknown or whose amount is not a price; or one for an empty table.
    pub fn from_units(units: &BTreeMap<String, String>) -> Result<Self, Vec<UnitError>> {
        let mut list = PriceList::default();
        let mut errors = Vec::new();
        for (key, amount) in units {
            let error = |what: String| UnitError { key: key.clone(), what };
            match PriceKey::from_name(key) {
                None => errors.push(error(format!("no such price; one of {}", known_keys()))),
                Some(price_key) => match price_key.rate(amount) {
                    Ok(rate) if price_key.unit == Unit::Images => list.add_images([ImagePrice::of_any(rate)]),
                    Ok(rate) => list.add(price_key.unit, Price { base: rate, tiers: Vec::new() }),
                    Err(what) => errors.push(error(what.to_string())),
                },
            }
        }
        if units.is_empty() {
            errors.push(UnitError { key: "price".to_owned(), what: "gives no price, for example input_mtok = \"2.50\"".to_owned() });
        }
        // What is wrong is not missing.
        if errors.is_empty()
            && let Some(what) = list.missing()
        {
            errors.push(UnitError { key: "price".to_owned(), what: what.to_owned() });
        }
        if errors.is_empty() { Ok(list.resolve()) } else { Err(errors) }
    }

    /// What that usage costs: exact, and rounded up once. Where the usage counts no request, it is one.
    ///
    /// # Errors
    /// [`PriceError::Unpriced`] when a class has neither a price nor one that could stand for it, [`PriceError::TooLarge`] beyond [`Usd::MAX`].
    pub fn cost(&self, usage: &Usage) -> Result<Usd, PriceError> {
        self.cost_with(usage, Margin::NONE)
    }

    /// The same where the provider's bill may exceed these rates by so much.
    ///
    /// # Errors
    /// As [`Rates::cost`].
    pub fn cost_with(&self, usage: &Usage, margin: Margin) -> Result<Usd, PriceError> {
        let input_tokens = usage.input_tokens();
        let rates = self.steps.iter().rev().find(|step| input_tokens > step.above_input_tokens).map_or(&self.base, |step| &step.rates);
        let mut atoms = if usage.get(Unit::Requests) == 0 { rates[Unit::Requests as usize] } else { 0 };
        for (unit, count) in usage.iter() {
            let rate = if unit == Unit::Images { images::dearest(&self.images, usage.image_kind()).unwrap_or(UNPRICED) } else { rates[unit as usize] };
            if rate == UNPRICED {
                return Err(PriceError::Unpriced(unit));
            }
            atoms = rate.checked_mul(u128::from(count)).and_then(|part| atoms.checked_add(part)).ok_or(PriceError::TooLarge)?;
        }
        let nanos = i64::try_from(margin.widen(atoms).div_ceil(ATOMS_PER_NANO)).map_err(|_| PriceError::TooLarge)?;
        Usd::from_nanos(nanos).map_err(|_| PriceError::TooLarge)
    }

    /// The same usage without the classes that have no price: see [`Bound::as_priced`](super::Bound::as_priced).
    #[must_use]
    pub fn priced(&self, usage: &Usage) -> Usage {
        let mut priced = *usage;
        for (unit, _) in usage.iter().filter(|(unit, _)| self.dearest(*unit, usage).is_none()) {
            priced.set(unit, 0);
        }
        priced
    }

    /// The dearest that one unit can be in a request that consumes at most so much. None where it has no price.
    pub(super) fn dearest(&self, unit: Unit, most: &Usage) -> Option<u128> {
        if unit == Unit::Images {
            return images::dearest(&self.images, most.image_kind());
        }
        let most_input_tokens = most.input_tokens();
        let reachable = self.steps.iter().filter(|step| most_input_tokens > step.above_input_tokens).map(|step| &step.rates);
        // What has a price has one on every step.
        std::iter::once(&self.base).chain(reachable).map(|rates| rates[unit as usize]).max().filter(|rate| *rate != UNPRICED)
    }
}

// === impl PriceList ===

impl PriceList {
    /// Gives a unit its price. Of two the dearer counts.
    pub(super) fn add(&mut self, unit: Unit, price: Price) {
        let slot = &mut self.prices[unit as usize];
        *slot = Some(match slot.take() {
            None => price,
            Some(other) => other.dearer(&price),
        });
    }

    /// Gives images of some kinds their prices.
    pub(super) fn add_images(&mut self, prices: impl IntoIterator<Item = ImagePrice>) {
        self.images.extend(prices);
    }

    /// True where nothing but images has a price.
    pub(super) fn has_images_alone(&self) -> bool {
        self.prices.iter().all(Option::is_none) && !self.images.is_empty()
    }

    /// The prices of images.
    pub(super) fn images(&self) -> &[ImagePrice] {
        &self.images
    }

    /// The price that was given for a unit.
    pub(super) fn get(&self, unit: Unit) -> Option<&Price> {
        self.prices[unit as usize].as_ref()
    }

    /// True where no price was given.
    pub(super) fn is_empty(&self) -> bool {
        self.prices.iter().all(Option::is_none) && self.images.is_empty()
    }

    /// What is missing for the list to make sense.
    pub(super) fn missing(&self) -> Option<&'static str> {
        let tokens = &Unit::ALL[Unit::CacheRead as usize..=Unit::OutputVideo as usize];
        if self.get(Unit::Input).is_none() && tokens.iter().any(|unit| self.get(*unit).is_some()) {
            return Some("input_mtok is missing: every model that is billed by the token has one (\"0\" where input costs nothing)");
        }
        let outputs = [Unit::OutputReasoning, Unit::OutputAudio, Unit::OutputImage, Unit::OutputVideo];
        if self.get(Unit::Output).is_none() && outputs.iter().any(|unit| self.get(*unit).is_some()) {
            return Some("output_mtok is missing: whatever the output, a part of it may be text (\"0\" where that costs nothing)");
        }
        None
    }

    /// Fills in what was left out, and brings the tiers together into steps.
    pub(super) fn resolve(&self) -> Rates {
        let mut thresholds: Vec<u64> = self.prices.iter().flatten().flat_map(|price| &price.tiers).map(|(above, _)| *above).collect();
        thresholds.sort_unstable();
        thresholds.dedup();
        let rates_above = |above: Option<u64>| Unit::ALL.map(|unit| self.price_of(unit).map_or(UNPRICED, |price| price.above(above)));
        let mut base = rates_above(None);
        let mut steps: Box<[Step]> = thresholds.into_iter().map(|above| Step { above_input_tokens: above, rates: rates_above(Some(above)) }).collect();
        // A list without a price by the request has none to pay.
        for rates in std::iter::once(&mut base).chain(steps.iter_mut().map(|step| &mut step.rates)) {
            let requests = &mut rates[Unit::Requests as usize];
            *requests = if *requests == UNPRICED { 0 } else { *requests };
        }
        Rates { base, steps, images: self.images.as_slice().into() }
    }

    /// The price of a unit, or the one that stands for it. What is read from a cache is never taken for cheaper than its own kind of input unless the
    /// list says so; an hour in the cache costs at least what the usual time does.
    fn price_of(&self, unit: Unit) -> Option<&Price> {
        let stand_ins: &[Unit] = match unit {
            Unit::CacheRead | Unit::CacheWrite | Unit::InputAudio | Unit::InputImage | Unit::InputVideo => &[Unit::Input],
            Unit::CacheWrite1h => &[Unit::CacheWrite, Unit::Input],
            Unit::CacheAudioRead => &[Unit::InputAudio, Unit::CacheRead, Unit::Input],
            Unit::CacheImageRead => &[Unit::InputImage, Unit::CacheRead, Unit::Input],
            Unit::OutputReasoning | Unit::OutputAudio | Unit::OutputImage | Unit::OutputVideo => &[Unit::Output],
            _ => &[],
        };
        std::iter::once(&unit).chain(stand_ins).find_map(|unit| self.get(*unit))
    }
}

// === impl Price ===

impl Price {
    /// Atoms for one unit above that many input tokens.
    fn above(&self, threshold: Option<u64>) -> u128 {
        self.tiers.iter().rev().find(|(above, _)| threshold >= Some(*above)).map_or(self.base, |(_, rate)| *rate)
    }

    /// The dearest of its steps.
    pub(super) fn dearest(&self) -> u128 {
        self.tiers.iter().map(|(_, rate)| *rate).fold(self.base, u128::max)
    }

    /// The dearer of both, on each step.
    pub(super) fn dearer(&self, other: &Self) -> Self {
        let mut thresholds: Vec<u64> = self.tiers.iter().chain(&other.tiers).map(|(above, _)| *above).collect();
        thresholds.sort_unstable();
        thresholds.dedup();
        let at = |threshold| self.above(threshold).max(other.above(threshold));
        Self { base: at(None), tiers: thresholds.into_iter().map(|above| (above, at(Some(above)))).collect() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
