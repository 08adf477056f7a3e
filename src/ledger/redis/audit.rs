//! The audit of a shared ledger: every figure from the journal and the live holds, and compared. What is read of an account is read in one step, so that it
//! may run beside gateways; they wait meanwhile, the longer the more tokens and journal entries there are.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use redis::Pipeline;

use super::address::RedisAddress;
use super::codec::hold_id;
use super::connections::{CallOptions, Connections};
use super::core::unavailable;
use super::keys;
use super::records::{Figures, Identity};
use super::worker::Worker;
use crate::ledger::audit::{AuditReport, Audited, Ended};
use crate::ledger::types::LedgerError;

/// The kinds of journal entries that end a hold.
const ENDS: [&str; 2] = ["charge", "expire"];

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A line of the journal.
type Line = (i64, String, String, String, i64, i64, i64, String, String, String, String, String, String);

/// Audits every account at an address.
pub(crate) fn audit(address: &RedisAddress) -> Result<AuditReport, LedgerError> {
    let worker = Worker::start()?;
    let address = address.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| LedgerError::Unavailable(error.to_string()))?;
    let report = runtime.block_on(worker.run(async move {
        let connections = Connections::start(&address, CallOptions { timeout: PATIENCE, replicas: 0 })?;
        super::checks::check(&connections, &address, super::store::START).await?;
        all(&connections).await
    }));
    worker.stop();
    report
}

/// Audits every account.
pub(super) async fn all(connections: &Connections) -> Result<AuditReport, LedgerError> {
    let mut report = AuditReport::default();
    let mut question = redis::cmd("HKEYS");
    question.arg(keys::ACCOUNTS);
    let accounts: Vec<String> = read(connections.command(keys::ACCOUNTS, question).await.map_err(|error| unavailable(&error))?)?;
    for account in accounts.into_iter().filter(|name| !name.is_empty()) {
        one(connections, &account, &mut report).await?;
    }
    Ok(report)
}

async fn one(connections: &Connections, account: &str, report: &mut AuditReport) -> Result<(), LedgerError> {
    let key = |part: &str| keys::of_account_part(account, part);
    let mut snapshot = Pipeline::new();
    snapshot.cmd("HMGET").arg(key("account")).arg(&["balance", "held"]);
    for part in ["identities", "figures", "holds", "checkpoints", "usage"] {
        snapshot.cmd("HGETALL").arg(key(part));
    }
    snapshot.cmd("LRANGE").arg(key("journal")).arg(0).arg(-1);
    let mut parts = connections.transaction(account, snapshot).await.map_err(|error| unavailable(&error))?.into_iter();
    let mut next = || parts.next().ok_or_else(|| damaged("the account"));
    let own: (Option<String>, Option<String>) = read(next()?)?;
    let [identities, figures, holds, checkpoints, usage] = [hash(next()?)?, hash(next()?)?, hash(next()?)?, hash(next()?)?, hash(next()?)?];
    let journal: Vec<String> = read(next()?)?;

    let mut of_account = Audited::new(account.to_owned());
    of_account.balance.recorded = number(own.0.as_deref().filter(|text| !text.is_empty()).unwrap_or("0"))?;
    of_account.held.recorded = number(own.1.as_deref().unwrap_or("0"))?;
    let mut tokens: BTreeMap<u64, Audited> = BTreeMap::new();
    for (id, text) in &figures {
        let figures = Figures::read(text).map_err(|error| unavailable(&error))?;
        let name = identities.get(id).map(|text| Identity::read(text)).transpose().map_err(|error| unavailable(&error))?;
        let token = tokens.entry(id.parse().map_err(|_| damaged("a token's id"))?).or_default();
        token.name = name.map(|identity| identity.name).unwrap_or_default();
        token.balance.recorded = figures.balance.unwrap_or_default().nanos();
        (token.held.recorded, token.spent.recorded) = (figures.held.nanos(), figures.spent.nanos());
        of_account.spent.recorded += figures.spent.nanos();
    }
    let mut live: HashMap<&str, (u64, i64)> = HashMap::new();
    for (id, text) in &holds {
        let words: Vec<&str> = text.splitn(6, ' ').collect();
        let [token, amount, on_token, on_account, ..] = words.as_slice() else { return Err(damaged("a hold")) };
        let (token, amount) = (token.parse().map_err(|_| damaged("a hold"))?, number(amount)?);
        if *on_token == "1" {
            tokens.entry(token).or_default().held.computed += amount;
        }
        if *on_account == "1" {
            of_account.held.computed += amount;
        }
        live.insert(id, (token, amount));
    }
    for (of, text) in &checkpoints {
        let mut words = text.split(' ').map(number);
        let balance = words.next().transpose()?.unwrap_or(0);
        if of == "account" {
            of_account.balance.computed += balance;
        } else {
            let cost = words.next().transpose()?.unwrap_or(0);
            let token = tokens.entry(of.parse().map_err(|_| damaged("a checkpoint"))?).or_default();
            token.balance.computed += balance;
            token.spent.computed += cost;
            of_account.spent.computed += cost;
        }
    }
    let mut ended: HashMap<String, Ended> = HashMap::new();
    for line in &journal {
        // The entry that keeps the list from being empty.
        let Ok((_, kind, token, hold, token_delta, account_delta, cost, ..)) = serde_json::from_str::<Line>(line) else { continue };
        report.journal_entries += 1;
        of_account.balance.computed += account_delta;
        of_account.spent.computed += cost;
        let Ok(token) = token.parse::<u64>() else { continue };
        let figures = tokens.entry(token).or_default();
        figures.balance.computed += token_delta;
        figures.spent.computed += cost;
        if ENDS.contains(&kind.as_str()) {
            let ended = ended.entry(hold).or_insert(Ended { token, times: 0, sum: 0, least: cost });
            ended.times += 1;
            ended.sum += cost;
            ended.least = ended.least.min(cost);
        }
    }
    for (field, text) in &usage {
        let (_, token, ..): (String, String, String, String, String) = serde_json::from_str(field).map_err(|_| damaged("a row of the daily usage"))?;
        let cost = number(text.split(' ').nth(1).unwrap_or_default())?;
        tokens.entry(token.parse().map_err(|_| damaged("a row of the daily usage"))?).or_default().usage.recorded += cost;
    }
    for (hold, ended) in &ended {
        let name = |token: u64| tokens.get(&token).map(|token| token.name.clone()).unwrap_or_default();
        let shown = hold_id(hold).map(|id| id.to_string()).unwrap_or_default();
        if ended.times > 1 {
            report.differ_in_hold(&name(ended.token), &shown, "charged twice", ended.sum, ended.least);
        }
        if live.contains_key(hold.as_str()) {
            report.differ_in_hold(&name(ended.token), &shown, "charged and live", ended.sum, 0);
        }
    }
    report.accounts += 1;
    report.tokens += tokens.len() as u64;
    report.live_holds += live.len() as u64;
    report.compare(of_account, tokens.into_values());
    Ok(())
}

/// A hash without the field that keeps it from being empty.
fn hash(value: redis::Value) -> Result<HashMap<String, String>, LedgerError> {
    let mut hash: HashMap<String, String> = read(value)?;
    hash.remove("");
    Ok(hash)
}

fn read<T: redis::FromRedisValue>(value: redis::Value) -> Result<T, LedgerError> {
    redis::from_redis_value(value).map_err(|_| damaged("an answer"))
}

fn number(text: &str) -> Result<i64, LedgerError> {
    text.parse().map_err(|_| damaged("a figure"))
}

fn damaged(what: &str) -> LedgerError {
    LedgerError::Incompatible(format!("{what} cannot be read: this is not what spendgate wrote"))
}
