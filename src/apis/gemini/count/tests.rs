use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::*;
use crate::apis::gemini::GENERATE;
use crate::apis::{Ask, Operation};
use crate::prices::{Margin, Unit};

fn counted_at(path: &str, body: &str) -> (Ask, Option<CountCall>) {
    let (headers, body) = (HeaderMap::new(), Bytes::from(body.to_owned()));
    let request = RequestView { method: &Method::POST, path, query: Some("alt=sse"), headers: &headers, body: &body };
    (GENERATE.ask(&request).unwrap(), GENERATE.count_call(&request))
}

/// A request with more members: what it asks for, and how it is counted.
fn counted(more: Value) -> (Ask, Option<CountCall>) {
    let mut body = json!({"contents": [{"parts": [{"text": "hi"}]}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    counted_at("v1beta/models/gemini-2.5-flash:generateContent", &body.to_string())
}

fn part(part: Value) -> Value {
    json!({"contents": [{"parts": [part]}]})
}

#[test]
fn asks_for_what_becomes_input_as_it_stands() {
    let body = r#"{ "system_instruction" : {"parts":{"text":"s"}},"contents":[ {"parts":[{"text":"\u0041"}]} ], "tools":null,
        "generationConfig":{"maxOutputTokens":7},"safetySettings":[],"model":"m"}"#;
    let whole = r#"{"generateContentRequest":{"model":"models/m","system_instruction" : {"parts":{"text":"s"}},"contents":[ {"parts":[{"text":"\u0041"}]} ]}}"#;
    for (path, expected) in [
        ("v1beta/models/m:streamGenerateContent", "v1beta/models/m:countTokens"),
        ("v1/models/m%3AgenerateContent", "v1/models/m:countTokens"),
        ("models/m:generateContent", "models/m:countTokens"),
    ] {
        let call = counted_at(path, body).1.unwrap();
        assert_eq!((call.path.as_str(), call.query.as_deref(), std::str::from_utf8(&call.body)), (expected, None, Ok(whole)));
    }
}

#[test]
fn what_no_count_tells_is_not_counted() {
    let endless = json!({"type": "object", "properties": {"child": {"$ref": "#"}}});
    for more in [
        part(json!({"fileData": {"fileUri": "https://example.com/x.png"}})),
        part(json!({"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}})),
        part(json!({"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}})),
        part(json!({"functionResponse": {"name": "f", "parts": [{"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}}]}})),
        json!({"tools": [{"googleSearch": {}}]}),
        json!({"tools": [{"urlContext": {}}]}),
        json!({"tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": endless}]}]}),
        json!({"continuationToken": "x"}),
    ] {
        assert_eq!(counted(more.clone()).1, None, "{more}");
    }
}

#[test]
fn what_a_count_may_leave_out_keeps_its_bound() {
    let beside = |more: Value| counted(more).1.unwrap().beside;
    let bytes = |value: &Value| value.to_string().len() as u64;
    for counted in [
        part(json!({"text": "x"})),
        part(json!({"text": "x", "thought": false})),
        part(json!({"functionCall": {"name": "f", "args": {}}})),
        part(json!({"functionResponse": {"name": "f", "response": {}}})),
        json!({"tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}]}),
        json!({"generationConfig": {"maxOutputTokens": 9}}),
    ] {
        assert_eq!(beside(counted.clone()), 0, "{counted}");
    }
    let signature = json!("c2lnbmVk");
    assert_eq!(beside(part(json!({"functionCall": {"name": "f"}, "thoughtSignature": signature}))), bytes(&signature));
    let thought = json!({"text": "so", "thought": true});
    assert_eq!(beside(part(thought.clone())), bytes(&thought));
    assert_eq!(beside(part(json!({"inlineData": {"mimeType": "text/plain", "data": "AAAA"}}))), 4);
    let schema = json!({"type": "object"});
    assert_eq!(beside(json!({"generationConfig": {"responseSchema": schema}})), 1_024 + r#""responseSchema":{"type":"object"}"#.len() as u64);
    assert_eq!(beside(json!({"tools": [{"computerUse": {}}]})), 16_384);
}

#[test]
fn a_count_bounds_the_text_and_media_keep_their_own() {
    let margin: Margin = "1.02".parse().unwrap();
    let parts = json!([{"text": "word ".repeat(1_000)}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]);
    let (ask, call) = counted(json!({"contents": [{"parts": parts}]}));
    let call = call.unwrap();
    let input = call.ask_counted(&ask, 1_258, margin).bound.input;
    assert_eq!((input.get(Unit::Input), input.get(Unit::InputImage)), (1_258 + 64, 6_500));
    assert_eq!(call.read(br#"{"totalTokens":1258,"promptTokensDetails":[{"modality":"TEXT","tokenCount":1000}]}"#, &ask), Some(1_258));
    // More than the text may be, and not more than the text and the image.
    assert_eq!(call.read(br#"{"totalTokens":9000}"#, &ask), Some(9_000));
    assert_eq!(call.ask_counted(&ask, 9_000, margin).bound, ask.bound);
    assert_eq!(call.read(br#"{"totalTokens":90000}"#, &ask), None);
}
