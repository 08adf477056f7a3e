use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use super::*;
use crate::apis::{BudgetBody, Refusal, RefusalKind, named};
use crate::money::Usd;
use crate::prices::Bound;

#[test]
fn operations_are_found_below_either_mount() {
    let api = named("anthropic").unwrap();
    for version in ["", "v1/"] {
        for (method, path, name) in [
            (Method::POST, "messages", "messages"),
            (Method::POST, "messages/count_tokens", "messages.count_tokens"),
            (Method::GET, "models", "models.list"),
            (Method::GET, "models/claude-sonnet-4-5", "models.retrieve"),
        ] {
            let path = format!("{version}{path}");
            assert_eq!(api.operation(&method, &path).ok().unwrap().name(), name);
            assert!(api.operation(&Method::PUT, &path).err().unwrap().message.contains("not PUT"));
        }
    }
    for (path, said) in [
        ("messages/batches", "message batches"),
        ("v1/messages/batches/b_1/results", "message batches"),
        ("files", "files"),
        ("skills/x", "skills"),
        ("v1/v1/messages", "'v1/' twice"),
        ("messagesx", "not an operation"),
        ("messages/", "not an operation"),
        ("complete", "text completions"),
        ("", "not an operation"),
    ] {
        let message = api.operation(&Method::POST, path).err().unwrap().message;
        assert!(message.contains(said), "{path}: {message}");
    }
}

#[test]
fn the_upstream_path_has_the_version_once() {
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    for (base, below, path) in [
        ("", "messages", "/v1/messages"),
        ("", "v1/messages", "/v1/messages"),
        ("/v1", "messages", "/v1/messages"),
        ("/anthropic", "v1/models", "/anthropic/v1/models"),
    ] {
        let request = RequestView { method: &Method::POST, path: below, query: None, headers: &headers, body: &body };
        assert_eq!(Anthropic.upstream_path(base, &request, "/ignored"), path);
    }
}

#[test]
fn headers_pass_by_the_lists() {
    let name = |name: &str| HeaderName::from_bytes(name.as_bytes()).unwrap();
    for passes in ["anthropic-version", "anthropic-beta", "content-type", "x-stainless-retry-count", "user-agent"] {
        assert!(Anthropic.envelope().passes_request_header(&name(passes)), "{passes}");
    }
    for stays in ["authorization", "x-api-key", "cookie", "idempotency-key", "anthropic-workspace-id", "anthropic-user-profile-id", "x-forwarded-for"] {
        assert!(!Anthropic.envelope().passes_request_header(&name(stays)), "{stays}");
    }
    for passes in ["request-id", "content-type", "retry-after", "x-should-retry"] {
        assert!(Anthropic.envelope().passes_response_header(&name(passes)), "{passes}");
    }
    for stays in ["set-cookie", "location", "anthropic-organization-id", "anthropic-ratelimit-requests-remaining", "content-length"] {
        assert!(!Anthropic.envelope().passes_response_header(&name(stays)), "{stays}");
    }
    let mut headers = HeaderMap::new();
    Anthropic.complete_headers(&mut headers);
    Anthropic.envelope().put_key(&mut headers, &HeaderValue::from_static("sk-ant"));
    assert_eq!((&headers["anthropic-version"], &headers["x-api-key"]), (&HeaderValue::from_static("2023-06-01"), &HeaderValue::from_static("sk-ant")));
    assert!(headers["x-api-key"].is_sensitive());
    let mut newer = HeaderMap::from_iter([(headers::VERSION, HeaderValue::from_static("2026-10-21"))]);
    Anthropic.complete_headers(&mut newer);
    assert_eq!(newer["anthropic-version"], "2026-10-21");
}

#[test]
fn errors_without_a_route_take_the_shape_that_the_headers_speak() {
    let speaks = HeaderMap::from_iter([(headers::VERSION, HeaderValue::from_static("2023-06-01"))]);
    assert_eq!((crate::apis::fallback(&speaks, None).name(), crate::apis::fallback(&HeaderMap::new(), None).name()), ("anthropic", "openai"));
}

#[test]
fn refusals_have_the_provider_s_shape() {
    let asked = Usd::from_nanos(400_000).unwrap();
    let budget = BudgetBody { scope: "token", name: "team".to_owned(), balance: Usd::ZERO, held: Usd::ZERO, asked, resets_at: None };
    let body: Value = serde_json::from_slice(&Anthropic.envelope().refusal_body(&Refusal::budget_exhausted(budget), Some("r-1"))).unwrap();
    assert_eq!((&body["type"], &body["error"]["type"], &body["request_id"]), (&"error".into(), &"billing_error".into(), &"r-1".into()));
    assert_eq!((&body["error"]["code"], &body["error"]["budget"]["asked"]), (&"budget_exhausted".into(), &"0.000400000".into()));
    for kind in RefusalKind::ALL {
        let body: Value = serde_json::from_slice(&Anthropic.envelope().refusal_body(&Refusal::new(kind, "a\"\n"), None)).unwrap();
        assert_eq!((&body["error"]["message"], &body["error"]["code"]), (&"a\"\n".into(), &kind.code().into()));
        let expected = match kind.status().as_u16() {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            504 => "timeout_error",
            502 | 503 => "api_error",
            _ => "invalid_request_error",
        };
        assert_eq!(body["error"]["type"], expected, "{kind:?}");
    }
    let thread = Refusal { param: Some("thread".to_owned()), ..Refusal::new(RefusalKind::InvalidRequest, "no threads") };
    let body: Value = serde_json::from_slice(&Anthropic.envelope().refusal_body(&thread, None)).unwrap();
    assert_eq!(body["error"]["details"], serde_json::json!({"error_code": "thread_unsupported_request", "unsupported": ["gateway"]}));
}

#[test]
fn counting_tokens_reads_the_model_alone() {
    let ask = |body: &'static str| {
        let (headers, body) = (HeaderMap::new(), Bytes::from_static(body.as_bytes()));
        CountTokens.ask(&RequestView { method: &Method::POST, path: "messages/count_tokens", query: None, headers: &headers, body: &body })
    };
    let asked = ask(r#"{"tools":[{"type":"anything"}],"model":"claude-sonnet-4-5","messages":[]}"#).unwrap();
    assert_eq!((asked.model.as_str(), asked.bound), ("claude-sonnet-4-5", Bound::default()));
    for bad in ["{}", "[]", "", r#"{"model":1}"#, r#"{"model":"a","model":"b"}"#] {
        assert!(ask(bad).is_err(), "{bad}");
    }
}
