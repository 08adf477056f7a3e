//! [`Store`]: the shared ledger as the handle sees it. Everything runs on the worker; what is asked here goes on there even if nobody waits any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::address::RedisAddress;
use super::checks;
use super::connections::{CallOptions, Connections};
use super::core::{Core, Scripts, unavailable};
use super::deliver::{DeliverOptions, Deliverer};
use super::endings::{Endings, restore};
use super::memory::AdmittedHold;
use super::operations::{Answer, Operations};
use super::requests::Way;
use super::script::CallError;
use super::slices::{self, Slices};
use super::worker::Worker;
use super::{failover, keys, upkeep};
use crate::ledger::address::StoreAddress;
use crate::ledger::handle::Admission;
use crate::ledger::outbox::{Ending, MOST_ACCOUNT_BYTES, Outbox, OutboxOptions, Record};
use crate::ledger::report::{UsageFilter, UsageRow};
use crate::ledger::settler::Settler;
use crate::ledger::types::{AdmitRequest, Denied, EnsuredAccount, LedgerError, SliceCounts, TokenFacts};
use crate::money::Usd;
use crate::tokens::{NewToken, Secret, SecretHash, TokenId, TokenPatch, TokenRuleError, TokenView};

/// How long a start waits for the server.
pub(super) const START: Duration = Duration::from_secs(10);
/// The pause between two tries of a start.
const AGAIN: Duration = Duration::from_millis(100);
/// How long a closing ledger goes on trying to deliver what it was given.
const LAST_TRIES: Duration = Duration::from_secs(8);

/// How long it goes on trying to give slices back.
const LAST_SLICES: Duration = Duration::from_secs(1);

/// How the shared ledger is run.
pub(crate) struct Settings {
    /// Where the servers are.
    pub(crate) address: RedisAddress,
    /// The folder of the outbox.
    pub(crate) outbox: std::path::PathBuf,
    /// Whether the outbox waits for the disk.
    pub(crate) fsync_always: bool,
    /// Where periods and days begin.
    pub(crate) zone: jiff::tz::TimeZone,
    /// How long the journal is kept.
    pub(crate) journal_days: u32,
    /// How long a call may take.
    pub(crate) timeout: Duration,
    /// Replicas that must have a change before it counts.
    pub(crate) replicas: u32,
    /// Whether requests are admitted from slices of budgets.
    pub(crate) slices: bool,
}

/// The shared ledger.
pub(crate) struct Store {
    address: RedisAddress,
    core: Arc<Core>,
    worker: Arc<Worker>,
    settler: Arc<Settler>,
    closed: Arc<AtomicBool>,
}

// === impl Store ===

impl Store {
    /// Connects, refuses a server that cannot keep a ledger, takes up what the outbox holds, and starts what runs beside requests.
    pub(crate) async fn open(settings: Settings) -> Result<(Self, Arc<Settler>), LedgerError> {
        let worker = Arc::new(Worker::start()?);
        let core = worker.run(start(settings.address.clone(), settings)).await;
        let (address, core, journal_days) = match core {
            Ok(started) => started,
            Err(error) => {
                worker.stop();
                return Err(error);
            }
        };
        worker.spawn(failover::watch(Arc::clone(&core)));
        worker.spawn(upkeep::run(Arc::clone(&core), journal_days));
        let closed = Arc::new(AtomicBool::new(false));
        let way = Way::new(Arc::clone(&core), Arc::clone(&worker), Arc::clone(&closed));
        let settler = Arc::new(Settler::new(Arc::new(way)));
        Ok((Self { address, core, worker, settler: Arc::clone(&settler), closed }, settler))
    }

    /// Where it is kept.
    pub(crate) fn address(&self) -> StoreAddress {
        StoreAddress::Redis(self.address.clone())
    }

    /// Takes no more; what was handed over is still delivered, or written to the outbox.
    pub(crate) fn stop(&self) {
        if self.closed.swap(true, Ordering::SeqCst) {
            return;
        }
        let (core, worker) = (Arc::clone(&self.core), Arc::clone(&self.worker));
        self.worker.spawn(async move {
            core.slices.stop();
            core.deliverer.close(LAST_TRIES).await;
            core.slices.stopped(LAST_SLICES).await;
            for account in core.accounts() {
                leave(&core, &account).await;
            }
            worker.stop();
        });
    }

    /// Returns when all of it has ended.
    pub(crate) async fn closed(&self) {
        self.worker.ended().await;
    }

    pub(crate) async fn ping(&self) -> Result<(), LedgerError> {
        self.on_worker(|core| async move {
            let accounts = core.accounts();
            for account in accounts {
                core.answered(core.operations.credits(&account).await)?;
            }
            core.outbox.reserve().map(drop)
        })
        .await
    }

    pub(crate) async fn token_facts(&self, secret: &SecretHash) -> Result<Option<Arc<TokenFacts>>, LedgerError> {
        match self.core.directory.known(secret) {
            Some(known) => Ok(Some(known)),
            None => self.token_facts_now(secret).await,
        }
    }

    pub(crate) async fn token_facts_now(&self, secret: &SecretHash) -> Result<Option<Arc<TokenFacts>>, LedgerError> {
        let secret = *secret;
        self.on_worker(move |core| async move { look_up(&core, &secret).await }).await
    }

    pub(crate) async fn account_of_main_key(&self, secret: &SecretHash) -> Result<Option<Arc<str>>, LedgerError> {
        let secret = *secret;
        self.on_worker(move |core| async move {
            let Some(account) = text_at(&core, &keys::main_key(&secret)).await? else { return Ok(None) };
            let key = keys::of_account_part(&account, "account");
            let mut question = redis::cmd("HGET");
            question.arg(&key).arg("main_key");
            let stored: Option<String> = read(core.connections().command(&key, question).await)?;
            // One that was replaced opens nothing any more.
            let opens = stored.and_then(|text| keys::unhex(&text)).map(SecretHash).is_some_and(|stored| stored.matches(&secret));
            Ok(opens.then(|| Arc::from(account.as_str())))
        })
        .await
    }

    pub(crate) async fn admit(&self, request: AdmitRequest) -> Result<Admission, LedgerError> {
        let Some(facts) = self.token_facts(&request.secret).await?.filter(|facts| facts.id == request.token) else {
            return Ok(Admission::Denied(Denied::Unknown));
        };
        if self.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        if let Some(admission) = self.core.slices.admit(&self.core, &self.settler, &facts, &request)? {
            return Ok(admission);
        }
        let settler = Arc::clone(&self.settler);
        self.on_worker(move |core| slices::admit(core, settler, facts, request)).await
    }

    pub(crate) async fn ensure_account(&self, name: &str, main_key: Option<SecretHash>) -> Result<EnsuredAccount, LedgerError> {
        if name.len() > MOST_ACCOUNT_BYTES {
            return Err(LedgerError::Unavailable(format!("an account's name has at most {MOST_ACCOUNT_BYTES} bytes, this one has {}", name.len())));
        }
        let name = name.to_owned();
        self.on_worker(move |core| async move {
            core.connections().connected(&name, START).await.map_err(|error| unavailable(&error))?;
            let deadline = tokio::time::Instant::now() + START;
            loop {
                match ensure_account(&core, &name, main_key).await {
                    // Its replicas may be about to come. All of it can be repeated.
                    Err(LedgerError::Unavailable(_)) if tokio::time::Instant::now() < deadline => tokio::time::sleep(AGAIN).await,
                    done => return done,
                }
            }
        })
        .await
    }

    pub(crate) async fn credits(&self, account: &str) -> Result<Option<Usd>, LedgerError> {
        let account = account.to_owned();
        self.on_worker(move |core| async move { core.answered(core.operations.credits(&account).await) }).await
    }

    /// False: no such account.
    pub(crate) async fn set_credits(&self, account: &str, balance: Option<Usd>) -> Result<bool, LedgerError> {
        let account = account.to_owned();
        self.on_worker(move |core| async move {
            core.slices.recall_before(&core, &account, None).await?;
            let answer = core.operations.set_credits(&account, &identity(&core, &account)?, balance).await;
            if matches!(answer, Ok((Answer::NoAccount, _))) {
                return Ok(false);
            }
            core.answered(answer)?;
            core.slices.recall_surely(&core, &account, None).await?;
            Ok(true)
        })
        .await
    }

    /// None: no such account.
    pub(crate) async fn create_token(
        &self,
        account: &str,
        token: NewToken,
        secret: &Secret,
    ) -> Result<Option<Result<TokenView, Vec<TokenRuleError>>>, LedgerError> {
        let (account, hash, masked) = (account.to_owned(), secret.hash(), secret.masked());
        self.on_worker(move |core| async move {
            // First the way to the account, then the token: a way that leads nowhere does no harm.
            set_text(&core, &keys::secret(&hash), &account).await?;
            let answer = core.operations.create_token(&account, &identity(&core, &account)?, &token, &hash, &masked).await;
            if matches!(answer, Ok((Answer::NoAccount, _))) {
                return Ok(None);
            }
            let made = core.answered(answer)?;
            if made.is_err() {
                delete(&core, &keys::secret(&hash)).await;
            }
            Ok(Some(made))
        })
        .await
    }

    pub(crate) async fn update_token(
        &self,
        account: &str,
        name: &str,
        patch: TokenPatch,
        dry_run: bool,
    ) -> Result<Option<Result<TokenView, Vec<TokenRuleError>>>, LedgerError> {
        let (account, name) = (account.to_owned(), name.to_owned());
        self.on_worker(move |core| async move {
            if core.slices.on && !dry_run {
                let token = core.answered(core.operations.view_named(&account, &name).await)?.map(|view| view.id);
                let Some(token) = token else { return Ok(None) };
                core.slices.recall_before(&core, &account, Some(token)).await?;
            }
            let changed = core.answered(core.operations.update_token(&account, &identity(&core, &account)?, &name, &patch, dry_run).await)?;
            if let Some(Ok(view)) = changed.as_ref().filter(|_| !dry_run) {
                core.slices.recall_surely(&core, &account, Some(view.id)).await?;
            }
            Ok(changed)
        })
        .await
    }

    pub(crate) async fn rotate_token(&self, account: &str, name: &str, secret: &Secret, grace: Duration) -> Result<Option<TokenView>, LedgerError> {
        let (account, name, hash, masked) = (account.to_owned(), name.to_owned(), secret.hash(), secret.masked());
        self.on_worker(move |core| async move {
            set_text(&core, &keys::secret(&hash), &account).await?;
            let answer = core.operations.rotate_token(&account, &identity(&core, &account)?, &name, (&hash, &masked), grace).await;
            let Some(rotated) = core.answered(answer)? else {
                delete(&core, &keys::secret(&hash)).await;
                return Ok(None);
            };
            forget(&core, &rotated.dropped).await;
            core.slices.recall_surely(&core, &account, Some(rotated.view.id)).await?;
            Ok(Some(rotated.view))
        })
        .await
    }

    pub(crate) async fn delete_token(&self, account: &str, name: &str) -> Result<bool, LedgerError> {
        let (account, name) = (account.to_owned(), name.to_owned());
        self.on_worker(move |core| async move {
            let Some(token) = core.answered(core.operations.view_named(&account, &name).await)?.map(|view| view.id) else { return Ok(false) };
            let answer = core.operations.delete_token(&account, &identity(&core, &account)?, &name).await;
            let Some(dropped) = core.answered(answer)? else { return Ok(false) };
            forget(&core, &dropped).await;
            core.slices.recall_surely(&core, &account, Some(token)).await?;
            Ok(true)
        })
        .await
    }

    pub(crate) async fn token(&self, account: &str, name: &str) -> Result<Option<TokenView>, LedgerError> {
        let (account, name) = (account.to_owned(), name.to_owned());
        self.on_worker(move |core| async move { core.answered(core.operations.view_named(&account, &name).await) }).await
    }

    pub(crate) async fn token_of(&self, facts: &TokenFacts) -> Result<Option<TokenView>, LedgerError> {
        let (account, id) = (facts.account.clone(), facts.id);
        self.on_worker(move |core| async move { core.answered(core.operations.view(&account, id).await) }).await
    }

    // The same on every store; a file has to be asked.
    #[allow(clippy::unused_async)]
    pub(crate) async fn accounts(&self) -> Result<Vec<String>, LedgerError> {
        Ok(self.core.accounts())
    }

    pub(crate) async fn views_after(&self, account: &str, after: TokenId, most: usize) -> Result<Vec<TokenView>, LedgerError> {
        let account = account.to_owned();
        self.on_worker(move |core| async move { core.answered(core.operations.views_after(&account, after, most).await) }).await
    }

    pub(crate) async fn usage(&self, filter: UsageFilter) -> Result<Vec<UsageRow>, LedgerError> {
        self.on_worker(move |core| async move { super::reports::usage(&core, &filter).await }).await
    }

    pub(crate) fn pending_settlements(&self) -> usize {
        self.core.outbox.len()
    }

    /// What happened with slices; none where there are none.
    pub(crate) fn slices(&self) -> Option<SliceCounts> {
        self.core.slices.on.then(|| self.core.slices.counts())
    }

    async fn on_worker<T, F>(&self, work: impl FnOnce(Arc<Core>) -> F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, LedgerError>> + Send + 'static,
    {
        if self.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        self.worker.run(work(Arc::clone(&self.core))).await
    }
}

pub(super) fn closed() -> LedgerError {
    LedgerError::Unavailable("it is closed".to_owned())
}

async fn start(address: RedisAddress, settings: Settings) -> Result<(RedisAddress, Arc<Core>, u32), LedgerError> {
    let options = OutboxOptions { fsync: settings.fsync_always, ..OutboxOptions::default() };
    let (outbox, recovered) = Outbox::open(&settings.outbox, &options)?;
    let call = CallOptions { timeout: settings.timeout, replicas: settings.replicas };
    let connections = Connections::start(&address, call)?;
    checks::check(&connections, &address, START).await?;
    let operations: Arc<Scripts> = Arc::new(Operations::new(connections, settings.zone));
    if !recovered.is_empty() {
        tracing::info!(count = recovered.len(), "requests ended before this start that the ledger's server does not know of yet");
    }
    // One that was admitted from a slice may be unknown yet: it comes out of the slice, even if only to be given back.
    let had_hold = |record: &&Record| record.facts.slice.is_some() || !matches!(record.ending, Ending::Void(..));
    for record in recovered.iter().map(|one| &one.record).filter(had_hold) {
        // A failover may have lost the hold, and an ending without its hold does nothing.
        if jiff::Timestamp::now().duration_since(record.written_at) < failover::RESTORABLE {
            restore(&operations, &AdmittedHold::of(record)).await.map_err(|error| unavailable(&error))?;
        }
    }
    slices::settle_left(&operations, &outbox).await.map_err(|error| unavailable(&error))?;
    let failover = Arc::new(Notify::new());
    let patience = DeliverOptions { attempt: settings.timeout * 2, ..DeliverOptions::default() };
    let slices = Arc::new(Slices::new(Arc::clone(&operations), outbox.clone(), settings.slices));
    let endings = Endings { operations: Arc::clone(&operations), slices: settings.slices.then(|| Arc::clone(&slices)) };
    let deliverer = Deliverer::start(endings, outbox.clone(), recovered, patience);
    Ok((address, Arc::new(Core::new(operations, outbox, deliverer, slices, failover)), settings.journal_days))
}

async fn ensure_account(core: &Arc<Core>, name: &str, main_key: Option<SecretHash>) -> Result<EnsuredAccount, LedgerError> {
    if let Some(key) = main_key {
        // First the way to the account, then the key itself: one that leads nowhere does no harm.
        set_text(core, &keys::main_key(&key), name).await?;
    }
    let id = core.answered(core.operations.allocate_account(name, None).await)?;
    let ensured = core.answered(core.operations.ensure_account(name, id, main_key).await)?;
    let replaced = ensured.main_key_before.filter(|before| main_key.is_some_and(|key| key != *before));
    if let Some(before) = replaced {
        delete(core, &keys::main_key(&before)).await;
    }
    if ensured.id != id {
        core.answered(core.operations.allocate_account(name, Some(ensured.id)).await)?;
    }
    // No key of an account is ever missing: a Cluster moves them one by one.
    let key = keys::of_account_part(name, keys::SLICES);
    let mut keep = redis::cmd("HSETNX");
    keep.arg(&key).arg("").arg("");
    core.connections().command(&key, keep).await.map_err(|error| unavailable(&error))?;
    if core.serves(name) {
        failover::vouch(core, name).await?;
    }
    Ok(EnsuredAccount { created: ensured.created, has_main_key: ensured.has_main_key, replaced_main_key: replaced.is_some() })
}

/// The account's server, as an admission or a change by hand names it.
pub(super) fn identity(core: &Core, account: &str) -> Result<Arc<str>, LedgerError> {
    core.connections().identity(account).map_err(|error| unavailable(&error))
}

async fn look_up(core: &Core, secret: &SecretHash) -> Result<Option<Arc<TokenFacts>>, LedgerError> {
    let Some(account) = text_at(core, &keys::secret(secret)).await? else { return Ok(None) };
    let answer = core.operations.facts_by_secret(&account, secret).await;
    if matches!(answer, Ok((Answer::NoAccount, _))) {
        return Ok(None);
    }
    let facts = core.answered(answer)?.map(|facts| Arc::new(facts.token));
    if facts.is_some() && core.serves(&account) {
        core.failover.notify_one();
    }
    core.directory.learn(*secret, facts.as_ref());
    Ok(facts)
}

/// Secrets that open nothing any more.
async fn forget(core: &Core, secrets: &[SecretHash]) {
    for secret in secrets {
        core.directory.forget(secret);
        delete(core, &keys::secret(secret)).await;
    }
}

/// This gateway is not waited for any more.
async fn leave(core: &Core, account: &str) {
    let key = keys::of_account_part(account, "gateways");
    let mut command = redis::cmd("ZREM");
    command.arg(&key).arg(&core.gateway);
    if let Err(error) = core.connections().command(&key, command).await {
        tracing::debug!(account, %error, "this gateway could not sign off");
    }
}

async fn text_at(core: &Core, key: &str) -> Result<Option<String>, LedgerError> {
    let mut question = redis::cmd("GET");
    question.arg(key);
    read(core.connections().command(key, question).await)
}

async fn set_text(core: &Core, key: &str, text: &str) -> Result<(), LedgerError> {
    let mut command = redis::cmd("SET");
    command.arg(key).arg(text);
    core.connections().command(key, command).await.map(drop).map_err(|error| unavailable(&error))
}

/// Takes away a key that leads nowhere. One that stays does no harm.
async fn delete(core: &Core, key: &str) {
    let mut command = redis::cmd("DEL");
    command.arg(key);
    if let Err(error) = core.connections().command(key, command).await {
        tracing::debug!(%error, "a key that leads nowhere stays");
    }
}

fn read<T: redis::FromRedisValue>(answer: Result<redis::Value, CallError>) -> Result<T, LedgerError> {
    let value = answer.map_err(|error| unavailable(&error))?;
    redis::from_redis_value(value).map_err(|error| LedgerError::Unavailable(format!("an answer makes no sense: {error}")))
}
