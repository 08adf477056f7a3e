//! The parts of a request that are checked and counted, but do not change what is answered. In Google's words.

use serde_json::Value;

use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;

/// What a picture or a file counts, in bytes of text.
const MEDIA_BYTES: usize = 258 * 4;

/// A message within the request.
pub(super) fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Object, Problem> {
    value.as_object().ok_or_else(|| wrong(path, "expected an object"))
}

/// Something is not as it should be.
pub(super) fn wrong(path: &str, what: &str) -> Problem {
    Problem::invalid(format!("Invalid value at '{path}': {what}."), Some(path), None)
}

/// The contents, every one of them well formed.
pub(super) fn contents(map: &Object) -> Result<&[Value], Problem> {
    let missing = || Problem::invalid("* GenerateContentRequest.contents: contents is not specified\n", Some("contents"), None);
    let contents = fields::list(map, "contents", "an array of objects")?.filter(|contents| !contents.is_empty()).ok_or_else(missing)?;
    for (index, turn) in contents.iter().enumerate() {
        content(turn, &format!("contents[{index}]"))?;
    }
    if let Some(system) = fields::get(map, "systemInstruction") {
        content(system, "system_instruction")?;
    }
    Ok(contents)
}

/// One turn.
pub(super) fn content(turn: &Value, path: &str) -> Result<(), Problem> {
    let turn = object(turn, path)?;
    match fields::text(turn, "role", &format!("{path}.role"))? {
        None | Some("" | "user" | "model" | "function" | "system") => {}
        Some(_) => return Err(Problem::invalid("Please use a valid role: user, model.", Some(path), None)),
    }
    let parts = fields::list(turn, "parts", "an array of objects")?.filter(|parts| !parts.is_empty());
    let parts =
        parts.ok_or_else(|| Problem::invalid(format!("* GenerateContentRequest.{path}.parts: contents.parts must not be empty.\n"), Some(path), None))?;
    for (index, part) in parts.iter().enumerate() {
        let path = format!("{path}.parts[{index}]");
        let part = object(part, &path)?;
        let data = [
            "text",
            "inlineData",
            "fileData",
            "functionCall",
            "functionResponse",
            "executableCode",
            "codeExecutionResult",
            "toolCall",
            "toolResponse",
            "thoughtSignature",
        ];
        if !data.iter().any(|name| fields::get(part, name).is_some()) {
            let message = format!("* GenerateContentRequest.{path}.data: required oneof field 'data' must have one initialized field\n");
            return Err(Problem::invalid(message, Some(&path), None));
        }
        fields::text(part, "text", &format!("{path}.text"))?;
    }
    Ok(())
}

/// Whether a turn brings the result of a function.
pub(super) fn is_function_result(turn: Option<&Value>) -> bool {
    parts(turn).iter().any(|part| part.get("functionResponse").is_some())
}

/// The texts of a turn.
pub(super) fn texts(turn: Option<&Value>) -> Vec<&str> {
    parts(turn).iter().filter_map(|part| part.get("text")?.as_str()).collect()
}

/// The input tokens: what a model would read, four bytes to a token, at least one.
pub(super) fn input_tokens(map: &Object) -> u64 {
    let contents = fields::get(map, "contents").and_then(Value::as_array).map_or(0, |contents| contents.iter().map(bytes).sum());
    let system = fields::get(map, "systemInstruction").map_or(0, bytes);
    let config = fields::get(map, "generationConfig");
    let schemas = ["responseSchema", "responseJsonSchema"].iter().filter_map(|name| config?.get(name));
    let defined: usize = ["tools", "toolConfig"].iter().filter_map(|name| fields::get(map, name)).chain(schemas).map(|value| value.to_string().len()).sum();
    let sum: usize = contents + system + defined;
    (sum.div_ceil(4) as u64).max(1)
}

/// The bytes of text in a turn.
pub(super) fn bytes(turn: &Value) -> usize {
    let counted = |part: &Value| match part.as_object() {
        Some(part) if part.contains_key("inlineData") || part.contains_key("fileData") => MEDIA_BYTES,
        Some(part) => part.iter().map(|(name, value)| if name == "text" { value.as_str().map_or(0, str::len) } else { value.to_string().len() }).sum(),
        None => 0,
    };
    parts(Some(turn)).iter().map(counted).sum()
}

fn parts(turn: Option<&Value>) -> &[Value] {
    turn.and_then(|turn| turn.get("parts")).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
