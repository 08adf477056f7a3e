//! The whole ledger as records: out of a file, and into a new one. A new file is built beside its place and only then takes it, so that it is never there
//! in part.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use rusqlite::{Connection, OpenFlags, Row, Transaction, params};

use super::codec::{Stored, count, optional, uncount, value};
use super::load::{ACCOUNTS, HOLDS, SECRETS, SecretRows, TOKENS, TOMBSTONES, account, hold, token, tombstone};
use super::save;
use super::schema::{check_version, fault, prepare, unit_column};
use crate::ledger::address::StoreAddress;
use crate::ledger::audit::{AuditReport, audit};
use crate::ledger::lock::lock;
use crate::ledger::private::make_private;
use crate::ledger::rules::{AccountId, Changes, EntryKind, HoldChange, State};
use crate::ledger::transfer::{
    AccountRecord, Checked, CheckpointRecord, Day, Delta, EntryRecord, Hex, HoldRecord, Label, LedgerReader, Named, Nanos, Record, Take, Time, TokenRecord,
    TombstoneRecord, TransferError, Units, UsageRecord, Word, account_of, hold_of, journal_entry_of, sync_folder, token_of, tombstone_of, usage_of,
};
use crate::ledger::types::{Certainty, HoldId, LedgerError};
use crate::prices::{Unit, Usage};

const INSTEAD: &str = "set SPENDGATE_STORE to another file";
/// What is behind the name of a file that is being built.
const BUILDING: &str = ".importing";

/// Reads all of it in one read transaction: it may run beside a gateway, and what is charged after it began is not in it.
pub(crate) fn export(path: &Path, zone: &TimeZone, take: Take<'_>) -> Result<(), TransferError> {
    if !path.exists() {
        return Err(LedgerError::Unavailable(format!("there is no ledger at {}", path.display())).into());
    }
    let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
    if !check_version(&connection)? {
        return Err(LedgerError::Incompatible(format!("{} is empty: no ledger was ever opened there", path.display())).into());
    }
    let transaction = connection.transaction().map_err(failed)?;
    each(&transaction, ACCOUNTS, |row| Ok(Some(Record::Account(AccountRecord::from(&account(row)?)))), take)?;
    let mut statement = transaction.prepare(SECRETS).map_err(failed)?;
    let mut secrets = statement.query([]).and_then(SecretRows::begin).map_err(failed)?;
    let tokens = format!("{TOKENS} ORDER BY token_id");
    each(&transaction, &tokens, |row| Ok(Some(Record::Token(Box::new(TokenRecord::from(token(row, &mut secrets)?))))), take)?;
    each(&transaction, HOLDS, |row| Ok(Some(Record::Hold(HoldRecord::from((value(row, 0)?, &hold(row, 1)?))))), take)?;
    let day = |at| zone.to_datetime(at).date();
    let of_tombstone = |row: &Row<'_>| {
        let (id, tombstone) = tombstone(row)?;
        Ok(Some(Record::Tombstone(Box::new(TombstoneRecord::of(id, &tombstone, None, |expired| day(expired.expired_at))))))
    };
    each(&transaction, TOMBSTONES, of_tombstone, take)?;
    each(&transaction, "SELECT account_id, NULL, balance_nanos, 0 FROM account_checkpoints", checkpoint, take)?;
    each(
        &transaction,
        "SELECT account_id, token_id, token_checkpoints.balance_nanos, cost_nanos FROM token_checkpoints JOIN tokens USING (token_id)",
        checkpoint,
        take,
    )?;
    let units = units(&transaction)?;
    let columns: String = units.iter().map(|unit| format!(", {}", unit_column(*unit))).collect();
    let rows = format!("SELECT day, token_id, provider, model, feature, requests, cost_nanos, estimated{columns} FROM usage_daily");
    each(&transaction, &rows, |row| usage(row, &units), take)?;
    let journal =
        "SELECT time_ms, kind, account_id, token_id, hold_id, token_delta_nanos, account_delta_nanos, cost_nanos, certainty, provider, model, feature,
        usage, price_version FROM journal ORDER BY seq";
    each(&transaction, journal, |row| entry(row).map(|entry| Some(Record::Journal(Box::new(entry)))), take)
}

/// Builds a ledger from a file that was checked, and puts it where there is none. Returns its audit.
pub(crate) fn import(path: &Path, zone: &TimeZone, checked: &Checked, reader: &mut LedgerReader) -> Result<AuditReport, TransferError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(at(folder))?;
    }
    let _lock = lock(path, "ledger", INSTEAD)?;
    refuse_one_that_is_there(path)?;
    let building = with_end(path, BUILDING);
    // One that an import left which was broken off.
    remove(&building)?;
    let built = build(&building, zone, checked, reader).and_then(|()| {
        let report = audit(&StoreAddress::Sqlite(building.clone()))?;
        if report.differences.is_empty() { Ok(report) } else { Err(TransferError::Differs(report.differences)) }
    });
    let report = match built {
        Ok(report) => report,
        Err(error) => {
            remove(&building)?;
            return Err(error);
        }
    };
    File::open(&building).and_then(|file| file.sync_all()).map_err(at(&building))?;
    remove(path)?;
    std::fs::rename(&building, path).map_err(at(path))?;
    sync_folder(path).map_err(at(path))?;
    Ok(report)
}

/// How many accounts there are in a file: with any it is a ledger; one that was only opened is none yet.
fn accounts_in(path: &Path) -> Result<i64, LedgerError> {
    if !path.exists() {
        return Ok(0);
    }
    let connection = Connection::open(path).map_err(|error| fault(&error))?;
    if !check_version(&connection)? {
        return Ok(0);
    }
    connection.query_row("SELECT count(*) FROM accounts", [], |row| row.get(0)).map_err(|error| fault(&error))
}

fn refuse_one_that_is_there(path: &Path) -> Result<(), TransferError> {
    let accounts = accounts_in(path)?;
    if accounts == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(TransferError::NotEmpty(format!(
        "there is a ledger with {accounts} accounts at {path} already, and an import fills only an empty store: {INSTEAD}, or move {path} away together with {path}-wal and {path}-shm"
    )))
}

/// Refuses a place that an import was to fill and did not: a gateway would begin an empty ledger there, in which nobody's token is known. To be called
/// with the lock on the file, so that no import is under way.
pub(super) fn refuse_unfinished_import(path: &Path) -> Result<(), LedgerError> {
    let building = with_end(path, BUILDING);
    if !building.exists() || accounts_in(path)? > 0 {
        return Ok(());
    }
    Err(LedgerError::Incompatible(format!(
        "an import into the ledger {} was begun and did not end: run \"spendgate import\" again, or take {} away for a new ledger",
        path.display(),
        building.display()
    )))
}

/// What went wrong with a file.
fn at(path: &Path) -> impl Fn(io::Error) -> TransferError {
    let path = path.to_owned();
    move |source| TransferError::File { path: path.clone(), source }
}

fn build(path: &Path, zone: &TimeZone, checked: &Checked, reader: &mut LedgerReader) -> Result<(), TransferError> {
    make_private(path).map_err(at(path))?;
    let mut connection = Connection::open(path).map_err(failed)?;
    // What breaks off is thrown away as a whole: nothing has to be undone in it.
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").map_err(failed)?;
    prepare(&mut connection)?;
    let transaction = connection.transaction().map_err(failed)?;
    let mut into = Into { state: State::new(zone.clone()), transaction, ids: Vec::new(), seq: 0, last: None, in_order: true };
    into.accounts(checked)?;
    while let Some(record) = reader.next_record()? {
        into.take(record, checked)?;
    }
    into.end()?;
    connection.close().map_err(|(_, error)| failed(error))
}

/// A new file while it is filled. Of what the rules know only the state is kept in memory, as a gateway keeps it.
struct Into<'a> {
    state: State,
    transaction: Transaction<'a>,
    /// The ids that accounts have in the records, at the places of those that they have here, where there are no gaps.
    ids: Vec<u32>,
    seq: i64,
    last: Option<Time>,
    in_order: bool,
}

// === impl Into ===

impl Into<'_> {
    fn accounts(&mut self, checked: &Checked) -> Result<(), TransferError> {
        let mut changes = Changes::default();
        for account in &checked.accounts {
            self.ids.push(account.record.id);
            let mut record = account.record.clone();
            record.id = self.account(record.id)?;
            changes.accounts.insert(AccountId(record.id));
            if !self.state.restore_account(account_of(record)) {
                return Err(missing("an account"));
            }
        }
        save::accounts(&self.transaction, &self.state, &changes).map_err(failed)
    }

    fn account(&self, id: u32) -> Result<u32, TransferError> {
        let place = self.ids.binary_search(&id).ok().and_then(|place| u32::try_from(place).ok());
        place.ok_or_else(|| missing("an account"))
    }

    fn account_of(&self, token: u64, checked: &Checked) -> Result<AccountId, TransferError> {
        checked.account_of(token).ok_or_else(|| missing("a token")).and_then(|id| self.account(id)).map(AccountId)
    }

    fn take(&mut self, record: Record, checked: &Checked) -> Result<(), TransferError> {
        match record {
            // They are there.
            Record::Account(_) => Ok(()),
            Record::Token(mut record) => {
                record.account = self.account(record.account)?;
                let token = token_of(*record);
                save::identity(&self.transaction, &token).map_err(failed)?;
                if self.state.restore_token(token) { Ok(()) } else { Err(missing("an account")) }
            }
            Record::Hold(record) => {
                let account = self.account_of(record.token, checked)?;
                let (id, hold) = hold_of(record, account);
                if !self.state.restore_hold(id, hold) {
                    return Err(missing("a token"));
                }
                save::hold(&self.transaction, &self.state, id, HoldChange::New).map_err(failed)
            }
            Record::Tombstone(record) => self.tombstone(*record, checked),
            Record::Checkpoint(record) => self.checkpoint(&record),
            Record::Usage(record) => {
                let (key, row) = usage_of(record);
                save::usage(&self.transaction, &key, &row).map_err(failed)
            }
            Record::Journal(mut record) => {
                record.account = self.account(record.account)?;
                self.in_order &= self.last.is_none_or(|last| last <= record.time);
                self.last = Some(record.time);
                self.seq += 1;
                save::journal(&self.transaction, self.seq, &journal_entry_of(*record)).map_err(failed)
            }
        }
    }

    fn tombstone(&mut self, record: TombstoneRecord, checked: &Checked) -> Result<(), TransferError> {
        let account = match &record.expired {
            Some(expired) => self.account_of(expired.token, checked)?,
            None => AccountId(0),
        };
        let (id, tombstone) = tombstone_of(record, account);
        // An id is refused in every account here: a server may have noted it in several.
        let noted = self.state.tombstone(id);
        if noted.is_some_and(|noted| noted.expired.is_some() || (tombstone.expired.is_none() && noted.ends_at >= tombstone.ends_at)) {
            return Ok(());
        }
        self.state.restore_tombstone(id, tombstone);
        save::tombstone(&self.transaction, &self.state, id).map_err(failed)
    }

    fn checkpoint(&self, record: &CheckpointRecord) -> Result<(), TransferError> {
        let done = match record.token {
            Some(token) => self.transaction.execute(
                "INSERT INTO token_checkpoints (token_id, balance_nanos, cost_nanos) VALUES (?1, ?2, ?3)",
                params![count(token), record.balance.0, record.cost.0],
            ),
            None => self.transaction.execute(
                "INSERT INTO account_checkpoints (account_id, balance_nanos) VALUES (?1, ?2)",
                params![self.account(record.account)?, record.balance.0],
            ),
        };
        done.map(drop).map_err(failed)
    }

    fn end(self) -> Result<(), TransferError> {
        if !self.in_order {
            // Trimming takes the entries to be in order of time; a server gives them account by account.
            self.transaction
                .execute_batch(
                    "CREATE TEMP TABLE unordered AS SELECT * FROM journal;
                     DELETE FROM journal;
                     INSERT INTO journal SELECT NULL, time_ms, kind, account_id, token_id, hold_id, token_delta_nanos, account_delta_nanos, cost_nanos, certainty,
                        provider, model, feature, usage, price_version FROM unordered ORDER BY time_ms, seq;
                     DROP TABLE unordered;",
                )
                .map_err(failed)?;
        }
        self.transaction.commit().map_err(failed)
    }
}

fn failed(error: rusqlite::Error) -> TransferError {
    fault(&error).into()
}

fn damaged(what: &str) -> TransferError {
    LedgerError::Incompatible(format!("{what} cannot be read: this is not what spendgate wrote")).into()
}

fn missing(what: &str) -> TransferError {
    LedgerError::Incompatible(format!("the file names {what} that it has not")).into()
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Takes a file away, with what SQLite keeps beside it.
fn remove(path: &Path) -> Result<(), TransferError> {
    for end in ["", "-wal", "-shm", "-journal"] {
        let path = with_end(path, end);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => return Err(TransferError::File { path, source }),
            _ => {}
        }
    }
    Ok(())
}

/// Goes through rows, and hands on the record of each that is one.
fn each(
    transaction: &Transaction<'_>,
    sql: &str,
    mut read: impl FnMut(&Row<'_>) -> Result<Option<Record>, Unreadable>,
    take: &mut dyn FnMut(Record) -> Result<(), TransferError>,
) -> Result<(), TransferError> {
    let mut statement = transaction.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        match read(row) {
            Ok(Some(record)) => take(record)?,
            Ok(None) => {}
            Err(Unreadable::Row(error)) => return Err(failed(error)),
            Err(Unreadable::Value(what)) => return Err(damaged(what)),
        }
    }
    Ok(())
}

/// Why a row is no record.
enum Unreadable {
    Row(rusqlite::Error),
    Value(&'static str),
}

impl From<rusqlite::Error> for Unreadable {
    fn from(error: rusqlite::Error) -> Self {
        Self::Row(error)
    }
}

fn delta(nanos: i64) -> Result<Delta, Unreadable> {
    Delta::new(nanos).ok_or(Unreadable::Value("an amount"))
}

fn checkpoint(row: &Row<'_>) -> Result<Option<Record>, Unreadable> {
    let token: Option<i64> = row.get(1)?;
    let (balance, cost) = (delta(row.get(2)?)?, delta(row.get(3)?)?);
    Ok(Some(Record::Checkpoint(CheckpointRecord { account: row.get(0)?, token: token.map(uncount), balance, cost })))
}

/// The units that there are columns of. A file of a later spendgate may have some that are unknown here.
fn units(transaction: &Transaction<'_>) -> Result<Vec<Unit>, TransferError> {
    let mut statement = transaction.prepare("SELECT name FROM pragma_table_info('usage_daily') WHERE name LIKE 'unit\\_%' ESCAPE '\\'").map_err(failed)?;
    let names = statement.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
    let mut units = Vec::new();
    for name in names {
        let name = name.map_err(failed)?;
        units.push(Unit::ALL.into_iter().find(|unit| unit_column(*unit) == name).ok_or_else(|| damaged("a unit of the daily usage"))?);
    }
    Ok(units)
}

fn label(row: &Row<'_>, first: usize) -> rusqlite::Result<Label> {
    Ok(Label { provider: row.get(first)?, model: row.get(first + 1)?, feature: row.get(first + 2)? })
}

/// A row of the daily usage; none where a correction took away all that was in it.
fn usage(row: &Row<'_>, units: &[Unit]) -> Result<Option<Record>, Unreadable> {
    let mut usage = Usage::default();
    for (position, unit) in units.iter().enumerate() {
        usage.set(*unit, uncount(row.get(8 + position)?));
    }
    let day: String = row.get(0)?;
    let day = Day(day.parse().map_err(|_| Unreadable::Value("a day"))?);
    let (requests, cost, estimated) = (row.get(5)?, delta(row.get(6)?)?, row.get(7)?);
    let record = UsageRecord { day, token: uncount(row.get(1)?), label: label(row, 2)?, requests, cost, estimated, units: Units(usage) };
    Ok((!record.is_empty()).then_some(Record::Usage(record)))
}

fn entry(row: &Row<'_>) -> Result<EntryRecord, Unreadable> {
    let (kind, certainty, provider): (String, Option<String>, Option<String>) = (row.get(1)?, row.get(8)?, row.get(9)?);
    let token: Option<i64> = row.get(3)?;
    let certainty = certainty.map(|text| Certainty::from_word(&text).map(Word).ok_or(Unreadable::Value("a certainty"))).transpose()?;
    Ok(EntryRecord {
        time: Time(value(row, 0)?),
        kind: Word(EntryKind::from_word(&kind).ok_or(Unreadable::Value("the kind of an entry"))?),
        account: row.get(2)?,
        token: token.map(uncount),
        hold: optional::<HoldId>(row, 4)?.map(|id| Hex(id.0)),
        token_delta: delta(row.get(5)?)?,
        account_delta: delta(row.get(6)?)?,
        cost: Nanos(row.get::<_, Stored<_>>(7)?.0),
        certainty,
        label: provider.is_some().then(|| label(row, 9)).transpose()?,
        units: Units::parse(&row.get::<_, Option<String>>(12)?.unwrap_or_default()).ok_or(Unreadable::Value("the usage of an entry"))?,
        price_version: row.get::<_, Option<String>>(13)?.unwrap_or_default(),
    })
}
