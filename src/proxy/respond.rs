//! What every response of the gateway carries, and how a refusal becomes one.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response};

use super::record::Record;
use super::{Refused, ResponseBody};

const REQUEST_ID: HeaderName = HeaderName::from_static("spendgate-request-id");

/// Puts the request's id in, under our name and, where the provider sent none, under those that SDKs show.
pub(super) fn put_request_id(headers: &mut HeaderMap, record: &Record) {
    let Ok(id) = HeaderValue::from_str(&record.id().to_string()) else { return };
    for name in [HeaderName::from_static("x-request-id"), HeaderName::from_static("request-id")] {
        if !headers.contains_key(&name) {
            headers.insert(name, id.clone());
        }
    }
    headers.insert(REQUEST_ID, id);
}

/// The refusal in the caller's shape.
pub(super) fn refused(refused: Refused, mut record: Record) -> Response<ResponseBody> {
    let Refused { refusal, api, unread_body } = refused;
    record.outcome(refusal.code);
    record.status(refusal.status.as_u16());
    let body: Bytes = api.envelope().refusal_body(&refusal, Some(&record.id().to_string()));
    let mut response = Response::new(ResponseBody::whole(body));
    *response.status_mut() = refusal.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(after) = refusal.retry_after {
        // Whole seconds, at least one; SDKs wait as long as they are told, so never more than a minute.
        headers.insert(RETRY_AFTER, HeaderValue::from(after.as_millis().div_ceil(1000).clamp(1, 60).try_into().unwrap_or(60_u64)));
    }
    if let Some(retry) = refusal.should_retry() {
        headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static(if retry { "true" } else { "false" }));
    }
    if unread_body || refusal.closes_connection() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    put_request_id(headers, &record);
    response.map(|body| body.recorded(record))
}
