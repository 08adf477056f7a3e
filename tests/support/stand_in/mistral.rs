//! The answers of the stand-in, in the shapes of Mistral's API: it takes no `stream_options`, and tells the usage with the last content.

use std::collections::HashSet;

use bytes::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::answers::{self, Event};
use super::body::{self, ChannelBody};
use super::script::{Script, UsageReport};
use super::{Consumed, Entry};

/// Nano-dollars for a page of `mistral-ocr-2512`, plain and annotated, and for a second of audio of `voxtral-small-latest`, times 15.
const PAGE: i64 = 2_000_000;
const ANNOTATED_PAGE: i64 = 3_000_000;
const FIFTEEN_SECONDS: i64 = 1_000_000;

/// Answers one request; streams go on by themselves.
pub(super) fn answer(path: &str, request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    if let Some(member) = ["stream_options", "max_completion_tokens"].into_iter().find(|member| request.get(member).is_some()) {
        let detail = json!({"detail": [{"type": "extra_forbidden", "loc": ["body", member], "msg": "Extra inputs are not permitted"}]});
        let bytes = Bytes::from(detail.to_string());
        entry.sends(&bytes);
        entry.finish();
        return Response::builder().status(StatusCode::UNPROCESSABLE_ENTITY).header("content-type", "application/json").body(body::whole(bytes)).unwrap();
    }
    if path.ends_with("/ocr") {
        return ocr(request, script, entry);
    }
    if path.ends_with("/embeddings") {
        return embeddings(request, script, entry);
    }
    if path.ends_with("/models") {
        let models: Vec<Value> = ["mistral-small-2603", "no-such-model"].iter().map(|id| json!({"id": id, "object": "model", "capabilities": {}})).collect();
        return answers::whole(json!({"object": "list", "data": models}), Consumed::default(), script, entry);
    }
    let wish = Wish::read(request, script);
    if !wish.stream {
        return answers::whole(wish.completion(script), wish.consumed(wish.completion, script), script, entry);
    }
    let (writer, body) = body::channel();
    entry.update(|row| row.would_report = Some(wish.consumed(wish.completion, script)));
    tokio::spawn(answers::send(wish.events(script), script.clone(), entry.clone(), writer));
    Response::builder().header("content-type", "text/event-stream; charset=utf-8").header("mistral-correlation-id", "stand-in").body(body).unwrap()
}

fn ocr(request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let all = if !request["document"]["image_url"].is_null() {
        1
    } else if script.greedy {
        1_000
    } else {
        4
    };
    // Each page once, however often it is named; with none named, all.
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        from.parse::<usize>().unwrap()..=to.parse::<usize>().unwrap().min(999)
    };
    let named: HashSet<usize> = match &request["pages"] {
        Value::Array(pages) => pages.iter().map(|page| usize::try_from(page.as_u64().unwrap()).unwrap()).collect(),
        Value::String(pages) => pages.split(',').flat_map(range).collect(),
        _ => HashSet::new(),
    };
    let named = if named.is_empty() { all } else { named.len().min(all.max(4)) };
    let pages = i64::try_from(named).unwrap();
    let annotated = ["document_annotation_format", "bbox_annotation_format"].iter().any(|member| !request[*member].is_null());
    let price = if annotated { ANNOTATED_PAGE } else { PAGE };
    let consumed = Consumed { cost: pages * price, ..Consumed::default() };
    let read: Vec<Value> = (0..named.min(4)).map(|index| json!({"index": index, "markdown": "# Page", "images": [], "dimensions": null})).collect();
    let mut answer = json!({"pages": read, "model": request["model"]});
    if script.usage != UsageReport::Missing {
        answer["usage_info"] = json!({"pages_processed": told(pages, script.usage), "doc_size_bytes": 1_000});
    }
    answers::whole(answer, consumed, script, entry)
}

fn embeddings(request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let model = request["model"].as_str().unwrap_or_default();
    let inputs = request["input"].as_array().cloned().unwrap_or_else(|| vec![request["input"].clone()]);
    let prompt = script.prompt.unwrap_or_else(|| inputs.iter().map(if script.greedy { answers::bytes_of } else { answers::tokens_of }).sum());
    let data: Vec<Value> = (0..inputs.len()).map(|index| json!({"object": "embedding", "index": index, "embedding": [0.25, -0.5]})).collect();
    let mut answer = json!({"id": "embd-stand-in", "object": "list", "model": model, "data": data});
    if script.usage == UsageReport::Honest {
        answer["usage"] = json!({"prompt_tokens": prompt, "completion_tokens": 0, "total_tokens": prompt});
    }
    answers::whole(answer, Consumed::tokens(model, prompt, 0, 0), script, entry)
}

fn told(count: i64, report: UsageReport) -> i64 {
    match report {
        UsageReport::Honest | UsageReport::Missing | UsageReport::Twice | UsageReport::Comment => count,
        UsageReport::Negative => -count - 1,
        UsageReport::Absurd => 1 << 50,
    }
}

/// What a completion asks for.
struct Wish {
    model: String,
    prompt: i64,
    /// Tokens of one answer.
    completion: i64,
    choices: i64,
    /// A prediction that is wrong, for each answer.
    rejected: i64,
    /// Seconds of audio, a multiple of fifteen.
    seconds: i64,
    limited: bool,
    stream: bool,
}

// === impl Wish ===

impl Wish {
    fn read(json: &Value, script: &Script) -> Self {
        let messages = json["messages"].as_array().cloned().unwrap_or_default();
        let read = if script.greedy { answers::bytes_of } else { answers::tokens_of };
        let mut asked: i64 = messages.iter().map(|message| read(&message["content"]) + 4).sum::<i64>() + read(&json["prompt"]);
        if script.greedy {
            asked += ["suffix", "tools", "tool_choice", "response_format"].iter().map(|member| read(&json[*member])).sum::<i64>();
            asked += messages.iter().map(|message| read(&message["tool_calls"]) + read(&message["name"])).sum::<i64>();
        }
        let completion = script.tokens.min(json["max_tokens"].as_i64().unwrap_or(i64::MAX));
        let choices = json["n"].as_i64().unwrap_or(1);
        Self {
            model: json["model"].as_str().unwrap_or_default().to_owned(),
            prompt: script.prompt.unwrap_or(asked),
            completion,
            choices,
            rejected: if script.greedy { answers::bytes_of(&json["prediction"]["content"]) } else { 0 },
            seconds: if json["messages"].to_string().contains("input_audio") { 30 } else { 0 },
            limited: completion < script.tokens,
            stream: json["stream"].as_bool().unwrap_or(false),
        }
    }

    fn consumed(&self, completion: i64, script: &Script) -> Consumed {
        let output = (completion + self.rejected) * self.choices;
        let mut consumed = Consumed::tokens(&self.model, self.prompt, script.cached.min(self.prompt), output);
        consumed.cost += self.seconds / 15 * FIFTEEN_SECONDS;
        consumed
    }

    fn finish_reason(&self) -> &'static str {
        if self.limited { "length" } else { "stop" }
    }

    fn usage(&self, script: &Script) -> Option<Value> {
        let completion = if script.usage == UsageReport::Missing { return None } else { told((self.completion + self.rejected) * self.choices, script.usage) };
        let mut usage = json!({"prompt_tokens": self.prompt, "completion_tokens": completion, "total_tokens": self.prompt + completion});
        if script.cached > 0 {
            usage["prompt_tokens_details"] = json!({"cached_tokens": script.cached.min(self.prompt)});
        }
        if self.seconds > 0 {
            usage["prompt_audio_seconds"] = json!(self.seconds);
            // What audio makes in tokens is in the sum alone.
            usage["total_tokens"] = json!(self.prompt + completion + self.seconds * 12);
        }
        Some(usage)
    }

    fn completion(&self, script: &Script) -> Value {
        let text = "word ".repeat(usize::try_from(self.completion).unwrap());
        let choice = json!({"index": 0, "message": {"role": "assistant", "content": text, "tool_calls": null}, "finish_reason": self.finish_reason()});
        let mut answer = json!({"id": "cmpl-stand-in", "object": "chat.completion", "created": 1_700_000_000, "model": self.model, "choices": [choice]});
        if let Some(usage) = self.usage(script) {
            answer["usage"] = usage;
        }
        answer
    }

    /// The chunks of a stream: one a token, and a last one with the reason and the usage.
    fn events(&self, script: &Script) -> Vec<Event> {
        let mut events = Vec::new();
        let mut push = |delta: Value, finish: Option<&str>, usage: Option<Value>, completion: i64, carries_text: bool| {
            let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
            let mut chunk =
                json!({"id": "cmpl-stand-in", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": self.model, "choices": [choice]});
            if let Some(usage) = usage {
                chunk["usage"] = usage;
            }
            events.push(Event { name: None, text: chunk.to_string(), consumed: self.consumed(completion, script), carries_text });
        };
        push(json!({"role": "assistant", "content": ""}), None, None, 0, false);
        for token in 1..=self.completion {
            push(json!({"content": format!("w{token} ")}), None, None, token, true);
        }
        push(json!({"content": ""}), Some(self.finish_reason()), self.usage(script), self.completion, false);
        events.push(Event { name: None, text: "[DONE]".to_owned(), consumed: self.consumed(self.completion, script), carries_text: false });
        if let Some(at) = script.fail {
            events.truncate(at);
            let consumed = events.last().map_or_else(Consumed::default, |event| event.consumed);
            let error = json!({"object": "error", "message": "Service unavailable.", "type": "internal_server_error", "code": "3000"});
            events.push(Event { name: None, text: error.to_string(), consumed, carries_text: false });
        }
        events
    }
}
