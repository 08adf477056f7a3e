//! Who may import: only into an empty ledger, one import at a time. While it is under way the ledger's version is another one, so that gateways refuse it.

use std::collections::HashMap;

use redis::Pipeline;

use super::{ask, failed};
use crate::ledger::redis::address::RedisAddress;
use crate::ledger::redis::checks::{IMPORTING, VERSION};
use crate::ledger::redis::connections::Connections;
use crate::ledger::redis::keys;
use crate::ledger::redis::records::Identity;
use crate::ledger::transfer::TransferError;
use crate::ledger::types::LedgerError;

/// The field that tells one import from another.
const IMPORT: &str = "import";

/// The right to write: held until the version is the usual one again.
pub(super) struct Claim(String);

// === impl Claim ===

impl Claim {
    /// Marks an empty ledger. True where an import before had been broken off: what it had written is cleared.
    pub(super) async fn take(connections: &Connections, address: &RedisAddress) -> Result<(Self, bool), TransferError> {
        let mut question = redis::cmd("HGET");
        question.arg(keys::META).arg("version");
        let version: Option<String> = ask(connections, keys::META, question).await?;
        let broken_off = match version.as_deref() {
            Some(IMPORTING) => true,
            None | Some(VERSION) => {
                refuse_one_that_is_there(connections, address).await?;
                false
            }
            Some(other) => {
                return Err(LedgerError::Incompatible(format!(
                    "the ledger has version {other:?}, this spendgate knows version {VERSION:?}: set SPENDGATE_STORE to another one"
                ))
                .into());
            }
        };
        let claim = Self(uuid::Uuid::now_v7().simple().to_string());
        let mut mark = redis::cmd("HSET");
        mark.arg(keys::META).arg("version").arg(IMPORTING).arg(IMPORT).arg(&claim.0);
        let () = ask::<i64>(connections, keys::META, mark).await.map(drop)?;
        if broken_off {
            for account in accounts(connections).await? {
                clear(connections, &account).await?;
            }
        } else if let Err(error) = refuse_one_that_is_there(connections, address).await {
            // A gateway was quicker.
            claim.end(connections).await?;
            return Err(error);
        }
        Ok((claim, broken_off))
    }

    /// Whether no other import was begun meanwhile.
    pub(super) async fn check(&self, connections: &Connections) -> Result<(), TransferError> {
        let mut question = redis::cmd("HGET");
        question.arg(keys::META).arg(IMPORT);
        let there: Option<String> = ask(connections, keys::META, question).await?;
        if there.as_deref() == Some(self.0.as_str()) {
            return Ok(());
        }
        Err(LedgerError::Locked("another import into this ledger was begun meanwhile: run one at a time".to_owned()).into())
    }

    /// All of it is there: gateways may start.
    pub(super) async fn end(self, connections: &Connections) -> Result<(), TransferError> {
        self.check(connections).await?;
        let mut mark = redis::cmd("HSET");
        mark.arg(keys::META).arg("version").arg(VERSION);
        let () = ask::<i64>(connections, keys::META, mark).await.map(drop)?;
        let mut forget = redis::cmd("HDEL");
        forget.arg(keys::META).arg(IMPORT);
        ask::<i64>(connections, keys::META, forget).await.map(drop)
    }
}

async fn refuse_one_that_is_there(connections: &Connections, address: &RedisAddress) -> Result<(), TransferError> {
    let count = accounts(connections).await?.len();
    if count == 0 {
        return Ok(());
    }
    Err(TransferError::NotEmpty(format!(
        "there is a ledger with {count} accounts at {address} already, and an import fills only an empty store: set SPENDGATE_STORE to another server or database, or take away the keys \"sg:*\" there"
    )))
}

async fn accounts(connections: &Connections) -> Result<Vec<String>, TransferError> {
    let mut question = redis::cmd("HKEYS");
    question.arg(keys::ACCOUNTS);
    let mut names: Vec<String> = ask(connections, keys::ACCOUNTS, question).await?;
    names.retain(|name| !name.is_empty());
    Ok(names)
}

/// Takes an account away: first the ways that lead to it, at last its name. An import writes them the other way round, so that nothing is left over.
async fn clear(connections: &Connections, account: &str) -> Result<(), TransferError> {
    let mut snapshot = Pipeline::new();
    snapshot.cmd("HGET").arg(keys::of_account_part(account, "account")).arg("main_key");
    snapshot.cmd("HGETALL").arg(keys::of_account_part(account, "identities"));
    let mut parts = connections.transaction(account, snapshot).await.map_err(|error| failed(&error))?.into_iter();
    let main_key: Option<String> = redis::from_redis_value(parts.next().unwrap_or(redis::Value::Nil)).unwrap_or_default();
    let identities: HashMap<String, String> = redis::from_redis_value(parts.next().unwrap_or(redis::Value::Nil)).unwrap_or_default();
    let mut ways: Vec<String> = main_key.and_then(|key| keys::unhex(&key)).map(|key| keys::main_key(&crate::tokens::SecretHash(key))).into_iter().collect();
    for identity in identities.values().filter_map(|text| Identity::read(text).ok()) {
        ways.extend(identity.secrets.iter().map(|secret| keys::secret(&secret.hash)));
    }
    for way in ways {
        let mut delete = redis::cmd("DEL");
        delete.arg(&way);
        ask::<i64>(connections, &way, delete).await?;
    }
    let mut delete = redis::cmd("UNLINK");
    delete.arg(&keys::of_account(account)).arg(keys::of_account_part(account, keys::SLICES));
    ask::<i64>(connections, &keys::of_account_part(account, "account"), delete).await?;
    let mut forget = redis::cmd("HDEL");
    forget.arg(keys::ACCOUNTS).arg(account);
    ask::<i64>(connections, keys::ACCOUNTS, forget).await.map(drop)
}
