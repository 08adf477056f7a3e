//! From the file to the state in memory: at the start, and after a commit that failed.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, Row, Rows};

use super::codec::{label, optional, uncount, value};
use super::schema::fault;
use crate::ledger::rules::{Account, AccountId, Budget, Expired, Hold, State, StoredSecret, Token, Tombstone};
use crate::ledger::types::{HoldId, LedgerError};
use crate::tokens::{BudgetReset, TokenId};

/// Accounts, as [`account`] reads them.
pub(super) const ACCOUNTS: &str =
    "SELECT account_id, name, main_key_sha256, balance_nanos, held_nanos, balance_sets, created_ms FROM accounts ORDER BY account_id";
/// Tokens, as [`token`] reads them, deleted ones too. To be read in order of their ids.
pub(super) const TOKENS: &str = "SELECT token_id, account_id, name, kind, balance_nanos, held_nanos, balance_sets, active_balance, spent_nanos, reset_period,
    reset_amount_nanos, resets_ms, expires_ms, created_ms, last_used_ms, deleted_ms FROM tokens";
/// The secrets of tokens, as [`SecretRows`] reads them.
pub(super) const SECRETS: &str = "SELECT token_id, secret_sha256, masked, ends_ms FROM secrets ORDER BY token_id, position";
/// Live holds: the id, then what [`hold`] reads.
pub(super) const HOLDS: &str = "SELECT hold_id, token_id, account_id, amount_nanos, on_token, on_account, lease_ends_ms, provider, model, feature FROM holds";
/// Tombstones, as [`tombstone`] reads them.
pub(super) const TOMBSTONES: &str =
    "SELECT hold_id, ends_ms, expired_ms, token_balance_sets, account_balance_sets, token_id, account_id, amount_nanos, on_token,
    on_account, lease_ends_ms, provider, model, feature FROM tombstones";

/// Tokens that go from one thread to another at a time.
const BATCH: usize = 512;
/// Batches of tokens that wait at most.
const BATCHES: usize = 8;

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
pub(super) fn load(connection: &mut Connection, zone: TimeZone) -> Result<Loaded, LedgerError> {
    read(connection, zone).map_err(|error| fault(&error))?
}

fn damaged(what: &str) -> LedgerError {
    LedgerError::Incompatible(format!("the ledger is damaged: {what}; restore it from a backup"))
}

fn read(connection: &mut Connection, zone: TimeZone) -> rusqlite::Result<Result<Loaded, LedgerError>> {
    let mut state = State::new(zone);
    let mut statement = connection.prepare(ACCOUNTS)?;
    for account in statement.query_map([], account)? {
        if !state.restore_account(account?) {
            return Ok(Err(damaged("an account is missing")));
        }
    }
    drop(statement);
    let mut newest: Option<Timestamp> = None;
    if !restore_tokens(connection, &mut state, &mut newest)? {
        return Ok(Err(damaged("a token has no account")));
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

/// Takes back every token that is not over: one thread reads the file, while this one fills the state. False where a token has no account.
fn restore_tokens(connection: &mut Connection, state: &mut State, newest: &mut Option<Timestamp>) -> rusqlite::Result<bool> {
    let (sender, receiver) = sync_channel(BATCHES);
    thread::scope(|scope| {
        let reading = scope.spawn(move || read_tokens(connection, &sender));
        for token in receiver.into_iter().flatten() {
            *newest = (*newest).max(token.last_used_at).max(Some(token.created_at));
            // The receiver is gone then, and so the reader ends.
            if !state.restore_token(token) {
                return Ok(false);
            }
        }
        reading.join().unwrap_or_else(|_| Err(rusqlite::Error::InvalidQuery)).map(|()| true)
    })
}

/// Hands over tokens in batches, as long as somebody takes them.
fn read_tokens(connection: &Connection, taker: &SyncSender<Vec<Token>>) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(SECRETS)?;
    let mut secrets = SecretRows::begin(statement.query([])?)?;
    let mut statement = connection.prepare(&format!(
        "{TOKENS} WHERE deleted_ms IS NULL OR token_id IN (SELECT token_id FROM holds UNION SELECT token_id FROM tombstones) ORDER BY token_id"
    ))?;
    let mut batch = Vec::with_capacity(BATCH);
    for token in statement.query_map([], |row| token(row, &mut secrets))? {
        batch.push(token?);
        if batch.len() == BATCH && taker.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).is_err() {
            return Ok(());
        }
    }
    let _ = taker.send(batch);
    Ok(())
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

/// A token. To be called in order of the ids of tokens.
pub(super) fn token(row: &Row<'_>, secrets: &mut SecretRows<'_>) -> rusqlite::Result<Token> {
    let id: i64 = row.get(0)?;
    let reset = optional(row, 9)?.zip(optional(row, 10)?).map(|(period, amount)| BudgetReset { period, amount });
    Ok(Token {
        id: TokenId(uncount(id)),
        account: AccountId(row.get(1)?),
        name: row.get(2)?,
        kind: value(row, 3)?,
        secrets: secrets.of(id)?,
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

/// Goes through the secrets of all tokens, in step with the tokens.
pub(super) struct SecretRows<'statement> {
    rows: Rows<'statement>,
    next: Option<(i64, StoredSecret)>,
}

// === impl SecretRows ===

impl<'statement> SecretRows<'statement> {
    /// Of [`SECRETS`].
    pub(super) fn begin(rows: Rows<'statement>) -> rusqlite::Result<Self> {
        let mut secrets = Self { rows, next: None };
        secrets.advance()?;
        Ok(secrets)
    }

    /// The secrets of a token, the newest last. Those of tokens before it are gone.
    fn of(&mut self, token: i64) -> rusqlite::Result<Vec<StoredSecret>> {
        let mut secrets = Vec::new();
        while let Some((id, secret)) = self.next.take_if(|(id, _)| *id <= token) {
            if id == token {
                // Hardly any token has more than one: room for four would be most of what a token takes.
                secrets.reserve_exact(1);
                secrets.push(secret);
            }
            self.advance()?;
        }
        Ok(secrets)
    }

    fn advance(&mut self) -> rusqlite::Result<()> {
        self.next = match self.rows.next()? {
            Some(row) => Some((row.get(0)?, StoredSecret { hash: value(row, 1)?, masked: row.get(2)?, ends_at: optional(row, 3)? })),
            None => None,
        };
        Ok(())
    }
}
