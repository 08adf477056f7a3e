use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;

use super::*;
use crate::apis::mistral::Mistral;
use crate::apis::{self, Api, RequestView};

fn simulate(path: &str, body: &Value, faults: &str) -> Simulated {
    let method = if path.starts_with("models") { Method::GET } else { Method::POST };
    let operation = Mistral.operation(&method, path).unwrap();
    let body = Bytes::from(body.to_string());
    let request = RequestView { method: &method, path, query: None, headers: &HeaderMap::new(), body: &body };
    let faults = if faults.is_empty() { Faults::default() } else { Faults::parse(faults).unwrap() };
    apis::simulate(&Mistral, operation, &request, &faults, &mut ["mistral-small-2603", "mistral-embed"].into_iter())
}

fn request(more: Value) -> Value {
    let mut body = json!({"model": "mistral-small-2603", "messages": [{"role": "user", "content": "Hello!"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn json_of(simulated: &Simulated) -> Value {
    assert_eq!(simulated.status, StatusCode::OK, "{:?}", simulated.chunks);
    serde_json::from_slice(&simulated.chunks[0]).unwrap()
}

fn chunks(simulated: &Simulated) -> Vec<Value> {
    let (last, chunks) = simulated.chunks.split_last().unwrap();
    assert_eq!(&last[..], b"data: [DONE]\n\n");
    chunks.iter().map(|chunk| serde_json::from_slice(chunk.strip_prefix(b"data: ").unwrap()).unwrap()).collect()
}

/// The whole answer, put together as clients do.
fn gathered(simulated: &Simulated) -> Value {
    let mut answer = Value::Null;
    for chunk in chunks(simulated) {
        if answer.is_null() {
            answer = json!({"id": chunk["id"], "object": "chat.completion", "created": chunk["created"], "model": chunk["model"], "choices": []});
        }
        if let Some(usage) = chunk.get("usage") {
            answer["usage"] = usage.clone();
        }
        let delta = &chunk["choices"][0];
        assert!(delta.get("finish_reason").is_some(), "told even where it is null");
        let index = usize::try_from(delta["index"].as_u64().unwrap()).unwrap();
        let choices = answer["choices"].as_array_mut().unwrap();
        if choices.len() == index {
            choices.push(json!({"index": index, "message": {"role": "assistant", "content": "", "tool_calls": null, "prefix": false}, "finish_reason": null}));
        }
        let choice = &mut choices[index];
        let said = choice["message"]["content"].as_str().unwrap().to_owned() + delta["delta"]["content"].as_str().unwrap_or_default();
        choice["message"]["content"] = json!(said);
        if let Some(calls) = delta["delta"].get("tool_calls") {
            choice["message"]["tool_calls"] = calls.clone();
        }
        choice["finish_reason"] = delta["finish_reason"].clone();
    }
    answer
}

#[test]
fn usage_comes_unasked_with_the_last_content() {
    let seen = chunks(&simulate("chat/completions", &request(json!({"stream": true, "n": 2})), ""));
    let (last, others) = seen.split_last().unwrap();
    assert!(last["usage"]["total_tokens"].as_u64().unwrap() > 0 && last["choices"][0]["finish_reason"] == "stop");
    assert!(others.iter().all(|chunk| chunk.get("usage").is_none()));
    assert!(chunks(&simulate("chat/completions", &request(json!({"stream": true})), "no-usage")).iter().all(|chunk| chunk.get("usage").is_none()));
}

fn weather() -> Value {
    json!({"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}})
}

#[test]
fn tools_are_called_in_one_piece() {
    for more in
        [json!({"tool_choice": "any"}), json!({"tool_choice": "auto"}), json!({"tool_choice": {"type": "function", "function": {"name": "get_weather"}}})]
    {
        let mut body = request(json!({"tools": [weather()]}));
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = json_of(&simulate("chat/completions", &body, ""));
        let call = &answer["choices"][0]["message"]["tool_calls"][0];
        assert_eq!((&answer["choices"][0]["finish_reason"], &call["function"]["name"]), (&json!("tool_calls"), &json!("get_weather")));
        assert_eq!(call["id"].as_str().unwrap().len(), CALL_ID);
    }
    let back = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "get_weather", "arguments": "{}"}}]},
        {"role": "tool", "name": "get_weather", "content": "sunny"}]);
    let answer = json_of(&simulate("chat/completions", &request(json!({"messages": back, "tools": [weather()]})), ""));
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
}

/// The length of the ids of calls.
const CALL_ID: usize = 9;

#[test]
fn everything_that_is_input_is_taken() {
    let parts = json!([
        {"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": "https://x/y.png"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
        {"type": "input_audio", "input_audio": "AAAA"},
        {"type": "reference", "reference_ids": [1]},
    ]);
    let messages = json!([{"role": "user", "content": parts}, {"role": "assistant", "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}], "prefix": true}]);
    let more =
        json!({"messages": messages, "random_seed": 7, "safe_prompt": true, "prompt_mode": "reasoning", "reasoning_effort": "high", "service_tier": "auto"});
    assert!(json_of(&simulate("chat/completions", &request(more), ""))["choices"][0]["message"]["content"].as_str().unwrap().contains("simulated"));
    let schema = json!({"type": "object", "properties": {"sky": {"enum": ["clear", "grey"]}}, "required": ["sky"]});
    let format = json!({"type": "json_schema", "json_schema": {"name": "sky", "schema": schema, "strict": true}});
    let made = json_of(&simulate("chat/completions", &request(json!({"response_format": format})), ""));
    assert!(jsonschema::is_valid(&schema, &serde_json::from_str(made["choices"][0]["message"]["content"].as_str().unwrap()).unwrap()));
}

#[test]
fn code_is_completed_and_cut_at_its_limit() {
    let answer = json_of(&simulate("fim/completions", &json!({"model": "codestral-2508", "prompt": "def f(", "suffix": "return", "max_tokens": 3}), ""));
    assert_eq!(
        (&answer["object"], &answer["choices"][0]["finish_reason"], &answer["usage"]["completion_tokens"]),
        (&json!("chat.completion"), &json!("length"), &json!(3))
    );
    assert_eq!(simulate("fim/completions", &json!({"model": "codestral-2508"}), "").status, StatusCode::BAD_REQUEST);
}

#[test]
fn embeddings_have_their_dimensions_and_types() {
    let embed = |more: Value| {
        let mut body = json!({"model": "mistral-embed", "input": ["12345", "1"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json_of(&simulate("embeddings", &body, ""))
    };
    let plain = embed(json!({}));
    assert_eq!((plain["data"][1]["embedding"].as_array().unwrap().len(), &plain["data"][1]["index"]), (1_024, &json!(1)));
    assert_eq!(plain["usage"], json!({"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}));
    assert!(plain["id"].as_str().unwrap().len() == 32 && plain["model"] == "mistral-embed");
    assert_eq!(
        embed(json!({"model": "codestral-embed", "output_dimension": 64, "output_dtype": "ubinary"}))["data"][0]["embedding"].as_array().unwrap().len(),
        8
    );
    assert!(embed(json!({"encoding_format": "base64"}))["data"][0]["embedding"].is_string());
    for bad in [json!({"input": []}), json!({"input": 7}), json!({"input": [7]}), json!({"output_dtype": "double"}), json!({"output_dimension": 9_999})] {
        let mut body = json!({"model": "mistral-embed", "input": "x"});
        body.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
        assert_eq!(simulate("embeddings", &body, "").status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[test]
fn pages_are_read_as_they_are_named() {
    let ocr = |more: Value| {
        let mut body = json!({"model": "mistral-ocr-2512", "document": {"type": "document_url", "document_url": "https://x/y.pdf"}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json_of(&simulate("ocr", &body, ""))
    };
    let plain = ocr(json!({}));
    assert_eq!((plain["pages"].as_array().unwrap().len(), &plain["usage_info"]["pages_processed"]), (1, &json!(1)));
    let some = ocr(json!({"pages": "3,1-2"}));
    assert_eq!((&some["pages"][0]["index"], &some["pages"][2]["index"], &some["usage_info"]["pages_processed"]), (&json!(1), &json!(3), &json!(3)));
    let schema = json!({"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total"]});
    let annotated = ocr(json!({"document_annotation_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}));
    assert!(jsonschema::is_valid(&schema, &serde_json::from_str(annotated["document_annotation"].as_str().unwrap()).unwrap()));
    for bad in [json!({"model": "m"}), json!({"model": "m", "document": {}}), json!({"model": "m", "document": {"document_url": "x"}, "pages": "x"})] {
        assert_eq!(simulate("ocr", &bad, "").status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[test]
fn models_and_errors_have_mistral_s_shape() {
    let list = json_of(&simulate("models", &Value::Null, ""));
    assert_eq!((&list["data"][0]["capabilities"]["completion_chat"], &list["data"][1]["capabilities"]["completion_chat"]), (&json!(true), &json!(false)));
    assert_eq!(json_of(&simulate("models/mistral-embed", &Value::Null, "")), list["data"][1]);
    assert_eq!(simulate("models/other", &Value::Null, "").status, StatusCode::NOT_FOUND);
    let body = |status: &str| serde_json::from_slice::<Value>(&simulate("chat/completions", &request(json!({})), status).chunks[0]).unwrap();
    assert_eq!(body("status=429")["object"], "error");
    assert!(body("status=422")["detail"][0]["msg"].is_string());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Streamed or not: the same message, to the last member.
    #[test]
    fn a_stream_says_and_counts_what_the_whole_answer_does(text in "\\PC{0,40}", n in 1..4_u64, limit in prop::option::of(1..60_u64), tools in any::<bool>()) {
        let mut body = request(json!({"messages": [{"role": "user", "content": text}], "n": n, "max_tokens": limit}));
        if tools {
            body["tools"] = json!([weather()]);
        }
        let whole = json_of(&simulate("chat/completions", &body, ""));
        body["stream"] = json!(true);
        prop_assert_eq!(gathered(&simulate("chat/completions", &body, "")), whole);
    }

    #[test]
    fn no_body_breaks_it(name in "messages|model|max_tokens|stop|stream|tools|tool_choice|response_format|n|input|prompt|suffix|document|pages",
                         value in prop_oneof![Just(json!(null)), Just(json!(-1)), Just(json!(u64::MAX)), Just(json!([])), Just(json!([[]])), Just(json!([{}])), Just(json!({})), Just(json!("")),
                                               Just(json!([{"role": "user", "content": [{"type": "thinking"}, 7]}]))]) {
        let mut body = request(json!({"input": "x", "prompt": "x", "document": {"document_url": "x"}}));
        body[name] = value;
        for path in ["chat/completions", "fim/completions", "embeddings", "ocr"] {
            let _ = simulate(path, &body, "");
        }
    }
}
