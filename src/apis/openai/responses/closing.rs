//! Ends a stream before the provider does, as the provider ends one whose output limit is reached: what is open is closed, and `response.incomplete` tells
//! all that was said. Clients that follow the events take it for a proper end.
//!
//! For that, what has passed is remembered: the response as it began, its items, and the text of those that are not done, as raw JSON.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::events::Event;
use super::meter_stream::Sealer;
use super::usage;
use crate::prices::Usage;

/// What has passed.
#[derive(Debug, Default)]
pub(super) struct Closing {
    /// The response as it was told last.
    response: Vec<u8>,
    /// By their place in the output.
    items: BTreeMap<u64, Item>,
    next_sequence: u64,
}

/// One item of the output.
#[derive(Debug, Default)]
struct Item {
    /// As it began, or as it is.
    raw: Vec<u8>,
    done: bool,
    /// Parts of its content, and after them of its summary, by their place there.
    parts: BTreeMap<(bool, u64), Part>,
    /// Its arguments, code or input so far: the inside of a JSON string.
    arguments: Vec<u8>,
}

#[derive(Debug, Default)]
struct Part {
    raw: Vec<u8>,
    done: bool,
    /// Its text so far: the inside of a JSON string.
    text: Vec<u8>,
}

/// Writes events.
struct Writer<'a> {
    out: Vec<u8>,
    next_sequence: u64,
    sealer: Option<&'a mut Sealer>,
}

// === impl Closing ===

impl Closing {
    /// Remembers what an event tells.
    pub(super) fn take(&mut self, event: &Event<'_>, data: &[u8]) {
        if let Some(sequence) = event.sequence {
            self.next_sequence = sequence.saturating_add(1);
        }
        let object = || event.object.clone().and_then(|at| data.get(at)).map(<[u8]>::to_vec).unwrap_or_default();
        match event.kind {
            b"response.created" | b"response.queued" | b"response.in_progress" => self.response = object(),
            b"response.output_item.added" => {
                self.items.insert(event.output_index, Item { raw: object(), ..Item::default() });
            }
            b"response.output_item.done" => {
                self.items.insert(event.output_index, Item { raw: object(), done: true, ..Item::default() });
            }
            b"response.content_part.added" | b"response.reasoning_summary_part.added" => self.part(event).raw = object(),
            b"response.content_part.done" | b"response.reasoning_summary_part.done" => {
                let part = self.part(event);
                *part = Part { raw: object(), done: true, text: Vec::new() };
            }
            b"response.output_text.delta" | b"response.refusal.delta" | b"response.reasoning_text.delta" | b"response.reasoning_summary_text.delta" => {
                if let Some(delta) = event.delta {
                    self.part(event).text.extend_from_slice(delta.raw());
                }
            }
            kind if kind.ends_with(b".delta") => {
                if let Some(delta) = event.delta {
                    self.items.entry(event.output_index).or_default().arguments.extend_from_slice(delta.raw());
                }
            }
            _ => {}
        }
    }

    fn part(&mut self, event: &Event<'_>) -> &mut Part {
        let summarizes = event.kind.starts_with(b"response.reasoning_summary");
        self.items.entry(event.output_index).or_default().parts.entry((summarizes, event.part_index)).or_default()
    }

    /// The events that end the stream here. None before it has begun.
    pub(super) fn end(&mut self, usage: &Usage, sealer: Option<&mut Sealer>) -> Option<Bytes> {
        let mut response: Map<String, Value> = serde_json::from_slice(&self.response).ok()?;
        let mut writer = Writer { out: Vec::new(), next_sequence: self.next_sequence, sealer };
        let mut output = Vec::new();
        for (index, item) in &self.items {
            let Ok(mut value) = serde_json::from_slice::<Map<String, Value>>(&item.raw) else { continue };
            writer.seal(&mut value, "id");
            if !item.done {
                item.close(*index, &mut value, &mut writer);
            }
            output.push(Value::Object(value));
        }
        writer.seal(&mut response, "id");
        writer.seal(&mut response, "previous_response_id");
        response.insert("status".to_owned(), json!("incomplete"));
        response.insert("incomplete_details".to_owned(), json!({"reason": "max_output_tokens"}));
        response.insert("output".to_owned(), Value::Array(output));
        response.insert("usage".to_owned(), usage::write(usage));
        writer.event("response.incomplete", json!({"response": response}));
        Some(Bytes::from(writer.out))
    }
}

// === impl Item ===

impl Item {
    /// Closes it and its parts, and makes it what it has become.
    fn close(&self, index: u64, value: &mut Map<String, Value>, writer: &mut Writer<'_>) {
        let id = value.get("id").cloned().unwrap_or(Value::Null);
        let about = |more: Value| {
            let mut event = json!({"item_id": id, "output_index": index});
            if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
                event.extend(more);
            }
            event
        };
        let kind = value.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let arguments = text(&self.arguments);
        match kind.as_str() {
            "function_call" => {
                writer.event("response.function_call_arguments.done", about(json!({"name": value.get("name"), "arguments": arguments})));
                value.insert("arguments".to_owned(), json!(arguments));
            }
            "custom_tool_call" => {
                writer.event("response.custom_tool_call_input.done", about(json!({"input": arguments})));
                value.insert("input".to_owned(), json!(arguments));
            }
            _ => {}
        }
        let (mut content, mut summary) = (Vec::new(), Vec::new());
        for ((summarizes, place), part) in &self.parts {
            let mut whole: Map<String, Value> = serde_json::from_slice(&part.raw).unwrap_or_default();
            let kind = whole.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
            if !part.done {
                let said = text(&part.text);
                let member = if kind == "refusal" { "refusal" } else { "text" };
                whole.insert(member.to_owned(), json!(said));
                let at = if *summarizes { "summary_index" } else { "content_index" };
                let (done, part_done) = match kind.as_str() {
                    "refusal" => ("response.refusal.done", "response.content_part.done"),
                    "reasoning_text" => ("response.reasoning_text.done", "response.content_part.done"),
                    "summary_text" => ("response.reasoning_summary_text.done", "response.reasoning_summary_part.done"),
                    _ => ("response.output_text.done", "response.content_part.done"),
                };
                let mut told = json!({at: place, member: said});
                if done == "response.output_text.done" {
                    told["logprobs"] = json!([]);
                }
                writer.event(done, about(told));
                writer.event(part_done, about(json!({at: place, "part": whole})));
            }
            if *summarizes { &mut summary } else { &mut content }.push(Value::Object(whole));
        }
        if kind == "reasoning" {
            value.insert("summary".to_owned(), Value::Array(summary));
        }
        if !content.is_empty() {
            value.insert("content".to_owned(), Value::Array(content));
        }
        value.insert("status".to_owned(), json!("incomplete"));
        writer.event("response.output_item.done", json!({"output_index": index, "item": value}));
    }
}

// === impl Writer ===

impl Writer<'_> {
    /// Writes one event with the next number.
    fn event(&mut self, kind: &str, mut data: Value) {
        data["type"] = json!(kind);
        data["sequence_number"] = json!(self.next_sequence);
        self.next_sequence = self.next_sequence.saturating_add(1);
        self.out.extend_from_slice(format!("event: {kind}\ndata: {data}\n\n").as_bytes());
    }

    fn seal(&mut self, object: &mut Map<String, Value>, member: &str) {
        if let (Some(sealer), Some(Value::String(id))) = (&mut self.sealer, object.get_mut(member)) {
            let suffix = sealer.suffix(id.as_bytes());
            id.push_str(&suffix);
        }
    }
}

/// The text whose JSON is this, without its quotes.
fn text(raw: &[u8]) -> String {
    serde_json::from_slice(&[b"\"", raw, b"\""].concat()).unwrap_or_default()
}
