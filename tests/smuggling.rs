//! What no honest client sends: framing that two parsers read differently, odd paths, odd methods. Refused, and the provider hears nothing.

use crate::support::asks::CHAT;
use crate::support::{Gateway, StandIn, raw};

const BODY: &str = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"max_tokens":5}"#;

/// A request, its headers as given, that asks for the connection to be closed.
fn request(line: &str, secret: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("{line}\r\nHost: gateway\r\nAuthorization: Bearer {secret}\r\nContent-Type: application/json\r\nConnection: close\r\n{headers}\r\n{body}")
        .into_bytes()
}

async fn gateway() -> (StandIn, Gateway, String) {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("raw", "1.00").await;
    (provider, gateway, secret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn framing_that_can_be_read_in_two_ways() {
    let (provider, gateway, secret) = gateway().await;
    let length = BODY.len();
    let line = format!("POST {CHAT} HTTP/1.1");
    let chunked = format!("{length:x}\r\n{BODY}\r\n0\r\n\r\n");
    let cases = [
        ("length and chunked", request(&line, &secret, &format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"), &chunked)),
        ("chunked and length", request(&line, &secret, "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", &chunked)),
        ("two lengths", request(&line, &secret, &format!("Content-Length: {length}\r\nContent-Length: 5\r\n"), BODY)),
        ("the same length twice", request(&line, &secret, &format!("Content-Length: {length}\r\nContent-Length: {length}\r\n"), BODY)),
        ("a list of lengths", request(&line, &secret, &format!("Content-Length: {length}, {length}\r\n"), BODY)),
        ("a signed length", request(&line, &secret, &format!("Content-Length: +{length}\r\n"), BODY)),
        ("a negative length", request(&line, &secret, "Content-Length: -1\r\n", BODY)),
        ("a hexadecimal length", request(&line, &secret, &format!("Content-Length: 0x{length:x}\r\n"), BODY)),
        ("chunked twice", request(&line, &secret, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", &chunked)),
        ("gzip, chunked", request(&line, &secret, "Transfer-Encoding: gzip, chunked\r\n", &chunked)),
        ("identity", request(&line, &secret, "Transfer-Encoding: identity\r\n", BODY)),
        ("an unknown coding", request(&line, &secret, "Transfer-Encoding: xchunked\r\n", &chunked)),
        ("chunked in HTTP/1.0", request(&format!("POST {CHAT} HTTP/1.0"), &secret, "Transfer-Encoding: chunked\r\n", &chunked)),
        ("a space before the colon", request(&line, &secret, &format!("Content-Length : {length}\r\n"), BODY)),
        ("a folded header", request(&line, &secret, &format!("X-Folded: one\r\n two\r\nContent-Length: {length}\r\n"), BODY)),
        ("a NUL in a header", request(&line, &secret, &format!("X-Nul: a\0b\r\nContent-Length: {length}\r\n"), BODY)),
        ("a bare CR in a header", request(&line, &secret, &format!("X-Cr: a\rb\r\nContent-Length: {length}\r\n"), BODY)),
        ("a header without a colon", request(&line, &secret, &format!("Nonsense\r\nContent-Length: {length}\r\n"), BODY)),
        ("a chunk size that is no number", request(&line, &secret, "Transfer-Encoding: chunked\r\n", "zz\r\nhello\r\n0\r\n\r\n")),
    ];
    for (what, bytes) in cases {
        let answer = raw::exchange(gateway.client().address, &bytes).await;
        assert!(matches!(answer.only_status(), None | Some(400 | 411 | 501 | 505)), "{what}: {answer:?}");
        assert_eq!(provider.count(), 0, "{what} reached the provider");
    }
    // And the honest ones pass, whatever their framing.
    for bytes in [request(&line, &secret, &format!("Content-Length: {length}\r\n"), BODY), request(&line, &secret, "Transfer-Encoding: chunked\r\n", &chunked)]
    {
        let answer = raw::exchange(gateway.client().address, &bytes).await;
        assert_eq!(answer.only_status(), Some(200), "{answer:?}");
    }
    assert_eq!(provider.count(), 2);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_request_hidden_in_a_body_is_never_seen() {
    let (provider, gateway, secret) = gateway().await;
    let hidden = format!("POST /ocr HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {secret}\r\nContent-Length: 2\r\n\r\n{{}}");
    let line = format!("POST {CHAT} HTTP/1.1");
    for headers in [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", hidden.len() + 5),
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n".to_owned(),
        format!("Content-Length: 0\r\nContent-Length: {}\r\n", hidden.len()),
    ] {
        let bytes = request(&line, &secret, &headers, &format!("0\r\n\r\n{hidden}"));
        // Without `Connection: close`, so that only the gateway's own judgement stands in the way.
        let bytes = String::from_utf8(bytes).unwrap().replace("Connection: close\r\n", "");
        let answer = raw::exchange(gateway.client().address, bytes.as_bytes()).await;
        assert!(matches!(answer.only_status(), None | Some(400)), "{answer:?}");
    }
    assert_eq!(provider.count(), 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_match_the_table_as_they_are_or_not_at_all() {
    let (provider, gateway, secret) = gateway().await;
    let headers = format!("Content-Length: {}\r\n", BODY.len());
    for path in [
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/./chat/completions",
        "/v1/../v1/chat/completions",
        "/v1/chat/completions/",
        "/v1/chat/completions;x=1",
        "/v1/chat%2fcompletions",
        "/v1/chat%2Fcompletions",
        "/v1/%63hat/completions",
        "/v1/%2e%2e/v1/chat/completions",
        "/%2e%2e/v1/chat/completions",
        "/v1/chat/completions%00",
        "/v1/chat/completions.",
        "/v1/chat/completions%20",
        "/V1/chat/completions",
        "/v1/chat\\completions",
        "/v1/v1/chat/completions",
        "/ocr/",
        "/ocr/..",
        "/ocr%3fx",
        "/OCR",
        "//ocr",
        "*",
        "v1/chat/completions",
    ] {
        let bytes = request(&format!("POST {path} HTTP/1.1"), &secret, &headers, BODY);
        let answer = raw::exchange(gateway.client().address, &bytes).await;
        assert!(matches!(answer.only_status(), None | Some(400 | 404 | 405)), "{path}: {answer:?}");
        assert_eq!(provider.count(), 0, "{path} reached the provider");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_does_not_choose_where_its_request_goes() {
    let (provider, gateway, secret) = gateway().await;
    let other = StandIn::start().await;
    let headers = format!("Content-Length: {}\r\n", BODY.len());
    for line in [
        format!("CONNECT {} HTTP/1.1", other.address()),
        "TRACE /v1/chat/completions HTTP/1.1".to_owned(),
        format!("GET {CHAT} HTTP/1.1"),
        format!("DELETE {CHAT} HTTP/1.1"),
    ] {
        let answer = raw::exchange(gateway.client().address, &request(&line, &secret, &headers, BODY)).await;
        assert!(matches!(answer.only_status(), None | Some(400 | 404 | 405 | 501)), "{line}: {answer:?}");
    }
    // Host and the absolute form decide nothing: refused, or sent where routes.toml says.
    let bytes = request(&format!("POST http://{}{CHAT} HTTP/1.1", other.address()), &secret, &headers, BODY);
    let answer = raw::exchange(gateway.client().address, &bytes).await;
    assert!(matches!(answer.only_status(), Some(200 | 400 | 404)), "{answer:?}");
    let bytes = String::from_utf8(request(&format!("POST {CHAT} HTTP/1.1"), &secret, &headers, BODY)).unwrap();
    let bytes = bytes.replace("Host: gateway", &format!("Host: {}", other.address()));
    let answer = raw::exchange(gateway.client().address, bytes.as_bytes()).await;
    assert!(matches!(answer.only_status(), Some(200 | 400 | 421)), "{answer:?}");
    let upgrade = format!("{headers}Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n");
    let answer = raw::exchange(gateway.client().address, &request(&format!("POST {CHAT} HTTP/1.1"), &secret, &upgrade, BODY)).await;
    assert_ne!(answer.only_status(), Some(101), "{answer:?}");
    assert_eq!(other.count(), 0);
    let money = gateway.tokens().settled("raw").await;
    assert_eq!(money.spent, provider.cost());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_bodies_hide_nothing() {
    let (provider, gateway, secret) = gateway().await;
    let headers = format!("Content-Length: {}\r\nContent-Encoding: gzip\r\n", BODY.len());
    let bytes = request(&format!("POST {CHAT} HTTP/1.1"), &secret, &headers, BODY);
    let answer = raw::exchange(gateway.client().address, &bytes).await;
    assert!(matches!(answer.only_status(), Some(400 | 415)), "{answer:?}");
    assert_eq!(provider.count(), 0);

    // An answer that is compressed against our word: its usage cannot be read, so at least what passed is charged.
    let client = gateway.client();
    let chat = crate::support::asks::limited("zip @{gzip tokens=20}", 50);
    let _ = client.try_ask(crate::support::asks::send(&secret, &chat)).await;
    let money = gateway.tokens().settled("raw").await;
    assert!(money.spent >= provider.cost(), "{money:?}, {} billed", provider.cost());
    gateway.close().await;
}
