//! What a request asks for: read field by field, refused as the provider refuses it.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::check::{self, wrong};
use super::schema::json_schema;
use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;

/// What the provider makes of one request, at most.
const MOST_CANDIDATES: u64 = 8;

/// Where there is no `generationConfig`.
static NOTHING: LazyLock<Object> = LazyLock::new(Object::new);

/// A request, as far as it changes the answer.
pub(super) struct Ask<'a> {
    pub(super) seed: Seed,
    pub(super) model: &'a str,
    /// Output tokens of a candidate, at most.
    pub(super) limit: u64,
    pub(super) candidates: usize,
    pub(super) input_tokens: u64,
    /// Thoughts come first; and are shown.
    pub(super) thinks: bool,
    pub(super) shows_thoughts: bool,
    pub(super) wants: Wants<'a>,
    stops: Vec<&'a str>,
}

/// What the answer is.
pub(super) enum Wants<'a> {
    Prose,
    /// By a schema; or any. Where it is one of a few words, `bare`.
    Json {
        schema: Option<Value>,
        path: &'static str,
        bare: bool,
    },
    Call(Function<'a>),
    Image,
    Sound,
}

/// A function that is called in the answer.
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    pub(super) schema: Option<Value>,
    /// Where its schema stands, for errors.
    pub(super) path: String,
}

// === impl Ask ===

impl<'a> Ask<'a> {
    pub(super) fn read(body: &'a Value, model: &'a str) -> Result<Self, Problem> {
        let map = check::object(body, "request")?;
        let contents = check::contents(map)?;
        let config = fields::inner(map, "generationConfig", "generation_config")?.unwrap_or(&NOTHING);
        numbers(config)?;
        let thinking = fields::inner(config, "thinkingConfig", "generation_config.thinking_config")?;
        let says = |name: &str| thinking.and_then(|thinking| fields::get(thinking, name));
        let shows_thoughts = says("includeThoughts").is_some_and(|shown| *shown == Value::Bool(true));
        let budget = says("thinkingBudget").and_then(Value::as_i64);
        let thinks = budget != Some(0) && (shows_thoughts || budget.is_some() || says("thinkingLevel").is_some());
        let candidates = fields::whole(config, "candidateCount", 1, MOST_CANDIDATES)?.unwrap_or(1);
        Ok(Self {
            seed: Seed::of_request(model, body),
            model,
            limit: fields::whole(config, "maxOutputTokens", 1, u64::MAX)?.unwrap_or(u64::MAX),
            candidates: usize::try_from(candidates).unwrap_or(1),
            input_tokens: check::input_tokens(map),
            thinks,
            shows_thoughts,
            wants: wants(map, config, contents)?,
            stops: stops(config)?,
        })
    }

    /// The text up to the first stop sequence.
    pub(super) fn stopped(&self, mut text: String) -> String {
        let found = self.stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop)).min();
        text.truncate(found.unwrap_or(text.len()));
        text
    }
}

/// Checks the settings of sampling, which a simulation takes and ignores.
fn numbers(config: &Object) -> Result<(), Problem> {
    fields::check_decimal(config, "temperature", 0.0, 2.0)?;
    fields::check_decimal(config, "topP", 0.0, 1.0)?;
    fields::check_decimal(config, "topK", 0.0, f64::MAX)
}

fn stops(config: &Object) -> Result<Vec<&str>, Problem> {
    let stops = fields::list(config, "stopSequences", "an array of strings")?.unwrap_or_default();
    stops.iter().map(|stop| stop.as_str().ok_or_else(|| wrong("generation_config.stop_sequences", "expected strings"))).collect()
}

fn wants<'a>(map: &'a Object, config: &'a Object, contents: &'a [Value]) -> Result<Wants<'a>, Problem> {
    if let Some(function) = function(map, contents)? {
        return Ok(Wants::Call(function));
    }
    let modalities = fields::list(config, "responseModalities", "an array of strings")?.unwrap_or_default();
    let asks = |name: &str| modalities.iter().filter_map(Value::as_str).any(|modality| modality.eq_ignore_ascii_case(name));
    if asks("AUDIO") {
        return Ok(Wants::Sound);
    }
    if asks("IMAGE") {
        return Ok(Wants::Image);
    }
    let mime_type = fields::text(config, "responseMimeType", "generation_config.response_mime_type")?.unwrap_or_default();
    let (own, json) = (fields::get(config, "responseSchema"), fields::get(config, "responseJsonSchema"));
    if own.is_some() && json.is_some() {
        return Err(wrong("generation_config", "response_schema and response_json_schema cannot both be set"));
    }
    if (own.is_some() || json.is_some()) && !matches!(mime_type, "application/json" | "text/x.enum") {
        return Err(wrong("generation_config.response_mime_type", "a response schema needs application/json or text/x.enum"));
    }
    let bare = mime_type == "text/x.enum";
    match (own, json, mime_type) {
        (Some(schema), ..) => Ok(Wants::Json { schema: Some(json_schema(schema)), path: "generation_config.response_schema", bare }),
        (None, Some(schema), _) => Ok(Wants::Json { schema: Some(schema.clone()), path: "generation_config.response_json_schema", bare }),
        (None, None, "application/json") => Ok(Wants::Json { schema: None, path: "", bare: false }),
        _ => Ok(Wants::Prose),
    }
}

/// The function that the answer calls: the likeliest of those that are allowed, unless the conversation has just come back from one.
fn function<'a>(map: &'a Object, contents: &'a [Value]) -> Result<Option<Function<'a>>, Problem> {
    let mut functions = Vec::new();
    for (index, tool) in fields::list(map, "tools", "an array of objects")?.unwrap_or_default().iter().enumerate() {
        let tool = check::object(tool, &format!("tools[{index}]"))?;
        for (number, declared) in fields::list(tool, "functionDeclarations", "an array of objects")?.unwrap_or_default().iter().enumerate() {
            functions.push(declaration(declared, format!("tools[{index}].function_declarations[{number}]"))?);
        }
    }
    let config = fields::inner(map, "toolConfig", "tool_config")?;
    let calling = config.map(|config| fields::inner(config, "functionCallingConfig", "tool_config.function_calling_config")).transpose()?.flatten();
    let mode = calling.map(|calling| fields::text(calling, "mode", "tool_config.function_calling_config.mode")).transpose()?.flatten();
    let mode = mode.unwrap_or("AUTO").to_ascii_uppercase();
    let allowed = calling.and_then(|calling| fields::get(calling, "allowedFunctionNames")).and_then(Value::as_array);
    if let Some(allowed) = allowed.filter(|_| mode == "ANY") {
        functions.retain(|function| allowed.iter().any(|name| name == function.name));
        if functions.is_empty() && !allowed.is_empty() {
            return Err(wrong("tool_config.function_calling_config.allowed_function_names", "it names no function that is declared"));
        }
    }
    match mode.as_str() {
        "NONE" => return Ok(None),
        "ANY" => {}
        "AUTO" | "VALIDATED" | "MODE_UNSPECIFIED" if check::is_function_result(contents.last()) => return Ok(None),
        "AUTO" | "VALIDATED" | "MODE_UNSPECIFIED" => {}
        _ => return Err(wrong("tool_config.function_calling_config.mode", "it must be AUTO, ANY, NONE or VALIDATED")),
    }
    let said = check::texts(contents.last());
    let index = functions.iter().position(|function| said.iter().any(|text| text.contains(function.name))).unwrap_or(0);
    Ok(functions.into_iter().nth(index))
}

fn declaration(declared: &Value, path: String) -> Result<Function<'_>, Problem> {
    let map = check::object(declared, &path)?;
    let name = fields::text(map, "name", &format!("{path}.name"))?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| wrong(&format!("{path}.name"), "a function must have a name"))?;
    let schema = match (fields::get(map, "parameters"), fields::get(map, "parametersJsonSchema")) {
        (Some(own), _) => Some(json_schema(own)),
        (None, Some(schema)) => Some(schema.clone()),
        (None, None) => None,
    };
    // A function without parameters may say so by a schema that has a type and nothing else.
    let schema = schema.filter(|schema| *schema != json!({}));
    Ok(Function { name, schema, path: format!("{path}.parameters") })
}
