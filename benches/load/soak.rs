//! A soak: a steady load on a gateway for as long as one likes, and whether its memory stays where it was.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use crate::generator::{self, Answer, Load};
use crate::plan::Plan;
use crate::subject::Subject;

/// How often the memory is looked at, at most and at least.
const LOOKS: u32 = 40;
const APART: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
/// The last quarter may be above the first by this much: what an allocator leaves lying about.
const SLACK: f64 = 1.05;
const SLACK_MB: f64 = 2.0;

/// Runs it. Chats answered whole at the plan's rate and streams in bursts at its rate, in turn.
pub(crate) async fn run(subject: &Subject, plan: &Plan, time: Duration) -> anyhow::Result<Value> {
    let process = subject.process().context("a soak needs a gateway")?;
    let (whole, burst) = (Load::chat(&subject.secret, Answer::Whole, 500), Load::chat(&subject.secret, Answer::Burst, 500));
    let apart = (time / LOOKS).clamp(APART[0], APART[1]);
    println!("soak of {}: {} s, {} chats/s and {} streams/s in turn", subject.kind.title(), time.as_secs(), plan.rate, plan.stream_rate);
    // What is filled once (pages, pools, caches) is filled before the first look.
    generator::saturate(subject.address, &whole, plan.connections, plan.warm_up).await?;
    generator::saturate(subject.address, &burst, plan.connections, plan.warm_up).await?;
    let (started, mut samples, mut answers) = (Instant::now(), Vec::new(), 0);
    while started.elapsed() < time {
        answers += generator::fixed(subject.address, &whole, plan.rate, apart.mul_f64(0.8)).await?.answers;
        answers += generator::fixed(subject.address, &burst, plan.stream_rate, apart.mul_f64(0.2)).await?.answers;
        let memory = process.memory_mb()?;
        println!("{:>6} s {answers:>10} answers {memory:>7.1} MB", started.elapsed().as_secs());
        samples.push(memory);
    }
    let quarter = (samples.len() / 4).max(1);
    let mean = |some: &[f64]| some.iter().sum::<f64>() / some.len().max(1) as f64;
    let first = mean(samples.get(..quarter).unwrap_or(&samples));
    let last = mean(samples.get(samples.len().saturating_sub(quarter)..).unwrap_or(&samples));
    let flat = last <= first * SLACK + SLACK_MB;
    println!("{}: {first:.1} MB in the first quarter, {last:.1} MB in the last", if flat { "FLAT" } else { "GROWS" });
    Ok(json!({"seconds": time.as_secs(), "answers": answers, "memory_mb": samples, "first_quarter_mb": first, "last_quarter_mb": last, "flat": flat}))
}
