use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::*;
use crate::apis::{BudgetBody, Refusal, RefusalKind, named};
use crate::money::Usd;

fn view<'a>(method: &'a Method, path: &'a str, query: Option<&'a str>, headers: &'a HeaderMap, body: &'a Bytes) -> RequestView<'a> {
    RequestView { method, path, query, headers, body }
}

#[test]
fn operations_are_found_below_any_mount() {
    let api = named("gemini").unwrap();
    for version in ["", "v1/", "v1beta/", "v1alpha/"] {
        for (method, path, name) in [
            (Method::POST, "models/gemini-2.5-flash:generateContent", "models.generateContent"),
            (Method::POST, "models/gemini-2.5-flash%3AstreamGenerateContent", "models.streamGenerateContent"),
            (Method::POST, "models/gemini-embedding-001:embedContent", "models.embedContent"),
            (Method::POST, "models/gemini-embedding-001:batchEmbedContents", "models.batchEmbedContents"),
            (Method::POST, "models/gemini-2.5-flash:countTokens", "models.countTokens"),
            (Method::GET, "models", "models.list"),
            (Method::GET, "models/gemini-2.5-flash", "models.get"),
        ] {
            let path = format!("{version}{path}");
            assert_eq!(api.operation(&method, &path).ok().unwrap().name(), name);
            assert!(api.operation(&Method::PUT, &path).err().unwrap().message.contains("not PUT"));
        }
    }
    for (path, said) in [
        ("tunedModels/x:generateContent", "tuned models"),
        ("v1beta/tunedModels", "tuned models"),
        ("cachedContents", "billed by the hour"),
        ("v1beta/files", "send the data inline"),
        ("files:register", "send the data inline"),
        ("models/x:batchGenerateContent", "a batch costs"),
        ("models/x:bidiGenerateContent", "Live API"),
        ("models/imagen-4:predict", "by the piece"),
        ("models/veo:predictLongRunning", "by the second"),
        ("models/x:newThing", "not an operation"),
        ("models/a/b:generateContent", "not the name of a model"),
        ("models/:generateContent", "not the name of a model"),
        ("models/..:generateContent", "not the name of a model"),
        ("v1beta/v1beta/models", "version twice"),
        ("interactions", "kept at the provider"),
        ("batches/1", "a batch costs"),
        ("openai/chat/completions", "route of their own"),
        ("publishers/google/models/x:generateContent", "Vertex"),
        ("", "not an operation"),
        ("modelsx", "not an operation"),
    ] {
        let message = api.operation(&Method::POST, path).err().unwrap().message;
        assert!(message.contains(said), "{path}: {message}");
    }
}

#[test]
fn the_upstream_path_has_the_client_s_version_once() {
    let (headers, body) = (HeaderMap::new(), Bytes::new());
    for (base, whole, below, path) in [
        ("", "/v1beta/models/m:generateContent", "models/m:generateContent", "/v1beta/models/m:generateContent"),
        ("", "/v1/models/m%3AgenerateContent", "models/m%3AgenerateContent", "/v1/models/m:generateContent"),
        ("", "/gemini/models/m:countTokens", "models/m:countTokens", "/v1beta/models/m:countTokens"),
        ("", "/gemini/v1/models", "v1/models", "/v1/models"),
        ("/v1beta", "/v1/models/m", "models/m", "/v1beta/models/m"),
        ("/base", "/x/v1alpha/models/m:embedContent", "v1alpha/models/m:embedContent", "/base/v1alpha/models/m:embedContent"),
    ] {
        assert_eq!(Gemini.upstream_path(base, &view(&Method::POST, below, None, &headers, &body), whole), path);
    }
}

#[test]
fn headers_and_the_query_pass_by_the_lists() {
    let name = |name: &str| HeaderName::from_bytes(name.as_bytes()).unwrap();
    for passes in ["content-type", "accept", "x-goog-api-client", "user-agent"] {
        assert!(Gemini.envelope().passes_request_header(&name(passes)), "{passes}");
    }
    for stays in ["authorization", "x-goog-api-key", "cookie", "x-goog-user-project", "x-goog-fieldmask", "x-http-method-override", "x-server-timeout"] {
        assert!(!Gemini.envelope().passes_request_header(&name(stays)), "{stays}");
    }
    for stays in ["set-cookie", "location", "x-goog-upload-url", "content-length", "server"] {
        assert!(!Gemini.envelope().passes_response_header(&name(stays)), "{stays}");
    }
    for stays in ["key", "fields", "$fields", "$alt", "access_token", "prettyPrint", "uploadType"] {
        assert!(!Gemini.passes_query(stays), "{stays}");
    }
    assert!(Gemini.passes_query("alt") && Gemini.passes_query("pageToken"));
    let mut headers = HeaderMap::new();
    Gemini.envelope().put_key(&mut headers, &HeaderValue::from_static("AIza"));
    assert!(headers["x-goog-api-key"] == "AIza" && headers["x-goog-api-key"].is_sensitive());
}

#[test]
fn the_form_of_an_answer_is_one_that_can_be_read() {
    let (headers, body) = (HeaderMap::new(), Bytes::from_static(br#"{"contents":[]}"#));
    let asks = |query| GENERATE.ask(&view(&Method::POST, "models/m:generateContent", query, &headers, &body));
    for good in [None, Some(""), Some("alt=sse"), Some("alt=json&x=y"), Some("altitude=1")] {
        assert_eq!(asks(good).unwrap().model, "m");
    }
    for bad in ["alt=proto", "alt=", "alt=sse&alt=json", "alt=media", "alt=S%53E"] {
        assert_eq!(asks(Some(bad)).unwrap_err().param.as_deref(), Some("alt"), "{bad}");
    }
}

#[test]
fn its_clients_are_known_by_headers_and_query() {
    let speaks = |header: Option<&'static str>, query: Option<&str>| {
        let headers = HeaderMap::from_iter(header.map(|name| (HeaderName::from_static(name), HeaderValue::from_static("x"))));
        crate::apis::fallback(&headers, query).name()
    };
    for (header, query, name) in [
        (Some("x-goog-api-key"), None, "gemini"),
        (Some("x-goog-api-client"), None, "gemini"),
        (None, Some("a=b&key=sg"), "gemini"),
        (None, Some("monkey=x"), "openai"),
        (None, None, "openai"),
        (Some("anthropic-version"), None, "anthropic"),
    ] {
        assert_eq!(speaks(header, query), name);
    }
}

#[test]
fn counting_tokens_is_free_and_reads_json() {
    let headers = HeaderMap::new();
    let asks = |body: &'static str| {
        let body = Bytes::from_static(body.as_bytes());
        CountTokens.ask(&view(&Method::POST, "models/gemini-2.5-flash:countTokens", None, &headers, &body))
    };
    assert_eq!(asks(r#"{"contents":[],"anything":1}"#).unwrap().model, "gemini-2.5-flash");
    for bad in ["", "[]", "{", r#"{"a":1,"a":2}"#] {
        assert!(asks(bad).is_err(), "{bad}");
    }
}

#[test]
fn refusals_have_the_provider_s_shape() {
    let asked = Usd::from_nanos(400_000).unwrap();
    let budget = BudgetBody { scope: "token", name: "team".to_owned(), balance: Usd::ZERO, held: Usd::ZERO, asked, resets_at: None };
    let body: Value = serde_json::from_slice(&Gemini.envelope().refusal_body(&Refusal::budget_held(budget), Some("r-1"))).unwrap();
    let error = &body["error"];
    assert_eq!((&error["code"], &error["status"]), (&429.into(), &"RESOURCE_EXHAUSTED".into()));
    let info = &error["details"][0];
    assert_eq!((&info["@type"], &info["reason"]), (&"type.googleapis.com/google.rpc.ErrorInfo".into(), &"BUDGET_HELD".into()));
    assert_eq!(
        (&info["metadata"]["code"], &info["metadata"]["asked"], &info["metadata"]["request_id"]),
        (&"budget_held".into(), &"0.000400000".into(), &"r-1".into())
    );
    assert_eq!(error["details"][1]["retryDelay"], "1s");
    for kind in RefusalKind::ALL {
        let body: Value = serde_json::from_slice(&Gemini.envelope().refusal_body(&Refusal::new(kind, "a\"\n"), None)).unwrap();
        assert_eq!((&body["error"]["message"], &body["error"]["code"]), (&"a\"\n".into(), &kind.status().as_u16().into()));
        let expected = match kind.status().as_u16() {
            401 => "UNAUTHENTICATED",
            402 | 429 => "RESOURCE_EXHAUSTED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            502 | 503 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            _ => "INVALID_ARGUMENT",
        };
        assert_eq!(body["error"]["status"], expected, "{kind:?}");
    }
}
