//! What a request asks for: read field by field, refused as the provider refuses it.

use serde_json::{Value, json};

use super::check;
use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;
use crate::sandbox::schema::Unmet;
use crate::sandbox::seed::Seed;

/// The smallest budget for thinking.
const LEAST_BUDGET: u64 = 1_024;

/// A request, as far as it changes the answer.
pub(super) struct Ask<'a> {
    pub(super) seed: Seed,
    pub(super) model: &'a str,
    /// Output tokens, at most.
    pub(super) limit: u64,
    pub(super) stream: bool,
    pub(super) input_tokens: u64,
    pub(super) speed: Option<&'a str>,
    /// Thinking comes first.
    pub(super) thinking: Option<Thinking>,
    /// The tool to call, if one is to be called.
    pub(super) tool: Option<Tool<'a>>,
    /// The schema of the text, where one was asked for.
    pub(super) format: Option<&'a Value>,
    /// Where it stands, for errors.
    pub(super) format_path: &'static str,
    stops: Vec<&'a str>,
}

/// How thinking shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    Shown,
    Omitted,
}

/// A tool that is called in the answer.
pub(super) struct Tool<'a> {
    pub(super) name: &'a str,
    /// The schema of its input; none for a tool of the provider's definition.
    pub(super) schema: Option<&'a Value>,
    /// What it is called with where there is no schema.
    pub(super) input: Value,
    /// Where its definition stands, for errors.
    pub(super) path: String,
}

// === impl Ask ===

impl<'a> Ask<'a> {
    pub(super) fn read(body: &'a Value) -> Result<Self, Problem> {
        let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
        let model = model(map)?;
        let limit = fields::whole(map, "max_tokens", 0, u64::MAX)?.ok_or_else(|| required("max_tokens"))?;
        let messages = check::messages(map)?;
        check::numbers(map)?;
        let thinking = thinking(map, limit)?;
        let (format, format_path) = format(map)?;
        Ok(Self {
            seed: Seed::of_request("messages", body),
            model,
            limit,
            stream: fields::flag(map, "stream", "stream")?,
            input_tokens: check::input_tokens(map, messages),
            speed: fields::text(map, "speed", "speed")?,
            thinking,
            tool: tool(map, messages, thinking.is_some())?,
            format,
            format_path,
            stops: stops(map)?,
        })
    }

    /// The text up to the first stop sequence, and that sequence.
    pub(super) fn stopped(&self, mut text: String) -> (String, Option<String>) {
        let found = self.stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| Some((text.find(stop)?, *stop))).min();
        let Some((at, stop)) = found else { return (text, None) };
        text.truncate(at);
        (text, Some(stop.to_owned()))
    }
}

/// A field is missing, in the provider's words.
pub(super) fn required(path: &str) -> Problem {
    Problem::invalid(format!("{path}: Field required"), Some(path), None)
}

/// The name of the model.
pub(super) fn model(map: &Object) -> Result<&str, Problem> {
    match fields::text(map, "model", "model")? {
        Some(model) if !model.is_empty() => Ok(model),
        _ => Err(required("model")),
    }
}

/// The error for a schema that no value can be given for.
pub(super) fn unmet(path: &str, unmet: &Unmet) -> Problem {
    Problem::invalid(format!("{path}: invalid schema: {unmet}."), Some(path), None)
}

fn thinking(map: &Object, limit: u64) -> Result<Option<Thinking>, Problem> {
    let Some(thinking) = fields::inner(map, "thinking", "thinking")? else { return Ok(None) };
    let kind = fields::text(thinking, "type", "thinking.type")?.ok_or_else(|| required("thinking.type"))?;
    let shown = match fields::text(thinking, "display", "thinking.display")? {
        Some("omitted") => Thinking::Omitted,
        _ => Thinking::Shown,
    };
    match kind {
        "disabled" | "between_tools" => Ok(None),
        "adaptive" => Ok(Some(shown)),
        "enabled" => {
            let budget = fields::whole(thinking, "budget_tokens", LEAST_BUDGET, u64::MAX)?.ok_or_else(|| required("thinking.enabled.budget_tokens"))?;
            if budget >= limit {
                return Err(Problem::invalid("`max_tokens` must be greater than `thinking.budget_tokens`.", Some("max_tokens"), None));
            }
            Ok(Some(shown))
        }
        other => Err(Problem::unknown_value("thinking.type", other, &["enabled", "adaptive", "between_tools", "disabled"])),
    }
}

/// The schema of the output, in its present place or that of the beta.
fn format(map: &Object) -> Result<(Option<&Value>, &'static str), Problem> {
    let present = fields::inner(map, "output_config", "output_config")?.map(|config| fields::inner(config, "format", "output_config.format"));
    let (format, path) = match present.transpose()?.flatten() {
        Some(format) => (Some(format), "output_config.format.schema"),
        None => (fields::inner(map, "output_format", "output_format")?, "output_format.schema"),
    };
    let Some(format) = format else { return Ok((None, path)) };
    match fields::text(format, "type", path)? {
        Some("json_schema") => {}
        other => return Err(Problem::unknown_value(path, other.unwrap_or_default(), &["json_schema"])),
    }
    match fields::get(format, "schema") {
        Some(schema) if schema.is_object() => Ok((Some(schema), path)),
        Some(other) => Err(Problem::wrong_type(path, "an object", other)),
        None => Err(required(path)),
    }
}

fn stops(map: &Object) -> Result<Vec<&str>, Problem> {
    let stops = fields::list(map, "stop_sequences", "an array of strings")?.unwrap_or_default();
    stops
        .iter()
        .enumerate()
        .map(|(index, stop)| stop.as_str().ok_or_else(|| Problem::wrong_type(&format!("stop_sequences.{index}"), "a string", stop)))
        .collect()
}

/// The tool that the answer calls: one that is forced, else the likeliest unless the conversation has just come back from a tool.
fn tool<'a>(map: &'a Object, messages: &'a [Value], thinks: bool) -> Result<Option<Tool<'a>>, Problem> {
    let mut tools = Vec::new();
    for (index, tool) in fields::list(map, "tools", "an array of objects")?.unwrap_or_default().iter().enumerate() {
        let path = format!("tools.{index}");
        let Value::Object(tool) = tool else { return Err(Problem::wrong_type(&path, "an object", tool)) };
        tools.extend(definition(tool, path)?);
    }
    let choice = fields::inner(map, "tool_choice", "tool_choice")?;
    let kind = match choice {
        Some(choice) => fields::text(choice, "type", "tool_choice.type")?.ok_or_else(|| required("tool_choice.type"))?,
        None => "auto",
    };
    if thinks && matches!(kind, "any" | "tool") {
        return Err(Problem::invalid("Thinking may not be enabled when tool_choice forces tool use.", Some("tool_choice"), None));
    }
    match kind {
        "none" => Ok(None),
        "auto" if check::is_tool_result(messages.last()) => Ok(None),
        "auto" | "any" => {
            let said = messages.last().map(check::texts).unwrap_or_default();
            let index = tools.iter().position(|tool| said.iter().any(|text| text.contains(tool.name))).unwrap_or(0);
            Ok(tools.into_iter().nth(index))
        }
        "tool" => {
            let name = choice.and_then(|choice| choice.get("name")).and_then(Value::as_str).ok_or_else(|| required("tool_choice.tool.name"))?;
            let named = tools.into_iter().find(|tool| tool.name == name);
            named.map(Some).ok_or_else(|| Problem::invalid(format!("Tool '{name}' not found in provided tools"), Some("tool_choice"), None))
        }
        other => Err(Problem::unknown_value("tool_choice.type", other, &["auto", "any", "tool", "none"])),
    }
}

/// A tool that the client runs. None for those of the provider, which a simulation does not use.
fn definition(map: &Object, path: String) -> Result<Option<Tool<'_>>, Problem> {
    let kind = fields::text(map, "type", &path)?.unwrap_or("custom");
    if kind == "custom" {
        let name_path = format!("{path}.custom.name");
        let name = fields::text(map, "name", &name_path)?.ok_or_else(|| required(&name_path))?;
        let schema_path = format!("{path}.custom.input_schema");
        return match fields::get(map, "input_schema") {
            Some(schema) if schema.is_object() => Ok(Some(Tool { name, schema: Some(schema), input: Value::Null, path: schema_path })),
            Some(other) => Err(Problem::wrong_type(&schema_path, "an object", other)),
            None => Err(required(&schema_path)),
        };
    }
    let input = match kind.split_once("_2").map_or(kind, |(family, _)| family) {
        "bash" => json!({"command": "true"}),
        "text_editor" => json!({"command": "view", "path": "/"}),
        "memory" => json!({"command": "view", "path": "/memories"}),
        "computer" => json!({"action": "screenshot"}),
        _ => return Ok(None),
    };
    Ok(fields::text(map, "name", &path)?.map(|name| Tool { name, schema: None, input, path }))
}
