//! Writes the choices as one `chat.completion`, or as the events that the provider streams.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::ask::{Ask, ToolKind};
use super::{Choice, Reply};
use crate::sandbox::{Simulated, text};

/// What ends a stream.
pub(in crate::apis) const DONE: &[u8] = b"data: [DONE]\n\n";

/// The outer object: of the whole answer, and of every chunk of a stream.
#[derive(Serialize)]
struct Envelope<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<Value>,
    /// Left out, null, or the usage: clients tell the three apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
    service_tier: &'a str,
    system_fingerprint: &'a str,
}

/// The answer as the client wants it.
pub(super) fn render(ask: &Ask<'_>, choices: &[Choice], no_usage: bool) -> Simulated {
    let id = ask.seed.id("chatcmpl-", 29);
    let fingerprint = ask.seed.part("fingerprint", 0).id("fp_", 10);
    let envelope = |object, choices, usage| Envelope {
        id: &id,
        object,
        created: ask.seed.created(),
        model: ask.model,
        choices,
        usage,
        service_tier: ask.service_tier,
        system_fingerprint: &fingerprint,
    };
    let output = choices.iter().map(|choice| choice.tokens).sum();
    if !ask.stream {
        let choices = choices.iter().enumerate().map(whole).collect();
        let usage = (!no_usage).then(|| usage(ask.input_tokens, output));
        return Simulated::json(serde_json::to_vec(&envelope("chat.completion", choices, usage)).unwrap_or_default());
    }
    let wants_usage = ask.include_usage && !no_usage;
    let event = |choices, usage| event(&envelope("chat.completion.chunk", choices, usage));
    let mut events: Vec<Bytes> = deltas(choices).into_iter().map(|choice| event(vec![choice], wants_usage.then_some(Value::Null))).collect();
    if wants_usage {
        events.push(event(Vec::new(), Some(usage(ask.input_tokens, output))));
    }
    events.push(Bytes::from_static(DONE));
    Simulated::events(events)
}

/// One event of a stream.
pub(in crate::apis) fn event(data: &impl Serialize) -> Bytes {
    let mut event = b"data: ".to_vec();
    // Writing plain data to memory cannot fail.
    let _ = serde_json::to_writer(&mut event, data);
    event.extend_from_slice(b"\n\n");
    Bytes::from(event)
}

/// The usage object of chat completions and of legacy completions.
pub(in crate::apis) fn usage(input: u64, output: u64) -> Value {
    json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input.saturating_add(output),
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    })
}

/// A choice in one piece.
fn whole((index, choice): (usize, &Choice)) -> Value {
    let (content, call) = match &choice.reply {
        Reply::Text(content) => (json!(content), None),
        Reply::Call { kind: ToolKind::Legacy, name, arguments, .. } => (Value::Null, Some(("function_call", json!({"name": name, "arguments": arguments})))),
        Reply::Call { kind: ToolKind::Custom, id, name, arguments } => {
            (Value::Null, Some(("tool_calls", json!([{"id": id, "type": "custom", "custom": {"name": name, "input": arguments}}]))))
        }
        Reply::Call { kind: ToolKind::Function, id, name, arguments } => {
            (Value::Null, Some(("tool_calls", json!([{"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}]))))
        }
    };
    let mut message = Map::new();
    message.insert("role".to_owned(), json!("assistant"));
    message.insert("content".to_owned(), content);
    message.insert("refusal".to_owned(), Value::Null);
    message.insert("annotations".to_owned(), json!([]));
    message.extend(call.map(|(name, value)| (name.to_owned(), value)));
    json!({"index": index, "message": message, "logprobs": null, "finish_reason": choice.finish_reason})
}

/// The choices of all chunks, in the order of the stream: every choice begins, then they take turns, then every choice ends.
fn deltas(choices: &[Choice]) -> Vec<Value> {
    let chunk = |index: usize, delta: Value, finish: Option<&str>| json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": finish});
    let mut all = Vec::new();
    for (index, choice) in choices.iter().enumerate() {
        let content = match choice.reply {
            Reply::Text(_) => json!(""),
            Reply::Call { .. } => Value::Null,
        };
        all.push(chunk(index, json!({"role": "assistant", "content": content, "refusal": null}), None));
        if let Some(delta) = opening(&choice.reply) {
            all.push(chunk(index, delta, None));
        }
    }
    let total_bytes = choices.iter().map(|choice| text_of(&choice.reply).len()).sum();
    let mut open: Vec<_> =
        choices.iter().enumerate().map(|(index, choice)| (index, &choice.reply, text::pieces(text_of(&choice.reply), total_bytes))).collect();
    while !open.is_empty() {
        open.retain_mut(|(index, reply, pieces)| match pieces.next() {
            Some(piece) => {
                all.push(chunk(*index, delta(reply, piece), None));
                true
            }
            None => false,
        });
    }
    all.extend(choices.iter().enumerate().map(|(index, choice)| chunk(index, json!({}), Some(choice.finish_reason))));
    all
}

/// The delta that names the tool, before its arguments come.
fn opening(reply: &Reply) -> Option<Value> {
    match reply {
        Reply::Text(_) => None,
        Reply::Call { kind: ToolKind::Legacy, name, .. } => Some(json!({"function_call": {"name": name, "arguments": ""}})),
        Reply::Call { kind: ToolKind::Custom, id, name, .. } => {
            Some(json!({"tool_calls": [{"index": 0, "id": id, "type": "custom", "custom": {"name": name, "input": ""}}]}))
        }
        Reply::Call { kind: ToolKind::Function, id, name, .. } => {
            Some(json!({"tool_calls": [{"index": 0, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}]}))
        }
    }
}

/// The delta that carries a piece of the text or of the arguments.
fn delta(reply: &Reply, piece: &str) -> Value {
    match reply {
        Reply::Text(_) => json!({"content": piece}),
        Reply::Call { kind: ToolKind::Legacy, .. } => json!({"function_call": {"arguments": piece}}),
        Reply::Call { kind: ToolKind::Custom, .. } => json!({"tool_calls": [{"index": 0, "custom": {"input": piece}}]}),
        Reply::Call { kind: ToolKind::Function, .. } => json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}),
    }
}

fn text_of(reply: &Reply) -> &str {
    match reply {
        Reply::Text(content) => content,
        Reply::Call { arguments, .. } => arguments,
    }
}
