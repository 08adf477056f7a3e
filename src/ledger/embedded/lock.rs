//! One process a ledger: two writers, each with its own state in memory, would spend the same money twice.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::ledger::types::LedgerError;

/// The lock on a ledger file. The system gives it back when the process ends, however that happens.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Takes the lock that belongs to the ledger at `path`.
pub(super) fn lock(path: &Path) -> Result<Lock, LedgerError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&name)
        .map_err(|error| LedgerError::Unavailable(format!("cannot create the lock file {}: {error}", name.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(LedgerError::Locked(format!(
            "another spendgate runs on the ledger {}: it holds the lock on {}. Stop that process, or set SPENDGATE_STORE to another file; several gateways on one ledger need Redis",
            path.display(),
            name.display()
        ))),
        Err(TryLockError::Error(error)) => Err(LedgerError::Unavailable(format!("cannot lock {}: {error}", name.display()))),
    }
}
