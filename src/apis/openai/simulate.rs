//! Simulated answers of OpenAI's API.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::sandbox::Problem;

pub(in crate::apis) mod chat;
pub(super) mod completions;
pub(in crate::apis) mod embeddings;
pub(super) mod models;
pub(in crate::apis) mod moderations;

/// An error as OpenAI writes it.
pub(in crate::apis) fn problem_body(problem: &Problem) -> Bytes {
    let body = json!({"error": {"message": problem.message, "type": problem.kind, "param": problem.param, "code": problem.code}});
    Bytes::from(body.to_string())
}

/// An event whose name stands before its data too, as newer parts of the API write it.
pub(in crate::apis) fn named_event(event: &Value) -> Bytes {
    Bytes::from(format!("event: {}\ndata: {event}\n\n", event.get("type").and_then(Value::as_str).unwrap_or_default()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
