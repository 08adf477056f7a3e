//! [`Ledger`]: the handle that the rest of the gateway holds, on whichever store there is. Cheap to clone.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::address::StoreAddress;
use super::embedded::{self, Clock};
use super::grant::Grant;
use super::redis;
use super::renewer;
use super::report::{UsageFilter, UsageRow};
use super::settler::Settler;
use super::types::{AdmitRequest, Denied, EnsuredAccount, LedgerError, SliceCounts, TokenFacts};
use crate::money::Usd;
use crate::tokens::{NewToken, Secret, SecretHash, TokenId, TokenPatch, TokenRuleError, TokenView};

/// How often leases are looked at when nothing else happens.
const TICK: Duration = Duration::from_millis(500);
/// How long a file keeps its journal by default.
const FILE_JOURNAL_DAYS: u32 = 400;
/// How long a server does.
const SERVER_JOURNAL_DAYS: u32 = 30;
/// How long a commit waits for somebody else's lock on the file: an operator with `sqlite3`.
const BUSY: Duration = Duration::from_secs(2);
/// How many tokens are asked for at a time.
const TOKENS_AT_ONCE: usize = 512;
/// How long [`Ledger::observe`] waits for them.
const OBSERVE_PATIENCE: Duration = Duration::from_millis(500);

/// A handle on the ledger.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    settler: Arc<Settler>,
    store: Store,
}

/// Where the ledger is kept.
enum Store {
    /// In a file of this process.
    Embedded(embedded::Store),
    /// On servers that many gateways share.
    Redis(redis::Store),
}

/// Calls the same method on whichever store there is.
macro_rules! on_store {
    ($self:ident, $store:ident => $call:expr) => {
        match &$self.0.store {
            Store::Embedded($store) => $call,
            Store::Redis($store) => $call,
        }
    };
}

/// How to open a ledger.
#[derive(Clone, Debug)]
pub struct LedgerOptions {
    /// Where it is. A file, and its folder, are made where they are missing.
    pub store: StoreAddress,
    /// Waits for the disk at each write, so that a power cut loses nothing either.
    pub fsync_always: bool,
    /// Where days, weeks and months begin at midnight.
    pub time_zone: TimeZone,
    /// How long journal entries are kept before they become sums; none: 400 days in a file, 30 on a server.
    pub journal_days: Option<u32>,
    /// How long a hold usually lives without being renewed.
    pub lease: Duration,
    /// Of a ledger on servers: the folder where ends of requests wait while they are away.
    pub outbox: PathBuf,
    /// Of a ledger on servers: how long a call may take.
    pub timeout: Duration,
    /// Of a ledger on servers: how many replicas must have a change before it counts.
    pub replicas: u32,
    /// Of a ledger on servers: whether this gateway sets slices of busy tokens' budgets aside, to admit requests from by itself.
    pub slices: bool,
}

/// The answer to a request for admission.
#[derive(Debug)]
pub enum Admission {
    /// Yes.
    Granted(Grant),
    /// No.
    Denied(Denied),
}

/// What tests set differently.
pub(super) struct Tuning {
    pub(super) clock: Arc<Clock>,
    pub(super) tick: Duration,
    pub(super) busy: Duration,
    pub(super) pause: embedded::Pause,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { clock: Arc::new(Clock::new()), tick: TICK, busy: BUSY, pause: embedded::Pause::default() }
    }
}

// === impl LedgerOptions ===

impl LedgerOptions {
    /// How a ledger is opened where nothing else is said.
    #[must_use]
    pub fn at(store: StoreAddress) -> Self {
        Self {
            store,
            fsync_always: false,
            time_zone: TimeZone::UTC,
            journal_days: None,
            lease: Duration::from_secs(60),
            outbox: PathBuf::from("data/outbox"),
            timeout: Duration::from_millis(250),
            replicas: 0,
            slices: false,
        }
    }
}

// === impl Ledger ===

impl std::fmt::Debug for Ledger {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        on_store!(self, store => out.debug_tuple("Ledger").field(&store.address()).finish())
    }
}

impl Ledger {
    /// Opens the ledger: takes up what a process before left, and starts what runs beside requests. A file is made where it is missing, and locked.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] where another process runs on the file, [`LedgerError::Incompatible`] where it is not a ledger of this version,
    /// [`LedgerError::Unavailable`] where it cannot be reached.
    pub async fn open(options: LedgerOptions) -> Result<Self, LedgerError> {
        let StoreAddress::Redis(address) = options.store else { return Self::open_tuned(options, Tuning::default()) };
        let (store, settler) = redis::Store::open(redis::Settings {
            address,
            outbox: options.outbox,
            fsync_always: options.fsync_always,
            zone: options.time_zone,
            journal_days: options.journal_days.unwrap_or(SERVER_JOURNAL_DAYS),
            timeout: options.timeout,
            replicas: options.replicas,
            slices: options.slices,
        })
        .await?;
        Self::start(Store::Redis(store), settler, options.lease)
    }

    pub(super) fn open_tuned(options: LedgerOptions, tuning: Tuning) -> Result<Self, LedgerError> {
        let (store, settler) = match options.store {
            StoreAddress::Sqlite(path) => {
                let (store, settler) = embedded::Store::open(embedded::Settings {
                    path,
                    fsync_always: options.fsync_always,
                    zone: options.time_zone,
                    journal_days: options.journal_days.unwrap_or(FILE_JOURNAL_DAYS),
                    clock: Arc::clone(&tuning.clock),
                    tick: tuning.tick,
                    busy: tuning.busy,
                    pause: tuning.pause,
                })?;
                (Store::Embedded(store), settler)
            }
            StoreAddress::Redis(address) => return Err(LedgerError::Unavailable(format!("{address} is not a file"))),
        };
        Self::start(store, settler, options.lease)
    }

    fn start(store: Store, settler: Arc<Settler>, lease: Duration) -> Result<Self, LedgerError> {
        renewer::start(Arc::clone(&settler), lease)?;
        Ok(Self(Arc::new(Inner { settler, store })))
    }

    /// Writes what was handed over, ends what runs beside requests, frees the lock. Everything asked afterwards is unavailable. May be called again.
    pub async fn close(&self) {
        self.0.settler.live().stop();
        on_store!(self, store => {
            store.stop();
            store.closed().await;
        });
    }

    /// Whether the ledger answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), LedgerError> {
        on_store!(self, store => store.ping().await)
    }

    // -- The road.

    /// The token that a secret opens, unless it was revoked. Admission looks again.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn token_facts(&self, secret: &SecretHash) -> Result<Option<Arc<TokenFacts>>, LedgerError> {
        match &self.0.store {
            Store::Embedded(store) => store.token_facts(secret).await,
            Store::Redis(store) => Box::pin(store.token_facts(secret)).await,
        }
    }

    /// The same, never from memory: for whoever acts on it without an admission.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn token_facts_now(&self, secret: &SecretHash) -> Result<Option<Arc<TokenFacts>>, LedgerError> {
        on_store!(self, store => store.token_facts_now(secret).await)
    }

    /// Admits a request: one atomic step over every budget above the token. A grant that nobody takes (this future was dropped) voids itself.
    ///
    /// # Errors
    /// When the ledger cannot say. Nothing is admitted then.
    pub async fn admit(&self, request: AdmitRequest) -> Result<Admission, LedgerError> {
        match &self.0.store {
            Store::Embedded(store) => store.admit(request).await,
            // Boxed: what waits for a server is large, and every request would carry the room for it.
            Store::Redis(store) => Box::pin(store.admit(request)).await,
        }
    }

    // -- Accounts and keys.

    /// Makes the account unless it is there; sets its main key where one is given.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn ensure_account(&self, name: &str, main_key: Option<SecretHash>) -> Result<EnsuredAccount, LedgerError> {
        on_store!(self, store => store.ensure_account(name, main_key).await)
    }

    /// The account that a main key opens.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn account_of_main_key(&self, secret: &SecretHash) -> Result<Option<Arc<str>>, LedgerError> {
        on_store!(self, store => store.account_of_main_key(secret).await)
    }

    /// The account's own balance; none where it has no budget.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn credits(&self, account: &str) -> Result<Option<Usd>, LedgerError> {
        on_store!(self, store => store.credits(account).await)
    }

    /// Sets the account's own balance, as an adjustment in the journal. None: no account budget.
    ///
    /// # Errors
    /// When the ledger cannot say, or knows no such account.
    pub async fn set_credits(&self, account: &str, balance: Option<Usd>) -> Result<(), LedgerError> {
        let known = on_store!(self, store => store.set_credits(account, balance).await)?;
        if known { Ok(()) } else { Err(no_account(account)) }
    }

    // -- Tokens. A name is unique among the live tokens of an account.

    /// Makes a token that `secret` opens.
    ///
    /// # Errors
    /// Inside, every rule that it breaks; outside, when the ledger cannot say or knows no such account.
    pub async fn create_token(&self, account: &str, token: NewToken, secret: &Secret) -> Result<Result<TokenView, Vec<TokenRuleError>>, LedgerError> {
        on_store!(self, store => store.create_token(account, token, secret).await)?.ok_or_else(|| no_account(account))
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
        on_store!(self, store => store.update_token(account, name, patch, dry_run).await)
    }

    /// Gives a token a new secret; the old one ends with the grace period. None: no such token.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn rotate_token(&self, account: &str, name: &str, secret: &Secret, grace: Duration) -> Result<Option<TokenView>, LedgerError> {
        on_store!(self, store => store.rotate_token(account, name, secret, grace).await)
    }

    /// Deletes a token; its requests in flight settle as usual. False: no such token.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn delete_token(&self, account: &str, name: &str) -> Result<bool, LedgerError> {
        on_store!(self, store => store.delete_token(account, name).await)
    }

    /// A token by its name.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn token(&self, account: &str, name: &str) -> Result<Option<TokenView>, LedgerError> {
        on_store!(self, store => store.token(account, name).await)
    }

    /// The live token that these facts are about.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn token_of(&self, facts: &TokenFacts) -> Result<Option<TokenView>, LedgerError> {
        on_store!(self, store => store.token_of(facts).await)
    }

    /// The live tokens of an account, in order of creation.
    ///
    /// # Errors
    /// When the ledger cannot say.
    pub async fn tokens(&self, account: &str) -> Result<Vec<TokenView>, LedgerError> {
        let mut views = Vec::new();
        loop {
            let after = views.last().map_or(TokenId(0), |view: &TokenView| view.id);
            let some = on_store!(self, store => store.views_after(account, after, TOKENS_AT_ONCE).await)?;
            let last = some.len() < TOKENS_AT_ONCE;
            views.extend(some);
            if last {
                return Ok(views);
            }
        }
    }

    // -- Reports.

    /// Daily usage.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn usage(&self, filter: UsageFilter) -> Result<Vec<UsageRow>, LedgerError> {
        on_store!(self, store => store.usage(filter).await)
    }

    /// Shows every live token, a few hundred at a time so that the store is never stopped for long. Where it does not answer within half a second,
    /// this ends early.
    pub async fn observe(&self, visit: &mut (dyn FnMut(&TokenView) + Send)) {
        let Some(accounts) = in_time(async { on_store!(self, store => store.accounts().await) }).await else { return };
        for account in accounts {
            let mut after = TokenId(0);
            loop {
                let Some(views) = in_time(async { on_store!(self, store => store.views_after(&account, after, TOKENS_AT_ONCE).await) }).await else { return };
                views.iter().for_each(&mut *visit);
                match views.last() {
                    Some(last) if views.len() == TOKENS_AT_ONCE => after = last.id,
                    _ => break,
                }
            }
        }
    }

    /// Ends of requests that the store has not taken yet.
    #[must_use]
    pub fn pending_settlements(&self) -> usize {
        on_store!(self, store => store.pending_settlements())
    }

    /// What happened with slices; none where the ledger has none.
    #[must_use]
    pub fn slices(&self) -> Option<SliceCounts> {
        match &self.0.store {
            Store::Embedded(_) => None,
            Store::Redis(store) => store.slices(),
        }
    }
}

fn no_account(name: &str) -> LedgerError {
    LedgerError::Unavailable(format!("there is no account named {name:?}"))
}

async fn in_time<T>(answer: impl Future<Output = Result<T, LedgerError>>) -> Option<T> {
    tokio::time::timeout(OBSERVE_PATIENCE, answer).await.ok()?.ok()
}

impl Drop for Inner {
    /// The last handle went without closing: what was given is still written, then the store ends.
    fn drop(&mut self) {
        self.settler.live().stop();
        match &self.store {
            Store::Embedded(store) => store.stop(),
            Store::Redis(store) => store.stop(),
        }
    }
}

#[cfg(test)]
impl Ledger {
    /// The way that grants take, for tests that need it with an id of their own.
    pub(super) fn settler(&self) -> &Settler {
        &self.0.settler
    }

    /// The embedded store.
    pub(super) fn embedded(&self) -> &embedded::Store {
        match &self.0.store {
            Store::Embedded(store) => store,
            Store::Redis(_) => panic!("not embedded"),
        }
    }
}
