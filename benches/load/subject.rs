//! What is measured: a proxy in a process of its own, on the first core, and what the kernel says of it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tempfile::TempDir;

use crate::bare_proxy;
use crate::provider::{NANOS_PER_ANSWER, Provider};

/// Clock ticks a second in `/proc/PID/stat`: fixed on Linux for what user space sees.
const TICKS_PER_SECOND: u64 = 100;
const MAIN_KEY: &str = "load-bench-main-key-0123456789abcdef0123456789";

/// A proxy under test.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// What a client presents, where the proxy asks for anything.
    pub(crate) secret: Option<String>,
    child: Child,
    /// The Redis behind it.
    store: Option<Child>,
    /// Lives as long as its process.
    _folder: Option<TempDir>,
}

/// Pins this process, which is the load, to the second core. False where that cannot be done.
pub(crate) fn pin_this_process() -> bool {
    let id = std::process::id().to_string();
    Command::new("taskset").args(["-p", "-c", "1", &id]).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Starts a program on the first core.
fn start(program: &PathBuf, prepare: impl Fn(&mut Command)) -> anyhow::Result<Child> {
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", "0"]).arg(program);
    let mut plain = Command::new(program);
    for command in [&mut pinned, &mut plain] {
        prepare(command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    }
    // `taskset` becomes the program, so that the process is the proxy itself.
    pinned.spawn().or_else(|_| plain.spawn()).with_context(|| format!("starting {}", program.display()))
}

/// The bare proxy: this program again.
pub(crate) fn bare(provider: SocketAddr) -> anyhow::Result<Subject> {
    bare_proxy("bare hyper", provider, None)
}

/// The bare proxy that asks a Redis first.
pub(crate) fn bare_with_redis(provider: SocketAddr) -> anyhow::Result<Subject> {
    bare_proxy("bare hyper, EVALSHA", provider, Some(redis()?))
}

fn bare_proxy(name: &'static str, provider: SocketAddr, redis: Option<(Child, SocketAddr)>) -> anyhow::Result<Subject> {
    let address = free_address()?;
    let child = start(&std::env::current_exe()?, |command| {
        command.args([bare_proxy::ROLE, &address.to_string(), &provider.to_string()]);
        if let Some((_, redis)) = &redis {
            command.arg(redis.to_string());
        }
    })?;
    let mut subject = Subject { name, address, secret: None, child, store: redis.map(|(child, _)| child), _folder: None };
    subject.wait_until_listening(address)?;
    Ok(subject)
}

/// The gateway, all of it: an enforced budget, metrics, a log line for each request, the embedded ledger on disk.
pub(crate) fn gateway(provider: SocketAddr) -> anyhow::Result<Subject> {
    spendgate("spendgate", provider, None)
}

/// The same on a Redis that writes what it acknowledges to its append-only file. It runs on the second core, beside the load.
pub(crate) fn gateway_on_redis(provider: SocketAddr) -> anyhow::Result<Subject> {
    spendgate("spendgate, Redis", provider, Some(redis()?))
}

/// A Redis of its own for each run, as a child on this process's core.
fn redis() -> anyhow::Result<(Child, SocketAddr)> {
    let address = free_address()?;
    let folder = TempDir::with_prefix("spendgate-load-redis-")?.keep();
    let mut command = Command::new("redis-server");
    command.args(["--port", &address.port().to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir"]).arg(&folder);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("starting redis-server")?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(address).is_err() {
        ensure!(Instant::now() < deadline, "redis-server does not listen on {address}");
        thread::sleep(Duration::from_millis(10));
    }
    Ok((child, address))
}

fn spendgate(name: &'static str, provider: SocketAddr, redis: Option<(Child, SocketAddr)>) -> anyhow::Result<Subject> {
    let binary = std::env::var_os("SPENDGATE_BINARY").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_spendgate")), PathBuf::from);
    let folder = TempDir::with_prefix("spendgate-load-")?;
    let routes = folder.path().join("routes.toml");
    std::fs::write(
        &routes,
        format!(
            "[upstreams.openai]\nurl = \"http://{provider}\"\nkey = \"${{OPENAI_API_KEY}}\"\n\n[[routes]]\npath = \"/v1/*\"\napi = \"openai\"\nupstream = \"openai\"\n"
        ),
    )?;
    let (address, ops) = (free_address()?, free_address()?);
    let child = start(&binary, |command| {
        command.current_dir(folder.path()).env("SPENDGATE_LISTEN", address.to_string()).env("SPENDGATE_OPS_LISTEN", ops.to_string());
        let store = redis.as_ref().map_or_else(|| "sqlite:spendgate.db".to_owned(), |(_, address)| format!("redis://{address}"));
        command.env("SPENDGATE_STORE", store).env("SPENDGATE_ROUTES", &routes);
        command.env("SPENDGATE_API_KEY", MAIN_KEY).env("OPENAI_API_KEY", "sk-bench").env("SPENDGATE_LOG", "info").env("SPENDGATE_LOG_FORMAT", "json");
    })?;
    let mut subject = Subject { name, address, secret: None, child, store: redis.map(|(child, _)| child), _folder: Some(folder) };
    subject.wait_until_listening(address)?;
    let token = subject.api("POST", "/v2/user/custom_token/", r#"{"name":"load","balance":"99000","active_balance":true}"#)?;
    subject.secret = Some(token.get("token").and_then(Value::as_str).context("no secret in the answer of create")?.to_owned());
    Ok(subject)
}

// === impl Subject ===

impl Subject {
    /// User and system time of the process so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu(self.child.id())
    }

    /// The same of the Redis behind it, where there is one.
    pub(crate) fn store_cpu(&self) -> anyhow::Result<Duration> {
        self.store.as_ref().map_or(Ok(Duration::ZERO), |store| cpu(store.id()))
    }

    /// The most memory that the process has had, in MB.
    pub(crate) fn peak_memory_mb(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
        Ok(kilobytes.context("no VmHWM in /proc/PID/status")? / 1000.0)
    }

    /// Checks that every answer of the provider was charged, and ends the process.
    pub(crate) fn stop(mut self, provider: &Provider) -> anyhow::Result<()> {
        let served = provider.take_answers() * NANOS_PER_ANSWER;
        if self.secret.is_some() {
            // A wrong gateway would be fast for nothing.
            let deadline = Instant::now() + Duration::from_secs(10);
            loop {
                let token = self.api("GET", "/v2/user/custom_token/load/", "")?;
                let spent = token.get("spent").map(ToString::to_string).unwrap_or_default();
                let spent = spent.parse::<spendgate::money::Usd>().with_context(|| format!("spent: {spent}"))?;
                if u64::try_from(spent.nanos()).is_ok_and(|spent| spent == served) {
                    break;
                }
                ensure!(Instant::now() < deadline, "the provider served {served} nano-dollars, {spent} were charged");
                thread::sleep(Duration::from_millis(50));
            }
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn wait_until_listening(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at once: {status}", self.name);
            }
            ensure!(Instant::now() < deadline, "{} does not listen on {address}", self.name);
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn api(&self, method: &str, path: &str, body: &'static str) -> anyhow::Result<Value> {
        let uri = format!("http://{}{path}", self.address);
        let request =
            Request::builder().method(method).uri(uri).header("authorization", format!("Bearer {MAIN_KEY}")).header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from_static(body.as_bytes())))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
            let answer = client.request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            ensure!(status.is_success(), "{method} {path}: {status} {}", String::from_utf8_lossy(&body));
            Ok(serde_json::from_slice(&body)?)
        })
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // Stopped already where all went well.
        for child in [Some(&mut self.child), self.store.as_mut()].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// User and system time of a process so far.
fn cpu(id: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name, in brackets, may contain anything: the fields are counted from behind it.
    let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat")?;
    let ticks: Vec<u64> = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    ensure!(ticks.len() == 2, "/proc/PID/stat: {stat}");
    Ok(Duration::from_millis(ticks.iter().sum::<u64>() * (1000 / TICKS_PER_SECOND)))
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
