use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::*;
use crate::apis::named;

fn message(method: &Method, path: &str) -> String {
    match Cohere.operation(method, path) {
        Ok(operation) => panic!("{path} is {}", operation.name()),
        Err(error) => error.message,
    }
}

fn upstream(base: &str, path: &str) -> String {
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    let request = RequestView { method: &Method::POST, path, query: None, headers: &headers, body: &body };
    Cohere.upstream_path(base, &request, "/whatever")
}

#[test]
fn knows_its_operations_with_and_without_their_version() {
    for (method, path, name, goes_to) in [
        (Method::POST, "chat", "chat", "/v2/chat"),
        (Method::POST, "v2/chat", "chat", "/v2/chat"),
        (Method::POST, "embed", "embed", "/v2/embed"),
        (Method::POST, "v2/rerank", "rerank", "/v2/rerank"),
        (Method::POST, "v1/tokenize", "tokenize", "/v1/tokenize"),
        (Method::POST, "detokenize", "detokenize", "/v1/detokenize"),
        (Method::GET, "v1/models", "models.list", "/v1/models"),
        (Method::GET, "models", "models.list", "/v1/models"),
        (Method::GET, "v1/models/command-a-03-2025", "models.retrieve", "/v1/models/command-a-03-2025"),
    ] {
        assert_eq!(Cohere.operation(&method, path).ok().unwrap().name(), name);
        for base in ["", "/v1", "/v2"] {
            assert_eq!(upstream(base, path), goes_to, "{base} {path}");
        }
        assert_eq!(upstream("/base", path), format!("/base{goes_to}"));
    }
    assert_eq!(named("cohere").unwrap().name(), "cohere");
}

#[test]
fn refuses_the_rest_and_says_why() {
    for (path, what) in [
        ("v2/audio/transcriptions", "transcription"),
        ("v2/batches", "long after"),
        ("v1/embed-jobs", "jobs"),
        ("v1/classify", "class"),
        ("embed-jobs", "jobs"),
    ] {
        let message = message(&Method::POST, path);
        assert!(message.contains(path) && message.contains(what) && message.contains("not available through this gateway yet"), "{message}");
    }
    for path in ["v1/chat", "v1/embed", "v1/rerank"] {
        let message = message(&Method::POST, path);
        assert!(message.contains("version 2") && message.contains("ClientV2"), "{message}");
    }
    assert!(message(&Method::GET, "chat").contains("POST only") && message(&Method::POST, "v1/models").contains("GET only"));
    for path in ["", "v2/", "chat/", "Chat", "chat/completions", "v2/v2/chat", "v3/chat", "v2/models", "v1/models/..", "v1/models/a%2e"] {
        message(&Method::GET, path);
    }
}

#[test]
fn only_listed_headers_pass() {
    let name = HeaderName::from_static;
    for header in ["authorization", "cookie", "idempotency-key", "x-forwarded-for", "host", "accept-encoding"] {
        assert!(!Cohere.envelope().passes_request_header(&name(header)), "{header}");
    }
    for header in ["set-cookie", "location", "x-trial-endpoint-call-remaining", "x-ratelimit-reset", "server", "content-encoding"] {
        assert!(!Cohere.envelope().passes_response_header(&name(header)), "{header}");
    }
    assert!(Cohere.envelope().passes_request_header(&name("x-client-name")) && Cohere.envelope().passes_request_header(&name("x-fern-sdk-version")));
    assert!(Cohere.passes_query("page_token") && !Cohere.passes_query("key"));
    let mut headers = HeaderMap::new();
    assert!(!Cohere.is_spoken(&headers, None));
    headers.insert(headers::SDK_NAME, HeaderValue::from_static("cohere-ai"));
    assert!(Cohere.is_spoken(&headers, None));
    Cohere.envelope().put_key(&mut headers, &HeaderValue::from_static("co-upstream"));
    assert_eq!(headers["authorization"], "Bearer co-upstream");
}

#[test]
fn the_list_of_models_is_filtered_by_name() {
    let list = MODEL_LIST.model_list().unwrap();
    let body = br#"{"models":[{"name":"command-a-03-2025","endpoints":["chat"]},{"name":"secret"}],"next_page_token":""}"#;
    let filtered = list.filter(body, &|name| name != "secret").unwrap();
    assert_eq!(filtered, br#"{"models":[{"name":"command-a-03-2025","endpoints":["chat"]}],"next_page_token":""}"#.as_slice());
    assert_eq!(MODEL.model_list(), None);
}

#[test]
fn a_tokenizer_reads_the_model_alone() {
    let ask = |body: &'static str| {
        let (headers, body) = (HeaderMap::new(), Bytes::from_static(body.as_bytes()));
        Tokenizer::Tokenize.ask(&RequestView { method: &Method::POST, path: "tokenize", query: None, headers: &headers, body: &body })
    };
    assert_eq!(ask(r#"{"text":"hi","model":"command-a-03-2025"}"#).unwrap().model, "command-a-03-2025");
    for bad in ["{}", "[]", r#"{"model":1}"#, r#"{"model":"a","model":"b"}"#] {
        assert!(ask(bad).is_err(), "{bad}");
    }
}
