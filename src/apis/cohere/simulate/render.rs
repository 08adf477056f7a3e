//! Writes the answer to a chat as one object, or as the events that the provider streams.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::ask::Ask;
use super::{Call, Reply, uuid};
use crate::sandbox::{Simulated, text};

/// The answer as the client wants it.
pub(super) fn render(ask: &Ask<'_>, reply: &Reply, no_usage: bool) -> Simulated {
    let id = uuid(&ask.seed.part("id", 0));
    let usage = (!no_usage).then(|| usage(ask.input_tokens, reply.tokens));
    if !ask.stream {
        let mut answer = json!({"id": id, "finish_reason": reply.finish_reason, "message": message(reply)});
        put(&mut answer, "usage", usage);
        return Simulated::json(answer.to_string());
    }
    let begun = json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
    let mut events = vec![event(json!({"id": id, "type": "message-start", "delta": {"message": begun}}))];
    let mut index = 0;
    if let Some(thinking) = &reply.thinking {
        part(index, "thinking", thinking, None, &mut events);
        index += 1;
    }
    match &reply.call {
        Some((plan, call)) => tool_call(plan, call, &mut events),
        None => part(index, "text", &reply.text, citation(reply), &mut events),
    }
    let mut end = json!({"finish_reason": reply.finish_reason});
    put(&mut end, "usage", usage);
    events.push(event(json!({"id": id, "type": "message-end", "delta": end})));
    Simulated::events(events)
}

/// One part of the content: it begins, comes in pieces, perhaps with what it cites, and ends.
fn part(index: usize, kind: &str, said: &str, citation: Option<Value>, events: &mut Vec<Bytes>) {
    let content = |piece: &str| {
        let mut content = Map::new();
        content.insert(kind.to_owned(), json!(piece));
        content
    };
    let mut begun = content("");
    begun.insert("type".to_owned(), json!(kind));
    events.push(event(json!({"type": "content-start", "index": index, "delta": {"message": {"content": begun}}})));
    for piece in text::pieces(said, said.len()) {
        events.push(event(json!({"type": "content-delta", "index": index, "delta": {"message": {"content": content(piece)}}})));
    }
    if let Some(citation) = citation {
        events.push(event(json!({"type": "citation-start", "index": 0, "delta": {"message": {"citations": citation}}})));
        events.push(event(json!({"type": "citation-end", "index": 0})));
    }
    events.push(event(json!({"type": "content-end", "index": index})));
}

/// The plan for a tool, and its call.
fn tool_call(plan: &str, call: &Call, events: &mut Vec<Bytes>) {
    for piece in text::pieces(plan, plan.len()) {
        events.push(event(json!({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}})));
    }
    let begun = json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}});
    events.push(event(json!({"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": begun}}})));
    for piece in text::pieces(&call.arguments, call.arguments.len()) {
        let delta = json!({"function": {"arguments": piece}});
        events.push(event(json!({"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": delta}}})));
    }
    events.push(event(json!({"type": "tool-call-end", "index": 0})));
}

/// One event of a stream, named for its type.
fn event(data: Value) -> Bytes {
    let name = data.get("type").and_then(Value::as_str).unwrap_or_default();
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

/// The message in one piece.
fn message(reply: &Reply) -> Value {
    let mut content: Vec<Value> = reply.thinking.iter().map(|thinking| json!({"type": "thinking", "thinking": thinking})).collect();
    let Some((plan, call)) = &reply.call else {
        content.push(json!({"type": "text", "text": reply.text}));
        let mut message = json!({"role": "assistant", "content": content});
        put(&mut message, "citations", citation(reply).map(|citation| json!([citation])));
        return message;
    };
    let calls = json!([{"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}]);
    let mut message = json!({"role": "assistant", "tool_plan": plan, "tool_calls": calls});
    put(&mut message, "content", (!content.is_empty()).then_some(json!(content)));
    message
}

fn citation(reply: &Reply) -> Option<Value> {
    let (end, document) = reply.citation.as_ref()?;
    let sources = json!([{"type": "document", "id": document, "document": {"id": document}}]);
    Some(json!({"start": 0, "end": end, "text": reply.text.get(..*end), "sources": sources, "type": "TEXT_CONTENT"}))
}

/// Counts as Cohere writes them: as floats.
fn usage(input: u64, output: u64) -> Value {
    let units = |count: u64| json!(count as f64);
    let counts = json!({"input_tokens": units(input), "output_tokens": units(output)});
    json!({"billed_units": counts, "tokens": counts, "cached_tokens": 0.0})
}

fn put(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Value::Object(object), Some(value)) = (object, value) {
        object.insert(name.to_owned(), value);
    }
}
