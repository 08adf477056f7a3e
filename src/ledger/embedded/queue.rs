//! Where jobs wait for the writer. Taking a whole batch costs one lock; putting one in never waits for the store.
//!
//! What waits is taken by a task of the runtime where there is one (see [`super::beside`]), which is awake anyhow, and else by the writer's thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use super::job::Job;
use crate::ledger::settler::{Ends, SettleReply};
use crate::ledger::types::{HoldId, LedgerError, Renewal, Renewed, Settlement};

/// How many jobs may wait before admissions are refused. Ends of requests always find room: there are no more of them than there were admissions.
const ROOM: usize = 16_384;

/// The jobs that wait.
#[derive(Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    thread: Condvar,
    task: Notify,
}

#[derive(Default)]
struct Inner {
    jobs: VecDeque<Job>,
    closed: bool,
    /// A task stands by to take what waits.
    attended: bool,
    /// The thread is to take what waits.
    thread_wanted: bool,
    /// Until then it takes everything: the task would stand still for it.
    thread_until: Option<Instant>,
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
        // Those who manage tokens may look through all of them, which must not stop the streams of others.
        let wants_thread = matches!(job, Job::Manage(_)) || !inner.is_attended();
        inner.jobs.push_back(job);
        // Whoever is woken takes all there is: only the first job finds it waiting.
        if wants_thread {
            if !std::mem::replace(&mut inner.thread_wanted, true) {
                drop(inner);
                self.thread.notify_one();
            }
        } else if inner.jobs.len() == 1 && !inner.thread_wanted {
            drop(inner);
            self.task.notify_one();
        }
        Ok(())
    }

    /// For the thread: returns when it is wanted, or after `patience`.
    pub(super) fn wait(&self, patience: Duration) {
        let inner = self.inner();
        if patience.is_zero() || inner.thread_wanted || inner.closed {
            return;
        }
        let waited = self.thread.wait_timeout_while(inner, patience, |inner| !inner.thread_wanted && !inner.closed);
        let jobs = waited.unwrap_or_else(PoisonError::into_inner).0.jobs.len();
        // Whoever put the first job in may be about to put in more: a larger batch costs no more to write.
        if jobs > 0 {
            std::thread::yield_now();
        }
    }

    /// For the thread: takes up to `most` jobs. Returns false once the queue is closed and empty.
    pub(super) fn drain(&self, into: &mut VecDeque<Job>, most: usize) -> bool {
        let mut inner = self.inner();
        inner.take(into, most);
        inner.thread_wanted = !inner.jobs.is_empty();
        !(inner.closed && inner.jobs.is_empty())
    }

    /// For the task: takes up to `most` jobs, unless they are the thread's. Returns true where there are more.
    pub(super) fn take(&self, into: &mut VecDeque<Job>, most: usize) -> bool {
        let mut inner = self.inner();
        if inner.thread_wanted {
            return false;
        }
        inner.take(into, most);
        !inner.jobs.is_empty()
    }

    /// For the task: returns when it may be wanted; false once the queue is closed.
    pub(super) async fn attend(&self) -> bool {
        self.task.notified().await;
        !self.inner().closed
    }

    /// For the task: it is wanted again at once.
    pub(super) fn want_task(&self) {
        self.task.notify_one();
    }

    /// Whether a task stands by from now on.
    pub(super) fn attended(&self, attended: bool) {
        let mut inner = self.inner();
        inner.attended = attended;
        inner.thread_wanted |= !attended;
        drop(inner);
        self.thread.notify_one();
    }

    /// Leaves what waits to the thread, and for so long whatever comes.
    pub(super) fn want_thread(&self, pause: Duration) {
        let mut inner = self.inner();
        inner.thread_wanted = true;
        if !pause.is_zero() {
            inner.thread_until = Some(Instant::now() + pause);
        }
        drop(inner);
        self.thread.notify_one();
    }

    /// How many jobs wait.
    pub(crate) fn len(&self) -> usize {
        self.inner().jobs.len()
    }

    /// Takes no more jobs; those that wait are still done.
    pub(crate) fn close(&self) {
        self.inner().closed = true;
        self.thread.notify_one();
        self.task.notify_one();
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

impl Inner {
    fn take(&mut self, into: &mut VecDeque<Job>, most: usize) {
        if into.is_empty() && self.jobs.len() <= most {
            std::mem::swap(&mut self.jobs, into);
        } else {
            let count = self.jobs.len().min(most);
            into.extend(self.jobs.drain(..count));
        }
    }

    fn is_attended(&mut self) -> bool {
        if self.thread_until.is_some_and(|until| until <= Instant::now()) {
            self.thread_until = None;
        }
        self.attended && self.thread_until.is_none()
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
