use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;

use super::*;
use crate::apis::cohere::Cohere;
use crate::apis::{self, Api, RequestView};

/// The simulated answer of the operation at a path.
fn simulate(path: &str, body: &Value, faults: &str) -> Simulated {
    let method = if path.starts_with("models") { Method::GET } else { Method::POST };
    let operation = Cohere.operation(&method, path).unwrap();
    let body = Bytes::from(body.to_string());
    let request = RequestView { method: &method, path, query: None, headers: &HeaderMap::new(), body: &body };
    let faults = if faults.is_empty() { Faults::default() } else { Faults::parse(faults).unwrap() };
    apis::simulate(&Cohere, operation, &request, &faults, &mut ["command-a-03-2025", "rerank-v3.5"].into_iter())
}

fn request(more: Value) -> Value {
    let mut body = json!({"model": "command-a-03-2025", "messages": [{"role": "user", "content": "Hello!"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn json_of(simulated: &Simulated) -> Value {
    assert_eq!(simulated.status, StatusCode::OK, "{:?}", simulated.chunks);
    serde_json::from_slice(&simulated.chunks[0]).unwrap()
}

fn ask(more: Value) -> Value {
    let simulated = simulate("chat", &request(more), "");
    if simulated.is_stream() { gathered(&simulated) } else { json_of(&simulated) }
}

fn bad(path: &str, body: &Value) -> String {
    let simulated = simulate(path, body, "");
    assert_eq!(simulated.status, StatusCode::BAD_REQUEST);
    let body: Value = serde_json::from_slice(&simulated.chunks[0]).unwrap();
    assert!(body["id"].is_string());
    body["message"].as_str().unwrap().to_owned()
}

fn events(simulated: &Simulated) -> Vec<Value> {
    let event = |chunk: &Bytes| {
        let text = std::str::from_utf8(chunk).unwrap();
        let (name, data) = text.strip_prefix("event: ").unwrap().strip_suffix("\n\n").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["type"], name);
        data
    };
    simulated.chunks.iter().map(event).collect()
}

fn append(place: &mut Value, more: &Value) {
    *place = json!(place.as_str().unwrap_or_default().to_owned() + more.as_str().unwrap());
}

/// The whole answer, put together as clients do.
fn gathered(simulated: &Simulated) -> Value {
    let (mut content, mut calls, mut cited, mut message, mut answer) = (Vec::new(), Vec::new(), Vec::new(), json!({}), json!({}));
    let mut open = 0;
    for event in events(simulated) {
        let index = usize::try_from(event["index"].as_u64().unwrap_or(0)).unwrap();
        let delta = &event["delta"]["message"];
        match event["type"].as_str().unwrap() {
            "message-start" => {
                answer["id"] = event["id"].clone();
                message["role"] = delta["role"].clone();
            }
            "content-start" => {
                assert_eq!((index, open), (content.len(), 0));
                open += 1;
                content.push(delta["content"].clone());
            }
            "content-delta" => {
                let kind = content[index]["type"].as_str().unwrap().to_owned();
                append(&mut content[index][&kind], &delta["content"][&kind]);
            }
            "tool-plan-delta" => append(&mut message["tool_plan"], &delta["tool_plan"]),
            "tool-call-start" => calls.push(delta["tool_calls"].clone()),
            "tool-call-delta" => append(&mut calls[index]["function"]["arguments"], &delta["tool_calls"]["function"]["arguments"]),
            "citation-start" => cited.push(delta["citations"].clone()),
            "content-end" => open -= 1,
            "tool-call-end" | "citation-end" => {}
            "message-end" => {
                answer["finish_reason"] = event["delta"]["finish_reason"].clone();
                if let Some(usage) = event["delta"].get("usage") {
                    answer["usage"] = usage.clone();
                }
            }
            other => panic!("{other}"),
        }
    }
    for (name, list) in [("content", content), ("tool_calls", calls), ("citations", cited)] {
        if !list.is_empty() {
            message[name] = json!(list);
        }
    }
    answer["message"] = message;
    answer
}

#[test]
fn a_plain_answer_has_every_field() {
    let body = ask(json!({}));
    let id = body["id"].as_str().unwrap();
    assert!(id.len() == 36 && id.as_bytes()[14] == b'4', "{id}");
    let text = body["message"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("simulated"));
    assert_eq!((&body["finish_reason"], &body["message"]["role"]), (&json!("COMPLETE"), &json!("assistant")));
    let billed = json!({"input_tokens": 2.0, "output_tokens": text.len().div_ceil(4) as f64});
    assert_eq!(body["usage"]["billed_units"], billed);
}

#[test]
fn a_stream_comes_in_the_provider_s_order() {
    let kinds = |more: Value| -> Vec<String> {
        let mut kinds: Vec<String> = events(&simulate("chat", &request(more), "")).iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
        kinds.dedup();
        kinds
    };
    assert_eq!(kinds(json!({"stream": true})), ["message-start", "content-start", "content-delta", "content-end", "message-end"]);
    let calls = ["message-start", "tool-plan-delta", "tool-call-start", "tool-call-delta", "tool-call-end", "message-end"];
    assert_eq!(kinds(json!({"stream": true, "tools": [weather()]})), calls);
    let cites = ["message-start", "content-start", "content-delta", "citation-start", "citation-end", "content-end", "message-end"];
    assert_eq!(kinds(json!({"stream": true, "documents": ["It rains."]})), cites);
}

fn weather() -> Value {
    json!({"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {
        "city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}}, "required": ["city", "days"]}}})
}

#[test]
fn a_tool_is_called_with_arguments_that_fit() {
    let schema = weather()["function"]["parameters"].clone();
    for more in [json!({}), json!({"tool_choice": "REQUIRED"}), json!({"stream": true})] {
        let mut asked = json!({"tools": [weather()]});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let body = ask(asked);
        let call = &body["message"]["tool_calls"][0];
        assert_eq!((&body["finish_reason"], &call["function"]["name"], &call["type"]), (&json!("TOOL_CALL"), &json!("get_weather"), &json!("function")));
        let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        assert!(jsonschema::is_valid(&schema, &arguments) && body["message"]["tool_plan"].as_str().unwrap().contains("get_weather"), "{body}");
    }
    assert_eq!(ask(json!({"tools": [weather()], "tool_choice": "NONE"}))["finish_reason"], "COMPLETE");
    let back = json!([{"role": "user", "content": "x"}, {"role": "assistant", "tool_plan": "p", "tool_calls": []}, {"role": "tool", "tool_call_id": "1", "content": "sunny"}]);
    assert_eq!(ask(json!({"tools": [weather()], "messages": back}))["message"]["content"][0]["type"], "text");
    let cut = ask(json!({"tools": [weather()], "max_tokens": 3}));
    assert_eq!((&cut["finish_reason"], &cut["usage"]["billed_units"]["output_tokens"]), (&json!("MAX_TOKENS"), &json!(3.0)));
}

#[test]
fn thinking_documents_and_schemas_are_simulated() {
    let thought = ask(json!({"thinking": {"type": "enabled", "token_budget": 8}}));
    assert_eq!((&thought["message"]["content"][0]["type"], &thought["message"]["content"][1]["type"]), (&json!("thinking"), &json!("text")));
    assert!(thought["message"]["content"][0]["thinking"].as_str().unwrap().len() <= 32);
    let cited = ask(json!({"documents": [{"id": "mine", "data": {"a": "b"}}]}));
    let citation = &cited["message"]["citations"][0];
    assert_eq!(
        (&citation["sources"][0]["id"], citation["text"].as_str()),
        (&json!("mine"), cited["message"]["content"][0]["text"].as_str().map(|text| &text[..text.find(';').unwrap()]))
    );
    assert!(ask(json!({"documents": ["x"], "citation_options": {"mode": "OFF"}}))["message"].get("citations").is_none());
    let schema = json!({"type": "object", "properties": {"sky": {"enum": ["clear", "grey"]}}, "required": ["sky"]});
    let made = ask(json!({"response_format": {"type": "json_object", "json_schema": schema}}));
    assert!(jsonschema::is_valid(&schema, &serde_json::from_str(made["message"]["content"][0]["text"].as_str().unwrap()).unwrap()));
    let free: Value =
        serde_json::from_str(ask(json!({"response_format": {"type": "json_object"}}))["message"]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(free["simulated"], true);
    let stopped = ask(json!({"stop_sequences": [" answer"]}));
    assert_eq!((&stopped["finish_reason"], &stopped["message"]["content"][0]["text"]), (&json!("STOP_SEQUENCE"), &json!("This is a simulated")));
}

fn embed(more: Value) -> Value {
    let mut body = json!({"model": "embed-v4.0", "input_type": "search_query"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json_of(&simulate("embed", &body, ""))
}

#[test]
fn embeddings_come_as_every_type_that_is_asked_for() {
    let types = ["float", "int8", "uint8", "binary", "ubinary", "base64"];
    let body = embed(json!({"texts": ["12345", "1"], "embedding_types": types, "output_dimension": 256}));
    let all = &body["embeddings"];
    let floats: Vec<f64> = all["float"][0].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect();
    assert!((floats.iter().map(|number| number * number).sum::<f64>() - 1.0).abs() < 1e-4 && floats.len() == 256);
    let numbers = |kind: &str| all[kind][0].as_array().unwrap().iter().map(|number| number.as_i64().unwrap()).collect::<Vec<_>>();
    assert!(numbers("int8").iter().all(|number| (-127..=127).contains(number)) && numbers("uint8").iter().all(|number| (0..=255).contains(number)));
    assert_eq!((numbers("binary").len(), numbers("ubinary").len()), (32, 32));
    let first = (0..8).fold(0, |bits, place| bits | i64::from(floats[place] > 0.0) << (7 - place));
    assert_eq!((numbers("ubinary")[0], numbers("binary")[0]), (first, first - 128));
    let bytes = STANDARD.decode(all["base64"][0].as_str().unwrap()).unwrap();
    assert_eq!(f32::from_le_bytes(bytes[..4].try_into().unwrap()), floats[0] as f32);
    assert_eq!((&body["texts"], &body["response_type"]), (&json!(["12345", "1"]), &json!("embeddings_by_type")));
    assert_eq!(body["meta"]["billed_units"], json!({"input_tokens": 3.0}));
    assert_eq!(all["float"][1], embed(json!({"texts": ["1"], "output_dimension": 256}))["embeddings"]["float"][0], "whatever stands beside it");
    assert_eq!(embed(json!({"texts": ["a"]}))["embeddings"]["float"][0].as_array().unwrap().len(), 1_536);
    let pictures = embed(json!({"images": ["data:image/png;base64,AAAA"]}));
    assert_eq!((&pictures["meta"]["billed_units"]["image_tokens"], &pictures["images"][0]["format"]), (&json!(256.0), &json!("png")));
    let older = embed(json!({"images": ["data:image/png;base64,AAAA"], "model": "embed-english-v3.0"}));
    assert_eq!((&older["meta"]["billed_units"]["images"], older["embeddings"]["float"][0].as_array().unwrap().len()), (&json!(1.0), 1_024));
    let mixed =
        embed(json!({"inputs": [{"content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,A"}}]}]}));
    assert_eq!(mixed["embeddings"]["float"].as_array().unwrap().len(), 1);
    for (more, said) in [
        (json!({}), "one of texts"),
        (json!({"texts": ["a"], "input_type": "poem"}), "'poem'"),
        (json!({"texts": vec!["a"; 97]}), "at most 96"),
        (json!({"texts": ["a"], "embedding_types": ["double"]}), "'double'"),
        (json!({"texts": ["a"], "output_dimension": 9_999}), "output_dimension"),
    ] {
        let mut body = json!({"model": "embed-v4.0", "input_type": "search_query"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let message = bad("embed", &body);
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn what_shares_words_with_the_query_comes_first() {
    let asked =
        json!({"model": "rerank-v3.5", "query": "capital of France", "documents": ["Cats purr.", "Paris is the capital of France.", "Of course."], "top_n": 2});
    let body = json_of(&simulate("rerank", &asked, ""));
    let results = body["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[0]["index"], &results[1]["index"]), (2, &json!(1), &json!(2)));
    assert!(results.iter().all(|result| (0.0..=1.0).contains(&result["relevance_score"].as_f64().unwrap())));
    assert_eq!(body["meta"]["billed_units"], json!({"search_units": 1.0}));
    let many = json!({"model": "rerank-v3.5", "query": "q", "documents": vec!["x".repeat(4_000); 60]});
    assert_eq!(json_of(&simulate("rerank", &many, ""))["meta"]["billed_units"]["search_units"], 2.0);
    assert!(bad("rerank", &json!({"model": "rerank-v3.5", "query": "q", "documents": []})).contains("documents"));
}

#[test]
fn tokens_are_found_again() {
    for text in ["Hello, world", "héllo ☃ 𝄞", "a"] {
        let told = json_of(&simulate("tokenize", &json!({"model": "command-a-03-2025", "text": text}), ""));
        assert_eq!(told["tokens"].as_array().unwrap().len() as u64, text::tokens(text));
        let back = json_of(&simulate("detokenize", &json!({"model": "command-a-03-2025", "tokens": told["tokens"]}), ""));
        assert_eq!(back["text"], text);
    }
    assert!(bad("tokenize", &json!({"model": "m", "text": ""})).contains("text"));
    assert!(bad("detokenize", &json!({"model": "m", "tokens": ["x"]})).contains("tokens"));
}

#[test]
fn models_are_listed_and_found() {
    let list = json_of(&simulate("models", &Value::Null, ""));
    assert_eq!((&list["models"][0]["name"], &list["models"][1]["endpoints"]), (&json!("command-a-03-2025"), &json!(["rerank"])));
    assert_eq!(json_of(&simulate("models/rerank-v3.5", &Value::Null, "")), list["models"][1]);
    assert_eq!(simulate("models/other", &Value::Null, "").status, StatusCode::NOT_FOUND);
}

#[test]
fn what_is_wrong_is_told() {
    for (more, said) in [
        (json!({"model": null}), "model"),
        (json!({"messages": null}), "messages"),
        (json!({"messages": []}), "messages"),
        (json!({"messages": [{"role": "robot", "content": "x"}]}), "'robot'"),
        (json!({"messages": [{"role": "user"}]}), "messages[0].content"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "tool_call_id"),
        (json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}), "content[0].text"),
        (json!({"safety_mode": "NEVER"}), "'NEVER'"),
        (json!({"k": 501}), "k"),
        (json!({"tool_choice": "REQUIRED"}), "REQUIRED"),
        (json!({"thinking": {"type": "maybe"}}), "'maybe'"),
        (json!({"stop_sequences": ["1", "2", "3", "4", "5", "6"]}), "5"),
        (json!({"response_format": {"type": "json_object", "json_schema": {"type": "integer", "minimum": 2, "maximum": 1}}}), "json schema"),
    ] {
        let message = bad("chat", &request(more));
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn faults_are_those_of_the_provider() {
    for status in [400, 401, 429, 500, 503] {
        let simulated = simulate("chat", &request(json!({})), &format!("status={status}"));
        let body: Value = serde_json::from_slice(&simulated.chunks[0]).unwrap();
        assert_eq!((simulated.status.as_u16(), body["message"].is_string()), (status, true));
    }
    let stream = request(json!({"stream": true}));
    let cut = simulate("chat", &stream, "cut=3");
    assert!(cut.cut && cut.chunks == simulate("chat", &stream, "").chunks[..3]);
    assert_eq!(gathered(&simulate("chat", &stream, "tokens=500"))["usage"]["billed_units"]["output_tokens"], 500.0);
    assert!(gathered(&simulate("chat", &stream, "no-usage")).get("usage").is_none());
    assert!(json_of(&simulate("chat", &request(json!({})), "no-usage")).get("usage").is_none());
    let embed = json!({"model": "embed-v4.0", "input_type": "search_query", "texts": ["a"]});
    assert!(json_of(&simulate("embed", &embed, "no-usage"))["meta"].get("billed_units").is_none());
}

fn requests() -> impl Strategy<Value = Value> {
    let optional = |name: &'static str, value: Value| prop_oneof![2 => Just(None), 1 => Just(Some((name.to_owned(), value)))];
    let format = json!({"type": "json_object", "json_schema": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}});
    (
        "\\PC{0,40}",
        prop::option::of(0..90_u64),
        optional("tools", json!([weather()])),
        optional("response_format", format),
        optional("thinking", json!({"type": "enabled"})),
        optional("documents", json!(["It rains."])),
        optional("stop_sequences", json!(["e"])),
    )
        .prop_map(|(text, limit, tools, format, thinking, documents, stops)| {
            let mut body = request(json!({"messages": [{"role": "user", "content": text}], "max_tokens": limit}));
            body.as_object_mut().unwrap().extend([tools, format, thinking, documents, stops].into_iter().flatten());
            body
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Streamed or not: the same message, to the last member; and never more than the limit.
    #[test]
    fn a_stream_says_and_counts_what_the_whole_answer_does(body in requests()) {
        let whole = json_of(&simulate("chat", &body, ""));
        let mut streamed = body.clone();
        streamed["stream"] = json!(true);
        prop_assert_eq!(&gathered(&simulate("chat", &streamed, "")), &whole);
        if let Some(limit) = body["max_tokens"].as_u64() {
            prop_assert!(whole["usage"]["billed_units"]["output_tokens"].as_f64().unwrap() <= limit as f64);
        }
    }

    #[test]
    fn no_body_breaks_it(name in "messages|model|max_tokens|stop_sequences|stream|tools|tool_choice|response_format|thinking|documents|citation_options|texts|inputs|query",
                         value in prop_oneof![Just(json!(null)), Just(json!(-1)), Just(json!(1e300)), Just(json!(u64::MAX)), Just(json!([])), Just(json!([[]])), Just(json!([{}])),
                                               Just(json!({})), Just(json!("")), Just(json!({"type": "json_object", "json_schema": true})), Just(json!([{"type": "text", "text": 7}]))]) {
        let mut body = request(json!({"input_type": "image", "documents": ["x"], "texts": ["x"], "query": "x"}));
        body[name] = value;
        for path in ["chat", "embed", "rerank", "tokenize", "detokenize"] {
            let _ = simulate(path, &body, "");
        }
    }
}
