//! The whole ledger as records in a file, so that it can leave one store and enter another: `spendgate export` and `spendgate import`.
//!
//! A store turns itself into a stream of [`Record`]s, and a stream of records into itself. In between stands a file of JSON lines that is refused whole
//! where anything of it is missing or changed. The format is described in `docs/moving-ledgers.md`.
//!
//! | file | what it does |
//! |---|---|
//! | `record.rs`, `words.rs` | what the records are, and how values are spelt in them |
//! | `convert.rs` | records from and to the types of the rules |
//! | `write.rs`, `read.rs` | the file: header, lines, counts and checksum |
//! | `check.rs` | what must be true of the records before any of them is imported |
//! | `error.rs` | why an export or an import did not happen |
//!
//! How a store is read and written stands beside it: `embedded/transfer.rs`, `redis/transfer.rs`.

mod check;
mod convert;
mod error;
mod read;
mod record;
mod words;
mod write;

use std::path::Path;

use jiff::tz::TimeZone;

use check::Check;
pub(super) use check::{Checked, CheckedAccount};
pub(super) use convert::{account_of, hold_of, journal_entry_of, token_of, tombstone_of, usage_of};
pub use error::TransferError;
pub(super) use read::LedgerReader;
pub use record::Counts;
pub(super) use record::ExpiredRecord;
pub(super) use record::{AccountRecord, CheckpointRecord, Day, EntryRecord, HoldRecord, Label, Record, StoreKind, TokenRecord, TombstoneRecord, UsageRecord};
pub(super) use words::{Delta, Hex, Named, Nanos, Time, Units, Word};
pub(super) use write::sync_folder;
use write::{LedgerWriter, NewFile};

use super::address::StoreAddress;
use super::audit::AuditReport;
use super::{embedded, redis};

/// Takes records one by one. An error ends the stream.
pub(super) type Take<'a> = &'a mut dyn FnMut(Record) -> Result<(), TransferError>;

/// What was imported.
#[derive(Debug)]
pub struct Imported {
    /// How many records of each kind.
    pub counts: Counts,
    /// The audit of the store afterwards.
    pub audit: AuditReport,
    /// An import before this one had not come to its end; what it had written was cleared.
    pub cleared: bool,
}

/// Writes the ledger of a store to a new file. `zone` is that of the gateways: an expired hold is booked on a day of it.
///
/// # Errors
/// When the store or the file fails, the file is there already, or the figures of the ledger do not add up. There is no file then.
pub fn export(store: &StoreAddress, zone: &TimeZone, file: &Path) -> Result<Counts, TransferError> {
    let new = NewFile::create(file)?;
    let kind = match store {
        StoreAddress::Sqlite(_) => StoreKind::Sqlite,
        StoreAddress::Redis(_) => StoreKind::Redis,
    };
    let mut writer = LedgerWriter::begin(new.file()?, kind, jiff::Timestamp::now())?;
    // Whoever imports it refuses what does not add up: better to know it while the old store is there.
    let mut check = Check::default();
    let mut take = |record: Record| {
        check.take(&record).map_err(TransferError::Unsound)?;
        writer.write(&record)
    };
    match store {
        StoreAddress::Sqlite(path) => embedded::export(path, zone, &mut take)?,
        StoreAddress::Redis(address) => redis::export(address, &mut take)?,
    }
    check.finish()?;
    let (output, counts) = writer.end()?;
    new.keep(&output)?;
    Ok(counts)
}

/// Fills an empty store from a file, after all of the file was found to be true.
///
/// # Errors
/// When the file is refused, the store has a ledger already, or one of them fails. The store is as empty as before then, or (Redis) marked so that
/// gateways refuse it until an import comes to its end.
pub fn import(store: &StoreAddress, zone: &TimeZone, file: &Path) -> Result<Imported, TransferError> {
    let mut reader = LedgerReader::open(file)?;
    let mut check = Check::default();
    while let Some(record) = reader.next_record()? {
        check.take(&record).map_err(|what| reader.refuse(what))?;
    }
    let counts = reader.counts();
    let checked = check.finish()?;
    reader.rewind()?;
    let (audit, cleared) = match store {
        StoreAddress::Sqlite(path) => (embedded::import(path, zone, &checked, &mut reader)?, false),
        StoreAddress::Redis(address) => redis::import(address, zone, &checked, &mut reader)?,
    };
    Ok(Imported { counts, audit, cleared })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
