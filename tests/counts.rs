//! A token near its end, and a request whose bytes would cost more than it has: what OpenAI's models read is counted before anything is refused, and
//! others' providers are asked to count.

mod failing;
mod provider;

use serde_json::{Value, json};

use crate::support::asks::{CHAT, limited, send, streamed};
use crate::support::money::{dollars, nanos};
use crate::support::routes::Routes;
use crate::support::{Gateway, Request, Setup, StandIn, events};

/// Four thousand bytes, eight hundred tokens: $0.0006 or $0.00012 on `gpt-4o-mini`.
fn long(marker: &str) -> String {
    format!("{marker} {}", "word ".repeat(800))
}

/// Of the usual tier, so that only its prices bound the request.
fn plain(mut body: Value) -> Value {
    body["service_tier"] = json!("default");
    body
}

/// What a chat with that text and a limit of 100 costs at the most, as it is counted: the text, 8 for the message, 64 for the request; and the output.
fn counted(text: &str) -> i64 {
    let tokens = tiktoken_rs::o200k_base_singleton().encode_ordinary(text).len();
    (i64::try_from(tokens).unwrap() + 8 + 64) * 150 + 100 * 600
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fits_when_it_is_counted_is_served_unclamped() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    provider.behave("greedy tokens=100");
    let response = |marker: &str| json!({"model": "gpt-4o-mini", "max_output_tokens": 100, "input": long(marker), "service_tier": "default"});
    let mut tiered = limited(&long("dear"), 100);
    tiered["service_tier"] = json!("priority");
    let cases = [
        ("chat", CHAT, plain(limited(&long("chat"), 100)), "0.0003"),
        ("stream", CHAT, plain(streamed(&long("stream"), 100)), "0.0003"),
        ("rolls", CHAT, plain(streamed(&long("rolls"), 1_100)), "0.00082"),
        ("rolls on", CHAT, plain(streamed(&long("rolls on"), 5_000)), "0.0012"),
        ("dear", CHAT, tiered, "0.0005"),
        ("response", "/v1/responses", response("response"), "0.0003"),
        ("vintage", "/v1/completions", json!({"model": "gpt-3.5-turbo-instruct", "prompt": long("vintage"), "max_tokens": 100}), "0.002"),
        ("embedding", "/v1/embeddings", json!({"model": "text-embedding-3-small", "input": [long("embedding"), "and more"]}), "0.00003"),
    ];
    for (name, path, body, balance) in cases {
        let secret = gateway.tokens().with_budget(name, balance).await;
        let answer = gateway.client().ask(Request::post(path, &body).bearer(&secret)).await.expect(200);
        assert_eq!(answer.header("spendgate-clamped"), None, "{name}");
        let row = provider.row_with(&format!("{name} word"));
        let money = gateway.tokens().settled(name).await;
        assert_eq!((money.spent, money.balance), (row.consumed.cost, Some(nanos(balance) - row.consumed.cost)), "{name}");
        assert!(row.consumed.cost > 0 && money.balance >= Some(0), "{name}: {money:?}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hold_is_what_was_counted_and_to_the_nano_dollar() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    provider.behave("greedy tokens=1000 gate=head");
    let text = long("exact");
    let most = counted(&text);
    let body = plain(limited(&text, 100));
    // A nano-dollar less, and it is clamped by a token.
    let poor = gateway.tokens().with_budget("poor", &dollars(most - 1)).await;
    let rich = gateway.tokens().with_budget("rich", &dollars(2 * most)).await;
    let (client, request) = (gateway.client(), send(&rich, &body));
    let first = tokio::spawn({
        let request = request.clone();
        async move { client.ask(request).await }
    });
    provider.arrived("exact").await;
    // No more is held than was counted, so that a second one like it is served at the same time.
    assert_eq!(gateway.tokens().money("rich").await.held, most);
    let second = tokio::spawn({
        let request = request.clone();
        async move { client.ask(request).await }
    });
    let clamped = tokio::spawn({
        let request = send(&poor, &body);
        async move { client.ask(request).await }
    });
    crate::support::eventually("three requests", async || (provider.count() == 3).then_some(())).await;
    provider.open_gate();
    for served in [first, second] {
        assert_eq!(served.await.unwrap().expect(200).header("spendgate-clamped"), None);
    }
    assert_eq!(clamped.await.unwrap().expect(200).header("spendgate-clamped"), Some("99"));
    // The provider billed all that was held: not a token of the bound was too many, and none too few.
    assert_eq!(gateway.tokens().settled("rich").await.balance, Some(0));
    assert_eq!(gateway.tokens().settled("poor").await.balance, Some(599));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_and_nothing_is_held() {
    let provider = StandIn::start().await;
    let routes = Routes::at(provider.address())
        .route("/strict/v1/*", "openai", "openai", "clamp = false")
        .upstream("other", provider.address(), "", "")
        .route("/other/v1/*", "openai", "other", r#"price = { input_mtok = "0.15", output_mtok = "0.60" }"#)
        .openai("");
    let gateway = Gateway::start(Setup::new(&routes)).await;
    let tokens = gateway.tokens();
    let asked = |refusal: &crate::support::client::Answer| nanos(refusal.json()["error"]["budget"]["asked"].as_str().unwrap());
    // Not even 16 tokens of output: what is told is what was counted.
    let secret = tokens.with_budget("crumbs", "0.0001").await;
    let refusal = gateway.client().ask(send(&secret, &plain(limited(&long("crumbs"), 100)))).await.refused(402, "budget_exhausted");
    assert_eq!(asked(&refusal), counted(&long("crumbs")) - 84 * 600);
    // Where no limit may be lowered, all of it counts.
    let secret = tokens.with_budget("strict", &dollars(counted(&long("strict")) - 1)).await;
    let strict = Request::post("/strict/v1/chat/completions", &plain(limited(&long("strict"), 100))).bearer(&secret);
    let refusal = gateway.client().ask(strict).await.refused(402, "budget_exhausted");
    assert_eq!(asked(&refusal), counted(&long("strict")));
    // A model of somebody else's, by the same name, is bounded by its bytes.
    let secret = tokens.with_budget("other", "0.0003").await;
    let other = Request::post("/other/v1/chat/completions", &plain(limited(&long("other"), 100))).bearer(&secret);
    gateway.client().ask(other).await.refused(402, "budget_exhausted");
    // Nothing left is nothing to count for.
    let secret = tokens.with_budget("empty", "0").await;
    let refusal = gateway.client().ask(send(&secret, &plain(limited(&long("empty"), 100)))).await.refused(402, "budget_exhausted");
    assert!(asked(&refusal) > 4_000 * 150, "{}", refusal.text());
    assert_eq!(provider.count(), 0);
    for name in ["crumbs", "strict", "other", "empty"] {
        let money = tokens.money(name).await;
        assert_eq!((money.held, money.spent), (0, 0), "{name}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_its_bytes_would_end_goes_on() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    provider.behave("tokens=900");
    // By its bytes the first step is there, and no more than 600 tokens after it.
    let secret = gateway.tokens().with_budget("goes on", "0.001").await;
    let body = plain(streamed(&long("goes on"), 5_000));
    let answer = gateway.client().ask(send(&secret, &body)).await.expect(200);
    assert_eq!(answer.header("spendgate-clamped"), None);
    assert!(events::content(&answer.body).contains("w900 "));
    let money = gateway.tokens().settled("goes on").await;
    assert_eq!(money.spent, provider.row_with("goes on").consumed.cost);
    gateway.close().await;
}
