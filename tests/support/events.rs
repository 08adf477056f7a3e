//! Reading server-sent events the way a client does, and comparing two streams.

use serde_json::Value;

/// The events of a stream, each without its blank line.
pub(crate) fn split(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).unwrap().replace("\r\n", "\n");
    text.split("\n\n").filter(|event| !event.is_empty()).map(str::to_owned).collect()
}

/// The JSON of an event, none for `[DONE]` and comments.
pub(crate) fn json(event: &str) -> Option<Value> {
    serde_json::from_str(event.strip_prefix("data:")?.trim()).ok()
}

/// What the client reads as text.
pub(crate) fn content(bytes: &[u8]) -> String {
    split(bytes).iter().filter_map(|event| json(event)).filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

/// True where an event carries figures of usage.
pub(crate) fn shows_usage(event: &str) -> bool {
    json(event).is_some_and(|event| !event["usage"].is_null())
}
