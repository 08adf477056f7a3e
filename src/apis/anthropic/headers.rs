//! Which headers pass, either way. Allow-lists: what is not named here stays.

use http::HeaderName;

/// Where the provider wants its key.
pub(super) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The version of the API that is spoken.
pub(super) const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// The features that a request opts into, separated by commas.
pub(super) const BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// Headers of the request that go to the provider. Not the client's credentials and cookies, not which workspace or user profile to bill, and
/// no `Idempotency-Key`: all tokens share the provider's account, so one could be answered with what another asked.
pub(super) fn passes_request(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "accept" | "content-type" | "user-agent" | "x-app" | "anthropic-version" | "anthropic-beta" | "anthropic-dangerous-direct-browser-access")
        || name.starts_with("x-stainless-")
}

/// Headers of the answer that go to the client. Not cookies, not redirects, not the operator's organisation and rate limits.
pub(super) fn passes_response(name: &HeaderName) -> bool {
    matches!(name.as_str(), "content-type" | "cache-control" | "request-id" | "x-request-id" | "retry-after" | "retry-after-ms" | "x-should-retry")
}
