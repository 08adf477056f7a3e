//! [`Ledger`]: the handle that the rest of the gateway holds. Cheap to clone; every method is one trip to the writer, or none.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::{oneshot, watch};

use super::embedded::{self, Admitting, Clock, Directory, Finish, Job, Settings};
use super::grant::Grant;
use super::renewer;
use super::rules::{Changes, State};
use super::settler::{Settler, unanswered};
use super::types::{AdmitRequest, Denied, LedgerError, TokenFacts};
use crate::money::Usd;
use crate::prices::Usage;
use crate::tokens::{NewToken, Secret, SecretHash, TokenId, TokenPatch, TokenRuleError, TokenView};

/// How often leases are looked at when nothing else happens.
const TICK: Duration = Duration::from_millis(500);
/// How long a commit waits for somebody else's lock on the file: an operator with `sqlite3`.
const BUSY: Duration = Duration::from_secs(2);
/// How many tokens [`Ledger::observe`] asks for at a time.
const OBSERVED_AT_ONCE: usize = 512;
/// How long it waits for them.
const OBSERVE_PATIENCE: Duration = Duration::from_millis(500);

/// A handle on the ledger.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    settler: Arc<Settler>,
    directory: Arc<Directory>,
    clock: Arc<Clock>,
    path: PathBuf,
    /// Ends with the writer.
    writer: watch::Receiver<()>,
}

/// How to open a ledger.
#[derive(Clone, Debug)]
pub struct LedgerOptions {
    /// The SQLite file. It and its folder are made where they are missing.
    pub path: PathBuf,
    /// Waits for the disk at each commit (`synchronous = FULL`), so that a power cut loses nothing either.
    pub fsync_always: bool,
    /// Where days, weeks and months begin at midnight.
    pub time_zone: TimeZone,
    /// How long journal entries are kept before they become sums.
    pub journal_days: u32,
    /// How long a hold usually lives without being renewed.
    pub lease: Duration,
}

/// The answer to a request for admission.
#[derive(Debug)]
pub enum Admission {
    /// Yes.
    Granted(Grant),
    /// No.
    Denied(Denied),
}

/// What became of [`Ledger::ensure_account`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnsuredAccount {
    /// The account is new.
    pub created: bool,
    /// It has a main key now.
    pub has_main_key: bool,
}

/// Which usage to report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// Of which account.
    pub account: String,
    /// From this day on.
    pub from: Option<Date>,
    /// To this day, inclusive.
    pub to: Option<Date>,
    /// Of the tokens of this name: it may have been used again after a delete.
    pub token: Option<String>,
    /// Of this token alone.
    pub token_id: Option<TokenId>,
    /// Of this provider.
    pub provider: Option<String>,
    /// Of this feature.
    pub feature: Option<String>,
}

/// The usage of one day, token, provider, model and feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// The day, in the configured time zone.
    pub day: Date,
    /// The token's name. It may be deleted.
    pub token: String,
    /// Whose prices.
    pub provider: String,
    /// The model as priced.
    pub model: String,
    /// The feature: `text__chat`.
    pub feature: String,
    /// How many requests.
    pub requests: u64,
    /// What they cost.
    pub cost: Usd,
    /// How many of them were not charged exactly.
    pub estimated: u64,
    /// What they consumed.
    pub usage: Usage,
}

/// What tests set differently.
pub(super) struct Tuning {
    pub(super) clock: Arc<Clock>,
    pub(super) tick: Duration,
    pub(super) busy: Duration,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { clock: Arc::new(Clock::new()), tick: TICK, busy: BUSY }
    }
}

// === impl Ledger ===

impl std::fmt::Debug for Ledger {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Ledger").field("path", &self.0.path).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens the ledger: makes the file where it is missing, locks it, takes up what a process before left (live holds with their leases), starts the writer.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] where another process runs on the file, [`LedgerError::Incompatible`] where it is not a ledger of this version.
    pub fn open(options: LedgerOptions) -> Result<Self, LedgerError> {
        Self::open_tuned(options, Tuning::default())
    }

    pub(super) fn open_tuned(options: LedgerOptions, tuning: Tuning) -> Result<Self, LedgerError> {
        let settler = Arc::new(Settler::default());
        let directory = Arc::new(Directory::default());
        let path = options.path.clone();
        let settings = Settings {
            path: options.path,
            fsync_always: options.fsync_always,
            zone: options.time_zone,
            journal_days: options.journal_days,
            clock: Arc::clone(&tuning.clock),
            tick: tuning.tick,
            busy: tuning.busy,
        };
        let writer = embedded::start(settings, Arc::clone(&directory), Arc::clone(&settler))?;
        let ledger = Self(Arc::new(Inner { settler, directory, clock: tuning.clock, path, writer }));
        renewer::start(Arc::clone(&ledger.0.settler), options.lease)?;
        Ok(ledger)
    }

    /// Writes what was handed over, ends the writer, frees the lock. Everything asked afterwards is unavailable. May be called again.
    pub async fn close(&self) {
        self.0.settler.live().stop();
        self.0.settler.queue().close();
        let mut writer = self.0.writer.clone();
        while writer.changed().await.is_ok() {}
    }

    /// Whether the ledger answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), LedgerError> {
        self.manage(|_, _, _| ()).await
    }

    // -- The road.

    /// The token that a secret opens, unless it was revoked. No trip to the writer; admission looks again.
    #[must_use]
    pub fn token_facts(&self, secret: &SecretHash) -> Option<Arc<TokenFacts>> {
        self.0.directory.token(secret, || self.0.clock.now())
    }

    /// Admits a request: one atomic step over every budget above the token. A grant that nobody takes (this future was dropped) voids itself.
    ///
    /// # Errors
    /// When the ledger cannot say. Nothing is admitted then.
    pub async fn admit(&self, request: AdmitRequest) -> Result<Admission, LedgerError> {
        let Some(facts) = self.token_facts(&request.secret).filter(|facts| facts.id == request.token) else { return Ok(Admission::Denied(Denied::Unknown)) };
        let (reply, answer) = oneshot::channel();
        self.0.settler.queue().ask(Job::Admit(Admitting { request, facts, reply }))?;
        answer.await.unwrap_or_else(|_| Err(unanswered()))
    }

    // -- Accounts and keys.

    /// Makes the account unless it is there; sets its main key where one is given.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn ensure_account(&self, name: &str, main_key: Option<SecretHash>) -> Result<EnsuredAccount, LedgerError> {
        let name = name.to_owned();
        let ensured = self.manage(move |state, now, changes| state.ensure_account(now, &name, main_key, changes)).await?;
        Ok(EnsuredAccount { created: ensured.0, has_main_key: ensured.1 })
    }

    /// The account that a main key opens. No trip to the writer.
    #[must_use]
    pub fn account_of_main_key(&self, secret: &SecretHash) -> Option<Arc<str>> {
        self.0.directory.account(secret)
    }

    /// The account's own balance; none where it has no budget.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn credits(&self, account: &str) -> Result<Option<Usd>, LedgerError> {
        let account = account.to_owned();
        self.manage(move |state, _, _| state.credits(&account)).await
    }

    /// Sets the account's own balance, as an adjustment in the journal. None: no account budget.
    ///
    /// # Errors
    /// When the ledger cannot say, or knows no such account.
    pub async fn set_credits(&self, account: &str, balance: Option<Usd>) -> Result<(), LedgerError> {
        let name = account.to_owned();
        let known = self.manage(move |state, now, changes| state.set_credits(now, &name, balance, changes)).await?;
        if known { Ok(()) } else { Err(no_account(account)) }
    }

    // -- Tokens. A name is unique among the live tokens of an account.

    /// Makes a token that `secret` opens.
    ///
    /// # Errors
    /// Inside, every rule that it breaks; outside, when the ledger cannot say or knows no such account.
    pub async fn create_token(&self, account: &str, token: NewToken, secret: &Secret) -> Result<Result<TokenView, Vec<TokenRuleError>>, LedgerError> {
        let (name, hash, masked) = (account.to_owned(), secret.hash(), secret.masked());
        self.manage(move |state, now, changes| state.create_token(now, &name, token, hash, masked, changes)).await?.ok_or_else(|| no_account(account))
    }

    /// Changes a token, or only tries to. None: no such token.
    ///
    /// # Errors
    /// Inside, every rule that the change breaks; outside, when the ledger cannot say.
    pub async fn update_token(
        &self,
        account: &str,
        name: &str,
        patch: TokenPatch,
        dry_run: bool,
    ) -> Result<Option<Result<TokenView, Vec<TokenRuleError>>>, LedgerError> {
        let (account, name) = (account.to_owned(), name.to_owned());
        self.manage(move |state, now, changes| state.update_token(now, &account, &name, &patch, dry_run, changes)).await
    }

    /// Gives a token a new secret; the old one ends with the grace period. None: no such token.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn rotate_token(&self, account: &str, name: &str, secret: &Secret, grace: Duration) -> Result<Option<TokenView>, LedgerError> {
        let (account, name, secret) = (account.to_owned(), name.to_owned(), (secret.hash(), secret.masked()));
        self.manage(move |state, now, changes| state.rotate_token(now, &account, &name, secret, grace, changes)).await
    }

    /// Deletes a token; its requests in flight settle as usual. False: no such token.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn delete_token(&self, account: &str, name: &str) -> Result<bool, LedgerError> {
        let (account, name) = (account.to_owned(), name.to_owned());
        self.manage(move |state, now, changes| state.delete_token(now, &account, &name, changes)).await
    }

    /// A token by its name.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn token(&self, account: &str, name: &str) -> Result<Option<TokenView>, LedgerError> {
        let (account, name) = (account.to_owned(), name.to_owned());
        self.manage(move |state, now, _| state.view_named(&account, &name, now)).await
    }

    /// A live token by its id.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn token_by_id(&self, id: TokenId) -> Result<Option<TokenView>, LedgerError> {
        self.manage(move |state, now, _| state.view(id, now)).await
    }

    /// The live tokens of an account, in order of creation.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn tokens(&self, account: &str) -> Result<Vec<TokenView>, LedgerError> {
        let mut views = Vec::new();
        loop {
            let (name, after) = (account.to_owned(), views.last().map_or(TokenId(0), |view: &TokenView| view.id));
            let some = self.manage(move |state, now, _| state.views_after(&name, after, OBSERVED_AT_ONCE, now)).await?;
            let last = some.len() < OBSERVED_AT_ONCE;
            views.extend(some);
            if last {
                return Ok(views);
            }
        }
    }

    // -- Reports.

    /// Daily usage, read on a connection and a thread of its own.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn usage(&self, filter: UsageFilter) -> Result<Vec<UsageRow>, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let path = self.0.path.clone();
        let report = move || drop(reply.send(embedded::usage(&path, &filter)));
        let spawned = std::thread::Builder::new().name("spendgate-report".to_owned()).spawn(report);
        spawned.map_err(|error| LedgerError::Unavailable(format!("cannot start a thread: {error}")))?;
        answer.await.unwrap_or_else(|_| Err(unanswered()))
    }

    /// Shows every live token, a few hundred at a time so that the writer is never stopped for long. Blocks while it waits for them; where the writer
    /// does not answer within half a second, it ends early.
    pub fn observe(&self, visit: &mut dyn FnMut(&TokenView)) {
        let accounts = self.ask(|state, _| state.accounts().iter().map(|account| account.name.clone()).collect::<Vec<_>>()).unwrap_or_default();
        for account in accounts {
            let mut after = TokenId(0);
            loop {
                let name = account.clone();
                let Some(views) = self.ask(move |state, now| state.views_after(&name, after, OBSERVED_AT_ONCE, now)) else { return };
                views.iter().for_each(&mut *visit);
                match views.last() {
                    Some(last) if views.len() == OBSERVED_AT_ONCE => after = last.id,
                    _ => break,
                }
            }
        }
    }

    /// Ends of requests and other work that wait for the writer.
    #[must_use]
    pub fn pending_settlements(&self) -> usize {
        self.0.settler.queue().len()
    }

    /// Asks the writer, and waits without a runtime.
    fn ask<T: Send + 'static>(&self, read: impl FnOnce(&State, Timestamp) -> T + Send + 'static) -> Option<T> {
        let (reply, answer) = mpsc::sync_channel(1);
        let job = move |state: &mut State, now: Timestamp, _: &mut Changes| -> Finish {
            let value = read(state, now);
            Box::new(move || drop(reply.try_send(value)))
        };
        self.0.settler.queue().ask(Job::Manage(Box::new(job))).ok()?;
        answer.recv_timeout(OBSERVE_PATIENCE).ok()
    }

    /// Runs `change` on the state, and answers when what it changed is durable.
    pub(super) async fn manage<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut State, Timestamp, &mut Changes) -> T + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let job = move |state: &mut State, now: Timestamp, changes: &mut Changes| -> Finish {
            let value = change(state, now, changes);
            Box::new(move || drop(reply.send(value)))
        };
        self.0.settler.queue().ask(Job::Manage(Box::new(job)))?;
        answer.await.map_err(|_| unanswered())
    }
}

fn no_account(name: &str) -> LedgerError {
    LedgerError::Unavailable(format!("there is no account named {name:?}"))
}

impl Drop for Inner {
    /// The last handle went without closing: the writer still writes what it was given, then ends.
    fn drop(&mut self) {
        self.settler.live().stop();
        self.settler.queue().close();
    }
}

#[cfg(test)]
impl Ledger {
    /// The way that grants take, for tests that need it with an id of their own.
    pub(super) fn settler(&self) -> &Settler {
        &self.0.settler
    }
}
