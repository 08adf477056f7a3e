use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::apis::{RequestView, named};
use crate::sandbox::{Faults, Simulated};

const MODEL: &str = "gemini-3.8-flash";

fn simulate(call: &str, query: Option<&str>, body: &[u8], faults: &str) -> Simulated {
    let api = named("gemini").unwrap();
    let path = if call.is_empty() { "models".to_owned() } else { format!("models/{call}") };
    let method = if call.contains(':') { Method::POST } else { Method::GET };
    let operation = api.operation(&method, &path).ok().unwrap();
    let (headers, body) = (HeaderMap::new(), Bytes::copy_from_slice(body));
    let request = RequestView { method: &method, path: &path, query, headers: &headers, body: &body };
    let faults = if faults.is_empty() { Faults::default() } else { Faults::parse(faults).unwrap() };
    crate::apis::simulate(api, operation, &request, &faults, &mut ["gemini-3.8-flash", "gemini-embedding-001"].into_iter())
}

fn request(more: Value) -> Value {
    let mut body = json!({"contents": [{"role": "user", "parts": [{"text": "What is the weather in Paris?"}]}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn generate(body: &Value, faults: &str) -> Simulated {
    simulate(&format!("{MODEL}:generateContent"), None, body.to_string().as_bytes(), faults)
}

fn ask(more: Value) -> Value {
    let simulated = generate(&request(more), "");
    assert_eq!(simulated.status, StatusCode::OK, "{:?}", simulated.chunks);
    serde_json::from_slice(&simulated.chunks.concat()).unwrap()
}

fn bad(more: Value) -> String {
    let simulated = generate(&request(more), "");
    let body: Value = serde_json::from_slice(&simulated.chunks[0]).unwrap();
    assert_eq!((simulated.status.as_u16(), &body["error"]["code"], &body["error"]["status"]), (400, &json!(400), &json!("INVALID_ARGUMENT")), "{body}");
    body["error"]["message"].as_str().unwrap().to_owned()
}

/// The pieces of a stream, in either of its forms.
fn pieces(body: &Value, query: Option<&str>, faults: &str) -> Vec<Value> {
    let simulated = simulate(&format!("{MODEL}:streamGenerateContent"), query, body.to_string().as_bytes(), faults);
    assert_eq!(simulated.status, StatusCode::OK, "{:?}", simulated.chunks);
    assert!(simulated.is_stream());
    let text = String::from_utf8(simulated.chunks.concat()).unwrap();
    if query == Some("alt=sse") {
        let data = |event: &str| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
        return text.split("\r\n\r\n").filter(|event| !event.is_empty()).map(data).collect();
    }
    serde_json::from_str::<Vec<Value>>(&text).unwrap()
}

/// The pieces put together, as SDKs do.
fn joined(pieces: &[Value]) -> Value {
    let mut whole = pieces.last().unwrap().clone();
    let mut candidates: Vec<Value> = Vec::new();
    for piece in pieces {
        for candidate in piece["candidates"].as_array().unwrap() {
            let index = usize::try_from(candidate["index"].as_u64().unwrap()).unwrap();
            if candidates.len() == index {
                candidates.push(json!({"content": {"role": "model"}, "index": index}));
            }
            let known = &mut candidates[index];
            for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
                let parts = known["content"].as_object_mut().unwrap().entry("parts").or_insert_with(|| json!([])).as_array_mut().unwrap();
                match parts.last_mut() {
                    Some(last) if last.get("text").is_some() && last.get("thought") == part.get("thought") && part.get("text").is_some() => {
                        last["text"] = json!(format!("{}{}", last["text"].as_str().unwrap(), part["text"].as_str().unwrap()));
                    }
                    _ => parts.push(part.clone()),
                }
            }
            if let Some(reason) = candidate.get("finishReason") {
                known["finishReason"] = reason.clone();
            }
        }
    }
    whole["candidates"] = Value::Array(candidates);
    whole
}

fn weather() -> Value {
    let parameters = json!({"type": "OBJECT", "properties": {"city": {"type": "STRING"}, "days": {"type": "INTEGER", "minimum": 1, "maximum": 7}}, "required": ["city", "days"]});
    json!([{"functionDeclarations": [{"name": "get_weather", "description": "d", "parameters": parameters}]}])
}

#[test]
fn an_answer_has_every_field() {
    let answer = ask(json!({}));
    let candidate = &answer["candidates"][0];
    assert_eq!((&candidate["finishReason"], &candidate["index"], &candidate["content"]["role"]), (&json!("STOP"), &json!(0), &json!("model")));
    assert!(candidate["content"]["parts"][0]["text"].as_str().unwrap().starts_with("This is a simulated answer"));
    let usage = &answer["usageMetadata"];
    let sum = usage["promptTokenCount"].as_u64().unwrap() + usage["candidatesTokenCount"].as_u64().unwrap();
    assert_eq!(usage["totalTokenCount"], sum);
    assert_eq!(answer["modelVersion"], MODEL);
    assert_eq!(ask(json!({})), answer, "the same request gets the same answer");
    let snake = json!({"contents": {"parts": {"text": "x"}}, "generation_config": {"max_output_tokens": 3, "candidate_count": 2}});
    let camel = json!({"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"maxOutputTokens": 3, "candidateCount": 2}});
    let (snake, camel) = (generate(&snake, ""), generate(&camel, ""));
    assert_eq!(snake, camel);
    let two: Value = serde_json::from_slice(&snake.chunks[0]).unwrap();
    assert_eq!((two["candidates"].as_array().unwrap().len(), &two["usageMetadata"]["candidatesTokenCount"]), (2, &json!(6)));
    assert_eq!(two["candidates"][1]["finishReason"], "MAX_TOKENS");
}

#[test]
fn functions_are_called_and_their_results_answered() {
    for mode in ["AUTO", "ANY", "VALIDATED"] {
        let answer = ask(json!({"tools": weather(), "toolConfig": {"functionCallingConfig": {"mode": mode}}}));
        let call = &answer["candidates"][0]["content"]["parts"][0]["functionCall"];
        assert_eq!(call["name"], "get_weather");
        assert!(call["args"]["city"].is_string() && (1..=7).contains(&call["args"]["days"].as_i64().unwrap()), "{call}");
    }
    assert!(
        ask(json!({"tools": weather(), "toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}))["candidates"][0]["content"]["parts"][0]["text"].is_string()
    );
    let results = json!([{"role": "user", "parts": [{"functionResponse": {"name": "get_weather", "response": {"result": "sunny"}}}]}]);
    assert!(ask(json!({"tools": weather(), "contents": results}))["candidates"][0]["content"]["parts"][0]["text"].is_string());
    let cut = ask(json!({"tools": weather(), "generationConfig": {"maxOutputTokens": 2}}));
    assert_eq!((&cut["candidates"][0]["finishReason"], cut["candidates"][0]["content"].get("parts")), (&json!("MAX_TOKENS"), None));
    assert_eq!(ask(json!({"tools": [{"functionDeclarations": [{"name": "now"}]}]}))["candidates"][0]["content"]["parts"][0]["functionCall"]["args"], json!({}));
    assert!(
        bad(json!({"tools": weather(), "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["other"]}}})).contains("no function")
    );
    assert!(ask(json!({"tools": [{"googleSearch": {}}]}))["candidates"][0]["content"]["parts"][0]["text"].is_string());
}

#[test]
fn structured_output_fits_its_schema_in_either_dialect() {
    let own = json!({"type": "OBJECT", "properties": {"sky": {"type": "STRING", "enum": ["clear", "grey"], "format": "enum"}, "wind": {"type": "NUMBER", "nullable": true},
                     "hours": {"type": "ARRAY", "items": {"ref": "#/defs/Hour"}, "minItems": "2"}}, "required": ["sky", "hours"], "propertyOrdering": ["sky", "wind", "hours"],
                     "defs": {"Hour": {"type": "INTEGER", "format": "int32"}}});
    let plain = json!({"type": "object", "properties": {"sky": {"enum": ["clear", "grey"]}, "hours": {"type": "array", "items": {"$ref": "#/$defs/Hour"}, "minItems": 2}},
                       "required": ["sky", "hours"], "$defs": {"Hour": {"type": "integer"}}});
    for config in [json!({"responseSchema": own}), json!({"responseJsonSchema": plain}), json!({"response_schema": own})] {
        let mut config = config;
        config["responseMimeType"] = json!("application/json");
        let answer = ask(json!({"generationConfig": config}));
        let made: Value = serde_json::from_str(answer["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap()).unwrap();
        assert!(jsonschema::is_valid(&plain, &made), "{made}");
    }
    let word = ask(json!({"generationConfig": {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["yes"]}}}));
    assert_eq!(word["candidates"][0]["content"]["parts"][0]["text"], "yes");
    let free = ask(json!({"generationConfig": {"responseMimeType": "application/json"}}));
    assert!(serde_json::from_str::<Value>(free["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap()).unwrap().is_object());
    let mime = json!({"responseMimeType": "application/json"});
    let wrong = |more: Value| {
        let mut config = mime.clone();
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        bad(json!({"generationConfig": config}))
    };
    assert!(wrong(json!({"responseSchema": {"type": "INTEGER", "minimum": 2, "maximum": 1}})).contains("invalid schema"));
    assert!(wrong(json!({"responseSchema": {}, "responseJsonSchema": {}})).contains("both"));
    assert!(bad(json!({"generationConfig": {"responseSchema": {"type": "STRING"}}})).contains("application/json"));
}

#[test]
fn thoughts_are_billed_apart_and_shown_when_asked() {
    let shown = ask(json!({"generationConfig": {"thinkingConfig": {"includeThoughts": true, "thinkingBudget": 100}}}));
    let parts = shown["candidates"][0]["content"]["parts"].as_array().unwrap();
    assert_eq!((parts.len(), &parts[0]["thought"], parts[1].get("thought")), (2, &json!(true), None));
    assert_eq!(shown["usageMetadata"]["thoughtsTokenCount"], 24);
    let hidden = ask(json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "HIGH"}}}));
    assert_eq!((hidden["candidates"][0]["content"]["parts"].as_array().unwrap().len(), &hidden["usageMetadata"]["thoughtsTokenCount"]), (1, &json!(24)));
    let off = ask(json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": 0, "includeThoughts": true}}}));
    assert_eq!(off["usageMetadata"].get("thoughtsTokenCount"), None);
    let short = ask(json!({"generationConfig": {"maxOutputTokens": 10, "thinkingConfig": {"includeThoughts": true}}}));
    assert_eq!((&short["usageMetadata"]["thoughtsTokenCount"], short["usageMetadata"].get("candidatesTokenCount")), (&json!(10), None));
    assert_eq!(short["candidates"][0]["finishReason"], "MAX_TOKENS");
}

#[test]
fn images_and_sound_are_counted_as_such() {
    let image = ask(json!({"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}));
    assert_eq!(image["candidates"][0]["content"]["parts"][0]["inlineData"]["mimeType"], "image/png");
    assert_eq!(image["usageMetadata"]["candidatesTokensDetails"], json!([{"modality": "IMAGE", "tokenCount": 1290}]));
    let sound = ask(json!({"generationConfig": {"responseModalities": ["AUDIO"]}}));
    assert_eq!(sound["usageMetadata"]["candidatesTokensDetails"][0]["modality"], "AUDIO");
    assert_eq!(ask(json!({"generationConfig": {"responseModalities": ["IMAGE"], "maxOutputTokens": 100}}))["candidates"][0]["finishReason"], "MAX_TOKENS");
}

#[test]
fn what_is_wrong_is_told_in_the_provider_s_words() {
    for (more, said) in [
        (json!({"contents": []}), "contents is not specified"),
        (json!({"contents": null}), "contents is not specified"),
        (json!({"contents": [{"parts": []}]}), "must not be empty"),
        (json!({"contents": [{"parts": [{}]}]}), "required oneof field 'data'"),
        (json!({"contents": [{"role": "robot", "parts": [{"text": "x"}]}]}), "valid role"),
        (json!({"systemInstruction": {"parts": []}}), "must not be empty"),
        (json!({"generationConfig": {"temperature": 3}}), "temperature"),
        (json!({"generationConfig": {"candidateCount": 9}}), "candidateCount"),
        (json!({"tools": [{"functionDeclarations": [{}]}]}), "must have a name"),
        (json!({"toolConfig": {"functionCallingConfig": {"mode": "MAYBE"}}}), "AUTO, ANY"),
    ] {
        let message = bad(more);
        assert!(message.contains(said), "{message}");
    }
    for body in [&b""[..], b"{", b"\xff", b"null", b"[]"] {
        for call in ["generateContent", "streamGenerateContent", "embedContent", "batchEmbedContents", "countTokens"] {
            assert_eq!(simulate(&format!("{MODEL}:{call}"), None, body, "").status, StatusCode::BAD_REQUEST);
        }
    }
}

#[test]
fn embeddings_are_unit_vectors_that_can_be_shortened() {
    let one = |text: &str, more: Value| {
        let mut body = json!({"content": {"parts": [{"text": text}]}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let simulated = simulate("gemini-embedding-001:embedContent", None, body.to_string().as_bytes(), "");
        serde_json::from_slice::<Value>(&simulated.chunks[0]).unwrap()
    };
    let values = |embedding: &Value| embedding["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect::<Vec<_>>();
    let long = one("hello", json!({}));
    assert_eq!((values(&long["embedding"]).len(), &long["usageMetadata"]["promptTokenCount"]), (3_072, &json!(2)));
    let short = values(&one("hello", json!({"output_dimensionality": 8}))["embedding"]);
    assert!(short.len() == 8 && (short.iter().map(|value| value * value).sum::<f64>() - 1.0).abs() < 1e-5);
    let ratio = short[0] / values(&long["embedding"])[0];
    assert!((short[7] / values(&long["embedding"])[7] - ratio).abs() < 1e-3 * ratio.abs());
    let request = |text: &str| json!({"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]}, "outputDimensionality": 8});
    let body = json!({"requests": [request("hello"), request("other")]});
    let batch: Value = serde_json::from_slice(&simulate("gemini-embedding-001:batchEmbedContents", None, body.to_string().as_bytes(), "").chunks[0]).unwrap();
    assert_eq!(values(&batch["embeddings"][0]), short);
    assert_ne!(values(&batch["embeddings"][1]), short);
    assert_eq!(batch["usageMetadata"]["promptTokenCount"], 4);
    assert_eq!(simulate("gemini-embedding-001:embedContent", None, br#"{"content":{"parts":[{"text":"x"}]},"outputDimensionality":9999}"#, "").status, 400);
}

#[test]
fn tokens_are_counted_as_they_are_billed_and_models_listed() {
    for more in [json!({}), json!({"systemInstruction": {"parts": [{"text": "be brief"}]}, "tools": weather()})] {
        let body = request(more.clone());
        for counted in [body.clone(), json!({"generateContentRequest": body})] {
            let counted: Value =
                serde_json::from_slice(&simulate(&format!("{MODEL}:countTokens"), None, counted.to_string().as_bytes(), "").chunks[0]).unwrap();
            assert_eq!(counted["totalTokens"], ask(more.clone())["usageMetadata"]["promptTokenCount"]);
        }
    }
    let list: Value = serde_json::from_slice(&simulate("", None, b"", "").chunks[0]).unwrap();
    assert_eq!((&list["models"][0]["name"], &list["models"][1]["supportedGenerationMethods"][0]), (&json!("models/gemini-3.8-flash"), &json!("embedContent")));
    assert_eq!(serde_json::from_slice::<Value>(&simulate(MODEL, None, b"", "").chunks[0]).unwrap(), list["models"][0]);
    assert_eq!(simulate("other", None, b"", "").status, StatusCode::NOT_FOUND);
}

#[test]
fn faults_are_those_of_the_provider() {
    for (status, name) in [(401, "UNAUTHENTICATED"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL"), (503, "UNAVAILABLE"), (418, "INVALID_ARGUMENT")] {
        let simulated = generate(&request(json!({})), &format!("status={status}"));
        let body: Value = serde_json::from_slice(&simulated.chunks[0]).unwrap();
        assert_eq!((simulated.status.as_u16(), &body["error"]["code"], &body["error"]["status"]), (status, &json!(status), &json!(name)));
    }
    let body = request(json!({}));
    for query in [None, Some("alt=sse")] {
        let stream = |faults: &str| simulate(&format!("{MODEL}:streamGenerateContent"), query, body.to_string().as_bytes(), faults);
        let cut = stream("cut=3");
        assert!(cut.cut && cut.chunks == stream("").chunks[..3]);
        assert_eq!(joined(&pieces(&body, query, "tokens=500"))["usageMetadata"]["candidatesTokenCount"], 500);
        assert!(pieces(&body, query, "no-usage").iter().all(|piece| piece.get("usageMetadata").is_none()));
    }
    assert!(serde_json::from_slice::<Value>(&generate(&body, "no-usage").chunks[0]).unwrap().get("usageMetadata").is_none());
    let large = simulate(&format!("{MODEL}:streamGenerateContent"), None, body.to_string().as_bytes(), "tokens=1000000");
    assert!(large.chunks.iter().map(Bytes::len).sum::<usize>() < 8 << 20);
}

fn requests() -> impl Strategy<Value = Value> {
    let optional = |name: &'static str, value: Value| prop_oneof![2 => Just(None), 1 => Just(Some((name.to_owned(), value)))];
    ("\\PC{0,40}", 1..90_u64, 1..3_u64, optional("tools", weather()), any::<bool>(), any::<bool>(), proptest::option::of(Just(json!(["e"])))).prop_map(
        |(text, limit, candidates, tools, thinks, json, stops)| {
            let mut config = json!({"maxOutputTokens": limit, "candidateCount": candidates});
            if thinks {
                config["thinkingConfig"] = json!({"includeThoughts": true});
            }
            if json {
                config["responseMimeType"] = json!("application/json");
                config["responseSchema"] = json!({"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]});
            }
            if let Some(stops) = stops {
                config["stopSequences"] = stops;
            }
            let mut body = request(json!({"contents": [{"parts": [{"text": text}]}], "generationConfig": config}));
            body.as_object_mut().unwrap().extend(tools);
            body
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Streamed in either form or not: the same answer, to the last member; and never more than the limit.
    #[test]
    fn a_stream_says_and_counts_what_the_whole_answer_does(body in requests()) {
        let whole: Value = serde_json::from_slice(&generate(&body, "").chunks[0]).unwrap();
        for query in [None, Some("alt=sse")] {
            prop_assert_eq!(&joined(&pieces(&body, query, "")), &whole);
        }
        let usage = &whole["usageMetadata"];
        let output = usage["candidatesTokenCount"].as_u64().unwrap_or(0) + usage["thoughtsTokenCount"].as_u64().unwrap_or(0);
        let config = &body["generationConfig"];
        prop_assert!(output <= config["maxOutputTokens"].as_u64().unwrap() * config["candidateCount"].as_u64().unwrap());
    }

    #[test]
    fn no_body_breaks_it(name in "contents|systemInstruction|tools|toolConfig|generationConfig|requests|content",
                         value in prop_oneof![Just(json!(null)), Just(json!(-1)), Just(json!(1e300)), Just(json!([])), Just(json!([[]])), Just(json!([{}])), Just(json!({})), Just(json!("")),
                                               Just(json!({"responseSchema": 7, "responseMimeType": "application/json"})), Just(json!([{"functionDeclarations": [7]}])), Just(json!([{"parts": [7]}]))]) {
        let mut body = request(json!({}));
        body[name] = value;
        for call in ["generateContent", "streamGenerateContent", "embedContent", "batchEmbedContents", "countTokens"] {
            let _ = simulate(&format!("{MODEL}:{call}"), Some("alt=sse"), body.to_string().as_bytes(), "");
        }
    }
}
