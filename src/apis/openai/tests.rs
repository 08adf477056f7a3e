use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::apis::named;

fn message(method: &Method, path: &str) -> String {
    match OpenAi.operation(method, path) {
        Ok(operation) => panic!("{path} is {}", operation.name()),
        Err(error) => error.message,
    }
}

#[test]
fn knows_its_operations() {
    for (method, path, name) in [
        (Method::POST, "chat/completions", "chat.completions"),
        (Method::POST, "completions", "completions"),
        (Method::POST, "embeddings", "embeddings"),
        (Method::POST, "moderations", "moderations"),
        (Method::POST, "images/generations", "images.generations"),
        (Method::POST, "images/edits", "images.edits"),
        (Method::POST, "images/variations", "images.variations"),
        (Method::POST, "audio/speech", "audio.speech"),
        (Method::POST, "audio/transcriptions", "audio.transcriptions"),
        (Method::POST, "audio/translations", "audio.translations"),
        (Method::GET, "models", "models.list"),
        (Method::GET, "models/gpt-4o", "models.retrieve"),
        (Method::GET, "models/ft:gpt-4o:team::id", "models.retrieve"),
        (Method::GET, "models/openai/gpt-4o", "models.retrieve"),
    ] {
        assert_eq!(OpenAi.operation(&method, path).ok().unwrap().name(), name);
    }
    assert_eq!(named("openai").unwrap().name(), "openai");
    assert_eq!(named("http").unwrap().operation(&Method::PUT, "any/thing").ok().unwrap().billing(), Billing::PerRequest);
}

#[test]
fn refuses_the_rest_and_says_why() {
    for (path, what) in [
        ("responses/compact", "Responses"),
        ("conversations/conv_1/items", "share"),
        ("vector_stores", "vector stores"),
        ("containers", "containers"),
        ("fine_tuning/jobs", "fine-tuning"),
        ("uploads", "uploads"),
        ("files/f/content", "files"),
        ("batches", "batches"),
        ("realtime", "Realtime"),
        ("images/other", "images"),
        ("threads/t/runs", "threads"),
    ] {
        let message = message(&Method::POST, path);
        assert!(message.contains(path) && message.contains(what) && message.contains("not available through this gateway yet"), "{message}");
    }
    assert!(message(&Method::POST, "v1/chat/completions").contains("The right path is 'chat/completions'"));
    assert!(message(&Method::GET, "chat/completions").contains("POST only"));
    assert!(message(&Method::DELETE, "models/ft:x").contains("GET only"));
    for path in [
        "",
        "chat",
        "chat/completions/",
        "Chat/Completions",
        "models/",
        "models/..",
        "models/../files",
        "models/a//b",
        "models/a%2e",
        "models/a?b",
        "embeddings;x",
    ] {
        message(&Method::GET, path);
    }
}

#[test]
fn puts_its_key_where_it_belongs() {
    let mut headers = HeaderMap::new();
    headers.append("authorization", HeaderValue::from_static("Bearer sg_live_x"));
    OpenAi.envelope().put_key(&mut headers, &HeaderValue::from_static("sk-upstream"));
    assert_eq!(headers.get_all("authorization").iter().collect::<Vec<_>>(), ["Bearer sk-upstream"]);
    assert!(headers["authorization"].is_sensitive());
}

#[test]
fn passes_only_listed_headers() {
    let name = |name: &'static str| HeaderName::from_static(name);
    for header in [
        "authorization",
        "x-api-key",
        "api-key",
        "cookie",
        "openai-organization",
        "openai-project",
        "idempotency-key",
        "x-forwarded-for",
        "forwarded",
        "host",
        "accept-encoding",
        "content-length",
        "connection",
    ] {
        assert!(!OpenAi.envelope().passes_request_header(&name(header)), "{header}");
    }
    for header in [
        "set-cookie",
        "location",
        "openai-organization",
        "openai-project",
        "x-ratelimit-limit-requests",
        "content-encoding",
        "content-length",
        "transfer-encoding",
        "connection",
        "server",
        "spendgate-cost",
    ] {
        assert!(!OpenAi.envelope().passes_response_header(&name(header)), "{header}");
        assert!(!crate::apis::http::Http.envelope().passes_response_header(&name(header)), "{header}");
    }
    assert!(OpenAi.envelope().passes_request_header(&name("content-type")) && OpenAi.envelope().passes_request_header(&name("x-stainless-lang")));
    assert!(OpenAi.envelope().passes_response_header(&name("openai-processing-ms")) && OpenAi.envelope().passes_response_header(&name("x-request-id")));
}

#[test]
fn filters_the_list_of_models() {
    let body = r#"{ "object":"list", "data":[ {"id":"gpt-4o","object":"model"} ,{"id":"secret","owned_by":"x"},{"object":"model"}, {"owned_by":"y","id":"o3"}],"x":1}"#;
    let keep = |id: &str| id != "secret";
    let filtered = ModelList::OPENAI.filter(body.as_bytes(), &keep).unwrap();
    assert_eq!(filtered, r#"{ "object":"list", "data":[{"id":"gpt-4o","object":"model"},{"owned_by":"y","id":"o3"}],"x":1}"#.as_bytes());
    assert_eq!(ModelList::OPENAI.filter(br#"{"data":[]}"#, &keep).unwrap(), br#"{"data":[]}"#.as_slice());
    assert_eq!(ModelList::OPENAI.filter(br#"{"data":[{"id":"a"}]}"#, &|_| false).unwrap(), br#"{"data":[]}"#.as_slice());
    for odd in ["", "[]", "{}", r#"{"data":{}}"#, r#"{"data":[}"#, r#"{"data":[]} x"#] {
        assert_eq!(ModelList::OPENAI.filter(odd.as_bytes(), &keep), None, "{odd}");
    }
}

#[test]
fn a_model_in_the_path_can_be_checked() {
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    let request = RequestView { method: &Method::GET, path: "models/gpt-4o", query: None, headers: &headers, body: &body };
    let operation = OpenAi.operation(&Method::GET, request.path).ok().unwrap();
    let ask = operation.ask(&request).unwrap();
    assert_eq!((ask.model.as_str(), operation.billing(), ask.clampable()), ("gpt-4o", Billing::Free, false));
}

#[test]
fn meters_by_what_was_asked() {
    let (method, headers) = (Method::POST, HeaderMap::new());
    let body = Bytes::from_static(br#"{"model":"gpt-4o","messages":[],"stream":true}"#);
    let request = RequestView { method: &method, path: "chat/completions", query: None, headers: &headers, body: &body };
    let operation = OpenAi.operation(&method, request.path).ok().unwrap();
    let ask = operation.ask(&request).unwrap();
    let mut meter = operation.meter(&ask, true);
    let mut pass = Vec::new();
    meter.chunk(Bytes::from_static(b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":0}}\n\ndata: [DONE]\n\n"), &mut pass);
    assert!(pass.is_empty() && meter.terminal() && meter.measured().usage.is_some());
    assert_eq!(meter.take_held(), [&b"data: [DONE]\n\n"[..]]);
    assert_eq!(COMPLETIONS.default_output(), Some(16));
}
