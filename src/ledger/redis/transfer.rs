//! The whole ledger as records: out of the servers, and into empty ones.
//!
//! | file | what it does |
//! |---|---|
//! | `transfer/read.rs` | an account as it is, in one step, as records |
//! | `transfer/write.rs` | records as commands, some hundred at a time |
//! | `transfer/claim.rs` | who may import: an empty ledger is marked, and what an import left that was broken off is cleared |

mod claim;
mod read;
mod write;

use std::future::Future;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::address::RedisAddress;
use super::audit;
use super::checks::{check, check_servers};
use super::connections::{CallOptions, Connections};
use super::core::unavailable;
use super::script::CallError;
use super::store::START;
use crate::ledger::audit::AuditReport;
use crate::ledger::outbox::MOST_ACCOUNT_BYTES;
use crate::ledger::transfer::{Checked, LedgerReader, Take, TransferError};
use crate::ledger::types::LedgerError;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads every account, each in one step: it may run beside gateways, and what is charged afterwards is not in it.
pub(crate) fn export(address: &RedisAddress, take: Take<'_>) -> Result<(), TransferError> {
    run(async {
        let connections = connect(address)?;
        check(&connections, address, START).await?;
        for account in read::accounts(&connections).await? {
            read::account(&connections, &account, take).await?;
        }
        Ok(())
    })
}

/// Fills an empty ledger from a file that was checked. Returns its audit, and whether there was something left of an import that was broken off.
/// Gateways refuse the ledger until all of it is there.
pub(crate) fn import(address: &RedisAddress, zone: &TimeZone, checked: &Checked, reader: &mut LedgerReader) -> Result<(AuditReport, bool), TransferError> {
    if let Some(account) = checked.accounts.iter().find(|account| account.record.name.len() > MOST_ACCOUNT_BYTES) {
        let name = &account.record.name;
        return Err(LedgerError::Incompatible(format!("an account's name has at most {MOST_ACCOUNT_BYTES} bytes on Redis, {name:?} has {}", name.len())).into());
    }
    run(async {
        let connections = connect(address)?;
        check_servers(&connections, address, START).await?;
        let (claim, cleared) = claim::Claim::take(&connections, address).await?;
        write::write(&connections, &claim, zone, checked, reader).await?;
        let report = audit::all(&connections).await?;
        if !report.differences.is_empty() {
            return Err(TransferError::Differs(report.differences));
        }
        claim.end(&connections).await?;
        Ok((report, cleared))
    })
}

fn run<T>(work: impl Future<Output = Result<T, TransferError>>) -> Result<T, TransferError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| LedgerError::Unavailable(error.to_string()))?;
    runtime.block_on(work)
}

fn connect(address: &RedisAddress) -> Result<Connections, TransferError> {
    Ok(Connections::start(address, CallOptions { timeout: PATIENCE, replicas: 0 })?)
}

fn failed(error: &CallError) -> TransferError {
    unavailable(error).into()
}

fn damaged(what: &str) -> TransferError {
    LedgerError::Incompatible(format!("{what} cannot be read: this is not what spendgate wrote")).into()
}

/// One command, and its answer.
async fn ask<T: redis::FromRedisValue>(connections: &Connections, key: &str, command: redis::Cmd) -> Result<T, TransferError> {
    let answer = connections.command(key, command).await.map_err(|error| failed(&error))?;
    redis::from_redis_value(answer).map_err(|_| damaged("an answer"))
}
