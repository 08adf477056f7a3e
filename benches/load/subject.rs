//! What is measured: a proxy in a process of its own, on the first core, before the stand-in provider. Or none, for what the load itself takes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::gateway::{self, Gateway};
use crate::population::{self, Population};
use crate::process::{self, Core, Process};
use crate::provider::{NANOS_PER_ANSWER, Provider};
use crate::redis_server::Redis;
use crate::{bare_proxy, plain};

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Direct,
    Nginx,
    Haproxy,
    Bare,
    BareEvalsha,
    Embedded,
    Redis,
    /// Admits from slices of budgets.
    RedisLeases,
}

/// A running proxy.
pub(crate) struct Subject {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    /// What a client presents.
    pub(crate) secret: String,
    running: Running,
}

enum Running {
    Nothing,
    Plain { process: Process, redis: Option<Redis>, _folder: Option<TempDir> },
    Gateway(Box<Gateway>),
}

/// The programs that are not ours, where they are.
pub(crate) struct Programs {
    nginx: Option<PathBuf>,
    haproxy: Option<PathBuf>,
    redis: Option<PathBuf>,
}

// === impl Kind ===

impl Kind {
    pub(crate) const ALL: [Self; 8] = [Self::Direct, Self::Nginx, Self::Haproxy, Self::Bare, Self::BareEvalsha, Self::Embedded, Self::Redis, Self::RedisLeases];

    /// As it is called in settings.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Bare => "bare",
            Self::BareEvalsha => "bare-evalsha",
            Self::Embedded => "embedded",
            Self::Redis => "redis",
            Self::RedisLeases => "redis-leases",
        }
    }

    /// As it is called in the table.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Direct => "no proxy",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Bare => "bare hyper",
            Self::BareEvalsha => "bare hyper, EVALSHA",
            Self::Embedded => "spendgate",
            Self::Redis => "spendgate, Redis",
            Self::RedisLeases => "spendgate, Redis, leases on",
        }
    }
}

// === impl Programs ===

impl Programs {
    /// Looks for what `kinds` need, and installs what is missing.
    pub(crate) fn of(kinds: &[Kind]) -> Self {
        let wanted = |some: &[Kind], program: &str| kinds.iter().any(|kind| some.contains(kind)).then(|| process::find_or_install(program)).flatten();
        Self {
            nginx: wanted(&[Kind::Nginx], "nginx"),
            haproxy: wanted(&[Kind::Haproxy], "haproxy"),
            redis: wanted(&[Kind::BareEvalsha, Kind::Redis, Kind::RedisLeases], "redis-server"),
        }
    }

    /// Whether there is all that it takes.
    pub(crate) fn suffice(&self, kind: Kind) -> bool {
        match kind {
            Kind::Direct | Kind::Bare | Kind::Embedded => true,
            Kind::Nginx => self.nginx.is_some(),
            Kind::Haproxy => self.haproxy.is_some(),
            Kind::BareEvalsha | Kind::Redis | Kind::RedisLeases => self.redis.is_some(),
        }
    }

    /// Starts one.
    pub(crate) fn start(&self, kind: Kind, provider: &Provider, tokens: &Population) -> anyhow::Result<Subject> {
        let to = provider.address;
        let of_plain = |(process, address, folder)| (address, Running::Plain { process, redis: None, _folder: Some(folder) });
        let (address, running) = match kind {
            Kind::Direct => (to, Running::Nothing),
            Kind::Nginx => of_plain(plain::nginx(self.nginx.as_ref().context("no nginx")?, to)?),
            Kind::Haproxy => of_plain(plain::haproxy(self.haproxy.as_ref().context("no haproxy")?, to)?),
            Kind::Bare => bare(to, None)?,
            Kind::BareEvalsha => bare(to, Some(Redis::start()?))?,
            Kind::Embedded => of_gateway(Gateway::start(tokens, None, to, Core::First)?),
            Kind::Redis => of_gateway(Gateway::start_set(tokens, Some(Redis::start()?), to, Core::First, &[("SPENDGATE_REDIS_LEASES", "off")])?),
            Kind::RedisLeases => of_gateway(Gateway::start(tokens, Some(Redis::start()?), to, Core::First)?),
        };
        provider.take_answers();
        Ok(Subject { kind, address, secret: tokens.secret.reveal().to_owned(), running })
    }
}

fn of_gateway(gateway: Gateway) -> (SocketAddr, Running) {
    (gateway.address, Running::Gateway(Box::new(gateway)))
}

/// The bare proxy: this program again.
fn bare(provider: SocketAddr, redis: Option<Redis>) -> anyhow::Result<(SocketAddr, Running)> {
    let address = process::free_address()?;
    let mut process = Process::start(&std::env::current_exe()?, Core::First, |command| {
        command.args([bare_proxy::ROLE, &address.to_string(), &provider.to_string()]);
        if let Some(redis) = &redis {
            command.arg(redis.address.to_string());
        }
    })?;
    process.wait_until_listening(address)?;
    Ok((address, Running::Plain { process, redis, _folder: None }))
}

// === impl Subject ===

impl Subject {
    /// Its process; none where there is no proxy.
    pub(crate) fn process(&self) -> Option<&Process> {
        match &self.running {
            Running::Nothing => None,
            Running::Plain { process, .. } => Some(process),
            Running::Gateway(gateway) => Some(&gateway.process),
        }
    }

    /// The server behind it.
    fn redis(&self) -> Option<&Redis> {
        match &self.running {
            Running::Nothing => None,
            Running::Plain { redis, .. } => redis.as_ref(),
            Running::Gateway(gateway) => gateway.redis.as_ref(),
        }
    }

    /// From its start until it was ready, where that is measured.
    pub(crate) fn ready(&self) -> Option<Duration> {
        match &self.running {
            Running::Gateway(gateway) => Some(gateway.ready),
            _ => None,
        }
    }

    /// Processor time so far: its own, and that of the Redis behind it.
    pub(crate) fn cpu(&self) -> anyhow::Result<(Option<Duration>, Option<Duration>)> {
        Ok((self.process().map(Process::cpu).transpose()?, self.redis().map(|redis| redis.process.cpu()).transpose()?))
    }

    /// Checks that every answer of the provider was charged: a wrong gateway would be fast for nothing.
    pub(crate) fn check(&self, provider: &Provider) -> anyhow::Result<()> {
        let served = provider.take_answers() * NANOS_PER_ANSWER;
        let Running::Gateway(gateway) = &self.running else { return Ok(()) };
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let page = gateway::page(gateway.address, &format!("/v2/user/custom_token/{}/", population::first_name()))?;
            let token: Value = serde_json::from_slice(&page)?;
            let spent = token.get("spent").map(ToString::to_string).unwrap_or_default();
            let spent = spent.parse::<spendgate::money::Usd>().with_context(|| format!("spent: {spent}"))?;
            if u64::try_from(spent.nanos()).is_ok_and(|spent| spent == served) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the provider served {served} nano-dollars, {spent} were charged");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
