//! Cohere's API through the gateway: what is charged, whatever becomes of the answer; what passes; what is refused, and how.

use serde_json::{Value, json};

use crate::support::money::nanos;
use crate::support::routes::{Routes, UPSTREAM_KEY};
use crate::support::{Answer, Gateway, Request, Setup, StandIn, events, promises};

/// $2.50 a million input tokens, $10 output.
const MODEL: &str = "command-a-03-2025";

/// The API as it is mounted by default, and whole at mounts of its own.
async fn gateway(provider: &StandIn) -> Gateway {
    let at = provider.address();
    let routes = Routes::at(at)
        .upstream("cohere", at, "", "")
        .upstream("below", at, "/cohere", "provider = \"cohere\"")
        .route("/v2/chat*", "cohere", "cohere", "")
        .route("/v2/embed*", "cohere", "cohere", "")
        .route("/v2/rerank*", "cohere", "cohere", "")
        .openai("")
        .route("/v1/models*", "cohere", "below", "")
        .route("/cohere/*", "cohere", "below", "")
        .route("/strict/v2/*", "cohere", "cohere", "clamp = false");
    Gateway::start(Setup::new(&routes)).await
}

fn body(content: &str, max_tokens: u64) -> Value {
    json!({"model": MODEL, "max_tokens": max_tokens, "messages": [{"role": "user", "content": content}]})
}

fn streamed(content: &str, max_tokens: u64) -> Value {
    promises::with(body(content, max_tokens), json!({"stream": true}))
}

fn send(secret: &str, body: &Value) -> Request {
    Request::post("/v2/chat", body).bearer(secret)
}

fn ask(secret: &str, content: &str, stream: bool, limit: u64) -> Request {
    send(secret, &if stream { streamed(content, limit) } else { body(content, limit) })
}

/// Panics unless the answer is this refusal, where Cohere's SDK reads it.
#[track_caller]
fn refused(answer: Answer, status: u16, code: &str) -> Answer {
    let answer = answer.refused(status, code);
    let json = answer.json();
    assert_eq!(json["message"], json["error"]["message"], "{json}");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_billed_is_charged_streamed_or_not() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let hows = ["", "prompt=70", "split=1", "split=7", "crlf", "crlf split=3"];
    promises::what_is_reported_is_charged(&provider, &gateway, ask, &hows, <[u8]>::to_vec).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embeddings_and_rankings_cost_what_they_bill() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("units", "5.00").await;
    let picture = "data:image/png;base64,iVBORw0KGgo=";
    let asks = [
        ("/v2/embed", json!({"model": "embed-v4.0", "input_type": "search_query", "texts": ["one text", "another"], "embedding_types": ["float"]})),
        ("/v2/embed", json!({"model": "embed-v4.0", "input_type": "search_document", "texts": vec!["a long text ".repeat(800); 90]})),
        ("/v2/embed", json!({"model": "embed-v4.0", "input_type": "image", "images": [picture, picture]})),
        ("/v2/rerank", json!({"model": "rerank-v3.5", "query": "q", "documents": ["a", "b"], "top_n": 1})),
        ("/v2/rerank", json!({"model": "rerank-v3.5", "query": "q", "documents": vec!["long ".repeat(1_000); 150]})),
    ];
    for (path, body) in asks {
        let before = provider.cost();
        let answer = gateway.client().ask(Request::post(path, &body).bearer(&secret)).await.expect(200);
        assert!(provider.cost() > before);
        assert_eq!(nanos(answer.header("spendgate-cost").unwrap()), provider.cost() - before, "{path}");
        assert_eq!(gateway.tokens().settled("units").await.spent, provider.cost(), "{path}");
    }
    // Fifteen hundred documents of 1,250 tokens are at most so many pieces; what is held for covers what is billed.
    let poor = gateway.tokens().with_budget("poor", "0.01").await;
    let many = json!({"model": "rerank-v3.5", "query": "q", "documents": vec!["long ".repeat(1_000); 150]});
    let refusal = refused(gateway.client().ask(Request::post("/v2/rerank", &many).bearer(&poor)).await, 402, "budget_exhausted");
    let asked = nanos(refusal.json()["error"]["budget"]["asked"].as_str().unwrap());
    assert!(asked >= provider.rows().last().unwrap().consumed.cost && asked % 2_000_000 == 0, "{asked}");
    // Nothing is told: what was held is charged.
    let silent = json!({"model": "rerank-v3.5", "query": "@{usage=none}", "documents": ["a"]});
    gateway.client().ask(Request::post("/v2/rerank", &silent).bearer(&poor)).await.expect(200);
    assert_eq!(gateway.tokens().settled("poor").await.spent, 2_000_000);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_charge_is_durable_when_the_client_has_seen_the_end() {
    let provider = StandIn::start().await;
    let mut gateway = gateway(&provider).await;
    promises::the_charge_is_durable(&provider, &mut gateway, ask, 2, "event: message-end").await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_off_costs_what_passed() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let failed = |answer: &Answer| assert!(events::split(&answer.body).last().unwrap().contains("\"ERROR\""), "{}", answer.text());
    // The input by its bytes and what is added to every request, the output by its bytes.
    promises::what_breaks_off_costs_what_passed(&provider, &gateway, ask, 10, failed, |served| served..served * 6 + 300 * 2_500).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_that_cannot_be_cost_the_hold() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    promises::odd_reports_cost_the_hold(&gateway, ask, 10_000_000..12_000_000).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_is_lowered_to_what_the_balance_buys() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("near", "0.01").await;
    let mut asked = body("near @{tokens=100000}", 1);
    asked.as_object_mut().unwrap().remove("max_tokens");
    let answer = gateway.client().ask(send(&secret, &asked)).await.expect(200);
    let clamped: i64 = answer.header("spendgate-clamped").unwrap().parse().unwrap();
    let row = provider.row_with("near");
    assert_eq!((&serde_json::from_slice::<Value>(&row.body).unwrap()["max_tokens"], row.consumed.completion), (&json!(clamped), clamped));
    assert!(answer.text().contains("MAX_TOKENS"));
    let money = gateway.tokens().settled("near").await;
    assert!(money.spent == row.consumed.cost && money.balance >= Some(0) && money.spent > 8_000_000, "{money:?}");
    // Below its budget for thinking there would be no answer.
    let thinker = gateway.tokens().with_budget("thinker", "0.02").await;
    let mut thinking = body("thinker", 8_000);
    thinking["thinking"] = json!({"type": "enabled", "token_budget": 4_000});
    refused(gateway.client().ask(send(&thinker, &thinking)).await, 402, "budget_exhausted");
    thinking["thinking"]["token_budget"] = json!(500);
    let answer = gateway.client().ask(send(&thinker, &thinking)).await.expect(200);
    assert!((501..2_000).contains(&answer.header("spendgate-clamped").unwrap().parse::<u64>().unwrap()));
    let strict = gateway.tokens().with_budget("strict", "0.02").await;
    refused(gateway.client().ask(Request::post("/strict/v2/chat", &body("strict", 8_000)).bearer(&strict)).await, 402, "budget_exhausted");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_money_ends_the_stream_ends_as_at_a_limit() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("spent", "0.0300").await;
    // Where the provider may not be told a lower limit, the gateway ends the stream.
    let request = Request::post("/strict/v2/chat", &streamed("spent @{tokens=100000 delay=1}", 8_000)).bearer(&secret);
    let answer = gateway.client().ask(request).await.expect(200);
    let data = |event: &String| {
        let (_, data) = event.split_once("\ndata: ").unwrap_or_else(|| panic!("{event:?} in {}", answer.text()));
        serde_json::from_str::<Value>(data).unwrap()
    };
    let seen: Vec<Value> = events::split(&answer.body).iter().map(data).collect();
    let kinds: Vec<&str> = seen.iter().map(|event| event["type"].as_str().unwrap()).filter(|kind| *kind != "content-delta").collect();
    assert_eq!(kinds, ["message-start", "content-start", "content-end", "message-end"]);
    let end = seen.last().unwrap();
    assert_eq!((&end["id"], &end["delta"]["finish_reason"]), (&seen[0]["id"], &json!("MAX_TOKENS")));
    assert!(end["delta"]["usage"]["billed_units"]["output_tokens"].as_u64().is_some_and(|tokens| tokens > 256), "{end} {:?}", answer.headers);
    let money = gateway.tokens().settled("spent").await;
    let passed = i64::try_from(seen.len() - 4).unwrap();
    assert!(money.balance >= Some(0) && money.spent >= passed * 10_000 && passed > 256, "{money:?} for {passed}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_headers_and_paths() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("headers", "1.00").await;
    let client = gateway.client();
    let dressed = send(&secret, &body("dressed", 9)).header("x-client-name", "mine").header("cookie", "a=b").header("idempotency-key", "k");
    let answer = client.ask(dressed).await.expect(200);
    assert!(answer.header("set-cookie").is_none() && answer.header("openai-organization").is_none());
    let told = provider.row_with("dressed").headers;
    assert_eq!((told["authorization"].to_str().unwrap(), &told["x-client-name"]), (format!("Bearer {UPSTREAM_KEY}").as_str(), &"mine".parse().unwrap()));
    assert!(!told.contains_key("cookie") && !told.contains_key("idempotency-key"));
    for (path, expected) in [("/cohere/v2/chat", "/cohere/v2/chat"), ("/strict/v2/chat", "/v2/chat")] {
        client.ask(Request::post(path, &body("paths", 9)).bearer(&secret)).await.expect(200);
        assert_eq!(provider.rows().last().unwrap().target, expected);
    }
    let spent = gateway.tokens().settled("headers").await.spent;
    client.ask(Request::post("/cohere/v1/tokenize", &json!({"model": MODEL, "text": "hi"})).bearer(&secret)).await.expect(200);
    assert_eq!(provider.rows().last().unwrap().target, "/cohere/v1/tokenize");
    let list = client.ask(Request::get("/cohere/v1/models?page_size=20&key2=x").bearer(&secret)).await.expect(200).json();
    assert_eq!((&list["models"].as_array().unwrap().len(), &list["models"][0]["name"]), (&1, &json!(MODEL)));
    assert_eq!(provider.rows().last().unwrap().target, "/cohere/v1/models?page_size=20");
    // At a path that two APIs have, the SDK's own header decides.
    let sdk = client.ask(Request::get("/v1/models").header("x-fern-sdk-name", "cohere").bearer(&secret)).await.expect(200).json();
    assert_eq!(sdk["models"][0]["name"], MODEL);
    assert!(client.ask(Request::get("/v1/models").bearer(&secret)).await.expect(200).json()["data"].is_array());
    assert_eq!(gateway.tokens().settled("headers").await.spent, spent, "counting and listing cost nothing");
    // The token API keeps its place below /v2/.
    assert_eq!(gateway.tokens().get("headers").await.status, 200);
    for path in ["/v2/chatter", "/v2/embed-jobs", "/cohere/v1/chat", "/cohere/v2/audio/transcriptions"] {
        refused(client.ask(Request::post(path, &json!({})).bearer(&secret)).await, 404, "route_not_found");
    }
    refused(client.ask(Request::post("/v2/chat", &body("none", 9))).await, 401, "invalid_token");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_priced_is_refused_before_it_is_sent() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("refused", "100.00").await;
    let with = |more: Value| send(&secret, &promises::with(body("refused", 9), more));
    for (more, param) in [
        (json!({"max_tokens": -1}), "max_tokens"),
        (json!({"connectors": []}), "connectors"),
        (json!({"tools": [{"type": "web_search"}]}), "tools"),
        (json!({"Stream": true}), "Stream"),
    ] {
        let refusal = refused(gateway.client().ask(with(more)).await, 400, "invalid_request");
        assert_eq!(refusal.json()["error"]["param"], param);
    }
    refused(gateway.client().ask(with(json!({"model": "command-nobody-knows"}))).await, 403, "model_not_priced");
    // A model of another kind has no price for what is asked of it.
    let odd = json!({"model": MODEL, "query": "q", "documents": ["a"]});
    refused(gateway.client().ask(Request::post("/v2/rerank", &odd).bearer(&secret)).await, 403, "model_not_priced");
    assert_eq!(provider.count(), 0);
    // A provider's own error passes as it is, and costs nothing.
    let answer = gateway.client().ask(with(json!({"messages": [{"role": "user", "content": "@{status=429}"}]}))).await.expect(429);
    assert_eq!(answer.body, provider.rows().last().unwrap().sent);
    assert_eq!(gateway.tokens().settled("refused").await.spent, 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_pays_for_all_of_it() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    promises::who_hangs_up_pays(&provider, &gateway, ask, &[1, 400, 1_500]).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_tokens_are_answered_without_a_provider() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().sandbox("sand").await;
    let client = gateway.client();
    let whole = client.ask(send(&secret, &body("say something", 60))).await.expect(200);
    assert_eq!(whole.header("spendgate-sandbox"), Some("true"));
    let stream = client.ask(send(&secret, &streamed("say something", 60))).await.expect(200);
    let data = |event: &String| serde_json::from_str::<Value>(event.split_once("\ndata: ").unwrap().1).unwrap();
    let seen: Vec<Value> = events::split(&stream.body).iter().map(data).collect();
    let text: String = seen.iter().filter_map(|event| event["delta"]["message"]["content"]["text"].as_str()).collect();
    assert_eq!((&whole.json()["message"]["content"][0]["text"], &seen.last().unwrap()["delta"]["usage"]), (&json!(text), &whole.json()["usage"]));
    let ranked = json!({"model": "rerank-v3.5", "query": "capital", "documents": ["x", "the capital"]});
    let ranked = client.ask(Request::post("/v2/rerank", &ranked).bearer(&secret)).await.expect(200).json();
    assert_eq!(ranked["results"][0]["index"], 1);
    let failed = client.ask(send(&secret, &body("x", 9)).header("spendgate-simulate", "status=503")).await.expect(503);
    assert!(failed.json()["message"].is_string());
    assert_eq!((provider.count(), gateway.tokens().money("sand").await.spent), (0, 0));
    gateway.close().await;
}
