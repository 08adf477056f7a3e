//! The parts of a chat request that are checked and counted, but do not change what is answered.

use serde_json::Value;

use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;

const ROLES: [&str; 6] = ["developer", "system", "user", "assistant", "tool", "function"];
const PARTS: [&str; 5] = ["text", "image_url", "input_audio", "refusal", "file"];
/// What an image counts, in bytes of text: 85 tokens, as one of low detail.
const IMAGE_BYTES: usize = 85 * 4;
const NAME_LENGTH: usize = 64;

/// The messages, every one of them well formed.
pub(super) fn messages(map: &Object) -> Result<&[Value], Problem> {
    let messages = fields::list(map, "messages", "an array of objects")?.ok_or_else(|| Problem::missing("messages"))?;
    if messages.is_empty() {
        return Err(fields::empty_list("messages"));
    }
    for (index, message) in messages.iter().enumerate() {
        self::message(message, &format!("messages[{index}]"))?;
    }
    Ok(messages)
}

fn message(message: &Value, path: &str) -> Result<(), Problem> {
    let Value::Object(map) = message else { return Err(Problem::wrong_type(path, "an object", message)) };
    let role = fields::required_text(map, "role", &format!("{path}.role"))?;
    if !ROLES.contains(&role) {
        return Err(Problem::unknown_value(&format!("{path}.role"), role, &ROLES));
    }
    let content_path = format!("{path}.content");
    match map.get("content") {
        Some(Value::String(_)) => {}
        Some(Value::Array(parts)) => {
            for (index, part) in parts.iter().enumerate() {
                self::part(part, &format!("{content_path}[{index}]"))?;
            }
        }
        // An assistant may have called tools and said nothing; the result of a function may be nothing.
        None | Some(Value::Null) if role == "assistant" || role == "function" => {}
        None => return Err(Problem::missing(&content_path)),
        Some(other) => return Err(Problem::wrong_type(&content_path, "a string or an array of objects", other)),
    }
    if role == "tool" {
        fields::required_text(map, "tool_call_id", &format!("{path}.tool_call_id"))?;
    }
    if let Some(calls) = fields::get(map, "tool_calls") {
        let calls_path = format!("{path}.tool_calls");
        let calls = calls.as_array().ok_or_else(|| Problem::wrong_type(&calls_path, "an array of objects", calls))?;
        for (index, call) in calls.iter().enumerate() {
            let path = format!("{calls_path}[{index}]");
            let call = call.as_object().ok_or_else(|| Problem::wrong_type(&path, "an object", call))?;
            fields::required_text(call, "id", &format!("{path}.id"))?;
        }
    }
    Ok(())
}

fn part(part: &Value, path: &str) -> Result<(), Problem> {
    let Value::Object(map) = part else { return Err(Problem::wrong_type(path, "an object", part)) };
    match fields::required_text(map, "type", &format!("{path}.type"))? {
        "text" => fields::required_text(map, "text", &format!("{path}.text")).map(drop),
        "image_url" => {
            let path = format!("{path}.image_url");
            let image = fields::inner(map, "image_url", &path)?.ok_or_else(|| Problem::missing(&path))?;
            fields::required_text(image, "url", &format!("{path}.url")).map(drop)
        }
        kind if PARTS.contains(&kind) => Ok(()),
        other => Err(Problem::unknown_value(&format!("{path}.type"), other, &PARTS)),
    }
}

/// Checks the settings of sampling, which a simulation takes and ignores.
pub(super) fn numbers(map: &Object) -> Result<(), Problem> {
    fields::check_decimal(map, "temperature", 0.0, 2.0)?;
    fields::check_decimal(map, "top_p", 0.0, 1.0)?;
    fields::check_decimal(map, "presence_penalty", -2.0, 2.0)?;
    fields::check_decimal(map, "frequency_penalty", -2.0, 2.0)?;
    fields::whole(map, "top_logprobs", 0, 20)?;
    fields::flag(map, "logprobs", "logprobs")?;
    fields::flag(map, "parallel_tool_calls", "parallel_tool_calls")?;
    fields::inner(map, "metadata", "metadata")?;
    fields::text(map, "user", "user")?;
    match fields::get(map, "seed") {
        Some(seed) if !seed.is_i64() && !seed.is_u64() => Err(Problem::wrong_type("seed", "an integer", seed)),
        _ => Ok(()),
    }
}

/// Checks the name of a function or of a response format.
pub(super) fn function_name(name: &str, path: &str) -> Result<(), Problem> {
    let fits = !name.is_empty() && name.len() <= NAME_LENGTH && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if fits {
        return Ok(());
    }
    let message = format!("Invalid '{path}': expected 1 to {NAME_LENGTH} letters, digits, underscores and hyphens.");
    Err(Problem::invalid(message, Some(path), Some("invalid_value")))
}

/// Whether a message brings the result of a tool.
pub(super) fn is_tool_result(message: Option<&Value>) -> bool {
    message.and_then(|message| message.get("role")).and_then(Value::as_str).is_some_and(|role| matches!(role, "tool" | "function"))
}

/// The texts of a message.
pub(super) fn text_of(message: Option<&Value>) -> Vec<&str> {
    match message.and_then(|message| message.get("content")) {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// The input tokens: what a model would read, four bytes to a token, at least one.
pub(super) fn input_tokens(map: &Object, messages: &[Value]) -> u64 {
    let read: usize = messages.iter().map(message_bytes).sum();
    let defined: usize = ["tools", "functions", "response_format"].iter().filter_map(|name| fields::get(map, name)).map(|value| value.to_string().len()).sum();
    ((read + defined).div_ceil(4) as u64).max(1)
}

fn message_bytes(message: &Value) -> usize {
    let length = |pointer: &str| message.pointer(pointer).and_then(Value::as_str).map_or(0, str::len);
    let mut bytes = length("/name") + length("/refusal") + length("/function_call/name") + length("/function_call/arguments");
    bytes += text_of(Some(message)).iter().map(|text| text.len()).sum::<usize>();
    for part in message.get("content").and_then(Value::as_array).into_iter().flatten() {
        bytes += if part.get("type").is_some_and(|kind| kind == "image_url") { IMAGE_BYTES } else { 0 };
    }
    for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        for pointer in ["/function/name", "/function/arguments", "/custom/name", "/custom/input"] {
            bytes += call.pointer(pointer).and_then(Value::as_str).map_or(0, str::len);
        }
    }
    bytes
}
