//! Bounds the work of checking a value against a schema before the check is made: branches of branches can make it grow without measure.

use serde_json::Value;

use super::walk::{self, Place};

/// Schemas applied to values, for all attempts on a schema together. Each takes about a microsecond.
pub(super) const MAX_STEPS: u64 = 60_000;

/// Whether the check is known to end within what is left of `steps`, even if it tries every branch.
pub(super) fn affordable(root: &Value, instance: &Value, steps: &mut u64) -> bool {
    apply(root, root, instance, steps).is_some()
}

/// Applies `schema` as the simplest check would, cutting nothing short. `None` when the steps are used up.
fn apply(root: &Value, schema: &Value, instance: &Value, steps: &mut u64) -> Option<()> {
    *steps = steps.checked_sub(1)?;
    let Value::Object(map) = schema else { return Some(()) };
    // What is left unevaluated is found by going through the branches once more.
    let rounds = 1 + u32::from(map.contains_key("unevaluatedProperties")) + u32::from(map.contains_key("unevaluatedItems"));
    for _ in 0..rounds {
        if let Some(target) = walk::reference(map).and_then(|reference| walk::resolve(root, reference)) {
            apply(root, target, instance, steps)?;
        }
        let mut here = Vec::new();
        walk::subschemas(map, &mut |place, subschema| {
            if place == Place::Here {
                here.push(subschema);
            }
        });
        for subschema in here {
            apply(root, subschema, instance, steps)?;
        }
        match instance {
            Value::Object(members) => apply_to_members(root, map, members, steps)?,
            Value::Array(items) => apply_to_items(root, map, items, steps)?,
            // Comparing with each value of an enum, and trying a pattern letter by letter, are steps too.
            Value::String(text) => *steps = steps.checked_sub(text.len() as u64 / 16)?,
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        *steps = steps.checked_sub(walk::list(map, "enum").len() as u64 / 4)?;
    }
    Some(())
}

fn apply_to_members(root: &Value, map: &serde_json::Map<String, Value>, members: &serde_json::Map<String, Value>, steps: &mut u64) -> Option<()> {
    let properties = map.get("properties").and_then(Value::as_object);
    let patterns = map.get("patternProperties").and_then(Value::as_object);
    let others = ["additionalProperties", "unevaluatedProperties", "propertyNames"].map(|name| map.get(name));
    for (name, member) in members {
        let own = properties.and_then(|properties| properties.get(name));
        let by_pattern = patterns.into_iter().flat_map(serde_json::Map::values);
        for subschema in own.into_iter().chain(by_pattern).chain(others.into_iter().flatten()) {
            apply(root, subschema, member, steps)?;
        }
    }
    Some(())
}

fn apply_to_items(root: &Value, map: &serde_json::Map<String, Value>, items: &[Value], steps: &mut u64) -> Option<()> {
    let places = walk::list(map, "prefixItems").iter().chain(walk::list(map, "items"));
    for (subschema, item) in places.zip(items) {
        apply(root, subschema, item, steps)?;
    }
    for name in ["items", "additionalItems", "contains", "unevaluatedItems"] {
        if let Some(subschema) = map.get(name).filter(|value| walk::is_schema(value)) {
            for item in items {
                apply(root, subschema, item, steps)?;
            }
        }
    }
    Some(())
}
