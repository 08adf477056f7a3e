//! Providers that count what their models read: they are asked where the bytes would have a request refused or clamped, and nowhere else.

use serde_json::{Value, json};

use super::long;
use crate::support::asks::{CHAT, limited};
use crate::support::money::{dollars, nanos};
use crate::support::promises::with;
use crate::support::routes::{Routes, UPSTREAM_KEY};
use crate::support::{Gateway, Request, Setup, StandIn, events, eventually};

/// $1 a million input tokens, $1.25 and $2 written to the cache, $5 output.
pub(super) const CLAUDE: &str = "claude-haiku-4-5";
/// $0.30 a million input tokens, $2.50 output.
const GEMINI: &str = "/v1beta/models/gemini-2.5-flash:generateContent";

/// Anthropic's API and Google's, and OpenAI's with a model of somebody else's.
pub(super) async fn gateway(provider: &StandIn) -> Gateway {
    let routes = Routes::at(provider.address())
        .anthropic("/v1/messages*", "hold_wait = \"20s\"")
        .openai(r#"price = { input_mtok = "0.15", output_mtok = "0.60" }"#)
        .gemini("/v1beta/*", "")
        .anthropic("/strict/*", "clamp = false")
        .anthropic("/off/*", "count_margin = \"off\"")
        .anthropic("/wide/*", "count_margin = \"2\"");
    Gateway::start(Setup::new(&routes)).await
}

pub(super) fn message(content: impl Into<Value>, max_tokens: u64) -> Value {
    json!({"model": CLAUDE, "max_tokens": max_tokens, "messages": [{"role": "user", "content": content.into()}]})
}

fn content(text: &str, limit: u64) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": {"maxOutputTokens": limit}})
}

pub(super) fn send(secret: &str, path: &str, body: &Value) -> Request {
    Request::post(path, body).header("anthropic-version", "2023-06-01").bearer(secret)
}

/// What the stand-in counts and bills for one message of that text.
fn tokens(text: &str) -> i64 {
    i64::try_from(text.len().div_ceil(4)).unwrap() + 4 + 3
}

/// What such a message is held for when it is counted, with that limit of the output.
pub(super) fn counted(text: &str, max_tokens: i64) -> i64 {
    let count = tokens(text);
    (count + 64.max((count + 49) / 50)) * 1_250 + max_tokens * 5_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fits_when_the_provider_counts_is_served_unclamped() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    provider.behave("tokens=100");
    let streamed = |body: Value| with(body, json!({"stream": true}));
    let pdf = json!([{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjcK"}}, {"type": "text", "text": "pdf word "}]);
    let cases = [
        ("whole", "/v1/messages", message(long("whole"), 100), "0.002"),
        ("stream", "/v1/messages", streamed(message(long("stream"), 100)), "0.002"),
        ("rolls", "/v1/messages", streamed(message(long("rolls"), 1_100)), "0.007"),
        ("rolls on", "/v1/messages", streamed(message(long("rolls on"), 5_000)), "0.008"),
        ("strict", "/strict/v1/messages", message(long("strict"), 100), "0.002"),
        // All that its window may hold would be $0.25.
        ("pdf", "/v1/messages", message(pdf, 100), "0.002"),
        ("contents", GEMINI, content(&long("contents"), 100), "0.0006"),
        ("pieces", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", content(&long("pieces"), 100), "0.0006"),
        ("spelled", GEMINI, json!({"contents": {"parts": {"text": long("spelled")}}, "generation_config": {"max_output_tokens": 100}}), "0.0006"),
    ];
    for (index, (name, path, body, balance)) in cases.into_iter().enumerate() {
        let secret = gateway.tokens().with_budget(name, balance).await;
        let answer = gateway.client().ask(send(&secret, path, &body)).await.expect(200);
        assert_eq!(answer.header("spendgate-clamped"), None, "{name}");
        assert_eq!(provider.counts().len(), index + 1, "{name}");
        let row = provider.row_with(&format!("{name} word"));
        let money = gateway.tokens().settled(name).await;
        assert_eq!((money.spent, money.balance), (row.consumed.cost, Some(nanos(balance) - row.consumed.cost)), "{name}");
        assert!(row.consumed.completion == 100 && money.balance >= Some(0), "{name}: {money:?}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_provider_is_asked_as_the_request_would_be() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("asked", "0.02").await;
    let tools = json!([{"name": "look_up", "description": long("tool"), "input_schema": {"type": "object"}}]);
    let more = json!({"system": "brief", "tools": tools, "tool_choice": {"type": "auto"}, "thinking": {"type": "disabled"}, "temperature": 1,
        "metadata": {"user_id": "x"}, "stop_sequences": ["end"], "stream": false});
    let body = with(message(long("asked"), 3_000), more);
    let request = send(&secret, "/strict/v1/messages?beta=true&key2=x", &body).header("anthropic-beta", "some-beta");
    gateway.client().ask(request).await.expect(200);
    let call = provider.counts().pop().unwrap();
    assert_eq!(call.target, "/v1/messages/count_tokens?beta=true");
    let header = |name: &str| call.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!((header("x-api-key"), header("anthropic-version"), header("anthropic-beta")), (Some(UPSTREAM_KEY), Some("2023-06-01"), Some("some-beta")));
    assert_eq!((header("authorization"), header("content-type")), (None, Some("application/json")));
    let mut expected = body.clone();
    for member in ["max_tokens", "temperature", "metadata", "stop_sequences", "stream"] {
        expected.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), expected);

    let secret = gateway.tokens().with_budget("google", "0.0006").await;
    let more = json!({"model": "gemini-2.5-flash", "systemInstruction": {"parts": [{"text": "brief"}]}, "safetySettings": []});
    let body = with(content(&long("google"), 20), more);
    gateway.client().ask(send(&secret, &format!("{}?alt=json", GEMINI.replace(':', "%3A")), &body)).await.expect(200);
    let call = provider.counts().pop().unwrap();
    assert_eq!(call.target, "/v1beta/models/gemini-2.5-flash:countTokens");
    assert_eq!(call.headers["x-goog-api-key"], UPSTREAM_KEY);
    let whole = json!({"model": "models/gemini-2.5-flash", "contents": body["contents"], "systemInstruction": body["systemInstruction"]});
    assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), json!({"generateContentRequest": whole}));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hold_is_the_count_with_its_margin() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    provider.behave("tokens=1000 gate=head");
    let (short, great) = (long("short"), format!("great {}", "word ".repeat(4_000)));
    let hour = with(message(long("hour"), 100), json!({"cache_control": {"type": "ephemeral", "ttl": "1h"}}));
    let wide = (2 * tokens(&long("wide"))) * 1_250 + 100 * 5_000;
    let dear = (tokens(&long("hour")) + 64) * 2_000 + 100 * 5_000;
    let cases = [
        ("short", "/v1/messages", message(short.as_str(), 100), counted(&short, 100)),
        ("great", "/v1/messages", message(great.as_str(), 100), counted(&great, 100)),
        ("wide", "/wide/v1/messages", message(long("wide"), 100), wide),
        // What may be written to the cache for an hour is priced so.
        ("hour", "/v1/messages", hour, dear),
    ];
    for (name, path, body, most) in cases {
        let secret = gateway.tokens().with_budget(name, &dollars(most)).await;
        let (client, request) = (gateway.client(), send(&secret, path, &body));
        let served = tokio::spawn(async move { client.ask(request).await });
        provider.arrived(&format!("{name} word")).await;
        assert_eq!(gateway.tokens().money(name).await.held, most, "{name}");
        provider.open_gate();
        assert_eq!(served.await.unwrap().expect(200).header("spendgate-clamped"), None, "{name}");
        provider.close_gate();
        // A token less of output, where a nano-dollar is missing: less than the bytes would buy is nothing.
        let poor = format!("{name}, poor");
        let secret = gateway.tokens().with_budget(&poor, &dollars(most - 1)).await;
        provider.open_gate();
        let answer = gateway.client().ask(send(&secret, path, &body)).await.expect(200);
        assert_eq!(answer.header("spendgate-clamped"), Some("99"), "{name}");
        provider.close_gate();
        assert!(gateway.tokens().settled(&poor).await.balance >= Some(0), "{name}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_its_bytes_would_end_goes_on() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    provider.behave("tokens=900");
    // By its bytes the first step is there, and 200 tokens more.
    let secret = gateway.tokens().with_budget("goes on", "0.0075").await;
    let body = with(message(long("goes on"), 5_000), json!({"stream": true}));
    let answer = gateway.client().ask(send(&secret, "/v1/messages", &body)).await.expect(200);
    assert!(events::content(&answer.body).is_empty() && String::from_utf8_lossy(&answer.body).contains("w900 "));
    let money = gateway.tokens().settled("goes on").await;
    assert_eq!((money.spent, provider.counts().len()), (provider.cost(), 1));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_asked_where_no_count_could_help() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let (client, tokens) = (gateway.client(), gateway.tokens());
    // Enough by the bytes; no budget; a sandbox.
    for secret in [tokens.with_budget("rich", "1.00").await, tokens.without_budget("free").await, tokens.sandbox("sand").await] {
        client.ask(send(&secret, "/v1/messages", &message(long("rich"), 100))).await.expect(200);
        client.ask(send(&secret, GEMINI, &content(&long("rich"), 100))).await.expect(200);
    }
    // Nothing left, and less than a 128th of the bytes would cost.
    for (name, balance) in [("empty", "0"), ("crumbs", "0.0001")] {
        let secret = tokens.with_budget(name, balance).await;
        client.ask(send(&secret, "/v1/messages", &message(long(name), 100))).await.refused(402, "budget_exhausted");
        client.ask(send(&secret, "/v1/messages", &with(message(long(name), 5_000), json!({"stream": true})))).await.refused(402, "budget_exhausted");
    }
    let secret = tokens.with_budget("other", "0.003").await;
    let by_address = |kind: &str| json!([{"type": kind, "source": {"type": "url", "url": "https://example.com/x"}}, {"type": "text", "text": long("other")}]);
    let search = with(message(long("other"), 100), json!({"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 1}]}));
    for (path, body) in [
        ("/off/v1/messages", message(long("other"), 100)),
        ("/v1/messages", message(by_address("document"), 100)),
        ("/strict/v1/messages", message(by_address("image"), 100)),
        ("/v1/messages", search),
    ] {
        client.ask(send(&secret, path, &body)).await.refused(402, "budget_exhausted");
    }
    let secret = tokens.with_budget("google", "0.001").await;
    let part = |part: Value| json!({"contents": [{"parts": [part, {"text": long("google")}]}], "generationConfig": {"maxOutputTokens": 100}});
    for body in [
        part(json!({"fileData": {"fileUri": "https://example.com/x.pdf", "mimeType": "application/pdf"}})),
        part(json!({"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0xLjcK"}})),
        with(content(&long("google"), 100), json!({"tools": [{"googleSearch": {}}]})),
    ] {
        client.ask(send(&secret, GEMINI, &body)).await.expect(402);
    }
    // OpenAI's API has nobody to ask.
    let secret = tokens.with_budget("compatible", "0.0003").await;
    let mut body = limited(&long("compatible"), 100);
    body["model"] = json!(CLAUDE);
    client.ask(Request::post(CHAT, &body).bearer(&secret)).await.refused(402, "budget_exhausted");
    assert_eq!(provider.counts().len(), 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_on_a_small_token_spends_it_exactly() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    provider.behave("tokens=60 delay-head=5");
    let text = long("storm");
    // Ten and a half by what they are held for, and not three by their bytes.
    let budget = counted(&text, 100) * 21 / 2;
    let secret = gateway.tokens().with_budget("storm", &dollars(budget)).await;
    let mut crowd = tokio::task::JoinSet::new();
    for number in 0..60 {
        let body = with(message(text.as_str(), 100), json!({"stream": number % 3 == 0}));
        let (client, request) = (gateway.client(), send(&secret, "/v1/messages", &body));
        crowd.spawn(async move { client.ask(request).await.status.as_u16() });
    }
    let statuses = crowd.join_all().await;
    let served = statuses.iter().filter(|status| **status == 200).count();
    assert!(statuses.iter().all(|status| [200, 402].contains(status)), "{statuses:?}");
    let money = gateway.tokens().settled("storm").await;
    assert_eq!((money.spent, money.balance, money.held), (provider.cost(), Some(budget - provider.cost()), 0));
    assert_eq!(served, provider.count());
    // Nobody was refused while there was money for the least that is worth sending.
    assert!((0..counted(&text, 16)).contains(&money.balance.unwrap()), "{money:?}");
    assert!(served >= 10 && provider.counts().len() <= 60, "{served}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_up_while_the_provider_counts_leaves_nothing_behind() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    for (name, body, balance) in [
        ("whole", message(long("whole"), 100), "0.002"),
        // Its first step is held meanwhile.
        ("rolls", with(message(long("rolls"), 5_000), json!({"stream": true})), "0.008"),
    ] {
        provider.behave("gate=count");
        let secret = gateway.tokens().with_budget(name, balance).await;
        let (client, request) = (gateway.client(), send(&secret, "/v1/messages", &body));
        let before = provider.counts().len();
        let waiting = tokio::spawn(async move { client.try_ask(request).await });
        eventually("the count to be asked for", async || (provider.counts().len() > before).then_some(())).await;
        waiting.abort();
        let _ = waiting.await;
        let money = gateway.tokens().settled(name).await;
        assert_eq!((money.balance, money.held, money.spent), (Some(nanos(balance)), 0, 0), "{name}");
    }
    provider.open_gate();
    gateway.close().await;
    assert_eq!(provider.count(), 0);
}
