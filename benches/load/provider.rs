//! The stand-in provider of the bench: answers that were written beforehand, in a thread of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use memchr::memmem;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, MissedTickBehavior};

use crate::wire::{Message, Reader};

/// Events with text in a streamed answer.
const WORDS: u64 = 100;
/// What one answer costs, in nano-dollars: 100 tokens in at $0.15 a million, 100 out at $0.60.
pub(crate) const NANOS_PER_ANSWER: u64 = 100 * 150 + WORDS * 600;
/// Between two events of a paced stream.
pub(crate) const PACE: Duration = Duration::from_millis(20);
/// In a request: its stream is to be paced. Stands among the first members of the body.
pub(crate) const PACED: &str = r#""user":"paced""#;
/// In a request: its answer is to be streamed. Likewise.
pub(crate) const STREAM: &str = r#""stream":true"#;
/// Where those are looked for.
const MEMBERS: usize = 256;

/// A running provider.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    answers: AtomicU64,
    chunks: AtomicU64,
}

struct Answers {
    whole: Vec<u8>,
    /// Head and first event, the other events, the end.
    streamed: Vec<Vec<u8>>,
    /// All of it.
    burst: Vec<u8>,
}

// === impl Provider ===

impl Provider {
    /// How many answers were begun since the last time this was asked.
    pub(crate) fn take_answers(&self) -> u64 {
        self.counts.answers.swap(0, Ordering::Relaxed)
    }

    /// How many chunks were sent since the last time this was asked.
    pub(crate) fn take_chunks(&self) -> u64 {
        self.counts.chunks.swap(0, Ordering::Relaxed)
    }
}

/// Starts it on a free port, for as long as the process lives.
pub(crate) fn start() -> anyhow::Result<Provider> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let counts = Arc::new(Counts::default());
    let counted = Arc::clone(&counts);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        if let Err(error) = runtime.block_on(serve(listener, counted)) {
            eprintln!("the provider of the bench: {error:#}");
        }
    });
    Ok(Provider { address, counts })
}

async fn serve(listener: std::net::TcpListener, counts: Arc<Counts>) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let streamed = streamed();
    let answers = Arc::new(Answers { whole: whole(), burst: streamed.concat(), streamed });
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let (answers, counts) = (Arc::clone(&answers), Arc::clone(&counts));
        tokio::spawn(async move {
            // The proxy closes connections as it likes.
            let _ = connection(socket, &answers, &counts).await;
        });
    }
}

async fn connection(mut socket: TcpStream, answers: &Answers, counts: &Counts) -> anyhow::Result<()> {
    let mut reader = Reader::default();
    while let Some(Message { bytes, body, .. }) = reader.message(&mut socket).await? {
        let body = bytes.get(body..).unwrap_or_default();
        let members = body.get(..MEMBERS).unwrap_or(body);
        counts.answers.fetch_add(1, Ordering::Relaxed);
        if memmem::find(members, STREAM.as_bytes()).is_none() {
            socket.write_all(&answers.whole).await?;
        } else if memmem::find(members, PACED.as_bytes()).is_none() {
            counts.chunks.fetch_add(answers.streamed.len() as u64, Ordering::Relaxed);
            socket.write_all(&answers.burst).await?;
        } else {
            // The first goes out at once: a timer would be late by up to a millisecond.
            let mut beat = tokio::time::interval_at(Instant::now() + PACE, PACE);
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for (number, part) in answers.streamed.iter().enumerate() {
                if number > 0 {
                    beat.tick().await;
                }
                counts.chunks.fetch_add(1, Ordering::Relaxed);
                socket.write_all(part).await?;
            }
        }
    }
    Ok(())
}

fn usage() -> String {
    format!(r#"{{"prompt_tokens":100,"completion_tokens":{WORDS},"total_tokens":{}}}"#, 100 + WORDS)
}

/// A kilobyte of answer.
fn whole() -> Vec<u8> {
    let text = "measured ".repeat(75);
    let body = format!(
        r#"{{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"gpt-4o-mini","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"logprobs":null,"finish_reason":"stop"}}],"usage":{}}}"#,
        usage()
    );
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: bench\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The events, each a chunk of its own; the head stands before the first, the end behind the last.
fn streamed() -> Vec<Vec<u8>> {
    let frame = |choices: &str, usage: &str| {
        format!(r#"{{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini","choices":{choices},"usage":{usage}}}"#)
    };
    let mut events = vec![frame(r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]"#, "null")];
    events.extend((0..WORDS).map(|_| frame(r#"[{"index":0,"delta":{"content":"measured "},"finish_reason":null}]"#, "null")));
    events.push(frame(r#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#, "null"));
    events.push(frame("[]", &usage()));
    events.push("[DONE]".to_owned());
    let mut parts: Vec<Vec<u8>> = events.iter().map(|data| format!("{:x}\r\ndata: {data}\n\n\r\n", data.len() + 8).into_bytes()).collect();
    // The last header tells nginx not to gather what streams, as providers tell it.
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: bench\r\nx-accel-buffering: no\r\ntransfer-encoding: chunked\r\n\r\n";
    if let Some(first) = parts.first_mut() {
        first.splice(0..0, head.bytes());
    }
    if let Some(last) = parts.last_mut() {
        last.extend_from_slice(b"0\r\n\r\n");
    }
    parts
}
