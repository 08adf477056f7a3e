//! A ledger with many tokens: written as a file of `spendgate export`, which is the fast way to make a million, and imported.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use spendgate::ledger::{self, StoreAddress, TransferError};
use spendgate::tokens::{Secret, SecretHash, SecretKind, TokenId};
use tempfile::TempDir;

/// The account that everything is of.
pub(crate) const ACCOUNT: &str = "default";
/// What opens the account.
pub(crate) const MAIN_KEY: &str = "load-bench-main-key-0123456789abcdef0123456789";
/// What each token has, in nano-dollars: $8,000. A million of them stay below what an account's sums can count.
const BALANCE: i64 = 8_000_000_000_000;
const CREATED: &str = "2026-01-01T00:00:00.000Z";

/// A ledger in a file, as it is after so many tokens were made.
pub(crate) struct Population {
    pub(crate) tokens: u64,
    /// What opens the first token.
    pub(crate) secret: Secret,
    folder: TempDir,
}

/// The name of the first token.
pub(crate) fn first_name() -> String {
    name(1)
}

fn name(number: u64) -> String {
    format!("token-{number}")
}

/// Lines with a checksum over all of them.
struct Lines {
    output: BufWriter<File>,
    digest: Sha256,
}

// === impl Population ===

impl Population {
    /// Writes the file.
    pub(crate) fn write(tokens: u64) -> anyhow::Result<Self> {
        let secret = Secret::generate(SecretKind::Live).map_err(|error| anyhow::anyhow!("{error}"))?;
        let population = Self { tokens, secret, folder: TempDir::with_prefix("spendgate-tokens-")? };
        let mut lines = Lines { output: BufWriter::new(File::create(population.file())?), digest: Sha256::new() };
        lines.write(&json!({"format": "spendgate-ledger", "version": 1, "exported_at": CREATED, "from": "sqlite"}))?;
        lines.write(&json!({"account": {"id": 0, "name": ACCOUNT, "main_key": hex(&SecretHash::of(MAIN_KEY).0), "held": 0, "sets": 0, "created": CREATED}}))?;
        // By hand: there are two million lines of these.
        for number in 1..=tokens {
            let (name, sha256) = (name(number), hex(&population.hash(number).0));
            lines.line(&format!(
                r#"{{"token":{{"id":{number},"account":0,"name":"{name}","kind":"api_token","secrets":[{{"sha256":"{sha256}","masked":"sg_live_bnch...mark"}}],"balance":{BALANCE},"active":true,"held":0,"sets":1,"spent":0,"created":"{CREATED}"}}}}"#
            ))?;
        }
        // The sum of the entry that granted the balance, as after the journal's time.
        for number in 1..=tokens {
            lines.line(&format!(r#"{{"checkpoint":{{"account":0,"token":{number},"balance":{BALANCE},"cost":0}}}}"#))?;
        }
        let counts = json!({"accounts": 1, "tokens": tokens, "holds": 0, "tombstones": 0, "checkpoints": tokens, "usage": 0, "journal": 0});
        let sha256 = hex(&lines.digest.clone().finalize());
        lines.write(&json!({"end": {"counts": counts, "sha256": sha256}}))?;
        lines.output.flush()?;
        Ok(population)
    }

    /// The id of the token with that number, from 1.
    pub(crate) fn id(number: u64) -> TokenId {
        TokenId(number)
    }

    /// The hash of the secret of the token with that number. Only the first token's secret is a real one.
    pub(crate) fn hash(&self, number: u64) -> SecretHash {
        if number == 1 { self.secret.hash() } else { SecretHash(Sha256::digest(number.to_be_bytes()).into()) }
    }

    /// Fills an empty store with it.
    pub(crate) fn import(&self, store: &StoreAddress) -> anyhow::Result<()> {
        let mut tries = 0;
        loop {
            match ledger::import(store, &TimeZone::UTC, &self.file()) {
                Ok(_) => return Ok(()),
                // A server on a busy machine may take longer than an import waits. One that broke off is cleared by the next.
                Err(TransferError::Store(_)) if tries < 5 => tries += 1,
                Err(error) => return Err(error.into()),
            }
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// The same as an SQLite file in `folder`, copied from one that is made at the first call. Returns its path.
    pub(crate) fn sqlite(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let made = self.folder.path().join("tokens.db");
        if !made.exists() {
            self.import(&StoreAddress::Sqlite(made.clone()))?;
        }
        let path = folder.join("spendgate.db");
        std::fs::copy(made, &path)?;
        Ok(path)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("tokens.jsonl")
    }
}

// === impl Lines ===

impl Lines {
    fn write(&mut self, value: &Value) -> anyhow::Result<()> {
        self.line(&value.to_string())
    }

    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        for bytes in [line.as_bytes(), b"\n"] {
            self.digest.update(bytes);
            self.output.write_all(bytes)?;
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
