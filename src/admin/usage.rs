//! The usage report: requests, units and cost, grouped by what the caller asks for. `spendgate usage` prints it.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Serialize, Serializer};

use super::AdminState;
use super::identify::Manager;
use super::money_json::Text;
use super::query::Parameters;
use super::respond::{Failure, json};
use crate::ledger::{UsageFilter, UsageRow};
use crate::money::{MoneyError, Usd};
use crate::prices::Usage;

/// What rows can be grouped by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Day,
    Token,
    Provider,
    Model,
    Feature,
}

/// What a group has in common: only what was asked for. Sorted in the order of the fields.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Group<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature: Option<&'a str>,
}

#[derive(Default)]
struct Sums {
    requests: u64,
    cost: Usd,
    /// How many of the requests were charged by an estimate.
    estimated: u64,
    usage: Usage,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    group: Group<'a>,
    requests: u64,
    cost: Text,
    estimated: u64,
    #[serde(serialize_with = "units")]
    units: Usage,
}

/// GET: the rows.
pub(super) async fn report(Manager(account): Manager, State(state): State<AdminState>, mut query: Parameters) -> Result<Response, Failure> {
    let from = query.day("from");
    let to = query.day("to");
    query.check_range(from, to, "to");
    let by = query.take("by");
    let keys = match by.as_deref().unwrap_or("token").split(',').map(|name| Key::from_name(name.trim())).collect::<Option<Vec<_>>>() {
        Some(keys) => keys,
        None => {
            query.error("by", "Must be a list of day, token, provider, model and feature, separated by commas.");
            Vec::new()
        }
    };
    let (token, provider, feature) = (query.take("token"), query.take("provider"), query.take("feature"));
    query.finish()?;
    let rows = state.ledger.usage(UsageFilter { account: account.to_string(), from, to, token, token_id: None, provider, feature }).await?;
    json(StatusCode::OK, &gather(&rows, &keys)?)
}

/// Adds rows up by what was asked for.
fn gather<'a>(rows: &'a [UsageRow], keys: &[Key]) -> Result<Vec<Line<'a>>, MoneyError> {
    let mut groups: BTreeMap<Group<'a>, Sums> = BTreeMap::new();
    for row in rows {
        let sums = groups.entry(Group::of(row, keys)).or_default();
        sums.requests = sums.requests.saturating_add(row.requests);
        sums.cost = sums.cost.plus(row.cost)?;
        sums.estimated = sums.estimated.saturating_add(row.estimated);
        for (unit, count) in row.usage.iter() {
            sums.usage.set(unit, sums.usage.get(unit).saturating_add(count));
        }
    }
    let line = |(group, sums): (Group<'a>, Sums)| Line { group, requests: sums.requests, cost: Text(sums.cost), estimated: sums.estimated, units: sums.usage };
    Ok(groups.into_iter().map(line).collect())
}

// === impl Key ===

impl Key {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "day" => Some(Self::Day),
            "token" => Some(Self::Token),
            "provider" => Some(Self::Provider),
            "model" => Some(Self::Model),
            "feature" => Some(Self::Feature),
            _ => None,
        }
    }
}

// === impl Group ===

impl<'a> Group<'a> {
    fn of(row: &'a UsageRow, keys: &[Key]) -> Self {
        let by = |key| keys.contains(&key);
        Self {
            day: by(Key::Day).then(|| row.day.to_string()),
            token: by(Key::Token).then_some(&row.token),
            // Two providers may have a model of the same name, at different prices: a model never stands alone.
            provider: (by(Key::Provider) || by(Key::Model)).then_some(&row.provider),
            model: by(Key::Model).then_some(&row.model),
            feature: by(Key::Feature).then_some(&row.feature),
        }
    }
}

fn units<S: Serializer>(usage: &Usage, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(usage.iter().map(|(unit, count)| (unit.name(), count)))
}
