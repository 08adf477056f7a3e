use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::apis::anthropic::Anthropic;
use crate::apis::{self, Api, RequestView};
use crate::sandbox::{Faults, Simulated};

const MESSAGES: &str = "messages";
const COUNT_TOKENS: &str = "messages/count_tokens";
const MODELS: &str = "models";

/// The simulated answer of the operation at a path.
fn simulate(path: &str, body: &[u8], faults: &Faults, models: &[&str]) -> Simulated {
    let method = if path.starts_with(MODELS) { Method::GET } else { Method::POST };
    let operation = Anthropic.operation(&method, path).unwrap();
    let body = Bytes::copy_from_slice(body);
    let request = RequestView { method: &method, path, query: None, headers: &HeaderMap::new(), body: &body };
    apis::simulate(&Anthropic, operation, &request, faults, &mut models.iter().copied())
}

fn plain(operation: &str, body: &[u8]) -> Simulated {
    simulate(operation, body, &Faults::default(), &["claude-opus-5", "claude-sonnet-5"])
}

fn with(faults: &str, body: &Value) -> Simulated {
    simulate(MESSAGES, body.to_string().as_bytes(), &Faults::parse(faults).unwrap(), &[])
}

fn request(more: Value) -> Value {
    let mut body = json!({"model": "claude-sonnet-5", "max_tokens": 1_000, "messages": [{"role": "user", "content": "Hello!"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// The message, put together as clients do where it is streamed.
fn message(simulated: &Simulated) -> Value {
    assert_eq!(simulated.status, StatusCode::OK, "{:?}", simulated.chunks);
    if simulated.is_stream() { gathered(&events(simulated)) } else { serde_json::from_slice(&simulated.chunks[0]).unwrap() }
}

fn ask(more: Value) -> Value {
    message(&plain(MESSAGES, request(more).to_string().as_bytes()))
}

fn bad(more: Value) -> String {
    let simulated = plain(MESSAGES, request(more).to_string().as_bytes());
    assert_eq!(simulated.status, StatusCode::BAD_REQUEST);
    let body: Value = serde_json::from_slice(&simulated.chunks[0]).unwrap();
    assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!("invalid_request_error")));
    body["error"]["message"].as_str().unwrap().to_owned()
}

/// The events of a stream, each named for its type.
fn events(simulated: &Simulated) -> Vec<Value> {
    let event = |chunk: &bytes::Bytes| {
        let text = std::str::from_utf8(chunk).unwrap();
        let (name, data) = text.strip_prefix("event: ").unwrap().strip_suffix("\n\n").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["type"], name);
        data
    };
    simulated.chunks.iter().map(event).collect()
}

fn gathered(events: &[Value]) -> Value {
    let mut message = Value::Null;
    let mut json = String::new();
    for event in events {
        let index = event["index"].as_u64().map(|index| usize::try_from(index).unwrap());
        match event["type"].as_str().unwrap() {
            "message_start" => {
                assert!(message.is_null());
                message = event["message"].clone();
            }
            "content_block_start" => {
                assert_eq!(index, Some(message["content"].as_array().unwrap().len()));
                message["content"].as_array_mut().unwrap().push(event["content_block"].clone());
                json.clear();
            }
            "content_block_delta" => {
                let block = &mut message["content"][index.unwrap()];
                for (name, value) in event["delta"].as_object().unwrap().iter().filter(|(name, _)| *name != "type") {
                    if name == "partial_json" {
                        json.push_str(value.as_str().unwrap());
                    } else {
                        block[name] = json!(block[name].as_str().unwrap().to_owned() + value.as_str().unwrap());
                    }
                }
            }
            "content_block_stop" if !json.is_empty() => message["content"][index.unwrap()]["input"] = serde_json::from_str(&json).unwrap(),
            "message_delta" => {
                for (name, value) in event["delta"].as_object().unwrap().iter().chain(event.get("usage").and_then(Value::as_object).into_iter().flatten()) {
                    let place = if event["delta"].get(name).is_some() { &mut message } else { &mut message["usage"] };
                    place[name] = value.clone();
                }
            }
            "content_block_stop" | "message_stop" | "ping" => {}
            other => panic!("{other}"),
        }
    }
    message
}

#[test]
fn a_plain_answer_has_every_field() {
    let body = ask(json!({}));
    assert!(body["id"].as_str().unwrap().starts_with("msg_"));
    assert_eq!((&body["type"], &body["role"], &body["model"]), (&json!("message"), &json!("assistant"), &json!("claude-sonnet-5")));
    assert_eq!((&body["stop_reason"], &body["stop_sequence"]), (&json!("end_turn"), &Value::Null));
    let text = body["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("simulated"));
    let usage = &body["usage"];
    assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(2), &json!(text.len().div_ceil(4))));
    assert_eq!((&usage["cache_read_input_tokens"], &usage["cache_creation"]["ephemeral_1h_input_tokens"]), (&json!(0), &json!(0)));
}

#[test]
fn a_stream_comes_in_the_provider_s_order() {
    let seen = events(&plain(MESSAGES, request(json!({"stream": true})).to_string().as_bytes()));
    let kinds: Vec<&str> = seen.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds[..3], ["message_start", "content_block_start", "ping"]);
    assert_eq!(kinds[kinds.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
    assert!(kinds[3..kinds.len() - 3].iter().all(|kind| *kind == "content_block_delta"));
    assert_eq!((&seen[0]["message"]["content"], &seen[0]["message"]["stop_reason"]), (&json!([]), &Value::Null));
    assert_eq!(seen[0]["message"]["usage"]["output_tokens"], 1);
}

#[test]
fn limits_and_stop_sequences_end_the_text() {
    let body = ask(json!({"max_tokens": 3}));
    assert_eq!((&body["stop_reason"], &body["usage"]["output_tokens"]), (&json!("max_tokens"), &json!(3)));
    assert_eq!(body["content"][0]["text"].as_str().unwrap().len(), 12);
    let body = ask(json!({"stop_sequences": ["nowhere", " answer"]}));
    assert_eq!((&body["stop_reason"], &body["stop_sequence"]), (&json!("stop_sequence"), &json!(" answer")));
    assert_eq!(body["content"][0]["text"], "This is a simulated");
    let body = ask(json!({"max_tokens": 0}));
    assert_eq!((&body["content"], &body["stop_reason"]), (&json!([]), &json!("max_tokens")));
}

#[test]
fn thinking_comes_first_and_counts() {
    let body = ask(json!({"max_tokens": 4_000, "thinking": {"type": "enabled", "budget_tokens": 2_000}}));
    assert_eq!((&body["content"][0]["type"], &body["content"][1]["type"]), (&json!("thinking"), &json!("text")));
    assert!(!body["content"][0]["signature"].as_str().unwrap().is_empty() && !body["content"][0]["thinking"].as_str().unwrap().is_empty());
    let thought = body["usage"]["output_tokens_details"]["thinking_tokens"].as_u64().unwrap();
    assert_eq!(body["usage"]["output_tokens"].as_u64().unwrap(), thought + body["content"][1]["text"].as_str().unwrap().len().div_ceil(4) as u64);
    assert_eq!(ask(json!({"thinking": {"type": "adaptive", "display": "omitted"}}))["content"][0]["thinking"], "");
    assert_eq!(ask(json!({"thinking": {"type": "disabled"}}))["content"][0]["type"], "text");
    assert!(bad(json!({"thinking": {"type": "enabled", "budget_tokens": 1_000}, "max_tokens": 4_000})).contains("budget_tokens"));
    assert!(bad(json!({"thinking": {"type": "enabled", "budget_tokens": 2_000}})).contains("must be greater"));
}

fn weather() -> Value {
    json!({"name": "get_weather", "input_schema": {"type": "object", "properties": {
        "city": {"type": "string", "minLength": 3}, "days": {"type": "integer", "minimum": 1, "maximum": 7}}, "required": ["city", "days"]}})
}

#[test]
fn a_tool_is_called_with_input_that_fits() {
    let schema = weather()["input_schema"].clone();
    for choice in [Value::Null, json!({"type": "auto"}), json!({"type": "any"}), json!({"type": "tool", "name": "get_weather"})] {
        for stream in [false, true] {
            let body = ask(json!({"tools": [weather()], "tool_choice": choice, "stream": stream}));
            assert_eq!(body["stop_reason"], "tool_use");
            let block = &body["content"][0];
            assert_eq!((&block["type"], &block["name"]), (&json!("tool_use"), &json!("get_weather")));
            assert!(block["id"].as_str().unwrap().starts_with("toolu_") && jsonschema::is_valid(&schema, &block["input"]), "{block}");
        }
    }
    assert_eq!(ask(json!({"tools": [weather()], "tool_choice": {"type": "none"}}))["content"][0]["type"], "text");
    // The first input_json_delta is empty.
    let seen = events(&plain(MESSAGES, request(json!({"tools": [weather()], "stream": true})).to_string().as_bytes()));
    assert_eq!(seen.iter().find(|event| event["type"] == "content_block_delta").unwrap()["delta"], json!({"type": "input_json_delta", "partial_json": ""}));
    // After a tool's result there is text, or agents would never end.
    let result = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "get_weather", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "sunny"}]}]);
    assert_eq!(ask(json!({"tools": [weather()], "messages": result}))["content"][0]["type"], "text");
    let cut = ask(json!({"tools": [weather()], "max_tokens": 2}));
    assert_eq!((&cut["content"], &cut["stop_reason"], &cut["usage"]["output_tokens"]), (&json!([]), &json!("max_tokens"), &json!(2)));
    assert_eq!(ask(json!({"tools": [{"type": "bash_20250124", "name": "bash"}]}))["content"][0]["input"], json!({"command": "true"}));
    assert_eq!(ask(json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}))["content"][0]["type"], "text");
    assert!(bad(json!({"tools": [weather()], "tool_choice": {"type": "tool", "name": "other"}})).contains("not found"));
    assert!(bad(json!({"tools": [weather()], "tool_choice": {"type": "any"}, "thinking": {"type": "adaptive"}})).contains("Thinking"));
}

#[test]
fn structured_output_fits_its_schema() {
    let schema = json!({"type": "object", "additionalProperties": false, "properties": {"sky": {"enum": ["clear", "grey"]}}, "required": ["sky"]});
    let format = json!({"type": "json_schema", "schema": schema});
    for more in [json!({"output_config": {"format": format}}), json!({"output_format": format}), json!({"output_format": format, "stream": true})] {
        let body = ask(more);
        let made: Value = serde_json::from_str(body["content"][0]["text"].as_str().unwrap()).unwrap();
        assert!(jsonschema::is_valid(&schema, &made), "{made}");
    }
    assert!(
        bad(json!({"output_config": {"format": {"type": "json_schema", "schema": {"type": "integer", "minimum": 2, "maximum": 1}}}}))
            .contains("invalid schema")
    );
}

#[test]
fn what_is_wrong_is_told_in_the_provider_s_words() {
    for (more, said) in [
        (json!({"max_tokens": null}), "max_tokens: Field required"),
        (json!({"model": null}), "model: Field required"),
        (json!({"messages": null}), "messages: Field required"),
        (json!({"messages": []}), "at least one message"),
        (json!({"messages": [{"role": "robot", "content": "x"}]}), "'robot'"),
        (json!({"messages": [{"role": "user"}]}), "messages.0.content: Field required"),
        (json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}), "messages.0.content.0.text.text: Field required"),
        (json!({"system": 7}), "system"),
        (json!({"temperature": 1.5}), "temperature"),
        (json!({"tools": [{"name": "x"}]}), "tools.0.custom.input_schema: Field required"),
    ] {
        let message = bad(more);
        assert!(message.contains(said), "{message}");
    }
    for body in [&b""[..], b"{", b"\xff", b"null"] {
        assert_eq!(plain(MESSAGES, body).status, StatusCode::BAD_REQUEST);
        assert_eq!(plain(COUNT_TOKENS, body).status, StatusCode::BAD_REQUEST);
    }
}

#[test]
fn tokens_are_counted_as_they_are_billed() {
    for more in [json!({}), json!({"system": "be brief", "tools": [weather()]}), json!({"thinking": {"type": "adaptive"}})] {
        let counted: Value = serde_json::from_slice(&plain(COUNT_TOKENS, request(more.clone()).to_string().as_bytes()).chunks[0]).unwrap();
        assert_eq!(counted["input_tokens"], ask(more)["usage"]["input_tokens"]);
    }
    let picture =
        json!([{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A".repeat(100_000)}}]}]);
    assert_eq!(ask(json!({"messages": picture}))["usage"]["input_tokens"], 1_600);
}

#[test]
fn models_are_listed_and_found() {
    let list: Value = serde_json::from_slice(&plain(MODELS, b"").chunks[0]).unwrap();
    assert_eq!((&list["first_id"], &list["last_id"], &list["has_more"]), (&json!("claude-opus-5"), &json!("claude-sonnet-5"), &json!(false)));
    assert!(list["data"][0]["created_at"].as_str().unwrap().ends_with('Z'));
    let one = |id: &str| simulate(&format!("models/{id}"), b"", &Faults::default(), &["claude-opus-5"]);
    assert_eq!(serde_json::from_slice::<Value>(&one("claude-opus-5").chunks[0]).unwrap(), list["data"][0]);
    assert_eq!(one("other").status, StatusCode::NOT_FOUND);
}

#[test]
fn faults_are_those_of_the_provider() {
    for (status, kind) in
        [(401, "authentication_error"), (429, "rate_limit_error"), (500, "api_error"), (529, "overloaded_error"), (418, "invalid_request_error")]
    {
        let simulated = with(&format!("status={status}"), &request(json!({"stream": true})));
        let body: Value = serde_json::from_slice(&simulated.chunks[0]).unwrap();
        assert_eq!((simulated.status.as_u16(), &body["type"], &body["error"]["type"]), (status, &json!("error"), &json!(kind)));
    }
    let stream = request(json!({"stream": true}));
    let cut = with("cut=3", &stream);
    assert!(cut.cut && cut.chunks == plain(MESSAGES, stream.to_string().as_bytes()).chunks[..3]);
    assert_eq!(message(&with("tokens=500", &stream))["usage"]["output_tokens"], 500);
    assert_eq!(message(&with("tokens=500", &request(json!({"thinking": {"type": "adaptive"}}))))["usage"]["output_tokens"], 500);
    assert!(message(&with("no-usage", &request(json!({})))).get("usage").is_none());
    assert!(events(&with("no-usage", &stream)).iter().all(|event| event.get("usage").is_none() && event["message"].get("usage").is_none()));
    assert!(with("tokens=1000000", &request(json!({"stream": true, "max_tokens": 2_000_000}))).chunks.iter().map(bytes::Bytes::len).sum::<usize>() < 8 << 20);
}

fn requests() -> impl Strategy<Value = Value> {
    let optional = |name: &'static str, value: Value| prop_oneof![2 => Just(None), 1 => Just(Some((name.to_owned(), value)))];
    let format = json!({"format": {"type": "json_schema", "schema": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}}});
    (
        "\\PC{0,40}",
        0..90_u64,
        optional("tools", json!([weather()])),
        optional("output_config", format),
        optional("thinking", json!({"type": "adaptive"})),
        optional("stop_sequences", json!(["e"])),
    )
        .prop_map(|(text, limit, tools, format, thinking, stops)| {
            let mut body = request(json!({"messages": [{"role": "user", "content": text}], "max_tokens": limit}));
            body.as_object_mut().unwrap().extend([tools, format, thinking, stops].into_iter().flatten());
            body
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Streamed or not: the same message, to the last member; and never more than the limit.
    #[test]
    fn a_stream_says_and_counts_what_the_whole_answer_does(body in requests()) {
        let whole = message(&plain(MESSAGES, body.to_string().as_bytes()));
        let mut streamed = body.clone();
        streamed["stream"] = json!(true);
        prop_assert_eq!(&message(&plain(MESSAGES, streamed.to_string().as_bytes())), &whole);
        prop_assert!(whole["usage"]["output_tokens"].as_u64() <= body["max_tokens"].as_u64());
    }

    #[test]
    fn no_body_breaks_it(name in "messages|model|max_tokens|stop_sequences|stream|tools|tool_choice|output_config|output_format|thinking|system",
                         value in prop_oneof![Just(json!(null)), Just(json!(-1)), Just(json!(1e300)), Just(json!(u64::MAX)), Just(json!([])), Just(json!([[]])), Just(json!([{}])),
                                               Just(json!({})), Just(json!("")), Just(json!({"type": "json_schema", "schema": true})), Just(json!([{"type": "text", "text": 7}]))]) {
        let mut body = request(json!({}));
        body[name] = value;
        let _ = plain(MESSAGES, body.to_string().as_bytes());
        let _ = plain(COUNT_TOKENS, body.to_string().as_bytes());
    }
}
