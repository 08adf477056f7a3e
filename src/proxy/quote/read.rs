//! Reads the body of a request, within a time and a size.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::apis::Refusal;

/// Between two pieces of a request's body, and for all of it.
const BODY_PAUSE: Duration = Duration::from_secs(30);
const BODY_TIMEOUT: Duration = Duration::from_secs(300);

/// All of the body, copied only where it comes in pieces.
pub(super) async fn read(mut body: Incoming, headers: &HeaderMap, max_body: usize) -> Result<Bytes, Refusal> {
    let too_large = || Refusal::request_too_large(max_body as u64);
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()).and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > max_body) {
        return Err(too_large());
    }
    let whole = async {
        let mut first: Option<Bytes> = None;
        let mut gathered = BytesMut::new();
        while let Some(frame) =
            tokio::time::timeout(BODY_PAUSE, body.frame()).await.map_err(|_| Refusal::invalid_request("The body did not arrive in time."))?
        {
            let frame = frame.map_err(|_| Refusal::invalid_request("The body broke off or is not framed as announced."))?;
            let Ok(data) = frame.into_data() else { continue };
            if gathered.len() + first.as_ref().map_or(0, Bytes::len) + data.len() > max_body {
                return Err(too_large());
            }
            // A body that came in one piece is not copied.
            match first.take() {
                None if gathered.is_empty() => first = Some(data),
                None => gathered.extend_from_slice(&data),
                Some(head) => {
                    gathered.reserve(announced.unwrap_or(0).max(head.len() + data.len()));
                    gathered.extend_from_slice(&head);
                    gathered.extend_from_slice(&data);
                }
            }
        }
        Ok(first.unwrap_or_else(|| gathered.freeze()))
    };
    tokio::time::timeout(BODY_TIMEOUT, whole).await.map_err(|_| Refusal::invalid_request("The body did not arrive in time."))?
}
