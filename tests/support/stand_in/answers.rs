//! The answers of the stand-in, in the shapes of OpenAI's API; and how answers of any API are sent.

use std::time::Duration;

use bytes::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::body::{self, BodyWriter, ChannelBody};
use super::compatible::Manners;
use super::gemini;
use super::media;
use super::responses;
use super::script::{Script, UsageReport};
use super::vocabulary::Vocabulary;
use super::{Consumed, Entry, anthropic, cohere, counting, edenai, mistral};
use crate::support::money::{CENT, nanos};

/// Time enough for hyper to write out what it was given, before a connection is broken off.
const FLUSH: Duration = Duration::from_millis(30);

/// The most that a model says where the request sets no limit.
const MOST_OUTPUT: i64 = 16_384;

/// What the request asks for.
pub(super) struct Wish {
    model: String,
    prompt: i64,
    /// Of each choice.
    completion: i64,
    choices: i64,
    /// Tokens of a predicted output that were rejected, over all choices.
    rejected: i64,
    tier: String,
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
    let mut json: Value = serde_json::from_slice(request).unwrap_or(Value::Null);
    // Azure's form: the deployment in the path wins.
    let deployment = path.split_once("/deployments/").and_then(|(_, rest)| rest.split('/').next());
    if let Some(deployment) = deployment {
        json["model"] = json!(deployment);
    }
    if let Some(status) = script.count_status.filter(|_| counting::is_call(path)).or(script.status) {
        return error(status, &json, script, entry);
    }
    let (mut target, mut speaks_gemini) = (String::new(), false);
    entry.update(|row| (target, speaks_gemini) = (row.target.clone(), row.headers.contains_key("x-goog-api-key")));
    if path.contains("/images/") || path.contains("/audio/") {
        media::answer(path, request, script, entry)
    } else if let Some(manners) = Manners::of(path).filter(|_| !path.contains("/responses")) {
        manners.answer(&json, script, entry)
    } else if path.starts_with("/mistral/") {
        mistral::answer(path, &json, script, entry)
    } else if path.starts_with("/v2/") || path.starts_with("/cohere/") {
        cohere::answer(path, &json, script, entry)
    } else if speaks_gemini && path.ends_with("/models") {
        whole(gemini::models(), Consumed::default(), script, entry)
    } else if speaks_gemini {
        gemini::answer(&target, &json, script, entry)
    } else if path.starts_with("/v3/") {
        edenai::answer(path, &json, script, entry)
    } else if path.contains("/messages") {
        anthropic::answer(path, &json, script, entry)
    } else if path.contains("/responses") {
        responses::answer(path, &json, script, entry)
    } else if path.ends_with("/moderations") {
        whole(json!({"id": "modr-1", "model": "omni-moderation-latest", "results": [{"flagged": false}]}), Consumed::default(), script, entry)
    } else if path.ends_with("/chat/completions") {
        let wish = Wish::chat(&json, script);
        if wish.stream { stream(&wish, deployment.is_some(), script, entry) } else { whole(chat(&wish, script), wish.consumed(script), script, entry) }
    } else if path.ends_with("/completions") {
        let wish = Wish::legacy(&json, script);
        if wish.stream { stream(&wish, false, script, entry) } else { whole(chat(&wish, script), wish.consumed(script), script, entry) }
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
        let read = |value: &Value| if script.greedy { bytes_of(value) } else { tokens_of(value) };
        let mut prompt: i64 = messages.iter().map(|message| read(&message["content"]) + 4).sum::<i64>() + 3;
        if script.greedy {
            prompt += ["tools", "functions", "response_format", "tool_choice"].iter().map(|member| bytes_of(&json[*member])).sum::<i64>();
            prompt += messages.iter().map(|message| bytes_of(&message["tool_calls"]) + bytes_of(&message["name"])).sum::<i64>();
        }
        if let Some(vocabulary) = Vocabulary::of(&json["model"], script.greedy) {
            prompt = vocabulary.chat(json);
        }
        let limit = json["max_completion_tokens"].as_i64().or(json["max_tokens"].as_i64());
        Self::new(json, script, prompt, limit, false)
    }

    pub(super) fn legacy(json: &Value, script: &Script) -> Self {
        let limit = json["max_tokens"].as_i64().or(Some(16));
        let prompts = json["prompt"].as_array().map_or(1, Vec::len);
        let prompt = match Vocabulary::of(&json["model"], script.greedy) {
            Some(vocabulary) => vocabulary.texts(&json["prompt"]),
            None if script.greedy => most_of(&json["prompt"]),
            None => tokens_of(&json["prompt"]),
        };
        let mut wish = Self::new(json, script, prompt, limit, true);
        // A list of numbers is one prompt; of anything else, as many as it has.
        if !json["prompt"][0].is_number() {
            wish.choices *= i64::try_from(prompts).unwrap();
        }
        wish
    }

    fn new(json: &Value, script: &Script, prompt: i64, limit: Option<i64>, legacy: bool) -> Self {
        // A model ends by itself where nobody limits it.
        let completion = script.tokens.min(limit.unwrap_or(MOST_OUTPUT));
        let choices = json["n"].as_i64().unwrap_or(1).max(json["best_of"].as_i64().unwrap_or(1));
        let asked_tier = json["service_tier"].as_str().filter(|tier| *tier != "auto").unwrap_or("default");
        Self {
            model: json["model"].as_str().unwrap_or_default().to_owned(),
            prompt: script.prompt.unwrap_or(prompt),
            completion,
            choices,
            rejected: if script.greedy { bytes_of(&json["prediction"]["content"]) * choices } else { 0 },
            tier: script.tier.clone().unwrap_or_else(|| asked_tier.to_owned()),
            limited: completion < script.tokens,
            stream: json["stream"].as_bool().unwrap_or(false),
            include_usage: json["stream_options"]["include_usage"].as_bool().unwrap_or(false),
            legacy,
        }
    }

    pub(super) fn consumed(&self, script: &Script) -> Consumed {
        self.consumed_after(self.completion * self.choices + self.rejected, script)
    }

    /// `completion` tokens of all choices together.
    fn consumed_after(&self, completion: i64, script: &Script) -> Consumed {
        Consumed::at_tier(&self.model, &self.tier, self.prompt, script.cached.min(self.prompt), completion)
    }

    fn finish_reason(&self) -> &'static str {
        if self.limited { "length" } else { "stop" }
    }
}

/// Every byte a token: what no tokenizer exceeds.
pub(super) fn bytes_of(content: &Value) -> i64 {
    match content {
        Value::Null => 0,
        Value::String(text) => i64::try_from(text.len()).unwrap(),
        other => i64::try_from(other.to_string().len()).unwrap(),
    }
}

/// Likewise of what is completed or embedded: texts, or tokens by their numbers.
fn most_of(input: &Value) -> i64 {
    match input {
        Value::Number(_) => 1,
        Value::Array(inputs) => inputs.iter().map(most_of).sum(),
        other => bytes_of(other),
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
        UsageReport::Honest | UsageReport::Twice | UsageReport::Comment => (prompt, completion),
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
    let choice = |index: i64| {
        if wish.legacy {
            json!({"index": index, "text": text, "logprobs": null, "finish_reason": wish.finish_reason()})
        } else {
            json!({"index": index, "message": {"role": "assistant", "content": text, "refusal": null}, "logprobs": null, "finish_reason": wish.finish_reason()})
        }
    };
    let choices: Vec<Value> = (0..wish.choices).map(choice).collect();
    let object = if wish.legacy { "text_completion" } else { "chat.completion" };
    let mut answer =
        json!({"id": "chatcmpl-stand-in", "object": object, "created": 1_700_000_000, "model": wish.model, "choices": choices, "service_tier": wish.tier});
    if script.usage == UsageReport::Comment {
        answer["comment"] = json!({"usage": usage(wish.consumed(script), script.usage)});
    } else if let Some(usage) = usage(wish.consumed(script), script.usage) {
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

pub(super) fn error(status: u16, request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
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
    let prompt = script.prompt.unwrap_or_else(|| match Vocabulary::of(&request["model"], script.greedy) {
        Some(vocabulary) => vocabulary.texts(&request["input"]),
        None => inputs.iter().map(if script.greedy { most_of } else { tokens_of }).sum(),
    });
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

/// `filtered`: the stream begins with what a filter says of the prompt, as Azure's do.
fn stream(wish: &Wish, filtered: bool, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let mut events = events(wish, script);
    if filtered {
        let first = json!({"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]});
        events.insert(0, Event { name: None, text: first.to_string(), consumed: wish.consumed_after(0, script), carries_text: false });
    }
    streaming(events, wish.consumed(script), script, entry)
}

/// A stream of these events, which consumes so much in all.
pub(super) fn streaming(events: Vec<Event>, consumed: Consumed, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let (writer, body) = body::channel();
    entry.update(|row| row.would_report = Some(consumed));
    tokio::spawn(send(events, script.clone(), entry.clone(), writer));
    let response = Response::builder().header("content-type", "text/event-stream; charset=utf-8").header("x-request-id", "req-stand-in");
    response.body(body).unwrap()
}

/// The events of a stream: role, one event a token of each choice, finish, usage where asked, `[DONE]`.
pub(super) fn events(wish: &Wish, script: &Script) -> Vec<Event> {
    let mut events = Vec::new();
    let object = if wish.legacy { "text_completion" } else { "chat.completion.chunk" };
    let reports = wish.include_usage && !matches!(script.usage, UsageReport::Missing | UsageReport::Comment);
    let mut push = |choices: Value, usage: Option<Value>, completion: i64, carries_text: bool| {
        let mut event =
            json!({"id": "chatcmpl-stand-in", "object": object, "created": 1_700_000_000, "model": wish.model, "service_tier": wish.tier, "choices": choices});
        if reports {
            event["usage"] = usage.unwrap_or(Value::Null);
        }
        events.push(Event { name: None, text: event.to_string(), consumed: wish.consumed_after(completion, script), carries_text });
    };
    let (choices, total) = (wish.choices, wish.completion * wish.choices);
    if !wish.legacy {
        for index in 0..choices {
            push(json!([{"index": index, "delta": {"role": "assistant", "content": "", "refusal": null}, "finish_reason": null}]), None, 0, false);
        }
    }
    for token in 1..=total {
        let (index, text) = ((token - 1) % choices, format!("w{token} "));
        let choice = if wish.legacy {
            json!([{"index": index, "text": text, "logprobs": null, "finish_reason": null}])
        } else {
            json!([{"index": index, "delta": {"content": text}, "finish_reason": null}])
        };
        push(choice, None, token, true);
    }
    for index in 0..choices {
        let end = if wish.legacy {
            json!([{"index": index, "text": "", "logprobs": null, "finish_reason": wish.finish_reason()}])
        } else {
            json!([{"index": index, "delta": {}, "finish_reason": wish.finish_reason()}])
        };
        push(end, None, total, false);
    }
    let billed = total + wish.rejected;
    if reports {
        if script.usage == UsageReport::Twice {
            push(json!([]), usage(wish.consumed_after(total / 2, script), script.usage), billed, false);
        }
        push(json!([]), usage(wish.consumed(script), script.usage), billed, false);
    } else if script.usage == UsageReport::Comment {
        // A line break inside of an event's text: the rest of it is a line of its own, and a comment.
        let said = usage(wish.consumed(script), script.usage).unwrap();
        let text = format!("{}\n: {}", events.pop().unwrap().text, json!({"choices": [], "usage": said}));
        events.push(Event { name: None, text, consumed: wish.consumed(script), carries_text: false });
    }
    events.push(Event { name: None, text: "[DONE]".to_owned(), consumed: wish.consumed(script), carries_text: false });
    events
}

/// Sends the events. What nobody takes any more is not consumed: the model stops when its reader is gone.
pub(super) async fn send(events: Vec<Event>, script: Script, entry: Entry, writer: BodyWriter) {
    send_framed(events, script, entry, writer, framed).await;
}

/// An event as it goes over the wire.
fn framed(event: &Event, _place: (usize, usize), line: &str) -> Bytes {
    let name = event.name.as_ref().map(|name| format!("event: {name}{line}")).unwrap_or_default();
    // A text that begins with a colon is a comment.
    let data = if event.text.starts_with(':') { "" } else { "data: " };
    Bytes::from(format!("{name}{data}{}{line}{line}", event.text))
}

/// Likewise, each written by `frame`, which is told its place among all of them.
pub(super) async fn send_framed(events: Vec<Event>, script: Script, entry: Entry, writer: BodyWriter, frame: fn(&Event, (usize, usize), &str) -> Bytes) {
    let line = if script.crlf { "\r\n" } else { "\n" };
    let (mut waited, mut stalled) = (false, false);
    for (index, event) in events.iter().enumerate() {
        if script.cut == Some(index) {
            return cut_off(&writer).await;
        }
        let bytes = frame(event, (index, events.len()), line);
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
    if script.cut == Some(events.len()) {
        return cut_off(&writer).await;
    }
    entry.finish();
}

/// The connection breaks off.
pub(super) async fn cut_off(writer: &BodyWriter) {
    // hyper drops what it has not flushed yet: what is in the ledger as sent should be on the wire.
    tokio::time::sleep(FLUSH).await;
    let _ = writer.send(Err(std::io::Error::other("cut, as the script says"))).await;
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
