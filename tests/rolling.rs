//! Rolling holds: a stream holds little of what it may cost, and more as it goes on; where the money ends, it ends as the API ends one.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::asks::{limited, send, streamed};
use crate::support::money::nanos;
use crate::support::routes::Routes;
use crate::support::{Answer, Gateway, Request, Setup, StandIn, eventually};

/// $10 a million output tokens.
const DEAR: &str = "gpt-4o";

fn dear(content: &str, max_tokens: u64) -> Value {
    let mut body = streamed(content, max_tokens);
    body["model"] = json!(DEAR);
    body["service_tier"] = json!("default");
    body
}

fn message(content: &str, max_tokens: u64) -> Request {
    let body = json!({"model": "claude-haiku-4-5", "max_tokens": max_tokens, "stream": true, "messages": [{"role": "user", "content": content}]});
    Request::post("/v1/messages", &body).header("anthropic-version", "2023-06-01")
}

/// The data of the events of a stream.
fn data(answer: &Answer) -> Vec<Value> {
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_holds_a_step_and_not_all_that_it_asks_for() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    // All of it would cost $0.16.
    let secret = gateway.tokens().with_budget("step", "0.05").await;
    let asking = tokio::spawn({
        let (client, request) = (gateway.client(), send(&secret, &dear("step @{tokens=500 gate=first}", 16_000)));
        async move { client.ask(request).await }
    });
    provider.arrived("step").await;
    let held = eventually("something is held", async || Some(gateway.tokens().money("step").await.held).filter(|held| *held > 0)).await;
    assert!(held < nanos("0.004"), "held {held}");
    provider.open_gate();
    let answer = asking.await.unwrap().expect(200);
    assert_eq!(answer.header("spendgate-clamped"), None);
    let row = provider.row_with("step");
    assert_eq!((row.consumed.completion, answer.body.to_vec()), (500, row.sent), "it passes as it is");
    let money = gateway.tokens().settled("step").await;
    assert_eq!((money.spent, money.balance), (row.consumed.cost, Some(nanos("0.05") - row.consumed.cost)));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_money_ends_the_stream_ends_as_at_a_limit() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let balance = "0.0300";
    for (name, asks) in [("asked", true), ("unasked", false)] {
        let secret = gateway.tokens().with_budget(name, balance).await;
        let mut body = dear(&format!("{name} @{{tokens=100000 delay=1}}"), 16_000);
        if !asks {
            body.as_object_mut().unwrap().remove("stream_options");
        }
        let answer = gateway.client().ask(send(&secret, &body)).await.expect(200);
        assert!(answer.body.ends_with(b"data: [DONE]\n\n"), "{name}");
        let seen = data(&answer);
        let finish = seen.iter().filter_map(|event| event["choices"][0]["finish_reason"].as_str()).collect::<Vec<_>>();
        assert_eq!(finish, ["length"], "{name}");
        assert!(seen.iter().all(|event| event["id"] == seen[0]["id"] && event["object"] == "chat.completion.chunk"), "{name}");
        assert_eq!(seen.iter().filter(|event| event["usage"].is_object()).count(), usize::from(asks), "{name}");
        let passed = seen.iter().filter(|event| event["choices"][0]["delta"]["content"].as_str().is_some_and(|text| !text.is_empty())).count();
        assert!(passed > 256, "{name}: {passed} tokens passed");
        let money = gateway.tokens().settled(name).await;
        let worth = i64::try_from(passed).unwrap() * 10_000;
        assert!(money.balance >= Some(0) && money.spent >= worth, "{name}: {money:?}, {passed} tokens");
        // A token a millisecond: where none comes for so long, the provider has stopped.
        let mut generated = 0;
        let mut same = 0;
        eventually("the provider to stop", async || {
            let now = provider.row_with(name).consumed.completion;
            same = if now == generated { same + 1 } else { 0 };
            generated = now;
            (same > 10).then_some(())
        })
        .await;
        assert!(generated < 50_000, "{name}: {generated} tokens were generated");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_ends_likewise() {
    let provider = StandIn::start().await;
    let gateway = Gateway::start(Setup::new(&Routes::at(provider.address()).anthropic("/v1/messages*", ""))).await;
    let secret = gateway.tokens().with_budget("message", "0.0200").await;
    let answer = gateway.client().ask(message("message @{tokens=100000 delay=1}", 60_000).bearer(&secret)).await.expect(200);
    let seen = data(&answer);
    let kinds: Vec<&str> = seen
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .filter(|kind| !kind.ends_with("_delta") || *kind == "message_delta")
        .filter(|kind| *kind != "ping")
        .collect();
    assert_eq!(kinds, ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]);
    let end = &seen[seen.len() - 2];
    assert_eq!(end["delta"]["stop_reason"], "max_tokens");
    assert!(end["usage"]["output_tokens"].as_u64().unwrap() > 256);
    let money = gateway.tokens().settled("message").await;
    assert!(money.balance >= Some(0) && money.spent > 0, "{money:?}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_show_is_held_in_full() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    for (name, body) in [
        ("reasons", {
            let mut body = dear("reasons @{gate=head}", 5_000);
            body["model"] = json!("o3");
            body
        }),
        ("choices", {
            let mut body = dear("choices @{gate=head}", 5_000);
            body["n"] = json!(2);
            body
        }),
        ("whole", limited("whole @{gate=head}", 5_000)),
    ] {
        let secret = gateway.tokens().with_budget(name, "1.00").await;
        let asking = tokio::spawn({
            let (client, request) = (gateway.client(), send(&secret, &body));
            async move { client.ask(request).await }
        });
        provider.arrived(name).await;
        let held = gateway.tokens().money(name).await.held;
        assert!(held >= 5_000 * 600, "{name}: {held}");
        provider.open_gate();
        asking.await.unwrap().expect(200);
        provider.close_gate();
    }
    gateway.close().await;
}

/// Agents that ask for far more than they use share a budget to its end: nobody is refused or cut short while there is money, and nobody spends more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_with_great_limits_share_a_small_budget() {
    const AGENTS: usize = 20;
    let provider = StandIn::start().await;
    let gateway = Gateway::start(Setup::new(&Routes::at(provider.address()).anthropic("/v1/messages*", ""))).await;
    let secret = gateway.tokens().with_budget("agents", "5.00").await;
    provider.behave("tokens=500 delay=2");
    let mut agents = tokio::task::JoinSet::new();
    for agent in 0..AGENTS {
        let (client, tokens, secret) = (gateway.client(), gateway.tokens(), secret.clone());
        agents.spawn(async move {
            let mut turns = 0;
            loop {
                let content = format!("agent {agent}, turn {turns}");
                let mut body = json!({"model": "claude-opus-4-1", "max_tokens": 32_000, "stream": true});
                body["messages"] = json!([{"role": "user", "content": content}]);
                let request = Request::post("/v1/messages", &body).header("anthropic-version", "2023-06-01").bearer(&secret);
                let answer = client.ask(request).await;
                let whole = answer.status == 200 && answer.header("spendgate-clamped").is_none() && {
                    let seen = data(&answer);
                    seen[seen.len() - 2]["delta"]["stop_reason"] == "end_turn"
                };
                if !whole {
                    assert!(matches!(answer.status.as_u16(), 200 | 402 | 429), "{answer:?}");
                    return (turns, tokens.money("agents").await.balance.unwrap());
                }
                turns += 1;
            }
        });
    }
    let ended = agents.join_all().await;
    let turns: usize = ended.iter().map(|(turns, _)| turns).sum();
    let left = ended.iter().map(|(_, left)| *left).max().unwrap();
    let money = gateway.tokens().settled("agents").await;
    eprintln!("{turns} whole turns; the first agent stopped with {left} nano-dollars left; {money:?} at the end");
    assert!(left < nanos("0.50"), "an agent was refused or cut short with {left} left");
    assert!(money.balance >= Some(0), "{money:?}");
    assert_eq!(money.spent, nanos("5.00") - money.balance.unwrap());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_waits_a_moment_for_what_others_hold() {
    let provider = StandIn::start().await;
    let gateway = Gateway::start(Setup::new(&Routes::at(provider.address()).openai("hold_wait = \"20s\"\nclamp = false"))).await;
    // A whole answer of 1,000 tokens of $0.60 a million is held in full: two do not fit.
    let secret = gateway.tokens().with_budget("waits", "0.0009").await;
    let first = tokio::spawn({
        let (client, request) = (gateway.client(), send(&secret, &limited("first @{gate=head tokens=5}", 1_000)));
        async move { client.ask(request).await }
    });
    provider.arrived("first").await;
    let second = tokio::spawn({
        let (client, request) = (gateway.client(), send(&secret, &limited("second @{tokens=5}", 1_000)));
        async move { client.ask(request).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(provider.rows().iter().all(|row| !row.body.windows(6).any(|part| part == b"second")), "it waits");
    provider.open_gate();
    first.await.unwrap().expect(200);
    second.await.unwrap().expect(200);
    assert_eq!(gateway.tokens().settled("waits").await.spent, provider.cost());
    // Not for ever.
    let soon = Gateway::start(Setup::new(&Routes::at(provider.address()).openai("hold_wait = \"0s\"\nclamp = false"))).await;
    provider.close_gate();
    let secret = soon.tokens().with_budget("soon", "0.0009").await;
    let first = tokio::spawn({
        let (client, request) = (soon.client(), send(&secret, &limited("third @{gate=head tokens=5}", 1_000)));
        async move { client.ask(request).await }
    });
    provider.arrived("third").await;
    let refused = soon.client().ask(send(&secret, &limited("fourth", 1_000))).await.expect(429);
    assert_eq!(refused.json()["error"]["code"], "budget_held");
    provider.open_gate();
    first.await.unwrap().expect(200);
    soon.close().await;
    gateway.close().await;
}
