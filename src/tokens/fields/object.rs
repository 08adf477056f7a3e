//! A body as a JSON object whose values are still text: fields are taken out one by one, and what is left at the end was unknown.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::REQUIRED;
use super::errors::FieldErrors;

/// The fields of a body that were not taken yet, and what was wrong with those that were.
pub(super) struct Object<'a> {
    fields: BTreeMap<String, &'a RawValue>,
    errors: FieldErrors,
}

/// Every entry of a JSON object, repetitions too.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

// === impl Object ===

impl<'a> Object<'a> {
    /// Splits a body. One of no bytes is an object of no fields.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, FieldErrors> {
        let mut object = Self { fields: BTreeMap::new(), errors: FieldErrors::default() };
        if body.is_empty() {
            return Ok(object);
        }
        let whole = |message: String| FieldErrors::of(FieldErrors::WHOLE, message);
        let text = std::str::from_utf8(body).map_err(|error| whole(format!("JSON parse error - not UTF-8 from byte {} on.", error.valid_up_to())))?;
        let value: &RawValue = serde_json::from_str(text).map_err(|error| whole(format!("JSON parse error - {error}.")))?;
        if !value.get().starts_with('{') {
            return Err(whole(format!("Invalid data. Expected an object, but got {}.", kind_of(value))));
        }
        let entries: Entries<'a> = serde_json::from_str(value.get()).map_err(|error| whole(format!("JSON parse error - {error}.")))?;
        let mut twice = Vec::new();
        for (name, value) in entries.0 {
            if object.fields.insert(name.clone(), value).is_some() {
                twice.push(name);
            }
        }
        // Which of the two was meant, nobody knows: neither is read.
        for name in twice {
            object.fields.remove(&name);
            object.errors.add(&name, "This field is given more than once.");
        }
        Ok(object)
    }

    /// Takes a field that must be there and not null.
    pub(super) fn required<T>(&mut self, name: &str, read: impl FnOnce(&RawValue) -> Result<T, String>) -> Option<T> {
        if !self.fields.contains_key(name) && !self.errors.has(name) {
            self.errors.add(name, REQUIRED);
        }
        self.optional(name, read)
    }

    /// Takes a field that may be missing but not null. `None`: missing or wrong, and then noted.
    pub(super) fn optional<T>(&mut self, name: &str, read: impl FnOnce(&RawValue) -> Result<T, String>) -> Option<T> {
        let raw = self.fields.remove(name)?;
        match read(raw) {
            Ok(value) => Some(value),
            Err(message) => {
                let message = if raw.get() == "null" { "This field may not be null.".to_owned() } else { message };
                self.errors.add(name, message);
                None
            }
        }
    }

    /// Takes a field that may be missing or null. `None`: missing or wrong, and then noted.
    pub(super) fn nullable<T>(&mut self, name: &str, read: impl FnOnce(&RawValue) -> Result<T, String>) -> Option<Option<T>> {
        self.optional(name, |raw| if raw.get() == "null" { Ok(None) } else { read(raw).map(Some) })
    }

    /// Whether a field was given and not taken yet.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// Drops fields that may be there, whatever they hold.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.fields.remove(*name);
        }
    }

    /// Notes an error of a field, and drops its value.
    pub(super) fn error(&mut self, name: &str, message: &str) {
        self.fields.remove(name);
        self.errors.add(name, message);
    }

    /// What was wrong so far.
    pub(super) fn errors(&self) -> &FieldErrors {
        &self.errors
    }

    /// All that is wrong, when every field that exists was taken: what is left, but for `ignored`, is unknown.
    pub(super) fn finish(mut self, ignored: &[&str]) -> FieldErrors {
        self.ignore(ignored);
        for name in self.fields.keys() {
            self.errors.add(name, "Unknown field.");
        }
        self.errors
    }

    /// The error of a body that is missing where one is needed.
    pub(super) fn without_body(self) -> FieldErrors {
        FieldErrors::of(FieldErrors::WHOLE, "A JSON object is required.")
    }
}

/// What a JSON value is, told by its first character.
fn kind_of(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

// === impl Entries ===

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}
