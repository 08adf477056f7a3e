//! Answers that do not come to their end, byte by byte from a provider that speaks no proper HTTP: what the client is told, and how it is counted.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::asks::{limited, send, streamed};
use crate::support::client::Failure;
use crate::support::money::DOLLAR;
use crate::support::routes::Routes;
use crate::support::{Gateway, Setup, StandIn, eventually};

const EVENT: &str = "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word\"}}]}\n\n";
/// A hundred bytes are promised, and these come.
const PART: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"id\":";

/// A provider that answers every request with these bytes, and then says nothing, or closes the connection.
async fn provider(answer: String, closes: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(one(connection, answer.clone(), closes));
        }
    });
    address
}

/// The requests of these tests end with their body's last brace.
async fn one(mut connection: TcpStream, answer: String, closes: bool) {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        if connection.read_buf(&mut request).await.unwrap() == 0 {
            return;
        }
    }
    connection.write_all(answer.as_bytes()).await.unwrap();
    if !closes {
        std::future::pending::<()>().await;
    }
}

async fn before(provider: SocketAddr) -> Gateway {
    Gateway::start(Setup::new(&Routes::with_upstream_settings(provider, "idle_timeout = \"300ms\"").openai(""))).await
}

/// Waits until requests of the token ended so.
async fn counted(gateway: &Gateway, token: &str, outcome: &str, times: usize) {
    let line = format!("token=\"{token}\",route=\"/v1/*\",model=\"gpt-4o-mini\",outcome=\"{outcome}\"}} {times}\n");
    eventually(&format!("the metrics to say {line}"), async || gateway.metrics().await.contains(&line).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_cut_is_counted_as_cut() {
    let start = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let stream = format!("{start}{:x}\r\n{EVENT}\r\n", EVENT.len());
    for closes in [true, false] {
        let gateway = before(provider(stream.clone(), closes).await).await;
        let secret = gateway.tokens().with_budget("cut", "1.00").await;
        let cut = gateway.client().try_ask(send(&secret, &streamed("cut", 20))).await;
        // Where it breaks off at once, its head may never have gone out.
        assert!(matches!(&cut, Err(Failure::Cut { .. } | Failure::NoHead(_))), "{cut:?}");
        counted(&gateway, "cut", "cut", 1).await;
        let money = gateway.tokens().settled("cut").await;
        assert!(money.spent > 0, "what passed is charged: {money:?}");
        gateway.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulated_cut_is_counted_as_cut() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().sandbox("simulated").await;
    let cut = gateway.client().try_ask(send(&secret, &streamed("cut", 20)).header("spendgate-simulate", "cut=3")).await;
    assert!(matches!(&cut, Err(Failure::Cut { .. })), "{cut:?}");
    counted(&gateway, "simulated", "cut", 1).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_in_one_piece_that_stops_coming_is_a_504_and_one_that_breaks_off_a_502() {
    for (closes, status, code) in [(false, 504, "upstream_timeout"), (true, 502, "upstream_error")] {
        let gateway = before(provider(PART.to_owned(), closes).await).await;
        let secret = gateway.tokens().with_budget("late", "1.00").await;
        let answer = gateway.client().ask(send(&secret, &limited("late", 20))).await.refused(status, code);
        assert_eq!(answer.header("x-should-retry"), Some("false"), "the provider has served it, perhaps");
        counted(&gateway, "late", code, 1).await;
        assert!(gateway.tokens().settled("late").await.spent > 0);
        gateway.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_response_may_be_billed_and_a_connection_that_is_closed_without_one_is_not() {
    for (answer, charged) in [("HTTP/1.1 two hundred\r\n\r\n", true), ("SSH-2.0-OpenSSH_9.2\r\n", true), ("", false)] {
        let gateway = before(provider(answer.to_owned(), true).await).await;
        let secret = gateway.tokens().with_budget("odd", "1.00").await;
        let answer = gateway.client().ask(send(&secret, &limited("odd", 20))).await.refused(502, "upstream_error");
        assert_eq!(answer.text().contains("no HTTP response"), charged, "{}", answer.text());
        counted(&gateway, "odd", "upstream_error", 1).await;
        let money = gateway.tokens().settled("odd").await;
        assert_eq!(money.spent > 0, charged, "{money:?}");
        gateway.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_protocols_is_not_passed_on() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n".to_owned();
    let gateway = before(provider(answer, false).await).await;
    let secret = gateway.tokens().with_budget("changed", "1.00").await;
    gateway.client().ask(send(&secret, &limited("changed", 20))).await.refused(502, "upstream_error");
    let money = gateway.tokens().settled("changed").await;
    assert_eq!((money.balance, money.spent), (Some(DOLLAR), 0), "{money:?}");
    gateway.close().await;
}
