//! Refuses schemas that a simulation must not touch: too large, referring outside themselves, or applying to the same value without end.
//!
//! The limits are far above what providers accept for structured output, and low enough that a hostile schema costs milliseconds and no deep stack.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use jsonschema::Draft;
use serde_json::Value;

use super::walk::{self, Place};
use super::{Unmet, shown};

/// JSON values in a schema, of whatever kind.
const MAX_VALUES: usize = 20_000;
/// Bytes of text in a schema: names, patterns, descriptions, enum values.
const MAX_TEXT: usize = 512 * 1024;
/// Different places that references point at: each may deepen the recursion of the check's compiler.
const MAX_TARGETS: usize = 200;
/// Schemas that apply to one value through each other (`$ref`, `allOf`, `anyOf`, ...), counted along the longest chain.
const MAX_CHAIN: usize = 24;
/// Patterns, and bytes of one.
const MAX_PATTERNS: usize = 200;
const MAX_PATTERN: usize = 1_000;

/// Checks a schema against all limits.
pub(super) fn screen(root: &Value) -> Result<(), Unmet> {
    if !walk::is_schema(root) {
        return Err(Unmet::new("a JSON Schema must be an object"));
    }
    measure(root)?;
    let mut seen = HashSet::new();
    let mut targets = HashSet::new();
    let mut patterns = 0;
    let mut open = vec![root];
    while let Some(schema) = open.pop() {
        let Value::Object(map) = schema else { continue };
        if !seen.insert(walk::address(schema)) {
            continue;
        }
        for keyword in ["$dynamicRef", "$recursiveRef"] {
            if map.get(keyword).is_some_and(Value::is_string) {
                return Err(Unmet::new(format!("{keyword} is not supported")));
            }
        }
        if !std::ptr::eq(schema, root) && map.get("$id").is_some_and(Value::is_string) {
            return Err(Unmet::new("$id is supported at the top alone"));
        }
        if let Some(reference) = walk::reference(map) {
            let target = follow(root, reference)?;
            if targets.insert(walk::address(target)) && targets.len() > MAX_TARGETS {
                return Err(Unmet::new(format!("it has more than {MAX_TARGETS} definitions")));
            }
            open.push(target);
        }
        patterns += count_patterns(map)?;
        if patterns > MAX_PATTERNS {
            return Err(Unmet::new(format!("it has more than {MAX_PATTERNS} patterns")));
        }
        walk::subschemas(map, &mut |_, subschema| open.push(subschema));
    }
    let mut lengths = HashMap::new();
    let mut open = vec![root];
    seen.clear();
    while let Some(schema) = open.pop() {
        let Value::Object(map) = schema else { continue };
        if !seen.insert(walk::address(schema)) {
            continue;
        }
        chain(root, schema, 1, &mut lengths)?;
        if let Some(target) = walk::reference(map).and_then(|reference| walk::resolve(root, reference)) {
            open.push(target);
        }
        walk::subschemas(map, &mut |_, subschema| open.push(subschema));
    }
    Ok(())
}

/// The draft that a schema is read by. Unknown ones, and none, count as the newest: providers do not look at it.
pub(super) fn draft(root: &Value) -> Draft {
    match root.get("$schema").and_then(Value::as_str) {
        Some(name) if name.contains("draft-04") => Draft::Draft4,
        Some(name) if name.contains("draft-06") => Draft::Draft6,
        Some(name) if name.contains("draft-07") => Draft::Draft7,
        Some(name) if name.contains("2019-09") => Draft::Draft201909,
        _ => Draft::Draft202012,
    }
}

/// The schema without its own name and that of its draft, which would only send the check looking for other documents.
pub(super) fn without_identity(root: &Value) -> Cow<'_, Value> {
    match root {
        Value::Object(map) if ["$id", "id", "$schema"].iter().any(|name| map.get(*name).is_some_and(Value::is_string)) => {
            let kept = map.iter().filter(|(name, value)| !(matches!(name.as_str(), "$id" | "id" | "$schema") && value.is_string()));
            Cow::Owned(Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect()))
        }
        other => Cow::Borrowed(other),
    }
}

fn measure(root: &Value) -> Result<(), Unmet> {
    let (mut values, mut text) = (0_usize, 0_usize);
    let mut open = vec![root];
    while let Some(value) = open.pop() {
        values += 1;
        match value {
            Value::String(string) => text += string.len(),
            Value::Array(items) => open.extend(items),
            Value::Object(map) => {
                text += map.keys().map(String::len).sum::<usize>();
                open.extend(map.values());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        if values > MAX_VALUES || text > MAX_TEXT {
            return Err(Unmet::new("it is too large"));
        }
    }
    Ok(())
}

fn follow<'s>(root: &'s Value, reference: &str) -> Result<&'s Value, Unmet> {
    walk::resolve(root, reference)
        .ok_or_else(|| Unmet::new(format!("the reference '{}' leads nowhere in it; only '#' and '#/..' are supported", shown(reference))))
}

fn count_patterns(map: &serde_json::Map<String, Value>) -> Result<usize, Unmet> {
    let own = map.get("pattern").and_then(Value::as_str).into_iter();
    let of_names = map.get("patternProperties").and_then(Value::as_object).into_iter().flat_map(|patterns| patterns.keys().map(String::as_str));
    let mut count = 0;
    for pattern in own.chain(of_names) {
        if pattern.len() > MAX_PATTERN {
            return Err(Unmet::new(format!("a pattern is longer than {MAX_PATTERN} bytes")));
        }
        count += 1;
    }
    Ok(count)
}

/// The longest chain of schemas that apply to the same value, from `schema` on. A cycle is a chain without end.
fn chain<'s>(root: &'s Value, schema: &'s Value, depth: usize, lengths: &mut HashMap<usize, usize>) -> Result<usize, Unmet> {
    let Value::Object(map) = schema else { return Ok(1) };
    // Cycles end here too, so this recursion is never deep.
    if depth > MAX_CHAIN {
        return Err(Unmet::new(format!("more than {MAX_CHAIN} schemas apply to one value through each other, or a reference leads back to itself")));
    }
    let known = lengths.get(&walk::address(schema)).copied();
    let length = match known {
        Some(length) => length,
        None => {
            let mut next: Vec<&Value> = walk::reference(map).and_then(|reference| walk::resolve(root, reference)).into_iter().collect();
            walk::subschemas(map, &mut |place, subschema| {
                if place == Place::Here {
                    next.push(subschema);
                }
            });
            let mut longest = 0;
            for subschema in next {
                longest = longest.max(chain(root, subschema, depth + 1, lengths)?);
            }
            lengths.insert(walk::address(schema), longest + 1);
            longest + 1
        }
    };
    if depth + length > MAX_CHAIN + 1 {
        return Err(Unmet::new(format!("more than {MAX_CHAIN} schemas apply to one value through each other")));
    }
    Ok(length)
}
