//! Simulated answers of OpenAI's API.

use bytes::Bytes;
use serde_json::json;

use crate::sandbox::Problem;

pub(in crate::apis) mod chat;
pub(super) mod completions;
pub(in crate::apis) mod embeddings;
pub(super) mod models;

/// An error as OpenAI writes it.
pub(in crate::apis) fn problem_body(problem: &Problem) -> Bytes {
    let body = json!({"error": {"message": problem.message, "type": problem.kind, "param": problem.param, "code": problem.code}});
    Bytes::from(body.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
