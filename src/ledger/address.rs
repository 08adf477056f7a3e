//! Where a ledger is kept: what `SPENDGATE_STORE` says.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::redis::RedisAddress;

/// Where a ledger is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreAddress {
    /// In an SQLite file.
    Sqlite(PathBuf),
    /// On Redis or Valkey, shared by many gateways.
    Redis(RedisAddress),
}

// === impl StoreAddress ===

impl FromStr for StoreAddress {
    type Err = String;

    /// Reads `sqlite:PATH` or one of the `redis` forms. The error says what is wrong, and what would be right.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("sqlite:") {
            Some("") => Err("the store \"sqlite:\" names no file; write for example \"sqlite:data/spendgate.db\"".to_owned()),
            Some(path) => Ok(Self::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))),
            None if RedisAddress::is_meant(text) => RedisAddress::parse(text).map(Self::Redis),
            None => Err(format!("{text:?} is not a store; write for example \"sqlite:data/spendgate.db\" or \"redis://host:6379\"")),
        }
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(out, "sqlite:{}", path.display()),
            Self::Redis(address) => address.fmt(out),
        }
    }
}
