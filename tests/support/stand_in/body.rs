//! A body that is written while it is sent, and that can break off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use hyper::body::Body;
use tokio::sync::mpsc;

/// The reading end: hyper sends what arrives; an error breaks the connection off.
pub(super) struct ChannelBody(mpsc::Receiver<Result<Bytes, io::Error>>);

/// The writing end.
pub(super) type BodyWriter = mpsc::Sender<Result<Bytes, io::Error>>;

/// A body and what writes it. One chunk at a time: what has not been taken has not been served.
pub(super) fn channel() -> (BodyWriter, ChannelBody) {
    let (writer, reader) = mpsc::channel(1);
    (writer, ChannelBody(reader))
}

/// A body that is there already.
pub(super) fn whole(bytes: Bytes) -> ChannelBody {
    let (writer, body) = channel();
    writer.try_send(Ok(bytes)).unwrap();
    body
}

impl Body for ChannelBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(context).map(|next| next.map(|chunk| chunk.map(Frame::data)))
    }
}
