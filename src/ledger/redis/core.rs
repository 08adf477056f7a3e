//! What the operations of the store share: the connections, the outbox, the holds of running requests, and what must be remembered for a failover.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use super::codec::Stamp;
use super::connections::Connections;
use super::deliver::Deliverer;
use super::directory::Directory;
use super::endings::Endings;
use super::memory::{AdmittedHold, MOST, Memory, WINDOW};
use super::operations::{Answer, Operations};
use super::script::CallError;
use super::slices::Slices;
use crate::ledger::outbox::{Ending, HoldFacts, Outbox, Record, Slot};
use crate::ledger::types::{HoldId, LedgerError};
use crate::maps::Map;
use crate::money::{MoneyError, Usd};
use crate::tokens::TokenId;

/// The scripts on the real servers.
pub(super) type Scripts = Operations<Connections>;

/// A running request: what its ending needs.
pub(super) struct Running {
    /// Its hold as it was admitted.
    pub(super) hold: AdmittedHold,
    /// Room for its ending in the outbox.
    pub(super) slot: Slot,
}

/// Shared by everything that runs on the worker.
pub(super) struct Core {
    pub(super) operations: Arc<Scripts>,
    /// Where endings wait.
    pub(super) outbox: Outbox,
    /// Brings endings to the server.
    pub(super) deliverer: Deliverer<Endings>,
    /// What this gateway admits requests from by itself.
    pub(super) slices: Arc<Slices>,
    /// Secrets that were looked up.
    pub(super) directory: Directory,
    /// This process, among the gateways of the ledger.
    pub(super) gateway: String,
    /// A server does not know what this gateway vouches for: time to look.
    pub(super) failover: Arc<Notify>,
    memory: Mutex<Recent>,
    running: Mutex<Map<HoldId, Running>>,
    /// The accounts that this gateway serves, each with the server that it last made sure of.
    accounts: Mutex<BTreeMap<String, Option<Arc<str>>>>,
    /// Counts up whenever this gateway has made sure of a server.
    vouches: watch::Sender<u64>,
}

/// The memory of recent operations, by a clock that stands still while a server is not vouched for: nothing is forgotten before it was put back.
struct Recent {
    memory: Memory,
    frozen: Option<Instant>,
    lost: Duration,
}

// === impl Core ===

impl Core {
    pub(super) fn new(operations: Arc<Scripts>, outbox: Outbox, deliverer: Deliverer<Endings>, slices: Arc<Slices>, failover: Arc<Notify>) -> Self {
        Self {
            gateway: slices.gateway.clone(),
            slices,
            operations,
            outbox,
            deliverer,
            directory: Directory::default(),
            failover,
            memory: Mutex::new(Recent { memory: Memory::new(WINDOW, MOST), frozen: None, lost: Duration::ZERO }),
            running: Mutex::default(),
            accounts: Mutex::default(),
            vouches: watch::Sender::new(0),
        }
    }

    /// The way to the servers.
    pub(super) fn connections(&self) -> &Connections {
        self.operations.runner()
    }

    /// A request was admitted.
    pub(super) fn began(&self, running: Running) {
        let mut recent = self.recent();
        let now = recent.now();
        recent.memory.admitted(now, running.hold.clone());
        drop(recent);
        locked(&self.running).insert(running.hold.hold, running);
    }

    /// A request ends, whether or not the server knows that yet. None where this gateway runs no such request.
    pub(super) fn end(&self, hold: HoldId, ending: Ending) -> Option<(Arc<Record>, Slot)> {
        let admitted = locked(&self.running).get(&hold).map(|running| running.hold.clone())?;
        let written_at = Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or_default();
        let record = Arc::new(Record { ending, account: admitted.account, token: admitted.token, facts: admitted.facts, written_at });
        // Remembered before it is taken away, so that whoever looks for running requests first and for remembered ones then misses none.
        let mut recent = self.recent();
        let now = recent.now();
        recent.memory.ended(now, Arc::clone(&record));
        drop(recent);
        let running = locked(&self.running).remove(&hold)?;
        Some((record, running.slot))
    }

    /// A hold lives on under another id, and nobody runs its request any more.
    pub(super) fn kept(&self, hold: HoldId, kept: HoldId, lease: Duration) {
        let Some((record, slot)) = self.end(hold, Ending::Void(hold, lease)) else { return };
        slot.free();
        let facts = HoldFacts { lease, ..record.facts.clone() };
        let admitted = AdmittedHold { hold: kept, account: Arc::clone(&record.account), token: record.token, facts };
        let mut recent = self.recent();
        let now = recent.now();
        recent.memory.admitted(now, admitted);
    }

    /// A hold is at least this much now.
    pub(super) fn raised(&self, hold: HoldId, to: Usd) {
        if let Some(running) = locked(&self.running).get_mut(&hold) {
            running.hold.facts.amount = running.hold.facts.amount.max(to);
        }
    }

    /// The account of a running request.
    pub(super) fn account_of(&self, hold: HoldId) -> Option<Arc<str>> {
        locked(&self.running).get(&hold).map(|running| Arc::clone(&running.hold.account))
    }

    /// Whose running request it is, and whether it stands on the account's budget.
    pub(super) fn token_of(&self, hold: HoldId) -> Option<(TokenId, bool)> {
        locked(&self.running).get(&hold).map(|running| (running.hold.token, running.hold.facts.on_account))
    }

    /// Waits a moment until the server knows a hold that this gateway granted by itself.
    pub(super) async fn told(&self, account: &str, hold: HoldId) {
        if self.slices.on {
            self.slices.told(account, hold, self.connections().timeout() * 2).await;
        }
    }

    /// The holds of the running requests.
    pub(super) fn running(&self) -> Vec<AdmittedHold> {
        locked(&self.running).values().map(|running| running.hold.clone()).collect()
    }

    /// Recent operations, in order.
    pub(super) fn remembered(&self) -> Vec<super::memory::Operation> {
        let recent = self.recent();
        recent.memory.recent(recent.now()).cloned().collect()
    }

    /// Nothing is forgotten from now on.
    pub(super) fn freeze(&self) {
        let mut recent = self.recent();
        let now = Instant::now();
        recent.frozen.get_or_insert(now);
    }

    /// Things are forgotten again when their time has come.
    pub(super) fn thaw(&self) {
        let mut recent = self.recent();
        if let Some(since) = recent.frozen.take() {
            recent.lost += since.elapsed();
        }
    }

    /// Lets go of what is too old to be put back.
    pub(super) fn forget_old(&self) {
        let mut recent = self.recent();
        let now = recent.now();
        recent.memory.forget_older(now);
        drop(recent);
        self.directory.forget_old();
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        locked(&self.memory)
    }

    /// The accounts that this gateway serves.
    pub(super) fn accounts(&self) -> Vec<String> {
        locked(&self.accounts).keys().cloned().collect()
    }

    /// An account that this gateway serves from now on. True where it is new.
    pub(super) fn serves(&self, account: &str) -> bool {
        let mut accounts = locked(&self.accounts);
        !accounts.contains_key(account) && accounts.insert(account.to_owned(), None).is_none()
    }

    /// The server that has all that this gateway remembers.
    pub(super) fn vouched_for(&self, account: &str) -> Option<Arc<str>> {
        locked(&self.accounts).get(account).cloned().flatten()
    }

    /// This server has all that this gateway remembers.
    pub(super) fn vouch(&self, account: &str, identity: Arc<str>) {
        locked(&self.accounts).insert(account.to_owned(), Some(identity));
        self.vouches.send_modify(|count| *count += 1);
    }

    /// Waits until the server of an account is connected and has all that this gateway remembers, but no longer than a call may take: a connection that is
    /// made anew, or a failover that is about to end, refuses nobody. Whether it is so is for the server to say.
    pub(super) async fn let_it_come(&self, account: &str) {
        let there = || self.connections().identity(account).is_ok_and(|identity| self.vouched_for(account) == Some(identity));
        if there() {
            return;
        }
        let (mut connections, mut vouches) = (self.connections().changes(), self.vouches.subscribe());
        let comes = async {
            while !there() {
                tokio::select! {
                    changed = connections.changed() => if changed.is_err() { return },
                    changed = vouches.changed() => if changed.is_err() { return },
                }
            }
        };
        // Where it does not come, whoever asks it next is told why.
        let _ = tokio::time::timeout(self.connections().timeout(), comes).await;
    }

    /// What an answer means for whoever asked. A failover is looked into at once.
    pub(super) fn answered<T>(&self, answer: Result<(Answer<T>, Stamp), CallError>) -> Result<T, LedgerError> {
        match answer {
            Ok((Answer::Done(value), _)) => Ok(value),
            Ok((Answer::Failover, _)) => {
                self.failover.notify_one();
                Err(LedgerError::Unavailable("its server changed; the gateways are making sure that nothing was lost".to_owned()))
            }
            Ok((Answer::NoAccount, _)) => Err(LedgerError::Unavailable("there is no such account".to_owned())),
            Ok((Answer::OutOfRange, _)) => Err(LedgerError::Money(MoneyError::OutOfRange)),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

// === impl Recent ===

impl Recent {
    fn now(&self) -> Instant {
        let now = self.frozen.unwrap_or_else(Instant::now);
        now.checked_sub(self.lost).unwrap_or(now)
    }
}

/// There was no answer that could be used.
pub(super) fn unavailable(error: &CallError) -> LedgerError {
    LedgerError::Unavailable(error.to_string())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
