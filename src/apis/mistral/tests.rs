use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::*;
use crate::apis::{AskErrorKind, UnseenOutput, named};

fn message(method: &Method, path: &str) -> String {
    match Mistral.operation(method, path) {
        Ok(operation) => panic!("{path} is {}", operation.name()),
        Err(error) => error.message,
    }
}

fn ask(path: &str, body: &Value) -> Result<Ask, AskError> {
    let (headers, body) = (HeaderMap::new(), Bytes::from(body.to_string()));
    let request = RequestView { method: &Method::POST, path, query: None, headers: &headers, body: &body };
    Mistral.operation(&Method::POST, path).ok().unwrap().ask(&request)
}

fn chat_body(more: Value) -> Value {
    let mut body = json!({"model": "mistral-small-2603", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn chat(more: Value) -> Result<Ask, AskError> {
    ask("chat/completions", &chat_body(more))
}

#[test]
fn knows_its_operations_with_and_without_the_version() {
    for (method, path, name) in [
        (Method::POST, "chat/completions", "chat.completions"),
        (Method::POST, "v1/chat/completions", "chat.completions"),
        (Method::POST, "fim/completions", "fim.completions"),
        (Method::POST, "v1/embeddings", "embeddings"),
        (Method::POST, "ocr", "ocr"),
        (Method::GET, "models", "models.list"),
        (Method::GET, "v1/models/mistral-small-2603", "models.retrieve"),
    ] {
        assert_eq!(Mistral.operation(&method, path).ok().unwrap().name(), name);
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        let request = RequestView { method: &method, path, query: None, headers: &headers, body: &body };
        let expected = format!("/v1/{}", path.trim_start_matches("v1/"));
        assert_eq!((Mistral.upstream_path("", &request, "/x"), Mistral.upstream_path("/v1", &request, "/x")), (expected.clone(), expected));
    }
    assert_eq!(named("mistral").unwrap().name(), "mistral");
}

#[test]
fn refuses_the_rest_and_says_why() {
    for (path, what) in [
        ("agents/completions", "agents"),
        ("v1/conversations", "conversations"),
        ("moderations", "moderations"),
        ("chat/moderations", "moderations"),
        ("chat/classifications", "classifications"),
        ("audio/transcriptions", "transcription"),
        ("batch/jobs", "long after"),
        ("files/1/content", "files"),
    ] {
        let message = message(&Method::POST, path);
        assert!(message.contains(what) && message.contains("not available through this gateway yet"), "{message}");
    }
    assert!(message(&Method::POST, "v1/v1/ocr").contains("The right path is 'ocr'"));
    assert!(message(&Method::GET, "ocr").contains("POST only"));
    for path in ["", "chat", "chat/completions/", "completions", "responses", "models/..", "models/a%2e"] {
        message(&Method::GET, path);
    }
}

#[test]
fn only_listed_headers_pass() {
    let name = HeaderName::from_static;
    for header in ["authorization", "cookie", "idempotency-key", "host", "accept-encoding"] {
        assert!(!Mistral.envelope().passes_request_header(&name(header)), "{header}");
    }
    for header in ["set-cookie", "x-ratelimit-remaining-tokens-month", "x-envoy-upstream-service-time", "location"] {
        assert!(!Mistral.envelope().passes_response_header(&name(header)), "{header}");
    }
    assert!(Mistral.envelope().passes_request_header(&name("user-agent")) && Mistral.envelope().passes_response_header(&name("mistral-correlation-id")));
}

#[test]
fn a_stream_is_asked_for_in_the_client_s_own_words() {
    let body = Bytes::from(chat_body(json!({"stream": true})).to_string());
    let asked = chat(json!({"stream": true})).unwrap();
    assert_eq!(asked.upstream_body(&body, None), body, "nothing asks for what comes unasked");
    assert!(asked.stream && asked.asked_usage, "and nothing is hidden");
    let clamped: Value = serde_json::from_slice(&asked.upstream_body(&body, Some(16))).unwrap();
    assert_eq!(clamped, chat_body(json!({"stream": true, "max_tokens": 16})));
}

#[test]
fn members_are_mistral_s_own() {
    let free = json!({"random_seed": 1, "safe_prompt": true, "prompt_mode": "reasoning", "reasoning_effort": "high", "parallel_tool_calls": false,
        "prompt_cache_key": "k", "min_tokens": 2, "top_k": 3, "metadata": {"a": 1}, "stop": ["x"], "presence_penalty": 0.1, "service_tier": "standard_only"});
    let asked = chat(free).unwrap();
    assert_eq!((asked.service_tier.as_deref(), CHAT.unasked_tiers(&asked).len()), (Some("standard_only"), 0));
    assert_eq!(CHAT.unasked_tiers(&chat(json!({})).unwrap()), ["priority"]);
    let unseen = |more: Value| chat(more).unwrap().unseen;
    assert_eq!((unseen(json!({})), unseen(json!({"reasoning_effort": "none"}))), (UnseenOutput::UpTo(0), UnseenOutput::UpTo(0)));
    assert_eq!((unseen(json!({"reasoning_effort": "high"})), unseen(json!({"model": "magistral-medium-2509"}))), (UnseenOutput::Any, UnseenOutput::Any));
    assert_eq!(chat(json!({"n": 3, "max_tokens": 50})).unwrap().bound.choices, 3);
    // What is predicted and rejected is billed beside the limit.
    assert!(chat(json!({"prediction": {"type": "content", "content": "x".repeat(500)}})).unwrap().bound.input.get(Unit::Output) >= 500);
    for (more, kind) in [
        (json!({"guardrails": [{}]}), AskErrorKind::Unsupported),
        (json!({"stream_options": {"include_usage": true}}), AskErrorKind::Unsupported),
        (json!({"max_completion_tokens": 5}), AskErrorKind::Unsupported),
        (json!({"seed": 5}), AskErrorKind::Unsupported),
        (json!({"tools": [{"type": "web_search"}]}), AskErrorKind::Unsupported),
        (json!({"tools": [{"type": "document_library", "library_ids": []}]}), AskErrorKind::Unsupported),
        (json!({"service_tier": "flex"}), AskErrorKind::Invalid),
        (json!({"N": 5}), AskErrorKind::Invalid),
        (json!({"max_tokens": 1.5}), AskErrorKind::Invalid),
    ] {
        assert_eq!(chat(more.clone()).expect_err(&more.to_string()).kind, kind, "{more}");
    }
}

#[test]
fn input_that_is_not_text_is_bounded_or_refused() {
    let said = |parts: Value| chat(json!({"messages": [{"role": "user", "content": parts}]}));
    let sound = "A".repeat(100_000);
    for audio in [json!(sound), json!({"data": sound, "format": "mp3"}), json!("https://example.com/a.mp3")] {
        let asked = said(json!([{"type": "input_audio", "input_audio": audio}, {"type": "text", "text": "what is said?"}])).unwrap();
        assert_eq!((asked.bound.input.get(Unit::AudioMillis), asked.bound.windows), (3 * 3_600_000, 1));
        assert!(asked.bound.input.get(Unit::Input) < 3_000, "its bytes are no text");
    }
    let images = said(
        json!([{"type": "image_url", "image_url": "https://x/y.png"}, {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{sound}")}}]),
    );
    let bound = images.unwrap().bound.input;
    // 64 x 64 patches and a mark for each row, at least.
    assert!(bound.get(Unit::InputImage) >= 2 * 4_160 && bound.get(Unit::Input) < 3_000 && bound.get(Unit::AudioMillis) == 0);
    said(json!([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "reference", "reference_ids": [1]}])).unwrap();
    for part in [
        json!({"type": "document_url", "document_url": "https://x/y.pdf"}),
        json!({"type": "file", "file_id": "1"}),
        json!({"type": "resource", "resource": {}}),
        json!({"type": "input_audio", "input_audio": {"data": "x", "speed": 3}}),
        json!({"type": "video", "text": "x"}),
    ] {
        assert_eq!(said(json!([part])).expect_err(&part.to_string()).kind, AskErrorKind::Unsupported, "{part}");
    }
    for part in [json!({"type": "text", "text": "x", "input_audio": "x"}), json!({"type": "input_audio", "input_audio": 7})] {
        assert_eq!(said(json!([part])).expect_err(&part.to_string()).kind, AskErrorKind::Invalid, "{part}");
    }
}

#[test]
fn code_is_completed_and_text_embedded() {
    let fim = ask("fim/completions", &json!({"model": "codestral-2508", "prompt": "def f(", "suffix": "return 1", "max_tokens": 9, "stream": true})).unwrap();
    assert_eq!((fim.bound.output_tokens, fim.stream, fim.bound.has_output), (Some(9), true, true));
    assert!(fim.bound.input.get(Unit::Input) >= 14);
    let embedding =
        ask("embeddings", &json!({"model": "mistral-embed", "input": ["hello", "you"], "output_dtype": "int8", "encoding_format": "float"})).unwrap();
    assert!(!embedding.bound.has_output && embedding.bound.input.get(Unit::Input) >= 8);
    assert!(ask("embeddings", &json!({"model": "mistral-embed", "input": "x", "dimensions": 3})).is_err());
    assert!(ask("fim/completions", &json!({"model": "codestral-2508", "prompt": "x", "n": 3})).is_err());
}
