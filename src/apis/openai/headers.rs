//! Which headers pass, either way. Allow-lists: what is not named here stays.

use http::HeaderName;

/// Headers of the request that go to the provider. Not the client's credentials and cookies, not whose organisation or project to bill
/// (they would be of another account), and no `Idempotency-Key`: all tokens share the provider's account, so one could be answered
/// with what another asked.
pub(in crate::apis) fn passes_request(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(name, "accept" | "content-type" | "user-agent" | "http-referer" | "x-title" | "x-client-request-id") || name.starts_with("x-stainless-")
}

/// Headers of the answer that go to the client. Not cookies, not redirects, not the operator's organisation and limits.
pub(in crate::apis) fn passes_response(name: &HeaderName) -> bool {
    let name = name.as_str();
    match name {
        "content-type" | "cache-control" | "x-request-id" | "request-id" | "retry-after" | "retry-after-ms" | "x-should-retry" => true,
        "openai-organization" | "openai-project" => false,
        _ => name.starts_with("openai-"),
    }
}
