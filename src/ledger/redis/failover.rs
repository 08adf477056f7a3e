//! After a failover, or a restart, a server may have lost what it acknowledged. Until every gateway has put back what it remembers, nobody is admitted.
//!
//! Each account remembers the identity of the server whose state all gateways vouch for; an admission tells the identity of the server it is sent to, and
//! the script admits only where both are the same. When they differ, each gateway puts back the holds and the endings of its recent requests (all of that
//! can be repeated: what is there already stays as it is), then says so. The last of them, or the end of a quarantine, lets admissions go on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::task::{JoinError, JoinSet};

use super::core::{Core, unavailable};
use super::endings::{end, restore};
use super::keys;
use super::memory::{AdmittedHold, Operation};
use super::operations::Adoption;
use super::script::CallError;
use crate::ledger::outbox::Record;
use crate::ledger::types::{HoldId, LedgerError};

/// How long the others wait for a gateway that does not put back what it remembers: it may be dead.
const QUARANTINE: Duration = Duration::from_secs(5);
/// Ids of holds that ended are remembered by the scripts for 120 seconds while requests are admitted: what ended before might be charged twice. Half of it,
/// for clocks that differ.
pub(super) const RESTORABLE: SignedDuration = SignedDuration::from_secs(60);
/// The longest pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// How many calls are under way while things are put back.
const AT_ONCE: usize = 64;

/// Looks after every account whenever a server may have changed, for as long as the worker runs.
pub(super) async fn watch(core: Arc<Core>) {
    let mut changes = core.connections().changes();
    loop {
        changes.mark_unchanged();
        for account in core.accounts() {
            let mut said = false;
            while let Err(error) = vouch(&core, &account).await {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!(account, %error, "nobody is admitted until the ledger's server is there and vouched for");
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = core.failover.notified() => {}
        }
    }
}

/// Makes sure that the server of an account lost nothing of this gateway's, then waits until it is vouched for by all.
pub(super) async fn vouch(core: &Arc<Core>, account: &str) -> Result<(), LedgerError> {
    core.connections().identify_again(account).await.map_err(|error| unavailable(&error))?;
    let identity = core.connections().identity(account).map_err(|error| unavailable(&error))?;
    if core.vouched_for(account).as_ref() == Some(&identity) && is_adopted(core, account, &identity).await.map_err(|error| unavailable(&error))? {
        core.thaw();
        return Ok(());
    }
    let began = Instant::now();
    core.freeze();
    // The others may have gone on without this gateway: then ids of holds that ended long ago may be forgotten there.
    let oldest = is_adopted(core, account, &identity).await.map_err(|error| unavailable(&error))?.then_some(RESTORABLE);
    let count = put_back(core, account, oldest).await.map_err(|error| unavailable(&error))?;
    loop {
        let adoption = core.operations.adopt(account, &identity, &core.gateway, QUARANTINE).await;
        match core.answered(adoption)? {
            Adoption::Adopted => break,
            Adoption::Waiting(left) => tokio::time::sleep(left.min(PAUSE)).await,
        }
        if core.connections().identity(account).map_err(|error| unavailable(&error))? != identity {
            return Err(LedgerError::Unavailable("its server changed again".to_owned()));
        }
    }
    core.vouch(account, Arc::clone(&identity));
    core.thaw();
    tracing::info!(account, server = &*identity, remembered = count, took_ms = began.elapsed().as_millis(), "the ledger's server is vouched for");
    Ok(())
}

/// Whether admissions go on at this server already.
async fn is_adopted(core: &Core, account: &str, identity: &str) -> Result<bool, CallError> {
    let key = keys::of_account_part(account, "account");
    let mut question = redis::cmd("HMGET");
    question.arg(&key).arg("identity").arg("pending");
    let answer = core.connections().command(&key, question).await?;
    let (stored, pending): (Option<String>, Option<String>) = redis::from_redis_value(answer).map_err(|error| CallError::Script(error.to_string()))?;
    Ok(stored.as_deref() == Some(identity) && pending.unwrap_or_default().is_empty())
}

/// Puts back the holds of running and of recently ended requests, then repeats the endings; not of requests that ended longer than `oldest` ago.
/// Returns how many operations that were.
async fn put_back(core: &Arc<Core>, account: &str, oldest: Option<SignedDuration>) -> Result<usize, CallError> {
    let now = Timestamp::now();
    let too_old = |record: &Record| oldest.is_some_and(|oldest| now.duration_since(record.written_at) > oldest);
    core.slices.pause(account);
    // Running ones first: one that ends in between is remembered by then.
    let running = core.running();
    let mut holds: HashMap<HoldId, AdmittedHold> = HashMap::new();
    for operation in core.remembered() {
        match operation {
            Operation::Admitted(hold) => drop(holds.insert(hold.hold, hold)),
            Operation::Ended(record) if too_old(&record) => drop(holds.remove(&record.hold())),
            Operation::Ended(record) => drop(holds.insert(record.hold(), AdmittedHold::of(&record))),
        }
    }
    // As they are now, raises included.
    holds.extend(running.into_iter().map(|hold| (hold.hold, hold)));
    holds.retain(|_, hold| &*hold.account == account);
    let mut count = holds.len();
    let operations = || Arc::clone(&core.operations);
    all(holds.into_values().map(|hold| (operations(), hold)), |(operations, hold)| async move { restore(&operations, &hold).await }).await?;
    // Those that ended meanwhile too: an ending that came before its hold was back did nothing.
    let ended = |operation| match operation {
        Operation::Ended(record) if &*record.account == account && !too_old(&record) => Some(record),
        _ => None,
    };
    let records: Vec<Arc<Record>> = core.remembered().into_iter().filter_map(ended).collect();
    count += records.len();
    all(records.into_iter().map(|record| (operations(), record)), |(operations, record)| async move { end(&operations, &record).await.map(drop) }).await?;
    core.slices.resume(account).await?;
    Ok(count)
}

fn outcome(done: Result<Result<(), CallError>, JoinError>) -> Result<(), CallError> {
    done.unwrap_or_else(|error| Err(CallError::Unknown(error.to_string())))
}

/// Does all of it, some at a time. One that fails ends it: everything is done again.
async fn all<T, F>(work: impl Iterator<Item = T>, mut one: impl FnMut(T) -> F) -> Result<(), CallError>
where
    F: Future<Output = Result<(), CallError>> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    for item in work {
        if under_way.len() >= AT_ONCE
            && let Some(done) = under_way.join_next().await
        {
            outcome(done)?;
        }
        under_way.spawn(one(item));
    }
    while let Some(done) = under_way.join_next().await {
        outcome(done)?;
    }
    Ok(())
}
