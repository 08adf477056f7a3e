//! JSON as the lists have it, read piece by piece. A number stays the text that it is written as: it never becomes a float.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::decimal::Decimal;

/// An object's members.
pub(super) type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The members of an object.
pub(super) fn members(value: &RawValue) -> Option<Members<'_>> {
    serde_json::from_str(value.get()).ok()
}

/// The items of a list.
pub(super) fn items(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

/// A string.
pub(super) fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// True for what says nothing: `null`, and an empty string.
pub(super) fn is_nothing(value: &RawValue) -> bool {
    matches!(value.get(), "null" | "\"\"")
}

/// A number, or a string that holds one.
pub(super) fn amount(value: &RawValue) -> Result<Decimal, String> {
    let written = text(value).unwrap_or_else(|| value.get().to_owned());
    Decimal::parse(&written).map_err(|error| {
        let shown: String = written.chars().take(40).filter(|letter| !letter.is_control()).collect();
        format!("{shown} {error}")
    })
}

/// A count of tokens above zero; lists write `128000`, `128000.0` and `"128000"`. None where it is none of these.
pub(super) fn count(value: &RawValue) -> Option<u64> {
    let whole = amount(value).ok()?.times(1).ok()?.text;
    whole.parse().ok().filter(|count| *count > 0)
}
