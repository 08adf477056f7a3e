//! How long a schema can become. It is text to the model, and the provider may write out what its references stand for: a short schema whose
//! definitions use each other twice, and so on, stands for a very long one.

use std::collections::HashMap;

use serde_json::Value;

use super::scan::Scan;
use crate::apis::AskError;
use crate::apis::json::{JsonError, Kind, Scanner};

/// References that lead on to others, at most: longer chains are as good as endless.
const MOST_STEPS: usize = 48;

/// Steps over a schema and counts what it has beyond its bytes. A schema that refers to itself may be unrolled as far as the window reaches.
pub(super) fn count(scanner: &mut Scanner<'_>, body: &[u8], scan: &mut Scan) -> Result<(), AskError> {
    scanner.kind()?;
    let start = scanner.position();
    let refers = has_reference(scanner)?;
    if !refers {
        return Ok(());
    }
    let text = body.get(start..scanner.position()).unwrap_or_default();
    let written_out = serde_json::from_slice(text).ok().and_then(|schema: Value| length(&schema, &schema, 0, &mut HashMap::new()));
    match written_out {
        Some(length) => scan.adds(length),
        None => scan.unseen = true,
    }
    Ok(())
}

/// Whether a member of it is a reference, in either of the dialects that are spoken here.
fn has_reference(scanner: &mut Scanner<'_>) -> Result<bool, JsonError> {
    let mut found = false;
    match scanner.kind()? {
        Kind::Object => scanner.object(|scanner, member| {
            found |= matches!(member.key.decode().as_deref(), Some("$ref" | "ref"));
            found |= has_reference(scanner)?;
            Ok::<(), JsonError>(())
        })?,
        Kind::Array => scanner.array(|scanner| {
            found |= has_reference(scanner)?;
            Ok::<(), JsonError>(())
        })?,
        _ => scanner.skip()?,
    }
    Ok(found)
}

/// The bytes of a value with its references written out. None where they never end, or lead nowhere.
fn length(root: &Value, value: &Value, steps: usize, known: &mut HashMap<String, Option<u64>>) -> Option<u64> {
    const MARKS: u64 = 8;
    match value {
        Value::Object(map) => {
            let mut sum = MARKS;
            for (key, inner) in map {
                let referred = if matches!(key.as_str(), "$ref" | "ref") { inner.as_str() } else { None };
                let inner = match referred {
                    Some(pointer) => target(root, pointer, steps, known)?,
                    None => length(root, inner, steps, known)?,
                };
                sum = sum.saturating_add(key.len() as u64).saturating_add(MARKS).saturating_add(inner);
            }
            Some(sum)
        }
        Value::Array(items) => items.iter().try_fold(MARKS, |sum, item| Some(sum.saturating_add(length(root, item, steps, known)?).saturating_add(MARKS))),
        Value::String(text) => Some((text.len() as u64).saturating_add(MARKS)),
        other => Some((other.to_string().len() as u64).saturating_add(MARKS)),
    }
}

fn target(root: &Value, pointer: &str, steps: usize, known: &mut HashMap<String, Option<u64>>) -> Option<u64> {
    if let Some(length) = known.get(pointer) {
        return *length;
    }
    if steps >= MOST_STEPS {
        return None;
    }
    // While it is being written out it must not be met again.
    known.insert(pointer.to_owned(), None);
    let schema = root.pointer(pointer.strip_prefix('#')?)?;
    let length = length(root, schema, steps + 1, known);
    known.insert(pointer.to_owned(), length);
    length
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
