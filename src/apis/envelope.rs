//! What stands around the operations of an API: where the provider's key goes, which headers pass, and how errors are shaped. An API is a row of this.

use ::http::{HeaderMap, HeaderName, HeaderValue, header};
use bytes::Bytes;

use super::Refusal;
use crate::sandbox::Problem;

/// One API's row.
#[derive(Debug)]
pub struct Envelope {
    /// The header that takes the provider's key. None: `Authorization`, after `Bearer`.
    pub(super) key: Option<HeaderName>,
    pub(super) request_header: fn(&HeaderName) -> bool,
    pub(super) response_header: fn(&HeaderName) -> bool,
    pub(super) refusal: fn(&Refusal, Option<&str>) -> Bytes,
    pub(super) problem: fn(&Problem) -> Bytes,
    pub(super) keep_alive: Option<&'static str>,
}

// === impl Envelope ===

impl Envelope {
    /// Puts the provider's key (the bare key, as it stands in the settings) where the API wants it.
    pub fn put_key(&self, headers: &mut HeaderMap, key: &HeaderValue) {
        let (name, mut value) = match &self.key {
            Some(name) => (name.clone(), key.clone()),
            None => match HeaderValue::from_bytes(&[b"Bearer ", key.as_bytes()].concat()) {
                Ok(value) => (header::AUTHORIZATION, value),
                // A header value behind more letters is a header value: this cannot be, and if it were, no key would be sent.
                Err(_) => return,
            },
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }

    /// Whether a header of the request goes to the provider.
    #[must_use]
    pub fn passes_request_header(&self, name: &HeaderName) -> bool {
        (self.request_header)(name)
    }

    /// Whether a header of the answer goes to the client.
    #[must_use]
    pub fn passes_response_header(&self, name: &HeaderName) -> bool {
        (self.response_header)(name)
    }

    /// A refusal as JSON in the API's own shape.
    #[must_use]
    pub fn refusal_body(&self, refusal: &Refusal, request_id: Option<&str>) -> Bytes {
        (self.refusal)(refusal, request_id)
    }

    /// A simulated error of the provider's, as JSON in its own shape.
    #[must_use]
    pub fn problem_body(&self, problem: &Problem) -> Bytes {
        (self.problem)(problem)
    }

    /// What a stream says while there is nothing to say: whole, and without meaning to every client of the API. None where nothing is known to be.
    #[must_use]
    pub fn keep_alive(&self) -> Option<&'static str> {
        self.keep_alive
    }
}
