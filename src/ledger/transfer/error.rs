//! Why an export or an import did not happen.

use std::io;
use std::path::PathBuf;

use crate::ledger::audit::AuditDifference;
use crate::ledger::types::{BudgetScope, LedgerError};

/// Why the ledger was not exported or imported.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The store failed, is in use, or is not a ledger of this version.
    #[error(transparent)]
    Store(#[from] LedgerError),
    /// The file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file to be written is there already.
    #[error("{path} is there already: name another file, or move it away", path = .0.display())]
    Exists(PathBuf),
    /// A line of the file is not what it should be; nothing was imported.
    #[error("{path}:{line}: {what}", path = path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// What the store holds does not fit together; nothing was exported.
    #[error("the ledger does not fit together: {0}")]
    Unsound(String),
    /// The store that should take the ledger has one already.
    #[error("{0}")]
    NotEmpty(String),
    /// The figures of the ledger are not those of its journal and its holds.
    #[error("the figures do not add up: {}", list(.0))]
    Differs(Vec<AuditDifference>),
}

/// The most differences that a message names.
const NAMED: usize = 5;

fn list(differences: &[AuditDifference]) -> String {
    let mut parts: Vec<String> = differences
        .iter()
        .take(NAMED)
        .map(|AuditDifference { scope, name, what, recorded, computed }| {
            let scope = match scope {
                BudgetScope::Token => "token",
                BudgetScope::Account => "account",
            };
            format!("{what} of {scope} {name:?} is recorded as {recorded}, computed as {computed}")
        })
        .collect();
    if differences.len() > NAMED {
        parts.push(format!("and {} more", differences.len() - NAMED));
    }
    parts.join("; ")
}
