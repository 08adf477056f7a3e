//! The stand-in provider itself: an oracle that is wrong proves nothing.

use serde_json::json;

use crate::support::client::Failure;
use crate::support::{Client, Request, StandIn, events, eventually};

fn chat(content: &str) -> serde_json::Value {
    json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}]})
}

async fn provider() -> (StandIn, Client) {
    let provider = StandIn::start().await;
    let client = Client { address: provider.address() };
    (provider, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bills_what_it_says_it_served() {
    let (provider, client) = provider().await;
    let mut body = chat("hello @{tokens=20 cached=3}");
    body["max_tokens"] = json!(5);
    let answer = client.ask(Request::post("/v1/chat/completions", &body)).await.expect(200).json();
    assert_eq!(answer["usage"]["completion_tokens"], 5, "the limit cuts the answer");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    let prompt = answer["usage"]["prompt_tokens"].as_i64().unwrap();
    let row = provider.row_with("hello");
    assert!(row.finished);
    assert_eq!(row.consumed.cost, (prompt - 3) * 150 + 3 * 75 + 5 * 600);
    assert_eq!(provider.cost(), row.consumed.cost);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_with_usage_only_where_asked() {
    let (provider, client) = provider().await;
    let mut body = chat("plain @{tokens=3}");
    body["stream"] = json!(true);
    let plain = client.ask(Request::post("/v1/chat/completions", &body)).await.expect(200);
    assert_eq!(events::content(&plain.body), "w1 w2 w3 ");
    assert!(!events::split(&plain.body).iter().any(|event| events::shows_usage(event)));
    body["messages"][0]["content"] = json!("asked @{tokens=3 split=5 crlf}");
    body["stream_options"] = json!({"include_usage": true});
    let asked = client.ask(Request::post("/v1/chat/completions", &body)).await.expect(200);
    assert_eq!(events::split(&asked.body).iter().filter(|event| events::shows_usage(event)).count(), 1);
    assert_eq!(events::split(&asked.body).last().unwrap(), "data: [DONE]");
    assert_eq!(asked.body, provider.row_with("asked").sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_stream_is_seen_as_cut_and_billed_in_part() {
    let (provider, client) = provider().await;
    let mut body = chat("cut @{tokens=10 cut=3}");
    body["stream"] = json!(true);
    let failure = client.try_ask(Request::post("/v1/chat/completions", &body)).await.unwrap_err();
    let Failure::Cut { seen, .. } = failure else { panic!("{failure:?}") };
    assert_eq!(events::split(&seen).len(), 3);
    let row = provider.row_with("cut=3");
    assert_eq!((row.consumed.completion, row.finished), (2, false));
    let whole = client.try_ask(Request::post("/v1/chat/completions", &chat("@{cut=1}"))).await;
    assert!(matches!(whole, Err(Failure::Cut { .. })), "{whole:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_hangs_up_stops_the_stream() {
    let (provider, client) = provider().await;
    let mut body = chat("bye @{tokens=2000 delay=2}");
    body["stream"] = json!(true);
    let stream = client.stream(Request::post("/v1/chat/completions", &body)).await.unwrap();
    stream.hang_up_after(1).await.unwrap();
    let mut last = -1;
    eventually("the stream to stand still", async || {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let now = provider.row_with("bye").consumed.completion;
        let still = now == last;
        last = now;
        still.then_some(())
    })
    .await;
    assert!(!provider.row_with("bye").finished);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_and_the_gate() {
    let (provider, client) = provider().await;
    let post = |words: &str| Request::post("/v1/chat/completions", &chat(words));
    assert!(matches!(client.try_ask(post("@{reset}")).await, Err(Failure::NoHead(_))));
    client.ask(post("@{status=503}")).await.expect(503);
    assert_eq!(provider.cost(), 0);
    client.ask(post("@{status=500 error-usage}")).await.expect(500);
    assert!(provider.cost() > 0);
    let redirected = client.ask(post("@{redirect}")).await.expect(307);
    assert!(redirected.header("location").is_some());
    let zipped = client.ask(post("@{gzip}")).await.expect(200);
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    assert_eq!(zipped.body[..2], [0x1f, 0x8b]);
    let absurd = client.ask(post("@{usage=absurd}")).await.json();
    assert!(absurd["usage"]["completion_tokens"].as_i64().unwrap() > 1 << 40);

    let waiting = tokio::spawn(async move { client.ask(Request::get("/ocr").header("x-stand-in", "gate=head cost=0.0123")).await });
    eventually("the request to reach the gate", async || provider.rows().iter().any(|row| row.target == "/ocr").then_some(())).await;
    assert!(!waiting.is_finished());
    provider.open_gate();
    let answer = waiting.await.unwrap().expect(200);
    assert_eq!(answer.header("x-cost"), Some("0.0123"));
    assert_eq!(provider.rows().last().unwrap().consumed.cost, 12_300_000);
}
