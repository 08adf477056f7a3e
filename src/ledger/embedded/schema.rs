//! The tables. Amounts are whole nano-dollars, times are milliseconds since 1970 (UTC), ids of holds are 16 bytes (`hex(hold_id)`).

use rusqlite::{Connection, OptionalExtension};

use crate::ledger::types::LedgerError;
use crate::prices::Unit;

/// The version of these tables.
const VERSION: &str = "1";

const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE accounts (
    account_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    main_key_sha256 BLOB,
    balance_nanos INTEGER,
    held_nanos INTEGER NOT NULL,
    balance_sets INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
);
CREATE TABLE tokens (
    token_id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    balance_nanos INTEGER,
    active_balance INTEGER NOT NULL,
    held_nanos INTEGER NOT NULL,
    balance_sets INTEGER NOT NULL,
    spent_nanos INTEGER NOT NULL,
    reset_period TEXT,
    reset_amount_nanos INTEGER,
    resets_ms INTEGER,
    expires_ms INTEGER,
    created_ms INTEGER NOT NULL,
    last_used_ms INTEGER,
    deleted_ms INTEGER
);
CREATE UNIQUE INDEX live_token_names ON tokens (account_id, name) WHERE deleted_ms IS NULL;
CREATE TABLE secrets (
    token_id INTEGER NOT NULL REFERENCES tokens,
    position INTEGER NOT NULL,
    secret_sha256 BLOB NOT NULL,
    masked TEXT NOT NULL,
    ends_ms INTEGER,
    PRIMARY KEY (token_id, position)
) WITHOUT ROWID;
CREATE TABLE holds (
    hold_id BLOB PRIMARY KEY,
    token_id INTEGER NOT NULL,
    account_id INTEGER NOT NULL,
    amount_nanos INTEGER NOT NULL,
    on_token INTEGER NOT NULL,
    on_account INTEGER NOT NULL,
    lease_ends_ms INTEGER NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    feature TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE tombstones (
    hold_id BLOB PRIMARY KEY,
    ends_ms INTEGER NOT NULL,
    expired_ms INTEGER,
    token_id INTEGER,
    account_id INTEGER,
    amount_nanos INTEGER,
    on_token INTEGER,
    on_account INTEGER,
    lease_ends_ms INTEGER,
    provider TEXT,
    model TEXT,
    feature TEXT,
    token_balance_sets INTEGER,
    account_balance_sets INTEGER
) WITHOUT ROWID;
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY,
    time_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    account_id INTEGER NOT NULL,
    token_id INTEGER,
    hold_id BLOB,
    token_delta_nanos INTEGER NOT NULL,
    account_delta_nanos INTEGER NOT NULL,
    cost_nanos INTEGER NOT NULL,
    certainty TEXT,
    provider TEXT,
    model TEXT,
    feature TEXT,
    usage TEXT,
    price_version TEXT
);
CREATE TABLE token_checkpoints (
    token_id INTEGER PRIMARY KEY,
    balance_nanos INTEGER NOT NULL,
    cost_nanos INTEGER NOT NULL
);
CREATE TABLE account_checkpoints (
    account_id INTEGER PRIMARY KEY,
    balance_nanos INTEGER NOT NULL
);
CREATE TABLE usage_daily (
    day TEXT NOT NULL,
    token_id INTEGER NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    feature TEXT NOT NULL,
    requests INTEGER NOT NULL,
    cost_nanos INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    PRIMARY KEY (token_id, day, provider, model, feature)
) WITHOUT ROWID;
CREATE VIEW journal_readable AS SELECT
    seq, strftime('%Y-%m-%dT%H:%M:%fZ', time_ms / 1000.0, 'unixepoch') AS time, kind, journal.account_id, tokens.name AS token, lower(hex(hold_id)) AS hold,
    token_delta_nanos / 1e9 AS token_delta_usd, account_delta_nanos / 1e9 AS account_delta_usd, cost_nanos / 1e9 AS cost_usd,
    certainty, provider, model, feature, usage, price_version
FROM journal LEFT JOIN tokens USING (token_id);
";

/// The store failed at something that may work later.
pub(crate) fn fault(error: &rusqlite::Error) -> LedgerError {
    LedgerError::Unavailable(error.to_string())
}

/// The column of the daily usage that counts a unit.
pub(super) fn unit_column(unit: Unit) -> String {
    format!("unit_{}", unit.name())
}

/// Refuses a file that is not a ledger of this version. Returns false for an empty one.
pub(crate) fn check_version(connection: &Connection) -> Result<bool, LedgerError> {
    let not_ours = |what: &str| LedgerError::Incompatible(format!("this file is not a spendgate ledger ({what}); set SPENDGATE_STORE to another path"));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_master WHERE type = 'table'", [], |row| row.get(0)).map_err(|error| {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => not_ours("not an SQLite database"),
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => LedgerError::Incompatible(format!("the ledger is damaged: {error}; restore it from a backup")),
            _ => fault(&error),
        }
    })?;
    if tables == 0 {
        return Ok(false);
    }
    let meta: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'", [], |row| row.get(0))
        .map_err(|error| fault(&error))?;
    if meta == 0 {
        return Err(not_ours("a database of something else"));
    }
    let version: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE key = 'spendgate_ledger_version'", [], |row| row.get(0))
        .optional()
        .map_err(|error| fault(&error))?;
    match version.as_deref() {
        Some(VERSION) => Ok(true),
        Some(other) => Err(LedgerError::Incompatible(format!(
            "the ledger has version {other}, this spendgate knows version {VERSION}: run the spendgate that wrote it, or set SPENDGATE_STORE to another path"
        ))),
        None => Err(not_ours("no version in it")),
    }
}

/// Makes the tables in an empty file, and the columns of units that are new since.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), LedgerError> {
    if !check_version(connection)? {
        let transaction = connection.transaction().map_err(|error| fault(&error))?;
        transaction.execute_batch(TABLES).map_err(|error| fault(&error))?;
        transaction.execute("INSERT INTO meta (key, value) VALUES ('spendgate_ledger_version', ?1)", [VERSION]).map_err(|error| fault(&error))?;
        transaction.commit().map_err(|error| fault(&error))?;
    }
    for unit in Unit::ALL {
        let column = unit_column(unit);
        let there: i64 = connection
            .query_row("SELECT count(*) FROM pragma_table_info('usage_daily') WHERE name = ?1", [&column], |row| row.get(0))
            .map_err(|error| fault(&error))?;
        if there == 0 {
            // The name is one of ours, never input.
            connection.execute_batch(&format!("ALTER TABLE usage_daily ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")).map_err(|error| fault(&error))?;
        }
    }
    Ok(())
}
