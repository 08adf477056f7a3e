//! Mistral's API through the gateway: what is charged, whatever becomes of the answer; what passes; what is refused, and how.

use serde_json::{Value, json};

use crate::support::money::nanos;
use crate::support::routes::{Routes, UPSTREAM_KEY};
use crate::support::{Answer, Gateway, Request, Setup, StandIn, events, promises};

/// $0.15 a million input tokens, $0.015 from the cache, $0.60 output.
const MODEL: &str = "mistral-small-2603";
const CHAT: &str = "/mistral/v1/chat/completions";

async fn gateway(provider: &StandIn) -> Gateway {
    let at = provider.address();
    let routes = Routes::at(at)
        .upstream("mistral", at, "/mistral", "")
        .route("/mistral/v1/*", "mistral", "mistral", "")
        .route("/m/*", "mistral", "mistral", "clamp = false")
        .openai("");
    Gateway::start(Setup::new(&routes)).await
}

fn body(content: &str, max_tokens: u64) -> Value {
    json!({"model": MODEL, "max_tokens": max_tokens, "messages": [{"role": "user", "content": content}]})
}

fn streamed(content: &str, max_tokens: u64) -> Value {
    promises::with(body(content, max_tokens), json!({"stream": true}))
}

fn send(secret: &str, body: &Value) -> Request {
    Request::post(CHAT, body).bearer(secret)
}

fn ask(secret: &str, content: &str, stream: bool, limit: u64) -> Request {
    send(secret, &if stream { streamed(content, limit) } else { body(content, limit) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_charge_is_what_the_provider_reports_streamed_or_not() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let hows = ["", "prompt=70 cached=30", "split=1", "split=7 cached=2", "crlf", "crlf split=3"];
    promises::what_is_reported_is_charged(&provider, &gateway, ask, &hows, <[u8]>::to_vec).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_embeddings_audio_and_pages_cost_what_they_report() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("units", "20.00").await;
    let document = json!({"type": "document_url", "document_url": "https://example.com/a.pdf"});
    let audio = json!([{"type": "input_audio", "input_audio": "AAAA"}, {"type": "text", "text": "what is said?"}]);
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {}}});
    let asks = [
        ("fim/completions", json!({"model": "codestral-2508", "prompt": "def f(", "suffix": "return 1", "max_tokens": 9})),
        ("fim/completions", json!({"model": "codestral-2508", "prompt": "def f(", "max_tokens": 9, "stream": true})),
        ("embeddings", json!({"model": "mistral-embed", "input": ["one", "two"]})),
        ("embeddings", json!({"model": "mistral-embed", "input": vec!["a long text ".repeat(700); 90]})),
        ("chat/completions", json!({"model": "voxtral-small-latest", "max_tokens": 20, "messages": [{"role": "user", "content": audio}]})),
        ("chat/completions", json!({"model": "voxtral-small-latest", "max_tokens": 20, "stream": true, "messages": [{"role": "user", "content": audio}]})),
        ("ocr", json!({"model": "mistral-ocr-2512", "document": document, "pages": [0, 1, 2]})),
        ("ocr", json!({"model": "mistral-ocr-2512", "document": document})),
        ("ocr", json!({"model": "mistral-ocr-2512", "document": document, "pages": [0, 1], "document_annotation_format": format})),
    ];
    for (path, body) in asks {
        let before = provider.cost();
        gateway.client().ask(Request::post(&format!("/mistral/v1/{path}"), &body).bearer(&secret)).await.expect(200);
        assert!(provider.cost() > before, "{body}");
        assert_eq!(gateway.tokens().settled("units").await.spent, provider.cost(), "{body}");
    }
    // A document whose pages are not named is held for as the longest there can be.
    let poor = gateway.tokens().with_budget("poor", "1.99").await;
    let ocr = |more: Value| {
        let mut body = json!({"model": "mistral-ocr-2512", "document": document});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Request::post("/mistral/v1/ocr", &body).bearer(&poor)
    };
    let refusal = gateway.client().ask(ocr(json!({}))).await.refused(402, "budget_exhausted");
    assert_eq!(nanos(refusal.json()["error"]["budget"]["asked"].as_str().unwrap()), 2_000_000_000);
    gateway.client().ask(ocr(json!({"pages": [0, 1]}))).await.expect(200);
    assert_eq!(gateway.tokens().settled("poor").await.spent, 2 * 2_000_000);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_off_costs_what_passed() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let failed = |answer: &Answer| assert!(!answer.text().contains("[DONE]"), "never ended cleanly");
    promises::what_breaks_off_costs_what_passed(&provider, &gateway, ask, 10, failed, |served| served..served * 8 + 1_200 * 150).await;
    for (number, (usage, stream)) in [("negative", false), ("absurd", true)].into_iter().enumerate() {
        let name = format!("odd-{number}");
        let secret = gateway.tokens().with_budget(&name, "1.00").await;
        let content = format!("{name} @{{tokens=20 usage={usage}}}");
        let body = if stream { streamed(&content, 10_000) } else { body(&content, 10_000) };
        gateway.client().ask(send(&secret, &body)).await.expect(200);
        let spent = gateway.tokens().settled(&name).await.spent;
        // A stream holds a step of 256 tokens.
        let held = if stream { 256 } else { 10_000 };
        assert!((held * 600..held * 600 + 400_000).contains(&spent), "{usage} {stream}: {spent}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_is_lowered_to_what_the_balance_buys() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("near", "0.001").await;
    let answer = gateway.client().ask(send(&secret, &body("near @{tokens=100000}", 64_000))).await.expect(200);
    let clamped: i64 = answer.header("spendgate-clamped").unwrap().parse().unwrap();
    let row = provider.row_with("near");
    assert_eq!((&serde_json::from_slice::<Value>(&row.body).unwrap()["max_tokens"], row.consumed.completion), (&json!(clamped), clamped));
    let money = gateway.tokens().settled("near").await;
    assert!(money.spent == row.consumed.cost && money.balance >= Some(0) && money.spent > 600_000, "{money:?}");
    let strict = gateway.tokens().with_budget("strict", "0.001").await;
    gateway.client().ask(Request::post("/m/v1/chat/completions", &body("strict", 8_000)).bearer(&strict)).await.refused(402, "budget_exhausted");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_money_ends_the_stream_ends_as_at_a_limit() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("spent", "0.0018").await;
    // Where the provider may not be told a lower limit, the gateway ends the stream.
    let request = Request::post("/m/v1/chat/completions", &streamed("spent @{tokens=100000 delay=1}", 60_000)).bearer(&secret);
    let answer = gateway.client().ask(request).await.expect(200);
    assert!(answer.body.ends_with(b"data: [DONE]\n\n"));
    let seen: Vec<Value> = events::split(&answer.body).iter().filter_map(|event| events::json(event)).collect();
    let finish: Vec<&str> = seen.iter().filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str()).collect();
    let end = seen.last().unwrap();
    assert_eq!((finish, &end["id"], &end["created"]), (vec!["length"], &seen[0]["id"], &seen[0]["created"]));
    assert!(end["usage"]["completion_tokens"].as_u64().unwrap() > 256, "{end}");
    let money = gateway.tokens().settled("spent").await;
    let passed = i64::try_from(seen.len() - 2).unwrap();
    assert!(money.balance >= Some(0) && money.spent >= passed * 600 && passed > 256, "{money:?} for {passed}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_paths_and_refusals() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("paths", "100.00").await;
    let client = gateway.client();
    for path in [CHAT, "/m/v1/chat/completions", "/m/chat/completions"] {
        client.ask(Request::post(path, &body("paths", 9)).bearer(&secret).header("cookie", "a=b")).await.expect(200);
        let row = provider.rows().pop().unwrap();
        assert_eq!((row.target.as_str(), row.headers["authorization"].to_str().unwrap()), (CHAT, format!("Bearer {UPSTREAM_KEY}").as_str()));
        assert!(!row.headers.contains_key("cookie"));
    }
    let list = client.ask(Request::get("/mistral/v1/models").bearer(&secret)).await.expect(200).json();
    assert_eq!((list["data"].as_array().unwrap().len(), &list["data"][0]["id"]), (1, &json!(MODEL)));
    let (count, spent) = (provider.count(), gateway.tokens().settled("paths").await.spent);
    for path in ["agents/completions", "conversations", "moderations", "audio/transcriptions", "v1/v1/ocr"] {
        let refusal = client.ask(Request::post(&format!("/mistral/v1/{path}"), &json!({})).bearer(&secret)).await.refused(404, "route_not_found");
        assert!(refusal.json()["message"].as_str().unwrap().contains(path.trim_start_matches("v1/")), "{path}");
    }
    let with = |more: Value| send(&secret, &promises::with(body("refused", 9), more));
    for (more, param) in [
        (json!({"stream_options": {"include_usage": true}}), "stream_options"),
        (json!({"guardrails": [{}]}), "guardrails"),
        (json!({"tools": [{"type": "image_generation"}]}), "tools"),
        (json!({"messages": [{"role": "user", "content": [{"type": "document_url", "document_url": "https://x"}]}]}), "messages"),
    ] {
        assert_eq!(client.ask(with(more)).await.refused(400, "invalid_request").json()["error"]["param"], param);
    }
    client.ask(with(json!({"model": "mistral-nobody-knows"}))).await.refused(403, "model_not_priced");
    // Audio has no price for this model.
    client.ask(with(json!({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": "AA"}]}]}))).await.refused(403, "model_not_priced");
    assert_eq!(provider.count(), count);
    let answer = client.ask(with(json!({"messages": [{"role": "user", "content": "@{status=422}"}]}))).await.expect(422);
    assert_eq!(answer.body, provider.rows().last().unwrap().sent, "a provider's own error passes as it is");
    assert_eq!(gateway.tokens().settled("paths").await.spent, spent);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_pays_for_all_of_it() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    promises::who_hangs_up_pays(&provider, &gateway, ask, &[1, 700]).await;
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
    assert_eq!(json!(events::content(&stream.body)), whole.json()["choices"][0]["message"]["content"]);
    assert_eq!(events::split(&stream.body).iter().filter(|event| events::shows_usage(event)).count(), 1, "unasked");
    let read = json!({"model": "mistral-ocr-2512", "document": {"type": "document_url", "document_url": "https://x"}, "pages": [1, 2]});
    let read = client.ask(Request::post("/mistral/v1/ocr", &read).bearer(&secret)).await.expect(200).json();
    assert_eq!(read["usage_info"]["pages_processed"], 2);
    assert_eq!((provider.count(), gateway.tokens().money("sand").await.spent), (0, 0));
    gateway.close().await;
}
