//! Reads what a model costs: `prices`, or `free = true`, or `unpriced = "why"`.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use toml::de::{DeTable, DeValue};

use super::reader::{Reader, Value, kind};
use super::{Worth, images};
use crate::prices::Unit;
use crate::prices::keys::{PriceKey, known_keys};
use crate::prices::model::{EntryVariant, Hours};
use crate::prices::rates::{Price, PriceList};
use crate::prices::terms::Terms;

const WANTED_DATE: &str = "a date, for example 2026-12-01";
const WANTED_HOURS: &str = "two times of the day in UTC that differ, for example [\"16:30\", \"00:30\"]";
const WANTED_AMOUNT: &str = "must be an amount as a string, for example \"2.50\"";

/// What the model costs.
pub(super) fn read(reader: &mut Reader<'_>, model: &DeTable<'_>, model_span: &Range<usize>) -> Worth {
    let free = match model.get("free").map(|value| (value.get_ref(), value.span())) {
        None => None,
        Some((DeValue::Boolean(true), span)) => Some(span),
        Some((_, span)) => {
            reader.error(span, "free must be true, or left out");
            return Worth::Wrong;
        }
    };
    let unpriced = model.get("unpriced");
    let prices = model.get("prices");
    match (prices, free, unpriced) {
        (Some(prices), None, None) => read_prices(reader, prices).map_or(Worth::Wrong, Worth::Terms),
        (None, Some(_), None) => Worth::Free,
        (None, None, Some(why)) => reader.string(why, "a string that says why").map_or(Worth::Wrong, |why| Worth::Unpriced(why.to_owned())),
        (None, None, None) => {
            reader.error(
                model_span.clone(),
                "the model has no price: give it prices = { input_mtok = \"2.50\", output_mtok = \"10\" }, or free = true, or unpriced = \"why\"",
            );
            Worth::Wrong
        }
        _ => {
            reader.error(model_span.clone(), "a model has one of prices, free and unpriced");
            Worth::Wrong
        }
    }
}

fn read_prices(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Vec<Terms>> {
    // Read all, so that every error is told.
    let entries: Vec<Option<(Terms, Range<usize>)>> = match value.get_ref() {
        DeValue::Table(table) => vec![entry(reader, table, value.span())],
        DeValue::Array(list) => list.iter().map(|item| entry_table(reader, item)).collect(),
        other => {
            reader.error(value.span(), format!("prices must be a table or a list of tables, not {}", kind(other)));
            return None;
        }
    };
    let entries: Vec<(Terms, Range<usize>)> = entries.into_iter().collect::<Option<_>>()?;
    if !entries.iter().any(|(terms, _)| terms.variant == EntryVariant::Default) {
        reader.error(value.span(), "there is no price for the usual case: an entry without `when`");
        return None;
    }
    refuse_overlaps(reader, &entries);
    Some(entries.into_iter().map(|(terms, _)| terms).collect())
}

fn entry_table(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<(Terms, Range<usize>)> {
    match value.get_ref() {
        DeValue::Table(table) => entry(reader, table, value.span()),
        other => {
            reader.error(value.span(), format!("an entry of prices is a table, not {}", kind(other)));
            None
        }
    }
}

/// One entry. None where something is wrong with it.
fn entry(reader: &mut Reader<'_>, table: &DeTable<'_>, span: Range<usize>) -> Option<(Terms, Range<usize>)> {
    let mut terms = Terms::usual(PriceList::default());
    let mut right = true;
    for (key, value) in table {
        let read = match &**key.get_ref() {
            "from" => date(reader, value).map(|from| terms.from = from),
            "when" => when(reader, value).map(|variant| terms.variant = variant),
            "time_of_day_utc" => hours(reader, value).map(|hours| terms.hours = Some(hours)),
            name => match PriceKey::from_name(name) {
                Some(price_key) if price_key.unit == Unit::Images => images::read(reader, price_key, value).map(|prices| terms.list.add_images(prices)),
                Some(price_key) => price(reader, price_key, value).map(|price| terms.list.add(price_key.unit, price)),
                None => {
                    reader.error(key.span(), format!("no such price {name:?}; one of {}; or from, when, time_of_day_utc", known_keys()));
                    None
                }
            },
        };
        right &= read.is_some();
    }
    if right && terms.list.is_empty() {
        reader.error(span.clone(), "gives no price, for example input_mtok = \"2.50\"");
        right = false;
    }
    if right && let Some(what) = terms.list.missing() {
        reader.error(span.clone(), what);
        right = false;
    }
    right.then_some((terms, span))
}

fn date(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Timestamp> {
    let date: Option<Date> = match value.get_ref() {
        DeValue::Datetime(toml::value::Datetime { date: Some(date), time: None, offset: None }) => {
            i16::try_from(date.year).ok().and_then(|year| Date::new(year, i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?).ok())
        }
        DeValue::String(text) if text.len() == "2026-12-01".len() => text.parse().ok(),
        _ => None,
    };
    let midnight = date.and_then(|date| TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok());
    if midnight.is_none() {
        reader.error(value.span(), format!("from must be {WANTED_DATE}"));
    }
    midnight
}

fn when(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<EntryVariant> {
    const WANTED: &str = "when must be { service_tier = \"..\" }, { speed = \"..\" } or { processing = \"batch\" }";
    let variant = value.get_ref().as_table().filter(|table| table.len() == 1).and_then(|table| {
        let (key, name) = table.iter().next()?;
        match (&**key.get_ref(), name.get_ref().as_str()?) {
            (_, "") => None,
            ("service_tier", name) => Some(EntryVariant::ServiceTier(name.into())),
            ("speed", name) => Some(EntryVariant::Speed(name.into())),
            ("processing", "batch") => Some(EntryVariant::Batch),
            _ => None,
        }
    });
    if variant.is_none() {
        reader.error(value.span(), WANTED);
    }
    variant
}

fn hours(reader: &mut Reader<'_>, value: &Value<'_>) -> Option<Hours> {
    let hours = value.get_ref().as_array().and_then(|list| {
        let mut times = list.iter().map(|time| time.get_ref().as_str().and_then(minute_of_day));
        match (times.next(), times.next(), times.next()) {
            (Some(Some(begin)), Some(Some(end)), None) if begin != end => Some(Hours { begin, end }),
            _ => None,
        }
    });
    if hours.is_none() {
        reader.error(value.span(), format!("time_of_day_utc must be {WANTED_HOURS}"));
    }
    hours
}

/// `16:30` in minutes since midnight.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |part: &str, below: u16| -> Option<u16> {
        let two_digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if two_digits { part.parse().ok().filter(|number| *number < below) } else { None }
    };
    Some(number(hour, 24)? * 60 + number(minute, 60)?)
}

/// `"2.50"`, or `{ base = "2.50", tiers = [{ above_input_tokens = 272000, price = "5" }] }`.
fn price(reader: &mut Reader<'_>, key: PriceKey, value: &Value<'_>) -> Option<Price> {
    let DeValue::Table(table) = value.get_ref() else {
        return amount(reader, key, value).map(|base| Price { base, tiers: Vec::new() });
    };
    reader.known_keys(table, "a price by steps", &["base", "tiers"]);
    let base = match table.get("base") {
        Some(base) => amount(reader, key, base),
        None => {
            reader.error(value.span(), "a price by steps has no base: the price below the first step");
            None
        }
    };
    let tiers: Option<Vec<(u64, u128)>> = match table.get("tiers").map(|tiers| (tiers.get_ref(), tiers.span())) {
        Some((DeValue::Array(list), span)) => {
            let tiers: Vec<Option<(u64, u128)>> = list.iter().map(|item| tier(reader, key, item)).collect();
            let tiers: Option<Vec<(u64, u128)>> = tiers.into_iter().collect();
            if tiers.as_ref().is_some_and(|tiers| tiers.is_empty() || !tiers.is_sorted_by(|one, next| one.0 < next.0)) {
                reader.error(span, "tiers must be a list of steps, by rising above_input_tokens");
            }
            tiers
        }
        _ => {
            reader.error(value.span(), "a price by steps has tiers = [{ above_input_tokens = 272000, price = \"5\" }]");
            None
        }
    };
    Some(Price { base: base?, tiers: tiers? })
}

fn tier(reader: &mut Reader<'_>, key: PriceKey, value: &Value<'_>) -> Option<(u64, u128)> {
    let (Some(table), span) = (value.get_ref().as_table(), value.span()) else {
        reader.error(value.span(), "a step is a table: { above_input_tokens = 272000, price = \"5\" }");
        return None;
    };
    reader.known_keys(table, "a step", &["above_input_tokens", "price"]);
    let above = reader.positive_integer(table, "above_input_tokens");
    let price = table.get("price").map(|price| amount(reader, key, price));
    if !table.contains_key("above_input_tokens") || price.is_none() {
        reader.error(span, "a step has above_input_tokens and price");
    }
    Some((above?, price??))
}

/// `"2.50"`, in atoms for one unit.
pub(super) fn amount(reader: &mut Reader<'_>, key: PriceKey, value: &Value<'_>) -> Option<u128> {
    let what = match value.get_ref() {
        DeValue::String(text) => match key.rate(text) {
            Ok(rate) => return Some(rate),
            Err(error) => error.to_string(),
        },
        DeValue::Integer(number) => format!("{WANTED_AMOUNT}: write \"{}\"", number.as_str()),
        DeValue::Float(number) => format!("{WANTED_AMOUNT}, since a bare number with a point is not exact: write \"{}\"", number.as_str()),
        other => format!("{WANTED_AMOUNT}, not {}", kind(other)),
    };
    reader.error(value.span(), what);
    None
}

/// Two entries for the same case and the same time: nobody knows which one is meant.
fn refuse_overlaps(reader: &mut Reader<'_>, entries: &[(Terms, Range<usize>)]) {
    for (number, (terms, span)) in entries.iter().enumerate() {
        let same = |other: &Terms| {
            other.variant == terms.variant
                && other.from == terms.from
                && match (other.hours, terms.hours) {
                    (None, None) => true,
                    (Some(hours), Some(others)) => hours.overlaps(others),
                    _ => false,
                }
        };
        if entries.iter().take(number).any(|(other, _)| same(other)) {
            reader.error(span.clone(), "an entry above applies at the same time to the same case: they must differ in from, when or time_of_day_utc");
        }
    }
}
