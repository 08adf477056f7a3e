//! The cost report: what each token spent, by day, week, month or year, on which feature and provider.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use jiff::civil::Date;
use serde::{Serialize, Serializer};

use super::AdminState;
use super::identify::Caller;
use super::money_json::Number;
use super::query::Parameters;
use super::respond::{Failure, json};
use crate::ledger::{UsageFilter, UsageRow};
use crate::money::{MoneyError, Usd};

/// How long a bucket of the report is.
#[derive(Clone, Copy)]
enum Step {
    Day,
    Week,
    Month,
    Year,
}

#[derive(Serialize)]
struct Report<'a> {
    response: Vec<TokenCosts<'a>>,
}

#[derive(Serialize)]
struct TokenCosts<'a> {
    token: &'a str,
    /// By the first day of the bucket, then by feature.
    data: BTreeMap<String, BTreeMap<&'a str, Costs<'a>>>,
}

#[derive(Default, Serialize)]
struct Costs<'a> {
    #[serde(serialize_with = "as_number")]
    total_cost: Usd,
    /// The number of calls.
    details: u64,
    #[serde(serialize_with = "as_numbers")]
    cost_per_provider: BTreeMap<&'a str, Usd>,
}

/// GET: the report. A custom token gets its own rows and no others.
pub(super) async fn report(caller: Caller, State(state): State<AdminState>, mut query: Parameters) -> Result<Response, Failure> {
    let from = query.required_day("begin");
    let to = query.required_day("end");
    query.check_range(from, to, "end");
    let step = match query.take("step").as_deref() {
        None | Some("1") => Step::Day,
        Some("2") => Step::Week,
        Some("3") => Step::Month,
        Some("4") => Step::Year,
        Some(_) => {
            query.error("step", "Must be 1 (day), 2 (week), 3 (month) or 4 (year).");
            Step::Day
        }
    };
    let provider = query.take("provider");
    let feature = query.take("subfeature");
    let asked = query.take("token");
    let (account, token, token_id) = match caller {
        Caller::Main(account) => (account.to_string(), asked, None),
        // By its id: another token may have had its name before.
        Caller::Token(own) if asked.is_none_or(|asked| *asked == *own.name) => (own.account.to_string(), None, Some(own.id)),
        Caller::Token(_) => return Err(Failure::Forbidden),
    };
    query.finish()?;
    let mut rows = state.ledger.usage(UsageFilter { account, from, to, token, token_id, provider, feature: None }).await?;
    if let Some(feature) = feature {
        // The key of the report, or what stands behind the `__` in it.
        rows.retain(|row| row.feature == feature || row.feature.split_once("__").is_some_and(|(_, subfeature)| subfeature == feature));
    }
    json(StatusCode::OK, &gather(&rows, step)?)
}

/// Adds rows up: by token, bucket, feature and provider, each in the order of its name.
fn gather(rows: &[UsageRow], step: Step) -> Result<Report<'_>, MoneyError> {
    let mut tokens: BTreeMap<&str, BTreeMap<String, BTreeMap<&str, Costs<'_>>>> = BTreeMap::new();
    for row in rows {
        let costs = tokens.entry(&row.token).or_default().entry(step.first_day(row.day).to_string()).or_default().entry(&row.feature).or_default();
        costs.total_cost = costs.total_cost.plus(row.cost)?;
        costs.details = costs.details.saturating_add(row.requests);
        let by_provider = costs.cost_per_provider.entry(&row.provider).or_default();
        *by_provider = by_provider.plus(row.cost)?;
    }
    Ok(Report { response: tokens.into_iter().map(|(token, data)| TokenCosts { token, data }).collect() })
}

// === impl Step ===

impl Step {
    /// The first day of the bucket that a day is in. Weeks begin on Monday.
    fn first_day(self, day: Date) -> Date {
        match self {
            Self::Day => day,
            Self::Week => day.saturating_sub(jiff::Span::new().days(day.weekday().to_monday_zero_offset())),
            Self::Month => day.first_of_month(),
            Self::Year => day.first_of_year(),
        }
    }
}

fn as_number<S: Serializer>(usd: &Usd, serializer: S) -> Result<S::Ok, S::Error> {
    Number(*usd).serialize(serializer)
}

fn as_numbers<S: Serializer>(costs: &BTreeMap<&str, Usd>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(costs.iter().map(|(provider, usd)| (provider, Number(*usd))))
}
