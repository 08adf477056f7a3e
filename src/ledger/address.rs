//! Where a ledger is kept: what `SPENDGATE_STORE` says.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a ledger is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreAddress {
    /// In an SQLite file.
    Sqlite(PathBuf),
}

// === impl StoreAddress ===

impl FromStr for StoreAddress {
    type Err = String;

    /// Reads `sqlite:PATH`. The error says what is wrong, and what would be right.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("sqlite:") {
            Some("") => Err("the store \"sqlite:\" names no file; write for example \"sqlite:data/spendgate.db\"".to_owned()),
            Some(path) => Ok(Self::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))),
            None => Err(format!("{text:?} is not a store; write for example \"sqlite:data/spendgate.db\"")),
        }
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(out, "sqlite:{}", path.display()),
        }
    }
}
