//! Simulated answers: what a sandbox token gets, and what `spendgate simulate` serves. No provider is asked and nothing is charged.
//!
//! An answer is drawn from a hash of the request: the same request always gets the same bytes, and a streamed answer says and counts what the same
//! request gets when it is not streamed. Requests are checked as the provider checks them, and answers carry every field that strict clients want.
//!
//! ```text
//! body -> fields              what was asked, or the provider's error (problem)
//!      -> seed, text, schema  what to say: prose, tool arguments, structured output, vectors
//!      -> Simulated           one body, or the events of a stream
//!      -> respond             as an HTTP response
//! ```
//!
//! What an answer looks like is each API's own: the `simulate` of its folder.
//!
//! Usage counts four bytes as a token. Input is the text that a model would read: the texts of all messages and their tool calls, the definitions of
//! tools and of the response format as compact JSON, and 85 tokens for an image. Output is the text of the answer.

mod faults;
pub(crate) mod fields;
pub(crate) mod problem;
mod respond;
pub(crate) mod schema;
pub(crate) mod seed;
pub(crate) mod text;
pub(crate) mod vector;

use std::time::Duration;

use ::http::{HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;

pub use faults::Faults;
pub(crate) use faults::MAX_TOKENS;
pub use problem::Problem;
pub use respond::{BrokenOff, SANDBOX_HEADER, SimulatedBody};

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream; charset=utf-8";
/// A JSON list whose elements come one by one.
const LIST: &str = "application/json; charset=UTF-8";

/// A simulated answer, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// The status of the response.
    pub status: StatusCode,
    /// The value of its `content-type`.
    pub content_type: &'static str,
    /// What other headers of the provider's it has.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How long to wait before the response begins. Waiting is the sender's business.
    pub latency: Duration,
    /// The body: one chunk for each event of a stream, one in all otherwise.
    pub chunks: Vec<Bytes>,
    /// After the last chunk the connection is broken off, not ended.
    pub cut: bool,
}

// === impl Simulated ===

impl Simulated {
    /// A JSON body.
    pub(crate) fn json(body: impl Into<Bytes>) -> Self {
        Self::body(JSON, vec![body.into()])
    }

    /// A stream of events, a chunk each.
    pub(crate) fn events(chunks: Vec<Bytes>) -> Self {
        Self::body(EVENTS, chunks)
    }

    /// A JSON list that grows, a chunk an element.
    pub(crate) fn list(chunks: Vec<Bytes>) -> Self {
        Self::body(LIST, chunks)
    }

    /// Any other body.
    pub(crate) fn body(content_type: &'static str, chunks: Vec<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type, headers: Vec::new(), latency: Duration::ZERO, chunks, cut: false }
    }

    /// Puts in the faults that change how an answer arrives.
    pub(crate) fn with(mut self, faults: &Faults) -> Self {
        self.latency = faults.latency.unwrap_or_default();
        if let Some(events) = faults.cut {
            self.cut_after(events);
        }
        self
    }

    /// Whether the body comes piece by piece: as events, or as a list that grows.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        matches!(self.content_type, EVENTS | LIST)
    }

    fn cut_after(&mut self, events: u32) {
        self.cut = true;
        if self.is_stream() {
            self.chunks.truncate(usize::try_from(events).unwrap_or(usize::MAX));
        } else {
            // One chunk is all there is: half of it has arrived when the connection breaks.
            for chunk in &mut self.chunks {
                chunk.truncate(if events == 0 { 0 } else { chunk.len() / 2 });
            }
        }
    }
}
