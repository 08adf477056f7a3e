//! The load: as many requests as a number of connections can carry, or a fixed number a second.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::wire::Reader;

/// A request, written beforehand.
pub(crate) struct Load(Rc<Vec<u8>>);

/// What came of a load.
pub(crate) struct Outcome {
    pub(crate) answers: u64,
    pub(crate) time: Duration,
    latencies: Vec<Duration>,
}

/// A connection that carries one request at a time.
struct Line {
    socket: TcpStream,
    reader: Reader,
}

// === impl Load ===

impl Load {
    /// A chat whose body has 500 bytes.
    pub(crate) fn chat(secret: Option<&str>) -> Self {
        Self::new(secret, "")
    }

    /// The same, streamed with usage.
    pub(crate) fn stream(secret: Option<&str>) -> Self {
        Self::new(secret, r#""stream":true,"stream_options":{"include_usage":true},"#)
    }

    fn new(secret: Option<&str>, members: &str) -> Self {
        let start = format!(r#"{{"model":"gpt-4o-mini","max_tokens":200,{members}"messages":[{{"role":"user","content":""#);
        let end = r#""}]}"#;
        let body = format!("{start}{}{end}", "x".repeat(500_usize.saturating_sub(start.len() + end.len())));
        let secret = secret.unwrap_or("none");
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\naccept: application/json\r\nuser-agent: load";
        Self(Rc::new(format!("{head}\r\nauthorization: Bearer {secret}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()))
    }
}

// === impl Outcome ===

impl Outcome {
    /// A percentile of the latencies, in microseconds.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    }
}

// === impl Line ===

impl Line {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, reader: Reader::default() })
    }

    async fn ask(&mut self, request: &[u8]) -> anyhow::Result<()> {
        self.socket.write_all(request).await?;
        let answer = self.reader.message(&mut self.socket).await?.context("closed without an answer")?;
        if !answer.starts_with(b"HTTP/1.1 200") {
            bail!("not the answer that is to be measured: {}", String::from_utf8_lossy(answer));
        }
        Ok(())
    }
}

/// One request after the other on each of many connections, for a time.
pub(crate) async fn saturate(address: SocketAddr, load: &Load, connections: usize, time: Duration) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let local = LocalSet::new();
    let workers: Vec<_> = (0..connections)
        .map(|_| {
            let request = Rc::clone(&load.0);
            local.spawn_local(async move {
                let mut line = Line::open(address).await?;
                let mut answers = 0_u64;
                while started.elapsed() < time {
                    line.ask(&request).await?;
                    answers += 1;
                }
                anyhow::Ok(answers)
            })
        })
        .collect();
    local.await;
    let mut answers = 0;
    for worker in workers {
        answers += worker.await??;
    }
    Ok(Outcome { answers, time: started.elapsed(), latencies: Vec::new() })
}

/// So many requests a second, whether or not the answers keep up: the latency counts from when a request was due.
pub(crate) async fn paced(address: SocketAddr, load: &Load, rate: u64, time: Duration) -> anyhow::Result<Outcome> {
    let idle: Rc<RefCell<Vec<Line>>> = Rc::default();
    let latencies = Rc::new(RefCell::new(Vec::new()));
    let started = Instant::now();
    let local = LocalSet::new();
    let tasks = local
        .run_until(async {
            let mut tasks = Vec::new();
            let mut beat = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX));
            while started.elapsed() < time {
                beat.tick().await;
                let (request, idle, latencies) = (Rc::clone(&load.0), Rc::clone(&idle), Rc::clone(&latencies));
                tasks.push(tokio::task::spawn_local(async move {
                    let due = Instant::now();
                    let free = idle.borrow_mut().pop();
                    let mut line = match free {
                        Some(line) => line,
                        None => Line::open(address).await?,
                    };
                    line.ask(&request).await?;
                    latencies.borrow_mut().push(due.elapsed());
                    idle.borrow_mut().push(line);
                    anyhow::Ok(())
                }));
            }
            tasks
        })
        .await;
    local.await;
    let answers = u64::try_from(tasks.len())?;
    for task in tasks {
        task.await??;
    }
    let latencies = latencies.take();
    Ok(Outcome { answers, time: started.elapsed(), latencies })
}
