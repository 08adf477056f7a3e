//! A provider that sends many events at once: they go on in few pieces, and nothing of them changes.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::asks::{CHAT, streamed};
use crate::support::routes::Routes;
use crate::support::{Gateway, Setup, raw};

const EVENTS: usize = 200;

/// A provider that answers each connection's one request with all of this in one write.
async fn answering(answer: String) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut seen = Vec::new();
            let mut buffer = [0_u8; 4096];
            // The last bytes of the body.
            while !seen.ends_with(b"}") {
                let count = socket.read(&mut buffer).await.unwrap();
                seen.extend_from_slice(&buffer[..count]);
            }
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, server)
}

fn events() -> Vec<String> {
    let event = |choices: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o-mini\",\"choices\":{choices},\"usage\":{usage}}}\n\n"
        )
    };
    let mut events: Vec<String> =
        (0..EVENTS).map(|word| event(&format!(r#"[{{"index":0,"delta":{{"content":"w{word} "}},"finish_reason":null}}]"#), "null")).collect();
    events.push(event(r#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#, "null"));
    events.push(event("[]", r#"{"prompt_tokens":10,"completion_tokens":200,"total_tokens":210}"#));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// The pieces of a chunked body, as they were framed.
fn pieces(body: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = body;
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        let (piece, after) = after.split_at(size);
        rest = after.strip_prefix("\r\n").unwrap();
        if size == 0 {
            break;
        }
        pieces.push(piece);
    }
    pieces
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_at_once_passes_in_few_pieces() {
    let events = events();
    let framed: String = events.iter().map(|event| format!("{:x}\r\n{event}\r\n", event.len())).collect();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let (provider, server) = answering(format!("{head}{framed}0\r\n\r\n")).await;
    let gateway = Gateway::start(Setup::new(&Routes::at(provider).openai(""))).await;
    let secret = gateway.tokens().with_budget("burst", "1.00").await;
    let body = streamed("all at once", 300).to_string();
    let request = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {secret}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = raw::exchange(gateway.client().address, request.as_bytes()).await;
    let (_, body) = answer.text.split_once("\r\n\r\n").unwrap();
    let pieces = pieces(body);
    assert_eq!(pieces.concat(), events.concat(), "not a byte changes");
    assert!(pieces.len() < events.len() * 3 / 4, "{} events in {} pieces", events.len(), pieces.len());
    assert_eq!(pieces[0], events[0], "the first one waits for nothing");
    assert_eq!(gateway.tokens().settled("burst").await.spent, 10 * 150 + 200 * 600);
    server.abort();
    gateway.close().await;
}
