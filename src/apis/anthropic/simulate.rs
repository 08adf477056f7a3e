//! Simulated Anthropic messages: prose, thinking, structured output and tool calls, streamed or not; and what stands around them, the counting
//! of tokens and the list of models.

mod ask;
mod check;
mod render;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::sandbox::problem::Problem;
use crate::sandbox::schema::Shape;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, MAX_TOKENS, Simulated, fields, text};
use ask::{Ask, Thinking};

/// Tokens of the simulated thinking, where there is any.
const THINKING_TOKENS: u64 = 24;

/// What an answer says, finished.
struct Reply {
    blocks: Vec<Block>,
    stop_reason: &'static str,
    stop_sequence: Option<String>,
    /// Output tokens, thinking included.
    tokens: u64,
    thinking_tokens: u64,
}

/// One block of its content.
enum Block {
    Thinking { thinking: String, signature: String },
    Text(String),
    ToolUse { id: String, name: String, input: Value },
}

/// Answers `POST messages`.
pub(super) fn answer(body: &[u8], faults: &Faults) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let ask = Ask::read(&body)?;
    let reply = reply(&ask, faults)?;
    Ok(render::render(&ask, &reply, faults.no_usage))
}

/// Answers `POST messages/count_tokens`.
pub(super) fn count(body: &[u8]) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
    ask::model(map)?;
    let messages = check::messages(map)?;
    Ok(Simulated::json(json!({"input_tokens": check::input_tokens(map, messages)}).to_string()))
}

/// Answers `GET models`: all on one page.
pub(super) fn models(models: &mut dyn Iterator<Item = &str>) -> Simulated {
    let data: Vec<Value> = models.map(entry).collect();
    let id = |entry: Option<&Value>| entry.map_or(Value::Null, |entry| entry["id"].clone());
    Simulated::json(json!({"first_id": id(data.first()), "last_id": id(data.last()), "has_more": false, "data": data}).to_string())
}

/// Answers `GET models/{id}`.
pub(super) fn model(id: &str, models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
    let mut models = models.map(|known| known == id);
    let listed = models.any(|found| found);
    if listed { Ok(Simulated::json(entry(id).to_string())) } else { Err(Problem::no_such_model(id)) }
}

/// An error as Anthropic writes it.
pub(super) fn problem_body(problem: &Problem) -> Bytes {
    let kind = match problem.status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    };
    Bytes::from(json!({"type": "error", "error": {"type": kind, "message": problem.message}, "request_id": null}).to_string())
}

fn entry(id: &str) -> Value {
    let created = Seed::of_bytes("model", id.as_bytes()).created();
    let created = i64::try_from(created).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()).unwrap_or_default();
    json!({"type": "model", "id": id, "display_name": id, "created_at": created.to_string(), "lifecycle": "active"})
}

fn reply(ask: &Ask<'_>, faults: &Faults) -> Result<Reply, Problem> {
    let length = faults.tokens.map(|tokens| tokens.min(MAX_TOKENS));
    let mut blocks = Vec::new();
    let mut left = ask.limit;
    let mut thinking_tokens = 0;
    if let Some(shown) = ask.thinking {
        let thought = text::prose_of(THINKING_TOKENS, &mut ask.seed.part("thinking", 0).dice());
        let (kept, _) = text::cut(&thought, left);
        thinking_tokens = text::tokens(kept);
        left -= thinking_tokens.min(left);
        let thinking = if shown == Thinking::Shown { kept.to_owned() } else { String::new() };
        blocks.push(Block::Thinking { thinking, signature: ask.seed.part("signature", 0).id("", 88) });
    }
    let length = length.map(|length| length.saturating_sub(thinking_tokens));
    let said = said(ask, left, length)?;
    blocks.extend(said.blocks);
    Ok(Reply { blocks, tokens: said.tokens + thinking_tokens, thinking_tokens, ..said })
}

/// What follows the thinking, in at most `limit` tokens.
fn said(ask: &Ask<'_>, limit: u64, length: Option<u64>) -> Result<Reply, Problem> {
    if let Some(tool) = &ask.tool {
        let input = match tool.schema {
            Some(schema) => {
                let shape = Shape::new(schema, true).map_err(|unmet| ask::unmet(&tool.path, &unmet))?;
                shape.sample(&ask.seed.part("value", 0)).map_err(|unmet| ask::unmet(&tool.path, &unmet))?
            }
            None => tool.input.clone(),
        };
        let tokens = (text::tokens(tool.name) + text::tokens(&input.to_string())).max(length.unwrap_or(0));
        if tokens > limit {
            // Half a call is of no use to anyone.
            return Ok(Reply { blocks: Vec::new(), stop_reason: "max_tokens", stop_sequence: None, tokens: limit, thinking_tokens: 0 });
        }
        let call = Block::ToolUse { id: ask.seed.id("toolu_", 24), name: tool.name.to_owned(), input };
        return Ok(Reply { blocks: vec![call], stop_reason: "tool_use", stop_sequence: None, tokens, thinking_tokens: 0 });
    }
    let (mut whole, mut stop) = match ask.format {
        Some(schema) => {
            let path = ask.format_path;
            let shape = Shape::new(schema, false).map_err(|unmet| ask::unmet(path, &unmet))?;
            (shape.sample(&ask.seed.part("value", 0)).map_err(|unmet| ask::unmet(path, &unmet))?.to_string(), None)
        }
        None => {
            let mut dice = ask.seed.part("prose", 0).dice();
            match length {
                // Nothing past the limit is seen, so it is not made either.
                Some(length) => (text::prose_of(length.min(limit.saturating_add(1)), &mut dice), None),
                None => ask.stopped(text::prose(&mut dice)),
            }
        }
    };
    if ask.format.is_some() {
        // JSON is made longer with spaces, which leave it what it is.
        let missing = length.unwrap_or(0).min(limit).saturating_sub(text::tokens(&whole));
        whole.extend((0..missing.saturating_mul(4)).map(|_| ' '));
    }
    let (kept, was_cut) = text::cut(&whole, limit);
    if was_cut {
        stop = None;
    }
    let stop_reason = match (was_cut, &stop) {
        (true, _) => "max_tokens",
        (false, Some(_)) => "stop_sequence",
        (false, None) => "end_turn",
    };
    let blocks = if kept.is_empty() { Vec::new() } else { vec![Block::Text(kept.to_owned())] };
    Ok(Reply { blocks, stop_reason, stop_sequence: stop, tokens: text::tokens(kept), thinking_tokens: 0 })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
