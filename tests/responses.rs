//! OpenAI's Responses API through the gateway: what is charged, whatever becomes of the answer; whose the kept responses are; what is refused, and how.

use serde_json::{Value, json};

use crate::support::asks::MODEL;
use crate::support::money::nanos;
use crate::support::routes::Routes;
use crate::support::{Answer, Client, Gateway, Request, Setup, StandIn, events, promises};

const RESPONSES: &str = "/v1/responses";
/// What the model takes: what input is bounded by that is not seen.
const WINDOW: i64 = 128_000;

async fn gateway(provider: &StandIn) -> Gateway {
    Gateway::start(Setup::new(&Routes::at(provider.address()).openai(""))).await
}

fn body(input: &str, limit: u64) -> Value {
    json!({"model": MODEL, "max_output_tokens": limit, "input": input})
}

fn streamed(input: &str, limit: u64) -> Value {
    let mut body = body(input, limit);
    body["stream"] = json!(true);
    body
}

fn send(secret: &str, body: &Value) -> Request {
    Request::post(RESPONSES, body).bearer(secret)
}

fn ask(secret: &str, content: &str, stream: bool, limit: u64) -> Request {
    send(secret, &if stream { streamed(content, limit) } else { body(content, limit) })
}

/// The text without the seals, and how many there were.
fn unsealed(bytes: &[u8]) -> (String, usize) {
    let text = std::str::from_utf8(bytes).unwrap();
    let mut pieces = text.split("_sg");
    let mut plain = pieces.next().unwrap().to_owned();
    let mut seals = 0;
    for piece in pieces {
        assert!(piece.as_bytes()[..32].iter().all(u8::is_ascii_hexdigit), "{piece}");
        plain.push_str(&piece[32..]);
        seals += 1;
    }
    (plain, seals)
}

/// The id of the response in an answer.
fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_charge_is_what_the_provider_reports_streamed_or_not() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let hows = ["", "cached=5", "prompt=70 cached=30", "split=1", "split=7 cached=2", "crlf", "crlf split=3", "tokens=0"];
    let plain = |answer: &[u8]| {
        let (plain, seals) = unsealed(answer);
        assert!(seals >= 2, "{seals} seals");
        plain.into_bytes()
    };
    promises::what_is_reported_is_charged(&provider, &gateway, ask, &hows, plain).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_token_made_is_there_for_that_token_alone() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let client: Client = gateway.client();
    let (mine, other) = (gateway.tokens().with_budget("mine", "5.00").await, gateway.tokens().with_budget("other", "5.00").await);
    let made = client.ask(send(&mine, &body("made", 20))).await.expect(200);
    let stream = client.ask(send(&mine, &streamed("streamed", 20))).await.expect(200);
    let sealed = id(&made);
    assert!(sealed.starts_with("resp_stand_in_sg"));
    assert_eq!(events::json(events::split(&stream.body)[0].split_once('\n').unwrap().1).unwrap()["response"]["id"], sealed, "the same, streamed");
    let spent = gateway.tokens().settled("mine").await.spent;

    let calls = |id: &str| {
        [
            (Request::get(&format!("{RESPONSES}/{id}?include[]=x")), "/v1/responses/resp_stand_in?include[]=x"),
            (Request::new(http::Method::DELETE, &format!("{RESPONSES}/{id}")), "/v1/responses/resp_stand_in"),
            (Request::post(&format!("{RESPONSES}/{id}/cancel"), &json!({})), "/v1/responses/resp_stand_in/cancel"),
            (Request::get(&format!("{RESPONSES}/{id}/input_items?limit=3")), "/v1/responses/resp_stand_in/input_items?limit=3"),
        ]
    };
    for (request, target) in calls(&sealed) {
        let answer = client.ask(request.bearer(&mine)).await.expect(200);
        assert_eq!(provider.rows().last().unwrap().target, target);
        if !target.contains("input_items") {
            assert_eq!(id(&answer), sealed);
        }
    }
    let reached = provider.count();
    let forged = format!("resp_stand_in_sg{}", "0".repeat(32));
    for (secret, id) in [(&other, sealed.as_str()), (&mine, "resp_stand_in"), (&other, "resp_stand_in"), (&mine, forged.as_str())] {
        for (request, _) in calls(id) {
            let refusal = client.ask(request.bearer(secret)).await.refused(404, "route_not_found");
            assert!(refusal.text().contains("resp_stand_in") && !refusal.text().contains("_sg"), "{}", refusal.text());
        }
        for more in [
            json!({"previous_response_id": id}),
            json!({"input": [{"type": "item_reference", "id": id}]}),
            json!({"prompt_cache_options": {"comparison_response_id": id}}),
        ] {
            let mut asked = body("stolen", 20);
            asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            client.ask(send(secret, &asked)).await.refused(400, "invalid_request");
            let counted = Request::post(&format!("{RESPONSES}/input_tokens"), &asked).bearer(secret);
            client.ask(counted).await.refused(400, "invalid_request");
        }
    }
    client.ask(Request::get(&format!("{RESPONSES}/{sealed}?stream=true")).bearer(&mine)).await.refused(400, "invalid_request");
    assert_eq!(provider.count(), reached, "nothing of that went upstream");

    // Its own goes on, without the seal.
    let mut next = body("next", 20);
    next["previous_response_id"] = json!(sealed);
    let answer = client.ask(send(&mine, &next)).await.expect(200);
    assert_eq!(answer.json()["previous_response_id"], sealed);
    let sent: Value = serde_json::from_slice(&provider.row_with("next").body).unwrap();
    assert_eq!(sent["previous_response_id"], "resp_stand_in");
    let counted = client.ask(Request::post(&format!("{RESPONSES}/input_tokens"), &next).bearer(&mine)).await.expect(200);
    assert_eq!(counted.json()["input_tokens"], 3);
    // Keeping, counting and asking again cost nothing.
    let all = gateway.tokens().settled("mine").await.spent;
    assert!(all == provider.cost() && all > spent, "{all}");
    assert_eq!(gateway.tokens().money("other").await.spent, 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_come_back_without_their_ids() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("agent", "1.00").await;
    let made = gateway.client().ask(send(&secret, &body("first", 20))).await.expect(200).json();
    let mut next = body("", 20);
    next["input"] = json!([{"role": "user", "content": "first"}, made["output"][0], {"role": "user", "content": "second"}]);
    gateway.client().ask(send(&secret, &next)).await.expect(200);
    let sent: Value = serde_json::from_slice(&provider.row_with("second").body).unwrap();
    assert_eq!((sent["input"][1].get("id"), &sent["input"][1]["content"]), (None, &made["output"][0]["content"]));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_that_is_not_seen_is_held_for() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let poor = gateway.tokens().with_budget("poor", "0.015").await;
    let made = gateway.client().ask(send(&poor, &body("made @{prompt=10 tokens=10}", 20))).await.expect(200);
    let mut next = body("next", 20);
    next["previous_response_id"] = json!(id(&made));
    let refusal = gateway.client().ask(send(&poor, &next)).await.refused(402, "budget_exhausted");
    assert_eq!(nanos(refusal.json()["error"]["budget"]["asked"].as_str().unwrap()), WINDOW * 150 + 16 * 600);
    let rich = gateway.tokens().with_budget("rich", "1.00").await;
    let made = gateway.client().ask(send(&rich, &body("other", 20))).await.expect(200);
    next["previous_response_id"] = json!(id(&made));
    next["input"] = json!("went @{prompt=100000 tokens=10}");
    gateway.client().ask(send(&rich, &next)).await.expect(200);
    assert_eq!(provider.row_with("went").consumed.cost, 100_000 * 150 + 10 * 600);
    assert_eq!(gateway.tokens().settled("rich").await.spent + gateway.tokens().money("poor").await.spent, provider.cost());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_are_counted_and_held_for() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("searcher", "5.00").await;
    let mut asked = streamed("look @{searches=3 prompt=90000 tokens=40}", 50);
    asked["tools"] = json!([{"type": "web_search"}]);
    asked["max_tool_calls"] = json!(2);
    gateway.client().ask(send(&secret, &asked)).await.expect(200);
    assert_eq!(gateway.tokens().settled("searcher").await.spent, 90_000 * 150 + 40 * 600 + 3 * 10_000_000);
    assert_eq!(provider.cost(), gateway.tokens().money("searcher").await.spent);
    // A run for each call and two more, a whole window each, and four searches a call: more than this token has.
    let poor = gateway.tokens().with_budget("poor", "0.05").await;
    let refusal = gateway.client().ask(send(&poor, &asked)).await.refused(402, "budget_exhausted");
    assert_eq!(nanos(refusal.json()["error"]["budget"]["asked"].as_str().unwrap()), 4 * WINDOW * 150 + 8 * 10_000_000 + 16 * 600);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_charge_is_durable_when_the_client_has_seen_the_end() {
    let provider = StandIn::start().await;
    let mut gateway = gateway(&provider).await;
    promises::the_charge_is_durable(&provider, &mut gateway, ask, 3, "event: response.completed").await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_off_costs_what_passed() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let failed = |answer: &Answer| {
        let seen = events::split(&answer.body);
        assert!(seen.last().unwrap().starts_with("event: error"), "{seen:?}");
        assert!(!answer.text().contains("response.completed"), "never ended cleanly");
    };
    promises::what_breaks_off_costs_what_passed(&provider, &gateway, ask, 14, failed, |served| served..served + 500 * 150 + 20 * 6 * 600).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_anywhere_pays_for_all_of_it() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    promises::who_hangs_up_pays(&provider, &gateway, ask, &[1, 200, 700, 1_500, 2_600, 4_000]).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_that_cannot_be_cost_the_hold() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    promises::odd_reports_cost_the_hold(&gateway, ask, 1_000 * 600..1_000 * 600 + 200 * 150).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_is_lowered_to_what_the_balance_buys() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("near", "0.0005").await;
    let answer = gateway.client().ask(send(&secret, &streamed("near @{tokens=100000}", 64_000))).await.expect(200);
    let clamped: i64 = answer.header("spendgate-clamped").unwrap().parse().unwrap();
    let row = provider.row_with("near");
    assert_eq!(serde_json::from_slice::<Value>(&row.body).unwrap()["max_output_tokens"], clamped);
    assert_eq!(row.consumed.completion, clamped);
    assert!(events::split(&answer.body).last().unwrap().starts_with("event: response.incomplete"));
    let money = gateway.tokens().settled("near").await;
    assert!(money.spent == row.consumed.cost && money.balance >= Some(0) && money.spent > 400_000, "{money:?}");
    // No lower than the provider takes.
    let poor = gateway.tokens().with_budget("poor", "0.00002").await;
    gateway.client().ask(send(&poor, &body("poor", 64_000))).await.refused(402, "budget_exhausted");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_priced_is_refused_before_it_is_sent() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("refused", "100.00").await;
    let with = |more: Value| {
        let mut body = body("refused", 20);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        send(&secret, &body)
    };
    for (more, param) in [
        (json!({"background": true}), "background"),
        (json!({"conversation": "conv_1"}), "conversation"),
        (json!({"prompt": {"id": "pmpt_1"}}), "prompt"),
        (json!({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}), "tools"),
        (json!({"tools": [{"type": "mcp", "server_label": "x"}]}), "tools"),
        (json!({"max_output_tokens": -1}), "max_output_tokens"),
        (json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file_1"}]}]}), "input"),
    ] {
        let refusal = gateway.client().ask(with(more)).await.refused(400, "invalid_request");
        assert_eq!(refusal.json()["error"]["param"], param);
    }
    gateway.client().ask(with(json!({"model": "nobody-knows"}))).await.refused(403, "model_not_priced");
    gateway.client().ask(with(json!({"service_tier": "ultrafast"}))).await.refused(403, "model_not_priced");
    for (path, said) in [("/v1/conversations", "Conversations"), ("/v1/responses/compact", "Responses"), ("/v1/files", "files")] {
        let refusal = gateway.client().ask(Request::post(path, &json!({})).bearer(&secret)).await.refused(404, "route_not_found");
        assert!(refusal.text().contains(said) && refusal.text().contains("not available through this gateway yet"), "{}", refusal.text());
    }
    assert_eq!(provider.count(), 0);
    // A provider's own error passes as it is, and costs nothing.
    let answer = gateway.client().ask(with(json!({"input": "@{status=429}"}))).await.expect(429);
    assert_eq!(answer.body, provider.rows().last().unwrap().sent);
    assert_eq!(gateway.tokens().settled("refused").await.spent, 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moderations_are_free() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("moderate", "0.000001").await;
    let picture = json!({"input": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]});
    for asked in [json!({"input": "x"}), json!({"model": "omni-moderation-latest", "input": ["x", "y"]}), picture] {
        let answer = gateway.client().ask(Request::post("/v1/moderations", &asked).bearer(&secret)).await.expect(200);
        let row = provider.rows().pop().unwrap();
        assert_eq!((row.target.as_str(), answer.body, row.body), ("/v1/moderations", row.sent.into(), asked.to_string().into()));
    }
    gateway
        .client()
        .ask(Request::post("/v1/moderations", &json!({"model": "gpt-nobody", "input": "x"})).bearer(&secret))
        .await
        .refused(403, "model_not_priced");
    assert_eq!(gateway.tokens().settled("moderate").await.spent, 0);
    assert!(!gateway.metrics().await.contains("spendgate_estimated_charges_total{account=\"default\",token=\"moderate\"}"));
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
    let stream = client.ask(send(&secret, &streamed("say something", 60))).await.expect(200);
    let last = events::split(&stream.body).pop().unwrap();
    let last: Value = serde_json::from_str(last.split_once("\ndata: ").unwrap().1).unwrap();
    assert_eq!(last["response"], json);
    let id = json["id"].as_str().unwrap();
    let again = client.ask(Request::get(&format!("{RESPONSES}/{id}")).bearer(&secret)).await.expect(200).json();
    assert_eq!((&again["id"], &again["output"]), (&json["id"], &json["output"]));
    let mut next = body("go on", 60);
    next["previous_response_id"] = json!(id);
    client.ask(send(&secret, &next)).await.expect(200);
    client.ask(Request::get(&format!("{RESPONSES}/resp_1")).bearer(&secret)).await.expect(404);
    let judged = client.ask(Request::post("/v1/moderations", &json!({"input": "violence"})).bearer(&secret)).await.expect(200).json();
    assert_eq!(judged["results"][0]["flagged"], true);
    assert_eq!((provider.count(), gateway.tokens().money("sand").await.spent), (0, 0));
    gateway.close().await;
}
