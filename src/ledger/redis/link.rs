//! One connection to one server: known to be a primary, and which one, before anything is asked over it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo, Pipeline, RedisConnectionInfo, RedisError, TlsCertificates, Value};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use super::address::{Host, Login, RedisAddress};
use super::keys::hex;
use super::remedies::{IS_REPLICA, IS_SENTINEL};
use super::rights;
use super::script::CallError;
use crate::ledger::types::LedgerError;

/// Calls that wait in line for the socket: the line is never what a request waits for.
const LINE: usize = 4096;
/// Calls gather in a buffer of this many bytes before they are written.
const WRITE_BUFFER: usize = 256 * 1024;
/// A connection that has answered nothing for so long, though it was asked, is given up.
const SILENT: Duration = Duration::from_secs(1);

/// While there are too few replicas, they are waited for in full once in so many milliseconds, otherwise only so long.
const LACKING_EACH: u64 = 1000;
const LACKING: Duration = Duration::from_millis(2);

/// How to reach servers.
#[derive(Clone)]
pub(super) struct Dialer {
    tls: bool,
    certificates: Option<Vec<u8>>,
    login: Login,
    database: i64,
    timeout: Duration,
}

/// A connection.
pub(super) struct Link {
    connection: MultiplexedConnection,
    /// Which server it is, and which of its lives.
    pub(super) identity: Arc<str>,
    began: Instant,
    /// When something was asked that was not answered since, in milliseconds after `began`; 0: everything is answered.
    unanswered_since: AtomicU64,
    /// When replicas were last waited for in full, while there are too few of them, in milliseconds after `began`; 0: there are enough.
    lacking_replicas: AtomicU64,
}

/// What a server says of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Info(pub(super) String);

// === impl Dialer ===

impl Dialer {
    /// For the servers of an address.
    pub(super) fn to_servers(address: &RedisAddress, timeout: Duration) -> Result<Self, LedgerError> {
        Self::new(address, address.login.clone(), address.database, timeout)
    }

    /// For its Sentinels.
    pub(super) fn to_sentinels(address: &RedisAddress, timeout: Duration) -> Result<Self, LedgerError> {
        Self::new(address, address.sentinel_login.clone(), 0, timeout)
    }

    fn new(address: &RedisAddress, login: Login, database: i64, timeout: Duration) -> Result<Self, LedgerError> {
        let certificates = address.authority.as_deref().map(authority).transpose()?;
        Ok(Self { tls: address.tls, certificates, login, database, timeout })
    }

    /// A bare connection.
    pub(super) async fn connect(&self, host: &Host) -> Result<MultiplexedConnection, CallError> {
        let failed = |error: &RedisError| CallError::NotSent(format!("{host}: {error}"));
        let address = if self.tls {
            ConnectionAddr::TcpTls { host: host.name.clone(), port: host.port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host.name.clone(), host.port)
        };
        let mut settings = RedisConnectionInfo::default().set_db(self.database).set_lib_name("spendgate", env!("CARGO_PKG_VERSION"));
        if let Some(user) = &self.login.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.login.password {
            settings = settings.set_password(password);
        }
        let info = address.into_connection_info().map_err(|error| failed(&error))?.set_redis_settings(settings);
        let client = match &self.certificates {
            Some(authority) => Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(authority.clone()) }),
            None => Client::open(info),
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(LINE)
            .set_write_backpressure_boundary(WRITE_BUFFER);
        let client = client.map_err(|error| failed(&error))?;
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        match tokio::time::timeout(self.timeout, connecting).await {
            Ok(connected) => connected.map_err(|error| failed(&error)),
            Err(_) => Err(CallError::NotSent(format!("{host}: no connection within {} ms", self.timeout.as_millis()))),
        }
    }

    /// A connection to a primary, that can be asked.
    pub(super) async fn link(&self, host: &Host) -> Result<(Link, Info), CallError> {
        let mut connection = self.connect(host).await?;
        let info = Info::ask(&mut connection, self.timeout).await.map_err(|error| CallError::NotSent(format!("{host}: {}", error.reason())))?;
        if info.field("loading") == Some("1") {
            return Err(CallError::NotSent(format!("{host} is still loading its data")));
        }
        // As Redis says it, and as Valkey does.
        if ["redis_mode", "server_mode"].iter().any(|mode| info.field(mode) == Some("sentinel")) {
            return Err(CallError::NotSent(format!("{host} {IS_SENTINEL}")));
        }
        if info.field("role") != Some("master") {
            return Err(CallError::NotSent(format!("{host} {IS_REPLICA}")));
        }
        let link = Link {
            connection,
            identity: info.identity().into(),
            began: Instant::now(),
            unanswered_since: AtomicU64::new(0),
            lacking_replicas: AtomicU64::new(0),
        };
        Ok((link, info))
    }
}

/// The file of the certificates that sign the servers', of which one at least can be read.
fn authority(path: &Path) -> Result<Vec<u8>, LedgerError> {
    let refused =
        |what: &str| LedgerError::Incompatible(format!("{} {what}. Name a file of certificates (PEM) with \"?ca=\" in SPENDGATE_STORE", path.display()));
    let text = std::fs::read(path).map_err(|error| refused(&format!("cannot be read: {error}")))?;
    match CertificateDer::pem_slice_iter(&text).next() {
        Some(Ok(_)) => Ok(text),
        _ => Err(refused("holds no certificate")),
    }
}

// === impl Link ===

impl Link {
    /// Asks one thing. A call that has no answer by the deadline may have been executed all the same.
    pub(super) async fn ask(&self, command: &Cmd, deadline: tokio::time::Instant) -> Result<Value, Failed> {
        let mut connection = self.connection.clone();
        // An error of the server is an answer too.
        self.asked(deadline, async move { connection.send_packed_command(command).await?.extract_error() }).await
    }

    /// Asks several things in one write; the answers, but for the first `skipped`, are in the same order, and may be errors.
    pub(super) async fn ask_all(&self, commands: &Pipeline, skipped: usize, count: usize, deadline: tokio::time::Instant) -> Result<Vec<Value>, Failed> {
        let mut connection = self.connection.clone();
        self.asked(deadline, async move { connection.send_packed_commands(commands, skipped, count).await }).await
    }

    async fn asked<T>(&self, deadline: tokio::time::Instant, answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, Failed> {
        let now = self.now();
        let _ = self.unanswered_since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(answer) => {
                self.unanswered_since.store(0, Ordering::Relaxed);
                answer.map_err(Failed::Server)
            }
            Err(_) => Err(Failed::Late),
        }
    }

    /// Whether it was asked and has been silent for so long that it is worth no more waiting.
    pub(super) fn is_silent(&self) -> bool {
        let since = self.unanswered_since.load(Ordering::Relaxed);
        since > 0 && self.began.elapsed() > Duration::from_millis(since) + SILENT
    }

    /// How long replicas are waited for, `usual` where there were enough the last time. Whatever is asked over this connection waits as long: where there
    /// are too few, that is rare, so that endings and renewals still reach the server in time.
    pub(super) fn patience_with_replicas(&self, usual: Duration) -> Duration {
        let last = self.lacking_replicas.load(Ordering::Relaxed);
        let now = self.now();
        let due = now.saturating_sub(last) >= LACKING_EACH;
        if last == 0 || (due && self.lacking_replicas.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()) { usual } else { LACKING }
    }

    /// Whether enough replicas had the last change.
    pub(super) fn replicated(&self, enough: bool) {
        if enough {
            self.lacking_replicas.store(0, Ordering::Relaxed);
        } else {
            let _ = self.lacking_replicas.compare_exchange(0, self.now(), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Milliseconds since it began, never 0.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// Asks the server again who it is: a replication id changes in its life.
    pub(super) async fn identify(&self, timeout: Duration) -> Result<String, CallError> {
        self.info(timeout).await.map(|info| info.identity())
    }

    /// What the server says of itself.
    pub(super) async fn info(&self, timeout: Duration) -> Result<Info, CallError> {
        Info::ask(&mut self.connection.clone(), timeout).await
    }

    /// What the server does when its memory is full, where it may be asked.
    pub(super) async fn eviction_policy(&self, timeout: Duration) -> Option<String> {
        let mut connection = self.connection.clone();
        let mut question = redis::cmd("CONFIG");
        question.arg("GET").arg("maxmemory-policy");
        let answer = tokio::time::timeout(timeout, question.query_async::<Vec<String>>(&mut connection)).await;
        answer.ok()?.ok()?.into_iter().nth(1)
    }

    /// Which of these commands our user may not run on the keys of the ledger; none where the server cannot tell.
    pub(super) async fn forbidden(&self, commands: &[&str], timeout: Duration) -> Result<Vec<String>, CallError> {
        let mut connection = self.connection.clone();
        let mut question = redis::cmd("EVAL");
        question.arg(rights::SCRIPT).arg(0).arg(commands);
        match tokio::time::timeout(timeout, question.query_async(&mut connection)).await {
            Ok(Ok(forbidden)) => Ok(forbidden),
            Ok(Err(error)) => match CallError::from(&error) {
                // Too old a server, or one that only resembles Redis.
                CallError::Script(_) => Ok(Vec::new()),
                other => Err(other),
            },
            Err(_) => Err(CallError::Unknown(format!("its rights were not told within {} ms", timeout.as_millis()))),
        }
    }
}

/// Why a link gave no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// None came in time.
    Late,
    /// It is done, and so few replicas have it that it may be lost with the server.
    Unreplicated,
    /// The server, or the connection, said why.
    Server(RedisError),
}

// === impl Info ===

impl Info {
    /// Asks for everything.
    pub(super) async fn ask(connection: &mut MultiplexedConnection, timeout: Duration) -> Result<Self, CallError> {
        let command = redis::cmd("INFO");
        match tokio::time::timeout(timeout, command.query_async::<String>(connection)).await {
            Ok(Ok(text)) => Ok(Self(text)),
            Ok(Err(error)) => Err(CallError::from(&error)),
            Err(_) => Err(CallError::Unknown(format!("INFO was not answered within {} ms", timeout.as_millis()))),
        }
    }

    /// A field of it.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
    }

    /// Differs for each life of each server, and for each time that it became a primary.
    fn identity(&self) -> String {
        let text = format!("{}:{}", self.field("run_id").unwrap_or_default(), self.field("master_replid").unwrap_or_default());
        let mut identity = hex(&Sha256::digest(text.as_bytes()));
        identity.truncate(16);
        identity
    }
}
