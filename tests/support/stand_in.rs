//! A stand-in provider that speaks OpenAI's API, as many do, Anthropic's, Google's, Cohere's, Mistral's and Eden AI's, and keeps **its own ledger** of
//! what it served: the oracle for every test about money.
//!
//! What it does with a request is a [`Script`]: from the setting shared by all requests, from the header `x-stand-in`, or from
//! `@{...}` anywhere in the body, the later winning.

mod answers;
mod anthropic;
mod body;
mod cohere;
mod compatible;
mod counting;
mod edenai;
mod gemini;
mod media;
mod mistral;
mod responses;
mod script;
mod vocabulary;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use body::ChannelBody;
pub(crate) use script::Script;

/// The stand-in, running until it is dropped.
pub(crate) struct StandIn {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    rows: Mutex<Vec<Row>>,
    script: Mutex<String>,
    /// Bodies are counted, not kept.
    lean: AtomicBool,
    gate: watch::Sender<bool>,
}

/// What the stand-in knows of one request that reached it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Path and query, as they came.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The first `<...>` in the body, by which a test knows its request again; or nothing.
    pub(crate) marker: String,
    /// What its usage says, or would say, at the end of the answer; none where it answers with an error, or not at all.
    pub(crate) would_report: Option<Consumed>,
    /// Consumed so far: grows while a stream is being sent.
    pub(crate) consumed: Consumed,
    /// The bytes of the answer's body that were sent.
    pub(crate) sent: Vec<u8>,
    /// How many they are.
    pub(crate) sent_bytes: usize,
    /// The answer was sent to its end.
    pub(crate) finished: bool,
    /// When.
    pub(crate) finished_at: Option<Instant>,
}

/// What a request consumed, and what the stand-in bills for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Consumed {
    pub(crate) prompt: i64,
    /// Of the prompt: read from the cache.
    pub(crate) cached: i64,
    pub(crate) completion: i64,
    /// In nano-dollars.
    pub(crate) cost: i64,
}

/// One row of the ledger, written while it is served.
#[derive(Clone)]
struct Entry {
    shared: Arc<Shared>,
    index: usize,
}

/// Nano-dollars a token: input, input read from the cache, output.
fn prices(model: &str, tier: &str) -> (i64, i64, i64) {
    // A reseller bills what the seller does.
    match model.rsplit('/').next().unwrap_or_default() {
        "gpt-4o" => (2500, 1250, 10_000),
        "gpt-4o-mini" if tier == "priority" => (250, 125, 1000),
        "gpt-5-mini" if tier == "flex" => (125, 13, 1000),
        "gpt-5-mini" if tier == "priority" => (450, 45, 3600),
        "gpt-5-mini" => (250, 25, 2000),
        // The second is a deployment of the first.
        "gpt-4o-mini" | "prod-mini" => (150, 75, 600),
        "text-embedding-3-small" => (20, 20, 0),
        "gpt-3.5-turbo-instruct" => (1500, 1500, 2000),
        "claude-haiku-4-5" => (1000, 100, 5000),
        "command-a-03-2025" | "command-a" => (2500, 2500, 10_000),
        "embed-v4.0" => (120, 120, 0),
        "mistral-small-2603" => (150, 15, 600),
        "codestral-2508" => (300, 30, 900),
        "mistral-embed" => (100, 100, 0),
        "voxtral-small-latest" => (100, 10, 400),
        "claude-opus-4-1" => (15_000, 1500, 75_000),
        "gemini-2.5-flash" => (300, 30, 2500),
        "gemini-3.1-flash-lite" => (250, 25, 1500),
        "gemini-embedding-001" => (150, 150, 0),
        _ => (0, 0, 0),
    }
}

/// What the stand-in would say that a request to OpenAI's API consumes, without being asked over the wire.
pub(crate) fn consumed_by(path: &str, request: &Value, script: &str) -> Consumed {
    let script = Script::parse(script);
    match path {
        "chat/completions" => answers::Wish::chat(request, &script).consumed(&script),
        "completions" => answers::Wish::legacy(request, &script).consumed(&script),
        "responses" => responses::consumed(request, &script),
        _ => answers::embedded(request, &script).1,
    }
}

// === impl Consumed ===

impl Consumed {
    fn tokens(model: &str, prompt: i64, cached: i64, completion: i64) -> Self {
        Self::at_tier(model, "default", prompt, cached, completion)
    }

    fn at_tier(model: &str, tier: &str, prompt: i64, cached: i64, completion: i64) -> Self {
        let (input, cache_read, output) = prices(model, tier);
        let cost = (prompt - cached) * input + cached * cache_read + completion * output;
        Self { prompt, cached, completion, cost }
    }
}

// === impl Row ===

impl Row {
    /// It only had its tokens counted.
    fn is_count(&self) -> bool {
        counting::is_call(self.target.split('?').next().unwrap_or_default())
    }
}

// === impl StandIn ===

impl StandIn {
    /// Starts one on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { rows: Mutex::default(), script: Mutex::default(), lean: AtomicBool::new(false), gate: watch::Sender::new(false) });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { address, shared, server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to do with requests that say nothing themselves, from now on.
    pub(crate) fn behave(&self, script: &str) {
        // A script with a mistake must fail here, not in the middle of an answer.
        let _ = Script::parse(script);
        script.clone_into(&mut self.shared.script.lock().unwrap());
    }

    /// From now on the ledger keeps figures and no bodies: for millions of requests.
    pub(crate) fn keep_no_bodies(&self) {
        self.shared.lean.store(true, Ordering::Relaxed);
    }

    /// Lets through what waits at the gate (`gate=head`, `gate=first`), and all that comes later.
    pub(crate) fn open_gate(&self) {
        self.shared.gate.send_replace(true);
    }

    /// From now on the gate holds again.
    pub(crate) fn close_gate(&self) {
        self.shared.gate.send_replace(false);
    }

    /// The ledger: all that ever reached it, in order.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.shared.rows.lock().unwrap().clone()
    }

    /// The ledger by marker, without what was only counted. Panics where a request reached it twice.
    pub(crate) fn by_marker(&self) -> HashMap<String, Row> {
        let mut rows = HashMap::new();
        for row in self.shared.rows.lock().unwrap().iter().filter(|row| !row.marker.is_empty() && !row.is_count()) {
            let twice = rows.insert(row.marker.clone(), row.clone());
            assert!(twice.is_none(), "{} reached the provider twice", row.marker);
        }
        rows
    }

    /// How many requests reached it that were more than the counting of tokens.
    pub(crate) fn count(&self) -> usize {
        self.shared.rows.lock().unwrap().iter().filter(|row| !row.is_count()).count()
    }

    /// The requests that had their tokens counted, and nothing more.
    pub(crate) fn counts(&self) -> Vec<Row> {
        self.rows_that(Row::is_count)
    }

    /// What it bills for everything together, in nano-dollars.
    pub(crate) fn cost(&self) -> i64 {
        self.shared.rows.lock().unwrap().iter().map(|row| row.consumed.cost).sum()
    }

    /// The one row whose body contains a text. Panics unless there is exactly one.
    #[track_caller]
    pub(crate) fn row_with(&self, text: &str) -> Row {
        let rows = self.rows_with(text);
        assert_eq!(rows.len(), 1, "{} requests with {text:?} reached the provider", rows.len());
        rows.into_iter().next().unwrap()
    }

    /// Waits until a request whose body contains a text has reached it.
    pub(crate) async fn arrived(&self, text: &str) {
        super::eventually(&format!("a request with {text:?}"), async || (!self.rows_with(text).is_empty()).then_some(())).await;
    }

    /// All rows whose body contains a text, without what was only counted.
    pub(crate) fn rows_with(&self, text: &str) -> Vec<Row> {
        self.rows_that(|row| !row.is_count() && row.body.windows(text.len()).any(|window| window == text.as_bytes()))
    }

    /// All rows of this kind.
    pub(crate) fn rows_that(&self, wanted: impl Fn(&Row) -> bool) -> Vec<Row> {
        self.shared.rows.lock().unwrap().iter().filter(|row| wanted(row)).cloned().collect()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

// === impl Entry ===

impl Entry {
    fn update(&self, change: impl FnOnce(&mut Row)) {
        change(&mut self.shared.rows.lock().unwrap()[self.index]);
    }

    /// Written before it is sent: whoever has seen the bytes finds them in the ledger.
    fn sends(&self, bytes: &[u8]) {
        let lean = self.shared.lean.load(Ordering::Relaxed);
        self.update(|row| {
            row.sent_bytes += bytes.len();
            if !lean {
                row.sent.extend_from_slice(bytes);
            }
        });
    }

    fn finish(&self) {
        self.update(|row| {
            row.finished = true;
            row.finished_at = Some(Instant::now());
        });
    }

    async fn gate(&self) {
        let mut gate = self.shared.gate.subscribe();
        // Fails only when the stand-in is gone, and then nothing matters.
        let _ = gate.wait_for(|open| *open).await;
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // The connections go down with the server.
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let _ = socket.set_nodelay(true);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            // A reset is one of the things it does on purpose.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<ChannelBody>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let script = Script::chosen(&shared.script.lock().unwrap(), &head.headers, &body);
    let target = head.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let path = head.uri.path().to_owned();
    let lean = shared.lean.load(Ordering::Relaxed);
    let row = Row {
        target,
        headers: if lean { HeaderMap::new() } else { head.headers },
        body: if lean { Bytes::new() } else { body.clone() },
        marker: marker(&body),
        would_report: None,
        consumed: Consumed::default(),
        sent: Vec::new(),
        sent_bytes: 0,
        finished: false,
        finished_at: None,
    };
    let index = {
        let mut rows = shared.rows.lock().unwrap();
        rows.push(row);
        rows.len() - 1
    };
    let entry = Entry { shared, index };
    let counts = counting::is_call(&path);
    if script.hang || counts && script.count_hang {
        std::future::pending::<()>().await;
    }
    if script.reset {
        return Err(std::io::Error::other("reset before the head, as the script says"));
    }
    if if counts { script.gate_count } else { script.gate_head } {
        entry.gate().await;
    }
    if let Some(delay) = script.delay_head {
        tokio::time::sleep(delay).await;
    }
    Ok(answers::answer(&path, &body, &script, &entry))
}

/// The first `<...>` of a body.
fn marker(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let found = text.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    found.map(|(inner, _)| format!("<{inner}>")).unwrap_or_default()
}
