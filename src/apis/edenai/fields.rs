//! The members that Eden AI adds to OpenAI's and Anthropic's.
//!
//! Source: Eden AI's API reference ("Chat Completions"), and its documentation on provider routing, fallbacks and tags.

use crate::apis::openai::{Dialect, Field, OPENAI, Shape};

/// OpenAI's dialect, with what Eden AI adds to it.
pub(super) const EDENAI: Dialect = Dialect { field, ..OPENAI };

/// Members that choose how a request is served and noted, at the price of its model. A model without a provider (`gpt-4o`), for which alone the routing
/// would choose one, has no price here unless the operator gives it one.
pub(super) const FREE: [&str; 3] = ["routing", "session_id", "tags"];

fn field(shape: Shape, key: &str) -> Field {
    added(key).unwrap_or_else(|| (OPENAI.field)(shape, key))
}

/// What a member means that OpenAI's API does not have.
pub(super) fn added(key: &str) -> Option<Field> {
    Some(match key {
        key if FREE.contains(&key) => Field::Free,
        "fallbacks" | "router_candidates" => Field::Refused("another model may answer, at another price"),
        "pre_hooks" | "post_hooks" => Field::Refused("hooks run at the provider, and what they cost is not known"),
        "image_config" => Field::Refused("images as output are not available through this gateway yet"),
        "extra_body" | "extra_headers" => Field::Refused("what it carries goes to the model's own provider unseen"),
        _ => return None,
    })
}
