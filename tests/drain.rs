//! SIGTERM: no new connections, what runs is finished and settled, exit 0.

use crate::support::asks::{ocr, send, streamed};
use crate::support::routes::Routes;
use crate::support::{Connection, Gateway, Request, Setup, StandIn, events, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_finished_and_charged_before_the_end() {
    let provider = StandIn::start().await;
    let mut gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("drain", "1.00").await;
    let client = gateway.client();
    let ops = gateway.ops();
    let mut stream = client.stream(send(&secret, &streamed("drain @{tokens=12 gate=first}", 50))).await.unwrap();
    stream.event().await.unwrap().unwrap();
    let whole = secret.clone();
    let waiting = tokio::spawn(async move { client.ask(Request::post("/ocr", &serde_json::json!({"do": "@{gate=head}"})).bearer(&whole)).await });
    eventually("both to reach the provider", async || (provider.count() == 2).then_some(())).await;

    gateway.signal("TERM");
    eventually("new requests to be turned away", async || match Connection::open(client.address).await {
        Err(_) => Some(()),
        Ok(mut connection) => match connection.ask(client.address, ocr(&secret)).await {
            Ok(answer) => (answer.status == 503).then_some(()),
            Err(_) => Some(()),
        },
    })
    .await;
    // Not ready any more, if the ops listener still answers at all.
    if let Ok(answer) = ops.try_ask(Request::get("/readyz")).await {
        assert_eq!(answer.status, 503, "{}", answer.text());
    }
    provider.open_gate();
    let answer = stream.rest().await.unwrap();
    assert_eq!(events::split(&answer.body).last().unwrap(), "data: [DONE]");
    waiting.await.unwrap().expect(200);
    let status = gateway.exited().await;
    assert_eq!(status.code(), Some(0), "{}", gateway.written());
    gateway.audit();
    gateway.launch().await;
    let money = gateway.tokens().money("drain").await;
    assert_eq!((money.held, money.spent), (0, provider.cost()), "settled before the end, not by a lease");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_whose_client_left_is_drained_too() {
    let provider = StandIn::start().await;
    let mut gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("left", "1.00").await;
    let stream = gateway.client().stream(send(&secret, &streamed("left @{tokens=12 gate=first}", 50))).await.unwrap();
    stream.hang_up_after(1).await.unwrap();
    gateway.signal("TERM");
    provider.open_gate();
    assert_eq!(gateway.exited().await.code(), Some(0));
    assert!(provider.row_with("left").finished);
    gateway.audit();
    gateway.launch().await;
    let money = gateway.tokens().money("left").await;
    assert_eq!((money.held, money.spent), (0, provider.cost()));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_gateway_ends_at_once_despite_idle_connections() {
    let provider = StandIn::start().await;
    let mut gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("idle", "1.00").await;
    let mut idle = Connection::open(gateway.client().address).await.unwrap();
    idle.ask(gateway.client().address, ocr(&secret)).await.unwrap().expect(200);
    assert_eq!(gateway.terminate().await.code(), Some(0));
    gateway.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_deadline_cuts_off_is_charged_before_the_end() {
    let provider = StandIn::start().await;
    let routes = Routes::at(provider.address()).openai("");
    // A lease far longer than this test: only the end of the gateway can have charged.
    let mut gateway = Gateway::start(Setup::new(&routes).env("SPENDGATE_DRAIN", "1s").env("SPENDGATE_LEASE", "10m")).await;
    let secret = gateway.tokens().with_budget("cut off", "1.00").await;
    let mut stream = gateway.client().stream(send(&secret, &streamed("late @{tokens=12 gate=first}", 50))).await.unwrap();
    stream.event().await.unwrap().unwrap();
    assert_eq!(gateway.terminate().await.code(), Some(0));
    gateway.audit();
    gateway.launch().await;
    let money = gateway.tokens().money("cut off").await;
    assert_eq!(money.held, 0);
    assert!(money.spent > 0 && money.spent < 1_000_000_000, "{money:?}");
    gateway.close().await;
}
