//! Moves what is in the write-ahead log to the file itself, on a thread and a connection of its own: it waits for the disk, and the writer
//! must not.
//!
//! The passive form never stops a writer. The log begins anew when all of it has been moved; under load that can take until the writer's
//! own checkpoint, which by then has little left to move.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use crate::ledger::types::LedgerError;

/// How often the log is moved.
const EVERY: Duration = Duration::from_millis(500);
/// Pages of the log (4 KiB each) after which the writer moves what is left of it itself.
pub(super) const WRITERS_OWN: u32 = 16_384;

/// The thread. Dropping this ends it, and waits for it.
pub(super) struct Checkpointer {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

// === impl Checkpointer ===

impl Checkpointer {
    pub(super) fn start(path: &Path) -> Result<Self, LedgerError> {
        let unavailable = |what: &dyn std::fmt::Display| LedgerError::Unavailable(format!("cannot start the checkpoint thread: {what}"));
        let connection = Connection::open(path).map_err(|error| unavailable(&error))?;
        let (stop, stopped) = mpsc::channel::<()>();
        let run = move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                // Where it cannot run now, it will the next time.
                let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            }
        };
        let thread = std::thread::Builder::new().name("spendgate-checkpoint".to_owned()).spawn(run).map_err(|error| unavailable(&error))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
