//! What stands around a body: paths, methods, queries, headers, credentials, encodings, framing.

use super::attempt::Expect::{self, Exact, Refused, Simulated, Turned};
use super::attempt::{Attempt, SECRET};
use crate::support::asks::CHAT;

const BODY: &str = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"max_tokens":10}"#;

const PATHS: &[&str] = &[
    "//v1/chat/completions",
    "/v1//chat/completions",
    "/./v1/chat/completions",
    "/v1/./chat/completions",
    "/v1/models/../chat/completions",
    "/v1/chat/completions/.",
    "/v1/chat/completions/..",
    "/v1/chat/completions/",
    "/v1/chat/completions.",
    "/v1/chat/completions;x=1",
    "/v1;x/chat/completions",
    "/v1/chat%2fcompletions",
    "/v1/%63hat/completions",
    "/v1/%2e%2e/v1/chat/completions",
    "/v1/chat/completions%00",
    "/v1/chat/completions%20",
    "/v1/chat/completions%0d%0a",
    "/v1/chat/completions%3Fstream=true",
    "/v1/chat/completions%23",
    "/v1/chat/%EF%BC%8E%EF%BC%8E/completions",
    "/V1/chat/completions",
    "/v1/Chat/Completions",
    "/v1/chat\\completions",
    "/v1/v1/chat/completions",
    "/v1/openai/v1/chat/completions",
    "/v1beta/chat/completions",
    "/chat/completions",
    "/v1/engines/gpt-4o-mini/completions",
    "/v1/files",
    "/v1/batches",
    "/v1/fine_tuning/jobs",
    "/v1/realtime",
    "/v1/assistants",
    "/v1/threads/runs",
    "/v1/vector_stores",
    "/v1/organization/usage",
    "v1/chat/completions",
    "*",
];

const METHODS: &[&str] = &["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "post", "POSTX", "QUERY"];

/// Queries that must change nothing.
const QUERIES: &[&str] = &[
    "?",
    "?n=50&max_tokens=5000&model=gpt-4",
    "?service_tier=flex",
    "?stream=true",
    "?api-version=2024-10-21",
    "?base_url=http://127.0.0.1:9",
    "?%6bey=sk-other",
    "?a=%0d%0aX-Api-Key:%20x",
];

/// Headers that must change nothing.
const HEADERS: &[(&str, &str)] = &[
    ("another organisation pays", "OpenAI-Organization: org-other\r\nOpenAI-Project: proj-other\r\n"),
    ("another workspace pays", "Anthropic-Workspace-Id: w\r\nAnthropic-User-Profile-Id: u\r\n"),
    ("another upstream", "X-Upstream-Url: http://127.0.0.1:9\r\nX-Api-Base: http://127.0.0.1:9\r\nX-Forwarded-Host: 127.0.0.1:9\r\n"),
    ("another upstream of a known gateway", "X-Portkey-Custom-Host: http://127.0.0.1:9\r\nHelicone-Target-Url: http://127.0.0.1:9\r\n"),
    ("another path", "X-Original-Url: /v1/models\r\nX-Rewrite-Url: /v1/models\r\n"),
    ("another method", "X-Http-Method-Override: GET\r\nX-Method-Override: GET\r\n"),
    ("another address", "X-Forwarded-For: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\nX-Real-Ip: 127.0.0.1\r\n"),
    ("a key that makes two requests one", "Idempotency-Key: the-same\r\n"),
    ("a price of one's own", "Spendgate-Cost: 0\r\nSpendgate-Balance: 1000000\r\nX-Cost: 0\r\n"),
    ("a simulation without a sandbox", "Spendgate-Simulate: status=429\r\n"),
    ("a sandbox without its token", "Spendgate-Sandbox: true\r\n"),
    ("a part of the answer", "Range: bytes=0-1\r\nIf-None-Match: *\r\n"),
    ("a compressed answer", "Accept-Encoding: gzip, br, zstd\r\n"),
    ("a connection that names headers", "Connection: close, authorization, content-length, accept\r\n"),
    ("a cookie", "Cookie: session=1\r\n"),
    ("a beta of the API", "OpenAI-Beta: responses=v1, assistants=v2\r\n"),
    ("trailers", "TE: trailers\r\nTrailer: x-cost\r\n"),
    ("a body that waits", "Expect: 100-continue\r\n"),
];

/// Kinds of content as which a provider could read other bytes than we did: it is told that it is JSON, or nothing.
const KINDS: &[&str] = &[
    "application/json; charset=utf-7",
    "application/json; charset=utf-16",
    "application/json; charset=\"UTF-7\"",
    "application/json;charset=ibm037",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "text/plain",
    "application/x-ndjson",
];

fn framed(name: &str, headers: &str, body: &str, expect: Expect) -> Attempt {
    Attempt::of(name, &format!("POST {CHAT}"), &format!("Authorization: Bearer {SECRET}\r\nContent-Type: application/json\r\n{headers}"), body, expect)
}

/// A request whose credentials are these headers and nothing else.
fn presented(name: &str, path: &str, headers: &str, expect: Expect) -> Attempt {
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n{headers}", BODY.len());
    Attempt::of(name, &format!("POST {path}"), &headers, BODY, expect)
}

/// All of them.
pub(super) fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for path in PATHS {
        attempts.push(Attempt::post(format!("path: {path}"), path, BODY, Turned));
    }
    for method in METHODS {
        attempts.push(Attempt::lined(format!("method: {method}"), &format!("{method} {CHAT}"), BODY, Turned));
    }
    for query in QUERIES {
        attempts.push(Attempt::post(format!("query: {query}"), &format!("{CHAT}{query}"), BODY, Exact));
    }
    for (name, headers) in HEADERS {
        attempts.push(Attempt::with_headers(format!("header: {name}"), CHAT, headers, BODY, Exact));
    }
    for kind in KINDS {
        let headers = format!("Authorization: Bearer {SECRET}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", BODY.len());
        attempts.push(Attempt::of(format!("kind of content: {kind}"), &format!("POST {CHAT}"), &headers, BODY, Exact));
    }
    for coding in ["gzip", "GZIP", "deflate", "br", "zstd", "x-gzip", "identity, gzip", "aes128gcm"] {
        attempts.push(Attempt::with_headers(format!("encoding: {coding}"), CHAT, &format!("Content-Encoding: {coding}\r\n"), BODY, Refused(415)));
    }
    attempts.push(Attempt::with_headers("encoding: twice", CHAT, "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n", BODY, Refused(415)));

    let (length, chunked) = (BODY.len(), format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len()));
    for (name, headers, body, expect) in [
        ("a length and chunks", format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"), &*chunked, Turned),
        ("two lengths", format!("Content-Length: {length}\r\nContent-Length: 5\r\n"), BODY, Turned),
        ("a signed length", format!("Content-Length: +{length}\r\n"), BODY, Turned),
        ("a length that is too long", format!("Content-Length: 00000000000000000000{length}\r\n"), BODY, Turned),
        ("chunks twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n".to_owned(), &chunked, Turned),
        ("compressed chunks", "Transfer-Encoding: gzip, chunked\r\n".to_owned(), &chunked, Turned),
        ("chunks in disguise", "Transfer-Encoding: \x0bchunked\r\n".to_owned(), &chunked, Turned),
        ("chunks of another name", "Transfer-Encoding: xchunked\r\n".to_owned(), &chunked, Turned),
        ("a chunk that is no number", "Transfer-Encoding: chunked\r\n".to_owned(), "zz\r\n{}\r\n0\r\n\r\n", Turned),
        ("a length with a blank in its name", format!("Content-Length : {length}\r\n"), BODY, Turned),
        ("a folded header", format!("Content-Length: {length}\r\nX: 1\r\n 2\r\n"), BODY, Turned),
        ("an upgrade", format!("Content-Length: {length}\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"), BODY, Turned),
        ("chunks", "Transfer-Encoding: chunked\r\n".to_owned(), &chunked, Exact),
        (
            "chunks with trailers",
            "Transfer-Encoding: chunked\r\n".to_owned(),
            &chunked.replace("0\r\n\r\n", "0\r\nContent-Length: 5\r\nAuthorization: x\r\n\r\n"),
            Exact,
        ),
    ] {
        attempts.push(framed(&format!("framing: {name}"), &headers, body, expect));
    }
    // What follows a request that is refused is never read as another one.
    let hidden = format!("POST /ocr HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: 2\r\n\r\n{{}}");
    attempts.push(framed("framing: a request in a body", "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", &format!("0\r\n\r\n{hidden}"), Turned));

    let own = format!("Authorization: Bearer {SECRET}\r\n");
    let stranger = "sg_live_00000000000000000000000000000000000000000000000000";
    for (name, path, headers, expect) in [
        ("none", CHAT.to_owned(), String::new(), Refused(401)),
        ("one that nobody was given", CHAT.to_owned(), format!("Authorization: Bearer {stranger}\r\n"), Refused(401)),
        ("the provider's key", CHAT.to_owned(), format!("Authorization: Bearer {}\r\n", crate::support::routes::UPSTREAM_KEY), Refused(401)),
        ("the main key", CHAT.to_owned(), format!("Authorization: Bearer {}\r\n", crate::support::gateway::MAIN_KEY), Refused(401)),
        ("another scheme", CHAT.to_owned(), format!("Authorization: Basic {SECRET}\r\n"), Refused(401)),
        ("one with something behind it", CHAT.to_owned(), format!("Authorization: Bearer {SECRET}x\r\n"), Refused(401)),
        ("two in one header", CHAT.to_owned(), format!("Authorization: Bearer {SECRET}, Bearer {SECRET}\r\n"), Refused(401)),
        ("two of a kind", CHAT.to_owned(), format!("{own}{own}"), Refused(400)),
        ("two of two kinds", CHAT.to_owned(), format!("{own}x-api-key: {SECRET}\r\n"), Refused(400)),
        ("the provider's key beside one's own", CHAT.to_owned(), format!("{own}api-key: {}\r\n", crate::support::routes::UPSTREAM_KEY), Refused(400)),
        ("one in the query and one in a header", format!("{CHAT}?key={SECRET}"), own, Refused(400)),
        ("two in the query", format!("{CHAT}?key={SECRET}&key={SECRET}"), String::new(), Refused(400)),
        ("one in the query", format!("{CHAT}?key={SECRET}"), String::new(), Exact),
        ("one as another API has it", CHAT.to_owned(), format!("x-goog-api-key: {SECRET}\r\n"), Exact),
    ] {
        attempts.push(presented(&format!("credentials: {name}"), &path, &headers, expect));
    }
    for (name, line, body) in [
        ("raises its own balance", "PATCH /v2/user/custom_token/me/", r#"{"balance":"1000000"}"#),
        ("takes its own budget off", "PATCH /v2/user/custom_token/me/", r#"{"active_balance":false}"#),
        ("makes another token", "POST /v2/user/custom_token/", r#"{"name":"free"}"#),
        ("deletes itself", "DELETE /v2/user/custom_token/me/", ""),
    ] {
        attempts.push(Attempt::lined(format!("token: {name}"), line, body, Turned));
    }
    for (name, headers) in
        [("asks as usual", ""), ("says that it is live", "Spendgate-Sandbox: false\r\n"), ("asks for many tokens", "Spendgate-Simulate: tokens=500\r\n")]
    {
        attempts.push(Attempt::with_headers(format!("sandbox: {name}"), CHAT, headers, BODY, Simulated).in_the_sandbox());
    }
    attempts
}
