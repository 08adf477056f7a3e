//! The audit: recomputes every balance, held and spent figure from the journal and the live holds, and compares. In one read transaction, so that it may run
//! beside a gateway.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, Transaction};

use super::address::StoreAddress;
use super::embedded::{check_version, fault};
use super::redis;
use super::types::{BudgetScope, HoldId, LedgerError};
use crate::money::Usd;

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Tokens, deleted ones too.
    pub tokens: u64,
    /// Accounts.
    pub accounts: u64,
    /// Journal entries that are not trimmed.
    pub journal_entries: u64,
    /// Live holds.
    pub live_holds: u64,
    /// Where the figures differ. Empty: all is well.
    pub differences: Vec<AuditDifference>,
}

/// A figure that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditDifference {
    /// Whose figure.
    pub scope: BudgetScope,
    /// The token's or the account's name; for a hold that ended twice, its token and its id.
    pub name: String,
    /// Which figure: `balance`, `held`, `spent`, `usage` (the daily rows against the journal), `charged twice` or `charged and live` (a hold).
    pub what: &'static str,
    /// What the ledger says.
    pub recorded: Usd,
    /// What the journal and the holds say.
    pub computed: Usd,
}

/// The figures of a token or an account, recorded and computed.
#[derive(Default)]
pub(super) struct Audited {
    pub(super) name: String,
    pub(super) balance: Pair,
    pub(super) held: Pair,
    pub(super) spent: Pair,
    /// Of a token: its daily rows, compared with what it spent.
    pub(super) usage: Pair,
}

/// Nano-dollars.
#[derive(Clone, Copy, Default)]
pub(super) struct Pair {
    pub(super) recorded: i64,
    pub(super) computed: i64,
}

/// What the journal says of a hold that was charged.
pub(super) struct Ended {
    pub(super) token: u64,
    pub(super) times: u32,
    pub(super) sum: i64,
    pub(super) least: i64,
}

/// Audits a ledger.
///
/// # Errors
/// When it cannot be read, or is not a ledger of this version.
pub fn audit(store: &StoreAddress) -> Result<AuditReport, LedgerError> {
    match store {
        StoreAddress::Sqlite(path) => audit_file(path),
        StoreAddress::Redis(address) => redis::audit(address),
    }
}

fn audit_file(path: &Path) -> Result<AuditReport, LedgerError> {
    if !path.exists() {
        return Err(LedgerError::Unavailable(format!("there is no ledger at {}", path.display())));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|error| fault(&error))?;
    if !check_version(&connection)? {
        return Err(LedgerError::Incompatible(format!("{} is empty: no ledger was ever opened there", path.display())));
    }
    let transaction = connection.transaction().map_err(|error| fault(&error))?;
    read(&transaction).map_err(|error| fault(&error))
}

fn read(transaction: &Transaction<'_>) -> rusqlite::Result<AuditReport> {
    let mut tokens = BTreeMap::<i64, Audited>::new();
    let mut accounts = BTreeMap::<i64, Audited>::new();
    // Recorded. An unset balance counts as nothing, as it does in the deltas. An account spent what its tokens did.
    each(transaction, "SELECT token_id, name, coalesce(balance_nanos, 0), held_nanos, spent_nanos FROM tokens", |id, row| {
        let token = tokens.entry(id).or_default();
        (token.name, token.balance.recorded, token.held.recorded, token.spent.recorded) = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        Ok(())
    })?;
    each(
        transaction,
        "SELECT account_id, name, coalesce(balance_nanos, 0), held_nanos,
            (SELECT coalesce(sum(spent_nanos), 0) FROM tokens WHERE tokens.account_id = accounts.account_id) FROM accounts",
        |id, row| {
            let account = accounts.entry(id).or_default();
            (account.name, account.balance.recorded, account.held.recorded, account.spent.recorded) = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
            Ok(())
        },
    )?;
    // Computed: the journal on top of its checkpoints, and the live holds.
    for sums in [
        "SELECT token_id, sum(token_delta_nanos), sum(cost_nanos) FROM journal WHERE token_id IS NOT NULL GROUP BY token_id",
        "SELECT token_id, balance_nanos, cost_nanos FROM token_checkpoints",
    ] {
        each(transaction, sums, |id, row| {
            let token = tokens.entry(id).or_default();
            token.balance.computed += row.get::<_, i64>(1)?;
            token.spent.computed += row.get::<_, i64>(2)?;
            Ok(())
        })?;
    }
    for sums in [
        "SELECT account_id, sum(account_delta_nanos), sum(cost_nanos) FROM journal GROUP BY account_id",
        "SELECT account_id, balance_nanos, 0 FROM account_checkpoints",
        "SELECT account_id, 0, sum(cost_nanos) FROM token_checkpoints JOIN tokens USING (token_id) GROUP BY account_id",
    ] {
        each(transaction, sums, |id, row| {
            let account = accounts.entry(id).or_default();
            account.balance.computed += row.get::<_, i64>(1)?;
            account.spent.computed += row.get::<_, i64>(2)?;
            Ok(())
        })?;
    }
    each(transaction, "SELECT token_id, sum(amount_nanos) FROM holds WHERE on_token GROUP BY token_id", |id, row| {
        tokens.entry(id).or_default().held.computed = row.get(1)?;
        Ok(())
    })?;
    each(transaction, "SELECT account_id, sum(amount_nanos) FROM holds WHERE on_account GROUP BY account_id", |id, row| {
        accounts.entry(id).or_default().held.computed = row.get(1)?;
        Ok(())
    })?;
    each(transaction, "SELECT token_id, sum(cost_nanos) FROM usage_daily GROUP BY token_id", |id, row| {
        tokens.entry(id).or_default().usage.recorded = row.get(1)?;
        Ok(())
    })?;
    let mut report = AuditReport {
        tokens: tokens.len() as u64,
        accounts: accounts.len() as u64,
        journal_entries: count(transaction, "SELECT count(*) FROM journal")?,
        live_holds: count(transaction, "SELECT count(*) FROM holds")?,
        differences: Vec::new(),
    };
    for account in accounts.into_values() {
        report.compare(account, std::iter::empty());
    }
    for token in tokens.into_values() {
        report.compare_token(token);
    }
    holds_that_ended_twice(transaction, &mut report)?;
    Ok(report)
}

/// A hold id that was charged more than once, or that was charged and is still live.
fn holds_that_ended_twice(transaction: &Transaction<'_>, report: &mut AuditReport) -> rusqlite::Result<()> {
    for (what, sql) in [
        (
            "charged twice",
            "SELECT token_id, hold_id, sum(cost_nanos), min(cost_nanos) FROM journal WHERE kind IN ('charge', 'expire') GROUP BY hold_id HAVING count(*) > 1",
        ),
        (
            "charged and live",
            "SELECT holds.token_id, hold_id, journal.cost_nanos, 0 FROM holds JOIN journal USING (hold_id) WHERE journal.kind IN ('charge', 'expire')",
        ),
    ] {
        each(transaction, sql, |id, row| {
            let name: Option<String> = transaction.query_row("SELECT max(name) FROM tokens WHERE token_id = ?1", [id], |row| row.get(0))?;
            report.differ_in_hold(&name.unwrap_or_default(), &HoldId(row.get(1)?).to_string(), what, row.get(2)?, row.get(3)?);
            Ok(())
        })?;
    }
    Ok(())
}

/// Goes through rows whose first column is the id.
fn each(transaction: &Transaction<'_>, sql: &str, mut take: impl FnMut(i64, &rusqlite::Row<'_>) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(row.get(0)?, row)?;
    }
    Ok(())
}

fn count(transaction: &Transaction<'_>, sql: &str) -> rusqlite::Result<u64> {
    transaction.query_row(sql, [], |row| row.get::<_, i64>(0)).map(|count| u64::try_from(count).unwrap_or(0))
}

fn usd(nanos: i64) -> Usd {
    Usd::saturating_from_nanos(i128::from(nanos))
}

// === impl AuditReport ===

impl AuditReport {
    /// Compares an account's figures, and those of its tokens.
    pub(super) fn compare(&mut self, account: Audited, tokens: impl Iterator<Item = Audited>) {
        account.compare(BudgetScope::Account, &mut self.differences);
        for token in tokens {
            self.compare_token(token);
        }
    }

    fn compare_token(&mut self, mut token: Audited) {
        token.usage.computed = token.spent.computed;
        token.compare(BudgetScope::Token, &mut self.differences);
    }

    /// A hold that did not end exactly once.
    pub(super) fn differ_in_hold(&mut self, token: &str, hold: &str, what: &'static str, recorded: i64, computed: i64) {
        let (recorded, computed) = (usd(recorded), usd(computed));
        self.differences.push(AuditDifference { scope: BudgetScope::Token, name: format!("{token}, hold {hold}"), what, recorded, computed });
    }
}

// === impl Audited ===

impl Audited {
    pub(super) fn new(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    fn compare(self, scope: BudgetScope, differences: &mut Vec<AuditDifference>) {
        for (what, pair) in [("balance", self.balance), ("held", self.held), ("spent", self.spent), ("usage", self.usage)] {
            if pair.recorded != pair.computed {
                differences.push(AuditDifference { scope, name: self.name.clone(), what, recorded: usd(pair.recorded), computed: usd(pair.computed) });
            }
        }
    }
}
