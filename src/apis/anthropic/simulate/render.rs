//! Writes the answer as one message, or as the events that the provider streams.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::ask::Ask;
use super::{Block, Reply};
use crate::sandbox::{Simulated, text};

/// What the first event says of the output, before there is any.
const FIRST_OUTPUT: u64 = 1;

/// The answer as the client wants it.
pub(super) fn render(ask: &Ask<'_>, reply: &Reply, no_usage: bool) -> Simulated {
    if !ask.stream {
        let content: Vec<Value> = reply.blocks.iter().map(whole).collect();
        let usage = (!no_usage).then(|| usage(ask, reply.tokens, ask.thinking.map(|_| reply.thinking_tokens)));
        return Simulated::json(message(ask, content, Some(reply), usage).to_string());
    }
    let mut events =
        vec![event(json!({"type": "message_start", "message": message(ask, Vec::new(), None, (!no_usage).then(|| usage(ask, FIRST_OUTPUT, None)))}))];
    for (index, block) in reply.blocks.iter().enumerate() {
        events.push(event(json!({"type": "content_block_start", "index": index, "content_block": begun(block)})));
        if index == 0 {
            events.push(event(json!({"type": "ping"})));
        }
        events.extend(deltas(block).into_iter().map(|delta| event(json!({"type": "content_block_delta", "index": index, "delta": delta}))));
        events.push(event(json!({"type": "content_block_stop", "index": index})));
    }
    let mut end = json!({"type": "message_delta", "delta": {"stop_reason": reply.stop_reason, "stop_sequence": reply.stop_sequence}});
    if !no_usage && let Value::Object(end) = &mut end {
        let mut counts = json!({
            "input_tokens": ask.input_tokens, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": reply.tokens,
        });
        if ask.thinking.is_some()
            && let Value::Object(counts) = &mut counts
        {
            counts.insert("output_tokens_details".to_owned(), json!({"thinking_tokens": reply.thinking_tokens}));
        }
        end.insert("usage".to_owned(), counts);
    }
    events.push(event(end));
    events.push(event(json!({"type": "message_stop"})));
    Simulated::events(events)
}

/// One event of a stream, named for its type.
fn event(data: Value) -> Bytes {
    let name = data.get("type").and_then(Value::as_str).unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// The message: without a reply it has only begun.
fn message(ask: &Ask<'_>, content: Vec<Value>, reply: Option<&Reply>, usage: Option<Value>) -> Value {
    let mut message = Map::new();
    let mut put = |name: &str, value: Value| message.insert(name.to_owned(), value);
    put("id", json!(ask.seed.id("msg_", 24)));
    put("type", json!("message"));
    put("role", json!("assistant"));
    put("model", json!(ask.model));
    put("content", Value::Array(content));
    put("stop_reason", json!(reply.map(|reply| reply.stop_reason)));
    put("stop_sequence", json!(reply.and_then(|reply| reply.stop_sequence.as_deref())));
    if let Some(usage) = usage {
        put("usage", usage);
    }
    Value::Object(message)
}

fn usage(ask: &Ask<'_>, output: u64, thinking: Option<u64>) -> Value {
    let mut usage = json!({
        "input_tokens": ask.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
        "inference_geo": "global",
    });
    if let Value::Object(usage) = &mut usage {
        usage.extend(thinking.map(|tokens| ("output_tokens_details".to_owned(), json!({"thinking_tokens": tokens}))));
        usage.extend(ask.speed.map(|speed| ("speed".to_owned(), json!(speed))));
    }
    usage
}

fn whole(block: &Block) -> Value {
    match block {
        Block::Thinking { thinking, signature } => json!({"type": "thinking", "thinking": thinking, "signature": signature}),
        Block::Text(text) => json!({"type": "text", "text": text}),
        Block::ToolUse { id, name, input } => json!({"type": "tool_use", "id": id, "name": name, "input": input}),
    }
}

/// The block as it begins: empty.
fn begun(block: &Block) -> Value {
    match block {
        Block::Thinking { .. } => json!({"type": "thinking", "thinking": "", "signature": ""}),
        Block::Text(_) => json!({"type": "text", "text": ""}),
        Block::ToolUse { id, name, .. } => json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
    }
}

fn deltas(block: &Block) -> Vec<Value> {
    match block {
        Block::Thinking { thinking, signature } => {
            let mut deltas: Vec<Value> = text::pieces(thinking, thinking.len()).map(|piece| json!({"type": "thinking_delta", "thinking": piece})).collect();
            deltas.push(json!({"type": "signature_delta", "signature": signature}));
            deltas
        }
        Block::Text(said) => text::pieces(said, said.len()).map(|piece| json!({"type": "text_delta", "text": piece})).collect(),
        Block::ToolUse { input, .. } => {
            let json = input.to_string();
            let first = json!({"type": "input_json_delta", "partial_json": ""});
            let rest = text::pieces(&json, json.len()).map(|piece| json!({"type": "input_json_delta", "partial_json": piece}));
            std::iter::once(first).chain(rest).collect()
        }
    }
}
