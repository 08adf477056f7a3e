//! A token near its end: the output limit is lowered to what the balance buys, rather than refuse or overspend.

use serde_json::{Value, json};

use crate::support::asks::{chat, limited, send, streamed};
use crate::support::money::nanos;
use crate::support::routes::Routes;
use crate::support::{Gateway, Request, Setup, StandIn, events};

/// The service tier is named, so that only its prices bound the request.
fn plain(mut body: Value) -> Value {
    body["service_tier"] = json!("default");
    body
}

/// The output limit in a body that reached the provider.
fn limit(body: &[u8]) -> u64 {
    let json: Value = serde_json::from_slice(body).unwrap();
    json["max_completion_tokens"].as_u64().or(json["max_tokens"].as_u64()).unwrap_or_else(|| panic!("no output limit in {json}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_is_lowered_to_what_the_balance_buys() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    // A model that would talk for ever, and limits of every kind.
    provider.behave("tokens=100000");
    let mut modern = chat("modern");
    modern["max_completion_tokens"] = json!(5000);
    let mut legacy = json!({"model": "gpt-3.5-turbo-instruct", "prompt": "vintage", "max_tokens": 3000});
    legacy["n"] = json!(1);
    let cases = [
        ("old", "/v1/chat/completions", plain(limited("old", 5000))),
        ("modern", "/v1/chat/completions", plain(modern)),
        ("unlimited", "/v1/chat/completions", plain(chat("unlimited"))),
        ("streamed", "/v1/chat/completions", plain(streamed("streamed", 5000))),
        ("vintage", "/v1/completions", legacy),
    ];
    for (name, path, body) in cases {
        let balance = nanos("0.0006");
        let secret = gateway.tokens().with_budget(name, "0.0006").await;
        let answer = gateway.client().ask(Request::post(path, &body).bearer(&secret)).await.expect(200);
        let clamped: u64 = answer.header("spendgate-clamped").unwrap_or_else(|| panic!("{name}: {:?}", answer.headers)).parse().unwrap();
        let row = provider.row_with(name);
        assert_eq!(limit(&row.body), clamped, "{name}: the header says what the provider was told");
        assert_eq!(row.consumed.completion, i64::try_from(clamped).unwrap());
        assert!(clamped >= 16, "{name}: {clamped}");
        let money = gateway.tokens().settled(name).await;
        assert_eq!(money.spent, row.consumed.cost, "{name}");
        assert_eq!(money.balance, Some(balance - row.consumed.cost), "{name}");
        assert!(money.balance >= Some(0), "{name}: {money:?}");
        // Not only never too much, but nearly all of it: what is left is the looseness of the input's bound.
        assert!(row.consumed.cost * 2 > balance, "{name}: clamped to {clamped}, which leaves {:?}", money.balance);
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_else_in_the_body_stays_as_it_was() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("bytes", "0.0005").await;
    let body = "{ \"messages\" : [ {\"role\":\"user\", \"content\":\"odd \\u0041 spacing \\\"max_tokens\\\": 7\"} ],\n\t\"max_tokens\" : 4000 ,\"model\":\"gpt-4o-mini\", \"temperature\":1.0e0 }";
    let request = Request::post("/v1/chat/completions", &json!(null)).body(body).bearer(&secret);
    let answer = gateway.client().ask(request).await.expect(200);
    let clamped = answer.header("spendgate-clamped").expect("a clamped answer").to_owned();
    assert_eq!(String::from_utf8(provider.row_with("odd").body.to_vec()).unwrap(), body.replace("4000", &clamped));
    // And with money enough not a byte is changed, and nothing is said of a clamp.
    let rich = gateway.tokens().with_budget("rich", "5.00").await;
    let request = Request::post("/v1/chat/completions", &json!(null)).body(body).bearer(&rich);
    let answer = gateway.client().ask(request).await.expect(200);
    assert_eq!(answer.header("spendgate-clamped"), None);
    assert_eq!(provider.rows().last().unwrap().body, body);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_where_clamping_is_off() {
    let provider = StandIn::start().await;
    let routes = Routes::at(provider.address()).openai("clamp = false");
    let gateway = Gateway::start(Setup::new(&routes)).await;
    let secret = gateway.tokens().with_budget("strict", "0.0006").await;
    let refusal = gateway.client().ask(send(&secret, &plain(limited("too much", 5000)))).await.refused(402, "budget_exhausted");
    assert!(nanos(refusal.json()["error"]["budget"]["asked"].as_str().unwrap()) >= 5000 * 600, "{}", refusal.text());
    assert_eq!(provider.count(), 0);
    let answer = gateway.client().ask(send(&secret, &plain(limited("affordable", 200)))).await.expect(200);
    assert_eq!(answer.header("spendgate-clamped"), None);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_little_for_anything_worth_sending_is_refused() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    // Less than sixteen tokens of output.
    let secret = gateway.tokens().with_budget("crumbs", "0.000009").await;
    let refusal = gateway.client().ask(send(&secret, &plain(limited("hi", 1000)))).await.refused(402, "budget_exhausted");
    assert_eq!(refusal.json()["error"]["budget"]["balance"], "0.000009000");
    assert_eq!(provider.count(), 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asked_limit_below_the_minimum_is_enough() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    // Four tokens of output are asked: they need not be sixteen to be worth sending.
    let secret = gateway.tokens().with_budget("little", "0.0001").await;
    let answer = gateway.client().ask(send(&secret, &plain(limited("hi @{tokens=100}", 4)))).await.expect(200);
    assert_eq!(answer.header("spendgate-clamped"), None);
    assert_eq!(provider.row_with("hi").consumed.completion, 4);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_enforced_budget_nothing_is_clamped() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().without_budget("open").await;
    let body = streamed("open @{tokens=30}", 100_000);
    let answer = gateway.client().ask(send(&secret, &body)).await.expect(200);
    assert_eq!(answer.header("spendgate-clamped"), None);
    assert_eq!(events::split(&answer.body).len(), 1 + 30 + 1 + 1 + 1);
    assert_eq!(provider.row_with("open").body, body.to_string());
    gateway.close().await;
}
