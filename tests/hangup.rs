//! A client that hangs up is charged all the same: what the provider's usage says, or what passed where it says nothing.

use serde_json::json;

use crate::support::asks::{limited, ocr, send, streamed};
use crate::support::money::{CENT, DOLLAR};
use crate::support::routes::Routes;
use crate::support::{Gateway, Setup, StandIn, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_first_byte_of_a_stream_the_providers_usage_is_charged() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("hangup", "1.00").await;
    for (number, asked) in [(1, true), (2, false)] {
        let mut body = streamed(&format!("stream {number} @{{tokens=50 gate=first}}"), 100);
        if !asked {
            body.as_object_mut().unwrap().remove("stream_options");
        }
        provider.close_gate();
        let stream = gateway.client().stream(send(&secret, &body)).await.unwrap();
        assert_eq!(stream.status, 200);
        stream.hang_up_after(1).await.unwrap();
        provider.open_gate();
        eventually("the stream to be drained", async || provider.row_with(&format!("stream {number} ")).finished.then_some(())).await;
        let money = gateway.tokens().settled("hangup").await;
        assert_eq!(provider.row_with(&format!("stream {number} ")).consumed.completion, 50, "drained to its end");
        assert_eq!(money.spent, provider.cost());
        assert_eq!(money.balance, Some(DOLLAR - provider.cost()));
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_up_before_the_head_is_charged_too() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("early", "1.00").await;
    provider.behave("gate=head tokens=30");
    for (number, request) in [send(&secret, &limited("whole", 100)), ocr(&secret)].into_iter().enumerate() {
        provider.close_gate();
        let client = gateway.client();
        let waiting = tokio::spawn(async move { client.try_ask(request).await });
        eventually("the request to reach the provider", async || (provider.count() == number + 1).then_some(())).await;
        waiting.abort();
        let _ = waiting.await;
        provider.open_gate();
        eventually("the answer to be drained", async || provider.rows()[number].finished.then_some(())).await;
    }
    let money = gateway.tokens().settled("early").await;
    assert_eq!(money.spent, provider.cost());
    assert!(money.spent > CENT);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_up_at_many_places_never_escapes_a_charge() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("places", "1.00").await;
    for place in 0..24_usize {
        let body = streamed(&format!("place {place} @{{tokens=20 split=11}}"), 50);
        let stream = gateway.client().stream(send(&secret, &body)).await.unwrap();
        stream.hang_up_after(place * 200).await.unwrap();
    }
    eventually("all streams to be drained", async || provider.rows().iter().all(|row| row.finished).then_some(())).await;
    let money = gateway.tokens().settled("places").await;
    assert_eq!(provider.count(), 24);
    assert_eq!(money.spent, provider.cost());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_that_cancels_charges_at_least_what_passed() {
    let provider = StandIn::start().await;
    let routes = Routes::at(provider.address()).openai(r#"on_disconnect = "cancel""#);
    let gateway = Gateway::start(Setup::new(&routes)).await;
    let secret = gateway.tokens().with_budget("cancel", "1.00").await;
    let mut stream = gateway.client().stream(send(&secret, &streamed("cancel @{tokens=1500 delay=4}", 2000))).await.unwrap();
    for _ in 0..10 {
        stream.event().await.unwrap().unwrap();
    }
    stream.hang_up_after(0).await.unwrap();
    let money = gateway.tokens().settled("cancel").await;
    let row = provider.row_with("cancel");
    assert!(!row.finished, "the provider is told to stop");
    // Nobody reported usage: served <= charge <= hold.
    assert!(money.spent >= 9 * 600, "{money:?}");
    assert!(money.spent <= 2 * (2000 * 600 + 2000 * 150), "{money:?}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_streams_and_missing_usage_are_charged_between_served_and_held() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let faults = ["tokens=40 cut=30", "tokens=40 usage=none", "tokens=40 usage=negative", "tokens=40 usage=absurd", "tokens=40 cut=1"];
    for (number, fault) in faults.into_iter().enumerate() {
        for stream in [true, false] {
            let name = format!("fault-{number}-{stream}");
            let secret = gateway.tokens().with_budget(&name, "1.00").await;
            let mut body = streamed(&format!("{name} @{{{fault}}}"), 100);
            if !stream {
                body.as_object_mut().unwrap().remove("stream_options");
                body["stream"] = json!(false);
            }
            // It may be cut, and then the client must see that it was.
            let seen = gateway.client().try_ask(send(&secret, &body)).await;
            let broken = seen.as_ref().map_or(true, |answer| answer.status.is_server_error() || answer.text().contains("\"error\""));
            assert!(broken || !fault.contains("cut"), "{name} {fault}: {seen:?}");
            let money = gateway.tokens().settled(&name).await;
            let row = provider.row_with(&name);
            let bytes = i64::try_from(row.body.len()).unwrap();
            let served = if seen.is_ok() || stream { row.consumed.cost } else { 0 };
            assert!(money.spent >= served, "{name} {fault}: {money:?} for {:?}", row.consumed);
            assert!(money.spent <= 2 * (100 * 600 + (bytes + 100) * 150), "{name} {fault}: {money:?}");
            assert_eq!(money.balance, Some(DOLLAR - money.spent));
        }
    }
    let metrics = gateway.metrics().await;
    assert!(metrics.lines().any(|line| line.starts_with("spendgate_estimated_charges_total{") && !line.ends_with(" 0")), "{metrics}");
    gateway.close().await;
}
