//! The body of a response, whatever it comes from.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;

use super::exchange::{BodyError, Exchange};
use super::record::{self, Record};

/// What the client reads.
pub struct ResponseBody {
    source: Source,
    /// Ends with the body: what counts a request counts it until its last byte.
    record: Option<Record>,
}

enum Source {
    Whole(Option<Bytes>),
    Provider(Box<Exchange>),
    Other(UnsyncBoxBody<Bytes, BodyError>),
}

// === impl ResponseBody ===

impl ResponseBody {
    /// All of it at once.
    #[must_use]
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { source: Source::Whole(Some(bytes.into())), record: None }
    }

    /// Any other body.
    pub fn other<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        use http_body_util::BodyExt;
        Self { source: Source::Other(UnsyncBoxBody::new(body.map_err(Into::into))), record: None }
    }

    pub(super) fn provider(exchange: Box<Exchange>) -> Self {
        Self { source: Source::Provider(exchange), record: None }
    }

    /// The same body, which holds the record until it ends.
    pub(super) fn recorded(mut self, record: Record) -> Self {
        self.record = Some(record);
        self
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.source {
            Source::Whole(bytes) => Poll::Ready(bytes.take().filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes)))),
            Source::Provider(exchange) => exchange.poll_pass(context).map(|passed| passed.map(|bytes| bytes.map(Frame::data))),
            Source::Other(body) => {
                let polled = Pin::new(body).poll_frame(context);
                if let (Poll::Ready(Some(Err(_))), Some(record)) = (&polled, &mut self.record) {
                    record.outcome(record::CUT);
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Source::Provider(_) => false,
            Source::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Source::Provider(_) => SizeHint::default(),
            Source::Other(body) => body.size_hint(),
        }
    }
}
