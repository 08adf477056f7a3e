use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::apis::AskErrorKind;

const MODEL: &str = "gemini-3.8-flash";

fn ask(body: &Value) -> Ask {
    read(MODEL, body.to_string().as_bytes(), false).unwrap_or_else(|error| panic!("{body}: {error}"))
}

fn refusal(body: &str) -> AskError {
    read(MODEL, body.as_bytes(), false).expect_err(body)
}

fn with(more: Value) -> Value {
    let mut body = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn parts(parts: Value) -> Value {
    json!({"contents": [{"role": "user", "parts": parts}]})
}

#[test]
fn both_spellings_ask_for_the_same() {
    let camel = with(json!({
        "systemInstruction": {"parts": [{"text": "brief"}]},
        "generationConfig": {"maxOutputTokens": 77, "candidateCount": 2, "thinkingConfig": {"thinkingBudget": 30, "includeThoughts": true}},
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}, {"googleSearch": {}}],
        "serviceTier": "flex",
    }));
    let snake = with(json!({
        "system_instruction": {"parts": {"text": "brief"}},
        "generation_config": {"max_output_tokens": 77, "candidate_count": 2, "thinking_config": {"thinking_budget": 30, "include_thoughts": true}},
        "tools": [{"function_declarations": {"name": "f", "parameters_json_schema": {"type": "object"}}}, {"google_search": {}}],
        "service_tier": "SERVICE_TIER_FLEX",
    }));
    for body in [camel, snake] {
        let asked = ask(&body);
        assert_eq!((asked.bound.output_tokens, asked.bound.choices, asked.bound.least_output), (Some(77), 2, 31));
        assert_eq!((asked.bound.max_searches, asked.bound.windows, asked.service_tier.as_deref()), (32, 1, Some("flex")));
        let sent: Value = serde_json::from_slice(&asked.upstream_body(&Bytes::from(body.to_string()), Some(5))).unwrap();
        let limit = sent.pointer("/generationConfig/maxOutputTokens").or_else(|| sent.pointer("/generation_config/max_output_tokens"));
        assert_eq!(limit, Some(&json!(5)));
    }
    for twice in [
        r#"{"contents":[],"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9}}"#,
        r#"{"contents":[],"generationConfig":{},"generation_config":{"maxOutputTokens":9}}"#,
        r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","mime_type":"video/mp4","data":""}}]}]}"#,
        r#"{"contents":[],"tools":[{"googleSearch":{},"google_search":{}}]}"#,
        r#"{"contents":[],"contents":[]}"#,
    ] {
        let error = refusal(twice);
        assert!(error.message.contains("send it once") && error.kind == AskErrorKind::Invalid, "{error}");
    }
}

#[test]
fn the_limit_goes_where_it_belongs() {
    for (config, expected) in [
        (json!(null), json!({"maxOutputTokens": 9})),
        (json!({}), json!({"maxOutputTokens": 9})),
        (json!({"temperature": 1}), json!({"temperature": 1, "maxOutputTokens": 9})),
        (json!({"maxOutputTokens": 500, "topK": 3}), json!({"maxOutputTokens": 9, "topK": 3})),
        (json!({"maxOutputTokens": null}), json!({"maxOutputTokens": 9})),
    ] {
        let body = if config.is_null() { with(json!({})) } else { with(json!({"generationConfig": config})) };
        let text = Bytes::from(body.to_string());
        let asked = read(MODEL, &text, true).unwrap();
        let sent: Value = serde_json::from_slice(&asked.upstream_body(&text, Some(9))).unwrap();
        assert_eq!(sent["generationConfig"], expected);
        assert_eq!(sent["contents"], body["contents"]);
        assert_eq!(asked.upstream_body(&text, None), text, "as it came, where nothing changes");
    }
    assert!(refusal(r#"{"contents":[],"generationConfig":null}"#).message.contains("must be an object"));
}

#[test]
fn text_is_bounded_by_its_bytes() {
    let text = "ü".repeat(2_000);
    let asked = ask(&parts(json!([{"text": text}, {"functionResponse": {"name": "f", "response": {"a": "x".repeat(500)}}}])));
    assert!((4_500..4_900).contains(&asked.bound.input.get(Unit::Input)), "{:?}", asked.bound.input);
    assert_eq!((asked.bound.windows, asked.bound.max_searches), (0, 0));
    let tools = json!({"tools": [{"functionDeclarations": [{"name": "f", "description": "d".repeat(3_000)}]}], "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}});
    assert!((4_000..4_500).contains(&ask(&with(tools)).bound.input.get(Unit::Input)));
    let schema = json!({"generationConfig": {"responseMimeType": "application/json", "responseSchema": {"type": "STRING", "enum": ["y".repeat(2_000)]}}});
    assert!((3_000..3_500).contains(&ask(&with(schema)).bound.input.get(Unit::Input)));
}

#[test]
fn media_are_bounded_by_their_kind() {
    let data = "A".repeat(100_000);
    let inline = |kind: &str| ask(&parts(json!([{"inlineData": {"data": data, "mimeType": kind}}, {"text": "what?"}]))).bound;
    let image = inline("image/png");
    assert_eq!((image.input.get(Unit::InputImage), image.windows), (6_500, 0));
    assert!(image.input.get(Unit::Input) < 400, "its bytes are no text");
    assert!(inline("text/plain").input.get(Unit::Input) > 100_000);
    for (kind, unit) in [("application/pdf", Unit::Input), ("audio/mp3", Unit::InputAudio), ("video/mp4", Unit::InputVideo), ("odd", Unit::InputVideo)] {
        let bound = inline(kind).with_window(Some(1_000_000)).unwrap();
        assert_eq!(bound.input.get(unit), 1_000_000, "{kind}");
    }
    let film = ask(&parts(json!([{"fileData": {"fileUri": "https://www.youtube.com/watch?v=x"}}]))).bound;
    assert_eq!((film.windows, film.input.get(Unit::InputVideo)), (1, 1));
    let result = json!([{"functionResponse": {"name": "f", "response": {}, "parts": [{"inlineData": {"mimeType": "image/png", "data": data}}]}}]);
    assert_eq!(ask(&parts(result)).bound.input.get(Unit::InputImage), 6_500);
    let fine = json!([{"inlineData": {"mimeType": "image/png", "data": ""}, "mediaResolution": {"numTokens": 9_000}}]);
    assert_eq!(ask(&parts(fine)).bound.input.get(Unit::InputImage), 9_000);
}

#[test]
fn tools_at_the_provider_fill_the_window() {
    let old = read("gemini-2.5-flash", with(json!({"tools": [{"googleSearch": {}}]})).to_string().as_bytes(), false).unwrap();
    assert_eq!((old.bound.max_searches, old.bound.windows), (1, 1));
    let context = ask(&with(json!({"tools": {"urlContext": {}}})));
    assert_eq!((context.bound.max_searches, context.bound.windows), (0, 1));
    let continued = ask(&with(json!({"continuationToken": "AAAA"})));
    assert_eq!(continued.bound.windows, 1);
    let computer = ask(&with(json!({"tools": [{"computerUse": {"environment": "ENVIRONMENT_BROWSER"}}]})));
    assert!(computer.bound.input.get(Unit::Input) > 16_000 && computer.bound.windows == 0);
}

#[test]
fn output_is_bounded_by_the_limit_and_images_by_one_more() {
    assert_eq!(ask(&with(json!({}))).bound.output_tokens, None);
    for (config, least) in
        [(json!({"thinkingBudget": -1}), 0), (json!({"thinkingBudget": 0}), 0), (json!({"thinkingBudget": 512}), 513), (json!({"thinkingLevel": "LOW"}), 0)]
    {
        assert_eq!(ask(&with(json!({"generationConfig": {"thinkingConfig": config}}))).bound.least_output, least);
    }
    let image = ask(&with(json!({"generationConfig": {"responseModalities": ["TEXT", "Image"], "maxOutputTokens": 4_000, "candidateCount": 2}})));
    assert_eq!((image.bound.input.get(Unit::OutputImage), image.bound.least_output, image.bound.output_tokens), (2 * 2_520, 2_520, Some(4_000)));
    let unasked = read("gemini-3-pro-image", with(json!({})).to_string().as_bytes(), false).unwrap();
    assert_eq!(unasked.bound.input.get(Unit::OutputImage), 2_520);
    for (model, unseen) in [
        ("gemini-2.0-flash", UnseenOutput::UpTo(0)),
        ("gemini-2.0-flash-thinking", UnseenOutput::Any),
        ("gemini-2.5-flash", UnseenOutput::Any),
        ("gemini-flash-latest", UnseenOutput::Any),
    ] {
        assert_eq!(read(model, with(json!({})).to_string().as_bytes(), true).unwrap().unseen, unseen, "{model}");
    }
}

#[test]
fn everything_that_is_understood_is_taken() {
    let all = with(json!({
        "model": format!("models/{MODEL}"), "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}], "labels": {"a_b": "c", "aB": "d"},
        "store": false, "cachedContent": null, "serviceTier": "standard",
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}, "retrievalConfig": {"latLng": {"latitude": 1}}, "includeServerSideToolInvocations": true},
        "generationConfig": {
            "temperature": 0.5, "topP": 1, "topK": 40, "seed": 7, "stopSequences": ["x"], "presencePenalty": 0, "frequencyPenalty": 0, "responseLogprobs": true,
            "logprobs": 3, "responseMimeType": "text/plain", "mediaResolution": "MEDIA_RESOLUTION_HIGH", "imageConfig": {"imageSize": "4K"},
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}, "audioTimestamp": true, "enableEnhancedCivicAnswers": null,
        },
        "contents": [
            {"role": "model", "parts": [
                {"text": "t", "thought": true, "thoughtSignature": "AAAA"}, {"functionCall": {"id": "1", "name": "f", "args": {"max_tokens": 1, "maxTokens": 2}}},
                {"executableCode": {"code": "1"}}, {"codeExecutionResult": {"output": "1"}}, {"toolCall": {}}, {"toolResponse": {}}]},
            {"role": "user", "parts": [{"text": "x", "partMetadata": {"a": 1}, "mediaProcessing": "STATIC", "speechMetadata": {"style": "calm"}}]},
        ],
    }));
    assert_eq!(ask(&all).bound.windows, 0);
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    for (more, name) in [
        (json!({"cachedContent": "cachedContents/1"}), "cachedContent"),
        (json!({"tools": [{"codeExecution": {}}]}), "codeExecution"),
        (json!({"tools": [{"code_execution": {}}]}), "codeExecution"),
        (json!({"tools": [{"googleMaps": {}}]}), "googleMaps"),
        (json!({"tools": [{"fileSearch": {}}]}), "fileSearch"),
        (json!({"tools": [{"mcpServers": []}]}), "mcpServers"),
        (json!({"tools": [{"enterpriseWebSearch": {}}]}), "enterpriseWebSearch"),
        (json!({"tools": [{"newTool": {}}]}), "newTool"),
        (json!({"generationConfig": {"routingConfig": {}}}), "routingConfig"),
        (json!({"generationConfig": {"responseModalities": ["VIDEO"]}}), "responseModalities"),
        (json!({"generationConfig": {"MaxOutputTokens": 5}}), "MaxOutputTokens"),
        (json!({"generationConfig": {"max_outputTokens": 5}}), "max_outputTokens"),
        (json!({"generationConfig": {"thinkingConfig": {"newKnob": 1}}}), "newKnob"),
        (json!({"Contents": []}), "Contents"),
        (json!({"surprise": null}), "surprise"),
        (json!({"contents": [{"parts": [{"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x"}}]}]}), "fileData"),
        (json!({"contents": [{"parts": [{"file_data": {"file_uri": "gs://bucket/x"}}]}]}), "fileData"),
        (json!({"contents": [{"parts": [{"fileData": {"fileUri": "files/x"}}]}]}), "fileData"),
        (json!({"contents": [{"parts": [{"newPart": 1}]}]}), "newPart"),
        (json!({"contents": [{"parts": [{"text": "", "mediaProcessing": "AGENTIC"}]}]}), "mediaProcessing"),
        (json!({"toolConfig": {"newConfig": {}}}), "newConfig"),
    ] {
        let error = refusal(&with(more.clone()).to_string());
        assert_eq!((error.param.as_deref(), error.kind), (Some(name), AskErrorKind::Unsupported), "{more}: {error}");
        assert!(error.message.contains(name), "{error}");
    }
}

#[test]
fn what_is_malformed_is_refused() {
    for body in [
        "",
        "[]",
        "{}",
        r#"{"contents":null}"#,
        r#"{"contents":"hi"}"#,
        r#"{"contents":[{"parts":"hi"}]}"#,
        r#"{"contents":[{"role":7,"parts":[]}]}"#,
        r#"{"contents":[],"generationConfig":[]}"#,
        r#"{"contents":[],"generationConfig":{"maxOutputTokens":0}}"#,
        r#"{"contents":[],"generationConfig":{"maxOutputTokens":-1}}"#,
        r#"{"contents":[],"generationConfig":{"maxOutputTokens":"5"}}"#,
        r#"{"contents":[],"generationConfig":{"maxOutputTokens":1e3}}"#,
        r#"{"contents":[],"generationConfig":{"candidateCount":9}}"#,
        r#"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":-2}}}"#,
        r#"{"contents":[],"serviceTier":"gold"}"#,
        r#"{"contents":[],"serviceTier":2}"#,
        r#"{"contents":[],"model":"models/another"}"#,
        "\u{feff}{\"contents\":[]}",
        r#"{"contents":[]} x"#,
        r#"{"contents":[{"parts":[{"inlineData":{"data":"AA"}}]}]}"#,
    ] {
        assert_eq!(refusal(body).kind, AskErrorKind::Invalid, "{body}");
    }
}

proptest! {
    /// However a body is written, setting the limit leaves a body that says the same but for the limit.
    #[test]
    fn setting_the_limit_changes_nothing_else(limit in 1_u64..100_000, config in proptest::option::of(proptest::option::of(1_u64..9_000)), snake in any::<bool>(), text in "\\PC{0,30}") {
        let mut body = json!({"contents": [{"parts": [{"text": text}]}]});
        let (config_name, limit_name) = if snake { ("generation_config", "max_output_tokens") } else { ("generationConfig", "maxOutputTokens") };
        if let Some(old) = config {
            body[config_name] = old.map_or_else(|| json!({"temperature": 1}), |old| json!({ limit_name: old, "temperature": 1}));
        }
        let bytes = Bytes::from(body.to_string());
        let asked = read(MODEL, &bytes, true).unwrap();
        let mut sent: Value = serde_json::from_slice(&asked.upstream_body(&bytes, Some(limit))).unwrap();
        let config_name = if config.is_some() { config_name } else { "generationConfig" };
        let set = sent[config_name].as_object_mut().unwrap();
        let found: Vec<Value> = ["maxOutputTokens", "max_output_tokens"].iter().filter_map(|name| set.remove(*name)).collect();
        prop_assert_eq!(found, vec![json!(limit)]);
        prop_assert_eq!(&sent["contents"], &body["contents"]);
    }

    #[test]
    fn no_body_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = read(MODEL, &bytes, false);
        let _ = read(MODEL, &[b"{\"contents\":[{\"parts\":[", bytes.as_slice(), b"]}]}"].concat(), false);
    }
}
