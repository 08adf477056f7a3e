//! What a request for a response asks for: read field by field, refused as the provider refuses it.

use serde_json::{Map, Value, json};

use super::check;
use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;
use crate::sandbox::schema::Unmet;
use crate::sandbox::seed::Seed;

/// Service tiers that can be asked for by name. `auto` is answered as `default`.
const TIERS: [&str; 7] = ["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"];
/// The provider takes no lower output limit.
const LEAST_OUTPUT: u64 = 16;
/// What a response shows as it was asked for, and what it shows where that was not set.
const ECHOED: [(&str, Value); 18] = [
    ("instructions", Value::Null),
    ("max_output_tokens", Value::Null),
    ("max_tool_calls", Value::Null),
    ("metadata", Value::Null),
    ("parallel_tool_calls", Value::Bool(true)),
    ("previous_response_id", Value::Null),
    ("prompt_cache_key", Value::Null),
    ("prompt_cache_retention", Value::Null),
    ("reasoning", Value::Null),
    ("safety_identifier", Value::Null),
    ("store", Value::Bool(true)),
    ("temperature", Value::Null),
    ("text", Value::Null),
    ("tool_choice", Value::Null),
    ("tools", Value::Null),
    ("top_logprobs", Value::Null),
    ("top_p", Value::Null),
    ("user", Value::Null),
];

/// A request, as far as it changes the answer.
pub(super) struct Ask<'a> {
    pub(super) seed: Seed,
    /// The id of the response.
    pub(super) id: String,
    pub(super) model: String,
    /// Output tokens, at most.
    pub(super) limit: Option<u64>,
    pub(super) stream: bool,
    pub(super) input_tokens: u64,
    /// The tool to call, if one is to be called.
    pub(super) tool: Option<Tool<'a>>,
    pub(super) format: Format<'a>,
    pub(super) reasons: bool,
    pub(super) summarizes: bool,
    /// Members of the response that say what was asked for.
    pub(super) echo: Map<String, Value>,
}

/// A tool that is called in the answer.
pub(super) struct Tool<'a> {
    pub(super) name: &'a str,
    /// It takes plain text.
    pub(super) custom: bool,
    /// The schema of its arguments.
    pub(super) parameters: Option<&'a Value>,
    /// Where its definition stands, for errors.
    path: String,
}

/// What the text of the answer must be.
pub(super) enum Format<'a> {
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
}

// === impl Ask ===

impl<'a> Ask<'a> {
    pub(super) fn read(body: &'a Value) -> Result<Self, Problem> {
        let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
        let model = fields::model(map)?;
        let items = check::input(map)?;
        check::settings(map)?;
        let limit = fields::whole(map, "max_output_tokens", LEAST_OUTPUT, u64::MAX)?;
        fields::whole(map, "max_tool_calls", 0, u64::MAX)?;
        let (stream, _) = fields::stream(map)?;
        let reasoning = fields::inner(map, "reasoning", "reasoning")?;
        let effort = reasoning.map(|reasoning| fields::text(reasoning, "effort", "reasoning.effort")).transpose()?.flatten();
        let summary = reasoning.and_then(|reasoning| fields::get(reasoning, "summary").or_else(|| fields::get(reasoning, "generate_summary")));
        let tag = super::stored::tag(&Seed::of_request("responses", body));
        Ok(Self {
            seed: super::stored::seed(&tag),
            id: super::stored::id(&tag, model),
            model: model.to_owned(),
            limit,
            stream,
            input_tokens: check::input_tokens(map, &items),
            tool: tool(map, &items)?,
            format: format(map)?,
            reasons: reasoning.is_some() && effort != Some("none"),
            summarizes: summary.is_some(),
            echo: echo(map, service_tier(map)?),
        })
    }

    /// The same request as `id` tells of it: what a response is retrieved as.
    pub(super) fn of_stored(id: &str, tag: &str, model: String) -> Self {
        Self {
            seed: super::stored::seed(tag),
            id: id.to_owned(),
            model,
            limit: None,
            stream: false,
            input_tokens: 1,
            tool: None,
            format: Format::Text,
            reasons: false,
            summarizes: false,
            echo: echo(&Map::new(), "default"),
        }
    }

    /// The id of its message.
    pub(super) fn message_id(&self) -> String {
        self.seed.part("message", 0).id("msg_", 48)
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
                Problem::invalid(format!("Invalid schema for response_format '{name}': {unmet}."), Some("text.format.schema"), Some("invalid_json_schema"))
            }
            (None, _) => Problem::invalid(format!("Invalid schema: {unmet}."), None, None),
        }
    }
}

fn echo(map: &Object, service_tier: &str) -> Map<String, Value> {
    let mut echo: Map<String, Value> =
        ECHOED.into_iter().map(|(name, default)| (name.to_owned(), fields::get(map, name).cloned().unwrap_or(default))).collect();
    let mut set_default = |name: &str, value: Value| {
        if let Some(place) = echo.get_mut(name).filter(|place| place.is_null()) {
            *place = value;
        }
    };
    set_default("metadata", json!({}));
    set_default("tools", json!([]));
    set_default("tool_choice", json!("auto"));
    set_default("temperature", json!(1.0));
    set_default("top_p", json!(1.0));
    set_default("reasoning", json!({"effort": null, "summary": null}));
    set_default("text", json!({"format": {"type": "text"}, "verbosity": "medium"}));
    if let Some(text) = echo.get_mut("text").and_then(Value::as_object_mut) {
        text.entry("format").or_insert_with(|| json!({"type": "text"}));
    }
    echo.insert("truncation".to_owned(), fields::get(map, "truncation").cloned().unwrap_or_else(|| json!("disabled")));
    echo.insert("service_tier".to_owned(), json!(service_tier));
    echo.insert("background".to_owned(), json!(false));
    echo
}

fn service_tier(map: &Object) -> Result<&str, Problem> {
    match fields::text(map, "service_tier", "service_tier")? {
        None | Some("auto") => Ok("default"),
        Some(tier) if TIERS.contains(&tier) => Ok(tier),
        Some(tier) => Err(Problem::unknown_value("service_tier", tier, &TIERS)),
    }
}

fn format(map: &Object) -> Result<Format<'_>, Problem> {
    let Some(text) = fields::inner(map, "text", "text")? else { return Ok(Format::Text) };
    let Some(format) = fields::inner(text, "format", "text.format")? else { return Ok(Format::Text) };
    match fields::required_text(format, "type", "text.format.type")? {
        "text" => Ok(Format::Text),
        "json_object" => Ok(Format::Json),
        "json_schema" => {
            let name = fields::required_text(format, "name", "text.format.name")?;
            check::name(name, "text.format.name")?;
            match fields::get(format, "schema") {
                Some(schema) if schema.is_object() => Ok(Format::Schema { name, schema }),
                Some(other) => Err(Problem::wrong_type("text.format.schema", "an object", other)),
                None => Err(Problem::missing("text.format.schema")),
            }
        }
        other => Err(Problem::unknown_value("text.format.type", other, &["json_object", "json_schema", "text"])),
    }
}

/// The tool that the answer calls.
fn tool<'a>(map: &'a Object, items: &[&'a Value]) -> Result<Option<Tool<'a>>, Problem> {
    let mut tools = Vec::new();
    for (index, tool) in fields::list(map, "tools", "an array of objects")?.unwrap_or_default().iter().enumerate() {
        definitions(tool, &format!("tools[{index}]"), &mut tools)?;
    }
    let after_tool = items.last().and_then(|item| item.get("type")).and_then(Value::as_str).is_some_and(|kind| kind.ends_with("_output"));
    match choice(map)? {
        Choice::No => Ok(None),
        Choice::Auto if after_tool => Ok(None),
        Choice::Auto | Choice::Any => {
            // The tool that the last message names, else the first.
            let said = check::text_of(map, items.last().copied());
            let index = tools.iter().position(|tool| said.iter().any(|text| text.contains(tool.name))).unwrap_or(0);
            Ok(tools.into_iter().nth(index))
        }
        Choice::Named(name) => match tools.into_iter().find(|tool| tool.name == name) {
            Some(tool) => Ok(Some(tool)),
            None => Err(Problem::invalid(format!("Tool choice '{name}' not found in 'tools' parameter."), Some("tool_choice"), None)),
        },
    }
}

/// The tools that the client runs; those that the provider runs are not called.
fn definitions<'a>(tool: &'a Value, path: &str, into: &mut Vec<Tool<'a>>) -> Result<(), Problem> {
    let Value::Object(map) = tool else { return Err(Problem::wrong_type(path, "an object", tool)) };
    match fields::required_text(map, "type", &format!("{path}.type"))? {
        kind @ ("function" | "custom") => {
            let name = fields::required_text(map, "name", &format!("{path}.name"))?;
            check::name(name, &format!("{path}.name"))?;
            let parameters = match fields::get(map, "parameters") {
                Some(parameters) if parameters.is_object() => Some(parameters),
                Some(other) => return Err(Problem::wrong_type(&format!("{path}.parameters"), "an object", other)),
                None => None,
            };
            into.push(Tool { name, custom: kind == "custom", parameters: parameters.filter(|_| kind == "function"), path: path.to_owned() });
        }
        "namespace" => {
            for (index, tool) in fields::list(map, "tools", "an array of objects")?.unwrap_or_default().iter().enumerate() {
                definitions(tool, &format!("{path}.tools[{index}]"), into)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn choice(map: &Object) -> Result<Choice<'_>, Problem> {
    match fields::get(map, "tool_choice") {
        None => Ok(Choice::Auto),
        Some(Value::String(choice)) => match choice.as_str() {
            "none" => Ok(Choice::No),
            "auto" => Ok(Choice::Auto),
            "required" => Ok(Choice::Any),
            other => Err(Problem::unknown_value("tool_choice", other, &["none", "auto", "required"])),
        },
        Some(Value::Object(choice)) => match fields::required_text(choice, "type", "tool_choice.type")? {
            "function" | "custom" => Ok(Choice::Named(fields::required_text(choice, "name", "tool_choice.name")?)),
            // The first of those that are allowed, where one must be called.
            "allowed_tools" => {
                let first = fields::get(choice, "tools").and_then(|tools| tools.get(0)?.get("name")?.as_str());
                match (fields::text(choice, "mode", "tool_choice.mode")?, first) {
                    (Some("required"), Some(name)) => Ok(Choice::Named(name)),
                    _ => Ok(Choice::Auto),
                }
            }
            _ => Ok(Choice::Auto),
        },
        Some(other) => Err(Problem::wrong_type("tool_choice", "one of 'none', 'auto', 'required' or an object", other)),
    }
}
