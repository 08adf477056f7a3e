//! An account as it is, in one step, as records. Fields that only keep a key from being empty, and what follows from the rest, are left out.

use std::collections::HashMap;
use std::str::FromStr;

use redis::{Pipeline, Value};

use super::{ask, damaged, failed};
use crate::ledger::redis::codec::{amount, label, moment};
use crate::ledger::redis::connections::Connections;
use crate::ledger::redis::keys;
use crate::ledger::redis::records::{Figures, Identity};
use crate::ledger::rules::{AccountId, Budget, EntryKind, Token};
use crate::ledger::transfer::{
    AccountRecord, CheckpointRecord, Day, Delta, EntryRecord, ExpiredRecord, Hex, HoldRecord, Label, Named, Nanos, Record, Take, Time, TokenRecord,
    TombstoneRecord, TransferError, Units, UsageRecord, Word,
};
use crate::ledger::types::Certainty;
use crate::tokens::TokenId;

/// What is asked of an account besides its hashes.
const HEAD: [&str; 6] = ["id", "main_key", "balance", "held", "sets", "created"];
/// Its hashes.
const HASHES: [&str; 6] = ["identities", "figures", "holds", "tombstones", "checkpoints", "usage"];

/// A line of the journal.
type Line = (i64, String, String, String, i64, i64, i64, String, String, String, String, String, String);

/// The names of the accounts, in the order of their ids.
pub(super) async fn accounts(connections: &Connections) -> Result<Vec<String>, TransferError> {
    let mut question = redis::cmd("HGETALL");
    question.arg(keys::ACCOUNTS);
    let ids: HashMap<String, u32> = ask(connections, keys::ACCOUNTS, question).await?;
    let mut names: Vec<(u32, String)> = ids.into_iter().filter(|(name, _)| !name.is_empty()).map(|(name, id)| (id, name)).collect();
    names.sort();
    Ok(names.into_iter().map(|(_, name)| name).collect())
}

/// Hands on the records of an account. One that only got its id is none yet.
pub(super) async fn account(connections: &Connections, name: &str, take: Take<'_>) -> Result<(), TransferError> {
    let key = |part: &str| keys::of_account_part(name, part);
    let mut snapshot = Pipeline::new();
    snapshot.cmd("HMGET").arg(key("account")).arg(&HEAD);
    for part in HASHES {
        snapshot.cmd("HGETALL").arg(key(part));
    }
    snapshot.cmd("LRANGE").arg(key("journal")).arg(0).arg(-1);
    let mut parts = connections.transaction(name, snapshot).await.map_err(|error| failed(&error))?.into_iter();
    let head: Vec<Option<String>> = read(parts.next())?;
    if head.first().is_none_or(Option::is_none) {
        return Ok(());
    }
    let head: Vec<String> = head.into_iter().map(Option::unwrap_or_default).collect();
    let account = of_head(name, &head).ok_or_else(|| damaged("an account"))?;
    let id = account.id;
    take(Record::Account(account))?;
    let (identities, mut figures) = (hash(parts.next())?, hash(parts.next())?.into_iter().collect::<HashMap<_, _>>());
    for (token, identity) in identities {
        let figures = figures.remove(&token).ok_or_else(|| damaged("a token"))?;
        let token = token_of(id, &token, &identity, &figures).ok_or_else(|| damaged("a token"))?;
        take(Record::Token(Box::new(TokenRecord::from(token))))?;
    }
    for (hold, text) in hash(parts.next())? {
        take(Record::Hold(of_hold(&hold, &text).ok_or_else(|| damaged("a hold"))?))?;
    }
    for (hold, text) in hash(parts.next())? {
        take(Record::Tombstone(Box::new(of_tombstone(id, &hold, &text).ok_or_else(|| damaged("what is remembered of a hold"))?)))?;
    }
    for (of, text) in hash(parts.next())? {
        take(Record::Checkpoint(checkpoint(id, &of, &text).ok_or_else(|| damaged("a checkpoint"))?))?;
    }
    for (field, text) in hash(parts.next())? {
        let row = usage(&field, &text).ok_or_else(|| damaged("a row of the daily usage"))?;
        if !row.is_empty() {
            take(Record::Usage(row))?;
        }
    }
    let journal: Vec<String> = read(parts.next())?;
    // Of one that was never trimmed the first line says nothing.
    for text in journal.iter().filter(|text| *text != super::write::BEGIN) {
        take(Record::Journal(Box::new(entry(id, text).ok_or_else(|| damaged("an entry of the journal"))?)))?;
    }
    Ok(())
}

fn read<T: redis::FromRedisValue>(value: Option<Value>) -> Result<T, TransferError> {
    value.and_then(|value| redis::from_redis_value(value).ok()).ok_or_else(|| damaged("an answer"))
}

/// A hash in the order of its fields, so that the same ledger gives the same file; without the field that keeps it from being empty.
fn hash(value: Option<Value>) -> Result<Vec<(String, String)>, TransferError> {
    let mut fields: Vec<(String, String)> = read(value)?;
    fields.retain(|(field, _)| !field.is_empty());
    fields.sort_by(|one, other| (one.0.len(), &one.0).cmp(&(other.0.len(), &other.0)));
    Ok(fields)
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

fn nanos(text: &str) -> Option<Nanos> {
    amount(text).map(Nanos)
}

fn time(text: &str) -> Option<Time> {
    moment(text).map(Time)
}

fn of_label(text: &str) -> Option<Label> {
    label(text).map(|label| Label::from(&label))
}

fn of_head(name: &str, head: &[String]) -> Option<AccountRecord> {
    let [id, main_key, balance, held, sets, created] = head else { return None };
    Some(AccountRecord {
        id: number(id)?,
        name: name.to_owned(),
        main_key: if main_key.is_empty() { None } else { Some(Hex::parse(main_key)?) },
        balance: if balance.is_empty() { None } else { Some(nanos(balance)?) },
        held: nanos(held)?,
        sets: number(sets)?,
        created: time(created)?,
    })
}

fn token_of(account: u32, id: &str, identity: &str, figures: &str) -> Option<Token> {
    let (identity, figures) = (Identity::read(identity).ok()?, Figures::read(figures).ok()?);
    Some(Token {
        id: TokenId(number(id)?),
        account: AccountId(account),
        name: identity.name.into(),
        kind: identity.kind,
        secrets: identity.secrets,
        budget: Budget { balance: figures.balance, held: figures.held, sets: figures.sets },
        active_balance: identity.active_balance,
        reset: identity.reset,
        resets_at: figures.resets_at,
        spent: figures.spent,
        expire_time: identity.expire_time,
        created_at: identity.created_at,
        last_used_at: figures.last_used_at,
        deleted_at: identity.deleted_at,
        unfinished: 0,
    })
}

/// `token amount on_token on_account lease_end label`
fn of_hold(id: &str, text: &str) -> Option<HoldRecord> {
    let mut words = text.splitn(6, ' ');
    let mut next = || words.next();
    Some(HoldRecord {
        hold: Hex::parse(id)?,
        token: number(next()?)?,
        amount: nanos(next()?)?,
        on_token: flag(next()?)?,
        on_account: flag(next()?)?,
        lease_end: time(next()?)?,
        label: of_label(next()?)?,
    })
}

/// `ends`, and of a hold that expired: `expired_at token amount on_token on_account lease_end token_sets account_sets day label`
fn of_tombstone(account: u32, id: &str, text: &str) -> Option<TombstoneRecord> {
    let mut words = text.splitn(11, ' ');
    let ends = time(words.next()?)?;
    let mut next = || words.next();
    let expired = match next() {
        None => None,
        Some(at) => Some(ExpiredRecord {
            at: time(at)?,
            token: number(next()?)?,
            amount: nanos(next()?)?,
            on_token: flag(next()?)?,
            on_account: flag(next()?)?,
            lease_end: time(next()?)?,
            token_sets: number(next()?)?,
            account_sets: number(next()?)?,
            day: Day(number(next()?)?),
            label: of_label(next()?)?,
        }),
    };
    Some(TombstoneRecord { hold: Hex::parse(id)?, account: expired.is_none().then_some(account), ends, expired })
}

fn checkpoint(account: u32, of: &str, text: &str) -> Option<CheckpointRecord> {
    let (balance, cost) = text.split_once(' ').unwrap_or((text, "0"));
    let token = if of == "account" { None } else { Some(number(of)?) };
    Some(CheckpointRecord { account, token, balance: Delta::new(number(balance)?)?, cost: Delta::new(number(cost)?)? })
}

fn usage(field: &str, text: &str) -> Option<UsageRecord> {
    let (day, token, provider, model, feature): (String, String, String, String, String) = serde_json::from_str(field).ok()?;
    let mut words = text.splitn(4, ' ');
    let mut next = || words.next()?.parse::<i64>().ok();
    let (requests, cost, estimated) = (next()?, next()?, next()?);
    Some(UsageRecord {
        day: Day(number(&day)?),
        token: number(&token)?,
        label: Label { provider, model, feature },
        requests,
        cost: Delta::new(cost)?,
        estimated,
        units: Units::parse(words.next().unwrap_or_default())?,
    })
}

fn entry(account: u32, text: &str) -> Option<EntryRecord> {
    let (at, kind, token, hold, token_delta, account_delta, cost, certainty, provider, model, feature, units, price_version): Line =
        serde_json::from_str(text).ok()?;
    let hold = if hold.is_empty() { None } else { Some(Hex::parse(&hold)?) };
    Some(EntryRecord {
        time: Time::from_millis(at)?,
        kind: Word(EntryKind::from_word(&kind)?),
        account,
        token: if token.is_empty() { None } else { Some(number(&token)?) },
        hold,
        token_delta: Delta::new(token_delta)?,
        account_delta: Delta::new(account_delta)?,
        cost: Nanos(crate::money::Usd::from_nanos(cost).ok()?),
        certainty: if certainty.is_empty() { None } else { Some(Word(Certainty::from_word(&certainty)?)) },
        label: hold.map(|_| Label { provider, model, feature }),
        units: Units::parse(&units)?,
        price_version,
    })
}
