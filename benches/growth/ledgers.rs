//! The ledger through the library: opened on many tokens, asked for look-ups, admissions and settlements.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use spendgate::ledger::{Admission, AdmitRequest, Certainty, ChargeLabel, Grant, HoldId, Ledger, LedgerOptions, StoreAddress};
use spendgate::money::Usd;
use spendgate::prices::{Unit, Usage};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use crate::population::Population;
use crate::redis_server::Redis;

/// Long enough that no hold is prolonged while something is measured.
const LEASE: Duration = Duration::from_secs(3600);
/// How long a server may take: a busy machine is no failure.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a request holds, and what it costs, in nano-dollars.
const WANT: i64 = 1000;
const COST: i64 = 600;
/// A step that visits all of any number of tokens in a mixed order: it is prime.
const STEP: u64 = 7_368_787;

/// An open ledger.
pub(crate) struct Opened {
    ledger: Ledger,
    runtime: Runtime,
    /// Live while something else is measured.
    holds: Vec<Grant>,
    _redis: Option<Redis>,
    _folder: TempDir,
}

/// Admissions, each with its settlement.
pub(crate) struct Pairs {
    pub(crate) micros_each: f64,
    pub(crate) each_second: f64,
}

// === impl Opened ===

impl Opened {
    /// Opens a ledger with these tokens: on Redis where a server is given, else in an SQLite file.
    pub(crate) fn open(tokens: &Population, redis: Option<Redis>) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("spendgate-growth-")?;
        let store = match &redis {
            None => StoreAddress::Sqlite(tokens.sqlite(folder.path())?),
            Some(redis) => {
                let store = redis.store()?;
                tokens.import(&store)?;
                store
            }
        };
        let mut options = LedgerOptions::at(store);
        options.outbox = folder.path().join("outbox");
        options.lease = LEASE;
        options.timeout = PATIENCE;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ledger = runtime.block_on(Ledger::open(options))?;
        Ok(Self { ledger, runtime, holds: Vec::new(), _redis: redis, _folder: folder })
    }

    /// Writes what was handed over, and ends it.
    pub(crate) fn close(mut self) {
        self.holds.clear();
        self.runtime.block_on(self.ledger.close());
    }

    /// Makes so many holds live in all, spread over the tokens.
    pub(crate) fn hold(&mut self, tokens: &Population, holds: usize) -> anyhow::Result<()> {
        let Self { ledger, runtime, holds: live, .. } = self;
        runtime.block_on(async {
            while live.len() < holds {
                live.push(admit(ledger, tokens, live.len() as u64).await?);
            }
            Ok(())
        })
    }

    /// Microseconds that a look-up of a secret takes, never from a cache.
    pub(crate) fn look_ups(&self, tokens: &Population, time: Duration) -> anyhow::Result<f64> {
        self.runtime.block_on(async {
            let (started, mut count) = (Instant::now(), 0);
            while started.elapsed() < time {
                self.ledger.token_facts_now(&tokens.hash(mixed(tokens, count))).await?.context("a token is missing")?;
                count += 1;
            }
            Ok(started.elapsed().as_secs_f64() * 1e6 / count.max(1) as f64)
        })
    }

    /// Admissions and settlements, one pair after the other, so many at a time.
    pub(crate) fn pairs(&self, tokens: &Rc<Population>, at_a_time: u64, time: Duration) -> anyhow::Result<Pairs> {
        let (local, started) = (LocalSet::new(), Instant::now());
        let workers: Vec<_> = (0..at_a_time)
            .map(|first| {
                let (ledger, tokens) = (self.ledger.clone(), Rc::clone(tokens));
                local.spawn_local(async move {
                    let mut count = 0;
                    while started.elapsed() < time {
                        let grant = admit(&ledger, &tokens, first + count * at_a_time).await?;
                        let usage = Usage::default().with(Unit::Input, 812).with(Unit::Output, 391);
                        grant.settle(Usd::from_nanos(COST)?, Certainty::Exact, usage, label(), "").await?;
                        count += 1;
                    }
                    anyhow::Ok(count)
                })
            })
            .collect();
        let count = self.runtime.block_on(local.run_until(async {
            let mut count = 0;
            for worker in workers {
                count += worker.await??;
            }
            anyhow::Ok(count)
        }))?;
        let (count, seconds) = (count.max(1) as f64, started.elapsed().as_secs_f64());
        Ok(Pairs { micros_each: seconds * 1e6 / count, each_second: count / seconds })
    }
}

async fn admit(ledger: &Ledger, tokens: &Population, number: u64) -> anyhow::Result<Grant> {
    let number = mixed(tokens, number);
    let (want, least) = (Usd::from_nanos(WANT)?, Usd::from_nanos(COST)?);
    let (hold, token, secret) = (HoldId::generate(), Population::id(number), tokens.hash(number));
    match ledger.admit(AdmitRequest { hold, token, secret, want, least, lease: LEASE, label: label() }).await? {
        Admission::Granted(grant) => Ok(grant),
        Admission::Denied(denied) => bail!("token {number} was refused: {denied:?}"),
    }
}

fn label() -> Arc<ChargeLabel> {
    Arc::new(ChargeLabel { provider: "openai".to_owned(), model: "gpt-4o-mini".to_owned(), feature: "text__chat".to_owned() })
}

/// The number of a token, from 1.
fn mixed(tokens: &Population, number: u64) -> u64 {
    number.wrapping_mul(STEP) % tokens.tokens + 1
}
