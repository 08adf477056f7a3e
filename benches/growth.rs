//! What grows with the ledger, and what must not: admission with settlement, token look-up, the exposition of metrics, start-up and memory as tokens grow from 1
//! to 1,000,000, and admission as the live holds of an account grow from 1 to 10,000. On the embedded ledger and on Redis.
//!
//! `cargo bench --bench growth`; `cargo bench --bench growth -- quick` leaves out the million. The ledgers are filled from files as `spendgate export` writes
//! them. Start-up, memory and metrics are those of the real binary; admissions and look-ups go to the ledger through the library, in this process, so that no HTTP
//! is in them. Tokens are taken in an order that is mixed from a fixed seed, over all of them.
//!
//! | setting | default (quick) | what |
//! |---|---|---|
//! | `SPENDGATE_GROWTH_STORES` | `embedded,redis` | |
//! | `SPENDGATE_GROWTH_TOKENS` | 1000000 (10000) | the most tokens: 1, 10,000 and 1,000,000 up to this |
//! | `SPENDGATE_GROWTH_HOLDS` | 10000 | the most live holds of an account: 1, 100 and 10,000 up to this |
//! | `SPENDGATE_GROWTH_RUNS` | 3 (1) | of each, medians |
//! | `SPENDGATE_GROWTH_SECONDS` | 2 (0.3) | of each load on the ledger |
//! | `SPENDGATE_BINARY` | built here | another binary of the gateway |
//!
//! The tables are printed, and written to `target/growth.json`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]
#![allow(clippy::cast_precision_loss, reason = "figures to be read")]

#[allow(dead_code, reason = "shared by the benches; each uses some of it")]
#[path = "support/gateway.rs"]
mod gateway;
#[path = "growth/ledgers.rs"]
mod ledgers;
#[allow(dead_code, reason = "shared by the benches; each uses some of it")]
#[path = "support/population.rs"]
mod population;
#[allow(dead_code, reason = "shared by the benches; each uses some of it")]
#[path = "support/process.rs"]
mod process;
#[path = "support/redis_server.rs"]
mod redis_server;
#[allow(dead_code, reason = "shared by the benches; each uses some of it")]
#[path = "support/report.rs"]
mod report;

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::json;

use gateway::Gateway;
use ledgers::Opened;
use population::Population;
use process::Core;
use redis_server::Redis;
use report::{Figures, list, setting};

const TOKENS: [u64; 3] = [1, 10_000, 1_000_000];
const HOLDS: [usize; 3] = [1, 100, 10_000];
/// Tokens of the ledgers in which live holds grow.
const TOKENS_WITH_HOLDS: u64 = 10_000;
/// The words for stores in settings, and in the tables.
const STORES: [(&str, &str); 2] = [("embedded", "embedded"), ("redis", "Redis")];

struct Plan {
    stores: Vec<&'static str>,
    tokens: Vec<u64>,
    holds: Vec<usize>,
    runs: usize,
    time: Duration,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("nothing measured: run `cargo bench --bench growth`");
        return Ok(());
    }
    let plan = Plan::read(arguments.iter().any(|argument| argument == "quick"))?;
    let machine = report::machine();
    let (mut by_tokens, mut by_holds) = (Figures::default(), Figures::default());
    for &tokens in &plan.tokens {
        let started = Instant::now();
        let population = Rc::new(Population::write(tokens)?);
        eprintln!("{tokens} tokens: written in {:.1} s", started.elapsed().as_secs_f64());
        for &store in &plan.stores {
            with_tokens(&population, store, &plan, &mut by_tokens)?;
        }
    }
    let population = Rc::new(Population::write(TOKENS_WITH_HOLDS)?);
    for &store in &plan.stores {
        with_holds(&population, store, &plan, &mut by_holds)?;
    }
    memory_a_token(&plan, &mut by_tokens);
    println!("\nBy tokens.\n\n{}\n\nBy live holds of an account with {TOKENS_WITH_HOLDS} tokens.\n\n{}\n", by_tokens.table(), by_holds.table());
    println!("Runs: {}; median (least to most). {machine}.", plan.runs);
    let report = json!({"machine": machine, "runs": plan.runs, "tokens": by_tokens.json(), "holds": by_holds.json()});
    println!("Written to {}.", report::write("growth", &report)?.display());
    Ok(())
}

/// Everything that tokens might slow down.
fn with_tokens(tokens: &Rc<Population>, store: &str, plan: &Plan, figures: &mut Figures) -> anyhow::Result<()> {
    let column = format!("{store}, {}", grouped(tokens.tokens));
    eprintln!("{column}");
    for _ in 0..plan.runs {
        let gateway = Gateway::start(tokens, server(store)?, SocketAddr::from((Ipv4Addr::LOCALHOST, 9)), Core::Ours)?;
        figures.add(&column, "start to ready, ms", gateway.ready.as_secs_f64() * 1e3);
        figures.add(&column, MEMORY, gateway.process.memory_mb()?);
        if let Some(redis) = &gateway.redis {
            figures.add(&column, REDIS_MEMORY, redis.process.memory_mb()?);
        }
        let started = Instant::now();
        let exposition = gateway::page(gateway.ops, "/metrics")?;
        figures.add(&column, "metrics, ms", started.elapsed().as_secs_f64() * 1e3);
        figures.add(&column, "metrics, kB", exposition.len() as f64 / 1e3);
        drop(gateway);

        let ledger = Opened::open(tokens, server(store)?)?;
        figures.add(&column, "look-up of a token, us", ledger.look_ups(tokens, plan.time)?);
        figures.add(&column, "admission + settlement alone, us", ledger.pairs(tokens, 1, plan.time)?.micros_each);
        figures.add(&column, "admissions + settlements/s, 64 at a time", ledger.pairs(tokens, 64, plan.time)?.each_second);
        ledger.close();
    }
    Ok(())
}

/// What live holds might slow down.
fn with_holds(tokens: &Rc<Population>, store: &str, plan: &Plan, figures: &mut Figures) -> anyhow::Result<()> {
    for _ in 0..plan.runs {
        let mut ledger = Opened::open(tokens, server(store)?)?;
        for &holds in &plan.holds {
            let column = format!("{store}, {}", grouped(holds as u64));
            eprintln!("{column} holds");
            ledger.hold(tokens, holds)?;
            figures.add(&column, "admission + settlement alone, us", ledger.pairs(tokens, 1, plan.time)?.micros_each);
            figures.add(&column, "admissions + settlements/s, 64 at a time", ledger.pairs(tokens, 64, plan.time)?.each_second);
        }
        ledger.close();
    }
    Ok(())
}

const MEMORY: &str = "memory of the gateway, MB";
const REDIS_MEMORY: &str = "memory of Redis, MB";

/// What a token adds, from the smallest ledger to the largest.
fn memory_a_token(plan: &Plan, figures: &mut Figures) {
    let (Some(&few), Some(&many)) = (plan.tokens.first(), plan.tokens.last()) else { return };
    if few == many {
        return;
    }
    for store in &plan.stores {
        let column = |tokens: u64| format!("{store}, {}", grouped(tokens));
        for row in [MEMORY, REDIS_MEMORY] {
            if let Some((less, more)) = figures.spread(&column(few), row).zip(figures.spread(&column(many), row)) {
                let bytes = (more.median - less.median) * 1e6 / (many - few) as f64;
                figures.add(&column(many), &format!("{}, bytes a token", row.trim_end_matches(", MB")), bytes);
            }
        }
    }
}

fn server(store: &str) -> anyhow::Result<Option<Redis>> {
    if store == STORES[1].1 { Redis::start().map(Some) } else { Ok(None) }
}

/// `10,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

// === impl Plan ===

impl Plan {
    fn read(quick: bool) -> anyhow::Result<Self> {
        let wanted = list("SPENDGATE_GROWTH_STORES", &STORES.map(|(word, _)| word))?;
        let mut stores = Vec::new();
        for (word, title) in STORES {
            if wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|one| one == word))
                && (word != "redis" || process::find_or_install("redis-server").is_some())
            {
                stores.push(title);
            }
        }
        let (most_tokens, most_holds) =
            (setting("SPENDGATE_GROWTH_TOKENS", if quick { 10_000 } else { 1_000_000 })?, setting("SPENDGATE_GROWTH_HOLDS", 10_000)?);
        Ok(Self {
            stores,
            tokens: TOKENS.into_iter().filter(|tokens| *tokens <= most_tokens).collect(),
            holds: HOLDS.into_iter().filter(|holds| *holds <= most_holds).collect(),
            runs: setting("SPENDGATE_GROWTH_RUNS", if quick { 1 } else { 3 })?.max(1),
            time: Duration::from_secs_f64(setting("SPENDGATE_GROWTH_SECONDS", if quick { 0.3_f64 } else { 2.0 })?.max(0.0)),
        })
    }
}
