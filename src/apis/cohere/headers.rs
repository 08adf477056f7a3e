//! Which headers pass, either way. Allow-lists: what is not named here stays.

use http::HeaderName;

/// Which SDK speaks: `cohere`, `cohere-ai`.
pub(super) const SDK_NAME: HeaderName = HeaderName::from_static("x-fern-sdk-name");

/// Headers of the request that go to the provider. Not the client's credentials and cookies, and no `Idempotency-Key`: all tokens share the
/// provider's account, so one could be answered with what another asked.
pub(super) fn passes_request(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "accept" | "content-type" | "user-agent" | "x-client-name") || name.starts_with("x-fern-")
}

/// Headers of the answer that go to the client. Not cookies, not redirects, not the operator's limits and its trial's.
pub(super) fn passes_response(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "content-type" | "cache-control" | "x-request-id" | "request-id" | "retry-after" | "retry-after-ms" | "x-debug-trace-id" | "x-api-warning"
    )
}
