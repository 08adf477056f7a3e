use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::apis::openai::OpenAi;
use crate::apis::{self, Api, RequestView};
use crate::sandbox::{Faults, Simulated};

/// The simulated answer of the operation at a path.
fn simulate(method: &Method, path: &str, body: &[u8], faults: &Faults) -> Simulated {
    let operation = OpenAi.operation(method, path).ok().unwrap();
    let body = Bytes::copy_from_slice(body);
    let request = RequestView { method, path, query: None, headers: &HeaderMap::new(), body: &body };
    apis::simulate(&OpenAi, operation, &request, faults, &mut std::iter::empty())
}

fn plain(body: &Value) -> Simulated {
    simulate(&Method::POST, "responses", body.to_string().as_bytes(), &Faults::default())
}

fn with(faults: &str, body: &Value) -> Simulated {
    simulate(&Method::POST, "responses", body.to_string().as_bytes(), &Faults::parse(faults).unwrap())
}

fn request(more: Value) -> Value {
    let mut body = json!({"model": "gpt-5.4", "input": "Hello!"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn json_of(simulated: &Simulated) -> Value {
    serde_json::from_slice(&simulated.chunks.concat()).unwrap()
}

/// The events of a stream, each named for its type and numbered.
fn events(simulated: &Simulated) -> Vec<Value> {
    let event = |(number, chunk): (usize, &Bytes)| {
        let text = std::str::from_utf8(chunk).unwrap();
        let (name, data) = text.strip_prefix("event: ").unwrap().strip_suffix("\n\n").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!((data["type"].as_str().unwrap(), &data["sequence_number"]), (name, &json!(number)));
        data
    };
    simulated.chunks.iter().enumerate().map(event).collect()
}

/// The response, put together as clients do where it is streamed.
fn response(simulated: &Simulated) -> Value {
    assert_eq!(simulated.status, StatusCode::OK, "{:?}", simulated.chunks);
    if simulated.is_stream() { gathered(&events(simulated)) } else { json_of(simulated) }
}

/// What the deltas say, in the frame of the last event: were they to differ from what it says itself, the comparison would tell.
fn gathered(events: &[Value]) -> Value {
    let mut output: Vec<Value> = Vec::new();
    assert_eq!(events[0]["type"], "response.created");
    for event in events {
        let index = event["output_index"].as_u64().map(|index| usize::try_from(index).unwrap());
        let kind = event["type"].as_str().unwrap();
        let add = |place: &mut Value| *place = json!(place.as_str().unwrap().to_owned() + event["delta"].as_str().unwrap());
        match kind {
            "response.output_item.added" => output.push(event["item"].clone()),
            "response.content_part.added" => output[index.unwrap()]["content"].as_array_mut().unwrap().push(event["part"].clone()),
            "response.reasoning_summary_part.added" => output[index.unwrap()]["summary"].as_array_mut().unwrap().push(event["part"].clone()),
            "response.output_text.delta" => add(&mut output[index.unwrap()]["content"][0]["text"]),
            "response.reasoning_summary_text.delta" => add(&mut output[index.unwrap()]["summary"][0]["text"]),
            "response.function_call_arguments.delta" => add(&mut output[index.unwrap()]["arguments"]),
            "response.custom_tool_call_input.delta" => add(&mut output[index.unwrap()]["input"]),
            "response.output_item.done" => {
                let item = &mut output[index.unwrap()];
                item["status"] = event["item"]["status"].clone();
                assert_eq!(*item, event["item"]);
            }
            _ => {}
        }
    }
    let mut last = events.last().unwrap()["response"].clone();
    assert_eq!(events.last().unwrap()["type"], format!("response.{}", last["status"].as_str().unwrap()));
    last["output"] = Value::Array(output);
    last
}

fn ask(more: Value) -> Value {
    response(&plain(&request(more)))
}

fn bad(more: Value) -> String {
    let simulated = plain(&request(more));
    assert_eq!(simulated.status, StatusCode::BAD_REQUEST, "{:?}", simulated.chunks);
    json_of(&simulated)["error"]["message"].as_str().unwrap().to_owned()
}

fn weather() -> Value {
    json!({"type": "function", "name": "get_weather", "strict": true, "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "minLength": 3}, "days": {"type": "integer", "minimum": 1, "maximum": 7}}, "required": ["city", "days"]}})
}

#[test]
fn a_plain_answer_has_every_field() {
    let body = ask(json!({}));
    assert_eq!((&body["object"], &body["status"], &body["model"], &body["error"]), (&json!("response"), &json!("completed"), &json!("gpt-5.4"), &Value::Null));
    let message = &body["output"][0];
    assert_eq!((&message["type"], &message["role"], &message["status"]), (&json!("message"), &json!("assistant"), &json!("completed")));
    let text = message["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("simulated"));
    let usage = &body["usage"];
    assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(2), &json!(text.len().div_ceil(4))));
    assert_eq!(usage["total_tokens"], usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap());
    assert_eq!((&usage["input_tokens_details"]["cache_write_tokens"], &usage["output_tokens_details"]["reasoning_tokens"]), (&json!(0), &json!(0)));
    for member in ["created_at", "parallel_tool_calls", "tool_choice", "tools", "temperature", "top_p", "metadata", "text", "truncation", "service_tier"] {
        assert!(!body[member].is_null(), "{member}");
    }
    let echoed = ask(json!({"instructions": "be brief", "metadata": {"a": "b"}, "temperature": 0.2, "tools": [weather()], "tool_choice": "none"}));
    assert_eq!((&echoed["instructions"], &echoed["metadata"], &echoed["temperature"]), (&json!("be brief"), &json!({"a": "b"}), &json!(0.2)));
    assert_eq!((&echoed["tools"][0], &echoed["output"][0]["type"]), (&weather(), &json!("message")));
}

#[test]
fn a_limit_makes_it_incomplete() {
    let body = ask(json!({"max_output_tokens": 16}));
    assert_eq!((&body["status"], &body["incomplete_details"]["reason"]), (&json!("incomplete"), &json!("max_output_tokens")));
    assert_eq!((&body["usage"]["output_tokens"], body["output"][0]["content"][0]["text"].as_str().unwrap().len()), (&json!(16), 64));
    assert_eq!((&body["output"][0]["status"], &body["completed_at"]), (&json!("incomplete"), &Value::Null));
    // Reasoning comes first, and can take all of it.
    let body = ask(json!({"max_output_tokens": 16, "reasoning": {"effort": "high"}}));
    assert_eq!(
        (body["output"].as_array().unwrap().len(), &body["output"][0]["type"], &body["usage"]["output_tokens_details"]["reasoning_tokens"]),
        (1, &json!("reasoning"), &json!(16))
    );
    assert!(bad(json!({"max_output_tokens": 5})).contains(">= 16"));
}

#[test]
fn reasoning_is_summed_up_where_it_is_asked_for() {
    let body = ask(json!({"reasoning": {"effort": "low", "summary": "auto"}}));
    assert_eq!((&body["output"][0]["type"], &body["output"][1]["type"]), (&json!("reasoning"), &json!("message")));
    assert!(!body["output"][0]["summary"][0]["text"].as_str().unwrap().is_empty() && body["output"][0]["encrypted_content"].is_string());
    let thought = body["usage"]["output_tokens_details"]["reasoning_tokens"].as_u64().unwrap();
    assert_eq!(body["usage"]["output_tokens"].as_u64().unwrap(), thought + body["output"][1]["content"][0]["text"].as_str().unwrap().len().div_ceil(4) as u64);
    assert_eq!(ask(json!({"reasoning": {"effort": "low"}}))["output"][0]["summary"], json!([]));
    assert_eq!(ask(json!({"reasoning": {"effort": "none"}}))["output"][0]["type"], "message");
}

#[test]
fn a_tool_is_called_with_arguments_that_fit() {
    for choice in [
        Value::Null,
        json!("auto"),
        json!("required"),
        json!({"type": "function", "name": "get_weather"}),
        json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_weather"}]}),
    ] {
        for stream in [false, true] {
            let body = ask(json!({"tools": [weather()], "tool_choice": choice, "stream": stream}));
            let call = &body["output"][0];
            assert_eq!((&call["type"], &call["name"], &body["status"]), (&json!("function_call"), &json!("get_weather"), &json!("completed")));
            let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
            assert!(call["call_id"].as_str().unwrap().starts_with("call_") && jsonschema::is_valid(&weather()["parameters"], &arguments), "{call}");
        }
    }
    let custom = ask(json!({"tools": [{"type": "custom", "name": "shout"}], "tool_choice": "required"}));
    assert_eq!((&custom["output"][0]["type"], custom["output"][0]["input"].is_string()), (&json!("custom_tool_call"), true));
    let space = json!({"type": "namespace", "name": "n", "description": "d", "tools": [weather()]});
    assert_eq!(ask(json!({"tools": [space]}))["output"][0]["name"], "get_weather");
    // After a tool's result there is text, or agents would never end. What the provider runs is not called.
    let result = json!([{"role": "user", "content": "x"}, {"type": "function_call", "call_id": "c", "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "sunny"}]);
    assert_eq!(ask(json!({"tools": [weather()], "input": result}))["output"][0]["type"], "message");
    assert_eq!(ask(json!({"tools": [{"type": "web_search"}]}))["output"][0]["type"], "message");
    assert!(bad(json!({"tools": [weather()], "tool_choice": {"type": "function", "name": "other"}})).contains("not found"));
    assert!(bad(json!({"tools": [{"type": "function"}]})).contains("tools[0].name"));
}

#[test]
fn structured_output_fits_its_schema() {
    let schema = json!({"type": "object", "additionalProperties": false, "properties": {"sky": {"enum": ["clear", "grey"]}}, "required": ["sky"]});
    let format = json!({"type": "json_schema", "name": "sky", "strict": true, "schema": schema});
    for stream in [false, true] {
        let body = ask(json!({"text": {"format": format}, "stream": stream}));
        let made: Value = serde_json::from_str(body["output"][0]["content"][0]["text"].as_str().unwrap()).unwrap();
        assert!(jsonschema::is_valid(&schema, &made), "{made}");
        assert_eq!(body["text"]["format"]["name"], "sky");
    }
    let free = ask(json!({"text": {"format": {"type": "json_object"}}}));
    assert!(serde_json::from_str::<Value>(free["output"][0]["content"][0]["text"].as_str().unwrap()).unwrap().is_object());
    let unmet = json!({"type": "json_schema", "name": "x", "schema": {"type": "integer", "minimum": 2, "maximum": 1}});
    assert!(bad(json!({"text": {"format": unmet}})).contains("Invalid schema"));
}

#[test]
fn what_is_wrong_is_told_in_the_provider_s_words() {
    for (more, said) in [
        (json!({"model": null}), "model"),
        (json!({"input": null}), "Missing required parameter: 'input'"),
        (json!({"input": 7}), "'input'"),
        (json!({"input": [{"role": "robot", "content": "x"}]}), "'robot'"),
        (json!({"input": [{"role": "user"}]}), "input[0].content"),
        (json!({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}), "input[0].content[0].text"),
        (json!({"input": [{"type": "function_call_output", "output": "x"}]}), "input[0].call_id"),
        (json!({"temperature": 7}), "temperature"),
        (json!({"truncation": "some"}), "'some'"),
        (json!({"text": {"format": {"type": "xml"}}}), "'xml'"),
    ] {
        let message = bad(more);
        assert!(message.contains(said), "{message}");
    }
    for body in [&b""[..], b"{", b"\xff", b"null"] {
        assert_eq!(simulate(&Method::POST, "responses", body, &Faults::default()).status, StatusCode::BAD_REQUEST);
    }
}

#[test]
fn what_is_asked_for_again_is_the_same_text() {
    let made = ask(json!({}));
    let id = made["id"].as_str().unwrap();
    let call = |method: Method, path: &str| simulate(&method, path, b"", &Faults::default());
    let again = json_of(&call(Method::GET, &format!("responses/{id}")));
    assert_eq!((&again["id"], &again["model"], &again["output"]), (&made["id"], &made["model"], &made["output"]));
    assert_eq!(json_of(&call(Method::DELETE, &format!("responses/{id}"))), json!({"id": id, "object": "response", "deleted": true}));
    assert_eq!(json_of(&call(Method::GET, &format!("responses/{id}/input_items")))["data"][0]["role"], "user");
    assert_eq!(call(Method::POST, &format!("responses/{id}/cancel")).status, StatusCode::BAD_REQUEST);
    for other in ["resp_1", "resp_", "nothing", "resp_zz"] {
        let missing = call(Method::GET, &format!("responses/{other}"));
        assert!(missing.status == StatusCode::NOT_FOUND && json_of(&missing)["error"]["message"].as_str().unwrap().contains(other));
    }
    // Whatever was said before is known to the provider alone.
    assert_eq!(ask(json!({"previous_response_id": id, "input": "And now?"}))["previous_response_id"], id);
}

#[test]
fn tokens_are_counted_as_they_are_billed() {
    let picture = json!([{"role": "user", "content": [{"type": "input_image", "image_url": format!("data:image/png;base64,{}", "A".repeat(100_000))}]}]);
    for more in [json!({}), json!({"instructions": "be brief", "tools": [weather()]}), json!({"input": picture})] {
        let counted = json_of(&simulate(&Method::POST, "responses/input_tokens", request(more.clone()).to_string().as_bytes(), &Faults::default()));
        assert_eq!(counted, json!({"object": "response.input_tokens", "input_tokens": ask(more)["usage"]["input_tokens"]}));
    }
    assert_eq!(ask(json!({"input": picture}))["usage"]["input_tokens"], 85);
}

#[test]
fn faults_are_those_of_the_provider() {
    let stream = request(json!({"stream": true}));
    let cut = with("cut=3", &stream);
    assert!(cut.cut && cut.chunks == plain(&stream).chunks[..3]);
    assert_eq!(response(&with("tokens=500", &stream))["usage"]["output_tokens"], 500);
    assert_eq!(response(&with("tokens=500", &request(json!({"reasoning": {}}))))["usage"]["output_tokens"], 500);
    assert_eq!(json_of(&with("no-usage", &request(json!({}))))["usage"], Value::Null);
    assert_eq!(events(&with("no-usage", &stream)).last().unwrap()["response"]["usage"], Value::Null);
    let error = with("status=429", &stream);
    assert_eq!((error.status.as_u16(), &json_of(&error)["error"]["code"]), (429, &json!("rate_limit_exceeded")));
    assert!(with("tokens=1000000", &request(json!({"stream": true}))).chunks.iter().map(Bytes::len).sum::<usize>() < 24 << 20);
}

fn requests() -> impl Strategy<Value = Value> {
    let optional = |name: &'static str, value: Value| prop_oneof![2 => Just(None), 1 => Just(Some((name.to_owned(), value)))];
    let format =
        json!({"format": {"type": "json_schema", "name": "x", "schema": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}}});
    (
        "\\PC{0,40}",
        16..90_u64,
        optional("tools", json!([weather()])),
        optional("text", format),
        optional("reasoning", json!({"effort": "low", "summary": "auto"})),
        optional("instructions", json!("be kind")),
    )
        .prop_map(|(text, limit, tools, format, reasoning, instructions)| {
            let mut body = request(json!({"input": text, "max_output_tokens": limit}));
            body.as_object_mut().unwrap().extend([tools, format, reasoning, instructions].into_iter().flatten());
            body
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Streamed or not: the same response, to the last member; and never more than the limit.
    #[test]
    fn a_stream_says_and_counts_what_the_whole_answer_does(body in requests()) {
        let whole = response(&plain(&body));
        let mut streamed = body.clone();
        streamed["stream"] = json!(true);
        prop_assert_eq!(&response(&plain(&streamed)), &whole);
        prop_assert!(whole["usage"]["output_tokens"].as_u64() <= body["max_output_tokens"].as_u64());
    }

    #[test]
    fn no_body_breaks_it(name in "input|model|max_output_tokens|stream|tools|tool_choice|text|reasoning|instructions|previous_response_id|include",
                         value in prop_oneof![Just(json!(null)), Just(json!(-1)), Just(json!(1e300)), Just(json!(u64::MAX)), Just(json!([])), Just(json!([[]])), Just(json!([{}])),
                                               Just(json!({})), Just(json!("")), Just(json!({"format": {"type": "json_schema", "name": "x", "schema": {}}})), Just(json!([{"type": "message"}]))]) {
        let mut body = request(json!({}));
        body[name] = value;
        let _ = plain(&body);
        let _ = simulate(&Method::POST, "responses/input_tokens", body.to_string().as_bytes(), &Faults::default());
    }
}
