//! Slices: a part of a busy token's budget that this gateway has set aside in one trip, to admit requests from by itself. On unless the settings say otherwise.
//!
//! In the store a slice is a hold like any other, with an id and a short lease: whoever asks the budget finds that money held. A request that is admitted
//! from it is told to the store a moment later, many at once, and is an ordinary hold from then on: renewed, raised, kept, settled, expired and corrected like
//! any other. So only what was not told yet, and what nobody uses just then, follows the slice: that is charged when a gateway dies and does not come back. One
//! that is started again on its outbox knows what was admitted, and gives back the rest.
//!
//! What keeps the promise:
//! - A request is admitted from what the slice has, or else on the ordinary road: no more than is held in the store is ever given away here.
//! - A slice is for the requests of one secret, which the store looked at. It is not used beyond the life of the secret, the token or the budget's period.
//! - A request that would be refused, or get less than it wants, calls slices back first; and so does whoever changes a token or the account's balance,
//!   before that counts as done.
//! - How requests end is told in the same calls, after the admissions: an ending never comes before its hold.
//! - All that is told can be repeated; what is not answered is told again.
//!
//! | file | what it does |
//! |---|---|
//! | `table.rs` | the slices of an account, pure |
//! | `table/care.rs` | when and how they are looked after, pure |
//! | `demand.rs` | how large a slice should be, pure |
//! | `teller.rs` | tells the store, one call at a time for each account: what is ready meanwhile is the next |
//! | `notes.rs` | what stands in the outbox of all that, and what the process after one that was killed makes of it |
//! | `road.rs` | a request's way in, with slices; and how they are called back |

mod demand;
mod notes;
mod road;
mod table;
mod teller;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};

use self::notes::Notes;
use self::road::Recall;
use self::table::Table;
use super::core::Scripts;
use super::deliver::DeliverError;
use super::operations::{Care, Told};
use super::script::CallError;
use crate::ledger::outbox::{Boot, Outbox, Record};
use crate::ledger::types::{HoldId, Settled, SliceCounts};
use crate::maps::Map;
use crate::tokens::TokenId;

pub(super) use self::notes::settle_left;
pub(super) use self::road::admit;

/// The slices of this gateway.
pub(super) struct Slices {
    operations: Arc<Scripts>,
    /// Where notes stand.
    outbox: Outbox,
    boot: Boot,
    /// Where what is told is told from.
    runtime: Handle,
    /// Whether requests are admitted from slices here. Those of other gateways are called back in any case.
    pub(super) on: bool,
    /// This process, among the gateways of the ledger.
    pub(super) gateway: String,
    accounts: RwLock<Map<String, Arc<OfAccount>>>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    taken: AtomicU64,
    given_back: AtomicU64,
    recalled: AtomicU64,
    admitted: AtomicU64,
}

/// What concerns one account.
struct OfAccount {
    account: Arc<str>,
    table: Mutex<Table>,
    endings: Mutex<VecDeque<Waiting>>,
    notes: Notes,
    /// There is something to tell.
    wake: Notify,
    /// Counts up whenever the store knows more of what was admitted.
    told: watch::Sender<u64>,
    /// After a failover: slices stay as they are until all requests are put back.
    paused: AtomicBool,
    recalls: Mutex<Map<Option<TokenId>, LastRecall>>,
}

/// What came of the last recall of a token's slices, or of the account's; locked while one is under way.
type LastRecall = Arc<tokio::sync::Mutex<Option<Recall>>>;

/// How a request ended, and who waits for it to be known.
struct Waiting {
    record: Arc<Record>,
    reply: oneshot::Sender<Result<Settled, DeliverError>>,
}

// === impl Slices ===

impl Slices {
    /// None yet. To be called on the runtime that is to tell the store.
    pub(super) fn new(operations: Arc<Scripts>, outbox: Outbox, on: bool) -> Self {
        let gateway = uuid::Uuid::now_v7().simple().to_string();
        let (boot, runtime) = (Boot::this(), Handle::current());
        Self { operations, outbox, boot, on, runtime, gateway, accounts: RwLock::default(), counts: Counts::default() }
    }

    /// What happened so far.
    pub(super) fn counts(&self) -> SliceCounts {
        let Counts { taken, given_back, recalled, admitted } = &self.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SliceCounts { taken: read(taken), given_back: read(given_back), recalled: read(recalled), admitted: read(admitted) }
    }

    fn of(self: &Arc<Self>, account: &str) -> Arc<OfAccount> {
        if let Some(of) = self.known(account) {
            return of;
        }
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        let of = accounts.entry(account.to_owned()).or_insert_with(|| {
            let of = Arc::new(OfAccount::new(account));
            self.runtime.spawn(teller::run(Arc::clone(&of), Arc::clone(self)));
            of
        });
        Arc::clone(of)
    }

    fn known(&self, account: &str) -> Option<Arc<OfAccount>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(account).cloned()
    }

    /// Tells the store how a request ended, after how it began.
    pub(super) async fn deliver(self: &Arc<Self>, record: Arc<Record>) -> Result<Settled, DeliverError> {
        let of = self.of(&record.account);
        let (reply, answer) = oneshot::channel();
        of.endings().push_back(Waiting { record, reply });
        of.wake.notify_one();
        answer.await.unwrap_or_else(|_| Err(DeliverError::Later("nobody told the store".to_owned())))
    }

    /// Waits until the store knows a hold that was admitted here, `most` so long.
    pub(super) async fn told(&self, account: &str, hold: HoldId, most: Duration) {
        let Some(of) = self.known(account) else { return };
        let mut told = of.told.subscribe();
        let known = async {
            while of.table().is_untold(hold) {
                if told.changed().await.is_err() {
                    return;
                }
            }
        };
        // Where it does not come, the store will say that there is no such hold.
        let _ = tokio::time::timeout(most, known).await;
    }

    /// After a failover, before anything is put back: nothing is admitted from slices any more.
    pub(super) fn pause(&self, account: &str) {
        let Some(of) = self.known(account) else { return };
        of.paused.store(true, Ordering::SeqCst);
        of.table().call_back(Instant::now(), None);
    }

    /// After a failover, when all requests are put back: slices that came back with it go.
    pub(super) async fn resume(&self, account: &str) -> Result<(), CallError> {
        let Some(of) = self.known(account) else { return Ok(()) };
        let all = of.table().all();
        for some in all.chunks(table::MOST_TOLD) {
            let slices = some.iter().map(|slice| (*slice, Care::GiveBack(table::LEASE))).collect();
            self.operations.tell(account, "", &Told { slices, ..Told::default() }).await?;
        }
        of.paused.store(false, Ordering::SeqCst);
        of.wake.notify_one();
        Ok(())
    }

    /// Nothing is admitted from slices any more.
    pub(super) fn stop(&self) {
        for of in self.all() {
            of.table().close(Instant::now());
            of.wake.notify_one();
        }
    }

    /// Waits until all of them are given back, `most` so long: what is left is charged when its lease ends, unless this gateway starts again.
    pub(super) async fn stopped(&self, most: Duration) {
        let all = self.all();
        let empty = async {
            while !all.iter().all(|of| of.table().is_empty()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(most, empty).await.is_err() {
            tracing::warn!("not all slices could be given back: what was idle in them is charged until the next start");
        }
    }

    fn all(&self) -> Vec<Arc<OfAccount>> {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

// === impl OfAccount ===

impl OfAccount {
    fn new(account: &str) -> Self {
        Self {
            account: Arc::from(account),
            table: Mutex::default(),
            endings: Mutex::default(),
            notes: Notes::default(),
            wake: Notify::new(),
            told: watch::Sender::new(0),
            paused: AtomicBool::new(false),
            recalls: Mutex::default(),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn endings(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.endings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
