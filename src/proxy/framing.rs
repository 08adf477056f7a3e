//! Screens the raw head of every HTTP/1 request, before the parser that would repair it.
//!
//! The parser accepts some requests that another proxy may cut up differently: a length and a transfer coding at once, the same length
//! twice, bare line feeds. Whoever can make two proxies disagree about where a request ends can smuggle one. So the bytes are looked at
//! as they arrive, and what is odd is refused with 400 and the connection closed. Bodies are skipped by their length, not looked at.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use memchr::{memchr, memmem};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How long a client may leave unread what is ready for it.
const STALL_TIMEOUT: Duration = Duration::from_secs(120);

/// A head longer than this is refused by the parser anyhow.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// What is wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oddity {
    /// `Content-Length` and `Transfer-Encoding` in one request.
    TwoFramings,
    /// `Content-Length` more than once, or not a plain number.
    Length,
    /// A `Transfer-Encoding` that is not exactly `chunked`, once.
    Coding,
    /// A line that does not end in CR LF, or holds a bare CR or a NUL, or continues the line before.
    Line,
}

/// The verdicts on the heads of one connection, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdicts(Arc<Mutex<VecDeque<Option<Oddity>>>>);

/// A connection whose incoming heads are screened.
pub(super) struct Screened<S> {
    stream: S,
    scanner: Scanner,
    verdicts: Verdicts,
    /// Runs while a write waits for the client to read.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// Where in the connection's bytes the scan stands.
#[derive(Debug, Default)]
struct Scanner {
    state: State,
    head: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    /// Gathering a head.
    #[default]
    Head,
    /// Skipping this many bytes of a body.
    Body(u64),
    /// No more is looked at: a chunked body, whose connection is closed after it, or an odd head.
    Opaque,
}

// === impl Verdicts ===

impl Verdicts {
    /// The verdict on the head that the parser just accepted.
    pub(super) fn next(&self) -> Verdict {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            Some(None) => Verdict::Fine,
            Some(Some(oddity)) => Verdict::Odd(oddity),
            None => Verdict::Unseen,
        }
    }

    fn push(&self, oddity: Option<Oddity>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(oddity);
    }
}

/// What the screen says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing odd.
    Fine,
    /// To be refused.
    Odd(Oddity),
    /// The parser saw a request that the screen did not: they disagree, so it is refused.
    Unseen,
}

// === impl Screened ===

impl<S> Screened<S> {
    pub(super) fn new(stream: S) -> (Self, Verdicts) {
        let verdicts = Verdicts::default();
        (Self { stream, scanner: Scanner::default(), verdicts: verdicts.clone(), stalled: None }, verdicts)
    }
}

impl<S> Screened<S> {
    /// A client that does not read what it asked for is given up after a while: its connection holds memory and a request.
    fn bound_stall<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALL_TIMEOUT)));
        stalled.as_mut().poll(context).map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the client stopped reading")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Screened<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let this = &mut *self;
        std::task::ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        this.scanner.scan(buffer.filled().get(before..).unwrap_or_default(), &this.verdicts);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Screened<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bound_stall(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.bound_stall(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.bound_stall(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

// === impl Scanner ===

impl Scanner {
    fn scan(&mut self, mut bytes: &[u8], verdicts: &Verdicts) {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Opaque => return,
                State::Body(left) => {
                    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= skipped as u64;
                    if *left == 0 {
                        self.state = State::Head;
                    }
                    bytes = bytes.get(skipped..).unwrap_or_default();
                }
                State::Head => {
                    // The end of the head may lie across two reads.
                    let from = self.head.len().saturating_sub(3);
                    let had = self.head.len();
                    self.head.extend_from_slice(bytes);
                    // Parsers skip empty lines before a request line.
                    let blank = self.head.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                    if blank > 0 && had == 0 {
                        self.head.drain(..blank);
                        bytes = bytes.get(blank..).unwrap_or_default();
                        self.head.clear();
                        continue;
                    }
                    let Some(end) = self.head.get(from..).and_then(|tail| memmem::find(tail, b"\r\n\r\n")).map(|at| from + at + 4) else {
                        // A head that ends in bare line feeds would be taken by the parser and never seen here: `Unseen`.
                        if self.head.len() > MAX_HEAD {
                            self.state = State::Opaque;
                        }
                        return;
                    };
                    bytes = bytes.get(end - had..).unwrap_or_default();
                    self.head.truncate(end);
                    let verdict = framing(&self.head);
                    self.head.clear();
                    self.state = match verdict {
                        Ok(Framing::Length(0)) => State::Head,
                        Ok(Framing::Length(length)) => State::Body(length),
                        Ok(Framing::Chunked) | Err(_) => State::Opaque,
                    };
                    verdicts.push(verdict.err());
                }
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
}

/// How a head says that its body is framed.
fn framing(head: &[u8]) -> Result<Framing, Oddity> {
    let mut length = None;
    let mut chunked = false;
    let mut rest = head;
    let mut first = true;
    while let Some(at) = memchr(b'\n', rest) {
        let (line, after) = rest.split_at(at + 1);
        rest = after;
        let Some(line) = line.strip_suffix(b"\r\n") else { return Err(Oddity::Line) };
        if line.iter().any(|byte| matches!(byte, b'\r' | 0)) || (!first && matches!(line.first(), Some(b' ' | b'\t'))) {
            return Err(Oddity::Line);
        }
        if !std::mem::take(&mut first) {
            let Some(colon) = memchr(b':', line) else { continue };
            let (name, value) = (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default().trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                let digits = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
                let number = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|value| value.parse::<u64>().ok());
                if length.replace(number.ok_or(Oddity::Length)?).is_some() {
                    return Err(Oddity::Length);
                }
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") && (std::mem::replace(&mut chunked, true) || !value.eq_ignore_ascii_case(b"chunked")) {
                return Err(Oddity::Coding);
            }
        }
    }
    match (length, chunked) {
        (Some(_), true) => Err(Oddity::TwoFramings),
        (None, true) => Ok(Framing::Chunked),
        (length, false) => Ok(Framing::Length(length.unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests;
