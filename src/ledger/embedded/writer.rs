//! The writer: it owns the file. Begin, apply, commit, answer.
//!
//! It is used by one at a time: by a thread of its own, or by a task of the runtime that [stands beside it](super::beside).
//! Nothing is answered before it is durable. Where a commit fails the state is read anew from the file: admissions of that batch are refused and undone,
//! and the ends of requests are tried again until they are written.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use tokio::sync::watch;

use super::beside;
use super::checkpoint::{self, Checkpointer, Pause};
use super::clock::Clock;
use super::directory::Directory;
use super::job::{Admitting, Finish, Job};
use super::load::{Loaded, load};
use super::queue::Queue;
use super::save::{begin, end, save};
use super::schema::{fault, prepare};
use super::transfer::refuse_unfinished_import;
use super::trim::trim;
use super::trouble::Trouble;
use crate::ledger::grant::Grant;
use crate::ledger::handle::Admission;
use crate::ledger::lock::{Lock, lock};
use crate::ledger::private::make_private;
use crate::ledger::rules::{AdmitReply, Changes, State};
use crate::ledger::settler::Settler;
use crate::ledger::types::{LedgerError, Renewal, Renewed, Settled};
use crate::money::MoneyError;

/// The most jobs in one transaction.
pub(super) const BATCH: usize = 512;
/// The most holds that one sweep expires.
const SWEEP: usize = 256;
/// How long the writer rests after a commit that failed.
const REST: Duration = Duration::from_millis(100);
/// How long a closing ledger goes on trying to write what it was given.
const LAST_TRIES: Duration = Duration::from_secs(10);
/// How often the journal is looked at for what is too old.
const TRIM_EVERY: Duration = Duration::from_secs(3600);

/// How the embedded ledger is run.
pub(crate) struct Settings {
    /// The file.
    pub(crate) path: PathBuf,
    /// Waits for the disk at each commit.
    pub(crate) fsync_always: bool,
    /// Where periods and days begin.
    pub(crate) zone: TimeZone,
    /// How long the journal is kept.
    pub(crate) journal_days: u32,
    /// The store's clock.
    pub(crate) clock: Arc<Clock>,
    /// How often leases are looked at when nothing else happens.
    pub(crate) tick: Duration,
    /// How long a commit waits for somebody else's lock on the file.
    pub(crate) busy: Duration,
    /// Who writes while nobody else may: a checkpoint, or the thread.
    pub(crate) pause: Pause,
}

/// Opens the file, reads it, and starts the writer. The receiver ends when the writer has ended and the lock is free.
pub(crate) fn start(settings: Settings, directory: Arc<Directory>, queue: Arc<Queue>, settler: Arc<Settler>) -> Result<watch::Receiver<()>, LedgerError> {
    if let Some(folder) = settings.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| LedgerError::Unavailable(format!("cannot create the folder {}: {error}", folder.display())))?;
    }
    let instead = "set SPENDGATE_STORE to another file; several gateways on one ledger need Redis";
    let lock = lock(&settings.path, "ledger", instead)?;
    refuse_unfinished_import(&settings.path)?;
    let mut connection = connect(&settings)?;
    prepare(&mut connection)?;
    let checkpointer = Checkpointer::start(&settings.path, settings.pause.clone())?;
    let Loaded { state, next_seq, newest } = load(&mut connection, settings.zone.clone())?;
    if let Some(newest) = newest {
        settings.clock.not_before(newest);
    }
    directory.fill(&state);
    let (ended, receiver) = watch::channel(());
    let waits_for_disk = settings.fsync_always;
    let now = Instant::now();
    let writer = Writer {
        connection,
        state: Some(state),
        next_seq,
        changes: Changes::default(),
        jobs: VecDeque::new(),
        carried: Vec::new(),
        answers: Vec::new(),
        last_sweep: now,
        next_trim: now,
        more_due: true,
        trouble: Trouble::default(),
        checkpointer: Some(checkpointer),
        settings,
        directory,
        settler,
    };
    let shared = Arc::new(Mutex::new(Some(writer)));
    let threads = Arc::clone(&shared);
    let threads_queue = Arc::clone(&queue);
    let spawned = std::thread::Builder::new().name("spendgate-ledger".to_owned()).spawn(move || run_to_the_end(&threads, threads_queue, lock, ended));
    spawned.map_err(|error| LedgerError::Unavailable(format!("cannot start the writer thread: {error}")))?;
    // Whoever waits for the disk must not be one who serves requests.
    if !waits_for_disk {
        beside::start(shared, queue);
    }
    Ok(receiver)
}

fn connect(settings: &Settings) -> Result<Connection, LedgerError> {
    let path = settings.path.display();
    let failed = |error: &rusqlite::Error| LedgerError::Unavailable(format!("cannot open the ledger {path}: {error}"));
    make_private(&settings.path).map_err(|error| LedgerError::Unavailable(format!("cannot open the ledger {path}: {error}")))?;
    let connection = Connection::open(&settings.path).map_err(|error| failed(&error))?;
    connection.busy_timeout(settings.busy).map_err(|error| failed(&error))?;
    connection.set_prepared_statement_cache_capacity(64);
    // Before anything is written: a file that is not ours stays as it is.
    super::schema::check_version(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(|error| failed(&error))?;
    connection.pragma_update(None, "synchronous", if settings.fsync_always { "FULL" } else { "NORMAL" }).map_err(|error| failed(&error))?;
    connection.pragma_update(None, "wal_autocheckpoint", checkpoint::WRITERS_OWN).map_err(|error| failed(&error))?;
    Ok(connection)
}

/// Takes no more jobs however the writer ends, so that nobody waits for an answer that cannot come.
struct Closing(Arc<Queue>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// The writer, until the thread has ended it.
pub(super) type Shared = Mutex<Option<Writer>>;

fn run_to_the_end(shared: &Shared, queue: Arc<Queue>, lock: Lock, ended: watch::Sender<()>) {
    let closing = Closing(queue);
    run(shared, &closing.0);
    drop(shared.lock().unwrap_or_else(PoisonError::into_inner).take());
    drop(closing);
    drop(lock);
    drop(ended);
}

/// The thread: takes what the task does not, and does what is due by the clock.
fn run(shared: &Shared, queue: &Queue) {
    let mut give_up: Option<Instant> = None;
    let mut patience = Duration::ZERO;
    loop {
        queue.wait(patience);
        // Where a batch broke off, nobody knows what the state is.
        let Ok(mut shared) = shared.lock() else { return };
        let Some(writer) = shared.as_mut() else { return };
        writer.jobs.extend(writer.carried.drain(..));
        let open = queue.drain(&mut writer.jobs, BATCH);
        let pause = writer.settings.pause.clone();
        let held = pause.hold();
        let written = writer.batch(true);
        writer.trim();
        drop(held);
        let carried = writer.carried.len();
        patience = if writer.more_due || carried > 0 { Duration::ZERO } else { writer.settings.tick };
        drop(shared);
        if !written {
            std::thread::sleep(REST);
        }
        if open {
            continue;
        }
        let deadline = *give_up.get_or_insert_with(|| Instant::now() + LAST_TRIES);
        if carried == 0 {
            return;
        }
        if Instant::now() > deadline {
            tracing::error!(
                count = carried,
                "the ledger closes without having written the end of these requests: their holds are charged when their leases end"
            );
            return;
        }
    }
}

/// A job that was applied and is answered once the batch is durable, or kept to be done again.
enum Answer {
    Admit(Admitting, Result<AdmitReply, MoneyError>),
    Settle(Job, Result<Settled, MoneyError>),
    Renew(tokio::sync::oneshot::Sender<Result<Renewed, LedgerError>>, Result<Renewed, MoneyError>),
    Manage(Finish),
}

/// What is written to the file, and by what state.
pub(super) struct Writer {
    settings: Settings,
    connection: Connection,
    checkpointer: Option<Checkpointer>,
    /// None after a failure, until the file could be read again.
    state: Option<State>,
    next_seq: i64,
    changes: Changes,
    /// What is to be done now.
    pub(super) jobs: VecDeque<Job>,
    /// Ends of requests that could not be written yet.
    carried: Vec<Job>,
    answers: Vec<Answer>,
    last_sweep: Instant,
    next_trim: Instant,
    more_due: bool,
    trouble: Trouble,
    directory: Arc<Directory>,
    settler: Arc<Settler>,
}

// === impl Writer ===

impl Writer {
    /// For the task: as [`Self::batch`], where the file can be written at once. False where the jobs are left to the thread.
    pub(super) fn batch_at_once(&mut self) -> bool {
        if self.state.is_none() {
            return false;
        }
        let begun = self.connection.busy_timeout(Duration::ZERO).and_then(|()| begin(&self.connection)).is_ok();
        // Whatever came of it: the thread waits for the lock as long as it may.
        let begun = self.connection.busy_timeout(self.settings.busy).is_ok() && begun;
        begun && self.batch(false)
    }

    /// Applies what there is to do, and what is due where it is `sweeping`; writes it; answers. False where it could not be written: what must not be lost
    /// is carried over to the next one, after a rest.
    fn batch(&mut self, sweeping: bool) -> bool {
        if self.state.is_none()
            && let Err(error) = self.reload()
        {
            self.refuse_jobs(&error);
            return false;
        }
        // Before anything is applied: a file that is locked leaves the state as it is.
        if !self.jobs.is_empty()
            && let Err(error) = begin(&self.connection)
        {
            self.refuse_jobs(&fault(&error));
            return false;
        }
        let Some(state) = &mut self.state else { return false };
        let now = self.settings.clock.now();
        for job in self.jobs.drain(..) {
            if let Some(answer) = apply(state, now, job, &mut self.changes) {
                self.answers.push(answer);
            }
        }
        if sweeping && (self.more_due || self.last_sweep.elapsed() >= self.settings.tick) {
            self.more_due = state.sweep(now, SWEEP, &mut self.changes);
            self.last_sweep = Instant::now();
        }
        let saved = match self.changes.is_empty() {
            true => end(&self.connection).map(|()| self.next_seq),
            false => save(&self.connection, state, &self.changes, self.next_seq),
        };
        match saved {
            Ok(next_seq) => self.next_seq = next_seq,
            Err(error) => {
                self.failed(&fault(&error));
                return false;
            }
        }
        if !self.changes.is_empty() {
            state.stored(&self.changes);
            self.directory.refresh(state, &self.changes);
            self.changes.clear();
            self.trouble.over(Instant::now());
        }
        for answer in self.answers.drain(..) {
            answer.send(&self.settler);
        }
        true
    }

    fn reload(&mut self) -> Result<(), LedgerError> {
        let loaded = load(&mut self.connection, self.settings.zone.clone())?;
        self.state = Some(loaded.state);
        self.next_seq = loaded.next_seq;
        self.more_due = true;
        Ok(())
    }

    /// The batch was not written: what it did to the state is forgotten, and nobody was told anything yet.
    fn failed(&mut self, error: &LedgerError) {
        self.trouble.met(Instant::now(), "a commit failed; nothing of it was acknowledged", error);
        self.state = None;
        self.changes.clear();
        for answer in self.answers.drain(..) {
            self.carried.extend(answer.fail(error));
        }
    }

    /// There is no state to apply jobs to: ends of requests wait, everything else is refused.
    fn refuse_jobs(&mut self, error: &LedgerError) {
        self.trouble.met(Instant::now(), "the ledger can be neither read nor written now; trying again", error);
        for job in self.jobs.drain(..) {
            match job {
                Job::Admit(Admitting { reply, .. }) => drop(reply.send(Err(error.clone()))),
                Job::Settle(..) | Job::ChargeHold(..) | Job::Void(..) | Job::Keep { .. } => self.carried.push(job),
                Job::Renew(_, reply) => drop(reply.send(Err(error.clone()))),
                Job::KeepAlive(_) | Job::Manage(_) => {}
            }
        }
    }

    /// Lets the oldest entries of the journal become sums, a few at a time.
    fn trim(&mut self) {
        if Instant::now() < self.next_trim {
            return;
        }
        let age = SignedDuration::from_hours(24).saturating_mul(i32::try_from(self.settings.journal_days).unwrap_or(i32::MAX));
        let cutoff = self.settings.clock.now().saturating_sub(age);
        let more = cutoff.map_or(Ok(false), |cutoff| trim(&mut self.connection, cutoff)).unwrap_or_else(|error| {
            tracing::warn!(%error, "the journal could not be trimmed; trying again later");
            false
        });
        self.next_trim = Instant::now() + if more { REST } else { TRIM_EVERY };
    }
}

/// Applies one job to the state in memory.
fn apply(state: &mut State, now: Timestamp, job: Job, changes: &mut Changes) -> Option<Answer> {
    match job {
        Job::Admit(admitting) => {
            let reply = state.admit(now, &admitting.request, changes);
            Some(Answer::Admit(admitting, reply))
        }
        Job::Settle(ref settlement, _) => {
            let settled = state.settle(now, settlement, changes);
            Some(Answer::Settle(job, settled))
        }
        Job::ChargeHold(hold, _) => {
            let settled = state.charge_hold(now, hold, changes);
            Some(Answer::Settle(job, settled))
        }
        Job::Void(hold, lease) => {
            let voided = state.void(now, hold, lease, changes).map(|()| Settled::default());
            Some(Answer::Settle(job, voided))
        }
        Job::Keep { hold, kept, lease, .. } => {
            let settled = state.keep(now, hold, kept, lease, changes);
            Some(Answer::Settle(job, settled))
        }
        Job::Renew(renewal, reply) => Some(Answer::Renew(reply, state.renew(now, &renewal, changes))),
        Job::KeepAlive(renewals) => {
            keep_alive(state, now, &renewals, changes);
            None
        }
        Job::Manage(change) => Some(Answer::Manage(change(state, now, changes))),
    }
}

fn keep_alive(state: &mut State, now: Timestamp, renewals: &[Renewal], changes: &mut Changes) {
    for renewal in renewals {
        match state.renew(now, renewal, changes) {
            Ok(Renewed::Gone) => tracing::debug!(hold = %renewal.hold, "a hold was gone before its request ended"),
            Ok(Renewed::Done | Renewed::NotRaised { .. }) => {}
            Err(error) => tracing::warn!(hold = %renewal.hold, %error, "a hold could not be renewed"),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.checkpointer = None;
        // What is in the write-ahead log goes to the file itself: it can be copied as it is. Not vital, and so not checked.
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}

// === impl Answer ===

impl Answer {
    /// The batch is durable. Nobody may be waiting any more; a grant that nobody takes voids itself.
    fn send(self, settler: &Arc<Settler>) {
        match self {
            Self::Admit(Admitting { request, facts, reply }, result) => {
                let answer = result.map_err(LedgerError::from).map(|admitted| match admitted {
                    AdmitReply::Granted { admitted, held } => {
                        let lease = held.then_some(request.lease);
                        Admission::Granted(Grant::new(Arc::clone(settler), facts, request.hold, lease, admitted))
                    }
                    AdmitReply::Denied(denied) => Admission::Denied(denied),
                });
                drop(reply.send(answer));
            }
            Self::Settle(Job::Settle(_, Some(reply)) | Job::ChargeHold(_, Some(reply)) | Job::Keep { reply: Some(reply), .. }, result) => {
                drop(reply.send(result.map_err(LedgerError::from)))
            }
            Self::Settle(_, Ok(_)) => {}
            Self::Settle(_, Err(error)) => tracing::error!(%error, "a request could not be settled; its hold is charged when its lease ends"),
            Self::Renew(reply, result) => drop(reply.send(result.map_err(LedgerError::from))),
            Self::Manage(finish) => finish(),
        }
    }

    /// The batch is not durable, or at least it is not known to be. Returns what must be done again, or be undone.
    fn fail(self, error: &LedgerError) -> Option<Job> {
        match self {
            Self::Admit(Admitting { request, reply, .. }, _) => {
                drop(reply.send(Err(error.clone())));
                Some(Job::Void(request.hold, request.lease))
            }
            Self::Settle(job, _) => Some(job),
            Self::Renew(reply, _) => {
                drop(reply.send(Err(error.clone())));
                None
            }
            Self::Manage(_) => None,
        }
    }
}
