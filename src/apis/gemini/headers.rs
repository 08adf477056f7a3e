//! Which headers pass, either way. Allow-lists: what is not named here stays.

use http::HeaderName;

/// Where the provider wants its key, and clients put theirs.
pub(super) const API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
/// What SDKs of Google's say of themselves.
pub(super) const API_CLIENT: HeaderName = HeaderName::from_static("x-goog-api-client");

/// Headers of the request that go to the provider. Not the client's credentials and cookies, not whose quota to use (`x-goog-user-project`), not which
/// members the answer shows (`x-goog-fieldmask`): the usage must be among them. Not `x-http-method-override`, nor `x-server-timeout`, which breaks calls off.
pub(super) fn passes_request(name: &HeaderName) -> bool {
    matches!(name.as_str(), "accept" | "content-type" | "user-agent" | "x-goog-api-client")
}

/// Headers of the answer that go to the client. Not cookies, not redirects, not addresses that lead past the gateway (`x-goog-upload-url`).
pub(super) fn passes_response(name: &HeaderName) -> bool {
    matches!(name.as_str(), "content-type" | "cache-control" | "retry-after" | "x-gemini-service-tier" | "x-request-id" | "request-id")
}
