//! Writes a completion as one object, or as the chunks that the provider streams: the last one with content brings the usage, asked for or not.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::apis::openai::simulated_chat::{Ask, Choice, DONE, Reply, event};
use crate::sandbox::{Simulated, text};

/// The length of the ids of calls (Mistral's reference, "Tool call").
const CALL_ID: usize = 9;

/// The answer as the client wants it.
pub(super) fn render(ask: &Ask<'_>, choices: &[Choice], no_usage: bool) -> Simulated {
    let id = ask.seed.id("", 32).to_ascii_lowercase();
    let envelope =
        |object: &str, choices: Vec<Value>| json!({"id": id, "object": object, "created": ask.seed.created(), "model": ask.model, "choices": choices});
    let output: u64 = choices.iter().map(|choice| choice.tokens).sum();
    let usage = json!({"prompt_tokens": ask.input_tokens, "completion_tokens": output, "total_tokens": ask.input_tokens.saturating_add(output)});
    if !ask.stream {
        let mut answer = envelope("chat.completion", choices.iter().enumerate().map(whole).collect());
        if !no_usage {
            answer["usage"] = usage;
        }
        return Simulated::json(answer.to_string());
    }
    let mut chunks: Vec<Value> = deltas(choices).into_iter().map(|choice| envelope("chat.completion.chunk", vec![choice])).collect();
    if let Some(last) = chunks.last_mut().filter(|_| !no_usage) {
        last["usage"] = usage;
    }
    let mut events: Vec<Bytes> = chunks.iter().map(event).collect();
    events.push(Bytes::from_static(DONE));
    Simulated::events(events)
}

/// A choice in one piece.
fn whole((index, choice): (usize, &Choice)) -> Value {
    let message = match &choice.reply {
        Reply::Text(content) => json!({"role": "assistant", "content": content, "tool_calls": null, "prefix": false}),
        Reply::Call { id, name, arguments, .. } => {
            json!({"role": "assistant", "content": "", "tool_calls": [call(id, name, arguments)], "prefix": false})
        }
    };
    json!({"index": index, "message": message, "finish_reason": choice.finish_reason})
}

/// The choices of all chunks: every choice begins, they take turns, then every one ends. A call comes whole, with the end.
fn deltas(choices: &[Choice]) -> Vec<Value> {
    // Clients want to be told that there is no reason yet.
    let chunk = |index: usize, delta: Value, finish: Option<&str>| json!({"index": index, "delta": delta, "finish_reason": finish});
    let mut all: Vec<Value> = (0..choices.len()).map(|index| chunk(index, json!({"role": "assistant", "content": ""}), None)).collect();
    let said = |choice: &Choice| if let Reply::Text(text) = &choice.reply { text.len() } else { 0 };
    let total_bytes = choices.iter().map(said).sum();
    let texts = choices.iter().enumerate().filter_map(|(index, choice)| match &choice.reply {
        Reply::Text(said) => Some((index, text::pieces(said, total_bytes))),
        Reply::Call { .. } => None,
    });
    let mut open: Vec<_> = texts.collect();
    while !open.is_empty() {
        open.retain_mut(|(index, pieces)| match pieces.next() {
            Some(piece) => {
                all.push(chunk(*index, json!({"content": piece}), None));
                true
            }
            None => false,
        });
    }
    all.extend(choices.iter().enumerate().map(|(index, choice)| {
        let delta = match &choice.reply {
            Reply::Text(_) => json!({"content": ""}),
            Reply::Call { id, name, arguments, .. } => json!({"content": "", "tool_calls": [call(id, name, arguments)]}),
        };
        chunk(index, delta, Some(choice.finish_reason))
    }));
    all
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    let id = id.strip_prefix("call_").unwrap_or(id);
    json!({"id": id.get(..CALL_ID).unwrap_or(id), "type": "function", "function": {"name": name, "arguments": arguments}, "index": 0})
}
