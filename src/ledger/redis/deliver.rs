//! Delivers the endings of requests to the store, and sees to it that each is durable before its client sees the last byte.
//!
//! ```text
//! hand over -> try the store --- it answers ----------------------------------> answer, slot free (never written)
//!                   | silent for `patience`, or an error
//!                   v
//!              write the slot -> answer what is known here ... the store answers -> slot free
//!                                                          ... an error: backlog -> tried again, the oldest first -> slot free
//! ```
//!
//! All endings are idempotent by the hold's id, so trying once more is always right. Runs on the runtime that it was started on; needs no other thread but
//! for writes that wait for the disk.
//!
//! | file | what it does |
//! |---|---|
//! | `entry.rs` | one ending on its way: its record, slot and waiting client; written when it is dropped, whatever the reason |
//! | `attempt.rs` | one call of the store, with a time limit, panics caught |
//! | `patience.rs` | one timer for all clients that wait |
//! | `backlog.rs` | what has to be tried again, and when: pure, time is passed in |

mod attempt;
mod backlog;
mod entry;
mod patience;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::attempt::{attempt, within};
use self::backlog::{Backlog, Next};
use self::entry::Entry;
use self::patience::Patience;
use crate::ledger::outbox::{Outbox, Record, Recovered, Slot};
use crate::ledger::types::{LedgerError, Settled};

/// A store that takes endings.
pub(crate) trait Deliver: Send + Sync + 'static {
    /// Applies an ending, idempotent by hold id. Should have a time limit of its own; dropped unfinished after [`DeliverOptions::attempt`], and called again.
    fn deliver(&self, record: &Arc<Record>) -> impl Future<Output = Result<Settled, DeliverError>> + Send;
}

/// Why an ending was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeliverError {
    /// It may work later.
    Later(String),
    /// It can never work: a figure out of range, foreign data.
    Never(String),
}

/// How long the deliverer waits for what.
#[derive(Clone, Debug)]
pub(crate) struct DeliverOptions {
    /// How long a client waits for the store before its ending is written here instead.
    pub(crate) patience: Duration,
    /// The longest that one try may take.
    pub(crate) attempt: Duration,
    /// How many endings of the backlog are tried at a time, at most.
    pub(crate) at_once: usize,
    /// The first pause after a failure; doubled with each.
    pub(crate) first_pause: Duration,
    /// The longest pause.
    pub(crate) longest_pause: Duration,
}

/// Where the answer of an ending goes.
pub(crate) type Reply = oneshot::Sender<Result<Settled, LedgerError>>;

/// Delivers endings to the store `D`.
pub(crate) struct Deliverer<D> {
    inner: Arc<Inner<D>>,
    /// Works off the backlog. None once that has ended.
    worker: Mutex<Option<JoinHandle<()>>>,
}

struct Inner<D> {
    store: D,
    outbox: Outbox,
    options: DeliverOptions,
    patience: Patience,
    backlog: Mutex<Backlog<Entry>>,
    /// Something may be taken from the backlog that could not be before.
    changed: Notify,
    /// How many entries there are, wherever they wait. They count themselves.
    pending: Arc<watch::Sender<usize>>,
    closing: watch::Sender<bool>,
}

// === impl DeliverOptions ===

impl Default for DeliverOptions {
    fn default() -> Self {
        Self {
            patience: Duration::from_millis(5),
            attempt: Duration::from_secs(5),
            at_once: 64,
            first_pause: Duration::from_millis(20),
            longest_pause: Duration::from_secs(1),
        }
    }
}

// === impl Deliverer ===

impl<D: Deliver> Deliverer<D> {
    /// Starts delivering, first of all what a process before this one left. To be called on the runtime that is to do it.
    pub(crate) fn start(store: D, outbox: Outbox, recovered: Vec<Recovered>, options: DeliverOptions) -> Self {
        let now = Instant::now();
        let pending = Arc::new(watch::Sender::new(0));
        let mut backlog = Backlog::new(options.at_once, options.first_pause, options.longest_pause);
        for Recovered { record, slot } in recovered {
            let (written_at, hold) = (record.written_at, record.hold());
            backlog.put_left(Entry::new(Arc::new(record), slot, None, Arc::clone(&pending)), written_at, hold, now);
        }
        let (changed, closing) = (Notify::new(), watch::Sender::new(false));
        let inner =
            Arc::new(Inner { store, outbox, patience: Patience::new(options.patience), options, backlog: Mutex::new(backlog), changed, pending, closing });
        let worker = tokio::spawn(Arc::clone(&inner).work());
        Self { inner, worker: Mutex::new(Some(worker)) }
    }

    /// Takes over an ending, with the slot that was reserved for it. It is tried when what this returns is run, on the deliverer's runtime and to its end;
    /// `reply` gets its answer when it is durable: what the store said, or what is known without it when the store was not quick and the ending was written
    /// here.
    ///
    /// The answer is an error when the store can never take it, or when both the store and the disk failed until the end of the process.
    pub(crate) fn take_over(&self, record: Arc<Record>, slot: Slot, reply: Option<Reply>) -> impl Future<Output = ()> + Send + use<D> {
        let entry = Entry::new(record, slot, reply, Arc::clone(&self.inner.pending));
        Arc::clone(&self.inner).first_try(entry)
    }

    /// The same, begun at once.
    #[cfg(test)]
    pub(crate) fn hand_over(&self, record: Record, slot: Slot, reply: Option<Reply>) {
        drop(tokio::spawn(self.take_over(Arc::new(record), slot, reply)));
    }

    /// How many endings are on their way.
    pub(crate) fn pending(&self) -> usize {
        *self.inner.pending.borrow()
    }

    /// Waits until no ending is on its way. Those that the store can never take are not.
    pub(crate) async fn idle(&self) {
        // The sender lives as long as this: there is no error.
        let _ = self.inner.pending.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Goes on for at most `grace`, then writes what is neither delivered nor written, and ends. What is handed over afterwards is written at once.
    pub(crate) async fn close(&self, grace: Duration) {
        if tokio::time::timeout(grace, self.idle()).await.is_err() {
            tracing::warn!(pending = self.pending(), "the store has not taken all endings: they stay in the outbox until the next start");
        }
        self.inner.closing.send_replace(true);
        let left = self.inner.backlog().drain();
        // Entries write themselves.
        drop(left);
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker {
            // It has nothing to tell. Once it has ended, nothing here keeps the outbox open.
            let _ = worker.await;
        }
        self.idle().await;
    }
}

// === impl Inner ===

impl<D: Deliver> Inner<D> {
    fn backlog(&self) -> MutexGuard<'_, Backlog<Entry>> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when the deliverer closes.
    async fn closing(&self) {
        // The sender lives as long as this: there is no error.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// An ending's first way: to the store, or to the disk and then to the store.
    async fn first_try(self: Arc<Self>, mut entry: Entry) {
        let record = Arc::clone(entry.record());
        let mut attempt = pin!(attempt(&self.store, &record));
        let early = tokio::select! {
            biased;
            () = self.closing() => Some(Err(DeliverError::Later("the deliverer closes".to_owned()))),
            outcome = &mut attempt => Some(outcome),
            () = self.patience.over() => None,
        };
        let outcome = match early {
            Some(outcome @ (Ok(_) | Err(DeliverError::Never(_)))) => outcome,
            Some(later) => {
                self.write(&mut entry, pin!(std::future::pending())).await;
                later
            }
            None => match self.write(&mut entry, attempt.as_mut()).await {
                Some(outcome) => outcome,
                None => tokio::select! {
                    biased;
                    () = self.closing() => return,
                    // Nearly all have their outcome by now: the rest is worth a second timer.
                    outcome = within(self.options.attempt, attempt) => outcome,
                },
            },
        };
        match outcome {
            Err(DeliverError::Later(why)) => {
                tracing::debug!(hold = %record.hold(), %why, "the store did not take an ending yet");
                if *self.closing.borrow() {
                    return;
                }
                self.backlog().put_failed(entry, record.written_at, record.hold(), Instant::now());
                self.changed.notify_one();
            }
            outcome => self.finish(entry, outcome),
        }
    }

    /// Makes an ending durable here and answers its client. Where that waits for the disk, the store is listened to meanwhile, and its outcome returned if it
    /// came: the client gets whichever is first.
    async fn write(&self, entry: &mut Entry, attempt: Pin<&mut impl Future<Output = Outcome>>) -> Option<Outcome> {
        if !self.outbox.waits_for_disk() {
            entry.write();
            return None;
        }
        let mut writing = entry.write_elsewhere()?;
        let mut outcome = None;
        let slot = tokio::select! {
            biased;
            slot = &mut writing => slot,
            early = attempt => {
                if let Ok(settled) = &early {
                    entry.answer(Ok(*settled));
                }
                outcome = Some(early);
                writing.await
            }
        };
        match slot {
            Ok((slot, written)) => entry.was_written(slot, written),
            // The slot is gone with the thread that wrote: only the store can help now.
            Err(error) => tracing::error!(hold = %entry.record().hold(), %error, "an ending could not be written to the outbox"),
        }
        outcome
    }

    /// Does what has to be done beside first tries, until the deliverer closes.
    async fn work(self: Arc<Self>) {
        tokio::select! {
            () = Arc::clone(&self).work_off() => {}
            () = self.patience.keep_time() => {}
        }
    }

    /// Tries again what has to be, until the deliverer closes.
    async fn work_off(self: Arc<Self>) {
        while !*self.closing.borrow() {
            let next = self.backlog().take(Instant::now());
            let wait = match next {
                Next::Try(taken) => {
                    tokio::spawn(Arc::clone(&self).try_again(taken));
                    continue;
                }
                Next::Wait(until) => Some(until),
                Next::Nothing => None,
            };
            tokio::select! {
                () = self.closing() => {}
                () = self.changed.notified() => {}
                () = async { match wait { Some(until) => tokio::time::sleep_until(until).await, None => std::future::pending().await } } => {}
            }
        }
    }

    async fn try_again(self: Arc<Self>, taken: backlog::Taken<Entry>) {
        let (entry, ticket) = taken.split();
        let record = Arc::clone(entry.record());
        let outcome = tokio::select! {
            biased;
            () = self.closing() => return,
            outcome = within(self.options.attempt, attempt(&self.store, &record)) => outcome,
        };
        if let Err(DeliverError::Later(why)) = outcome {
            tracing::debug!(hold = %record.hold(), %why, "the store still did not take an ending");
            if *self.closing.borrow() {
                return;
            }
            self.backlog().put_back(ticket, entry, Instant::now());
        } else {
            self.backlog().succeeded();
            self.finish(entry, outcome);
        }
        self.changed.notify_one();
    }

    /// The store has said its last word.
    fn finish(&self, entry: Entry, outcome: Outcome) {
        let why = match outcome {
            Ok(settled) => return entry.delivered(settled),
            Err(DeliverError::Never(why) | DeliverError::Later(why)) => why,
        };
        let record = Arc::clone(entry.record());
        tracing::error!(hold = %record.hold(), account = %record.account, token = record.token.0, %why, "the store can never take this ending");
        match self.outbox.keep_failed(&record, &why) {
            Ok(()) => entry.refused(LedgerError::Unavailable(format!("the ending cannot be applied: {why}"))),
            // Stays in its slot, where there is always room: to be tried again at the next start.
            Err(error) => tracing::error!(hold = %record.hold(), %error, "it could not be kept aside, and stays in the outbox"),
        }
    }
}

/// What a try comes to.
type Outcome = Result<Settled, DeliverError>;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
