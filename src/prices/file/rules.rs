//! Reads `match`: a list of names and rules, any of which is enough.

use std::ops::Range;

use memchr::memmem::Finder;
use toml::de::DeValue;

use super::reader::{Reader, Value};
use crate::prices::names::{self, Rule};

const WANTED: &str = "a name, or a rule such as { starts_with = \"ft:gpt-4o-\" }";
/// Rules within rules, at most.
const DEEPEST: usize = 8;

/// Every rule that is right, with its place.
pub(super) fn read(reader: &mut Reader<'_>, value: &Value<'_>) -> Vec<(Rule, Range<usize>)> {
    match value.get_ref() {
        DeValue::Array(list) => list.iter().filter_map(|item| rule(reader, item, 0).map(|rule| (rule, item.span()))).collect(),
        _ => rule(reader, value, 0).map(|rule| (rule, value.span())).into_iter().collect(),
    }
}

/// One rule: a name in full, or a table with one key.
fn rule(reader: &mut Reader<'_>, value: &Value<'_>, depth: usize) -> Option<Rule> {
    let table = match value.get_ref() {
        DeValue::String(_) => return text(reader, value).map(|name| Rule::Equals(name.into())),
        DeValue::Table(table) => table,
        _ => {
            reader.error(value.span(), format!("must be {WANTED}"));
            return None;
        }
    };
    let mut keys = table.iter();
    let (Some((key, inner)), None) = (keys.next(), keys.next()) else {
        reader.error(value.span(), format!("a rule has one key; this must be {WANTED}; all = [..] and any = [..] join several"));
        return None;
    };
    if depth >= DEEPEST {
        reader.error(value.span(), "rules stand too deep within rules");
        return None;
    }
    match &**key.get_ref() {
        "equals" => text(reader, inner).map(|name| Rule::Equals(name.into())),
        "starts_with" => text(reader, inner).map(|prefix| Rule::StartsWith(prefix.into())),
        "ends_with" => text(reader, inner).map(|suffix| Rule::EndsWith(suffix.into())),
        "contains" => text(reader, inner).map(|part| Rule::Contains(Box::new(Finder::new(part).into_owned()))),
        "regex" => regex(reader, inner),
        "any" => several(reader, inner, depth).map(Rule::Any),
        "all" => several(reader, inner, depth).map(Rule::All),
        "not" => rule(reader, inner, depth + 1).map(|rule| Rule::Not(Box::new(rule))),
        other => {
            reader.error(key.span(), format!("no such rule {other:?}; one of equals, starts_with, ends_with, contains, regex, any, all, not"));
            None
        }
    }
}

/// A text that is not empty: an empty one would match everything, or nothing.
fn text<'v>(reader: &mut Reader<'_>, value: &'v Value<'_>) -> Option<&'v str> {
    let text = reader.string(value, "a string")?;
    if text.is_empty() {
        reader.error(value.span(), "is empty: it must be a name or a part of one");
        return None;
    }
    Some(text)
}

/// A regular expression.
fn regex(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Rule> {
    let pattern = text(reader, value)?;
    match names::regex(pattern) {
        Ok(regex) => Some(Rule::Regex(regex)),
        Err(error) => {
            let what = error.to_string();
            let last = what.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
            reader.error(value.span(), format!("not a regular expression: {last}"));
            None
        }
    }
}

/// A list of rules that is not empty. None where one of them is wrong.
fn several(reader: &mut Reader<'_>, value: &Value<'_>, depth: usize) -> Option<Vec<Rule>> {
    let DeValue::Array(list) = value.get_ref() else {
        reader.error(value.span(), "must be a list of rules");
        return None;
    };
    if list.is_empty() {
        reader.error(value.span(), "is empty: it must be a list of rules");
        return None;
    }
    // Read all, so that every error is told.
    let rules: Vec<Option<Rule>> = list.iter().map(|item| rule(reader, item, depth + 1)).collect();
    rules.into_iter().collect()
}
