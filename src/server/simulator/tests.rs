use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::simulate;

/// A running service; dropping `stop` ends it.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

async fn start() -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async { drop(stopped.await) };
    Running { address, stop, task: tokio::spawn(simulate(listener, shutdown)) }
}

/// Sends a request on a connection of its own, and reads all that comes back: head and body as they are on the wire.
async fn send(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> (String, String) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len());
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn chat(stream: bool) -> String {
    json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream}).to_string()
}

#[tokio::test]
async fn operations_are_found_by_path_and_method() {
    let running = start().await;
    for (method, path, body, status) in [
        ("POST", "/v1/chat/completions", chat(false), "200"),
        ("POST", "/v1/completions", r#"{"model":"m","prompt":"a"}"#.to_owned(), "200"),
        ("POST", "/v1/embeddings", r#"{"model":"m","input":"a"}"#.to_owned(), "200"),
        ("GET", "/v1/models", String::new(), "200"),
        ("GET", "/v1/models/gpt-4o", String::new(), "200"),
        ("GET", "/v1/models/nothing", String::new(), "404"),
        ("GET", "/v1/models?limit=3", String::new(), "200"),
        ("POST", "/v1/chat/completions", "{}".to_owned(), "400"),
        ("GET", "/v1/chat/completions", String::new(), "404"),
        ("POST", "/v1/models", String::new(), "404"),
        ("GET", "/", String::new(), "404"),
        ("POST", "/v1/v1/chat/completions", chat(false), "404"),
    ] {
        let (head, body) = send(running.address, method, path, "", &body).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path}: {head}");
        assert!(head.contains("content-type: application/json") && head.contains("spendgate-sandbox: true"), "{head}");
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body.get("error").is_some(), status != "200");
    }
    let (_, body) = send(running.address, "PUT", "/v1/embeddings", "", "").await;
    assert!(body.contains("with POST only"), "{body}");
}

#[tokio::test]
async fn a_stream_ends_properly_and_a_cut_one_does_not() {
    let running = start().await;
    let (head, body) = send(running.address, "POST", "/v1/chat/completions", "", &chat(true)).await;
    assert!(head.contains("content-type: text/event-stream") && head.contains("transfer-encoding: chunked"), "{head}");
    assert!(body.contains("data: [DONE]\n\n") && body.ends_with("\r\n0\r\n\r\n"));
    let (head, body) = send(running.address, "POST", "/v1/chat/completions", "spendgate-simulate: cut=3\r\n", &chat(true)).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body.matches("data: {").count(), 3);
    assert!(!body.contains("[DONE]") && !body.ends_with("0\r\n\r\n"), "{body}");
    let (head, body) = send(running.address, "POST", "/v1/chat/completions", "spendgate-simulate: cut=0\r\n", &chat(false)).await;
    assert!(head.starts_with("HTTP/1.1 200") && body.is_empty(), "{head}");
}

#[tokio::test]
async fn faults_come_by_header() {
    let running = start().await;
    let start = Instant::now();
    let (head, body) =
        send(running.address, "POST", "/v1/chat/completions", "spendgate-simulate: status=429\r\nSpendgate-Simulate: latency=120ms\r\n", &chat(true)).await;
    assert!(head.starts_with("HTTP/1.1 429") && body.contains("rate_limit_exceeded"), "{head}");
    assert!(start.elapsed() >= Duration::from_millis(120));
    let (head, body) = send(running.address, "POST", "/v1/chat/completions", "spendgate-simulate: explode\r\n", &chat(true)).await;
    assert!(head.starts_with("HTTP/1.1 400") && body.contains("Header spendgate-simulate: there is no fault 'explode'"), "{head} {body}");
}

#[tokio::test]
async fn too_large_a_body_is_refused() {
    let running = start().await;
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    let head = format!("POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", 33 << 20);
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn the_shutdown_finishes_what_runs() {
    let running = start().await;
    let idle = TcpStream::connect(running.address).await.unwrap();
    let body = chat(false);
    let slow = tokio::spawn(async move { send(running.address, "POST", "/v1/chat/completions", "spendgate-simulate: latency=500ms\r\n", &body).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(running.stop);
    let (head, _) = slow.await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    tokio::time::timeout(Duration::from_secs(5), running.task).await.expect("idle connections do not hold it up").unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
    drop(idle);
}
