//! What the head of a provider's response says about its body.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use crate::apis::Operation;
use crate::money::Usd;

use super::quote::Price;

/// Whether the body is a stream of events.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream")))
}

/// Whether an encoding hides what the answer says, though none was asked for.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// The cost that the provider tells in a header, where the route or the operation says so: a plain decimal, not negative.
pub(super) fn reported_in_header(price: &Price, operation: &dyn Operation, headers: &HeaderMap) -> Option<Usd> {
    let value = match price {
        Price::ReportedHeader { name, .. } => headers.get(name),
        _ => headers.get(operation.cost_header()?),
    };
    crate::apis::http::reported_cost_header(value?)
}
