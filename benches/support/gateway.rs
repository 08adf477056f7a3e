//! The gateway: the real binary in a folder of its own, with a route to a stand-in provider.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;

use crate::population::{MAIN_KEY, Population};
use crate::process::{self, Core, Process};
use crate::redis_server::Redis;

/// How soon a page of the gateway must be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running gateway: everything on, an enforced budget, metrics, a log line in JSON for each request.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) ops: SocketAddr,
    pub(crate) process: Process,
    /// The server behind it, where its ledger is on one.
    pub(crate) redis: Option<Redis>,
    /// From its start until `/readyz` said yes.
    pub(crate) ready: Duration,
    /// Goes after the process.
    _folder: TempDir,
}

// === impl Gateway ===

impl Gateway {
    /// Starts it on a ledger with these tokens: on Redis where a server is given, else on an SQLite file.
    pub(crate) fn start(tokens: &Population, redis: Option<Redis>, provider: SocketAddr, core: Core) -> anyhow::Result<Self> {
        Self::start_set(tokens, redis, provider, core, &[])
    }

    /// The same, with more settings.
    pub(crate) fn start_set(tokens: &Population, redis: Option<Redis>, provider: SocketAddr, core: Core, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let binary = std::env::var_os("SPENDGATE_BINARY").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_spendgate")), PathBuf::from);
        let folder = TempDir::with_prefix("spendgate-bench-")?;
        let routes = folder.path().join("routes.toml");
        let text = format!(
            "[upstreams.openai]\nurl = \"http://{provider}\"\nkey = \"${{OPENAI_API_KEY}}\"\n\n[[routes]]\npath = \"/v1/*\"\napi = \"openai\"\nupstream = \"openai\"\n"
        );
        std::fs::write(&routes, text)?;
        let store = match &redis {
            None => format!("sqlite:{}", tokens.sqlite(folder.path())?.display()),
            Some(redis) => {
                tokens.import(&redis.store()?)?;
                redis.url()
            }
        };
        let (address, ops) = (process::free_address()?, process::free_address()?);
        let started = Instant::now();
        let mut process = Process::start(&binary, core, |command| {
            command.current_dir(folder.path()).env("SPENDGATE_LISTEN", address.to_string()).env("SPENDGATE_OPS_LISTEN", ops.to_string());
            // A moment in which somebody else has the machine is to be measured, not refused.
            command.env("SPENDGATE_LEDGER_TIMEOUT", "10s").env("SPENDGATE_STORE", &store).env("SPENDGATE_ROUTES", &routes);
            command.envs(settings.iter().copied());
            command.env("SPENDGATE_API_KEY", MAIN_KEY).env("OPENAI_API_KEY", "sk-bench").env("SPENDGATE_LOG", "info").env("SPENDGATE_LOG_FORMAT", "json");
        })?;
        process.wait_until("was ready", || page(ops, "/readyz").is_ok())?;
        Ok(Self { address, ops, process, redis, ready: started.elapsed(), _folder: folder })
    }
}

/// GET, with the main API key. An error unless the answer is a success.
pub(crate) fn page(address: SocketAddr, path: &str) -> anyhow::Result<Bytes> {
    let request = Request::get(format!("http://{address}{path}")).header("authorization", format!("Bearer {MAIN_KEY}")).body(Empty::<Bytes>::new())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let answer = async {
            let answer = Client::builder(TokioExecutor::new()).build_http().request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            ensure!(status.is_success(), "GET {path}: {status} {}", String::from_utf8_lossy(&body));
            anyhow::Ok(body)
        };
        tokio::time::timeout(PATIENCE, answer).await.with_context(|| format!("GET {path}: no answer"))?
    })
}
