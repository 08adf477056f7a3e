//! From the file to the state in memory: at the start, and after a commit that failed.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, Row};

use super::codec::{label, optional, uncount, value};
use super::schema::fault;
use crate::ledger::rules::{Account, AccountId, Budget, Expired, Hold, State, StoredSecret, Token, Tombstone};
use crate::ledger::types::{HoldId, LedgerError};
use crate::tokens::{BudgetReset, TokenId};

/// Accounts, as [`account`] reads them.
pub(super) const ACCOUNTS: &str =
    "SELECT account_id, name, main_key_sha256, balance_nanos, held_nanos, balance_sets, created_ms FROM accounts ORDER BY account_id";
/// Tokens, as [`token`] reads them, deleted ones too.
pub(super) const TOKENS: &str = "SELECT token_id, account_id, name, kind, balance_nanos, held_nanos, balance_sets, active_balance, spent_nanos, reset_period,
    reset_amount_nanos, resets_ms, expires_ms, created_ms, last_used_ms, deleted_ms FROM tokens";
/// Live holds: the id, then what [`hold`] reads.
pub(super) const HOLDS: &str = "SELECT hold_id, token_id, account_id, amount_nanos, on_token, on_account, lease_ends_ms, provider, model, feature FROM holds";
/// Tombstones, as [`tombstone`] reads them.
pub(super) const TOMBSTONES: &str =
    "SELECT hold_id, ends_ms, expired_ms, token_balance_sets, account_balance_sets, token_id, account_id, amount_nanos, on_token,
    on_account, lease_ends_ms, provider, model, feature FROM tombstones";

/// What the file says.
pub(super) struct Loaded {
    /// The whole ledger.
    pub(super) state: State,
    /// The number of the next journal entry.
    pub(super) next_seq: i64,
    /// The newest time in the file: the clock goes on from there.
    pub(super) newest: Option<Timestamp>,
}

/// Reads the whole ledger.
pub(super) fn load(connection: &Connection, zone: TimeZone) -> Result<Loaded, LedgerError> {
    read(connection, zone).map_err(|error| fault(&error))?
}

fn damaged(what: &str) -> LedgerError {
    LedgerError::Incompatible(format!("the ledger is damaged: {what}; restore it from a backup"))
}

fn read(connection: &Connection, zone: TimeZone) -> rusqlite::Result<Result<Loaded, LedgerError>> {
    let mut state = State::new(zone);
    let mut statement = connection.prepare(ACCOUNTS)?;
    for account in statement.query_map([], account)? {
        if !state.restore_account(account?) {
            return Ok(Err(damaged("an account is missing")));
        }
    }
    let mut secrets = secrets(connection)?;
    let mut statement =
        connection.prepare(&format!("{TOKENS} WHERE deleted_ms IS NULL OR token_id IN (SELECT token_id FROM holds UNION SELECT token_id FROM tombstones)"))?;
    let mut newest: Option<Timestamp> = None;
    for token in statement.query_map([], |row| token(row, &mut secrets))? {
        let token = token?;
        newest = newest.max(token.last_used_at).max(Some(token.created_at));
        if !state.restore_token(token) {
            return Ok(Err(damaged("a token has no account")));
        }
    }
    let last_token: Option<i64> = connection.query_row("SELECT max(token_id) FROM tokens", [], |row| row.get(0))?;
    state.restore_last_token(last_token.map_or(0, uncount));
    let mut statement = connection.prepare(HOLDS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if !state.restore_hold(value(row, 0)?, hold(row, 1)?) {
            return Ok(Err(damaged("a hold has no token")));
        }
    }
    let mut statement = connection.prepare(TOMBSTONES)?;
    for tombstone in statement.query_map([], tombstone)? {
        let (id, tombstone) = tombstone?;
        state.restore_tombstone(id, tombstone);
    }
    let (last_seq, last_time): (Option<i64>, Option<i64>) = connection
        .query_row("SELECT seq, time_ms FROM journal ORDER BY seq DESC LIMIT 1", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .or_else(|error| match error {
            rusqlite::Error::QueryReturnedNoRows => Ok((None, None)),
            other => Err(other),
        })?;
    let trimmed: Option<i64> =
        connection.query_row("SELECT max(CAST(value AS INTEGER)) FROM meta WHERE key = 'journal_trimmed_through_seq'", [], |row| row.get(0))?;
    newest = newest.max(last_time.and_then(|millis| Timestamp::from_millisecond(millis).ok()));
    Ok(Ok(Loaded { state, next_seq: last_seq.max(trimmed).unwrap_or(0) + 1, newest }))
}

/// The secrets of each token, the newest last.
pub(super) fn secrets(connection: &Connection) -> rusqlite::Result<HashMap<i64, Vec<StoredSecret>>> {
    let mut secrets: HashMap<i64, Vec<StoredSecret>> = HashMap::new();
    let mut statement = connection.prepare("SELECT token_id, secret_sha256, masked, ends_ms FROM secrets ORDER BY token_id, position")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let secret = StoredSecret { hash: value(row, 1)?, masked: row.get(2)?, ends_at: optional(row, 3)? };
        secrets.entry(row.get(0)?).or_default().push(secret);
    }
    Ok(secrets)
}

pub(super) fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let mut account = Account::new(AccountId(row.get(0)?), row.get(1)?, value(row, 6)?);
    account.main_key = optional(row, 2)?;
    account.budget = budget(row, 3)?;
    Ok(account)
}

/// Balance, held and sets, in three neighbouring columns.
fn budget(row: &Row<'_>, first: usize) -> rusqlite::Result<Budget> {
    Ok(Budget { balance: optional(row, first)?, held: value(row, first + 1)?, sets: uncount(row.get(first + 2)?) })
}

pub(super) fn token(row: &Row<'_>, secrets: &mut HashMap<i64, Vec<StoredSecret>>) -> rusqlite::Result<Token> {
    let id: i64 = row.get(0)?;
    let reset = optional(row, 9)?.zip(optional(row, 10)?).map(|(period, amount)| BudgetReset { period, amount });
    Ok(Token {
        id: TokenId(uncount(id)),
        account: AccountId(row.get(1)?),
        name: row.get(2)?,
        kind: value(row, 3)?,
        secrets: secrets.remove(&id).unwrap_or_default(),
        budget: budget(row, 4)?,
        active_balance: row.get(7)?,
        reset,
        resets_at: optional(row, 11)?,
        spent: value(row, 8)?,
        expire_time: optional(row, 12)?,
        created_at: value(row, 13)?,
        last_used_at: optional(row, 14)?,
        deleted_at: optional(row, 15)?,
        unfinished: 0,
    })
}

/// A hold, without its id, in nine neighbouring columns.
pub(super) fn hold(row: &Row<'_>, first: usize) -> rusqlite::Result<Hold> {
    Ok(Hold {
        token: TokenId(uncount(row.get(first)?)),
        account: AccountId(row.get(first + 1)?),
        amount: value(row, first + 2)?,
        on_token: row.get(first + 3)?,
        on_account: row.get(first + 4)?,
        lease_end: value(row, first + 5)?,
        label: label(row, first + 6)?,
    })
}

pub(super) fn tombstone(row: &Row<'_>) -> rusqlite::Result<(HoldId, Tombstone)> {
    let expired = match optional(row, 2)? {
        Some(expired_at) => Some(Expired { hold: hold(row, 5)?, expired_at, token_sets: uncount(row.get(3)?), account_sets: uncount(row.get(4)?) }),
        None => None,
    };
    Ok((value(row, 0)?, Tombstone { ends_at: value(row, 1)?, expired }))
}
