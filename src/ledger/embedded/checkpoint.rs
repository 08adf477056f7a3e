//! Moves what is in the write-ahead log to the file itself, on a thread and a connection of its own: it waits for the disk, and the writer
//! must not.
//!
//! The passive form never stops a writer. But the log begins anew only when all of it has been moved, and under load there is always something new. So
//! where the log has grown long, the little that is left is moved while no writer writes. The task beside the writer's thread leaves its jobs to the
//! thread meanwhile, and goes on with everything else; the thread waits for as long as the disk takes, and nobody is refused for it.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use crate::ledger::types::LedgerError;

/// How often the log is moved.
const EVERY: Duration = Duration::from_millis(500);
/// Pages of the log (4 KiB each) after which writers are stopped for a moment, so that it can begin anew.
const LONG: i64 = 8_192;
/// Pages of the log after which the writer moves what is left of it itself: where the thread did not come to it.
pub(super) const WRITERS_OWN: u32 = 32_768;
/// How long the thread waits for the task to end its transaction. Readers of old pages are not waited for longer either: writers are stopped meanwhile.
const PATIENCE: Duration = Duration::from_millis(20);

/// Held while a checkpoint stops writers, and by the writer's thread while it writes.
#[derive(Clone, Default)]
pub(crate) struct Pause(Arc<Mutex<()>>);

/// The thread. Dropping this ends it, and waits for it.
pub(super) struct Checkpointer {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

// === impl Pause ===

impl Pause {
    /// Waits for whoever holds it.
    pub(super) fn hold(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Checkpointer ===

impl Checkpointer {
    pub(super) fn start(path: &Path, pause: Pause) -> Result<Self, LedgerError> {
        let unavailable = |what: &dyn std::fmt::Display| LedgerError::Unavailable(format!("cannot start the checkpoint thread: {what}"));
        let connection = Connection::open(path).map_err(|error| unavailable(&error))?;
        connection.busy_timeout(PATIENCE).map_err(|error| unavailable(&error))?;
        let (stop, stopped) = mpsc::channel::<()>();
        let run = move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                move_log(&connection, &pause);
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

/// Moves what can be moved, and all of it where the log is long. What cannot be moved now will be the next time.
fn move_log(connection: &Connection, pause: &Pause) {
    // The length as it was at the beginning: what was written meanwhile is not in it.
    let length = |mode: &str| connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get::<_, i64>(1));
    if length("PASSIVE").is_ok_and(|length| length > LONG) {
        let _held = pause.hold();
        let _ = length("FULL");
    }
}
