//! Google's own dialect of schemas as JSON Schema: types in capitals, `nullable`, `defs` and `ref`, numbers that may be written as texts.

use serde_json::{Map, Value, json};

/// The same schema as JSON Schema. What the dialect has beside it describes, and does not constrain.
pub(super) fn json_schema(schema: &Value) -> Value {
    let Value::Object(map) = schema else { return schema.clone() };
    let nullable = map.get("nullable").is_some_and(|nullable| *nullable == Value::Bool(true));
    let mut made = Map::new();
    for (key, value) in map {
        let (key, value) = match (key.as_str(), value) {
            ("nullable" | "example" | "default" | "propertyOrdering" | "title" | "description", _) => continue,
            ("type", Value::String(kind)) => {
                let kind = kind.to_ascii_lowercase();
                if kind == "type_unspecified" {
                    continue;
                }
                ("type", if nullable { json!([kind, "null"]) } else { json!(kind) })
            }
            // Only these of the formats are JSON Schema's.
            ("format", Value::String(format)) if !matches!(format.as_str(), "date-time" | "date" | "time" | "email" | "uuid" | "uri") => continue,
            ("minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties", Value::String(text)) => {
                (key.as_str(), text.parse::<u64>().map_or_else(|_| value.clone(), |number| json!(number)))
            }
            ("items" | "additionalProperties", _) => (key.as_str(), json_schema(value)),
            ("anyOf" | "prefixItems", Value::Array(items)) => (key.as_str(), Value::Array(items.iter().map(json_schema).collect())),
            ("properties", Value::Object(inner)) => ("properties", named(inner)),
            ("defs", Value::Object(inner)) => ("$defs", named(inner)),
            ("ref", Value::String(target)) => ("$ref", json!(target.replacen("#/defs/", "#/$defs/", 1))),
            (other, _) => (other, value.clone()),
        };
        made.insert(key.to_owned(), value);
    }
    Value::Object(made)
}

fn named(map: &Map<String, Value>) -> Value {
    Value::Object(map.iter().map(|(name, schema)| (name.clone(), json_schema(schema))).collect())
}
