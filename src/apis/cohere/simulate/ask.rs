//! What a chat asks for: read field by field, refused as the provider refuses it.

use serde_json::Value;

use super::check;
use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;

/// The most stop sequences.
const MAX_STOPS: usize = 5;

/// A chat, as far as it changes the answer.
pub(super) struct Ask<'a> {
    pub(super) seed: Seed,
    /// Output tokens, at most.
    pub(super) limit: Option<u64>,
    pub(super) stream: bool,
    pub(super) input_tokens: u64,
    pub(super) thinks: bool,
    pub(super) thinking_budget: Option<u64>,
    /// The tool to call, if one is to be called.
    pub(super) tool: Option<Tool<'a>>,
    pub(super) format: Format<'a>,
    /// The id of the first document, where it is to be cited.
    pub(super) document: Option<String>,
    stops: Vec<&'a str>,
}

/// A tool that is called in the answer.
pub(super) struct Tool<'a> {
    pub(super) name: &'a str,
    /// The schema of its arguments.
    pub(super) parameters: Option<&'a Value>,
    /// Where its definition stands, for errors.
    pub(super) path: String,
}

/// What the text of the answer must be.
#[derive(Clone, Copy)]
pub(super) enum Format<'a> {
    Text,
    Json,
    Schema(&'a Value),
}

// === impl Ask ===

impl<'a> Ask<'a> {
    pub(super) fn read(body: &'a Value) -> Result<Self, Problem> {
        let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
        fields::model(map)?;
        let messages = check::messages(map)?;
        check::settings(map)?;
        let (thinks, thinking_budget) = thinking(map)?;
        Ok(Self {
            seed: Seed::of_request("chat", body),
            limit: fields::whole(map, "max_tokens", 0, u64::MAX)?,
            stream: fields::flag(map, "stream", "stream")?,
            input_tokens: check::input_tokens(map, messages),
            thinks,
            thinking_budget,
            tool: tool(map, messages)?,
            format: format(map)?,
            document: document(map)?,
            stops: stops(map)?,
        })
    }

    /// The text up to the first stop sequence, and whether there was one.
    pub(super) fn stopped(&self, mut text: String) -> (String, bool) {
        let found = self.stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop)).min();
        text.truncate(found.unwrap_or(text.len()));
        (text, found.is_some())
    }
}

/// Whether the answer thinks, and how much. Models that think by themselves are not simulated: only those who ask see it.
fn thinking(map: &Object) -> Result<(bool, Option<u64>), Problem> {
    let Some(thinking) = fields::inner(map, "thinking", "thinking")? else { return Ok((false, None)) };
    let budget = fields::whole(thinking, "token_budget", 1, u64::MAX)?;
    match fields::required_text(thinking, "type", "thinking.type")? {
        "enabled" => Ok((true, budget)),
        "disabled" => Ok((false, None)),
        other => Err(Problem::unknown_value("thinking.type", other, &["enabled", "disabled"])),
    }
}

fn format(map: &Object) -> Result<Format<'_>, Problem> {
    let Some(format) = fields::inner(map, "response_format", "response_format")? else { return Ok(Format::Text) };
    match fields::required_text(format, "type", "response_format.type")? {
        "text" => Ok(Format::Text),
        "json_object" => match fields::get(format, "json_schema").or_else(|| fields::get(format, "schema")) {
            None => Ok(Format::Json),
            Some(schema) if schema.is_object() => Ok(Format::Schema(schema)),
            Some(other) => Err(Problem::wrong_type("response_format.json_schema", "an object", other)),
        },
        other => Err(Problem::unknown_value("response_format.type", other, &["text", "json_object"])),
    }
}

/// The first document's id, where there are documents and citations are wanted.
fn document(map: &Object) -> Result<Option<String>, Problem> {
    let mode = match fields::inner(map, "citation_options", "citation_options")? {
        Some(options) => fields::text(options, "mode", "citation_options.mode")?.unwrap_or("ENABLED"),
        None => "ENABLED",
    };
    let first = fields::list(map, "documents", "an array")?.unwrap_or_default().first();
    let off = mode.eq_ignore_ascii_case("off") || mode.eq_ignore_ascii_case("disabled");
    let id = first.map(|first| first.get("id").and_then(Value::as_str).unwrap_or("doc:0").to_owned());
    Ok(id.filter(|_| !off))
}

fn stops(map: &Object) -> Result<Vec<&str>, Problem> {
    let stops = fields::list(map, "stop_sequences", "an array of strings")?.unwrap_or_default();
    if stops.len() > MAX_STOPS {
        return Err(Problem::invalid(format!("invalid stop_sequences: at most {MAX_STOPS} are allowed"), Some("stop_sequences"), None));
    }
    stops.iter().map(|stop| stop.as_str().ok_or_else(|| Problem::wrong_type("stop_sequences", "an array of strings", stop))).collect()
}

/// The tool that the answer calls: the likeliest, unless tools are forbidden, or the conversation has just come back from one.
fn tool<'a>(map: &'a Object, messages: &'a [Value]) -> Result<Option<Tool<'a>>, Problem> {
    let mut tools = Vec::new();
    for (index, tool) in fields::list(map, "tools", "an array of objects")?.unwrap_or_default().iter().enumerate() {
        let path = format!("tools[{index}].function");
        let Value::Object(tool) = tool else { return Err(Problem::wrong_type(&path, "an object", tool)) };
        let function = fields::inner(tool, "function", &path)?.ok_or_else(|| Problem::missing(&path))?;
        let name = fields::required_text(function, "name", &format!("{path}.name"))?;
        tools.push(Tool { name, parameters: fields::get(function, "parameters"), path });
    }
    let forced = match fields::text(map, "tool_choice", "tool_choice")? {
        None => false,
        Some("NONE") => return Ok(None),
        Some("REQUIRED") if tools.is_empty() => return Err(Problem::invalid("tool_choice REQUIRED needs tools", Some("tool_choice"), None)),
        Some("REQUIRED") => true,
        Some(other) => return Err(Problem::unknown_value("tool_choice", other, &["REQUIRED", "NONE"])),
    };
    if !forced && check::is_tool_result(messages.last()) {
        return Ok(None);
    }
    let said = messages.last().map(check::texts).unwrap_or_default();
    let index = tools.iter().position(|tool| said.iter().any(|text| text.contains(tool.name))).unwrap_or(0);
    Ok(tools.into_iter().nth(index))
}
