//! A model as a public list prices it, in the words of a price book.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::values::amount;
use crate::prices::ModelLimits;
use crate::prices::images::{ImagePrice, ImageWord};
use crate::prices::keys::PriceKey;
use crate::prices::model::EntryVariant;
use crate::prices::rates::{Price, PriceList};
use crate::prices::terms::Terms;

/// A model of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedModel {
    /// The price book's name of the provider.
    pub(super) provider: String,
    /// Its plain name.
    pub(super) id: String,
    /// Other names in full.
    pub(super) aliases: Vec<String>,
    /// Rules for other names, as a price book writes them.
    pub(super) rules: Vec<String>,
    /// Its limits, as far as the list knows them.
    pub(super) limits: ModelLimits,
    /// What it costs.
    pub(super) terms: Vec<Terms>,
    /// What is worth knowing about how it was taken.
    pub(super) notes: Vec<String>,
}

/// A model that is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// The price book's name of the provider, or the list's.
    pub(super) provider: String,
    /// Its name.
    pub(super) id: String,
    /// Why.
    pub(super) why: String,
}

/// Gathers the prices of one case.
#[derive(Clone, Debug, Default)]
pub(super) struct Gatherer {
    prices: BTreeMap<&'static str, Gathered>,
    images: Vec<ImagePrice>,
    notes: Vec<String>,
}

/// The amounts of one key.
#[derive(Clone, Debug, Default)]
struct Gathered {
    base: Option<u128>,
    tiers: BTreeMap<u64, u128>,
}

// === impl Gatherer ===

impl Gatherer {
    /// Adds an amount, so many times what the list says, for inputs above a length where one is given.
    pub(super) fn add(&mut self, key: &'static str, value: &RawValue, times: u128, above: Option<u64>) -> Result<(), String> {
        let atoms = self.atoms(key, value, times)?;
        let gathered = self.prices.entry(key).or_default();
        let slot = match above {
            None => gathered.base.get_or_insert(0),
            Some(above) => gathered.tiers.entry(above).or_insert(0),
        };
        // Of two amounts for one thing the dearer counts.
        *slot = atoms.max(*slot);
        Ok(())
    }

    /// Adds the price of an image; a name that is empty is any.
    pub(super) fn add_image(&mut self, value: &RawValue, times: u128, size: Option<&str>, quality: Option<&str>) -> Result<(), String> {
        let rate = self.atoms("images", value, times)?;
        let word = |name: Option<&str>| name.map(|name| ImageWord::new(name).ok_or_else(|| format!("{name} is too long a name"))).transpose();
        let (size, quality) = (word(size)?, word(quality)?);
        if self.images.iter().any(|image| (image.size, image.quality) == (size, quality)) {
            return Err("prices the same images twice".to_owned());
        }
        self.images.push(ImagePrice { size, quality, rate });
        Ok(())
    }

    fn atoms(&mut self, key: &'static str, value: &RawValue, times: u128) -> Result<u128, String> {
        let price_key = PriceKey::from_name(key).ok_or_else(|| format!("{key} is no price"))?;
        let decimal = amount(value)?;
        let scaled = decimal.times(times).map_err(|error| format!("{} {error}", value.get()))?;
        if scaled.rounded {
            self.notes.push(format!("{key} rounded up to {}", scaled.text));
        }
        price_key.rate(&scaled.text).map_err(|_| format!("{} is more than a price can be", value.get()))
    }

    /// True where a key has an amount that is not zero.
    pub(super) fn costs(&self, key: &str) -> bool {
        self.prices.get(key).is_some_and(|gathered| gathered.base.is_some_and(|base| base > 0))
    }

    /// True where a key that begins so has an amount that is not zero.
    pub(super) fn gives(&self, beginning: &str) -> bool {
        self.prices.keys().any(|key| key.starts_with(beginning) && self.costs(key))
    }

    /// True where nothing at all was added.
    pub(super) fn is_empty(&self) -> bool {
        self.prices.is_empty() && self.images.is_empty()
    }

    /// Takes a key out again.
    pub(super) fn remove(&mut self, key: &str) {
        self.prices.remove(key);
    }

    /// Where only some kinds of output have a price, any other output has the dearest of them: a part of it may be text.
    fn fill_output(&mut self) {
        if self.prices.contains_key("output_mtok") {
            return;
        }
        let outputs = self.prices.iter().filter(|(key, _)| key.starts_with("output_")).map(|(_, gathered)| gathered);
        let dearest = outputs.flat_map(|gathered| gathered.base.iter().chain(gathered.tiers.values())).max().copied();
        if let Some(dearest) = dearest {
            self.prices.insert("output_mtok", Gathered { base: Some(dearest), tiers: BTreeMap::new() });
            self.notes.push("output_mtok is the dearest other output's".to_owned());
        }
    }

    /// The terms of that case, and what is worth knowing about them.
    pub(super) fn finish(mut self, variant: EntryVariant) -> Result<(Terms, Vec<String>), String> {
        self.fill_output();
        let mut list = PriceList::default();
        for (key, gathered) in self.prices {
            let price_key = PriceKey::from_name(key).ok_or_else(|| format!("{key} is no price"))?;
            let base = gathered.base.ok_or_else(|| format!("prices {key} for long inputs alone"))?;
            list.add(price_key.unit, Price { base, tiers: gathered.tiers.into_iter().collect() });
        }
        list.add_images(self.images);
        if list.is_empty() {
            return Err("has no price".to_owned());
        }
        if let Some(what) = list.missing() {
            return Err(what.split(':').next().unwrap_or(what).to_owned());
        }
        Ok((Terms { variant, ..Terms::usual(list) }, self.notes))
    }
}
