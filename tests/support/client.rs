//! A small HTTP client that hides nothing: no retries, no redirects, no decoding, and it tells a whole answer from one that was cut.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::{HeaderMap, Method, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::wait::bounded;

/// Where to send requests to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
}

/// A request to be.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: Method,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why there was no whole answer.
#[derive(Debug)]
#[allow(dead_code, reason = "shown by Debug when a test fails")]
pub(crate) enum Failure {
    /// No head came: refused, or broken off before it.
    NoHead(String),
    /// The head came, the body broke off.
    Cut { status: StatusCode, seen: Bytes },
}

/// One keep-alive connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

/// An answer whose body is still coming.
pub(crate) struct Streaming {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Every byte of the body so far.
    pub(crate) seen: Vec<u8>,
    read: usize,
    body: Incoming,
    connection: Connection,
}

// === impl Request ===

impl Request {
    pub(crate) fn new(method: Method, path: &str) -> Self {
        Self { method, path: path.to_owned(), headers: Vec::new(), body: Bytes::new() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: &str, body: &Value) -> Self {
        Self::new(Method::POST, path).header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, secret: &str) -> Self {
        self.header("authorization", &format!("Bearer {secret}"))
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// How long the body is.
    pub(crate) fn body_bytes(&self) -> usize {
        self.body.len()
    }

    fn build(self, host: SocketAddr) -> hyper::Request<Full<Bytes>> {
        let mut request = hyper::Request::builder().method(self.method).uri(self.path).header("host", host.to_string());
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(self.body)).unwrap()
    }
}

// === impl Answer ===

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {} {:?}", self.status, self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// `error.code` of a refusal in the OpenAI shape, or an empty text.
    pub(crate) fn code(&self) -> String {
        let json: Value = serde_json::from_slice(&self.body).unwrap_or(Value::Null);
        json["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Panics, with the whole answer, unless the status is as expected.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{} {:?}", self.text(), self.headers);
        self
    }

    /// Panics, with the whole answer, unless it is this refusal.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.code(), code, "{}", answer.text());
        assert!(answer.json()["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{}", answer.text());
        assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")), "{:?}", answer.headers);
        answer
    }
}

// === impl Connection ===

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let no_head = |error: &dyn std::fmt::Display| Failure::NoHead(error.to_string());
        let socket = bounded("a connection", TcpStream::connect(address)).await.map_err(|error| no_head(&error))?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(|error| no_head(&error))?;
        let driver = tokio::spawn(async move {
            // How a connection ends shows in the answer, or in its lack.
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    /// Sends one request and reads its whole answer.
    pub(crate) async fn ask(&mut self, address: SocketAddr, request: Request) -> Result<Answer, Failure> {
        let response = self.head(address, request).await?;
        let (head, mut body) = response.into_parts();
        let mut seen = Vec::new();
        while let Some(frame) = bounded("the next bytes of an answer", body.frame()).await {
            match frame {
                Ok(frame) => seen.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
                Err(_) => return Err(Failure::Cut { status: head.status, seen: seen.into() }),
            }
        }
        Ok(Answer { status: head.status, headers: head.headers, body: seen.into() })
    }

    /// Sends one request and returns once the head of its answer is there.
    pub(crate) async fn stream(mut self, address: SocketAddr, request: Request) -> Result<Streaming, Failure> {
        let (head, body) = self.head(address, request).await?.into_parts();
        Ok(Streaming { status: head.status, headers: head.headers, seen: Vec::new(), read: 0, body, connection: self })
    }

    async fn head(&mut self, address: SocketAddr, request: Request) -> Result<hyper::Response<Incoming>, Failure> {
        let send = async {
            self.sender.ready().await?;
            self.sender.send_request(request.build(address)).await
        };
        bounded("the head of an answer", send).await.map_err(|error| Failure::NoHead(error.to_string()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Takes the socket down at once: this is how the client hangs up.
        self.driver.abort();
    }
}

// === impl Client ===

impl Client {
    /// One request on a connection of its own. Panics where no whole answer comes.
    pub(crate) async fn ask(&self, request: Request) -> Answer {
        let shown = format!("{} {}", request.method, request.path);
        self.try_ask(request).await.unwrap_or_else(|failure| panic!("{shown}: {failure:?}"))
    }

    /// One request on a connection of its own.
    pub(crate) async fn try_ask(&self, request: Request) -> Result<Answer, Failure> {
        Connection::open(self.address).await?.ask(self.address, request).await
    }

    /// Sends a request and returns once the head of the answer is there.
    pub(crate) async fn stream(&self, request: Request) -> Result<Streaming, Failure> {
        Connection::open(self.address).await?.stream(self.address, request).await
    }
}

// === impl Streaming ===

impl Streaming {
    /// Reads what comes next. None when the body has ended as it should.
    pub(crate) async fn more(&mut self) -> Result<Option<()>, Failure> {
        match bounded("the next bytes of a stream", self.body.frame()).await {
            None => Ok(None),
            Some(Ok(frame)) => {
                self.seen.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
                Ok(Some(()))
            }
            Some(Err(_)) => Err(Failure::Cut { status: self.status, seen: self.seen.clone().into() }),
        }
    }

    /// The next event, without its blank line. None when the stream has ended as it should.
    pub(crate) async fn event(&mut self) -> Result<Option<String>, Failure> {
        loop {
            let rest = &self.seen[self.read..];
            if let Some(end) = rest.windows(2).position(|pair| pair == b"\n\n") {
                let event = String::from_utf8(rest[..end].to_vec()).unwrap();
                self.read += end + 2;
                return Ok(Some(event));
            }
            if self.more().await?.is_none() {
                return Ok(None);
            }
        }
    }

    /// Reads to the end.
    pub(crate) async fn rest(mut self) -> Result<Answer, Failure> {
        while self.more().await?.is_some() {}
        Ok(Answer { status: self.status, headers: self.headers, body: self.seen.into() })
    }

    /// Reads at least this many bytes of the body, then takes the connection down.
    pub(crate) async fn hang_up_after(mut self, bytes: usize) -> Result<(), Failure> {
        while self.seen.len() < bytes && self.more().await?.is_some() {}
        drop(self.connection);
        Ok(())
    }
}
