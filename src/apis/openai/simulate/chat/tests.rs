use serde_json::{Value, json};

use super::super::tests::{Answer, CHAT, ask, ask_with, bad};

fn chat(body: &Value) -> Answer {
    ask(CHAT, body)
}

fn hello(more: Value) -> Value {
    let mut body = json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello!"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn weather() -> Value {
    json!({"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "minLength": 3}, "days": {"type": "integer", "minimum": 1, "maximum": 7}, "unit": {"enum": ["c", "f"]}},
        "required": ["city", "days", "unit"], "additionalProperties": false}}})
}

#[test]
fn a_plain_answer_has_every_field() {
    let answer = chat(&hello(json!({})));
    let body = &answer.body;
    assert!(body["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert_eq!(body["object"], "chat.completion");
    assert!(body["created"].is_u64());
    assert_eq!(body["model"], "gpt-4o-mini");
    assert_eq!(body["service_tier"], "default");
    assert!(body["system_fingerprint"].as_str().unwrap().starts_with("fp_"));
    let choice = &body["choices"][0];
    assert_eq!((&choice["index"], &choice["finish_reason"], &choice["logprobs"]), (&json!(0), &json!("stop"), &Value::Null));
    assert_eq!((&choice["message"]["role"], &choice["message"]["refusal"]), (&json!("assistant"), &Value::Null));
    let content = choice["message"]["content"].as_str().unwrap();
    assert!(content.contains("simulated"));
    assert_eq!(body["usage"]["prompt_tokens"], 2, "six bytes");
    assert_eq!(body["usage"]["completion_tokens"], content.len().div_ceil(4));
    assert_eq!(body["usage"]["total_tokens"], 2 + content.len().div_ceil(4));
    assert_eq!(body["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
    assert_eq!(body["usage"]["completion_tokens_details"]["reasoning_tokens"], 0);
}

#[test]
fn a_stream_comes_in_the_provider_s_order() {
    let answer = chat(&hello(json!({"stream": true, "stream_options": {"include_usage": true}, "n": 2})));
    let events = &answer.events;
    assert_eq!(events[0]["choices"][0]["delta"], json!({"role": "assistant", "content": "", "refusal": null}));
    let (usage, chunks) = events.split_last().unwrap();
    assert_eq!(usage["choices"], json!([]));
    assert!(usage["usage"]["total_tokens"].is_u64());
    for chunk in chunks {
        assert_eq!(chunk["usage"], Value::Null);
        assert!(chunk.as_object().unwrap().contains_key("usage"));
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["id"], events[0]["id"]);
        assert_eq!(chunk["choices"].as_array().unwrap().len(), 1);
    }
    let finished: Vec<_> = chunks.iter().filter(|chunk| chunk["choices"][0]["finish_reason"] == "stop").collect();
    assert_eq!(finished.len(), 2);
    assert!(finished.iter().all(|chunk| chunk["choices"][0]["delta"] == json!({})));

    let answer = chat(&hello(json!({"stream": true})));
    assert!(answer.events.iter().all(|event| !event.as_object().unwrap().contains_key("usage")), "usage was not asked for");
}

#[test]
fn the_limit_cuts_and_the_newer_field_wins() {
    let answer = chat(&hello(json!({"max_tokens": 3})));
    assert_eq!(answer.body["choices"][0]["finish_reason"], "length");
    assert_eq!(answer.body["usage"]["completion_tokens"], 3);
    assert_eq!(answer.text(0).len(), 12);
    let answer = chat(&hello(json!({"max_tokens": 3, "max_completion_tokens": 5})));
    assert_eq!(answer.body["usage"]["completion_tokens"], 5);
    let answer = chat(&hello(json!({"max_tokens": 100_000})));
    assert_eq!(answer.body["choices"][0]["finish_reason"], "stop");
    let answer = chat(&hello(json!({"max_tokens": 2, "n": 3})));
    assert_eq!(answer.body["usage"]["completion_tokens"], 6, "each choice has the limit of its own");
    assert_ne!(chat(&hello(json!({"n": 2}))).text(0), chat(&hello(json!({"n": 2}))).text(1));
}

#[test]
fn stop_sequences_end_the_text() {
    let answer = chat(&hello(json!({"stop": ["nowhere", " answer"]})));
    assert_eq!(answer.text(0), "This is a simulated");
    assert_eq!(answer.body["choices"][0]["finish_reason"], "stop");
}

#[test]
fn the_tokens_fault_sets_the_length() {
    for (body, faults, tokens, reason) in [
        (hello(json!({})), "tokens=500", 500, "stop"),
        (hello(json!({"stream": true, "stream_options": {"include_usage": true}})), "tokens=500", 500, "stop"),
        (hello(json!({"max_tokens": 100})), "tokens=500", 100, "length"),
        (hello(json!({"max_tokens": 500})), "tokens=500", 500, "stop"),
        (hello(json!({"stop": "simulated"})), "tokens=7", 7, "stop"),
        (hello(json!({"response_format": {"type": "json_object"}})), "tokens=500", 500, "stop"),
        (hello(json!({"tools": [weather()]})), "tokens=500", 500, "tool_calls"),
        (hello(json!({"n": 128})), "tokens=1000000", 128 * (1_000_000 / 128), "stop"),
    ] {
        let answer = ask_with(CHAT, &body, faults);
        assert_eq!(answer.usage()["completion_tokens"], tokens, "{body} {faults}");
        assert_eq!(answer.finish(0), reason, "{body} {faults}");
    }
}

#[test]
fn no_usage_means_none_anywhere() {
    let answer = ask_with(CHAT, &hello(json!({})), "no-usage");
    assert!(answer.body.get("usage").is_none());
    let answer = ask_with(CHAT, &hello(json!({"stream": true, "stream_options": {"include_usage": true}})), "no-usage");
    assert!(answer.events.iter().all(|event| event.get("usage").is_none() && event["choices"] != json!([])));
}

#[test]
fn a_tool_is_called_with_arguments_that_fit() {
    let parameters = weather()["function"]["parameters"].clone();
    let choices = [Value::Null, json!("auto"), json!("required"), json!({"type": "function", "function": {"name": "get_weather"}})];
    for choice in choices {
        for stream in [false, true] {
            let answer = chat(&hello(json!({"tools": [weather()], "tool_choice": choice, "stream": stream})));
            let call = answer.call(0);
            assert_eq!(answer.finish(0), "tool_calls");
            assert_eq!(call["function"]["name"], "get_weather");
            assert!(call["id"].as_str().unwrap().starts_with("call_"));
            let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
            assert!(jsonschema::is_valid(&parameters, &arguments), "{arguments}");
        }
    }
    assert_eq!(chat(&hello(json!({"tools": [weather()]}))).body["choices"][0]["message"]["content"], Value::Null);
}

#[test]
fn text_follows_where_no_tool_is_wanted() {
    assert!(!chat(&hello(json!({"tools": [weather()], "tool_choice": "none"}))).text(0).is_empty());
    let after = |choice: Value| {
        json!({"model": "m", "tools": [weather()], "tool_choice": choice, "messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}]})
    };
    assert!(!chat(&after(json!("auto"))).text(0).is_empty(), "or agents would never end");
    assert_eq!(chat(&after(json!("required"))).finish(0), "tool_calls");
}

#[test]
fn tools_of_all_kinds_are_called() {
    let other = json!({"type": "function", "function": {"name": "get_time"}});
    let answer = chat(&json!({"model": "m", "messages": [{"role": "user", "content": "call get_time now"}], "tools": [weather(), other]}));
    assert_eq!(answer.call(0)["function"], json!({"name": "get_time", "arguments": "{}"}));
    let answer = chat(&hello(json!({"tools": [weather(), other], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto",
        "tools": [{"type": "function", "function": {"name": "get_time"}}]}}})));
    assert_eq!(answer.call(0)["function"]["name"], "get_time");
    let answer = chat(&hello(json!({"tools": [{"type": "custom", "custom": {"name": "shell"}}]})));
    assert_eq!(answer.call(0)["type"], "custom");
    assert!(answer.call(0)["custom"]["input"].is_string());
    let answer = chat(&hello(json!({"functions": [{"name": "old", "parameters": {"type": "object", "properties": {}}}], "function_call": {"name": "old"}})));
    assert_eq!(answer.finish(0), "function_call");
    assert_eq!(answer.body["choices"][0]["message"]["function_call"], json!({"name": "old", "arguments": "{}"}));
}

#[test]
fn tool_arguments_are_cut_at_the_limit() {
    let answer = chat(&hello(json!({"tools": [weather()], "max_tokens": 5})));
    assert_eq!(answer.finish(0), "length");
    assert_eq!(answer.usage()["completion_tokens"], 5);
    assert_eq!(answer.call(0)["function"]["arguments"].as_str().unwrap().len(), (5 - 3) * 4, "the name is three tokens");
    assert_eq!(chat(&hello(json!({"tools": [weather()], "max_tokens": 1}))).usage()["completion_tokens"], 1);
}

#[test]
fn structured_output_conforms() {
    let schema = json!({"type": "object", "properties": {"name": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2}},
        "required": ["name", "tags"], "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {"name": "person", "strict": true, "schema": schema}});
    for more in [json!({}), json!({"stream": true}), json!({"n": 6})] {
        let mut body = hello(more);
        body["response_format"] = format.clone();
        let answer = chat(&body);
        let value: Value = serde_json::from_str(&answer.text(0)).unwrap();
        assert!(jsonschema::is_valid(&schema, &value), "{value}");
    }
    let answer = chat(&hello(json!({"response_format": {"type": "json_object"}})));
    assert!(serde_json::from_str::<Value>(&answer.text(0)).unwrap().is_object());
    let answer = chat(&hello(json!({"response_format": format, "max_tokens": 4})));
    assert_eq!((answer.finish(0), answer.text(0).len()), ("length".to_owned(), 16), "cut, as the provider would");
}

#[test]
fn schemas_that_cannot_be_met_are_the_client_s_error() {
    let schema = json!({"type": "integer", "minimum": 2, "maximum": 1});
    let error = bad(CHAT, &hello(json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}})));
    assert_eq!((&error["param"], &error["code"]), (&json!("response_format"), &json!("invalid_json_schema")));
    assert!(error["message"].as_str().unwrap().starts_with("Invalid schema for response_format 'x'"));
    let error = bad(CHAT, &hello(json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]})));
    assert_eq!((&error["param"], &error["code"]), (&json!("tools[0].function.parameters"), &json!("invalid_function_parameters")));
}

#[test]
fn input_counts_what_a_model_reads() {
    let count = |body: Value| chat(&body).body["usage"]["prompt_tokens"].as_u64().unwrap();
    assert_eq!(count(json!({"model": "m", "messages": [{"role": "user", "content": ""}]})), 1);
    let parts = json!({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "12345678"}, {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{}", "A".repeat(100_000))}}]}]});
    assert_eq!(count(parts), 2 + 85);
    assert!(count(hello(json!({"tools": [weather()]}))) > count(hello(json!({}))) + 20);
    assert_eq!(count(hello(json!({"user": "someone", "metadata": {"a": "b"}}))), 2);
}

#[test]
fn bad_requests_get_the_provider_s_error() {
    let message = |message: Value| json!({"model": "m", "messages": [message]});
    for (body, param, code) in [
        (json!({"messages": []}), json!("model"), json!("missing_required_parameter")),
        (json!({"model": 7, "messages": []}), json!("model"), json!("invalid_type")),
        (json!({"model": "m"}), json!("messages"), json!("missing_required_parameter")),
        (json!({"model": "m", "messages": "hi"}), json!("messages"), json!("invalid_type")),
        (json!({"model": "m", "messages": []}), json!("messages"), json!("empty_array")),
        (message(json!("hi")), json!("messages[0]"), json!("invalid_type")),
        (message(json!({"content": "hi"})), json!("messages[0].role"), json!("missing_required_parameter")),
        (message(json!({"role": "king", "content": "hi"})), json!("messages[0].role"), json!("invalid_value")),
        (message(json!({"role": "user"})), json!("messages[0].content"), json!("missing_required_parameter")),
        (message(json!({"role": "user", "content": 5})), json!("messages[0].content"), json!("invalid_type")),
        (message(json!({"role": "user", "content": [{"type": "text"}]})), json!("messages[0].content[0].text"), json!("missing_required_parameter")),
        (message(json!({"role": "user", "content": [{"type": "smell"}]})), json!("messages[0].content[0].type"), json!("invalid_value")),
        (message(json!({"role": "tool", "content": "x"})), json!("messages[0].tool_call_id"), json!("missing_required_parameter")),
        (hello(json!({"n": 0})), json!("n"), json!("integer_below_min_value")),
        (hello(json!({"n": 129})), json!("n"), json!("integer_above_max_value")),
        (hello(json!({"n": 1.5})), json!("n"), json!("invalid_type")),
        (hello(json!({"max_tokens": -1})), json!("max_tokens"), json!("integer_below_min_value")),
        (hello(json!({"max_completion_tokens": "9"})), json!("max_completion_tokens"), json!("invalid_type")),
        (hello(json!({"stream": "yes"})), json!("stream"), json!("invalid_type")),
        (hello(json!({"stream_options": []})), json!("stream_options"), json!("invalid_type")),
        (hello(json!({"temperature": 2.1})), json!("temperature"), json!("decimal_above_max_value")),
        (hello(json!({"stop": [1]})), json!("stop[0]"), json!("invalid_type")),
        (hello(json!({"stop": ["a", "b", "c", "d", "e"]})), json!("stop"), json!("array_above_max_length")),
        (hello(json!({"tools": {}})), json!("tools"), json!("invalid_type")),
        (hello(json!({"tools": [{"type": "function"}]})), json!("tools[0].function"), json!("missing_required_parameter")),
        (hello(json!({"tools": [{"type": "function", "function": {"name": "a b"}}]})), json!("tools[0].function.name"), json!("invalid_value")),
        (hello(json!({"tools": [weather()], "tool_choice": "maybe"})), json!("tool_choice"), json!("invalid_value")),
        (hello(json!({"tools": [weather()], "tool_choice": {"type": "function", "function": {"name": "x"}}})), json!("tool_choice"), Value::Null),
        (hello(json!({"tool_choice": "required"})), json!("tool_choice"), Value::Null),
        (hello(json!({"response_format": {"type": "xml"}})), json!("response_format.type"), json!("invalid_value")),
        (hello(json!({"response_format": {"type": "json_schema"}})), json!("response_format.json_schema"), json!("missing_required_parameter")),
        (hello(json!({"service_tier": "golden"})), json!("service_tier"), json!("invalid_value")),
        (json!([1]), Value::Null, Value::Null),
    ] {
        let error = bad(CHAT, &body);
        assert_eq!((&error["type"], &error["param"], &error["code"]), (&json!("invalid_request_error"), &param, &code), "{body}");
    }
}

#[test]
fn nulls_count_as_not_set() {
    let nulls =
        json!({"max_tokens": null, "n": null, "stop": null, "stream": null, "tools": null, "tool_choice": null, "response_format": null, "service_tier": null});
    assert_eq!(chat(&hello(nulls)).finish(0), "stop");
    assert_eq!(chat(&hello(json!({"service_tier": "flex"}))).body["service_tier"], "flex");
    assert_eq!(chat(&hello(json!({"service_tier": "auto"}))).body["service_tier"], "default");
}
