//! The parts of a chat that are checked and counted, but do not change what is answered.

use serde_json::Value;

use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;

const ROLES: [&str; 4] = ["user", "assistant", "system", "tool"];
const SAFETY_MODES: [&str; 3] = ["CONTEXTUAL", "STRICT", "OFF"];
/// What an image counts, in bytes of text: 256 tokens, as one of low detail.
const IMAGE_BYTES: usize = 256 * 4;

/// The messages, every one of them well formed.
pub(super) fn messages(map: &Object) -> Result<&[Value], Problem> {
    let messages = fields::list(map, "messages", "an array of objects")?.ok_or_else(|| Problem::missing("messages"))?;
    if messages.is_empty() {
        return Err(fields::empty_list("messages"));
    }
    for (index, message) in messages.iter().enumerate() {
        let path = format!("messages[{index}]");
        let Value::Object(map) = message else { return Err(Problem::wrong_type(&path, "an object", message)) };
        let role = fields::required_text(map, "role", &format!("{path}.role"))?;
        if !ROLES.contains(&role) {
            return Err(Problem::unknown_value(&format!("{path}.role"), role, &ROLES));
        }
        if role == "tool" {
            fields::required_text(map, "tool_call_id", &format!("{path}.tool_call_id"))?;
        }
        content(map.get("content"), role, &format!("{path}.content"))?;
    }
    Ok(messages)
}

fn content(content: Option<&Value>, role: &str, path: &str) -> Result<(), Problem> {
    let parts = match content {
        Some(Value::String(_)) => return Ok(()),
        Some(Value::Array(parts)) => parts,
        // An assistant may have called tools and said nothing.
        None | Some(Value::Null) if role == "assistant" => return Ok(()),
        None | Some(Value::Null) => return Err(Problem::missing(path)),
        Some(other) => return Err(Problem::wrong_type(path, "a string or an array of objects", other)),
    };
    for (index, part) in parts.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Value::Object(map) = part else { return Err(Problem::wrong_type(&path, "an object", part)) };
        let member = match fields::required_text(map, "type", &format!("{path}.type"))? {
            "text" => "text",
            "thinking" => "thinking",
            "image_url" => "image_url",
            "document" => "document",
            other => return Err(Problem::unknown_value(&format!("{path}.type"), other, &["text", "thinking", "image_url", "document"])),
        };
        if fields::get(map, member).is_none() {
            return Err(Problem::missing(&format!("{path}.{member}")));
        }
    }
    Ok(())
}

/// Checks the settings that a simulation takes and ignores.
pub(super) fn settings(map: &Object) -> Result<(), Problem> {
    fields::check_decimal(map, "temperature", 0.0, 2.0)?;
    fields::check_decimal(map, "p", 0.0, 1.0)?;
    fields::check_decimal(map, "frequency_penalty", 0.0, 1.0)?;
    fields::check_decimal(map, "presence_penalty", 0.0, 1.0)?;
    fields::whole(map, "k", 0, 500)?;
    fields::flag(map, "logprobs", "logprobs")?;
    fields::flag(map, "strict_tools", "strict_tools")?;
    match fields::text(map, "safety_mode", "safety_mode")? {
        Some(mode) if !SAFETY_MODES.contains(&mode) => Err(Problem::unknown_value("safety_mode", mode, &SAFETY_MODES)),
        _ => Ok(()),
    }
}

/// Whether a message brings the result of a tool.
pub(super) fn is_tool_result(message: Option<&Value>) -> bool {
    message.and_then(|message| message.get("role")).is_some_and(|role| role == "tool")
}

/// The texts of a message.
pub(super) fn texts(message: &Value) -> Vec<&str> {
    match message.get("content") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// The input tokens: what a model would read, four bytes to a token, at least one.
pub(super) fn input_tokens(map: &Object, messages: &[Value]) -> u64 {
    let read: usize = messages.iter().map(message_bytes).sum();
    let defined: usize = ["tools", "documents", "response_format"].iter().filter_map(|name| fields::get(map, name)).map(|value| value.to_string().len()).sum();
    ((read + defined).div_ceil(4) as u64).max(1)
}

fn message_bytes(message: &Value) -> usize {
    let length = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map_or(0, str::len);
    let mut bytes = texts(message).iter().map(|text| text.len()).sum::<usize>() + length(message, "/tool_plan");
    for part in message.get("content").and_then(Value::as_array).into_iter().flatten() {
        bytes += match part.get("type").and_then(Value::as_str).unwrap_or_default() {
            "image_url" => IMAGE_BYTES,
            "document" => part.get("document").map_or(0, |document| document.to_string().len()),
            "thinking" => length(part, "/thinking"),
            _ => 0,
        };
    }
    for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        bytes += length(call, "/function/name") + length(call, "/function/arguments");
    }
    bytes
}
