//! The load: as many requests as a number of connections can carry, a fixed number a second, or so many streams at a time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::provider::{PACE, PACED, STREAM};
use crate::wire::Reader;

/// Connections of a load at a fixed rate. What is due while all of them wait is sent late, and counted from when it was due.
const MOST_LINES: usize = 1024;

/// A request, written beforehand.
pub(crate) struct Load(Rc<Vec<u8>>);

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Whole,
    Burst,
    Paced,
}

/// What came of a load.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) answers: u64,
    pub(crate) time: Duration,
    /// From when it was due until all of the answer was here, in order of length.
    pub(crate) latencies: Vec<Duration>,
    /// The same until the first byte of the body.
    pub(crate) first_bytes: Vec<Duration>,
}

/// A connection that carries one request at a time.
struct Line {
    socket: TcpStream,
    reader: Reader,
}

/// What the requests of a load at a fixed rate share.
struct Open {
    address: SocketAddr,
    request: Rc<Vec<u8>>,
    idle: RefCell<Vec<Line>>,
    lines: RefCell<usize>,
    waiting: RefCell<VecDeque<Instant>>,
    outcome: RefCell<Outcome>,
}

// === impl Load ===

impl Load {
    /// A chat whose body has that many bytes.
    pub(crate) fn chat(secret: &str, answer: Answer, bytes: usize) -> Self {
        let members = match answer {
            Answer::Whole => String::new(),
            Answer::Burst => format!(r#"{STREAM},"stream_options":{{"include_usage":true}},"#),
            Answer::Paced => format!(r#"{STREAM},"stream_options":{{"include_usage":true}},{PACED},"#),
        };
        let start = format!(r#"{{"model":"gpt-4o-mini","max_tokens":200,{members}"messages":[{{"role":"user","content":""#);
        let end = r#""}]}"#;
        let text = "All work and no play makes a dull request. ".bytes().map(char::from).cycle();
        let body = format!("{start}{}{end}", text.take(bytes.saturating_sub(start.len() + end.len())).collect::<String>());
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\naccept: application/json\r\nuser-agent: load";
        Self(Rc::new(format!("{head}\r\nauthorization: Bearer {secret}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()))
    }
}

// === impl Outcome ===

impl Outcome {
    fn took(&mut self, due: Instant, first_byte: Instant) {
        self.answers += 1;
        self.first_bytes.push(first_byte.saturating_duration_since(due));
        self.latencies.push(due.elapsed());
    }

    fn ended(mut self, started: Instant) -> Self {
        self.time = started.elapsed();
        self.latencies.sort_unstable();
        self.first_bytes.sort_unstable();
        self
    }
}

/// So many of a thousand are at most this, in microseconds.
pub(crate) fn per_mille(sorted: &[Duration], per_mille: usize) -> f64 {
    let index = (sorted.len() * per_mille / 1000).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
}

// === impl Line ===

impl Line {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, reader: Reader::default() })
    }

    /// Returns when the first byte of the answer's body was here.
    async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Instant> {
        self.socket.write_all(request).await?;
        let answer = self.reader.message(&mut self.socket).await?.context("closed without an answer")?;
        if !answer.bytes.starts_with(b"HTTP/1.1 200") {
            bail!("not the answer that is to be measured: {}", String::from_utf8_lossy(answer.bytes));
        }
        Ok(answer.first_byte)
    }
}

/// One request after the other on each of many connections, for a time.
pub(crate) async fn saturate(address: SocketAddr, load: &Load, connections: usize, time: Duration) -> anyhow::Result<Outcome> {
    at_a_time(address, load, connections, Duration::ZERO, time).await
}

/// So many streams at a time, each paced by the provider, begun one after the other so that their events do not coincide.
pub(crate) async fn streams(address: SocketAddr, load: &Load, streams: usize, time: Duration) -> anyhow::Result<Outcome> {
    at_a_time(address, load, streams, PACE / u32::try_from(streams.max(1))?, time).await
}

async fn at_a_time(address: SocketAddr, load: &Load, lines: usize, apart: Duration, time: Duration) -> anyhow::Result<Outcome> {
    let outcome: Rc<RefCell<Outcome>> = Rc::default();
    let started = Instant::now();
    let local = LocalSet::new();
    let workers: Vec<_> = (0_u32..)
        .take(lines)
        .map(|number| {
            let (request, outcome) = (Rc::clone(&load.0), Rc::clone(&outcome));
            local.spawn_local(async move {
                if !apart.is_zero() {
                    tokio::time::sleep(apart * number).await;
                }
                let mut line = Line::open(address).await?;
                while started.elapsed() < time {
                    let due = Instant::now();
                    let first_byte = line.ask(&request).await?;
                    outcome.borrow_mut().took(due, first_byte);
                }
                anyhow::Ok(())
            })
        })
        .collect();
    local.await;
    for worker in workers {
        worker.await??;
    }
    Ok(outcome.take().ended(started))
}

/// So many requests a second, at even distances, whether or not the answers keep up: latencies count from when a request was due, not from when it could
/// be sent.
pub(crate) async fn fixed(address: SocketAddr, load: &Load, rate: u64, time: Duration) -> anyhow::Result<Outcome> {
    let open = Rc::new(Open {
        address,
        request: Rc::clone(&load.0),
        idle: RefCell::default(),
        lines: RefCell::new(0),
        waiting: RefCell::default(),
        outcome: RefCell::default(),
    });
    let (started, mut due) = schedule(rate, time);
    let local = LocalSet::new();
    let tasks = local
        .run_until(async {
            let mut tasks = Vec::new();
            while let Some(due) = due.recv().await {
                tasks.push(tokio::task::spawn_local(Rc::clone(&open).serve(due)));
            }
            tasks
        })
        .await;
    local.await;
    for task in tasks {
        task.await??;
    }
    Ok(open.outcome.take().ended(started))
}

/// A thread that says when a request is due: tokio's own clock knows whole milliseconds only.
fn schedule(rate: u64, time: Duration) -> (Instant, mpsc::UnboundedReceiver<Instant>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let started = Instant::now();
    thread::spawn(move || {
        // Sleep exactly. Where the kernel refuses, by up to 50 us too long: it does so for all.
        if let Ok(ourselves) = std::fs::read_link("/proc/thread-self")
            && let Some(id) = ourselves.file_name()
        {
            let _ = std::fs::write(std::path::Path::new("/proc").join(id).join("timerslack_ns"), "1");
        }
        let count = u128::from(rate.max(1)) * time.as_nanos() / 1_000_000_000;
        for number in 0..u64::try_from(count).unwrap_or(u64::MAX) {
            let due = started + Duration::from_nanos(number.saturating_mul(1_000_000_000) / rate.max(1));
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.send(due).is_err() {
                return;
            }
        }
    });
    (started, receiver)
}

// === impl Open ===

impl Open {
    async fn serve(self: Rc<Self>, due: Instant) -> anyhow::Result<()> {
        let idle = self.idle.borrow_mut().pop();
        let mut line = match idle {
            Some(line) => line,
            None if *self.lines.borrow() < MOST_LINES => {
                *self.lines.borrow_mut() += 1;
                Line::open(self.address).await?
            }
            None => {
                self.waiting.borrow_mut().push_back(due);
                return Ok(());
            }
        };
        let mut next = Some(due);
        while let Some(due) = next {
            let first_byte = line.ask(&self.request).await?;
            self.outcome.borrow_mut().took(due, first_byte);
            next = self.waiting.borrow_mut().pop_front();
        }
        self.idle.borrow_mut().push(line);
        Ok(())
    }
}
