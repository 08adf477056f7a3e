//! The worker: one thread with a runtime of its own, which owns every connection to the server. What is asked of it may come from any thread, from a
//! panic, or from outside of any runtime, and goes on when the runtime of whoever asked is gone: a drain still settles.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{Notify, oneshot, watch};

use crate::ledger::settler::unanswered;
use crate::ledger::types::LedgerError;

/// The thread and its runtime.
pub(super) struct Worker {
    queue: Arc<Queue>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    ended: watch::Receiver<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What is to be run. A thread that is asked from outside has to be woken, with a system call each time: here, only the first of many wakes it.
#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    work: Vec<Work>,
    closed: bool,
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

// === impl Worker ===

impl Worker {
    pub(super) fn start() -> Result<Self, LedgerError> {
        let failed = |error: &std::io::Error| LedgerError::Unavailable(format!("cannot start the ledger's thread: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?;
        let queue = Arc::new(Queue::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let (ending, ended) = watch::channel(());
        let here = Arc::clone(&queue);
        let run = move || {
            drop(runtime.spawn(start_all(Arc::clone(&here))));
            // Told to stop, or nobody is left who could tell.
            let _ = runtime.block_on(stopped);
            drop(runtime);
            here.close();
            drop(ending);
        };
        let thread = std::thread::Builder::new().name("spendgate-ledger".to_owned()).spawn(run).map_err(|error| failed(&error))?;
        Ok(Self { queue, stop: Mutex::new(Some(stop)), ended, thread: Mutex::new(Some(thread)) })
    }

    /// Runs it there, and nobody waits.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.queue.put(Box::pin(work));
    }

    /// Runs it there to its end, even if the caller no longer waits.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl Future<Output = Result<T, LedgerError>> + Send + 'static) -> Result<T, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.spawn(async move { drop(reply.send(work.await)) });
        answer.await.unwrap_or_else(|_| Err(unanswered()))
    }

    /// Ends the thread; what still runs there is dropped.
    pub(super) fn stop(&self) {
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Returns when the thread has ended.
    pub(super) async fn ended(&self) {
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

// === impl Queue ===

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds work. Once the thread has ended, it is dropped.
    fn put(&self, work: Work) {
        let mut waiting = self.waiting();
        if waiting.closed {
            // Not under the lock: what is dropped may want to put in something.
            drop(waiting);
            return;
        }
        waiting.work.push(work);
        let first = waiting.work.len() == 1;
        drop(waiting);
        if first {
            self.arrived.notify_one();
        }
    }

    /// Takes no more, and drops what nobody will run.
    fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        let work = std::mem::take(&mut waiting.work);
        drop(waiting);
        drop(work);
    }
}

/// Starts whatever is put in.
async fn start_all(queue: Arc<Queue>) {
    loop {
        queue.arrived.notified().await;
        let work = std::mem::take(&mut queue.waiting().work);
        for one in work {
            drop(tokio::spawn(one));
        }
    }
}
