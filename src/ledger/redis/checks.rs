//! What a server must be like to keep a ledger. One that is not is refused at the start, with what to do about it.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::Value;
use tokio::time::Instant;

use super::address::{RedisAddress, Topology};
use super::connections::{Connections, Primary};
use super::link::Info;
use super::remedies::{hint, remedy};
use super::script::CallError;
use super::{keys, rights};
use crate::ledger::types::LedgerError;

/// The version of the layout of the keys.
pub(crate) const VERSION: &str = "1";
/// What stands in its place while an import is under way.
pub(crate) const IMPORTING: &str = "importing";
/// The oldest server whose scripts can say that they may run out of memory.
const OLDEST: (u32, u32) = (7, 0);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// Checks every primary, and the version of what is kept there.
///
/// # Errors
/// [`LedgerError::Incompatible`] for a server that cannot keep a ledger, [`LedgerError::Unavailable`] for one that does not answer within `patience`.
pub(super) async fn check(connections: &Connections, address: &RedisAddress, patience: Duration) -> Result<(), LedgerError> {
    patiently(connections, address, patience, true).await
}

/// The same, but for the version.
///
/// # Errors
/// As [`check`].
pub(super) async fn check_servers(connections: &Connections, address: &RedisAddress, patience: Duration) -> Result<(), LedgerError> {
    patiently(connections, address, patience, false).await
}

async fn patiently(connections: &Connections, address: &RedisAddress, patience: Duration, with_version: bool) -> Result<(), LedgerError> {
    let commands = rights::needed(address, connections.replicas());
    let deadline = Instant::now() + patience;
    loop {
        let failed = match try_to_check(connections, address, &commands, with_version).await {
            Err(LedgerError::Unavailable(why)) => why,
            done => return done,
        };
        let mut troubles = connections.troubles();
        troubles.push(failed);
        if let Some((why, remedy)) = troubles.iter().find_map(|why| remedy(why, address, &commands).map(|remedy| (why, remedy))) {
            return Err(LedgerError::Incompatible(format!("{address} cannot be used: {why}. {remedy}")));
        }
        if Instant::now() >= deadline {
            let why = troubles.swap_remove(0);
            return Err(LedgerError::Unavailable(format!("{address} cannot be reached: {why}. {}", hint(&why, address))));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn try_to_check(connections: &Connections, address: &RedisAddress, commands: &[&str], with_version: bool) -> Result<(), LedgerError> {
    let unavailable = |error: &CallError| LedgerError::Unavailable(error.to_string());
    let primaries = connections.primaries(commands).await.map_err(|error| unavailable(&error))?;
    let mut warnings = BTreeSet::new();
    for Primary { host, info, policy, forbidden } in &primaries {
        server(&host.to_string(), info, policy.as_deref(), address, &mut warnings)?;
        if !forbidden.is_empty() {
            let user = address.login.user.as_deref().unwrap_or("default");
            return Err(LedgerError::Incompatible(format!(
                "{host} does not let the user {user:?} run {} on the keys of the ledger. {}",
                forbidden.join(", "),
                rights::advice(address, commands)
            )));
        }
    }
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    if with_version { version(connections).await } else { Ok(()) }
}

/// One primary.
fn server(host: &str, info: &Info, policy: Option<&str>, address: &RedisAddress, warnings: &mut BTreeSet<String>) -> Result<(), LedgerError> {
    let refuse = |what: String| Err(LedgerError::Incompatible(what));
    let version = info.field("redis_version").unwrap_or("unknown");
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    if (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < OLDEST {
        return refuse(format!("{host} is Redis {version}; the ledger needs Redis {}.{} or Valkey. Upgrade the server", OLDEST.0, OLDEST.1));
    }
    if info.field("arch_bits") == Some("32") {
        return refuse(format!("{host} is a 32-bit server, whose scripts cannot write an amount of more than 2 dollars in nano-dollars. Use a 64-bit one"));
    }
    match policy.or_else(|| info.field("maxmemory_policy")) {
        Some("noeviction") => {}
        Some(other) => {
            return refuse(format!(
                "{host} evicts keys when its memory is full (maxmemory-policy {other}): money would vanish. Set \"maxmemory-policy noeviction\" in its configuration"
            ));
        }
        None => drop(warnings.insert(format!("{host} does not tell its maxmemory-policy; it must be noeviction"))),
    }
    match (info.field("cluster_enabled") == Some("1"), &address.topology) {
        (true, Topology::Single | Topology::Sentinel(_)) => {
            return refuse(format!("{host} belongs to a Cluster. Write \"redis+cluster://\" in SPENDGATE_STORE"));
        }
        (false, Topology::Cluster) => return refuse(format!("{host} belongs to no Cluster. Write \"redis://\" or \"redis+sentinel://\" in SPENDGATE_STORE")),
        _ => {}
    }
    if info.field("aof_enabled") == Some("0") {
        warnings.insert(format!("{host} keeps no append-only file: after a restart the ledger is as old as its last snapshot. Set \"appendonly yes\""));
    }
    let replicas: u32 = info.field("connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0);
    if replicas > 0 && info.field("min_slaves_good_slaves").is_none() {
        warnings.insert(format!(
            "{host} takes writes even when no replica does: after a failover some may be lost while it is cut off. Set \"min-replicas-to-write 1\""
        ));
    }
    Ok(())
}

/// The version of the layout; written where there is none yet.
async fn version(connections: &Connections) -> Result<(), LedgerError> {
    let unavailable = |error: &dyn std::fmt::Display| LedgerError::Unavailable(error.to_string());
    let mut claim = redis::cmd("HSETNX");
    claim.arg(keys::META).arg("version").arg(VERSION);
    let foreign = || LedgerError::Incompatible(format!("the key {} is not a ledger's: set SPENDGATE_STORE to another server or database", keys::META));
    connections.command(keys::META, claim).await.map_err(|error| match error {
        CallError::Script(_) => foreign(),
        other => unavailable(&other),
    })?;
    let mut question = redis::cmd("HGET");
    question.arg(keys::META).arg("version");
    match connections.command(keys::META, question).await.map_err(|error| unavailable(&error))? {
        Value::BulkString(version) if version == VERSION.as_bytes() => Ok(()),
        Value::BulkString(version) if version == IMPORTING.as_bytes() => {
            Err(LedgerError::Incompatible("an import into this ledger was begun and did not end: run \"spendgate import\" again".to_owned()))
        }
        Value::BulkString(version) => Err(LedgerError::Incompatible(format!(
            "the ledger has version {:?}, this spendgate knows version {VERSION:?}: run the spendgate that wrote it, or set SPENDGATE_STORE to another one",
            String::from_utf8_lossy(&version)
        ))),
        _ => Err(foreign()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
