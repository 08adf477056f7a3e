//! Writes the reply as one `response`, or as the events that the provider streams.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::ask::Ask;
use super::{Reasoning, Reply, Said};
use crate::sandbox::{Simulated, text};

/// Writes the events of a stream, each with its number.
struct Events {
    all: Vec<Bytes>,
}

/// The answer as the client wants it.
pub(super) fn render(ask: &Ask<'_>, reply: &Reply, no_usage: bool) -> Simulated {
    let whole = whole(ask, reply, no_usage);
    if !ask.stream {
        return Simulated::json(Value::Object(whole).to_string());
    }
    let mut events = Events { all: Vec::new() };
    let mut begun = whole.clone();
    begun.insert("status".to_owned(), json!("in_progress"));
    for (name, value) in [("output", json!([])), ("usage", Value::Null), ("completed_at", Value::Null), ("incomplete_details", Value::Null)] {
        begun.insert(name.to_owned(), value);
    }
    events.push("response.created", json!({"response": begun}));
    events.push("response.in_progress", json!({"response": begun}));
    let mut index = 0;
    if let Some(reasoning) = &reply.reasoning {
        events.reasoning(index, reasoning);
        index += 1;
    }
    if let Some(said) = &reply.said {
        events.said(index, said, status(reply));
    }
    events.push(if reply.cut { "response.incomplete" } else { "response.completed" }, json!({"response": whole}));
    Simulated::events(events.all)
}

fn status(reply: &Reply) -> &'static str {
    if reply.cut { "incomplete" } else { "completed" }
}

/// The whole response.
fn whole(ask: &Ask<'_>, reply: &Reply, no_usage: bool) -> Map<String, Value> {
    let thought = reply.reasoning.as_ref().map_or(0, |reasoning| reasoning.tokens);
    let usage = json!({
        "input_tokens": ask.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": ask.input_tokens.saturating_add(reply.output_tokens),
    });
    let output: Vec<Value> = reply.reasoning.iter().map(reasoning_item).chain(reply.said.iter().map(|said| said.item(status(reply)))).collect();
    let created = ask.seed.created();
    let mut whole = Map::new();
    let mut put = |name: &str, value: Value| drop(whole.insert(name.to_owned(), value));
    put("id", json!(ask.id));
    put("object", json!("response"));
    put("created_at", json!(created));
    put("status", json!(status(reply)));
    put("completed_at", if reply.cut { Value::Null } else { json!(created + 1) });
    put("error", Value::Null);
    put("incomplete_details", if reply.cut { json!({"reason": "max_output_tokens"}) } else { Value::Null });
    put("model", json!(ask.model));
    put("output", Value::Array(output));
    put("usage", if no_usage { Value::Null } else { usage });
    whole.extend(ask.echo.clone());
    whole
}

fn reasoning_item(reasoning: &Reasoning) -> Value {
    let summary: Vec<Value> = reasoning.summary.iter().map(|text| json!({"type": "summary_text", "text": text})).collect();
    json!({"id": reasoning.id, "type": "reasoning", "summary": summary, "encrypted_content": reasoning.encrypted, "status": null})
}

// === impl Said ===

impl Said {
    fn item(&self, status: &str) -> Value {
        match self {
            Self::Text { id, text } => json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": [text_part(text)]}),
            Self::Call { id, call_id, name, arguments, custom: false } => {
                json!({"id": id, "type": "function_call", "status": status, "call_id": call_id, "name": name, "arguments": arguments})
            }
            Self::Call { id, call_id, name, arguments, custom: true } => {
                json!({"id": id, "type": "custom_tool_call", "status": status, "call_id": call_id, "name": name, "input": arguments})
            }
        }
    }

    /// The item as it begins, with nothing said.
    fn begun(&self) -> Value {
        let mut item = self.item("in_progress");
        match self {
            Self::Text { .. } => item["content"] = json!([]),
            Self::Call { custom, .. } => item[if *custom { "input" } else { "arguments" }] = json!(""),
        }
        item
    }
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

// === impl Events ===

impl Events {
    fn push(&mut self, kind: &str, mut data: Value) {
        data["type"] = json!(kind);
        data["sequence_number"] = json!(self.all.len());
        self.all.push(Bytes::from(format!("event: {kind}\ndata: {data}\n\n")));
    }

    fn reasoning(&mut self, index: usize, reasoning: &Reasoning) {
        let mut begun = reasoning_item(reasoning);
        begun["summary"] = json!([]);
        self.push("response.output_item.added", json!({"output_index": index, "item": begun}));
        if let Some(summary) = &reasoning.summary {
            let about = |more: (&str, Value)| json!({"item_id": reasoning.id, "output_index": index, "summary_index": 0, more.0: more.1});
            let part = |text: &str| json!({"type": "summary_text", "text": text});
            self.push("response.reasoning_summary_part.added", about(("part", part(""))));
            for piece in text::pieces(summary, summary.len()) {
                self.push("response.reasoning_summary_text.delta", about(("delta", json!(piece))));
            }
            self.push("response.reasoning_summary_text.done", about(("text", json!(summary))));
            self.push("response.reasoning_summary_part.done", about(("part", part(summary))));
        }
        self.push("response.output_item.done", json!({"output_index": index, "item": reasoning_item(reasoning)}));
    }

    fn said(&mut self, index: usize, said: &Said, status: &str) {
        self.push("response.output_item.added", json!({"output_index": index, "item": said.begun()}));
        match said {
            Said::Text { id, text } => {
                let about = |more: (&str, Value)| json!({"item_id": id, "output_index": index, "content_index": 0, more.0: more.1});
                let worded = |name: &str, words: &str| json!({"item_id": id, "output_index": index, "content_index": 0, "logprobs": [], name: words});
                self.push("response.content_part.added", about(("part", text_part(""))));
                for piece in text::pieces(text, text.len()) {
                    self.push("response.output_text.delta", worded("delta", piece));
                }
                self.push("response.output_text.done", worded("text", text));
                self.push("response.content_part.done", about(("part", text_part(text))));
            }
            Said::Call { id, name, arguments, custom, .. } => {
                let kind = if *custom { "custom_tool_call_input" } else { "function_call_arguments" };
                for piece in text::pieces(arguments, arguments.len()) {
                    self.push(&format!("response.{kind}.delta"), json!({"item_id": id, "output_index": index, "delta": piece}));
                }
                let done = if *custom {
                    json!({"item_id": id, "output_index": index, "input": arguments})
                } else {
                    json!({"item_id": id, "output_index": index, "name": name, "arguments": arguments})
                };
                self.push(&format!("response.{kind}.done"), done);
            }
        }
        self.push("response.output_item.done", json!({"output_index": index, "item": said.item(status)}));
    }
}
