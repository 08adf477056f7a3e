//! What runs beside requests: expires what is due, tells the other gateways that this one lives, keeps the journal short.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::core::Core;
use super::operations::Answer;
use crate::ledger::types::Renewal;
use crate::money::Usd;

/// How often each account is looked after.
const EVERY: Duration = Duration::from_secs(1);
/// The most holds that one call expires.
const SWEEP: usize = 64;
/// How many looks lie between two at the age of the journal.
const LOOKS_A_TRIM: u32 = 3600;
/// The most entries that one call trims.
const TRIM: usize = 500;
/// How many holds one call prolongs.
const HOLDS_A_CALL: usize = 128;

/// Runs as long as the worker does.
pub(super) async fn run(core: Arc<Core>, journal_days: u32) {
    let mut look: u32 = 0;
    let mut away = false;
    loop {
        for account in core.accounts() {
            let swept = sweep(&core, &account).await;
            if !swept {
                // What may be lost with the server is not forgotten before it was put back.
                core.freeze();
            } else if away {
                core.failover.notify_one();
                // Leases ran on while the server could not be reached.
                let all = core.running().into_iter().map(|hold| Renewal { hold: hold.hold, lease: hold.facts.lease, raise_to: Usd::ZERO });
                keep_alive(&core, all.collect()).await;
            }
            away = !swept;
            if look.is_multiple_of(LOOKS_A_TRIM) && swept {
                trim(&core, &account, journal_days).await;
            }
        }
        look = look.wrapping_add(1);
        core.forget_old();
        tokio::time::sleep(EVERY).await;
    }
}

/// False where the server did not answer.
async fn sweep(core: &Core, account: &str) -> bool {
    loop {
        let identity = core.connections().identity(account).unwrap_or_default();
        match core.operations.sweep(account, &identity, &core.gateway, SWEEP).await {
            Ok((Answer::Done(true), _)) => {}
            Ok((Answer::Done(false), _)) => return true,
            Ok((Answer::Failover, _)) => {
                core.failover.notify_one();
                return true;
            }
            Ok((Answer::NoAccount | Answer::OutOfRange, _)) => return true,
            Err(error) => {
                tracing::debug!(account, %error, "the ledger's server does not answer");
                return false;
            }
        }
    }
}

/// Prolongs the holds of running requests.
pub(super) async fn keep_alive(core: &Core, renewals: Vec<Renewal>) {
    let mut by_account: HashMap<Arc<str>, Vec<Renewal>> = HashMap::new();
    for renewal in renewals {
        if let Some(account) = core.account_of(renewal.hold) {
            by_account.entry(account).or_default().push(renewal);
        }
    }
    for (account, renewals) in by_account {
        for some in renewals.chunks(HOLDS_A_CALL) {
            if let Err(error) = core.operations.renew(&account, some).await {
                tracing::debug!(%account, %error, "running requests could not be kept alive; trying again");
            }
        }
    }
}

async fn trim(core: &Core, account: &str, journal_days: u32) {
    let age = SignedDuration::from_hours(24).saturating_mul(i32::try_from(journal_days).unwrap_or(i32::MAX));
    let Ok(cutoff) = Timestamp::now().saturating_sub(age) else { return };
    loop {
        match core.operations.trim(account, cutoff, TRIM).await {
            Ok((Answer::Done((_, true)), _)) => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(account, %error, "the journal could not be trimmed; trying again later");
                return;
            }
        }
    }
}
