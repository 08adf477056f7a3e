//! The stand-in provider of the bench: answers that were written beforehand, in a thread of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use memchr::memmem;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::wire::Reader;

/// Events with text in a streamed answer.
pub(crate) const CHUNKS: u64 = 100;
/// What one answer costs, in nano-dollars: 100 tokens in at $0.15 a million, 100 out at $0.60.
pub(crate) const NANOS_PER_ANSWER: u64 = 100 * 150 + CHUNKS * 600;

/// A running provider.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    answers: Arc<AtomicU64>,
}

struct Answers {
    whole: Vec<u8>,
    streamed: Vec<u8>,
}

// === impl Provider ===

impl Provider {
    /// How many answers were given since the last time this was asked.
    pub(crate) fn take_answers(&self) -> u64 {
        self.answers.swap(0, Ordering::Relaxed)
    }
}

/// Starts it on a free port, for as long as the process lives.
pub(crate) fn start() -> anyhow::Result<Provider> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let answers = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&answers);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        if let Err(error) = runtime.block_on(serve(listener, counted)) {
            eprintln!("the provider of the bench: {error:#}");
        }
    });
    Ok(Provider { address, answers })
}

async fn serve(listener: std::net::TcpListener, counted: Arc<AtomicU64>) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let answers = Arc::new(Answers { whole: whole(), streamed: streamed() });
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let (answers, counted) = (Arc::clone(&answers), Arc::clone(&counted));
        tokio::spawn(async move {
            // The proxy closes connections as it likes.
            let _ = connection(socket, &answers, &counted).await;
        });
    }
}

async fn connection(mut socket: TcpStream, answers: &Answers, counted: &AtomicU64) -> anyhow::Result<()> {
    let mut reader = Reader::default();
    while let Some(request) = reader.message(&mut socket).await? {
        let answer = if memmem::find(request, b"\"stream\":true").is_some() { &answers.streamed } else { &answers.whole };
        counted.fetch_add(1, Ordering::Relaxed);
        socket.write_all(answer).await?;
    }
    Ok(())
}

fn usage() -> String {
    format!(r#"{{"prompt_tokens":100,"completion_tokens":{CHUNKS},"total_tokens":{}}}"#, 100 + CHUNKS)
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

/// All events at once, each a chunk of its own.
fn streamed() -> Vec<u8> {
    let mut answer = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: bench\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    let mut event = |data: &str| answer.push_str(&format!("{:x}\r\ndata: {data}\n\n\r\n", data.len() + 8));
    let frame = |choices: &str, usage: &str| {
        format!(r#"{{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini","choices":{choices},"usage":{usage}}}"#)
    };
    event(&frame(r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]"#, "null"));
    for _ in 0..CHUNKS {
        event(&frame(r#"[{"index":0,"delta":{"content":"measured "},"finish_reason":null}]"#, "null"));
    }
    event(&frame(r#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#, "null"));
    event(&frame("[]", &usage()));
    event("[DONE]");
    answer.push_str("0\r\n\r\n");
    answer.into_bytes()
}
