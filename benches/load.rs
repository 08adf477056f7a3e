//! Measures the whole gateway, on SQLite and on Redis, against a bare hyper pass-through on the same machine, with the same load: CPU time a
//! request (user and system of the proxy process), p50 and p99 at a fixed rate, saturated throughput, CPU a streamed chunk, peak memory, and
//! Redis' own CPU time a request. The gateway on Redis is compared with a bare pass-through that makes one EVALSHA.
//!
//! `cargo bench --bench load`. The stand-in provider and the load generator live in this process, pinned to the second core; the proxy under
//! test has the first one to itself. Several runs in turn, medians with their spread, and the ratios, which are what to read: two
//! figures taken on different days or machines say nothing about each other. The table is printed, and written to `target/load.json`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]

#[path = "load/bare_proxy.rs"]
mod bare_proxy;
#[path = "load/generator.rs"]
mod generator;
#[path = "load/provider.rs"]
mod provider;
#[path = "load/report.rs"]
mod report;
#[path = "load/subject.rs"]
mod subject;
#[path = "load/wire.rs"]
mod wire;

use std::time::Duration;

use anyhow::Context;

use generator::Load;
use report::{Report, Run};
use subject::Subject;

/// Connections of the saturating loads.
const CONNECTIONS: usize = 64;
/// Requests a second of the paced load.
const RATE: u64 = 1000;

/// How long and how often to measure.
struct Plan {
    runs: usize,
    warm_up: Duration,
    saturated: Duration,
    paced: Duration,
}

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
    let plan = Plan {
        runs: from_environment("SPENDGATE_LOAD_RUNS", 3)?,
        warm_up: Duration::from_millis(500),
        saturated: Duration::from_secs(from_environment("SPENDGATE_LOAD_SECONDS", 3)?),
        paced: Duration::from_secs(from_environment("SPENDGATE_LOAD_PACED_SECONDS", 5)?),
    };
    // Before any thread is started, so that all of them inherit it.
    let pinned = subject::pin_this_process();
    let provider = provider::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::new(pinned, CONNECTIONS, RATE);
    report.direct(runtime.block_on(generator::paced(provider.address, &Load::chat(None), RATE, plan.paced))?);
    for number in 1..=plan.runs {
        // In turn, so that what slows the machine down for a while slows all.
        for start in [subject::bare, subject::gateway, subject::bare_with_redis, subject::gateway_on_redis] {
            let subject = start(provider.address)?;
            let run = runtime.block_on(measure(&subject, &plan)).with_context(|| format!("run {number} of {}", subject.name))?;
            eprintln!("run {number} of {}: {} {:.1} us a request", plan.runs, subject.name, run.cpu_saturated_us);
            report.add(subject.name, run);
            subject.stop(&provider)?;
        }
    }
    report.print();
    let path = report.write()?;
    println!("written to {}", path.display());
    Ok(())
}

/// One run over one proxy.
async fn measure(subject: &Subject, plan: &Plan) -> anyhow::Result<Run> {
    let chat = Load::chat(subject.secret.as_deref());
    let stream = Load::stream(subject.secret.as_deref());
    generator::saturate(subject.address, &chat, CONNECTIONS, plan.warm_up).await?;

    let (before, store_before) = (subject.cpu()?, subject.store_cpu()?);
    let saturated = generator::saturate(subject.address, &chat, CONNECTIONS, plan.saturated).await?;
    let (cpu_saturated, store_cpu) = (subject.cpu()? - before, subject.store_cpu()? - store_before);

    let before = subject.cpu()?;
    let paced = generator::paced(subject.address, &chat, RATE, plan.paced).await?;
    let cpu_paced = subject.cpu()? - before;

    generator::saturate(subject.address, &stream, CONNECTIONS, plan.warm_up).await?;
    let before = subject.cpu()?;
    let streamed = generator::saturate(subject.address, &stream, CONNECTIONS, plan.saturated).await?;
    let cpu_streamed = subject.cpu()? - before;

    Ok(Run {
        cpu_saturated_us: micros(cpu_saturated, saturated.answers),
        requests_per_second: saturated.answers as f64 / saturated.time.as_secs_f64(),
        store_us: micros(store_cpu, saturated.answers),
        cpu_paced_us: micros(cpu_paced, paced.answers),
        p50_us: paced.percentile(50),
        p99_us: paced.percentile(99),
        cpu_chunk_us: micros(cpu_streamed, streamed.answers * provider::CHUNKS),
        peak_mb: subject.peak_memory_mb()?,
    })
}

fn micros(cpu: Duration, count: u64) -> f64 {
    cpu.as_secs_f64() * 1e6 / count.max(1) as f64
}

fn from_environment<T: std::str::FromStr>(name: &str, default: T) -> anyhow::Result<T> {
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| anyhow::anyhow!("{name}={text} is not a number")),
        Err(_) => Ok(default),
    }
}
