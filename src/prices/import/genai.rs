//! genai-prices' `data.json`: providers with their models; amounts are for a million tokens, a thousand requests, ... under a price book's own keys.
//!
//! Two forms are read: the published one (numbers, `constraint`), and the same facts with amounts as strings (`usd`, `from`, `when`). Source: its JSON schema.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::value::RawValue;

use super::List;
use super::listed::{Gatherer, LeftOut, ListedModel};
use super::values::{Members, amount, count, is_nothing, items, members, text};
use crate::prices::ModelLimits;
use crate::prices::keys::PriceKey;
use crate::prices::model::{EntryVariant, Hours};
use crate::prices::terms::Terms;

/// Rules within rules, at most.
const DEEPEST: usize = 6;

/// True for a list of providers of this form.
pub(super) fn is_list(providers: &[&RawValue]) -> bool {
    let has_models = |provider: Members<'_>| provider.get("models").and_then(|models| items(models)).is_some();
    providers.iter().take(8).filter_map(|provider| members(provider)).any(has_models)
}

/// Its models.
pub(super) fn read(providers: &[&RawValue]) -> List {
    let mut list = List::new("genai-prices");
    list.dated = true;
    for provider in providers.iter().filter_map(|provider| members(provider)) {
        let name = provider.get("id").or_else(|| provider.get("provider")).and_then(|name| text(name)).unwrap_or_default();
        for value in provider.get("models").and_then(|models| items(models)).unwrap_or_default() {
            let fields = members(value).unwrap_or_default();
            let id = fields.get("id").and_then(|id| text(id)).unwrap_or_default();
            match model(&name, &id, &fields) {
                Ok(model) => list.models.push(model),
                Err(why) => list.left_out.push(LeftOut { provider: name.clone(), id, why }),
            }
        }
    }
    list
}

fn model(provider: &str, id: &str, fields: &Members<'_>) -> Result<ListedModel, String> {
    let prices = fields.get("prices").copied().ok_or("has no price")?;
    let entries: Vec<Result<(Terms, Vec<String>), Left>> = match items(prices) {
        Some(list) => list.into_iter().map(entry).collect(),
        None => vec![Gatherer::default().filled(prices).and_then(|gatherer| gatherer.finish(EntryVariant::Default)).map_err(Left::All)],
    };
    let (mut terms, mut notes): (Vec<Terms>, Vec<String>) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Ok((own, _)) if terms.iter().any(|other| other.same_case(&own)) => return Err("has two prices for the same time".to_owned()),
            Ok((own, rounded)) => {
                terms.push(own);
                notes.extend(rounded);
            }
            Err(Left::Entry(why)) => notes.push(format!("a price is left aside: it {why}")),
            Err(Left::All(why)) => return Err(why),
        }
    }
    if !terms.iter().any(|terms| terms.variant == EntryVariant::Default) {
        return Err("has no price for the usual case".to_owned());
    }
    let published = items(prices).unwrap_or_default().iter().filter_map(|entry| members(entry)).all(|entry| entry.contains_key("prices"));
    let terms = in_order(terms, published)?;
    let limits = ModelLimits { context: fields.get("context_window").and_then(|window| count(window)), input: None, output: None };
    let (mut aliases, mut rules) = (Vec::new(), Vec::new());
    if let Some(own) = fields.get("match") {
        names(own, &mut aliases, &mut rules, &mut notes);
    }
    aliases.retain(|alias| alias != id);
    Ok(ListedModel { provider: provider.to_owned(), id: id.to_owned(), aliases, rules, limits, terms, notes })
}

/// Prices of some hours go before those of the whole day, whatever the date, while in a price book the newest date wins: they are repeated for each date.
/// In the published list the last price that applies wins, so that it must be in the order of time.
fn in_order(terms: Vec<Terms>, published: bool) -> Result<Vec<Terms>, String> {
    let mut ordered = terms.clone();
    for (at, own) in terms.iter().enumerate() {
        for whole_day in terms.iter().filter(|other| other.variant == own.variant && other.hours.is_none()) {
            let is_before = terms.iter().take(at).any(|before| std::ptr::eq(before, whole_day));
            match own.hours {
                None if published && is_before && whole_day.from > own.from => return Err("has prices that are not in the order of time".to_owned()),
                Some(_) if published && !is_before && whole_day.from <= own.from => return Err("has prices that are not in the order of time".to_owned()),
                Some(hours) if whole_day.from > own.from && (is_before || !published) => {
                    let repeated = Terms { from: whole_day.from, ..own.clone() };
                    let same_time =
                        |other: &Terms| other.variant == own.variant && other.from == whole_day.from && other.hours.is_some_and(|other| other.overlaps(hours));
                    if !ordered.iter().any(same_time) {
                        ordered.push(repeated);
                    }
                }
                _ => {}
            }
        }
    }
    Ok(ordered)
}

/// What is left out for a reason: one entry, or the model with it.
enum Left {
    Entry(String),
    All(String),
}

fn entry(value: &RawValue) -> Result<(Terms, Vec<String>), Left> {
    let fields = members(value).ok_or_else(|| Left::All("has prices in an unknown form".to_owned()))?;
    let amounts = fields.get("usd").or_else(|| fields.get("prices")).ok_or_else(|| Left::All("has prices in an unknown form".to_owned()))?;
    let (mut variant, mut from, mut hours) = (EntryVariant::Default, Timestamp::MIN, None);
    let mut conditions: Vec<(String, &RawValue)> =
        fields.iter().filter(|(name, _)| !["usd", "prices", "constraint"].contains(&name.as_str())).map(|(name, value)| (name.clone(), *value)).collect();
    if let Some(constraint) = fields.get("constraint").filter(|constraint| !is_nothing(constraint)) {
        conditions.extend(members(constraint).ok_or_else(|| Left::Entry("has a condition in an unknown form".to_owned()))?);
    }
    let times =
        |begin: Option<String>, end: Option<String>| Some(Hours { begin: minute(&begin?)?, end: minute(&end?)? }).filter(|hours| hours.begin != hours.end);
    let unknown = |name: &str| Left::Entry(format!("has a condition that is unknown here: {name}"));
    let mut day = (None, None);
    for (name, value) in &conditions {
        match name.as_str() {
            "from" | "start_date" => from = text(value).and_then(|date| midnight(&date)).ok_or_else(|| unknown(name))?,
            "when" => variant = case(value).ok_or_else(|| unknown(name))?,
            "time_of_day_utc" => {
                let both = items(value).unwrap_or_default();
                hours = Some(times(both.first().and_then(|time| text(time)), both.get(1).and_then(|time| text(time))).ok_or_else(|| unknown(name))?);
            }
            "start_time" => day.0 = text(value),
            "end_time" => day.1 = text(value),
            "type" => {}
            _ => return Err(unknown(name)),
        }
    }
    if day.0.is_some() || day.1.is_some() {
        hours = Some(times(day.0, day.1).ok_or_else(|| unknown("start_time"))?);
    }
    let usual = variant == EntryVariant::Default;
    let read = Gatherer::default().filled(amounts).and_then(|gatherer| gatherer.finish(variant));
    // Without its usual price a model has none; a tier may be left out.
    let (terms, rounded) = read.map_err(|why| if usual { Left::All(why) } else { Left::Entry(why) })?;
    Ok((Terms { from, hours, ..terms }, rounded))
}

impl Gatherer {
    /// With the amounts of an object under a price book's own keys.
    fn filled(mut self, amounts: &RawValue) -> Result<Self, String> {
        for (name, value) in members(amounts).ok_or("has prices in an unknown form")? {
            if is_nothing(value) {
                continue;
            }
            let Some(key) = PriceKey::name_of(&name) else {
                if amount(value).is_ok_and(|amount| amount.is_zero()) {
                    continue;
                }
                return Err(format!("{name} is billed too, and nothing counts it"));
            };
            match members(value) {
                None => self.add(key, value, 1, None)?,
                Some(steps) => {
                    let base = steps.get("base").ok_or("has prices by steps without a first one")?;
                    self.add(key, base, 1, None)?;
                    for tier in steps.get("tiers").and_then(|tiers| items(tiers)).ok_or("has prices by steps in an unknown form")? {
                        let tier = members(tier).ok_or("has prices by steps in an unknown form")?;
                        let above = tier.get("above_input_tokens").or_else(|| tier.get("start")).and_then(|above| count(above));
                        let (Some(above), Some(price)) = (above, tier.get("price")) else { return Err("has prices by steps in an unknown form".to_owned()) };
                        self.add(key, price, 1, Some(above))?;
                    }
                }
            }
        }
        Ok(self)
    }
}

fn midnight(date: &str) -> Option<Timestamp> {
    let date: Date = date.parse().ok()?;
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
}

/// `16:30:00Z` and `16:30:00+00:00` in minutes since midnight; none for other zones and for seconds.
fn minute(time: &str) -> Option<u16> {
    let time = time.strip_suffix('Z').or_else(|| time.strip_suffix("+00:00")).unwrap_or(time);
    let mut parts = time.split(':').map(|part| part.parse::<u16>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let no_seconds = parts.next().is_none_or(|seconds| seconds == Some(0)) && parts.next().is_none();
    (hour < 24 && minute < 60 && no_seconds).then_some(hour * 60 + minute)
}

/// `{"service_tier": "flex"}`.
fn case(value: &RawValue) -> Option<EntryVariant> {
    let conditions = members(value)?;
    let mut conditions = conditions.iter();
    let (Some((name, value)), None) = (conditions.next(), conditions.next()) else { return None };
    let value = text(value).filter(|value| !value.is_empty())?;
    match (name.as_str(), value.as_str()) {
        ("service_tier", tier) => Some(EntryVariant::ServiceTier(tier.into())),
        ("speed", speed) => Some(EntryVariant::Speed(speed.into())),
        ("processing", "batch") => Some(EntryVariant::Batch),
        _ => None,
    }
}

/// The names that a rule is enough for: those in full, and other rules as a price book writes them.
fn names(rule: &RawValue, aliases: &mut Vec<String>, rules: &mut Vec<String>, notes: &mut Vec<String>) {
    let Some(parts) = members(rule) else { return };
    match parts.iter().next() {
        Some((kind, value)) if kind == "equals" => aliases.extend(text(value)),
        Some((kind, value)) if kind == "or" || kind == "any" => {
            for part in items(value).unwrap_or_default() {
                names(part, aliases, rules, notes);
            }
        }
        Some(_) => match rule_text(rule, 0) {
            Some(written) => rules.push(written),
            None => notes.push(format!("a rule for its names is left aside: {}", rule.get().chars().take(80).collect::<String>())),
        },
        None => {}
    }
}

fn rule_text(rule: &RawValue, depth: usize) -> Option<String> {
    let parts = members(rule)?;
    let mut parts = parts.iter();
    let (Some((kind, value)), None) = (parts.next(), parts.next()) else { return None };
    let several = |kind: &str| {
        let rules: Option<Vec<String>> = items(value)?.into_iter().map(|rule| rule_text(rule, depth + 1)).collect();
        rules.filter(|rules| !rules.is_empty()).map(|rules| format!("{{ {kind} = [{}] }}", rules.join(", ")))
    };
    match kind.as_str() {
        _ if depth > DEEPEST => None,
        "or" | "any" => several("any"),
        "and" | "all" => several("all"),
        "equals" | "starts_with" | "ends_with" | "contains" | "regex" => {
            let value = text(value).filter(|value| !value.is_empty())?;
            if kind == "regex" && crate::prices::names::regex(&value).is_err() {
                return None;
            }
            Some(format!("{{ {kind} = {} }}", toml::Value::from(value)))
        }
        _ => None,
    }
}
