//! Keeps the holds of running requests alive: one thread prolongs each of them a third of its lease after it was last prolonged.
//!
//! Most requests end before that, and so cost nothing but an entry in a map.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::settler::Settler;
use super::types::{HoldId, LedgerError, Renewal};
use crate::maps::Map;
use crate::money::Usd;

const SHARDS: usize = 16;
/// How many holds one job for the writer prolongs.
const HOLDS_A_JOB: usize = 256;

/// The holds of running requests.
#[derive(Default)]
pub(crate) struct LiveHolds {
    shards: [Mutex<Map<HoldId, Live>>; SHARDS],
    stopped: Mutex<bool>,
    wake: Condvar,
}

struct Live {
    lease: Duration,
    due: Instant,
}

// === impl LiveHolds ===

impl LiveHolds {
    fn shard(&self, hold: HoldId) -> &Mutex<Map<HoldId, Live>> {
        // The end of the id is random, its beginning is the time.
        let [.., last] = hold.0;
        let [first, ..] = &self.shards;
        self.shards.get(usize::from(last) % SHARDS).unwrap_or(first)
    }

    /// A request began.
    pub(super) fn insert(&self, hold: HoldId, lease: Duration) {
        let live = Live { lease, due: Instant::now() + lease / 3 };
        self.shard(hold).lock().unwrap_or_else(PoisonError::into_inner).insert(hold, live);
    }

    /// A request ended.
    pub(super) fn remove(&self, hold: HoldId) {
        self.shard(hold).lock().unwrap_or_else(PoisonError::into_inner).remove(&hold);
    }

    /// Ends the thread.
    pub(super) fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
    }

    /// Takes note of what is due, and lets its time begin anew.
    fn due(&self, now: Instant, renewals: &mut Vec<Renewal>) {
        for shard in &self.shards {
            for (hold, live) in shard.lock().unwrap_or_else(PoisonError::into_inner).iter_mut().filter(|(_, live)| live.due <= now) {
                live.due = now + live.lease / 3;
                renewals.push(Renewal { hold: *hold, lease: live.lease, raise_to: Usd::ZERO });
            }
        }
    }

    /// Waits for the time to look again. False when there will be none.
    fn wait(&self, pause: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(stopped, pause, |stopped| !*stopped);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Starts the thread. `lease` is what requests usually ask for: the thread looks often enough for that one, and at least twice a second.
pub(super) fn start(settler: Arc<Settler>, lease: Duration) -> Result<(), LedgerError> {
    let pause = (lease / 6).clamp(Duration::from_millis(5), Duration::from_millis(500));
    let run = move || {
        let mut renewals = Vec::new();
        while settler.live().wait(pause) {
            settler.live().due(Instant::now(), &mut renewals);
            for some in renewals.chunks(HOLDS_A_JOB) {
                if let Err(error) = settler.keep_alive(some.to_vec()) {
                    tracing::warn!(%error, "running requests could not be kept alive");
                }
            }
            renewals.clear();
        }
    };
    let spawned = std::thread::Builder::new().name("spendgate-renewer".to_owned()).spawn(run);
    spawned.map(drop).map_err(|error| LedgerError::Unavailable(format!("cannot start the renewer thread: {error}")))
}
