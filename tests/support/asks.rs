//! The requests that tests send again and again.

use serde_json::{Value, json};

use super::Request;

/// The model of the tests: $0.15 a million input tokens, $0.075 from the cache, $0.60 output.
pub(crate) const MODEL: &str = "gpt-4o-mini";

/// Where chats go.
pub(crate) const CHAT: &str = "/v1/chat/completions";

/// A chat with one message. No output limit.
pub(crate) fn chat(content: &str) -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": content}]})
}

/// A chat with one message and an output limit.
pub(crate) fn limited(content: &str, max_tokens: u64) -> Value {
    json!({"model": MODEL, "max_tokens": max_tokens, "messages": [{"role": "user", "content": content}]})
}

/// A streamed chat; the usage is asked for.
pub(crate) fn streamed(content: &str, max_tokens: u64) -> Value {
    let mut body = limited(content, max_tokens);
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    body
}

/// A chat request with a secret.
pub(crate) fn send(secret: &str, body: &Value) -> Request {
    Request::post(CHAT, body).bearer(secret)
}

/// A call of the API at one cent.
pub(crate) fn ocr(secret: &str) -> Request {
    Request::post("/ocr", &json!({"document": "page"})).bearer(secret)
}
