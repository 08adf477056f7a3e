//! Anthropic's API through the gateway: what is charged, whatever becomes of the answer; what passes; what is refused, and how.

use serde_json::{Value, json};

use crate::support::client::Failure;
use crate::support::gateway::MAIN_KEY;
use crate::support::money::nanos;
use crate::support::routes::{Routes, UPSTREAM_KEY};
use crate::support::{Answer, Gateway, Request, Setup, StandIn, events, promises};

/// $1 a million input tokens, $1.25 and $2 written to the cache, $0.10 read from it, $5 output; $10 a thousand searches.
const MODEL: &str = "claude-haiku-4-5";

/// Both APIs, mounted as they are by default, and Anthropic's alone at a mount without and with its version.
async fn gateway(provider: &StandIn) -> Gateway {
    let routes = Routes::at(provider.address())
        .anthropic("/v1/messages*", "")
        .openai("")
        .anthropic("/v1/*", "")
        .anthropic("/anthropic/*", "")
        .anthropic("/strict/v1/*", "clamp = false");
    Gateway::start(Setup::new(&routes)).await
}

fn body(content: &str, max_tokens: u64) -> Value {
    json!({"model": MODEL, "max_tokens": max_tokens, "messages": [{"role": "user", "content": content}]})
}

fn streamed(content: &str, max_tokens: u64) -> Value {
    promises::with(body(content, max_tokens), json!({"stream": true}))
}

fn send(secret: &str, body: &Value) -> Request {
    Request::post("/v1/messages", body).header("x-api-key", secret).header("anthropic-version", "2023-06-01")
}

fn ask(secret: &str, content: &str, stream: bool, limit: u64) -> Request {
    send(secret, &if stream { streamed(content, limit) } else { body(content, limit) })
}

/// Panics unless the answer is this refusal, in Anthropic's shape.
#[track_caller]
fn refused(answer: Answer, status: u16, kind: &str, code: &str) -> Answer {
    let answer = answer.refused(status, code);
    let json = answer.json();
    assert_eq!((&json["type"], &json["error"]["type"]), (&json!("error"), &json!(kind)), "{json}");
    assert_eq!(json["request_id"].as_str(), answer.header("request-id"));
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_charge_is_what_the_provider_reports_streamed_or_not() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let hows = ["", "cached=5", "prompt=70 cached=30 written=40 hour=7", "split=1", "split=7 cached=2", "crlf", "crlf split=3"];
    promises::what_is_reported_is_charged(&provider, &gateway, ask, &hows, <[u8]>::to_vec).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_are_counted_and_held_for() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("searcher", "5.00").await;
    let mut body = streamed("look @{searches=2 prompt=90000 tokens=40}", 50);
    body["tools"] = json!([{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]);
    gateway.client().ask(send(&secret, &body)).await.expect(200);
    assert_eq!(gateway.tokens().settled("searcher").await.spent, 90_000 * 1_000 + 40 * 5_000 + 2 * 10_000_000);
    assert_eq!(provider.cost(), gateway.tokens().money("searcher").await.spent);
    // Three runs of a whole window each, and the searches: more than this token has.
    let poor = gateway.tokens().with_budget("poor", "0.50").await;
    let refusal = refused(gateway.client().ask(send(&poor, &body)).await, 402, "billing_error", "budget_exhausted");
    let asked = nanos(refusal.json()["error"]["budget"]["asked"].as_str().unwrap());
    assert_eq!(asked, 3 * 200_000 * 1_250 + 2 * 10_000_000 + 3 * 16 * 5_000);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_charge_is_durable_when_the_client_has_seen_the_end() {
    let provider = StandIn::start().await;
    let mut gateway = gateway(&provider).await;
    promises::the_charge_is_durable(&provider, &mut gateway, ask, 3, "event: message_stop").await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_off_costs_its_input_and_what_passed() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    for (name, how, exact) in [
        ("cut", "cut=10 prompt=400", false),
        ("failed", "fail=10 prompt=400", false),
        ("silent", "usage=none prompt=400", false),
        // The model had stopped and all was told: only the goodbye is missing.
        ("told", "cut=25 prompt=400", true),
    ] {
        let secret = gateway.tokens().with_budget(name, "1.00").await;
        let answer = gateway.client().try_ask(send(&secret, &streamed(&format!("{name} @{{tokens=20 {how}}}"), 100))).await;
        match (name, answer) {
            ("failed", Ok(answer)) => {
                let seen = events::split(&answer.body);
                assert!(seen.last().unwrap().starts_with("event: error"), "{seen:?}");
                assert!(!answer.text().contains("message_stop"), "never ended cleanly");
            }
            ("silent", Ok(_)) | (_, Err(Failure::Cut { .. })) => {}
            (_, answer) => panic!("{name}: {answer:?}"),
        }
        let row = provider.row_with(&format!("{name} "));
        let spent = gateway.tokens().settled(name).await.spent;
        if exact {
            assert_eq!(spent, row.consumed.cost, "{name}");
        } else if name == "silent" {
            // Nothing was told: the input by its bytes, the output by what passed, all of it at the dearest.
            assert!((20 * 5_000..1_000_000).contains(&spent), "{name}: {spent}");
        } else {
            let output = row.consumed.completion;
            assert!((400 * 1_000 + output * 5_000..=400 * 1_000 + output * 6 * 5_000).contains(&spent), "{name}: {spent} for {output}");
        }
    }
    let metrics = gateway.metrics().await;
    assert!(metrics.contains("spendgate_estimated_charges_total{account=\"default\",token=\"cut\"} 1"), "{metrics}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_that_cannot_be_cost_the_hold() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    promises::odd_reports_cost_the_hold(&gateway, ask, 1_000 * 5_000..1_000 * 5_000 + 1_000_000).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_is_lowered_to_what_the_balance_buys() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("near", "0.005").await;
    let answer = gateway.client().ask(send(&secret, &streamed("near @{tokens=100000}", 64_000))).await.expect(200);
    let clamped: i64 = answer.header("spendgate-clamped").unwrap().parse().unwrap();
    let row = provider.row_with("near");
    assert_eq!(serde_json::from_slice::<Value>(&row.body).unwrap()["max_tokens"], clamped);
    assert_eq!(row.consumed.completion, clamped);
    let money = gateway.tokens().settled("near").await;
    assert!(money.spent == row.consumed.cost && money.balance >= Some(0) && money.spent > 4_000_000, "{money:?}");
    // Below its budget for thinking a request would be invalid: then it is refused, and not sent.
    let thinker = gateway.tokens().with_budget("thinker", "0.01").await;
    let mut thinking = body("thinker", 8_000);
    thinking["thinking"] = json!({"type": "enabled", "budget_tokens": 4_000});
    refused(gateway.client().ask(send(&thinker, &thinking)).await, 402, "billing_error", "budget_exhausted");
    thinking["thinking"]["budget_tokens"] = json!(1_024);
    let answer = gateway.client().ask(send(&thinker, &thinking)).await.expect(200);
    assert!((1_025..2_000).contains(&answer.header("spendgate-clamped").unwrap().parse::<u64>().unwrap()));
    let strict = gateway.tokens().with_budget("strict", "0.01").await;
    let request = Request::post("/strict/v1/messages", &body("strict", 8_000)).bearer(&strict);
    refused(gateway.client().ask(request).await, 402, "billing_error", "budget_exhausted");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_and_headers() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("headers", "1.00").await;
    let post = |marker: &str| Request::post("/v1/messages", &body(marker, 9));
    let dressed = post("dressed")
        .bearer(&secret)
        .header("anthropic-version", "2026-10-21")
        .header("anthropic-beta", "one-2026, two-2026")
        .header("cookie", "a=b")
        .header("idempotency-key", "k")
        .header("anthropic-workspace-id", "w");
    let answer = gateway.client().ask(dressed).await.expect(200);
    assert!(answer.header("set-cookie").is_none() && answer.header("x-request-id") == Some("req-stand-in"));
    let told = provider.row_with("dressed").headers;
    assert_eq!(
        (&told["x-api-key"], &told["anthropic-version"], &told["anthropic-beta"]),
        (&UPSTREAM_KEY.parse().unwrap(), &"2026-10-21".parse().unwrap(), &"one-2026, two-2026".parse().unwrap())
    );
    for stays in ["authorization", "cookie", "idempotency-key", "anthropic-workspace-id"] {
        assert!(!told.contains_key(stays), "{stays}");
    }
    gateway.client().ask(post("plain").header("x-api-key", &secret)).await.expect(200);
    assert_eq!(provider.row_with("plain").headers["anthropic-version"], "2023-06-01");
    refused(gateway.client().ask(post("two").header("x-api-key", &secret).bearer(&secret)).await, 400, "invalid_request_error", "invalid_request");
    refused(gateway.client().ask(post("none")).await, 401, "authentication_error", "invalid_token");
    refused(gateway.client().ask(post("main").header("x-api-key", MAIN_KEY)).await, 401, "authentication_error", "invalid_token");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_base_url_leads_to_the_same_operation() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("paths", "1.00").await;
    let client = gateway.client();
    for path in ["/v1/messages", "/anthropic/v1/messages", "/anthropic/messages", "/strict/v1/messages", "/v1/messages?beta=true&key2=x"] {
        client.ask(Request::post(path, &body("paths", 9)).bearer(&secret)).await.expect(200);
        let expected = if path.contains('?') { "/v1/messages?beta=true" } else { "/v1/messages" };
        assert_eq!(provider.rows().last().unwrap().target, expected);
    }
    let spent = gateway.tokens().settled("paths").await.spent;
    let counted = client.ask(Request::post("/v1/messages/count_tokens", &json!({"model": MODEL, "messages": []})).bearer(&secret)).await.expect(200);
    assert_eq!((counted.json()["input_tokens"].as_u64(), provider.rows().last().unwrap().target.as_str()), (Some(3), "/v1/messages/count_tokens"));
    // The list of models is the API's whose client asks, at the same path.
    let list = |request: Request| async {
        client.ask(request.bearer(&secret)).await.expect(200).json()["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(list(Request::get("/v1/models").header("anthropic-version", "2023-06-01")).await, [MODEL]);
    assert_eq!(provider.rows().last().unwrap().headers["x-api-key"], UPSTREAM_KEY);
    assert!(list(Request::get("/v1/models")).await.contains(&"gpt-4o-mini".to_owned()));
    assert_eq!(gateway.tokens().settled("paths").await.spent, spent, "counting and listing cost nothing");
    // And so is the shape of an error.
    for (path, version, kind) in [
        ("/v1/messages/batches", None, Some("not_found_error")),
        ("/v1/files", Some("2023-06-01"), Some("not_found_error")),
        ("/v1/files", None, None),
        ("/nowhere", Some("2023-06-01"), Some("not_found_error")),
        ("/anthropic/v1/v1/messages", None, Some("not_found_error")),
    ] {
        let mut request = Request::post(path, &json!({})).bearer(&secret);
        if let Some(version) = version {
            request = request.header("anthropic-version", version);
        }
        let answer = client.ask(request).await.refused(404, "route_not_found");
        match kind {
            Some(kind) => drop(refused(answer, 404, kind, "route_not_found")),
            None => assert_eq!(answer.json()["error"]["type"], "invalid_request_error"),
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_priced_is_refused_before_it_is_sent() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("refused", "100.00").await;
    let with = |more: Value| send(&secret, &promises::with(body("refused", 9), more));
    for (more, param) in [
        (json!({"max_tokens": null}), "max_tokens"),
        (json!({"max_tokens": -1}), "max_tokens"),
        (json!({"mcp_servers": []}), "mcp_servers"),
        (json!({"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}), "tools"),
        (json!({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "file_1"}}]}]}), "messages"),
    ] {
        let refusal = refused(gateway.client().ask(with(more)).await, 400, "invalid_request_error", "invalid_request");
        assert_eq!(refusal.json()["error"]["param"], param);
    }
    refused(gateway.client().ask(with(json!({"speed": "fast"}))).await, 403, "permission_error", "model_not_priced");
    refused(gateway.client().ask(with(json!({"inference_geo": "us"}))).await, 403, "permission_error", "model_not_priced");
    refused(gateway.client().ask(with(json!({"model": "claude-nobody-knows"}))).await, 403, "permission_error", "model_not_priced");
    assert_eq!(provider.count(), 0);
    // A provider's own error passes as it is, and costs nothing.
    let answer = gateway.client().ask(with(json!({"messages": [{"role": "user", "content": "@{status=529}"}]}))).await.expect(529);
    assert_eq!(answer.body, provider.rows().last().unwrap().sent);
    assert_eq!(gateway.tokens().settled("refused").await.spent, 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_pays_for_all_of_it() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    promises::who_hangs_up_pays(&provider, &gateway, ask, &[400]).await;
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
    let json = whole.json();
    assert_eq!((&json["type"], &json["model"]), (&json!("message"), &json!(MODEL)));
    let stream = client.ask(send(&secret, &streamed("say something", 60))).await.expect(200);
    let seen = events::split(&stream.body);
    assert!(seen.last().unwrap().starts_with("event: message_stop\n"));
    let data = |event: &String| serde_json::from_str::<Value>(event.split_once("\ndata: ").unwrap().1).unwrap();
    let text: String = seen.iter().map(data).filter_map(|event| event["delta"]["text"].as_str().map(str::to_owned)).collect();
    assert_eq!(json["content"][0]["text"], text);
    let counted = client.ask(Request::post("/v1/messages/count_tokens", &body("say something", 60)).bearer(&secret)).await.expect(200).json();
    assert_eq!(counted["input_tokens"], json["usage"]["input_tokens"]);
    let models = client.ask(Request::get("/v1/models").header("anthropic-version", "2023-06-01").bearer(&secret)).await.expect(200).json();
    assert!(models["data"].as_array().unwrap().iter().all(|model| model["type"] == "model") && models["has_more"] == false, "{models}");
    let one = Request::get(&format!("/v1/models/{MODEL}")).header("anthropic-version", "2023-06-01").bearer(&secret);
    assert_eq!(client.ask(one).await.expect(200).json()["id"], MODEL);
    let failed = client.ask(send(&secret, &body("x", 9)).header("spendgate-simulate", "status=529")).await.expect(529);
    assert_eq!(failed.json()["error"]["type"], "overloaded_error");
    let mut missing = body("x", 9);
    missing.as_object_mut().unwrap().remove("max_tokens");
    let refusal = refused(client.ask(send(&secret, &missing)).await, 400, "invalid_request_error", "invalid_request");
    assert_eq!(refusal.json()["error"]["message"], "max_tokens: Field required");
    assert_eq!((provider.count(), gateway.tokens().money("sand").await.spent), (0, 0));
    gateway.close().await;
}
