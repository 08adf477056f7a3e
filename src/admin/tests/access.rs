//! Who may call what, and how a call fails.

use super::*;

const INVALID: &str = r#"{"detail":"Invalid token"}"#;
const FORBIDDEN: &str = r#"{"error":{"type":"permission_error","message":"You do not have permission to manage tokens"}}"#;
const NOT_FOUND: &str = r#"{"details":"Not Found"}"#;
const REPORT: &str = "/v2/cost_management/?begin=2026-01-01&end=2026-01-31";

/// Every call that there is.
const CALLS: [(&str, &str); 12] = [
    ("GET", TOKENS),
    ("POST", TOKENS),
    ("GET", "/v2/user/custom_token/n/"),
    ("PATCH", "/v2/user/custom_token/n/"),
    ("DELETE", "/v2/user/custom_token/n/"),
    ("POST", "/v2/user/custom_token/n/rotate/"),
    ("GET", "/v2/user/custom_token/me/"),
    ("GET", REPORT),
    ("GET", "/v2/cost_management/credits/"),
    ("PATCH", "/v2/cost_management/credits/"),
    ("GET", "/v2/usage/"),
    ("HEAD", TOKENS),
];

#[tokio::test]
async fn without_a_valid_secret_every_call_is_refused_alike() {
    let api = Api::open().await;
    let token = api.token(r#"{"name":"n"}"#).await;
    let headers = [
        vec![],
        vec![String::new()],
        vec!["Bearer".into()],
        vec!["Bearer ".into()],
        vec![format!("Basic {MAIN_KEY}")],
        vec![MAIN_KEY.into()],
        vec![format!("Bearer {MAIN_KEY}x")],
        vec![format!("Bearer {}", &MAIN_KEY[1..])],
        vec![format!("Bearer {}", token.replace("sg_live_", "sg_test_"))],
        vec![format!("Bearer {MAIN_KEY}"), format!("Bearer {MAIN_KEY}")],
        vec![format!("Bearer {}", "x".repeat(10_000))],
        vec!["Bearer \u{e9}".into()],
    ];
    for (method, path) in CALLS {
        for values in &headers {
            let mut request = Request::builder().method(method).uri(path);
            for value in values {
                request = request.header("authorization", value.as_bytes());
            }
            let answer = api.send(request.body(Body::from("{")).unwrap()).await;
            answer.is(401, if method == "HEAD" { "" } else { INVALID });
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case() {
    let api = Api::open().await;
    let request = Request::get(TOKENS).header("authorization", format!("bearer  {MAIN_KEY}")).body(Body::empty()).unwrap();
    assert_eq!(api.send(request).await.status, 200);
}

#[tokio::test]
async fn a_custom_token_sees_itself_and_its_own_costs_and_nothing_else() {
    let api = Api::open().await;
    let secret = api.token(r#"{"name":"n","balance":"5"}"#).await;
    for (method, path) in CALLS {
        let answer = api.call(method, path, &secret, "{").await;
        match path {
            "/v2/user/custom_token/me/" => assert_eq!(answer.text, api.get("/v2/user/custom_token/n/").await.text),
            REPORT => answer.is(200, r#"{"response":[]}"#),
            _ => answer.is(403, if method == "HEAD" { "" } else { FORBIDDEN }),
        }
    }
    api.call("GET", "/v2/user/custom_token/nobody/", &secret, "").await.is(403, FORBIDDEN);
    api.call("GET", &format!("{REPORT}&token=other"), &secret, "").await.is(403, FORBIDDEN);
    assert_eq!(api.call("GET", &format!("{REPORT}&token=n"), &secret, "").await.status, 200);
}

#[tokio::test]
async fn an_expired_token_still_sees_itself() {
    let api = Api::open().await;
    let secret = api.token(r#"{"name":"n"}"#).await;
    assert_eq!(api.patch("/v2/user/custom_token/n/", r#"{"expire_time":"2020-01-01T00:00:00Z"}"#).await.status, 200);
    assert_eq!(api.call("GET", "/v2/user/custom_token/me/", &secret, "").await.field("expire_time"), "2020-01-01T00:00:00Z");
}

#[tokio::test]
async fn the_main_key_is_no_token() {
    let api = Api::open().await;
    api.get("/v2/user/custom_token/me/").await.is(404, NOT_FOUND);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let api = Api::open().await;
    for path in [
        "/",
        "/v2",
        "/v2/user",
        "/v2/user/custom_token//",
        "/v2/user/custom_token/n/rotate/x",
        "/v2/user/custom_tokens/",
        "/v2/usage/x",
        "/v2/cost_management/x/",
    ] {
        api.get(path).await.is(404, NOT_FOUND);
    }
    for (method, path, allow) in [
        ("PUT", TOKENS, "GET,HEAD,POST"),
        ("DELETE", "/v2/user/custom_token", "GET,HEAD,POST"),
        ("PUT", "/v2/user/custom_token/n/", "GET,HEAD,PATCH,DELETE"),
        ("POST", "/v2/user/custom_token/n", "GET,HEAD,PATCH,DELETE"),
        ("GET", "/v2/user/custom_token/n/rotate/", "POST"),
        ("PATCH", "/v2/user/custom_token/me/", "GET,HEAD"),
        ("POST", "/v2/usage/", "GET,HEAD"),
    ] {
        let answer = api.call(method, path, MAIN_KEY, "").await;
        answer.is(405, r#"{"detail":"Method not allowed"}"#);
        let mut allowed: Vec<&str> = answer.headers["allow"].to_str().unwrap().split(',').collect();
        let mut expected: Vec<&str> = allow.split(',').collect();
        allowed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(allowed, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn a_body_has_a_cap_and_is_not_read_for_a_stranger() {
    let api = Api::open().await;
    let body = format!(r#"{{"name":"{}"}}"#, "x".repeat(64 * 1024));
    let answer = api.post(TOKENS, &body).await;
    answer.is(413, r#"{"error":{"type":"validation_error","message":{"non_field_errors":["The body is larger than 65536 bytes."]}}}"#);
    assert_eq!(api.call("POST", TOKENS, "wrong", body).await.status, 401);
    let answer = api.call("POST", TOKENS, MAIN_KEY, b"{\"name\":\"\xff\"}".to_vec()).await;
    answer.is(400, r#"{"error":{"type":"validation_error","message":{"non_field_errors":["JSON parse error - not UTF-8 from byte 9 on."]}}}"#);
}

#[tokio::test]
async fn a_ledger_that_is_away_is_a_503() {
    let api = Api::open().await;
    api.ledger.close().await;
    for (method, path, body) in [
        ("GET", TOKENS, ""),
        ("POST", TOKENS, r#"{"name":"n"}"#),
        ("GET", "/v2/user/custom_token/n/", ""),
        ("PATCH", "/v2/user/custom_token/n/", r#"{"balance":1}"#),
        ("DELETE", "/v2/user/custom_token/n/", ""),
        ("POST", "/v2/user/custom_token/n/rotate/", ""),
        ("GET", "/v2/cost_management/credits/", ""),
        ("PATCH", "/v2/cost_management/credits/", r#"{"credits":1}"#),
    ] {
        let answer = api.call(method, path, MAIN_KEY, body).await;
        answer.is(503, r#"{"error":{"type":"ledger_unavailable","message":"The ledger cannot be reached. Try again."}}"#);
        assert_eq!(answer.headers["retry-after"], "1");
    }
}

#[test]
fn the_api_owns_its_roots_and_what_is_below_them() {
    for path in ["/v2/user/custom_token", TOKENS, "/v2/user/custom_token/a/rotate", "/v2/cost_management", "/v2/usage/"] {
        assert!(owns(path), "{path}");
    }
    for path in ["/", "/v2/chat", "/v2/user/custom_tokens", "/v2/usages", "/v1/chat/completions"] {
        assert!(!owns(path), "{path}");
    }
}

#[tokio::test]
async fn the_openapi_document_has_every_route_and_no_other() {
    let api = Api::open().await;
    let document = openapi::document();
    let documented = document["paths"].as_object().unwrap();
    let mut expected: Vec<String> = routes().iter().map(|(path, _)| format!("{path}/")).collect();
    expected.sort_unstable();
    assert_eq!(documented.keys().cloned().collect::<Vec<_>>(), expected);
    for (path, operations) in documented {
        // No route has TRACE, so that the router says which methods it does have.
        for path in [path.clone(), path.trim_end_matches('/').to_owned()] {
            let answer = api.call("TRACE", &path.replace("{name}", "n"), MAIN_KEY, "").await;
            assert_eq!(answer.status, 405, "{path}");
            let mut allowed: Vec<String> =
                answer.headers["allow"].to_str().unwrap().split(',').map(str::to_lowercase).filter(|method| method != "head").collect();
            allowed.sort_unstable();
            assert_eq!(operations.as_object().unwrap().keys().filter(|key| *key != "parameters").cloned().collect::<Vec<_>>(), allowed, "{path}");
        }
    }
}

#[test]
fn every_reference_of_the_openapi_document_leads_somewhere() {
    fn walk<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| match value.as_str() {
                Some(target) if name == "$ref" => found.push(target),
                _ => walk(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let document = openapi::document();
    let mut found = Vec::new();
    walk(&document, &mut found);
    assert!(found.len() > 30);
    for target in found {
        assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target}");
    }
}
