//! The answers of the stand-in, in the shapes of OpenAI's API; and how answers of any API are sent.

use std::time::Duration;

use bytes::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::body::{self, BodyWriter, ChannelBody};
use super::script::{Script, UsageReport};
use super::{Consumed, Entry};
use super::{anthropic, edenai};
use crate::support::money::{CENT, nanos};

/// Time enough for hyper to write out what it was given, before a connection is broken off.
const FLUSH: Duration = Duration::from_millis(30);

/// What the request asks for.
pub(super) struct Wish {
    model: String,
    prompt: i64,
    completion: i64,
    limited: bool,
    pub(super) stream: bool,
    include_usage: bool,
    legacy: bool,
}

/// One event of a stream, and what has been consumed once it is out.
pub(super) struct Event {
    /// Its `event:` line, where it has one.
    pub(super) name: Option<String>,
    pub(super) text: String,
    pub(super) consumed: Consumed,
    pub(super) carries_text: bool,
}

/// Answers one request; streams go on by themselves.
pub(super) fn answer(path: &str, request: &Bytes, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    if script.redirect {
        let response = Response::builder().status(StatusCode::TEMPORARY_REDIRECT).header("location", "http://127.0.0.1:9/elsewhere");
        return response.body(body::whole(Bytes::new())).unwrap();
    }
    let json: Value = serde_json::from_slice(request).unwrap_or(Value::Null);
    if let Some(status) = script.status {
        return error(status, &json, script, entry);
    }
    if path.starts_with("/v3/") {
        edenai::answer(path, &json, script, entry)
    } else if path.contains("/messages") {
        anthropic::answer(path, &json, script, entry)
    } else if path.ends_with("/chat/completions") {
        let wish = Wish::chat(&json, script);
        if wish.stream { stream(&wish, script, entry) } else { whole(chat(&wish, script), wish.consumed(script), script, entry) }
    } else if path.ends_with("/completions") {
        let wish = Wish::legacy(&json, script);
        if wish.stream { stream(&wish, script, entry) } else { whole(chat(&wish, script), wish.consumed(script), script, entry) }
    } else if path.ends_with("/embeddings") {
        embeddings(&json, script, entry)
    } else if path.ends_with("/models") {
        let models: Vec<Value> = ["gpt-4o-mini", "text-embedding-3-small", "claude-haiku-4-5", "no-such-model"]
            .iter()
            .map(|id| json!({"id": id, "object": "model", "created": 1, "owned_by": "stand-in"}))
            .collect();
        whole(json!({"object": "list", "data": models}), Consumed::default(), script, entry)
    } else {
        other(script, entry)
    }
}

// === impl Wish ===

impl Wish {
    pub(super) fn chat(json: &Value, script: &Script) -> Self {
        let messages = json["messages"].as_array().cloned().unwrap_or_default();
        let prompt: i64 = messages.iter().map(|message| tokens_of(&message["content"]) + 4).sum::<i64>() + 3;
        let limit = json["max_completion_tokens"].as_i64().or(json["max_tokens"].as_i64());
        Self::new(json, script, prompt, limit, false)
    }

    fn legacy(json: &Value, script: &Script) -> Self {
        let limit = json["max_tokens"].as_i64().or(Some(16));
        Self::new(json, script, tokens_of(&json["prompt"]), limit, true)
    }

    fn new(json: &Value, script: &Script, prompt: i64, limit: Option<i64>, legacy: bool) -> Self {
        let completion = limit.map_or(script.tokens, |limit| script.tokens.min(limit));
        Self {
            model: json["model"].as_str().unwrap_or_default().to_owned(),
            prompt: script.prompt.unwrap_or(prompt),
            completion,
            limited: completion < script.tokens,
            stream: json["stream"].as_bool().unwrap_or(false),
            include_usage: json["stream_options"]["include_usage"].as_bool().unwrap_or(false),
            legacy,
        }
    }

    pub(super) fn consumed(&self, script: &Script) -> Consumed {
        self.consumed_after(self.completion, script)
    }

    fn consumed_after(&self, completion: i64, script: &Script) -> Consumed {
        Consumed::tokens(&self.model, self.prompt, script.cached.min(self.prompt), completion)
    }

    fn finish_reason(&self) -> &'static str {
        if self.limited { "length" } else { "stop" }
    }
}

/// A quarter of the bytes, upwards: like a real tokenizer on English, and never more tokens than bytes.
pub(super) fn tokens_of(content: &Value) -> i64 {
    let bytes = content.as_str().map_or_else(|| if content.is_null() { 0 } else { content.to_string().len() }, str::len);
    i64::try_from(bytes.div_ceil(4)).unwrap()
}

/// What is said of the usage.
fn usage(consumed: Consumed, report: UsageReport) -> Option<Value> {
    let Consumed { prompt, cached, completion, .. } = consumed;
    let (prompt, completion) = match report {
        UsageReport::Honest => (prompt, completion),
        UsageReport::Missing => return None,
        UsageReport::Negative => (prompt, -completion),
        UsageReport::Absurd => (prompt, 1 << 50),
    };
    Some(json!({
        "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    }))
}

pub(super) fn chat(wish: &Wish, script: &Script) -> Value {
    let text = "word ".repeat(usize::try_from(wish.completion).unwrap());
    let choice = if wish.legacy {
        json!({"index": 0, "text": text, "logprobs": null, "finish_reason": wish.finish_reason()})
    } else {
        json!({"index": 0, "message": {"role": "assistant", "content": text, "refusal": null}, "logprobs": null, "finish_reason": wish.finish_reason()})
    };
    let object = if wish.legacy { "text_completion" } else { "chat.completion" };
    let mut answer =
        json!({"id": "chatcmpl-stand-in", "object": object, "created": 1_700_000_000, "model": wish.model, "choices": [choice], "service_tier": "default"});
    if let Some(usage) = usage(wish.consumed(script), script.usage) {
        answer["usage"] = usage;
    }
    answer
}

/// A JSON answer that is there at once.
pub(super) fn whole(answer: Value, consumed: Consumed, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    whole_with(200, answer, consumed, script, entry)
}

pub(super) fn whole_with(status: u16, answer: Value, consumed: Consumed, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let mut bytes = Bytes::from(answer.to_string());
    if script.gzip {
        bytes = stored_gzip(&bytes).into();
    }
    let mut response = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("x-request-id", "req-stand-in")
        .header("openai-processing-ms", "7");
    response = response.header("set-cookie", "session=provider").header("openai-organization", "org-of-the-operator");
    if script.gzip {
        response = response.header("content-encoding", "gzip");
    }
    if let Some(cost) = &script.cost {
        response = response.header("x-cost", cost);
    }
    entry.update(|row| {
        row.consumed = consumed;
        row.would_report = Some(consumed);
    });
    if script.cut.is_some() {
        let half = bytes.slice(..bytes.len() / 2);
        let (writer, body) = body::channel();
        tokio::spawn(async move {
            if writer.send(Ok(half)).await.is_ok() {
                tokio::time::sleep(FLUSH).await;
                let _ = writer.send(Err(std::io::Error::other("cut, as the script says"))).await;
            }
        });
        return response.header("content-length", bytes.len()).body(body).unwrap();
    }
    entry.sends(&bytes);
    entry.finish();
    response.header("content-length", bytes.len()).body(body::whole(bytes)).unwrap()
}

fn error(status: u16, request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let mut answer = json!({"error": {"message": "the stand-in says no", "type": "scripted", "param": null, "code": "scripted_error"}});
    if script.error_usage {
        let consumed = Wish::chat(request, script).consumed(script);
        answer["usage"] = usage(consumed, UsageReport::Honest).unwrap();
        entry.update(|row| row.consumed = consumed);
    }
    let bytes = Bytes::from(answer.to_string());
    entry.sends(&bytes);
    entry.finish();
    Response::builder().status(status).header("content-type", "application/json").header("retry-after", "3").body(body::whole(bytes)).unwrap()
}

fn embeddings(request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let (answer, consumed) = embedded(request, script);
    whole(answer, consumed, script, entry)
}

pub(super) fn embedded(request: &Value, script: &Script) -> (Value, Consumed) {
    let model = request["model"].as_str().unwrap_or_default();
    let inputs = request["input"].as_array().cloned().unwrap_or_else(|| vec![request["input"].clone()]);
    let prompt = script.prompt.unwrap_or_else(|| inputs.iter().map(tokens_of).sum());
    let data: Vec<Value> = (0..inputs.len()).map(|index| json!({"object": "embedding", "index": index, "embedding": [0.25, -0.5]})).collect();
    let mut answer = json!({"object": "list", "model": model, "data": data});
    if script.usage == UsageReport::Honest {
        answer["usage"] = json!({"prompt_tokens": prompt, "total_tokens": prompt});
    }
    (answer, Consumed::tokens(model, prompt, 0, 0))
}

/// Any other API: one cent, or what the script says, and it says so itself.
fn other(script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let cost = script.cost.as_deref().map_or(CENT, nanos);
    let reported: Value = script.cost.as_deref().map_or(Value::Null, |cost| serde_json::from_str(cost).unwrap());
    whole(json!({"result": "pages read", "cost": reported}), Consumed { cost, ..Consumed::default() }, script, entry)
}

fn stream(wish: &Wish, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    streaming(events(wish, script), wish.consumed(script), script, entry)
}

/// A stream of these events, which consumes so much in all.
pub(super) fn streaming(events: Vec<Event>, consumed: Consumed, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let (writer, body) = body::channel();
    entry.update(|row| row.would_report = Some(consumed));
    tokio::spawn(send(events, script.clone(), entry.clone(), writer));
    let response = Response::builder().header("content-type", "text/event-stream; charset=utf-8").header("x-request-id", "req-stand-in");
    response.body(body).unwrap()
}

/// The events of a stream: role, one event a token, finish, usage where asked, `[DONE]`.
pub(super) fn events(wish: &Wish, script: &Script) -> Vec<Event> {
    let mut events = Vec::new();
    let mut push = |choices: Value, usage: Option<Value>, completion: i64, carries_text: bool| {
        let object = if wish.legacy { "text_completion" } else { "chat.completion.chunk" };
        let mut event =
            json!({"id": "chatcmpl-stand-in", "object": object, "created": 1_700_000_000, "model": wish.model, "service_tier": "default", "choices": choices});
        if wish.include_usage && script.usage != UsageReport::Missing {
            event["usage"] = usage.unwrap_or(Value::Null);
        }
        events.push(Event { name: None, text: event.to_string(), consumed: wish.consumed_after(completion, script), carries_text });
    };
    if !wish.legacy {
        push(json!([{"index": 0, "delta": {"role": "assistant", "content": "", "refusal": null}, "finish_reason": null}]), None, 0, false);
    }
    for token in 1..=wish.completion {
        let choice = if wish.legacy {
            json!([{"index": 0, "text": format!("w{token} "), "logprobs": null, "finish_reason": null}])
        } else {
            json!([{"index": 0, "delta": {"content": format!("w{token} ")}, "finish_reason": null}])
        };
        push(choice, None, token, true);
    }
    let end = if wish.legacy {
        json!([{"index": 0, "text": "", "logprobs": null, "finish_reason": wish.finish_reason()}])
    } else {
        json!([{"index": 0, "delta": {}, "finish_reason": wish.finish_reason()}])
    };
    push(end, None, wish.completion, false);
    if wish.include_usage && script.usage != UsageReport::Missing {
        push(json!([]), usage(wish.consumed(script), script.usage), wish.completion, false);
    }
    events.push(Event { name: None, text: "[DONE]".to_owned(), consumed: wish.consumed(script), carries_text: false });
    events
}

/// Sends the events. What nobody takes any more is not consumed: the model stops when its reader is gone.
pub(super) async fn send(events: Vec<Event>, script: Script, entry: Entry, writer: BodyWriter) {
    let line = if script.crlf { "\r\n" } else { "\n" };
    let (mut waited, mut stalled) = (false, false);
    for (index, event) in events.iter().enumerate() {
        if script.cut == Some(index) {
            // hyper drops what it has not flushed yet: what is in the ledger as sent should be on the wire.
            tokio::time::sleep(FLUSH).await;
            let _ = writer.send(Err(std::io::Error::other("cut, as the script says"))).await;
            return;
        }
        let name = event.name.as_ref().map(|name| format!("event: {name}{line}")).unwrap_or_default();
        let bytes = Bytes::from(format!("{name}data: {}{line}{line}", event.text));
        entry.update(|row| row.consumed = event.consumed);
        entry.sends(&bytes);
        let stalls = script.stall.filter(|_| event.carries_text && !std::mem::replace(&mut stalled, event.carries_text));
        let (front, bytes) = bytes.split_at(stalls.unwrap_or(0).min(bytes.len()));
        if stalls.is_some() {
            if writer.send(Ok(Bytes::copy_from_slice(front))).await.is_err() {
                return;
            }
            entry.gate().await;
        }
        for piece in bytes.chunks(script.split.unwrap_or(bytes.len()).max(1)) {
            if writer.send(Ok(Bytes::copy_from_slice(piece))).await.is_err() {
                return;
            }
        }
        if let Some(delay) = script.delay {
            tokio::time::sleep(delay).await;
        }
        if script.gate_first && event.carries_text && !waited {
            waited = true;
            entry.gate().await;
        }
    }
    entry.finish();
}

/// A gzip file whose one block is stored as it is: correct, and no compressor needed.
fn stored_gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a small answer");
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(&(!length).to_le_bytes());
    file.extend_from_slice(bytes);
    file.extend_from_slice(&crc32fast::hash(bytes).to_le_bytes());
    file.extend_from_slice(&u32::from(length).to_le_bytes());
    file
}
