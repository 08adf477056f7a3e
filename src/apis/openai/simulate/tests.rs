//! What holds for all operations; and what the tests of each ask with.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::apis::openai::OpenAi;
use crate::apis::{self, Api, RequestView};
use crate::sandbox::{Faults, Simulated};

pub(super) const CHAT: &str = "chat/completions";
pub(super) const COMPLETIONS: &str = "completions";
pub(super) const EMBEDDINGS: &str = "embeddings";
const MODELS: &str = "models";

/// The simulated answer of the operation at a path.
fn simulate(path: &str, body: &[u8], faults: &Faults, models: &[&str]) -> Simulated {
    let method = if path.starts_with(MODELS) { Method::GET } else { Method::POST };
    let operation = OpenAi.operation(&method, path).unwrap();
    let body = Bytes::copy_from_slice(body);
    let request = RequestView { method: &method, path, query: None, headers: &HeaderMap::new(), body: &body };
    apis::simulate(&OpenAi, operation, &request, faults, &mut models.iter().copied())
}

/// A good answer, read back: `body`, or the `events` of a stream.
pub(super) struct Answer {
    pub(super) body: Value,
    pub(super) events: Vec<Value>,
}

impl Answer {
    /// The text of a choice, of chat or of a completion.
    pub(super) fn text(&self, index: usize) -> String {
        if self.events.is_empty() {
            let choice = &self.body["choices"][index];
            return choice["message"]["content"].as_str().or(choice["text"].as_str()).unwrap_or_default().to_owned();
        }
        self.choices(index).map(|choice| choice["delta"]["content"].as_str().or(choice["text"].as_str()).unwrap_or_default()).collect()
    }

    pub(super) fn finish(&self, index: usize) -> String {
        if self.events.is_empty() {
            return self.body["choices"][index]["finish_reason"].as_str().unwrap().to_owned();
        }
        self.choices(index).find_map(|choice| choice["finish_reason"].as_str()).unwrap().to_owned()
    }

    /// The tool call of a choice, put together as clients do.
    pub(super) fn call(&self, index: usize) -> Value {
        if self.events.is_empty() {
            return self.body["choices"][index]["message"]["tool_calls"][0].clone();
        }
        let mut deltas = self.choices(index).filter_map(|choice| choice["delta"]["tool_calls"].get(0));
        let mut call = deltas.next().unwrap().clone();
        assert_eq!(call["function"]["arguments"], "");
        assert_eq!(call["index"], 0);
        let arguments: String = deltas.map(|delta| delta["function"]["arguments"].as_str().unwrap()).collect();
        call["function"]["arguments"] = json!(arguments);
        call.as_object_mut().unwrap().remove("index");
        call
    }

    pub(super) fn usage(&self) -> Value {
        self.events.last().unwrap_or(&self.body)["usage"].clone()
    }

    fn choices(&self, index: usize) -> impl Iterator<Item = &Value> {
        self.events.iter().filter_map(|event| event["choices"].get(0)).filter(move |choice| choice["index"] == index)
    }
}

fn plain(operation: &str, body: &[u8]) -> Simulated {
    simulate(operation, body, &Faults::default(), &["gpt-4o", "o4"])
}

/// Asks, and expects a good answer.
pub(super) fn ask(operation: &str, body: &Value) -> Answer {
    read(&plain(operation, body.to_string().as_bytes()))
}

/// Asks for faults that leave the answer good.
pub(super) fn ask_with(operation: &str, body: &Value, faults: &str) -> Answer {
    read(&simulate(operation, body.to_string().as_bytes(), &Faults::parse(faults).unwrap(), &[]))
}

/// Asks, and expects the provider's 400: the object under `error`.
pub(super) fn bad(operation: &str, body: &Value) -> Value {
    let simulated = plain(operation, body.to_string().as_bytes());
    assert_eq!(simulated.status, StatusCode::BAD_REQUEST, "{body}");
    let mut body: Value = serde_json::from_slice(&simulated.chunks[0]).unwrap();
    assert_eq!(body["error"].as_object().unwrap().keys().collect::<Vec<_>>(), ["code", "message", "param", "type"]);
    assert!(body["error"]["message"].as_str().unwrap().len() < 600);
    body["error"].take()
}

fn read(simulated: &Simulated) -> Answer {
    assert_eq!(simulated.status, StatusCode::OK, "{:?}", simulated.chunks);
    if !simulated.is_stream() {
        assert_eq!(simulated.chunks.len(), 1);
        return Answer { body: serde_json::from_slice(&simulated.chunks[0]).unwrap(), events: Vec::new() };
    }
    let (done, events) = simulated.chunks.split_last().unwrap();
    assert_eq!(&done[..], b"data: [DONE]\n\n");
    let event = |chunk: &bytes::Bytes| {
        let text = std::str::from_utf8(chunk).unwrap();
        let data = text.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
        assert!(!data.contains('\n'));
        serde_json::from_str(data).unwrap()
    };
    Answer { body: Value::Null, events: events.iter().map(event).collect() }
}

#[test]
fn models_are_listed_and_found() {
    let list = read(&plain(MODELS, b"")).body;
    assert_eq!(list["object"], "list");
    let ids: Vec<_> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["gpt-4o", "o4"]);
    assert!(list["data"][0]["created"].is_u64() && list["data"][0]["owned_by"].is_string() && list["data"][0]["object"] == "model");
    let one = simulate("models/o4", b"", &Faults::default(), &["gpt-4o", "o4"]);
    assert_eq!(read(&one).body, list["data"][1]);
    let none = simulate("models/o5", b"", &Faults::default(), &["gpt-4o"]);
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}

#[test]
fn what_is_not_json_is_refused() {
    for body in [&b""[..], b"{", b"\xef\xbb\xbf{}", b"{} {}", b"\xff", b"null", b"{\"model\":NaN}"] {
        for operation in [CHAT, COMPLETIONS, EMBEDDINGS] {
            assert_eq!(plain(operation, body).status, StatusCode::BAD_REQUEST, "{body:?}");
        }
    }
    let deep = "[".repeat(100_000);
    assert_eq!(plain(CHAT, deep.as_bytes()).status, StatusCode::BAD_REQUEST);
}

fn chat(stream: bool) -> Vec<u8> {
    json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream}).to_string().into_bytes()
}

#[test]
fn a_status_takes_the_place_of_any_answer() {
    for status in 400..=599 {
        let faults = Faults { status: Some(status), ..Faults::default() };
        for body in [&chat(true)[..], b"not json"] {
            let simulated = simulate(CHAT, body, &faults, &[]);
            assert_eq!(simulated.status.as_u16(), status);
            assert!(!simulated.is_stream() && !simulated.cut);
            let error: Value = serde_json::from_slice(&simulated.chunks[0]).unwrap();
            assert!(error["error"]["message"].is_string() && error["error"]["type"].is_string());
        }
    }
    let limited = simulate(MODELS, b"", &Faults::parse("status=429").unwrap(), &[]);
    let error: Value = serde_json::from_slice(&limited.chunks[0]).unwrap();
    assert_eq!(error["error"]["code"], "rate_limit_exceeded");
}

#[test]
fn a_cut_keeps_the_first_events() {
    let whole = plain(CHAT, &chat(true));
    for events in [0, 1, 3] {
        let cut = simulate(CHAT, &chat(true), &Faults { cut: Some(events), ..Faults::default() }, &[]);
        assert!(cut.cut);
        assert_eq!(cut.chunks, whole.chunks[..events as usize]);
    }
    let whole = plain(CHAT, &chat(false));
    let cut = simulate(CHAT, &chat(false), &Faults { cut: Some(3), ..Faults::default() }, &[]);
    assert!(cut.cut && !cut.chunks[0].is_empty() && cut.chunks[0].len() < whole.chunks[0].len());
}

#[test]
fn latency_is_handed_on() {
    let slow = simulate(MODELS, b"", &Faults::parse("latency=2s,status=500").unwrap(), &[]);
    assert_eq!((slow.latency, slow.status), (Duration::from_secs(2), StatusCode::INTERNAL_SERVER_ERROR));
}

#[test]
fn the_largest_answers_stay_bounded() {
    let body = |more: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": true});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for more in [json!({}), json!({"n": 128})] {
        let simulated = simulate(CHAT, body(more).to_string().as_bytes(), &Faults::parse("tokens=1000000").unwrap(), &[]);
        let bytes: usize = simulated.chunks.iter().map(bytes::Bytes::len).sum();
        assert!(bytes < 8 << 20, "{bytes}");
    }
}

/// Requests of every shape that simulated chat tells apart.
fn requests() -> impl Strategy<Value = serde_json::Map<String, Value>> {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a", "b"]});
    let tool = json!([{"type": "function", "function": {"name": "look", "parameters": schema}}]);
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    let optional = |name: &'static str, value: Value| prop_oneof![2 => Just(None), 1 => Just(Some((name.to_owned(), value)))];
    (
        "\\PC{0,40}",
        1..4_u8,
        proptest::option::of(1..60_u64),
        optional("tools", tool),
        optional("response_format", format),
        optional("stop", json!("e")),
        optional("seed", json!(7)),
    )
        .prop_map(|(text, n, limit, tools, format, stop, seed)| {
            let body = json!({"model": "m", "messages": [{"role": "user", "content": text}], "n": n, "max_tokens": limit});
            let mut body = body.as_object().unwrap().clone();
            body.extend([tools, format, stop, seed].into_iter().flatten());
            body
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Streamed or not, with or without the fields that say nothing about the answer: the same text, usage, id and time.
    #[test]
    fn a_stream_says_and_counts_what_the_whole_answer_does(request in requests()) {
        let whole = ask(CHAT, &Value::Object(request.clone()));
        let mut streamed = request.clone();
        for (name, value) in [("stream", json!(true)), ("stream_options", json!({"include_usage": true})), ("user", json!("me")), ("metadata", json!({"k": "v"}))] {
            streamed.insert(name.to_owned(), value);
        }
        let streamed = ask(CHAT, &Value::Object(streamed));
        prop_assert_eq!(&whole.body["usage"], &streamed.usage());
        prop_assert!(streamed.events.iter().all(|event| event["id"] == whole.body["id"] && event["created"] == whole.body["created"]));
        for index in 0..whole.body["choices"].as_array().unwrap().len() {
            prop_assert_eq!(whole.finish(index), streamed.finish(index));
            prop_assert_eq!(whole.text(index), streamed.text(index));
            if request.contains_key("tools") {
                prop_assert_eq!(whole.call(index), streamed.call(index));
            }
        }
        if let Some(limit) = request["max_tokens"].as_u64() {
            prop_assert!(whole.usage()["completion_tokens"].as_u64().unwrap() <= limit * request["n"].as_u64().unwrap());
        }
    }

    /// The bytes of an answer follow from what is asked, not from how the JSON is written.
    #[test]
    fn the_same_request_gets_the_same_bytes(request in requests()) {
        let sorted: BTreeMap<_, _> = request.iter().collect();
        let members: Vec<String> = sorted.iter().rev().map(|(name, value)| format!("  \"{name}\" :\t{value}")).collect();
        let turned = format!("{{{}}}\n", members.join(","));
        let (one, other) = (plain(CHAT, Value::Object(request.clone()).to_string().as_bytes()), plain(CHAT, turned.as_bytes()));
        prop_assert_eq!(&one, &other);
        let mut changed = request;
        changed.insert("temperature".to_owned(), json!(0.5));
        prop_assert_ne!(one, plain(CHAT, Value::Object(changed).to_string().as_bytes()));
    }

    #[test]
    fn no_body_breaks_it(body in "[{}\\[\\]\",:a-z0-9 ]{0,80}", operation in prop_oneof![Just(CHAT), Just(COMPLETIONS), Just(EMBEDDINGS)]) {
        let _ = plain(operation, body.as_bytes());
    }

    /// Fields of the right names with values of any kind.
    #[test]
    fn no_value_breaks_it(name in "messages|model|n|max_tokens|stop|stream|tools|tool_choice|response_format|functions|prompt|input|dimensions",
                          value in prop_oneof![Just(json!(null)), Just(json!(-1)), Just(json!(1e300)), Just(json!(u64::MAX)), Just(json!([])), Just(json!([[]])), Just(json!([{}])),
                                               Just(json!({})), Just(json!("")), Just(json!({"type": "json_schema", "json_schema": {"name": "a", "schema": true}}))]) {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "prompt": "hi", "input": "hi"});
        body[name] = value;
        for operation in [CHAT, COMPLETIONS, EMBEDDINGS] {
            let _ = plain(operation, body.to_string().as_bytes());
        }
    }
}
