//! What a chat request asks for: read field by field, refused as the provider refuses it.

use serde_json::Value;

use super::check;
use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;
use crate::sandbox::schema::Unmet;
use crate::sandbox::seed::Seed;

/// Choices that one request may ask for.
const MAX_CHOICES: u64 = 128;
/// Service tiers that can be asked for by name. `auto` is answered as `default`.
const TIERS: [&str; 6] = ["auto", "default", "flex", "scale", "priority", "fast"];

/// A chat request, as far as it changes the answer.
pub(in crate::apis) struct Ask<'a> {
    pub(in crate::apis) seed: Seed,
    pub(in crate::apis) model: &'a str,
    pub(super) choices: usize,
    /// Output tokens for each choice, at most.
    pub(super) limit: Option<u64>,
    pub(in crate::apis) stream: bool,
    pub(super) include_usage: bool,
    pub(in crate::apis) input_tokens: u64,
    pub(super) service_tier: &'a str,
    /// The tool to call, if one is to be called.
    pub(super) tool: Option<Tool<'a>>,
    pub(super) format: Format<'a>,
    stops: Vec<&'a str>,
}

/// A tool that is called in the answer.
pub(in crate::apis) struct Tool<'a> {
    pub(super) kind: ToolKind,
    pub(super) name: &'a str,
    /// The schema of its arguments.
    pub(super) parameters: Option<&'a Value>,
    /// Where its definition stands, for errors.
    pub(super) path: String,
}

/// How a tool is defined and called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::apis) enum ToolKind {
    /// `tools[].function`.
    Function,
    /// `tools[].custom`: takes plain text.
    Custom,
    /// `functions[]`, the form before `tools`.
    Legacy,
}

/// What the text of the answer must be.
pub(in crate::apis) enum Format<'a> {
    Text,
    Json,
    Schema { name: &'a str, schema: &'a Value },
}

/// Whether a tool is to be called.
enum Choice<'a> {
    No,
    /// Unless the conversation has just come back from a tool.
    Auto,
    Any,
    Named(&'a str),
    /// As `Auto`, but this one.
    AutoNamed(&'a str),
}

// === impl Ask ===

impl<'a> Ask<'a> {
    pub(super) fn read(body: &'a Value) -> Result<Self, Problem> {
        let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
        let model = fields::model(map)?;
        let messages = check::messages(map)?;
        check::numbers(map)?;
        let choices = fields::whole(map, "n", 1, MAX_CHOICES)?.unwrap_or(1);
        let limit = fields::whole(map, "max_completion_tokens", 1, u64::MAX)?;
        let old_limit = fields::whole(map, "max_tokens", 1, u64::MAX)?;
        let (stream, include_usage) = fields::stream(map)?;
        let tool = tool(map, messages)?;
        Ok(Self {
            seed: Seed::of_request("chat.completions", body),
            model,
            choices: usize::try_from(choices).unwrap_or(1),
            limit: limit.or(old_limit),
            stream,
            include_usage,
            input_tokens: check::input_tokens(map, messages),
            service_tier: service_tier(map)?,
            tool,
            format: format(map)?,
            stops: fields::stops(map)?,
        })
    }

    /// The text up to the first stop sequence.
    pub(super) fn stopped(&self, mut text: String) -> String {
        let end = self.stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop)).min();
        text.truncate(end.unwrap_or(text.len()));
        text
    }

    /// The error for a schema that no value can be given for.
    pub(super) fn unmet(&self, unmet: &Unmet) -> Problem {
        match (&self.tool, &self.format) {
            (Some(tool), _) => Problem::invalid(
                format!("Invalid schema for function '{}': {unmet}.", tool.name),
                Some(&format!("{}.parameters", tool.path)),
                Some("invalid_function_parameters"),
            ),
            (None, Format::Schema { name, .. }) => {
                Problem::invalid(format!("Invalid schema for response_format '{name}': {unmet}."), Some("response_format"), Some("invalid_json_schema"))
            }
            (None, _) => Problem::invalid(format!("Invalid schema: {unmet}."), None, None),
        }
    }
}

fn service_tier(map: &Object) -> Result<&str, Problem> {
    match fields::text(map, "service_tier", "service_tier")? {
        None | Some("auto") => Ok("default"),
        Some(tier) if TIERS.contains(&tier) => Ok(tier),
        Some(tier) => Err(Problem::unknown_value("service_tier", tier, &TIERS)),
    }
}

fn format(map: &Object) -> Result<Format<'_>, Problem> {
    let Some(format) = fields::inner(map, "response_format", "response_format")? else { return Ok(Format::Text) };
    match fields::required_text(format, "type", "response_format.type")? {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let path = "response_format.json_schema";
            let asked = fields::inner(format, "json_schema", path)?.ok_or_else(|| Problem::missing(path))?;
            let name = fields::required_text(asked, "name", "response_format.json_schema.name")?;
            check::function_name(name, "response_format.json_schema.name")?;
            match fields::get(asked, "schema") {
                Some(schema) if schema.is_object() => Ok(Format::Schema { name, schema }),
                Some(other) => Err(Problem::wrong_type("response_format.json_schema.schema", "an object", other)),
                None => Ok(Format::Json),
            }
        }
        other => Err(Problem::unknown_value("response_format.type", other, &["json_object", "json_schema", "text"])),
    }
}

/// The tool that the answer calls, from `tools` or, where there are none, from the older `functions`.
fn tool<'a>(map: &'a Object, messages: &'a [Value]) -> Result<Option<Tool<'a>>, Problem> {
    let new = fields::list(map, "tools", "an array of objects")?;
    let old = fields::list(map, "functions", "an array of objects")?;
    let (tools, choice) = match (new, old) {
        (Some(tools), _) => (definitions(tools)?, choice(map, "tool_choice")?),
        (None, Some(functions)) => (old_definitions(functions)?, choice(map, "function_call")?),
        (None, None) => {
            return match fields::get(map, "tool_choice") {
                Some(Value::String(choice)) if choice == "none" || choice == "auto" => Ok(None),
                Some(_) => Err(Problem::invalid("'tool_choice' is only allowed when 'tools' are specified.", Some("tool_choice"), None)),
                None => Ok(None),
            };
        }
    };
    let after_tool = check::is_tool_result(messages.last());
    match choice {
        Choice::No => Ok(None),
        Choice::Auto | Choice::AutoNamed(_) if after_tool => Ok(None),
        Choice::Auto | Choice::Any => Ok(likeliest(tools, messages)),
        Choice::Named(name) | Choice::AutoNamed(name) => match tools.into_iter().find(|tool| tool.name == name) {
            Some(tool) => Ok(Some(tool)),
            None => Err(Problem::invalid(format!("Tool choice '{name}' not found in 'tools' parameter."), Some("tool_choice"), None)),
        },
    }
}

/// The tool that the last message names, else the first.
fn likeliest<'a>(tools: Vec<Tool<'a>>, messages: &[Value]) -> Option<Tool<'a>> {
    let said = check::text_of(messages.last());
    let index = tools.iter().position(|tool| said.iter().any(|text| text.contains(tool.name))).unwrap_or(0);
    tools.into_iter().nth(index)
}

fn definitions(tools: &[Value]) -> Result<Vec<Tool<'_>>, Problem> {
    let mut all = Vec::new();
    for (index, tool) in tools.iter().enumerate() {
        let path = format!("tools[{index}]");
        let Value::Object(map) = tool else { return Err(Problem::wrong_type(&path, "an object", tool)) };
        let kind = match fields::required_text(map, "type", &format!("{path}.type"))? {
            "function" => ToolKind::Function,
            "custom" => ToolKind::Custom,
            other => return Err(Problem::unknown_value(&format!("{path}.type"), other, &["function", "custom"])),
        };
        let member = if kind == ToolKind::Function { "function" } else { "custom" };
        let path = format!("{path}.{member}");
        let inner = fields::inner(map, member, &path)?.ok_or_else(|| Problem::missing(&path))?;
        all.push(definition(inner, kind, path)?);
    }
    Ok(all)
}

fn old_definitions(functions: &[Value]) -> Result<Vec<Tool<'_>>, Problem> {
    let mut all = Vec::new();
    for (index, function) in functions.iter().enumerate() {
        let path = format!("functions[{index}]");
        let Value::Object(map) = function else { return Err(Problem::wrong_type(&path, "an object", function)) };
        all.push(definition(map, ToolKind::Legacy, path)?);
    }
    Ok(all)
}

fn definition(map: &Object, kind: ToolKind, path: String) -> Result<Tool<'_>, Problem> {
    let name = fields::required_text(map, "name", &format!("{path}.name"))?;
    check::function_name(name, &format!("{path}.name"))?;
    let parameters = match fields::get(map, "parameters") {
        Some(parameters) if parameters.is_object() => Some(parameters),
        Some(other) => return Err(Problem::wrong_type(&format!("{path}.parameters"), "an object", other)),
        None => None,
    };
    Ok(Tool { kind, name, parameters: parameters.filter(|_| kind != ToolKind::Custom), path })
}

/// Reads `tool_choice` or `function_call`.
fn choice<'a>(map: &'a Object, field: &str) -> Result<Choice<'a>, Problem> {
    match fields::get(map, field) {
        None => Ok(Choice::Auto),
        Some(Value::String(choice)) => match choice.as_str() {
            "none" => Ok(Choice::No),
            "auto" => Ok(Choice::Auto),
            "required" if field == "tool_choice" => Ok(Choice::Any),
            other => Err(Problem::unknown_value(field, other, &["none", "auto", "required"])),
        },
        Some(Value::Object(choice)) if field == "function_call" => Ok(Choice::Named(fields::required_text(choice, "name", "function_call.name")?)),
        Some(Value::Object(choice)) => match fields::required_text(choice, "type", "tool_choice.type")? {
            kind @ ("function" | "custom") => {
                let path = format!("tool_choice.{kind}");
                let named = fields::inner(choice, kind, &path)?.ok_or_else(|| Problem::missing(&path))?;
                Ok(Choice::Named(fields::required_text(named, "name", &format!("{path}.name"))?))
            }
            "allowed_tools" => allowed(choice),
            other => Err(Problem::unknown_value("tool_choice.type", other, &["function", "custom", "allowed_tools"])),
        },
        Some(other) => Err(Problem::wrong_type(field, "one of 'none', 'auto' or an object", other)),
    }
}

/// A choice that narrows the tools down: the first that it allows is called.
fn allowed(choice: &Object) -> Result<Choice<'_>, Problem> {
    let path = "tool_choice.allowed_tools";
    let allowed = fields::inner(choice, "allowed_tools", path)?.ok_or_else(|| Problem::missing(path))?;
    let first = fields::get(allowed, "tools").and_then(|tools| tools.get(0));
    let name = first.and_then(|tool| tool.pointer("/function/name").or_else(|| tool.pointer("/custom/name"))).and_then(Value::as_str);
    match (fields::text(allowed, "mode", "tool_choice.allowed_tools.mode")?, name) {
        (_, None) => Err(Problem::missing("tool_choice.allowed_tools.tools")),
        (Some("required"), Some(name)) => Ok(Choice::Named(name)),
        (_, Some(name)) => Ok(Choice::AutoNamed(name)),
    }
}
