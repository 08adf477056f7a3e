//! From changes to the file: every row that a batch touched, once, in one transaction.

use std::fmt::Write as _;
use std::sync::LazyLock;

use rusqlite::{Connection, params, params_from_iter};

use super::codec::{Stored, certainty_name, count, kind_name, period_name};
use super::schema::unit_column;
use crate::ledger::rules::{Changes, HoldChange, JournalEntry, State, Token, UsageDelta, UsageKey};
use crate::ledger::types::HoldId;
use crate::prices::Unit;
use crate::tokens::TokenId;

/// Begins the transaction that [`save`] ends. Nothing happens where one is open.
pub(super) fn begin(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_autocommit() { execute(connection, "BEGIN IMMEDIATE") } else { Ok(()) }
}

/// Ends a transaction in which nothing was written.
pub(super) fn end(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_autocommit() { Ok(()) } else { execute(connection, "ROLLBACK") }
}

/// Writes a batch. Returns the number of the next journal entry.
pub(super) fn save(connection: &Connection, state: &State, changes: &Changes, next_seq: i64) -> rusqlite::Result<i64> {
    let saved = begin(connection).and_then(|()| rows(connection, state, changes, next_seq)).and_then(|seq| execute(connection, "COMMIT").map(|()| seq));
    if saved.is_err() {
        // The error is that of the write; where this fails too, SQLite has rolled back already.
        let _ = end(connection);
    }
    saved
}

fn execute(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([]).map(drop)
}

fn rows(connection: &Connection, state: &State, changes: &Changes, next_seq: i64) -> rusqlite::Result<i64> {
    accounts(connection, state, changes)?;
    for id in &changes.identities {
        if let Some(token) = state.token(*id) {
            identity(connection, token)?;
        }
    }
    for id in changes.tokens.iter().filter(|id| !changes.identities.contains(id)) {
        if let Some(token) = state.token(*id) {
            figures(connection, token)?;
        }
    }
    for (id, change) in &changes.holds {
        hold(connection, state, *id, *change)?;
    }
    for id in &changes.tombstones {
        tombstone(connection, state, *id)?;
    }
    let mut seq = next_seq;
    for entry in &changes.journal {
        journal(connection, seq, entry)?;
        seq += 1;
    }
    for (key, delta) in &changes.usage {
        usage(connection, key, delta)?;
    }
    Ok(seq)
}

pub(super) fn accounts(connection: &Connection, state: &State, changes: &Changes) -> rusqlite::Result<()> {
    for account in changes.accounts.iter().filter_map(|id| state.account(*id)) {
        connection
            .prepare_cached(
                "INSERT INTO accounts (account_id, name, main_key_sha256, balance_nanos, held_nanos, balance_sets, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (account_id) DO UPDATE SET main_key_sha256 = ?3, balance_nanos = ?4, held_nanos = ?5, balance_sets = ?6",
            )?
            .execute(params![
                account.id.0,
                account.name,
                account.main_key.map(Stored),
                account.budget.balance.map(Stored),
                Stored(account.budget.held),
                count(account.budget.sets),
                Stored(account.created_at)
            ])?;
    }
    Ok(())
}

/// The whole of a token, and its secrets.
pub(super) fn identity(connection: &Connection, token: &Token) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO tokens (token_id, account_id, name, kind, balance_nanos, active_balance, held_nanos, balance_sets, spent_nanos, reset_period, reset_amount_nanos,
                resets_ms, expires_ms, created_ms, last_used_ms, deleted_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
             ON CONFLICT (token_id) DO UPDATE SET balance_nanos = ?5, active_balance = ?6, held_nanos = ?7, balance_sets = ?8, spent_nanos = ?9, reset_period = ?10,
                reset_amount_nanos = ?11, resets_ms = ?12, expires_ms = ?13, last_used_ms = ?15, deleted_ms = ?16",
        )?
        .execute(params![
            token_key(token.id),
            token.account.0,
            token.name,
            kind_name(token.kind),
            token.budget.balance.map(Stored),
            token.active_balance,
            Stored(token.budget.held),
            count(token.budget.sets),
            Stored(token.spent),
            token.reset.map(|reset| period_name(reset.period)),
            token.reset.map(|reset| Stored(reset.amount)),
            token.resets_at.map(Stored),
            token.expire_time.map(Stored),
            Stored(token.created_at),
            token.last_used_at.map(Stored),
            token.deleted_at.map(Stored),
        ])?;
    connection.prepare_cached("DELETE FROM secrets WHERE token_id = ?1")?.execute([token_key(token.id)])?;
    for (position, secret) in token.secrets.iter().enumerate() {
        connection.prepare_cached("INSERT INTO secrets (token_id, position, secret_sha256, masked, ends_ms) VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            token_key(token.id),
            count(position as u64),
            Stored(secret.hash),
            secret.masked,
            secret.ends_at.map(Stored)
        ])?;
    }
    Ok(())
}

/// What requests change of a token.
fn figures(connection: &Connection, token: &Token) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE tokens SET balance_nanos = ?2, held_nanos = ?3, balance_sets = ?4, spent_nanos = ?5, resets_ms = ?6, last_used_ms = ?7 WHERE token_id = ?1",
        )?
        .execute(params![
            token_key(token.id),
            token.budget.balance.map(Stored),
            Stored(token.budget.held),
            count(token.budget.sets),
            Stored(token.spent),
            token.resets_at.map(Stored),
            token.last_used_at.map(Stored)
        ])?;
    Ok(())
}

pub(super) fn hold(connection: &Connection, state: &State, id: HoldId, change: HoldChange) -> rusqlite::Result<()> {
    match (state.hold(id), change) {
        (Some(hold), _) => {
            connection
                .prepare_cached(
                    "INSERT INTO holds (hold_id, token_id, account_id, amount_nanos, on_token, on_account, lease_ends_ms, provider, model, feature)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (hold_id) DO UPDATE SET amount_nanos = ?4, lease_ends_ms = ?7",
                )?
                .execute(params![
                    Stored(id),
                    token_key(hold.token),
                    hold.account.0,
                    Stored(hold.amount),
                    hold.on_token,
                    hold.on_account,
                    Stored(hold.lease_end),
                    hold.label.provider,
                    hold.label.model,
                    hold.label.feature
                ])?;
        }
        (None, HoldChange::Stored) => {
            connection.prepare_cached("DELETE FROM holds WHERE hold_id = ?1")?.execute([Stored(id)])?;
        }
        (None, HoldChange::New) => {}
    }
    Ok(())
}

pub(super) fn tombstone(connection: &Connection, state: &State, id: HoldId) -> rusqlite::Result<()> {
    let Some(tombstone) = state.tombstone(id) else {
        connection.prepare_cached("DELETE FROM tombstones WHERE hold_id = ?1")?.execute([Stored(id)])?;
        return Ok(());
    };
    let expired = tombstone.expired.as_ref();
    let hold = expired.map(|expired| &expired.hold);
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO tombstones (hold_id, ends_ms, expired_ms, token_id, account_id, amount_nanos, on_token, on_account, lease_ends_ms,
                provider, model, feature, token_balance_sets, account_balance_sets) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            Stored(id),
            Stored(tombstone.ends_at),
            expired.map(|expired| Stored(expired.expired_at)),
            hold.map(|hold| token_key(hold.token)),
            hold.map(|hold| hold.account.0),
            hold.map(|hold| Stored(hold.amount)),
            hold.map(|hold| hold.on_token),
            hold.map(|hold| hold.on_account),
            hold.map(|hold| Stored(hold.lease_end)),
            hold.map(|hold| hold.label.provider.as_str()),
            hold.map(|hold| hold.label.model.as_str()),
            hold.map(|hold| hold.label.feature.as_str()),
            expired.map(|expired| count(expired.token_sets)),
            expired.map(|expired| count(expired.account_sets)),
        ])?;
    Ok(())
}

pub(super) fn journal(connection: &Connection, seq: i64, entry: &JournalEntry) -> rusqlite::Result<()> {
    let label = entry.label.as_deref();
    let usage = entry.usage_text();
    connection
        .prepare_cached(
            "INSERT INTO journal (seq, time_ms, kind, account_id, token_id, hold_id, token_delta_nanos, account_delta_nanos, cost_nanos, certainty, provider, model,
                feature, usage, price_version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            seq,
            Stored(entry.time),
            entry.kind.name(),
            entry.account.0,
            entry.token.map(token_key),
            entry.hold.map(Stored),
            entry.token_delta_nanos,
            entry.account_delta_nanos,
            Stored(entry.cost),
            entry.certainty.map(certainty_name),
            label.map(|label| label.provider.as_str()),
            label.map(|label| label.model.as_str()),
            label.map(|label| label.feature.as_str()),
            (!usage.is_empty()).then_some(usage),
            (!entry.price_version.is_empty()).then_some(&*entry.price_version),
        ])?;
    Ok(())
}

/// The upsert of a row of the daily usage with all of its units.
static ADD_USAGE: LazyLock<String> = LazyLock::new(|| {
    let mut columns = String::from("day, token_id, provider, model, feature, requests, cost_nanos, estimated");
    let mut values = String::from("?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8");
    let mut sums = String::from("requests = requests + ?6, cost_nanos = cost_nanos + ?7, estimated = estimated + ?8");
    for (position, unit) in Unit::ALL.into_iter().enumerate() {
        let (column, parameter) = (unit_column(unit), position + 9);
        // Writing to a String cannot fail.
        let _ = write!(columns, ", {column}");
        let _ = write!(values, ", ?{parameter}");
        let _ = write!(sums, ", {column} = {column} + ?{parameter}");
    }
    format!("INSERT INTO usage_daily ({columns}) VALUES ({values}) ON CONFLICT DO UPDATE SET {sums}")
});

pub(super) fn usage(connection: &Connection, key: &UsageKey, delta: &UsageDelta) -> rusqlite::Result<()> {
    let day = key.day.to_string();
    let token = token_key(key.token);
    let label = &*key.label;
    let units: [i64; Unit::ALL.len()] = Unit::ALL.map(|unit| count(delta.usage.get(unit)));
    let fixed: [&dyn rusqlite::ToSql; 8] = [&day, &token, &label.provider, &label.model, &label.feature, &delta.requests, &delta.cost_nanos, &delta.estimated];
    connection.prepare_cached(&ADD_USAGE)?.execute(params_from_iter(fixed.into_iter().chain(units.iter().map(|unit| unit as &dyn rusqlite::ToSql))))?;
    Ok(())
}

fn token_key(id: TokenId) -> i64 {
    count(id.0)
}
