//! [`Store`]: the embedded ledger as the handle sees it. Every method is one trip to the writer, or none.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};

use super::clock::Clock;
use super::directory::Directory;
use super::job::{Admitting, Finish, Job};
use super::queue::Queue;
use super::writer::{self, Settings};
use crate::ledger::address::StoreAddress;
use crate::ledger::handle::Admission;
use crate::ledger::report::{UsageFilter, UsageRow};
use crate::ledger::rules::{Changes, State};
use crate::ledger::settler::{Settler, unanswered};
use crate::ledger::types::{AdmitRequest, Denied, EnsuredAccount, LedgerError, TokenFacts};
use crate::money::Usd;
use crate::tokens::{NewToken, Secret, SecretHash, TokenId, TokenPatch, TokenRuleError, TokenView};

/// The embedded ledger.
pub(crate) struct Store {
    queue: Arc<Queue>,
    directory: Arc<Directory>,
    clock: Arc<Clock>,
    path: PathBuf,
    /// Ends with the writer.
    writer: watch::Receiver<()>,
}

// === impl Store ===

impl Store {
    /// Opens the file and starts the writer.
    pub(crate) fn open(settings: Settings) -> Result<(Self, Arc<Settler>), LedgerError> {
        let queue = Arc::new(Queue::default());
        let directory = Arc::new(Directory::default());
        let settler = Arc::new(Settler::new(Arc::clone(&queue) as Arc<_>));
        let (path, clock) = (settings.path.clone(), Arc::clone(&settings.clock));
        let writer = writer::start(settings, Arc::clone(&directory), Arc::clone(&queue), Arc::clone(&settler))?;
        Ok((Self { queue, directory, clock, path, writer }, settler))
    }

    /// Where it is kept.
    pub(crate) fn address(&self) -> StoreAddress {
        StoreAddress::Sqlite(self.path.clone())
    }

    /// Takes no more; what was handed over is still written.
    pub(crate) fn stop(&self) {
        self.queue.close();
    }

    /// Returns when the writer has ended and the lock is free.
    pub(crate) async fn closed(&self) {
        let mut writer = self.writer.clone();
        while writer.changed().await.is_ok() {}
    }

    pub(crate) async fn ping(&self) -> Result<(), LedgerError> {
        self.manage(|_, _, _| ()).await
    }

    // The same on every store; a server has to be asked.
    #[allow(clippy::unused_async)]
    pub(crate) async fn token_facts(&self, secret: &SecretHash) -> Result<Option<Arc<TokenFacts>>, LedgerError> {
        Ok(self.facts(secret))
    }

    /// What is in memory is what is in the file.
    pub(crate) async fn token_facts_now(&self, secret: &SecretHash) -> Result<Option<Arc<TokenFacts>>, LedgerError> {
        self.token_facts(secret).await
    }

    fn facts(&self, secret: &SecretHash) -> Option<Arc<TokenFacts>> {
        self.directory.token(secret, || self.clock.now())
    }

    #[allow(clippy::unused_async)]
    pub(crate) async fn account_of_main_key(&self, secret: &SecretHash) -> Result<Option<Arc<str>>, LedgerError> {
        Ok(self.directory.account(secret))
    }

    pub(crate) async fn admit(&self, request: AdmitRequest) -> Result<Admission, LedgerError> {
        let Some(facts) = self.facts(&request.secret).filter(|facts| facts.id == request.token) else { return Ok(Admission::Denied(Denied::Unknown)) };
        let (reply, answer) = oneshot::channel();
        self.queue.ask(Job::Admit(Admitting { request, facts, reply }))?;
        answer.await.unwrap_or_else(|_| Err(unanswered()))
    }

    pub(crate) async fn ensure_account(&self, name: &str, main_key: Option<SecretHash>) -> Result<EnsuredAccount, LedgerError> {
        let name = name.to_owned();
        self.manage(move |state, now, changes| state.ensure_account(now, &name, main_key, changes)).await
    }

    pub(crate) async fn credits(&self, account: &str) -> Result<Option<Usd>, LedgerError> {
        let account = account.to_owned();
        self.manage(move |state, _, _| state.credits(&account)).await
    }

    /// False: no such account.
    pub(crate) async fn set_credits(&self, account: &str, balance: Option<Usd>) -> Result<bool, LedgerError> {
        let name = account.to_owned();
        self.manage(move |state, now, changes| state.set_credits(now, &name, balance, changes)).await
    }

    /// None: no such account.
    pub(crate) async fn create_token(
        &self,
        account: &str,
        token: NewToken,
        secret: &Secret,
    ) -> Result<Option<Result<TokenView, Vec<TokenRuleError>>>, LedgerError> {
        let (name, hash, masked) = (account.to_owned(), secret.hash(), secret.masked());
        self.manage(move |state, now, changes| state.create_token(now, &name, token, hash, masked, changes)).await
    }

    pub(crate) async fn update_token(
        &self,
        account: &str,
        name: &str,
        patch: TokenPatch,
        dry_run: bool,
    ) -> Result<Option<Result<TokenView, Vec<TokenRuleError>>>, LedgerError> {
        let (account, name) = (account.to_owned(), name.to_owned());
        self.manage(move |state, now, changes| state.update_token(now, &account, &name, &patch, dry_run, changes)).await
    }

    pub(crate) async fn rotate_token(&self, account: &str, name: &str, secret: &Secret, grace: Duration) -> Result<Option<TokenView>, LedgerError> {
        let (account, name, secret) = (account.to_owned(), name.to_owned(), (secret.hash(), secret.masked()));
        self.manage(move |state, now, changes| state.rotate_token(now, &account, &name, secret, grace, changes)).await
    }

    pub(crate) async fn delete_token(&self, account: &str, name: &str) -> Result<bool, LedgerError> {
        let (account, name) = (account.to_owned(), name.to_owned());
        self.manage(move |state, now, changes| state.delete_token(now, &account, &name, changes)).await
    }

    pub(crate) async fn token(&self, account: &str, name: &str) -> Result<Option<TokenView>, LedgerError> {
        let (account, name) = (account.to_owned(), name.to_owned());
        self.manage(move |state, now, _| state.view_named(&account, &name, now)).await
    }

    pub(crate) async fn token_of(&self, facts: &TokenFacts) -> Result<Option<TokenView>, LedgerError> {
        let id = facts.id;
        self.manage(move |state, now, _| state.view(id, now)).await
    }

    pub(crate) async fn accounts(&self) -> Result<Vec<String>, LedgerError> {
        self.manage(|state, _, _| state.accounts().iter().map(|account| account.name.to_string()).collect()).await
    }

    pub(crate) async fn views_after(&self, account: &str, after: TokenId, most: usize) -> Result<Vec<TokenView>, LedgerError> {
        let account = account.to_owned();
        self.manage(move |state, now, _| state.views_after(&account, after, most, now)).await
    }

    /// Daily usage, read on a connection and a thread of its own.
    pub(crate) async fn usage(&self, filter: UsageFilter) -> Result<Vec<UsageRow>, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let path = self.path.clone();
        let report = move || drop(reply.send(super::reports::usage(&path, &filter)));
        let spawned = std::thread::Builder::new().name("spendgate-report".to_owned()).spawn(report);
        spawned.map_err(|error| LedgerError::Unavailable(format!("cannot start a thread: {error}")))?;
        answer.await.unwrap_or_else(|_| Err(unanswered()))
    }

    pub(crate) fn pending_settlements(&self) -> usize {
        self.queue.len()
    }

    /// Runs `change` on the state, and answers when what it changed is durable.
    pub(crate) async fn manage<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut State, Timestamp, &mut Changes) -> T + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let job = move |state: &mut State, now: Timestamp, changes: &mut Changes| -> Finish {
            let value = change(state, now, changes);
            Box::new(move || drop(reply.send(value)))
        };
        self.queue.ask(Job::Manage(Box::new(job)))?;
        answer.await.map_err(|_| unanswered())
    }
}
