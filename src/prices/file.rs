//! The file of a price book as it stands: every model with its names, limits and prices as they are written, and where each of them is written.

mod entries;
mod images;
mod reader;
mod rules;

use std::ops::Range;

use toml::de::{DeTable, DeValue};

pub(super) use self::reader::Reader;
use self::reader::Value;
use super::ModelLimits;
use super::names::Rule;
use super::terms::Terms;
use crate::diagnostic::Diagnostic;

/// A model's table.
#[derive(Debug)]
pub(crate) struct FileModel {
    /// Whose model it is.
    pub(crate) provider: String,
    /// Its plain name.
    pub(crate) id: String,
    /// Its limits.
    pub(crate) limits: ModelLimits,
    /// What it costs.
    pub(crate) worth: Worth,
    /// Its other names, with their places.
    pub(super) names: Vec<(Rule, Range<usize>)>,
    pub(super) places: Places,
}

/// What a model costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// By case and time.
    Terms(Vec<Terms>),
    /// Nothing, as the operator says.
    Free,
    /// Nobody knows: it is refused, for this reason.
    Unpriced(String),
    /// What is written is wrong, and was told.
    Wrong,
}

/// Where `match` stands.
#[derive(Clone, Debug)]
pub(super) struct NamesPlace {
    /// Its value.
    pub(super) value: Range<usize>,
    /// What is in its list, where it is one.
    pub(super) items: Option<Vec<Range<usize>>>,
}

/// Where things stand in the text, in bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// The table's header.
    pub(super) table: Range<usize>,
    /// The end of the last value.
    pub(super) end: usize,
    pub(super) id: Range<usize>,
    /// The key and the value of `prices`, `free` or `unpriced`.
    pub(super) worth: Range<usize>,
    pub(super) names: Option<NamesPlace>,
    /// The values of `context`, `max_input` and `max_output`.
    pub(super) limits: [Option<Range<usize>>; 3],
}

// === impl FileModel ===

impl FileModel {
    /// Where its table begins, in bytes.
    pub(crate) const fn offset(&self) -> usize {
        self.places.table.start
    }
}

/// The keys of the limits, in the order of [`Places::limits`].
pub(super) const LIMIT_KEYS: [&str; 3] = ["context", "max_input", "max_output"];
const WORTH_KEYS: [&str; 3] = ["prices", "free", "unpriced"];

/// Every model in the order of the file; and the reader, for what else may be wrong with it.
///
/// # Errors
/// What is no TOML.
pub(super) fn read<'a>(text: &'a str, file: &'a str) -> Result<(Reader<'a>, Vec<FileModel>), Vec<Diagnostic>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|error| Diagnostic::from_toml(file, text, error)).collect());
    }
    let mut reader = Reader::new(file, text);
    let root = document.get_ref();
    reader.known_keys(root, "the price book", &["models"]);
    let models = match root.get("models").map(|models| (models.get_ref(), models.span())) {
        Some((DeValue::Array(models), _)) => models.iter().filter_map(|value| model(&mut reader, value)).collect(),
        Some((_, span)) => {
            reader.error(span, "models must be a list of tables, each under [[models]]");
            Vec::new()
        }
        None => Vec::new(),
    };
    Ok((reader, models))
}

/// Reads one `[[models]]` table. None where it has no provider or no name; one with another error is there all the same, so that its names are checked too.
fn model(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<FileModel> {
    let span = value.span();
    let DeValue::Table(table) = value.get_ref() else {
        reader.error(span, "a model is a table, under [[models]]");
        return None;
    };
    reader.known_keys(table, "a model", &["provider", "id", "match", "context", "max_input", "max_output", "prices", "free", "unpriced"]);
    let provider = reader.required_name(table, "provider", &span);
    let id = reader.required_name(table, "id", &span);
    let [context, input, output] = LIMIT_KEYS.map(|key| reader.positive_integer(table, key));
    let worth = entries::read(reader, table, &span);
    let names = table.get("match").map(|value| rules::read(reader, value)).unwrap_or_default();
    let (Some((provider, _)), Some((id, id_place))) = (provider, id) else { return None };
    let places = Places {
        end: table.values().map(|value| value.span().end).max().unwrap_or(span.end),
        table: span,
        id: id_place,
        worth: table.iter().find(|(key, _)| WORTH_KEYS.contains(&&**key.get_ref())).map_or(0..0, |(key, value)| key.span().start..value.span().end),
        names: table
            .get("match")
            .map(|value| NamesPlace { value: value.span(), items: value.get_ref().as_array().map(|list| list.iter().map(toml::Spanned::span).collect()) }),
        limits: LIMIT_KEYS.map(|key| table.get(key).map(toml::Spanned::span)),
    };
    Some(FileModel { provider: provider.to_owned(), id: id.to_owned(), limits: ModelLimits { context, input, output }, worth, names, places })
}
