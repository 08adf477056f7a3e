//! Simulated answers of Mistral's API. Chats are OpenAI's, asked for and written in Mistral's words; pages of documents are prose.

mod embeddings;
mod pages;
mod render;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::apis::openai::simulated_chat as chat_completions;
use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, Simulated};

pub(super) use embeddings::answer as embeddings;
pub(super) use pages::answer as ocr;

/// Answers `POST chat/completions`.
pub(super) fn chat(body: &[u8], faults: &Faults) -> Result<Simulated, Problem> {
    let body = translated(fields::object(body)?);
    let (ask, choices) = chat_completions::finished(&body, faults)?;
    Ok(render::render(&ask, &choices, faults.no_usage))
}

/// Answers `POST fim/completions`, which are completed as a chat is answered.
pub(super) fn fim(body: &[u8], faults: &Faults) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
    let prompt = fields::required_text(map, "prompt", "prompt")?;
    let suffix = fields::text(map, "suffix", "suffix")?.unwrap_or_default();
    let mut chat: Map<String, Value> =
        map.iter().filter(|(name, _)| !matches!(name.as_str(), "prompt" | "suffix")).map(|(name, value)| (name.clone(), value.clone())).collect();
    chat.insert("messages".to_owned(), json!([{"role": "user", "content": format!("{prompt}{suffix}")}]));
    let chat = translated(Value::Object(chat));
    let (ask, choices) = chat_completions::finished(&chat, faults)?;
    Ok(render::render(&ask, &choices, faults.no_usage))
}

/// Answers `GET models`.
pub(super) fn models(models: &mut dyn Iterator<Item = &str>) -> Simulated {
    let data: Vec<Value> = models.map(card).collect();
    Simulated::json(json!({"object": "list", "data": data}).to_string())
}

/// Answers `GET models/{id}`.
pub(super) fn model(id: &str, models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
    let mut models = models.map(|known| known == id);
    let listed = models.any(|found| found);
    if listed { Ok(Simulated::json(card(id).to_string())) } else { Err(Problem::no_such_model(id)) }
}

/// An error as Mistral writes it; what is wrong with a request, as its validation does.
pub(super) fn problem_body(problem: &Problem) -> Bytes {
    let body = if problem.status == 422 {
        let place = problem.param.as_deref().unwrap_or_default();
        json!({"detail": [{"type": "value_error", "loc": ["body", place], "msg": problem.message}]})
    } else {
        json!({"object": "error", "message": problem.message, "type": problem.kind, "param": problem.param, "code": problem.code})
    };
    Bytes::from(body.to_string())
}

fn card(id: &str) -> Value {
    let holds = |word: &str| id.contains(word);
    let chats = !["embed", "ocr", "transcribe", "moderation"].into_iter().any(holds);
    json!({
        "id": id, "object": "model", "created": Seed::of_bytes("model", id.as_bytes()).created(), "owned_by": "mistralai", "name": id, "aliases": [],
        "capabilities": {
            "completion_chat": chats, "completion_fim": holds("codestral"), "function_calling": chats, "fine_tuning": false, "vision": chats,
            "ocr": holds("ocr"), "classification": false, "moderation": holds("moderation"), "audio": holds("voxtral"),
        },
        "max_context_length": 131_072, "type": "base",
    })
}

/// The request in OpenAI's words.
fn translated(mut body: Value) -> Value {
    let Value::Object(map) = &mut body else { return body };
    // Priority capacity is not simulated.
    map.remove("service_tier");
    if map.get("tool_choice").is_some_and(|choice| choice == "any") {
        map.insert("tool_choice".to_owned(), json!("required"));
    }
    if map.get("tools").is_some_and(|tools| tools.as_array().is_some_and(Vec::is_empty)) {
        map.remove("tools");
    }
    if let Some(seed) = map.remove("random_seed") {
        map.insert("seed".to_owned(), seed);
    }
    for message in map.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(message) = message.as_object_mut() else { continue };
        for part in message.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
            translate_part(part);
        }
        // Calls may come back without an id, and without an id to refer to.
        if message.get("role").is_some_and(|role| role == "tool") && message.get("tool_call_id").is_none_or(Value::is_null) {
            message.insert("tool_call_id".to_owned(), json!("null"));
        }
        for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
            call.entry("id").or_insert_with(|| json!("null"));
        }
    }
    body
}

/// A part of a message: thinking and references are text, an image may be its address alone.
fn translate_part(part: &mut Value) {
    let text_of = |part: &Object, member: &str| part.get(member).map(ToString::to_string).unwrap_or_default();
    let Some(map) = part.as_object_mut() else { return };
    match map.get("type").and_then(Value::as_str) {
        Some("thinking") => *part = json!({"type": "text", "text": text_of(map, "thinking")}),
        Some("reference") => *part = json!({"type": "text", "text": text_of(map, "reference_ids")}),
        Some("image_url") if map.get("image_url").is_some_and(Value::is_string) => {
            let url = map.get("image_url").cloned();
            *part = json!({"type": "image_url", "image_url": {"url": url}});
        }
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
