//! The parts of a request that are checked and counted, but do not change what is answered.

use serde_json::Value;

use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;

const ROLES: [&str; 4] = ["user", "assistant", "system", "developer"];
/// What an image counts, in bytes of text: 85 tokens, as one of low detail.
const IMAGE_BYTES: usize = 85 * 4;
const NAME_LENGTH: usize = 64;

/// The items of the input, every one of them well formed. None where the input is a text.
pub(super) fn input(map: &Object) -> Result<Vec<&Value>, Problem> {
    match fields::get(map, "input") {
        Some(Value::String(_)) => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                self::item(item, &format!("input[{index}]"))?;
            }
            Ok(items.iter().collect())
        }
        None if fields::get(map, "previous_response_id").is_some() => Ok(Vec::new()),
        None => Err(Problem::missing("input")),
        Some(other) => Err(Problem::wrong_type("input", "a string or an array of items", other)),
    }
}

fn item(item: &Value, path: &str) -> Result<(), Problem> {
    let Value::Object(map) = item else { return Err(Problem::wrong_type(path, "an object", item)) };
    match fields::text(map, "type", &format!("{path}.type"))? {
        None | Some("message") if map.contains_key("role") => {
            let role = fields::required_text(map, "role", &format!("{path}.role"))?;
            if !ROLES.contains(&role) {
                return Err(Problem::unknown_value(&format!("{path}.role"), role, &ROLES));
            }
            let path = format!("{path}.content");
            match map.get("content") {
                Some(Value::String(_)) => Ok(()),
                Some(Value::Array(parts)) => parts.iter().enumerate().try_for_each(|(index, part)| self::part(part, &format!("{path}[{index}]"))),
                None => Err(Problem::missing(&path)),
                Some(other) => Err(Problem::wrong_type(&path, "a string or an array of objects", other)),
            }
        }
        Some("message") => Err(Problem::missing(&format!("{path}.role"))),
        Some("function_call_output" | "custom_tool_call_output") => {
            fields::required_text(map, "call_id", &format!("{path}.call_id"))?;
            fields::get(map, "output").map(drop).ok_or_else(|| Problem::missing(&format!("{path}.output")))
        }
        None => fields::required_text(map, "id", &format!("{path}.id")).map(drop),
        Some(_) => Ok(()),
    }
}

fn part(part: &Value, path: &str) -> Result<(), Problem> {
    let Value::Object(map) = part else { return Err(Problem::wrong_type(path, "an object", part)) };
    match fields::required_text(map, "type", &format!("{path}.type"))? {
        "input_text" | "output_text" => fields::required_text(map, "text", &format!("{path}.text")).map(drop),
        "input_image" if fields::get(map, "image_url").or_else(|| fields::get(map, "file_id")).is_none() => Err(Problem::missing(&format!("{path}.image_url"))),
        "input_image" | "input_file" | "refusal" => Ok(()),
        other => Err(Problem::unknown_value(&format!("{path}.type"), other, &["input_text", "input_image", "output_text", "refusal", "input_file"])),
    }
}

/// Checks the settings, which a simulation takes and ignores.
pub(super) fn settings(map: &Object) -> Result<(), Problem> {
    fields::check_decimal(map, "temperature", 0.0, 2.0)?;
    fields::check_decimal(map, "top_p", 0.0, 1.0)?;
    fields::whole(map, "top_logprobs", 0, 20)?;
    fields::flag(map, "store", "store")?;
    fields::flag(map, "parallel_tool_calls", "parallel_tool_calls")?;
    fields::inner(map, "metadata", "metadata")?;
    fields::text(map, "instructions", "instructions")?;
    fields::text(map, "previous_response_id", "previous_response_id")?;
    fields::list(map, "include", "an array of strings")?;
    match fields::text(map, "truncation", "truncation")? {
        None | Some("auto" | "disabled") => Ok(()),
        Some(other) => Err(Problem::unknown_value("truncation", other, &["auto", "disabled"])),
    }
}

/// Checks the name of a function or of a format.
pub(super) fn name(name: &str, path: &str) -> Result<(), Problem> {
    let fits = !name.is_empty() && name.len() <= NAME_LENGTH && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if fits {
        return Ok(());
    }
    let message = format!("Invalid '{path}': expected 1 to {NAME_LENGTH} letters, digits, underscores and hyphens.");
    Err(Problem::invalid(message, Some(path), Some("invalid_value")))
}

/// The texts of the last item, or of the input itself where that is a text.
pub(super) fn text_of<'a>(map: &'a Object, last: Option<&'a Value>) -> Vec<&'a str> {
    match last.map_or_else(|| map.get("input"), |item| item.get("content")) {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// The input tokens: what a model would read, four bytes to a token, at least one.
pub(super) fn input_tokens(map: &Object, items: &[&Value]) -> u64 {
    let told = ["input", "instructions"].iter().filter_map(|name| fields::get(map, name)?.as_str()).map(str::len).sum::<usize>();
    let read: usize = items.iter().map(|item| item_bytes(item)).sum();
    let format = fields::get(map, "text").and_then(|text| text.get("format")).filter(|format| format.get("schema").is_some());
    let defined: usize = fields::get(map, "tools").into_iter().chain(format).map(|value| value.to_string().len()).sum();
    ((told + read + defined).div_ceil(4) as u64).max(1)
}

/// The text of an item: of its content, its call or its output.
fn item_bytes(item: &Value) -> usize {
    ["content", "arguments", "name", "input", "output", "summary"].iter().filter_map(|name| item.get(name)).map(text_bytes).sum()
}

fn text_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(parts) => parts.iter().map(text_bytes).sum(),
        Value::Object(part) if part.get("type").is_some_and(|kind| kind == "input_image" || kind == "computer_screenshot") => IMAGE_BYTES,
        Value::Object(part) => ["text", "refusal", "stdout", "stderr"].iter().filter_map(|name| part.get(*name)?.as_str()).map(str::len).sum(),
        _ => 0,
    }
}
