//! The price book: every model with a price, found by provider and name.

mod entries;
mod images;
mod reader;
mod rules;

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use toml::de::{DeTable, DeValue};

use self::reader::{Reader, Value};
use super::names::{Names, Rule};
use super::{ModelLimits, ModelPrice, Rates};
use crate::diagnostic::Diagnostic;

/// Prices of models, by provider and name.
#[derive(Debug)]
pub struct PriceBook {
    version: String,
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
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            return Err(errors.iter().map(|error| Diagnostic::from_toml(file, text, error)).collect());
        }
        let mut reader = Reader::new(file, text);
        let root = document.get_ref();
        reader.known_keys(root, "the price book", &["models"]);
        let mut book = Self { version: version_of(text), providers: HashMap::new(), models_count: 0 };
        match root.get("models").map(|models| (models.get_ref(), models.span())) {
            Some((DeValue::Array(models), _)) => models.iter().for_each(|model| book.add(&mut reader, model)),
            Some((_, span)) => reader.error(span, "models must be a list of tables, each under [[models]]"),
            None => {}
        }
        book.refuse_names_out_of_reach(&mut reader);
        reader.finish()?;
        Ok(book)
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
    pub fn version(&self) -> &str {
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

    /// Reads one `[[models]]` table.
    fn add(&mut self, reader: &mut Reader<'_>, model: &Value<'_>) {
        const KEYS: [&str; 9] = ["provider", "id", "match", "context", "max_input", "max_output", "prices", "free", "unpriced"];
        let span = model.span();
        let DeValue::Table(table) = model.get_ref() else {
            return reader.error(span, "a model is a table, under [[models]]");
        };
        reader.known_keys(table, "a model", &KEYS);
        let provider = reader.required_name(table, "provider", &span);
        let id = reader.required_name(table, "id", &span);
        let limits = ModelLimits {
            context: reader.positive_integer(table, "context"),
            input: reader.positive_integer(table, "max_input"),
            output: reader.positive_integer(table, "max_output"),
        };
        let entries = entries::read(reader, table, &span);
        let rules = table.get("match").map(|value| rules::read(reader, value)).unwrap_or_default();
        let (Some((provider, _)), Some((id, id_span))) = (provider, id) else { return };
        let (provider_name, provider) = match self.providers.get_key_value(provider) {
            Some((name, _)) => (Arc::clone(name), self.providers.get_mut(provider)),
            None => {
                let name: Arc<str> = provider.into();
                self.providers.insert(Arc::clone(&name), Provider::default());
                (name, self.providers.get_mut(provider))
            }
        };
        let Some(provider) = provider else { return };
        // A model with an error of its own is listed all the same, so that its names are checked too.
        let price = entries.map(|entries| Arc::new(ModelPrice { provider: provider_name, id: id.into(), limits, entries: entries.into_boxed_slice() }));
        self.models_count += usize::from(price.is_some());
        provider.add(reader, Listed { id: id.into(), price, offset: span.start }, std::iter::once((Rule::Equals(id.into()), id_span)).chain(rules));
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
