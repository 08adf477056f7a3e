//! How long clients wait for the store before their endings are written here. All wait equally long, so one timer serves them all: to set a timer that ends
//! before all others takes a system call, and here each would.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// Keeps the time for all that wait.
pub(super) struct Patience {
    length: Duration,
    /// The first ends first. Those that nobody waits for any more are taken out when the timer ends.
    waiting: Mutex<VecDeque<(Instant, oneshot::Sender<()>)>>,
    began: Notify,
}

// === impl Patience ===

impl Patience {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, waiting: Mutex::default(), began: Notify::new() }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<(Instant, oneshot::Sender<()>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when it is over, as long as [`keep_time`](Self::keep_time) runs.
    pub(super) async fn over(&self) {
        // An error cannot come before this is dropped with all that wait.
        let _ = self.begin().await;
    }

    fn begin(&self) -> oneshot::Receiver<()> {
        let (end, over) = oneshot::channel();
        let mut waiting = self.waiting();
        waiting.push_back((Instant::now() + self.length, end));
        let first = waiting.len() == 1;
        drop(waiting);
        if first {
            self.began.notify_one();
        }
        over
    }

    /// Keeps the time, without end.
    pub(super) async fn keep_time(&self) {
        loop {
            match self.next(Instant::now()) {
                Some(until) => tokio::time::sleep_until(until).await,
                None => self.began.notified().await,
            }
        }
    }

    /// Ends what is over by `now`. Returns when the next one is.
    fn next(&self, now: Instant) -> Option<Instant> {
        let mut waiting = self.waiting();
        while let Some((until, end)) = waiting.front() {
            if now < *until && !end.is_closed() {
                return Some(*until);
            }
            if let Some((_, end)) = waiting.pop_front() {
                let _ = end.send(());
            }
        }
        None
    }
}
