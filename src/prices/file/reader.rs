//! Reads the tables of a TOML document, and gathers what is wrong with them instead of stopping at the first.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::Diagnostic;

/// A value of the document, with its place.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// More errors than this are not told one by one: the file is of another kind altogether.
const MOST_ERRORS: usize = 100;

/// A file that is being read.
#[derive(Debug)]
pub(in crate::prices) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    /// By byte offset.
    errors: Vec<(usize, String)>,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(super) const fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, errors: Vec::new() }
    }

    /// Notes what is wrong, and where.
    pub(in crate::prices) fn error(&mut self, place: Range<usize>, what: impl Into<String>) {
        self.errors.push((place.start, what.into()));
    }

    /// The line of a byte offset, for messages that name a second place.
    pub(in crate::prices) fn line_of(&self, offset: usize) -> u32 {
        Diagnostic::at(self.file, self.text, offset, "").line
    }

    /// What was wrong, in the order of the file.
    pub(in crate::prices) fn finish(mut self) -> Result<(), Vec<Diagnostic>> {
        if self.errors.is_empty() {
            return Ok(());
        }
        self.errors.sort();
        let more = self.errors.len().saturating_sub(MOST_ERRORS);
        let told = self.errors.iter().take(MOST_ERRORS).map(|(offset, what)| Diagnostic::at(self.file, self.text, *offset, what));
        let rest = (more > 0).then(|| Diagnostic::whole_file(self.file, format!("{more} more errors")));
        Err(told.chain(rest).collect())
    }

    /// Refuses every key but these.
    pub(super) fn known_keys(&mut self, table: &DeTable<'_>, of: &str, known: &[&str]) {
        for key in table.keys().filter(|key| !known.contains(&&**key.get_ref())) {
            self.error(key.span(), format!("{of} has no key {:?}; it may have {}", key.get_ref(), known.join(", ")));
        }
    }

    /// A string, or an error that says what was wanted.
    pub(super) fn string<'v>(&mut self, value: &'v Value<'_>, wanted: &str) -> Option<&'v str> {
        match value.get_ref() {
            DeValue::String(text) => Some(text),
            other => {
                self.error(value.span(), format!("must be {wanted}, not {}", kind(other)));
                None
            }
        }
    }

    /// A name that must be there and not be empty, with its place.
    pub(super) fn required_name<'v>(&mut self, table: &'v DeTable<'_>, key: &str, table_span: &Range<usize>) -> Option<(&'v str, Range<usize>)> {
        let Some(value) = table.get(key) else {
            self.error(table_span.clone(), format!("the model has no {key}"));
            return None;
        };
        let text = self.string(value, "a string")?;
        if text.is_empty() {
            self.error(value.span(), format!("{key} is empty"));
            return None;
        }
        Some((text, value.span()))
    }

    /// A whole number above zero, where the key is there.
    pub(super) fn positive_integer(&mut self, table: &DeTable<'_>, key: &str) -> Option<u64> {
        let value = table.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| *number > 0),
            _ => None,
        };
        if number.is_none() {
            self.error(value.span(), format!("{key} must be a whole number of tokens above zero"));
        }
        number
    }
}

/// What a value is, in people's words.
pub(super) const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a bare number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
