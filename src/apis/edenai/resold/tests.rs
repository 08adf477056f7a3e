use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

use super::*;
use crate::apis::edenai::EdenAi;
use crate::apis::{Api, Measured, price};
use crate::money::Usd;
use crate::prices::{PriceBook, QuoteLimits, Unit, Variant, quote};

const SEAL: &str = "_sg00112233445566778899aabbccddeeff";

fn asked(operation: Resold, path: &str, body: &Value) -> Result<Ask, AskError> {
    let body = Bytes::from(body.to_string());
    operation.ask(&RequestView { method: &Method::POST, path, query: None, headers: &HeaderMap::new(), body: &body })
}

fn response(more: Value) -> Value {
    let mut body = json!({"model": "openai/gpt-4o-mini", "input": "hello", "max_output_tokens": 50});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn form(parts: &[(&str, &[u8])]) -> (HeaderMap, Bytes) {
    let mut body = Vec::new();
    for (name, data) in parts {
        let file = if *name == "file" { "; filename=\"a.wav\"" } else { "" };
        body.extend_from_slice(format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes());
        body.extend_from_slice(data);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--x--\r\n");
    let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, "multipart/form-data; boundary=x".parse().unwrap())]);
    (headers, body.into())
}

/// Two seconds: 8,000 samples a second of 16 bits.
fn wav() -> Vec<u8> {
    let samples = vec![0; 32_000];
    let mut file = [&b"RIFF"[..], &32_036_u32.to_le_bytes(), b"WAVEfmt \x10\0\0\0\x01\0\x01\0"].concat();
    file.extend_from_slice(&[8_000_u32.to_le_bytes(), 16_000_u32.to_le_bytes()].concat());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&32_000_u32.to_le_bytes());
    [file, samples].concat()
}

fn transcription(parts: &[(&str, &[u8])]) -> Result<Ask, AskError> {
    let recording = wav();
    let (headers, body) = form(&[&[("file", recording.as_slice())], parts].concat());
    TRANSCRIPTIONS.ask(&RequestView { method: &Method::POST, path: "audio/transcriptions", query: None, headers: &headers, body: &body })
}

/// What it costs at most, by the price book.
fn held(ask: &Ask) -> Usd {
    let book = PriceBook::builtin().unwrap();
    let model = price(&EdenAi, &book, "edenai", &ask.model).unwrap().price;
    let limits = QuoteLimits { min_output: 16, default_max_output: Some(32_768), clamp: false };
    quote(&model.candidates(jiff::Timestamp::now(), &Variant::Default), &model.limits, &ask.bound, &limits).unwrap().want
}

fn metered(operation: Resold, ask: &Ask, streamed: bool, body: &str) -> Measured {
    let mut meter = operation.meter(ask, streamed);
    let mut pass = Vec::new();
    for chunk in body.as_bytes().chunks(7) {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
    }
    meter.end(&mut pass);
    meter.measured()
}

#[test]
fn what_any_seller_bills_for_a_response_is_in_its_bound() {
    let input = |more: Value| {
        let bound = asked(RESPONSES, "responses", &response(more)).unwrap().bound.input;
        (bound.get(Unit::Input), bound.get(Unit::CacheWrite1h))
    };
    let (plain, hour) = input(json!({}));
    assert_eq!(hour, 0);
    let function = json!([{"type": "function", "name": "f"}]);
    for more in [
        json!({"tools": function}),
        json!({"text": {"format": {"type": "json_schema", "name": "x", "schema": {}}}}),
        json!({"input": [{"type": "additional_tools", "role": "developer", "tools": function}]}),
    ] {
        assert!(input(more.clone()).0 >= plain + 2_048, "{more}");
    }
    assert!(matches!(input(json!({"prompt_cache_options": {"ttl": "30m"}})), (0, hour) if hour >= plain));
    // What is asked for so has a price, also of models that have none for an hour in the cache.
    assert!(held(&asked(RESPONSES, "responses", &response(json!({"prompt_cache_options": {"ttl": "30m"}}))).unwrap()) > Usd::ZERO);
    let image = json!([{"role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/a.png"}]}]);
    let claude = response(json!({"model": "anthropic/claude-haiku-4-5", "input": image}));
    assert!(asked(RESPONSES, "responses", &claude).unwrap().bound.input.get(Unit::InputImage) >= 48_169);
}

#[test]
fn searches_are_taken_where_they_are_bounded() {
    let searching = |model: &str| asked(RESPONSES, "responses", &response(json!({"model": model, "tools": [{"type": "web_search"}], "max_tool_calls": 1})));
    assert_eq!(searching("openai/gpt-4o-mini").unwrap().bound.max_searches, 4);
    for model in ["anthropic/claude-haiku-4-5", "azure/gpt-4o-mini", "gpt-4o-mini"] {
        assert_eq!(searching(model).unwrap_err().param.as_deref(), Some("tools"), "{model}");
    }
}

#[test]
fn fields_of_eden_ai_are_known_everywhere() {
    let image = json!({"model": "openai/gpt-image-1", "prompt": "x"});
    let speech = json!({"model": "openai/tts-1", "input": "x", "voice": "alloy"});
    for (operation, body) in [(RESPONSES, response(json!({}))), (IMAGES, image), (SPEECH, speech)] {
        let with = |key: &str, value: Value| {
            let mut body = body.clone();
            body[key] = value;
            asked(operation, "x", &body)
        };
        for free in ["routing", "session_id", "tags"] {
            with(free, json!({"a": "b"})).unwrap();
        }
        for refused in ["fallbacks", "router_candidates", "pre_hooks", "post_hooks", "extra_body", "Fallbacks", "turbo"] {
            assert_eq!(with(refused, json!(["openai/gpt-4o"])).unwrap_err().param.as_deref(), Some(refused));
        }
    }
    let whisper = ("model", &b"openai/whisper-1"[..]);
    transcription(&[whisper, ("routing", b"{}"), ("tags", b"{}")]).unwrap();
    for refused in ["fallbacks", "extra_body", "turbo"] {
        assert_eq!(transcription(&[whisper, (refused, b"[]")]).unwrap_err().param.as_deref(), Some(refused));
    }
}

#[test]
fn what_other_sellers_models_hear_and_write_is_in_the_bound() {
    let of = |model: &str| transcription(&[("model", model.as_bytes())]).unwrap();
    let (own, other) = (of("openai/gpt-4o-transcribe"), of("google/gemini-2.5-flash"));
    assert_eq!((own.bound.input.get(Unit::InputAudio), own.bound.output_tokens), (40, Some(2_000)));
    assert_eq!((other.bound.input.get(Unit::InputAudio), other.bound.output_tokens), (80, None));
    // Two seconds at 36 cents an hour.
    assert_eq!(held(&of("openai/whisper-1")), Usd::from_nanos(200_000).unwrap());
    assert!(held(&other) > held(&own));
}

#[test]
fn the_cost_that_an_answer_tells_is_read() {
    let nanos = |measured: Measured| measured.reported_cost.map(Usd::nanos);
    // As the live service answers, shortened.
    let ask = asked(RESPONSES, "responses", &response(json!({}))).unwrap();
    let usage = |more: &str| format!(r#""usage":{{"input_tokens":12,"output_tokens":2,"total_tokens":14{more}}}"#);
    let whole = |usage: &str, more: &str| {
        format!(
            r#"{{"id":"resp_1","object":"response","status":"completed","model":"gpt-4o-mini","provider":"openai","output":[{{"cost":9}}],"metadata":{{"cost":"8"}},{usage}{more}}}"#
        )
    };
    for (body, cost) in [
        (whole(&usage(r#","cost":0.0042"#), r#","cost":0.0042"#), Some(4_200_000)),
        (whole(&usage(r#","cost":0.0042"#), ""), Some(4_200_000)),
        (whole(&usage(""), r#","cost":4.2e-06"#), Some(4_200)),
        (whole(&usage(""), r#","cost":"0.5""#), Some(500_000_000)),
        (whole(&usage(""), r#","cost":-1"#), None),
        (whole(&usage(""), r#","cost":null"#), None),
        (whole(&usage(""), ""), None),
    ] {
        let measured = metered(RESPONSES, &ask, false, &body);
        assert!(measured.usage.is_some() && measured.complete);
        assert_eq!(nanos(measured), cost, "{body}");
    }
    let stream = |usage: &str| {
        let begun = r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress","usage":null,"cost":7}}"#;
        let done = format!(r#"{{"type":"response.completed","sequence_number":1,"response":{}}}"#, whole(usage, ""));
        format!("event: response.created\ndata: {begun}\n\nevent: response.completed\ndata: {done}\n\n")
    };
    assert_eq!(nanos(metered(RESPONSES, &ask, true, &stream(&usage(r#","cost":0.0042"#)))), Some(4_200_000));
    assert_eq!(nanos(metered(RESPONSES, &ask, true, &stream(&usage("")))), None);
    assert_eq!(nanos(metered(RESPONSES, &ask, true, &stream("\"usage\":null"))), None);
    let ask = asked(IMAGES, "images/generations", &json!({"model": "openai/gpt-image-1-mini", "prompt": "x", "quality": "low", "size": "1024x1024"})).unwrap();
    let image = r#"{"created":1,"data":[{"b64_json":"AAAA","revised_prompt":"\"cost\":9","url":null}],"usage":{"input_tokens":9,"input_tokens_details":{"image_tokens":0,"text_tokens":9},"output_tokens":272},"provider":"openai","cost":0.0042}"#;
    let measured = metered(IMAGES, &ask, false, image);
    assert_eq!(measured.usage.unwrap().get(Unit::OutputImage), 272);
    assert_eq!(nanos(measured), Some(4_200_000));
    let transcript = r#"{"text":"Hello there. \"cost\": 9","usage":{"type":"duration","seconds":1.0},"task":"transcribe","duration":0.62,"segments":[{"id":0,"cost":3}],"provider":"openai","cost":0.0042}"#;
    assert_eq!(nanos(metered(TRANSCRIPTIONS, &transcription(&[("model", b"openai/whisper-1")]).unwrap(), false, transcript)), Some(4_200_000));
    // Whoever speaks could have a cost written into plain text.
    let plain = transcription(&[("model", b"openai/whisper-1"), ("response_format", b"text")]).unwrap();
    assert_eq!(nanos(metered(TRANSCRIPTIONS, &plain, false, r#"{"cost":0}"#)), None);
}

#[test]
fn a_kept_response_is_known_at_both_paths() {
    for path in ["responses", "llm/responses"] {
        let path = format!("{path}/resp_1{SEAL}");
        for method in [Method::GET, Method::DELETE] {
            let operation = EdenAi.operation(&method, &path).unwrap();
            assert_eq!((operation.billing(), operation.seals()), (Billing::Free, true));
            let request = RequestView { method: &method, path: &path, query: None, headers: &HeaderMap::new(), body: &Bytes::new() };
            assert_eq!(operation.kept_ids(&request), [KeptId { id: "resp_1".to_owned(), seal: Some(SEAL.to_owned()), param: None }]);
            assert_eq!(EdenAi.upstream_path("", &request, ""), format!("/v3/{}", path.strip_suffix(SEAL).unwrap()));
        }
        let message = EdenAi.operation(&Method::POST, &path).err().unwrap().message;
        assert!(message.contains("GET and DELETE only"), "{message}");
    }
    let previous = response(json!({"previous_response_id": format!("resp_1{SEAL}")})).to_string().into();
    let request = RequestView { method: &Method::POST, path: "llm/responses", query: None, headers: &HeaderMap::new(), body: &previous };
    assert_eq!(RESPONSES.kept_ids(&request)[0].id, "resp_1");
}

#[test]
fn simulated_answers_tell_their_cost_where_the_service_does() {
    let answer = |operation: Resold, headers: &HeaderMap, body: &Bytes, faults: &Faults| {
        let request = RequestView { method: &Method::POST, path: "llm/responses", query: None, headers, body };
        operation.simulate(&request, faults, &mut std::iter::empty()).unwrap()
    };
    let json = |operation: Resold, body: &Value, faults: &Faults| answer(operation, &HeaderMap::new(), &body.to_string().into(), faults);
    let whole = |simulated: Simulated| serde_json::from_slice::<Value>(&simulated.chunks.concat()).unwrap();
    let silent = Faults { no_usage: true, ..Faults::default() };

    let told = whole(json(RESPONSES, &response(json!({})), &Faults::default()));
    let cost = (told["usage"]["input_tokens"].as_f64().unwrap() + 2.0 * told["usage"]["output_tokens"].as_f64().unwrap()) / 1e6;
    assert!((told["cost"].as_f64().unwrap() - cost).abs() < 1e-12 && told["usage"]["cost"] == told["cost"], "{told}");
    assert_eq!((&told["provider"], &told["model"]), (&json!("openai"), &json!("openai/gpt-4o-mini")));
    let stream = json(RESPONSES, &response(json!({"stream": true})), &Faults::default());
    let last = String::from_utf8(stream.chunks.last().unwrap().to_vec()).unwrap();
    let event: Value = serde_json::from_str(last.strip_prefix("event: response.completed\ndata: ").unwrap()).unwrap();
    assert_eq!((&event["response"]["usage"], event["response"].get("cost")), (&told["usage"], None));
    assert_eq!(stream.chunks.iter().filter(|chunk| String::from_utf8_lossy(chunk).contains("\"cost\"")).count(), 1);
    assert_eq!(whole(json(RESPONSES, &response(json!({})), &silent)).get("cost"), None);

    let image = |model: &str| json!({"model": model, "prompt": "x", "quality": if model.contains("gpt") { "low" } else { "hd" }, "size": "1024x1024"});
    let drawn = whole(json(IMAGES, &image("openai/gpt-image-1"), &Faults::default()));
    assert!(drawn["cost"].as_f64().unwrap() > 2.0 * 272.0 / 1e6 && drawn["provider"] == "openai");
    assert_eq!(whole(json(IMAGES, &image("openai/dall-e-3"), &Faults::default()))["cost"].as_f64(), Some(0.001));
    assert_eq!(whole(json(IMAGES, &image("openai/dall-e-3"), &silent)).get("cost"), None);

    let speech = json!({"model": "openai/tts-1", "input": "hello", "voice": "alloy"});
    let spoken = json(SPEECH, &speech, &Faults::default());
    let headers: Vec<(&str, &str)> = spoken.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(headers, [("x-edenai-cost", "0.001"), ("x-edenai-provider", "openai")]);
    assert!(json(SPEECH, &speech, &silent).headers.is_empty());

    let recording = wav();
    let heard = |format: &[u8]| {
        let (headers, body) = form(&[("file", &recording), ("model", b"openai/whisper-1"), ("response_format", format)]);
        answer(TRANSCRIPTIONS, &headers, &body, &Faults::default())
    };
    assert_eq!(whole(heard(b"json"))["cost"].as_f64(), Some(0.001));
    assert!(!String::from_utf8(heard(b"text").chunks.concat()).unwrap().contains("cost"));
    let judged = json!({"model": "openai/omni-moderation-latest", "input": "x"}).to_string().into();
    let request = RequestView { method: &Method::POST, path: "moderations", query: None, headers: &HeaderMap::new(), body: &judged };
    let operation = EdenAi.operation(&Method::POST, "moderations").unwrap();
    assert_eq!(whole(operation.simulate(&request, &Faults::default(), &mut std::iter::empty()).unwrap())["cost"], json!(0));
}
