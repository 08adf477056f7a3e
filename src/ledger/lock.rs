//! One process a file: two processes, each with its own idea of a ledger or an outbox, would spend the same money twice or lose each other's charges.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::types::LedgerError;

/// The lock on a file. The system gives it back when the process ends, however that happens.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Takes the lock that belongs to the file at `path`. `what` it is ("ledger") and what to do `instead` of stopping the other process ("set ... to ...")
/// are for the message.
///
/// # Errors
/// [`LedgerError::Locked`] while another process (or another opener in this one) has it, [`LedgerError::Unavailable`] when it cannot be taken at all.
pub(super) fn lock(path: &Path, what: &str, instead: &str) -> Result<Lock, LedgerError> {
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
            "another spendgate runs on the {what} {}: it holds the lock on {}. Stop that process, or {instead}",
            path.display(),
            name.display()
        ))),
        Err(TryLockError::Error(error)) => Err(LedgerError::Unavailable(format!("cannot lock {}: {error}", name.display()))),
    }
}
