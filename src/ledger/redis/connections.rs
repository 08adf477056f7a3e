//! [`Connections`]: runs scripts on whichever server keeps an account, with a deadline on every call.
//!
//! What was sent and not answered may have been executed: it is never sent again from here. What is sent again was surely not executed: the server did not
//! know the script, or said that another one is to be asked.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::sync::watch;
use tokio::time::Instant;

use super::address::{Host, RedisAddress};
use super::link::{Failed, Info, Link};
use super::script::{CallError, Run, Script};
use super::server::Server;
use super::topology::Servers;
use crate::ledger::types::LedgerError;

/// How often a call follows servers that say "not me".
const REDIRECTS: usize = 5;
/// The pause before a slot that is being moved is asked for again.
const MOVING: Duration = Duration::from_millis(10);

/// How servers are called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallOptions {
    /// A call takes no longer.
    pub(crate) timeout: Duration,
    /// Replicas that must have a change before it counts.
    pub(crate) replicas: u32,
}

/// The way to the servers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Inner>);

struct Inner {
    servers: Servers,
    options: CallOptions,
    changes: watch::Receiver<u64>,
}

/// One thing to ask, in both of its forms.
struct Call<'a> {
    place: Place<'a>,
    first: Cmd,
    /// What to send where the server does not know the script. Long, and so made only then.
    in_full: Option<&'a (dyn Fn() -> Cmd + Sync)>,
    /// The server that it is meant for, by its identity.
    only_for: Option<&'a [u8]>,
    /// Whether replicas are waited for.
    writes: bool,
}

/// Where a thing is kept.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// Where all the keys of this account are.
    Account(&'a str),
    /// Where this key is.
    Key(&'a str),
}

/// What a primary is like.
pub(super) struct Primary {
    pub(super) host: Host,
    /// What it says of itself.
    pub(super) info: Info,
    /// Its policy for when memory is full, where it may be asked.
    pub(super) policy: Option<String>,
    /// What our user may not run there, of what it needs.
    pub(super) forbidden: Vec<String>,
}

/// What to do about an error.
enum Next {
    Fail,
    InFull,
    Ask(Host),
    Moved(Host),
    Again,
}

// === impl Connections ===

impl std::fmt::Debug for Connections {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Connections(..)")
    }
}

impl Connections {
    /// Begins to connect, on the current runtime.
    ///
    /// # Errors
    /// Where the certificates that the address names cannot be read.
    pub(crate) fn start(address: &RedisAddress, options: CallOptions) -> Result<Self, LedgerError> {
        let (sender, changes) = watch::channel(0);
        let servers = Servers::start(address, connect_timeout(options.timeout), sender)?;
        Ok(Self(Arc::new(Inner { servers, options, changes })))
    }

    /// Counts up whenever another server may be asked than before.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.clone()
    }

    /// Waits until the server of an account is connected.
    ///
    /// # Errors
    /// Where it is not within `patience`.
    pub(crate) async fn connected(&self, account: &str, patience: Duration) -> Result<(), CallError> {
        let deadline = Instant::now() + patience;
        loop {
            match self.link(account) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => tokio::time::sleep(MOVING).await,
            }
        }
    }

    /// Which server keeps an account now, and in which of its lives.
    pub(crate) fn identity(&self, account: &str) -> Result<Arc<str>, CallError> {
        self.link(account).map(|link| Arc::clone(&link.identity))
    }

    /// Whether the server of an account has become another one since it was connected to; then it is connected to anew.
    pub(crate) async fn identify_again(&self, account: &str) -> Result<(), CallError> {
        let server = self.server(account)?;
        let link = server.link()?;
        if link.identify(self.0.options.timeout).await? != *link.identity {
            server.broke(&link);
        }
        Ok(())
    }

    /// One command on a key of its own.
    pub(crate) async fn command(&self, key: &str, command: Cmd) -> Result<Value, CallError> {
        self.call(Call { place: Place::Key(key), first: command, in_full: None, only_for: None, writes: false }).await
    }

    /// Several commands on keys of one account as one step.
    pub(crate) async fn transaction(&self, account: &str, mut commands: Pipeline) -> Result<Vec<Value>, CallError> {
        commands.atomic();
        let server = self.server(account)?;
        let link = server.link()?;
        // A snapshot of a large account takes longer than a request of the road.
        let deadline = Instant::now() + self.0.options.timeout.max(SNAPSHOT);
        // MULTI and each command are acknowledged; EXEC answers with everything.
        match link.ask_all(&commands, commands.len() + 1, 1, deadline).await {
            Ok(answers) => match answers.into_iter().next() {
                Some(Value::Array(values)) => Ok(values),
                Some(Value::ServerError(error)) => Err(CallError::from(&RedisError::from(error))),
                _ => Err(CallError::Script("a transaction has no answer".to_owned())),
            },
            Err(failed) => Err(self.failed(&server, &link, &failed)),
        }
    }

    /// What every primary says of itself, and which of these commands our user may not run there.
    pub(super) async fn primaries(&self, commands: &[&str]) -> Result<Vec<Primary>, CallError> {
        let hosts = self.0.servers.primaries();
        if hosts.is_empty() {
            return Err(CallError::NotSent(
                "no server says which one is the primary; are they a Cluster, or Sentinels of that name, as SPENDGATE_STORE says?".to_owned(),
            ));
        }
        let timeout = self.0.options.timeout;
        let mut primaries = Vec::with_capacity(hosts.len());
        for host in hosts {
            let link = self.0.servers.at(&host).link()?;
            let info = link.info(timeout).await?;
            primaries.push(Primary { host, info, policy: link.eviction_policy(timeout).await, forbidden: link.forbidden(commands, timeout).await? });
        }
        Ok(primaries)
    }

    /// How long a call may take.
    pub(super) fn timeout(&self) -> Duration {
        self.0.options.timeout
    }

    /// Replicas that must have a change before it counts.
    pub(super) fn replicas(&self) -> u32 {
        self.0.options.replicas
    }

    /// Why there are no connections, as far as that is known.
    pub(super) fn troubles(&self) -> Vec<String> {
        self.0.servers.troubles()
    }

    fn server(&self, account: &str) -> Result<Arc<Server>, CallError> {
        self.0.servers.of(Place::Account(account))
    }

    fn link(&self, account: &str) -> Result<Arc<Link>, CallError> {
        self.server(account)?.link()
    }

    /// Calls whoever keeps the key, within the deadline, following redirections.
    async fn call(&self, call: Call<'_>) -> Result<Value, CallError> {
        let deadline = Instant::now() + self.0.options.timeout;
        let mut in_full = false;
        let mut asking: Option<Host> = None;
        for _ in 0..=REDIRECTS {
            let server = match asking.as_ref() {
                Some(host) => self.0.servers.at(host),
                None => self.0.servers.of(call.place)?,
            };
            let link = match server.link() {
                Ok(link) => link,
                Err(error) => {
                    self.0.servers.look();
                    return Err(error);
                }
            };
            if call.only_for.is_some_and(|identity| identity != link.identity.as_bytes()) {
                return Err(CallError::Refused("the server is not the one that this was meant for".to_owned()));
            }
            let full = if in_full { call.in_full.map(|in_full| in_full()) } else { None };
            let answer = self.send(&link, full.as_ref().unwrap_or(&call.first), asking.is_some(), call.writes, deadline).await;
            let failed = match answer {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            match next(&failed, in_full || call.in_full.is_none()) {
                Next::Fail => return Err(self.failed(&server, &link, &failed)),
                Next::InFull => in_full = true,
                Next::Ask(host) => asking = Some(host),
                Next::Moved(host) => {
                    asking = None;
                    self.0.servers.moved(call.place, host);
                    // It may have to be connected to first.
                    self.wait_for_link(call.place, deadline).await;
                }
                Next::Again => {
                    asking = None;
                    if Instant::now() + MOVING >= deadline {
                        return Err(self.failed(&server, &link, &failed));
                    }
                    tokio::time::sleep(MOVING).await;
                }
            }
        }
        Err(CallError::Refused("the servers keep naming each other".to_owned()))
    }

    async fn wait_for_link(&self, place: Place<'_>, deadline: Instant) {
        while Instant::now() + MOVING < deadline && self.0.servers.of(place).and_then(|server| server.link()).is_err() {
            tokio::time::sleep(MOVING).await;
        }
    }

    async fn send(&self, link: &Link, command: &Cmd, asking: bool, writes: bool, deadline: Instant) -> Result<Value, Failed> {
        let replicas = if writes { self.0.options.replicas } else { 0 };
        if !asking && replicas == 0 {
            return link.ask(command, deadline).await;
        }
        let mut commands = Pipeline::new();
        if asking {
            commands.cmd("ASKING");
        }
        commands.add_command(command.clone());
        if replicas > 0 {
            // Never 0, which would be for ever.
            let wait = link.patience_with_replicas(self.0.options.timeout / 2).max(Duration::from_millis(1));
            commands.cmd("WAIT").arg(replicas).arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        }
        let answers = link.ask_all(&commands, 0, usize::from(asking) + 1 + usize::from(replicas > 0), deadline).await?;
        let mut answers = answers.into_iter().skip(usize::from(asking));
        let answer = match answers.next() {
            Some(Value::ServerError(error)) => return Err(Failed::Server(error.into())),
            Some(answer) => answer,
            None => return Err(Failed::Late),
        };
        if replicas == 0 {
            return Ok(answer);
        }
        // A wait that is refused is no wait.
        let enough = matches!(answers.next(), Some(Value::Int(count)) if count >= i64::from(replicas));
        link.replicated(enough);
        if enough { Ok(answer) } else { Err(Failed::Unreplicated) }
    }

    /// What a failed call means, and what it says of the connection.
    fn failed(&self, server: &Server, link: &Arc<Link>, failed: &Failed) -> CallError {
        match failed {
            Failed::Late => {
                if link.is_silent() {
                    server.broke(link);
                    self.0.servers.look();
                }
                CallError::Unknown(format!("{} did not answer within {} ms", server.host, self.0.options.timeout.as_millis()))
            }
            Failed::Unreplicated => {
                CallError::Unknown(format!("fewer than {} replicas of {} have the change (SPENDGATE_REDIS_WAIT)", self.0.options.replicas, server.host))
            }
            Failed::Server(error) => {
                let demoted = error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
                if demoted || !matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) {
                    server.broke(link);
                }
                self.0.servers.look();
                CallError::from(error)
            }
        }
    }
}

/// A snapshot may take so long.
const SNAPSHOT: Duration = Duration::from_secs(30);

/// Connecting takes several trips.
fn connect_timeout(timeout: Duration) -> Duration {
    (timeout * 4).clamp(Duration::from_millis(500), Duration::from_secs(5))
}

fn next(failed: &Failed, knows_no_script: bool) -> Next {
    let Failed::Server(error) = failed else { return Next::Fail };
    let redirected = |error: &RedisError| error.redirect_node().and_then(|(address, _)| Host::of_redirection(address));
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::NoScript) if !knows_no_script => Next::InFull,
        ErrorKind::Server(ServerErrorKind::Moved) => redirected(error).map_or(Next::Fail, Next::Moved),
        ErrorKind::Server(ServerErrorKind::Ask) => redirected(error).map_or(Next::Fail, Next::Ask),
        ErrorKind::Server(ServerErrorKind::TryAgain) => Next::Again,
        _ => Next::Fail,
    }
}

impl Run for Connections {
    async fn run(&self, account: &str, script: &'static Script, arguments: &[Vec<u8>]) -> Result<Value, CallError> {
        self.call(Call {
            place: script.place(account),
            first: script.by_digest(account, arguments),
            in_full: Some(&|| script.in_full(account, arguments)),
            only_for: if script.is_vouched() { arguments.first().map(Vec::as_slice) } else { None },
            writes: script.writes(),
        })
        .await
        .map_err(|error| match error {
            CallError::Script(why) => CallError::Script(format!("{}: {why}", script.name)),
            other => other,
        })
    }
}
