//! Where the subschemas of a schema are, and what its local references mean: the one place that knows the keywords' shapes.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// What a subschema applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The same value as the schema itself.
    Here,
    /// Something within it, or nothing (a definition).
    Within,
}

const HERE_ONE: [&str; 4] = ["not", "if", "then", "else"];
const HERE_LIST: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const HERE_MAP: [&str; 2] = ["dependentSchemas", "dependencies"];
const WITHIN_ONE: [&str; 9] =
    ["additionalProperties", "propertyNames", "unevaluatedProperties", "items", "additionalItems", "contains", "unevaluatedItems", "contentSchema", "extends"];
const WITHIN_LIST: [&str; 2] = ["prefixItems", "items"];
const WITHIN_MAP: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];

/// Calls `visit` with every direct subschema that stands in the schema's own text; references are the caller's business.
pub(super) fn subschemas<'s>(schema: &'s Map<String, Value>, visit: &mut dyn FnMut(Place, &'s Value)) {
    let mut look = |place: Place, one: &[&str], list: &[&str], map: &[&str]| {
        for name in one {
            // `items` may be one schema or a list of them.
            if let Some(subschema) = schema.get(*name).filter(|value| is_schema(value)) {
                visit(place, subschema);
            }
        }
        for name in list {
            if let Some(Value::Array(subschemas)) = schema.get(*name) {
                subschemas.iter().filter(|value| is_schema(value)).for_each(|subschema| visit(place, subschema));
            }
        }
        for name in map {
            if let Some(Value::Object(subschemas)) = schema.get(*name) {
                subschemas.values().filter(|value| is_schema(value)).for_each(|subschema| visit(place, subschema));
            }
        }
    };
    look(Place::Here, &HERE_ONE, &HERE_LIST, &HERE_MAP);
    look(Place::Within, &WITHIN_ONE, &WITHIN_LIST, &WITHIN_MAP);
}

/// A schema is an object, or true or false.
pub(super) fn is_schema(value: &Value) -> bool {
    value.is_object() || value.is_boolean()
}

/// The schema's `$ref`, if it has one.
pub(super) fn reference(schema: &Map<String, Value>) -> Option<&str> {
    schema.get("$ref").and_then(Value::as_str)
}

/// What a reference of the form `#` or `#/..` points at.
pub(super) fn resolve<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    let pointer = reference.strip_prefix('#')?;
    if pointer.is_empty() {
        return Some(root);
    }
    root.pointer(&percent_decoded(pointer)?).filter(|value| is_schema(value))
}

/// Where a value is in memory: tells one subschema of a schema from another, equal one.
pub(super) fn address(value: &Value) -> usize {
    std::ptr::from_ref(value).addr()
}

/// A list of schemas under a keyword; empty where there is none.
pub(super) fn list<'s>(schema: &'s Map<String, Value>, name: &str) -> &'s [Value] {
    schema.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A count under a keyword, such as `minItems`.
pub(super) fn count(schema: &Map<String, Value>, name: &str) -> Option<u64> {
    let value = schema.get(name)?;
    // 2.0 is a whole number in JSON Schema.
    value.as_u64().or_else(|| value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..9e15).contains(number)).map(|number| number as u64))
}

/// The names under a keyword that lists them, such as `required`.
pub(super) fn names<'s>(schema: &'s Map<String, Value>, name: &str) -> impl Iterator<Item = &'s str> {
    list(schema, name).iter().filter_map(Value::as_str)
}

/// The types that a schema names; `None` when it leaves them open.
pub(super) fn types(schema: &Map<String, Value>) -> Option<Vec<&str>> {
    match schema.get("type")? {
        Value::String(one) => Some(vec![one]),
        Value::Array(several) => Some(several.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

/// Whether the schema is there for null alone.
pub(super) fn is_null(schema: &Value) -> bool {
    let Value::Object(map) = schema else { return false };
    map.get("type").is_some_and(|kind| kind == "null") || map.get("const").is_some_and(Value::is_null) || matches!(list(map, "enum"), [Value::Null])
}

fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}
