//! The worker: one thread with a runtime of its own, which owns every connection to the server. What is asked of it may come from any thread, from a
//! panic, or from outside of any runtime, and goes on when the runtime of whoever asked is gone: a drain still settles.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use crate::ledger::settler::unanswered;
use crate::ledger::types::LedgerError;

/// The thread and its runtime.
pub(super) struct Worker {
    runtime: Handle,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    ended: watch::Receiver<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

// === impl Worker ===

impl Worker {
    pub(super) fn start() -> Result<Self, LedgerError> {
        let failed = |error: &std::io::Error| LedgerError::Unavailable(format!("cannot start the ledger's thread: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ending, ended) = watch::channel(());
        let run = move || {
            // Told to stop, or nobody is left who could tell.
            let _ = runtime.block_on(stopped);
            drop(runtime);
            drop(ending);
        };
        let thread = std::thread::Builder::new().name("spendgate-ledger".to_owned()).spawn(run).map_err(|error| failed(&error))?;
        Ok(Self { runtime: handle, stop: Mutex::new(Some(stop)), ended, thread: Mutex::new(Some(thread)) })
    }

    /// Runs it there, and nobody waits.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(work));
    }

    /// Runs it there to its end, even if the caller no longer waits.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl Future<Output = Result<T, LedgerError>> + Send + 'static) -> Result<T, LedgerError> {
        self.runtime.spawn(work).await.unwrap_or_else(|_| Err(unanswered()))
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
