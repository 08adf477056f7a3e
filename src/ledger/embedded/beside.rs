//! A task that writes batches beside the writer's thread, on the runtime that serves the requests.
//!
//! To wake a thread and to be woken by it costs more than a batch of a few rows. Whoever puts a job in is on the runtime and awake; so is this task, a
//! moment later, with all that has come by then. It never waits: where the file is locked, where the last batch took long (a slow disk), or where somebody
//! looks through all tokens, the thread takes over.

use std::sync::{Arc, TryLockError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::queue::Queue;
use super::writer::Shared;

/// The most jobs that one batch of the task holds: others wait for it to end.
const BATCH: usize = 128;
/// A batch that took longer makes way for the thread,
const SLOW: Duration = Duration::from_millis(20);
/// for so long.
const PAUSE: Duration = Duration::from_secs(1);
/// And so long where the file is locked: mostly for a checkpoint of our own.
const LOCKED: Duration = Duration::from_millis(10);

/// Stands by as long as it lives.
struct Present(Arc<Queue>);

/// Starts the task on the runtime that this is called on, if it is one that goes on by itself.
pub(super) fn start(shared: Arc<Shared>, queue: Arc<Queue>) {
    let runtime = Handle::try_current().ok().filter(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    let Some(runtime) = runtime else { return };
    runtime.spawn(async move {
        let present = Present::begin(queue);
        while present.0.attend().await {
            // Requests that are ready put in their jobs first, to be written together.
            let_others_first().await;
            if !batch(&shared, &present.0) {
                return;
            }
        }
    });
}

/// One turn at the end of the queue. The runtime's own way to yield asks the system for events too, which costs more than the turn.
async fn let_others_first() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Writes what waits, or leaves it to the thread. False when there is nothing more to write to.
fn batch(shared: &Shared, queue: &Queue) -> bool {
    let mut shared = match shared.try_lock() {
        Ok(shared) => shared,
        Err(TryLockError::WouldBlock) => {
            queue.want_thread(Duration::ZERO);
            return true;
        }
        Err(TryLockError::Poisoned(_)) => return false,
    };
    let Some(writer) = shared.as_mut() else { return false };
    let more = queue.take(&mut writer.jobs, BATCH);
    if writer.jobs.is_empty() {
        return true;
    }
    let began = Instant::now();
    if !writer.batch_at_once() {
        queue.want_thread(LOCKED);
    } else if began.elapsed() > SLOW {
        queue.want_thread(PAUSE);
    } else if more {
        queue.want_task();
    }
    true
}

// === impl Present ===

impl Present {
    fn begin(queue: Arc<Queue>) -> Self {
        queue.attended(true);
        Self(queue)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.attended(false);
    }
}
