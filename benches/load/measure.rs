//! One run over one subject: each load in turn, and what the kernel and the clock say of it.

use std::time::Duration;

use anyhow::Context;

use crate::generator::{self, Answer, Load, Outcome, per_mille};
use crate::plan::{Plan, Shape};
use crate::provider::Provider;
use crate::subject::Subject;

/// Chats that stream have a body of this many bytes.
const STREAM_BODY: usize = 500;
/// A rate is sustained when the last answer was there so soon after the last request was due.
const LAG: Duration = Duration::from_millis(200);

/// The figures of one run, by name.
pub(crate) type Run = Vec<(String, f64)>;

/// Percentiles, by name, in thousandths.
const LATENCIES: [(&str, usize); 3] = [("p50", 500), ("p99", 990), ("p999", 999)];

/// Rows of the table, where other code names them too.
pub(crate) mod row {
    pub(crate) const PEAK_MEMORY: &str = "peak memory, MB";
    pub(crate) const READY: &str = "start to ready, ms";

    pub(crate) fn cpu_saturated(load: &str) -> String {
        format!("CPU us a request, {load}, saturated")
    }

    pub(crate) fn cpu_fixed(load: &str, rate: u64) -> String {
        format!("CPU us a request, {load}, {rate}/s")
    }

    pub(crate) fn chunk_saturated() -> String {
        "CPU us a chunk, bursts, saturated".to_owned()
    }

    pub(crate) fn chunk_fixed(rate: u64) -> String {
        format!("CPU us a chunk, bursts, {rate} streams/s")
    }

    pub(crate) fn chunk_paced(streams: usize) -> String {
        format!("CPU us a chunk, {streams} paced streams")
    }

    pub(crate) fn latency(load: &str, part: &str) -> String {
        format!("{part} us, {load}")
    }

    pub(crate) fn first_byte(load: &str, part: &str) -> String {
        format!("first byte {part} us, {load}")
    }
}

/// Whether a figure is a latency of the whole way: what the load takes without a proxy is in it.
pub(crate) fn is_latency(name: &str) -> bool {
    LATENCIES.iter().any(|(part, _)| name.starts_with(&format!("{part} us")) || name.starts_with(&format!("first byte {part} us")))
}

/// What was used up during a load.
struct Used {
    outcome: Outcome,
    chunks: u64,
    cpu: Option<Duration>,
    redis: Option<Duration>,
}

struct Measuring<'a> {
    subject: &'a Subject,
    provider: &'a Provider,
    plan: &'a Plan,
    run: Run,
}

/// One run.
pub(crate) async fn run(subject: &Subject, provider: &Provider, plan: &Plan) -> anyhow::Result<Run> {
    let mut measuring = Measuring { subject, provider, plan, run: Run::new() };
    for shape in &plan.shapes {
        match *shape {
            Shape::Whole { title, bytes } => measuring.whole(title, bytes).await.with_context(|| title)?,
            Shape::Burst => measuring.burst().await.context("bursts")?,
            Shape::Paced => measuring.paced().await.context("paced streams")?,
        }
    }
    if let Some(process) = subject.process() {
        measuring.add(row::PEAK_MEMORY, process.peak_memory_mb()?);
    }
    if let Some(ready) = subject.ready() {
        measuring.add(row::READY, ready.as_secs_f64() * 1e3);
    }
    Ok(measuring.run)
}

// === impl Measuring ===

impl Measuring<'_> {
    fn add(&mut self, name: impl Into<String>, value: f64) {
        self.run.push((name.into(), value));
    }

    fn load(&self, answer: Answer, bytes: usize) -> Load {
        Load::chat(&self.subject.secret, answer, bytes)
    }

    /// Runs a load, and looks at the clocks before and after.
    async fn using(&self, load: impl Future<Output = anyhow::Result<Outcome>>) -> anyhow::Result<Used> {
        self.provider.take_chunks();
        let (cpu, redis) = self.subject.cpu()?;
        let outcome = load.await?;
        let (cpu_after, redis_after) = self.subject.cpu()?;
        let chunks = self.provider.take_chunks();
        let used = |before: Option<Duration>, after: Option<Duration>| before.zip(after).map(|(before, after)| after.saturating_sub(before));
        Ok(Used { outcome, chunks, cpu: used(cpu, cpu_after), redis: used(redis, redis_after) })
    }

    async fn warm_up(&self, load: &Load) -> anyhow::Result<()> {
        generator::saturate(self.subject.address, load, self.plan.connections, self.plan.warm_up).await?;
        Ok(())
    }

    async fn whole(&mut self, title: &str, bytes: usize) -> anyhow::Result<()> {
        let (address, plan) = (self.subject.address, self.plan);
        let load = self.load(Answer::Whole, bytes);
        self.warm_up(&load).await?;
        let used = self.using(generator::saturate(address, &load, plan.connections, plan.saturated)).await?;
        self.cpu(row::cpu_saturated(title), used.cpu, used.outcome.answers);
        self.cpu(format!("Redis' own {}", row::cpu_saturated(title)), used.redis, used.outcome.answers);
        self.throughput(&format!("requests/s, {title}"), used.outcome.answers, &used);

        let used = self.using(generator::fixed(address, &load, plan.rate, plan.fixed)).await?;
        self.cpu(row::cpu_fixed(title, plan.rate), used.cpu, used.outcome.answers);
        let load = format!("{title}, {}/s", plan.rate);
        for (part, parts) in LATENCIES {
            self.add(row::latency(&load, part), per_mille(&used.outcome.latencies, parts));
        }
        self.lag(&load, &used);
        Ok(())
    }

    async fn burst(&mut self) -> anyhow::Result<()> {
        let (address, plan) = (self.subject.address, self.plan);
        let load = self.load(Answer::Burst, STREAM_BODY);
        self.warm_up(&load).await?;
        let used = self.using(generator::saturate(address, &load, plan.connections, plan.saturated)).await?;
        self.cpu(row::chunk_saturated(), used.cpu, used.chunks);
        self.throughput("chunks/s, bursts", used.chunks, &used);

        let used = self.using(generator::fixed(address, &load, plan.stream_rate, plan.fixed)).await?;
        self.cpu(row::chunk_fixed(plan.stream_rate), used.cpu, used.chunks);
        let load = format!("bursts, {}/s", plan.stream_rate);
        self.first_bytes(&load, &used);
        self.lag(&load, &used);
        Ok(())
    }

    async fn paced(&mut self) -> anyhow::Result<()> {
        let plan = self.plan;
        let load = self.load(Answer::Paced, STREAM_BODY);
        let used = self.using(generator::streams(self.subject.address, &load, plan.streams, plan.fixed)).await?;
        self.cpu(row::chunk_paced(plan.streams), used.cpu, used.chunks);
        self.first_bytes("paced", &used);
        Ok(())
    }

    fn cpu(&mut self, name: String, cpu: Option<Duration>, count: u64) {
        if let Some(cpu) = cpu {
            self.add(name, cpu.as_secs_f64() * 1e6 / count.max(1) as f64);
        }
    }

    /// With how busy the proxy's core was: where that is far below 100 %, something else was the limit.
    fn throughput(&mut self, name: &str, count: u64, used: &Used) {
        let seconds = used.outcome.time.as_secs_f64();
        self.add(name, count as f64 / seconds);
        if let Some(cpu) = used.cpu {
            self.add(format!("its core busy, %, {name}"), cpu.as_secs_f64() * 100.0 / seconds);
        }
    }

    fn first_bytes(&mut self, load: &str, used: &Used) {
        for (part, parts) in LATENCIES.into_iter().take(2) {
            self.add(row::first_byte(load, part), per_mille(&used.outcome.first_bytes, parts));
        }
    }

    fn lag(&self, load: &str, used: &Used) {
        if used.outcome.time > self.plan.fixed + LAG {
            eprintln!("    NOT SUSTAINED by {}: {load}; its latencies say only that", self.subject.kind.title());
        }
    }
}
