//! A request as it is simulated: every member in its one spelling, lists where lists belong. What people name themselves stays as it is.

use serde_json::{Map, Value};

use crate::apis::gemini::names::camel;
use crate::sandbox::fields;
use crate::sandbox::problem::Problem;

/// Members whose value is the client's own, names included.
const FREE: [&str; 7] = ["args", "response", "partMetadata", "labels", "responseJsonSchema", "parametersJsonSchema", "enum"];
/// Members whose value has names of the client's own, with messages of the API below them.
const NAMED: [&str; 2] = ["properties", "defs"];
/// Members that are lists, where a lone element does too.
const LISTS: [&str; 5] = ["contents", "parts", "tools", "functionDeclarations", "requests"];

/// The body, an object.
pub(super) fn body(body: &[u8]) -> Result<Value, Problem> {
    Ok(plain(fields::object(body)?))
}

fn plain(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| member(&key, value)).collect()),
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        other => other,
    }
}

fn member(key: &str, value: Value) -> (String, Value) {
    let name = camel(key).into_owned();
    let value = match value {
        free if FREE.contains(&name.as_str()) => free,
        Value::Object(map) if NAMED.contains(&name.as_str()) => {
            Value::Object(map.into_iter().map(|(key, value)| (key, plain(value))).collect::<Map<String, Value>>())
        }
        Value::Object(map) if LISTS.contains(&name.as_str()) => Value::Array(vec![plain(Value::Object(map))]),
        other => plain(other),
    };
    (name, value)
}
