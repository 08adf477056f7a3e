//! The price book: every model with a price, found by provider and name.

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::ModelPrice;
use super::file::{self, FileModel, Reader, Worth};
use super::names::{Names, Rule};
use super::terms;
use crate::diagnostic::Diagnostic;

/// Prices of models, by provider and name.
#[derive(Debug)]
pub struct PriceBook {
    version: Arc<str>,
    providers: HashMap<Arc<str>, Provider>,
    models_count: usize,
}

/// One provider's models, in the order of the file.
#[derive(Debug, Default)]
struct Provider {
    models: Vec<Listed>,
    names: Names,
}

/// A model of the file.
#[derive(Debug)]
struct Listed {
    id: Box<str>,
    /// Its number in the file, over all providers.
    number: usize,
    /// None where the file says that it is unpriced: the name is known, and refused.
    price: Option<Arc<ModelPrice>>,
    /// Where its table begins in the file.
    offset: usize,
}

// === impl PriceBook ===

impl PriceBook {
    /// Reads a price book. `file` is its name in messages.
    ///
    /// # Errors
    /// Everything that is wrong with it, by place.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<Diagnostic>> {
        Self::read(text, file).map(|(book, _)| book)
    }

    /// The same, with the models as the file says them.
    pub(crate) fn read(text: &str, file: &str) -> Result<(Self, Vec<FileModel>), Vec<Diagnostic>> {
        let (mut reader, models) = file::read(text, file)?;
        let mut book = Self { version: version_of(text).into(), providers: HashMap::new(), models_count: 0 };
        for (number, model) in models.iter().enumerate() {
            book.add(&mut reader, number, model);
        }
        book.refuse_names_out_of_reach(&mut reader);
        reader.finish()?;
        Ok((book, models))
    }

    /// The text of the price book that is built into the binary.
    pub const BUILTIN: &'static str = include_str!("../../config/prices.toml");

    /// The price book that is built into the binary.
    ///
    /// # Errors
    /// As [`PriceBook::parse`]; a test says that there are none.
    pub fn builtin() -> Result<Self, Vec<Diagnostic>> {
        Self::parse(Self::BUILTIN, "the price book of this binary (config/prices.toml)")
    }

    /// The first twelve hexadecimal digits of the SHA-256 of its text: charges are booked with it.
    #[must_use]
    pub fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// What the model costs that this provider knows by this name, in exactly this case. None: it has no price.
    #[must_use]
    pub fn find(&self, provider: &str, model: &str) -> Option<Arc<ModelPrice>> {
        let provider = self.providers.get(provider)?;
        let listed = provider.models.get(provider.names.find(model)?)?;
        listed.price.clone()
    }

    /// The plain names of a provider's models that have a price, in the order of the file.
    pub fn models(&self, provider: &str) -> impl Iterator<Item = &str> {
        self.providers.get(provider).into_iter().flat_map(|provider| &provider.models).filter(|listed| listed.price.is_some()).map(|listed| &*listed.id)
    }

    /// The providers that have models here, in no order.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.providers.keys().map(|name| &**name)
    }

    /// How many models have a price.
    #[must_use]
    pub const fn models_count(&self) -> usize {
        self.models_count
    }

    /// The number in the file of the model that this provider knows by this name, with or without a price.
    pub(crate) fn number_of(&self, provider: &str, model: &str) -> Option<usize> {
        let provider = self.providers.get(provider)?;
        provider.models.get(provider.names.find(model)?).map(|listed| listed.number)
    }

    /// Adds one model of the file.
    fn add(&mut self, reader: &mut Reader<'_>, number: usize, model: &FileModel) {
        let (provider_name, provider) = match self.providers.get_key_value(&*model.provider) {
            Some((name, _)) => (Arc::clone(name), self.providers.get_mut(&*model.provider)),
            None => {
                let name: Arc<str> = model.provider.as_str().into();
                self.providers.insert(Arc::clone(&name), Provider::default());
                (name, self.providers.get_mut(&*model.provider))
            }
        };
        let Some(provider) = provider else { return };
        let entries = match &model.worth {
            Worth::Terms(list) => Some(terms::resolve(list)),
            Worth::Free => Some(vec![terms::free()]),
            Worth::Unpriced(_) | Worth::Wrong => None,
        };
        let id: Box<str> = model.id.as_str().into();
        let price =
            entries.map(|entries| Arc::new(ModelPrice { provider: provider_name, id: id.clone(), limits: model.limits, entries: entries.into_boxed_slice() }));
        self.models_count += usize::from(price.is_some());
        let own_name = std::iter::once((Rule::Equals(id.clone()), model.places.id.clone()));
        provider.add(reader, Listed { id, number, price, offset: model.places.table.start }, own_name.chain(model.names.iter().cloned()));
    }

    /// A name in full behind an earlier rule that takes it would never get its own price: the operator is told.
    fn refuse_names_out_of_reach(&self, reader: &mut Reader<'_>) {
        for provider in self.providers.values() {
            for (name, model) in provider.names.exact_names() {
                let Some(earlier) = provider.names.find_by_rule(name).filter(|earlier| *earlier < model) else { continue };
                if let (Some(listed), Some(earlier)) = (provider.models.get(model), provider.models.get(earlier)) {
                    let line = reader.line_of(earlier.offset);
                    let what =
                        format!("{name:?} is taken by a rule of {:?} on line {line}, and the first in the file wins: put this model before it", earlier.id);
                    reader.error(listed.offset..listed.offset, what);
                }
            }
        }
    }
}

// === impl Provider ===

impl Provider {
    fn add(&mut self, reader: &mut Reader<'_>, listed: Listed, rules: impl Iterator<Item = (Rule, Range<usize>)>) {
        let number = self.models.len();
        self.models.push(listed);
        for (rule, span) in rules {
            let name = if let Rule::Equals(name) = &rule { name.clone() } else { Box::default() };
            if let Err(owner) = self.names.add(number, rule)
                && let Some(owner) = self.models.get(owner)
            {
                let line = reader.line_of(owner.offset);
                reader.error(span, format!("{name:?} belongs to {:?} on line {line} already: within a provider a name is given once", owner.id));
            }
        }
    }
}

fn version_of(text: &str) -> String {
    Sha256::digest(text).iter().take(6).fold(String::with_capacity(12), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
