//! Which headers pass, either way, beside those of the API whose shapes a path takes.

use http::HeaderName;

use crate::apis::{Api, anthropic, openai};

/// Headers of a request in OpenAI's shapes that go to Eden AI.
pub(super) fn passes_request(name: &HeaderName) -> bool {
    is_own(name) || openai::OpenAi.envelope().passes_request_header(name)
}

/// Headers of an answer in OpenAI's shapes that go to the client.
pub(super) fn passes_response(name: &HeaderName) -> bool {
    tells(name) || openai::OpenAi.envelope().passes_response_header(name)
}

/// Headers of a request in Anthropic's shapes that go to Eden AI.
pub(super) fn passes_messages_request(name: &HeaderName) -> bool {
    is_own(name) || anthropic::Anthropic.envelope().passes_request_header(name)
}

/// Headers of an answer in Anthropic's shapes that go to the client.
pub(super) fn passes_messages_response(name: &HeaderName) -> bool {
    tells(name) || anthropic::Anthropic.envelope().passes_response_header(name)
}

/// How an answer tells who served it, how a request is tagged, and which conversation it belongs to.
fn is_own(name: &HeaderName) -> bool {
    matches!(name.as_str(), "x-edenai-metadata" | "x-edenai-tags" | "x-session-id" | "x-claude-code-session-id" | "x-session-affinity" | "session-id")
}

/// What an answer tells beside its body.
fn tells(name: &HeaderName) -> bool {
    matches!(name.as_str(), "x-edenai-cost" | "x-edenai-provider")
}
