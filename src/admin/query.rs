//! Query strings of the reports: like bodies, read strictly and with all errors at once. A misspelt filter must not widen a report.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use jiff::civil::Date;

use super::AdminState;
use super::respond::Failure;
use crate::tokens::fields::FieldErrors;

/// The longest range of a report, in days: ten years.
const MAX_RANGE_DAYS: i64 = 3660;

/// The parameters that were not taken yet, and what was wrong with those that were.
pub(super) struct Parameters {
    values: BTreeMap<String, String>,
    errors: FieldErrors,
}

// === impl Parameters ===

impl FromRequestParts<AdminState> for Parameters {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &AdminState) -> Result<Self, Failure> {
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) else {
            return Err(FieldErrors::of(FieldErrors::WHOLE, "The query string cannot be read.").into());
        };
        let mut parameters = Self { values: BTreeMap::new(), errors: FieldErrors::default() };
        for (name, value) in pairs {
            if parameters.values.insert(name.clone(), value).is_some() {
                parameters.errors.add(&name, "This parameter is given more than once.");
            }
        }
        Ok(parameters)
    }
}

impl Parameters {
    /// Takes a parameter. One that is empty counts as missing.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.values.remove(name).filter(|value| !value.is_empty())
    }

    /// Takes a day, `YYYY-MM-DD`. `None`: missing or wrong, and then noted.
    pub(super) fn day(&mut self, name: &str) -> Option<Date> {
        let text = self.take(name)?;
        // The parser knows more forms than this one.
        let day = if text.len() == 10 && text.starts_with(|first: char| first.is_ascii_digit()) { text.parse().ok() } else { None };
        if day.is_none() {
            self.error(name, "Date has wrong format. Use this format instead: YYYY-MM-DD.");
        }
        day
    }

    /// Takes a day that must be there.
    pub(super) fn required_day(&mut self, name: &str) -> Option<Date> {
        if self.values.get(name).is_none_or(String::is_empty) {
            self.error(name, "This field is required.");
        }
        self.day(name)
    }

    /// Notes it when a range ends before it begins, or is too long. `last` is the name of its end.
    pub(super) fn check_range(&mut self, from: Option<Date>, to: Option<Date>, last: &str) {
        let (Some(from), Some(to)) = (from, to) else { return };
        if to < from {
            self.error(last, "The range ends before it begins.");
        } else if from.duration_until(to).as_hours() / 24 > MAX_RANGE_DAYS {
            self.error(last, "The range spans more than ten years.");
        }
    }

    /// Notes an error.
    pub(super) fn error(&mut self, name: &str, message: &str) {
        self.errors.add(name, message);
    }

    /// Ends reading: an error where anything is wrong, a parameter that nobody took included.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        for name in self.values.keys() {
            self.errors.add(name, "Unknown parameter.");
        }
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors.into()) }
    }
}
