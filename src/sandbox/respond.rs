//! Turns a simulated answer into an HTTP response: the one place that knows its headers and how a connection is broken off.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec::IntoIter;

use bytes::{Buf, Bytes};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::Simulated;

/// Says that nothing in a response came from a provider: `spendgate-sandbox: true`.
pub const SANDBOX_HEADER: HeaderName = HeaderName::from_static("spendgate-sandbox");
/// The pause before a connection breaks off: the server writes out what it holds only when the body has nothing ready.
const BREAK_PAUSE: Duration = Duration::from_millis(20);

/// The body of a simulated response. All chunks are ready at once; a body that is cut then fails instead of ending.
#[derive(Debug)]
pub struct SimulatedBody {
    chunks: IntoIter<Bytes>,
    /// The length is told only for what is neither a stream nor cut.
    length: Option<u64>,
    ending: Ending,
}

/// How the body ends.
#[derive(Debug)]
enum Ending {
    Whole,
    /// It breaks off, after a pause that begins when the last chunk is taken.
    Cut(Option<Pin<Box<Sleep>>>),
}

/// The connection is broken off because the `cut` fault asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the simulated connection broke off")]
pub struct BrokenOff;

// === impl Simulated ===

impl Simulated {
    /// The response, with its content type and [`SANDBOX_HEADER`]. The caller waits for [`Simulated::latency`] first.
    #[must_use]
    pub fn into_response(self) -> Response<SimulatedBody> {
        let length = (!self.cut && !self.is_stream()).then(|| self.chunks.iter().map(|chunk| chunk.len() as u64).sum());
        let ending = if self.cut { Ending::Cut(None) } else { Ending::Whole };
        let mut response = Response::new(SimulatedBody { chunks: self.chunks.into_iter(), length, ending });
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        response.headers_mut().insert(SANDBOX_HEADER, HeaderValue::from_static("true"));
        response
    }
}

// === impl SimulatedBody ===

impl Body for SimulatedBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        // An empty chunk would end a chunked body, or be nothing.
        if let Some(chunk) = self.chunks.by_ref().find(Buf::has_remaining) {
            self.length = self.length.map(|length| length.saturating_sub(chunk.len() as u64));
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match &mut self.ending {
            Ending::Whole => Poll::Ready(None),
            Ending::Cut(pause) => pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(BREAK_PAUSE))).as_mut().poll(context).map(|()| Some(Err(BrokenOff))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.ending, Ending::Whole) && self.chunks.as_slice().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
