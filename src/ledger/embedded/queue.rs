//! Where jobs wait for the writer. Taking a whole batch costs one lock; putting one in never waits for the store.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::job::Job;
use crate::ledger::settler::{Ends, SettleReply};
use crate::ledger::types::{HoldId, LedgerError, Renewal, Renewed, Settlement};

/// How many jobs may wait before admissions are refused. Ends of requests always find room: there are no more of them than there were admissions.
const ROOM: usize = 16_384;

/// The jobs that wait.
#[derive(Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    closed: bool,
}

// === impl Queue ===

impl Queue {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job that may be refused when too many wait.
    pub(crate) fn ask(&self, job: Job) -> Result<(), LedgerError> {
        self.put(job, ROOM)
    }

    /// Adds a job that must not be lost. Refused only after the ledger was closed.
    pub(crate) fn hand_over(&self, job: Job) -> Result<(), LedgerError> {
        self.put(job, usize::MAX)
    }

    fn put(&self, job: Job, room: usize) -> Result<(), LedgerError> {
        let mut inner = self.inner();
        if inner.closed {
            return Err(LedgerError::Unavailable("it is closed".to_owned()));
        }
        if inner.jobs.len() >= room {
            return Err(LedgerError::Unavailable("too many requests wait for it".to_owned()));
        }
        inner.jobs.push_back(job);
        let first = inner.jobs.len() == 1;
        drop(inner);
        // The writer takes all there is: only the first job finds it waiting.
        if first {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Takes up to `most` jobs, waiting for the first at most `patience`. Returns false once the queue is closed and empty.
    pub(super) fn drain(&self, into: &mut VecDeque<Job>, most: usize, patience: Duration) -> bool {
        let mut inner = self.inner();
        if inner.jobs.is_empty() && !inner.closed && !patience.is_zero() {
            let waited = self.wake.wait_timeout_while(inner, patience, |inner| inner.jobs.is_empty() && !inner.closed);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
            // Whoever put the first job in may be about to put in more: a larger batch costs no more to write.
            if !inner.jobs.is_empty() {
                drop(inner);
                std::thread::yield_now();
                inner = self.inner();
            }
        }
        if into.is_empty() && inner.jobs.len() <= most {
            std::mem::swap(&mut inner.jobs, into);
        } else {
            let count = inner.jobs.len().min(most);
            into.extend(inner.jobs.drain(..count));
        }
        !(inner.closed && inner.jobs.is_empty())
    }

    /// How many jobs wait.
    pub(crate) fn len(&self) -> usize {
        self.inner().jobs.len()
    }

    /// Takes no more jobs; those that wait are still done.
    pub(crate) fn close(&self) {
        self.inner().closed = true;
        self.wake.notify_all();
    }

    /// Takes no more jobs, and drops those that wait: for when nobody will do them.
    pub(super) fn abandon(&self) {
        let dropped = {
            let mut inner = self.inner();
            inner.closed = true;
            std::mem::take(&mut inner.jobs)
        };
        // Outside the lock: what is dropped may want to hand over something.
        drop(dropped);
    }
}

impl Ends for Queue {
    fn settle(&self, settlement: Settlement, reply: SettleReply) -> Result<(), LedgerError> {
        self.hand_over(Job::Settle(settlement, reply))
    }

    fn charge_hold(&self, hold: HoldId, reply: SettleReply) -> Result<(), LedgerError> {
        self.hand_over(Job::ChargeHold(hold, reply))
    }

    fn void(&self, hold: HoldId, lease: Duration) -> Result<(), LedgerError> {
        self.hand_over(Job::Void(hold, lease))
    }

    fn keep(&self, hold: HoldId, kept: HoldId, lease: Duration, reply: SettleReply) -> Result<(), LedgerError> {
        self.hand_over(Job::Keep { hold, kept, lease, reply })
    }

    fn settle_kept(&self, _account: &str, settlement: Settlement, reply: SettleReply) -> Result<(), LedgerError> {
        self.settle(settlement, reply)
    }

    fn renew(&self, renewal: Renewal, reply: oneshot::Sender<Result<Renewed, LedgerError>>) -> Result<(), LedgerError> {
        self.ask(Job::Renew(renewal, reply))
    }

    fn keep_alive(&self, renewals: Vec<Renewal>) -> Result<(), LedgerError> {
        self.hand_over(Job::KeepAlive(renewals))
    }
}
