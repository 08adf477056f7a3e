//! The parts of a request that are checked and counted, but do not change what is answered.

use serde_json::Value;

use super::ask::required;
use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;

const ROLES: [&str; 3] = ["user", "assistant", "system"];
/// What an image or a document that is not text counts, in bytes of text.
const PICTURE_BYTES: usize = 1_600 * 4;

/// The messages, every one of them well formed.
pub(super) fn messages(map: &Object) -> Result<&[Value], Problem> {
    let messages = fields::list(map, "messages", "an array of objects")?.ok_or_else(|| required("messages"))?;
    if messages.is_empty() {
        return Err(Problem::invalid("messages: at least one message is required", Some("messages"), None));
    }
    for (index, message) in messages.iter().enumerate() {
        let path = format!("messages.{index}");
        let Value::Object(map) = message else { return Err(Problem::wrong_type(&path, "an object", message)) };
        let role_path = format!("{path}.role");
        let role = fields::text(map, "role", &role_path)?.ok_or_else(|| required(&role_path))?;
        if !ROLES.contains(&role) {
            return Err(Problem::unknown_value(&role_path, role, &ROLES));
        }
        content(map.get("content"), &format!("{path}.content"))?;
    }
    if let Some(system) = fields::get(map, "system") {
        content(Some(system), "system")?;
    }
    Ok(messages)
}

fn content(content: Option<&Value>, path: &str) -> Result<(), Problem> {
    let blocks = match content {
        Some(Value::String(_)) => return Ok(()),
        Some(Value::Array(blocks)) => blocks,
        None | Some(Value::Null) => return Err(required(path)),
        Some(other) => return Err(Problem::wrong_type(path, "a string or an array of objects", other)),
    };
    for (index, block) in blocks.iter().enumerate() {
        let path = format!("{path}.{index}");
        let Value::Object(map) = block else { return Err(Problem::wrong_type(&path, "an object", block)) };
        let kind = fields::text(map, "type", &path)?.ok_or_else(|| required(&format!("{path}.type")))?;
        let needed: &[&str] = match kind {
            "text" => &["text"],
            "image" | "document" => &["source"],
            "tool_use" => &["id", "name", "input"],
            "tool_result" => &["tool_use_id"],
            _ => &[],
        };
        if let Some(missing) = needed.iter().find(|name| fields::get(map, name).is_none()) {
            return Err(required(&format!("{path}.{kind}.{missing}")));
        }
    }
    Ok(())
}

/// Checks the settings of sampling, which a simulation takes and ignores.
pub(super) fn numbers(map: &Object) -> Result<(), Problem> {
    fields::check_decimal(map, "temperature", 0.0, 1.0)?;
    fields::check_decimal(map, "top_p", 0.0, 1.0)?;
    fields::whole(map, "top_k", 0, u64::MAX)?;
    fields::inner(map, "metadata", "metadata")?;
    Ok(())
}

/// Whether a message brings the result of a tool.
pub(super) fn is_tool_result(message: Option<&Value>) -> bool {
    let blocks = message.and_then(|message| message.get("content")).and_then(Value::as_array);
    blocks.is_some_and(|blocks| blocks.iter().any(|block| block.get("type").is_some_and(|kind| kind == "tool_result")))
}

/// The texts of a message.
pub(super) fn texts(message: &Value) -> Vec<&str> {
    match message.get("content") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(blocks)) => blocks.iter().filter_map(|block| block.get("text")?.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// The input tokens: what a model would read, four bytes to a token, at least one.
pub(super) fn input_tokens(map: &Object, messages: &[Value]) -> u64 {
    let system = fields::get(map, "system").map_or(0, bytes);
    let read: usize = messages.iter().filter_map(|message| message.get("content")).map(bytes).sum();
    let defined: usize =
        ["tools", "tool_choice", "output_config", "output_format"].iter().filter_map(|name| fields::get(map, name)).map(|value| value.to_string().len()).sum();
    ((system + read + defined).div_ceil(4) as u64).max(1)
}

/// The bytes of text in a content.
fn bytes(content: &Value) -> usize {
    let Value::Array(blocks) = content else { return content.as_str().map_or(0, str::len) };
    let length = |block: &Value, pointer: &str| block.pointer(pointer).and_then(Value::as_str).map_or(0, str::len);
    let counted = |block: &Value| match block.get("type").and_then(Value::as_str).unwrap_or_default() {
        "text" => length(block, "/text"),
        "thinking" => length(block, "/thinking"),
        "tool_use" => length(block, "/name") + block.get("input").map_or(0, |input| input.to_string().len()),
        "tool_result" => block.get("content").map_or(0, bytes),
        "document" if block.pointer("/source/type").is_some_and(|kind| kind == "text") => length(block, "/source/data"),
        "document" if block.pointer("/source/type").is_some_and(|kind| kind == "content") => block.pointer("/source/content").map_or(0, bytes),
        "image" | "document" => PICTURE_BYTES,
        _ => block.to_string().len(),
    };
    blocks.iter().map(counted).sum()
}
