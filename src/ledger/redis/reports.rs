//! Daily usage, from the rows of an account and the names of its tokens.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Date;

use super::codec::usage as read_usage;
use super::core::{Core, unavailable};
use super::keys;
use super::records::Identity;
use crate::ledger::report::{UsageFilter, UsageRow};
use crate::ledger::types::LedgerError;
use crate::money::Usd;
use crate::prices::Usage;
use crate::tokens::TokenId;

/// How many rows are asked for at a time.
const ROWS_AT_ONCE: usize = 1000;
/// How many tokens are asked for at a time.
const TOKENS_AT_ONCE: usize = 500;

/// What rows are summed by: a name may have been used again after a delete, its rows are one in the report.
type Key = (Date, String, String, String, String);

/// A row as it is kept.
struct Row {
    day: Date,
    token: TokenId,
    provider: String,
    model: String,
    feature: String,
    requests: i64,
    cost_nanos: i64,
    estimated: i64,
    usage: Usage,
}

/// The daily usage that passes the filter, by day and token.
pub(super) async fn usage(core: &Core, filter: &UsageFilter) -> Result<Vec<UsageRow>, LedgerError> {
    let rows = rows(core, filter).await?;
    let names = names(core, &filter.account, rows.iter().map(|row| row.token).collect()).await?;
    let mut sums: BTreeMap<Key, Row> = BTreeMap::new();
    for row in rows {
        let Some(name) = names.get(&row.token) else { continue };
        if filter.token.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        let key = (row.day, name.clone(), row.provider.clone(), row.model.clone(), row.feature.clone());
        match sums.get_mut(&key) {
            Some(sum) => sum.add(&row),
            None => drop(sums.insert(key, row)),
        }
    }
    let shown = |((day, token, provider, model, feature), row): (Key, Row)| UsageRow {
        day,
        token,
        provider,
        model,
        feature,
        requests: u64::try_from(row.requests).unwrap_or(0),
        cost: Usd::saturating_from_nanos(i128::from(row.cost_nanos)),
        estimated: u64::try_from(row.estimated).unwrap_or(0),
        usage: row.usage,
    };
    Ok(sums.into_iter().filter(|(_, row)| row.requests != 0 || row.cost_nanos != 0).map(shown).collect())
}

async fn rows(core: &Core, filter: &UsageFilter) -> Result<Vec<Row>, LedgerError> {
    let key = keys::of_account_part(&filter.account, "usage");
    // A row may come twice while the hash grows: the last one counts.
    let mut found: HashMap<String, String> = HashMap::new();
    let mut cursor = "0".to_owned();
    loop {
        let mut scan = redis::cmd("HSCAN");
        scan.arg(&key).arg(&cursor).arg("COUNT").arg(ROWS_AT_ONCE);
        let answer = core.connections().command(&key, scan).await.map_err(|error| unavailable(&error))?;
        let (next, fields): (String, Vec<(String, String)>) = read(answer)?;
        found.extend(fields.into_iter().filter(|(field, _)| !field.is_empty()));
        if next == "0" {
            break;
        }
        cursor = next;
    }
    let passes = |row: &Row| {
        filter.from.is_none_or(|from| row.day >= from)
            && filter.to.is_none_or(|to| row.day <= to)
            && filter.token_id.is_none_or(|token| row.token == token)
            && filter.provider.as_ref().is_none_or(|provider| row.provider == *provider)
            && filter.feature.as_ref().is_none_or(|feature| row.feature == *feature)
    };
    let row = |(field, value): (String, String)| Row::read(&field, &value).ok_or_else(|| damaged("a row of the daily usage"));
    let rows: Vec<Row> = found.into_iter().map(row).collect::<Result<_, _>>()?;
    Ok(rows.into_iter().filter(passes).collect())
}

async fn names(core: &Core, account: &str, tokens: BTreeSet<TokenId>) -> Result<HashMap<TokenId, String>, LedgerError> {
    let key = keys::of_account_part(account, "identities");
    let tokens: Vec<TokenId> = tokens.into_iter().collect();
    let mut names = HashMap::new();
    for some in tokens.chunks(TOKENS_AT_ONCE) {
        let mut question = redis::cmd("HMGET");
        question.arg(&key);
        for token in some {
            question.arg(token.0);
        }
        let answer = core.connections().command(&key, question).await.map_err(|error| unavailable(&error))?;
        let identities: Vec<Option<String>> = read(answer)?;
        for (token, text) in some.iter().zip(identities) {
            let text = text.ok_or_else(|| damaged("a token"))?;
            names.insert(*token, Identity::read(&text).map_err(|error| unavailable(&error))?.name);
        }
    }
    Ok(names)
}

fn read<T: redis::FromRedisValue>(value: redis::Value) -> Result<T, LedgerError> {
    redis::from_redis_value(value).map_err(|_| damaged("an answer"))
}

fn damaged(what: &str) -> LedgerError {
    LedgerError::Unavailable(format!("{what} cannot be read"))
}

// === impl Row ===

impl Row {
    fn read(field: &str, value: &str) -> Option<Self> {
        let (day, token, provider, model, feature): (String, String, String, String, String) = serde_json::from_str(field).ok()?;
        let mut words = value.splitn(4, ' ');
        let mut number = || words.next()?.parse::<i64>().ok();
        let (requests, cost_nanos, estimated) = (number()?, number()?, number()?);
        let usage = read_usage(words.next().unwrap_or_default());
        Some(Self { day: day.parse().ok()?, token: TokenId(token.parse().ok()?), provider, model, feature, requests, cost_nanos, estimated, usage })
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.cost_nanos += other.cost_nanos;
        self.estimated += other.estimated;
        for (unit, count) in other.usage.iter() {
            self.usage.set(unit, self.usage.get(unit).saturating_add(count));
        }
    }
}
