//! Measures the whole gateway against plain proxies on the same machine, with the same load and the same stand-in provider.
//!
//! `cargo bench --bench load` builds and runs all of it, in turn: the gateway on its embedded ledger and on Redis, nginx and HAProxy as plain proxies, a bare
//! hyper proxy (this program again) and the same with one EVALSHA before it forwards, and the way without a proxy. `cargo bench --bench load -- quick`
//! is done in a minute, for a look. The proxy has the first core to itself; the load, the provider and Redis share the second. What is missing (nginx, haproxy,
//! redis-server) is installed with apt, without starting a service; where that cannot be, it is skipped, and a line says so.
//!
//! | load | what |
//! |---|---|
//! | `500B`, `8kB`, `64kB` | chats with a body of that size and an answer of 1 kB: saturated, then at a fixed rate |
//! | `burst` | streams of 104 events that all come at once: saturated, then at a fixed rate |
//! | `paced` | so many streams at a time, an event every 20 ms |
//! | `million` | the start of the gateway on 1,000,000 tokens; not part of `quick` |
//!
//! At a fixed rate the arrivals are open: a request is sent when it is due, whether or not others were answered, and its latency counts from then. The table
//! shows what a proxy adds to the latencies without one, median against median of the same run. The first byte is that of the answer's body. CPU is user and
//! system time of the proxy, its workers' too; the kernel tells it in steps of 10 ms, so that short runs are coarse.
//!
//! The gateway has everything on: a ledger of 10,000 tokens on disk, an enforced budget, metrics, a log line in JSON for each request (to `/dev/null`). Every run
//! ends with a check that each answer was charged to the nano-dollar. The plain proxies log nothing and keep connections open on both sides.
//!
//! | setting | default (quick) | what |
//! |---|---|---|
//! | `SPENDGATE_LOAD_SUBJECTS` | all | of `direct,nginx,haproxy,bare,bare-evalsha,embedded,redis,redis-leases` |
//! | `SPENDGATE_LOAD_LOADS` | all | of the loads above |
//! | `SPENDGATE_LOAD_RUNS` | 3 (1) | runs over each, in turn |
//! | `SPENDGATE_LOAD_SECONDS` | 3 (0.5) | of a load that saturates |
//! | `SPENDGATE_LOAD_FIXED_SECONDS` | 5 (0.7) | of a load at a fixed rate, and of paced streams (which end, so at least 2) |
//! | `SPENDGATE_LOAD_WARM_UP_SECONDS` | 0.5 (0.1) | before a load that saturates |
//! | `SPENDGATE_LOAD_CONNECTIONS` | 64 | of a load that saturates |
//! | `SPENDGATE_LOAD_RATE`, `SPENDGATE_LOAD_STREAM_RATE` | 1000, 100 | the fixed rates |
//! | `SPENDGATE_LOAD_STREAMS` | 64 | paced streams at a time |
//! | `SPENDGATE_LOAD_TOKENS` | 10000 | tokens in the gateway's ledger |
//! | `SPENDGATE_LOAD_SOAK` | | instead of all that, so many seconds of steady load on the gateways (by default the embedded one), and whether their memory stays flat |
//! | `SPENDGATE_BINARY` | built here | another binary of the gateway |
//!
//! The table, the ratios and the goals are printed, and written to `target/load.json`; read ratios of one run on one machine only.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]
#![allow(clippy::cast_precision_loss, reason = "figures to be read")]

#[path = "load/bare_proxy.rs"]
mod bare_proxy;
#[allow(dead_code, reason = "shared by the benches; each uses some of it")]
#[path = "support/gateway.rs"]
mod gateway;
#[path = "load/generator.rs"]
mod generator;
#[path = "load/goals.rs"]
mod goals;
#[path = "load/measure.rs"]
mod measure;
#[path = "load/plain.rs"]
mod plain;
#[path = "load/plan.rs"]
mod plan;
#[allow(dead_code, reason = "shared by the benches; each uses some of it")]
#[path = "support/population.rs"]
mod population;
#[allow(dead_code, reason = "shared by the benches; each uses some of it")]
#[path = "support/process.rs"]
mod process;
#[path = "load/provider.rs"]
mod provider;
#[path = "support/redis_server.rs"]
mod redis_server;
#[path = "support/report.rs"]
mod report;
#[path = "load/soak.rs"]
mod soak;
#[path = "load/subject.rs"]
mod subject;
#[path = "load/wire.rs"]
mod wire;

use anyhow::Context;
use serde_json::{Map, Value, json};

use gateway::Gateway;
use goals::{Goals, MILLION_READY};
use measure::Run;
use plan::Plan;
use population::Population;
use process::Core;
use provider::Provider;
use report::Figures;
use subject::{Kind, Programs};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, listen, upstream, store @ ..] = arguments.as_slice()
        && role == bare_proxy::ROLE
    {
        return bare_proxy::run(listen, upstream, store.first().map(String::as_str));
    }
    // `cargo test --all-targets` runs benches too, and wants no figures.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("nothing measured: run `cargo bench --bench load`");
        return Ok(());
    }
    let mut plan = Plan::read(arguments.iter().any(|argument| argument == "quick"))?;
    let machine = report::machine();
    let programs = Programs::of(&plan.kinds);
    plan.kinds.retain(|kind| programs.suffice(*kind));
    let tokens = Population::write(plan.tokens)?;
    // Before any thread is started, so that all of them inherit it.
    let pinned = process::pin_this_process();
    let provider = provider::start()?;
    if let Some(time) = plan.soak {
        return soak(&plan, &programs, &provider, &tokens, time);
    }
    let figures = measure(&plan, &programs, &provider, &tokens)?;
    print(&figures, &plan, &machine, pinned)
}

/// All runs over all subjects, in turn, so that what slows the machine down for a while slows all.
fn measure(plan: &Plan, programs: &Programs, provider: &Provider, tokens: &Population) -> anyhow::Result<Figures> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut figures = Figures::new(plan.kinds.iter().map(|kind| kind.title().to_owned()));
    for number in 1..=plan.runs {
        let mut runs = Vec::new();
        for &kind in &plan.kinds {
            eprintln!("run {number} of {}: {}", plan.runs, kind.title());
            let subject = programs.start(kind, provider, tokens)?;
            let run = runtime.block_on(measure::run(&subject, provider, plan));
            let run = run.and_then(|run| subject.check(provider).map(|()| run)).with_context(|| format!("run {number} of {}", kind.title()))?;
            runs.push((kind, run));
        }
        // Of the last subjects there is the most to say: the rows come in their order.
        for (kind, run) in runs.iter().rev() {
            let direct = runs.iter().find(|(kind, _)| *kind == Kind::Direct).map(|(_, run)| run);
            add(&mut figures, *kind, run, direct);
        }
    }
    if plan.million {
        eprintln!("the start on a million tokens");
        let million = Population::write(1_000_000)?;
        for _ in 0..plan.runs {
            let gateway = Gateway::start(&million, None, provider.address, Core::First)?;
            figures.add(Kind::Embedded.title(), MILLION_READY, gateway.ready.as_secs_f64() * 1e3);
            figures.add(Kind::Embedded.title(), "memory with 1,000,000 tokens, MB", gateway.process.memory_mb()?);
        }
    }
    Ok(figures)
}

/// Adds a run, and beside each latency what the proxy adds to it.
fn add(figures: &mut Figures, kind: Kind, run: &Run, direct: Option<&Run>) {
    for (name, value) in run {
        figures.add(kind.title(), name, *value);
        let without = direct.and_then(|direct| direct.iter().find(|(known, _)| known == name));
        if let Some((_, without)) = without.filter(|_| kind != Kind::Direct && measure::is_latency(name)) {
            figures.add(kind.title(), &format!("added to {name}"), value - without);
        }
    }
}

fn print(figures: &Figures, plan: &Plan, machine: &str, pinned: bool) -> anyhow::Result<()> {
    let goals = Goals::judge(figures, plan);
    let pinning = if pinned { "the proxy on core 0, load, provider and Redis on core 1" } else { "NOT pinned: taskset is missing" };
    println!("\n{}\n\n{}\n", figures.table(), goals.table());
    println!(
        "Runs: {}; median (least to most). Saturated: {} connections. Ledger: {} tokens. {pinning}.\n{machine}.",
        plan.runs, plan.connections, plan.tokens
    );
    let report = json!({
        "machine": machine, "pinned": pinned, "runs": plan.runs, "seconds": plan.saturated.as_secs_f64(), "fixed_seconds": plan.fixed.as_secs_f64(),
        "connections": plan.connections, "tokens": plan.tokens, "subjects": figures.json(), "goals": goals.json(),
    });
    println!("Written to {}.", report::write("load", &report)?.display());
    Ok(())
}

fn soak(plan: &Plan, programs: &Programs, provider: &Provider, tokens: &Population, time: std::time::Duration) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = std::env::var_os("SPENDGATE_LOAD_SUBJECTS").is_some();
    let mut soaks = Map::new();
    for kind in [Kind::Embedded, Kind::Redis] {
        if plan.kinds.contains(&kind) && (asked || kind == Kind::Embedded) {
            let subject = programs.start(kind, provider, tokens)?;
            soaks.insert(kind.word().to_owned(), runtime.block_on(soak::run(&subject, plan, time))?);
            subject.check(provider)?;
        }
    }
    println!("Written to {}.", report::write("soak", &Value::Object(soaks))?.display());
    Ok(())
}
