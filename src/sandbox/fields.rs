//! Reads the fields of a request body, each with the check and the error that the provider has for it. An explicit null counts as not set.

use serde_json::{Map, Value};

use super::problem::Problem;

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// The body as an object.
pub(crate) fn object(body: &[u8]) -> Result<Value, Problem> {
    let value: Value = serde_json::from_slice(body).map_err(|error| Problem::not_json(&error.to_string()))?;
    if value.is_object() { Ok(value) } else { Err(Problem::not_json("it holds another JSON value")) }
}

/// The field, unless it is missing or null.
pub(crate) fn get<'a>(map: &'a Object, name: &str) -> Option<&'a Value> {
    map.get(name).filter(|value| !value.is_null())
}

/// The name of the model, which every operation needs.
pub(crate) fn model(map: &Object) -> Result<&str, Problem> {
    match get(map, "model") {
        Some(Value::String(model)) if !model.is_empty() => Ok(model),
        None | Some(Value::String(_)) => Err(Problem::invalid("You must provide a model parameter.", Some("model"), Some("missing_required_parameter"))),
        Some(other) => Err(Problem::wrong_type("model", "a string", other)),
    }
}

/// A text; `path` is what an error calls the field.
pub(crate) fn text<'a>(map: &'a Object, name: &str, path: &str) -> Result<Option<&'a str>, Problem> {
    match get(map, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(Problem::wrong_type(path, "a string", other)),
    }
}

/// A text that must be there.
pub(crate) fn required_text<'a>(map: &'a Object, name: &str, path: &str) -> Result<&'a str, Problem> {
    text(map, name, path)?.ok_or_else(|| Problem::missing(path))
}

/// True or false; false when not set.
pub(crate) fn flag(map: &Object, name: &str, path: &str) -> Result<bool, Problem> {
    match get(map, name) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) => Err(Problem::wrong_type(path, "a boolean", other)),
    }
}

/// A whole number from `least` to `most`.
pub(crate) fn whole(map: &Object, name: &str, least: u64, most: u64) -> Result<Option<u64>, Problem> {
    let Some(value) = get(map, name) else { return Ok(None) };
    let below = || {
        let message = format!("Invalid '{name}': integer below minimum value. Expected a value >= {least}, but got {value} instead.");
        Problem::invalid(message, Some(name), Some("integer_below_min_value"))
    };
    let above = || {
        let message = format!("Invalid '{name}': integer above maximum value. Expected a value <= {most}, but got {value} instead.");
        Problem::invalid(message, Some(name), Some("integer_above_max_value"))
    };
    match (value.as_u64(), value.as_i64()) {
        (Some(number), _) if number < least => Err(below()),
        (Some(number), _) if number > most => Err(above()),
        (Some(number), _) => Ok(Some(number)),
        (None, Some(_)) => Err(below()),
        (None, None) => Err(Problem::wrong_type(name, "an integer", value)),
    }
}

/// Checks that a number, where set, lies between `least` and `most`.
pub(crate) fn check_decimal(map: &Object, name: &str, least: f64, most: f64) -> Result<(), Problem> {
    let Some(value) = get(map, name) else { return Ok(()) };
    let number = value.as_f64().ok_or_else(|| Problem::wrong_type(name, "a decimal", value))?;
    if number < least {
        let message = format!("Invalid '{name}': decimal below minimum value. Expected a value >= {least}, but got {value} instead.");
        return Err(Problem::invalid(message, Some(name), Some("decimal_below_min_value")));
    }
    if number > most {
        let message = format!("Invalid '{name}': decimal above maximum value. Expected a value <= {most}, but got {value} instead.");
        return Err(Problem::invalid(message, Some(name), Some("decimal_above_max_value")));
    }
    Ok(())
}

/// A list; `expected` as in "an array of objects".
pub(crate) fn list<'a>(map: &'a Object, name: &str, expected: &str) -> Result<Option<&'a [Value]>, Problem> {
    match get(map, name) {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items)),
        Some(other) => Err(Problem::wrong_type(name, expected, other)),
    }
}

/// An object within the request.
pub(crate) fn inner<'a>(map: &'a Object, name: &str, path: &str) -> Result<Option<&'a Object>, Problem> {
    match get(map, name) {
        None => Ok(None),
        Some(Value::Object(inner)) => Ok(Some(inner)),
        Some(other) => Err(Problem::wrong_type(path, "an object", other)),
    }
}

/// The list is empty although it must not be.
pub(crate) fn empty_list(name: &str) -> Problem {
    let message = format!("Invalid '{name}': empty array. Expected an array with minimum length 1, but got an empty array instead.");
    Problem::invalid(message, Some(name), Some("empty_array"))
}

/// What asks for a stream, and for its usage.
pub(crate) fn stream(map: &Object) -> Result<(bool, bool), Problem> {
    let stream = flag(map, "stream", "stream")?;
    let usage = match inner(map, "stream_options", "stream_options")? {
        Some(options) => flag(options, "include_usage", "stream_options.include_usage")?,
        None => false,
    };
    Ok((stream, usage))
}

/// The stop sequences: a text or up to four.
pub(crate) fn stops(map: &Object) -> Result<Vec<&str>, Problem> {
    match get(map, "stop") {
        None => Ok(Vec::new()),
        Some(Value::String(stop)) => Ok(vec![stop]),
        Some(Value::Array(items)) if items.len() > 4 => {
            let message =
                format!("Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length {} instead.", items.len());
            Err(Problem::invalid(message, Some("stop"), Some("array_above_max_length")))
        }
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(index, item)| item.as_str().ok_or_else(|| Problem::wrong_type(&format!("stop[{index}]"), "a string", item)))
            .collect(),
        Some(other) => Err(Problem::wrong_type("stop", "a string or an array of strings", other)),
    }
}
