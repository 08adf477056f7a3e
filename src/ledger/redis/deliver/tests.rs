//! The deliverer against stores that are slow, dead, wrong or late, on paused time (`stores.rs`); random lives of it, with restarts (`random.rs`); and the
//! backlog by itself (`backlog.rs`).

mod backlog;
mod random;
mod stores;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Deliver, DeliverError, DeliverOptions, Deliverer};
use crate::ledger::outbox::tests::record;
use crate::ledger::outbox::{Outbox, OutboxOptions, Record, Recovered};
use crate::ledger::{HoldId, LedgerError, Settled};
use crate::money::Usd;

/// What the store does with one call: after a time, one of these. Decided by the number of the record and how often it came before.
type Script = dyn Fn(u64, usize) -> (Duration, Act) + Send + Sync;

#[derive(Clone, Copy, Debug)]
enum Act {
    Take,
    /// Takes it, and the answer is lost.
    TakeAndFail,
    Later,
    Never,
    Panic,
}

/// A store that follows a script.
#[derive(Clone)]
struct Store(Arc<Fake>);

struct Fake {
    script: Box<Script>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    calls: BTreeMap<HoldId, usize>,
    /// In the order in which they were taken first.
    taken: Vec<u64>,
    now: usize,
    most: usize,
}

impl Store {
    fn new(script: impl Fn(u64, usize) -> (Duration, Act) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Fake { script: Box::new(script), seen: Mutex::default() }))
    }

    fn taken(&self) -> Vec<u64> {
        self.0.seen.lock().unwrap().taken.clone()
    }

    fn calls(&self) -> usize {
        self.0.seen.lock().unwrap().calls.values().sum()
    }
}

/// Counts a call for as long as it runs, dropped or not.
struct Running<'a>(&'a Mutex<Seen>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().now -= 1;
    }
}

/// What the store tells, other than what is known without it.
fn from_store() -> Settled {
    Settled { charged: true, overrun: Usd::ZERO, balance: Some(Usd::MAX) }
}

impl Deliver for Store {
    async fn deliver(&self, record: &Arc<Record>) -> Result<Settled, DeliverError> {
        let number = record.token.0 >> 32;
        let before = {
            let mut seen = self.0.seen.lock().unwrap();
            seen.now += 1;
            seen.most = seen.most.max(seen.now);
            let calls = seen.calls.entry(record.hold()).or_default();
            *calls += 1;
            *calls - 1
        };
        let _running = Running(&self.0.seen);
        let (after, act) = (self.0.script)(number, before);
        tokio::time::sleep(after).await;
        let take = || {
            let mut seen = self.0.seen.lock().unwrap();
            if !seen.taken.contains(&number) {
                seen.taken.push(number);
            }
        };
        match act {
            Act::Take => {
                take();
                Ok(from_store())
            }
            Act::TakeAndFail => {
                take();
                Err(DeliverError::Later("the answer was lost".into()))
            }
            Act::Later => Err(DeliverError::Later("not now".into())),
            Act::Never => Err(DeliverError::Never("out of range".into())),
            Act::Panic => panic!("the store's own fault"),
        }
    }
}

fn open(folder: &Path, fsync: bool) -> (Outbox, Vec<Recovered>) {
    // A thread that lets the file grow may still hold the lock of the outbox before.
    let start = std::time::Instant::now();
    loop {
        match Outbox::open(folder, &OutboxOptions { most_slots: 4096, fsync }) {
            Err(LedgerError::Locked(_)) if start.elapsed() < Duration::from_secs(5) => std::thread::sleep(Duration::from_millis(1)),
            opened => return opened.unwrap(),
        }
    }
}

fn start(store: &Store, outbox: &Outbox, recovered: Vec<Recovered>) -> Deliverer<Store> {
    Deliverer::start(store.clone(), outbox.clone(), recovered, DeliverOptions::default())
}

type Answer = oneshot::Receiver<Result<Settled, LedgerError>>;

fn hand_over(deliverer: &Deliverer<Store>, outbox: &Outbox, number: u64) -> Answer {
    let (reply, answer) = oneshot::channel();
    deliverer.hand_over(record(number), outbox.reserve().unwrap(), Some(reply));
    answer
}

/// The answer, and how long it took.
async fn timed(answer: Answer) -> (Result<Settled, LedgerError>, Duration) {
    let start = Instant::now();
    (answer.await.unwrap(), start.elapsed())
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
