//! Eden AI's API through the gateway: the cost that an answer tells is charged, whatever becomes of the answer; what passes; what is refused, and how.

use serde_json::{Value, json};

use crate::support::client::Failure;
use crate::support::money::{CENT, nanos};
use crate::support::routes::{Routes, UPSTREAM_KEY};
use crate::support::{Answer, Gateway, Request, Setup, StandIn, events, promises};

/// $0.15 a million input tokens, $0.60 output, at the seller's price.
const CHAT: &str = "openai/gpt-4o-mini";
/// $1 a million input tokens, $5 output.
const CLAUDE: &str = "anthropic/claude-haiku-4-5";

/// Eden AI at its own path; universal AI with a hold for two features, and more for a third.
async fn gateway(provider: &StandIn) -> Gateway {
    let hold = |models: &str, hold: &str| format!("models = [{models}]\nprice = {{ reported = {{ json = \"/cost\" }}, hold = \"{hold}\" }}");
    let routes = Routes::at(provider.address())
        .edenai("/v3/universal-ai*", &hold("\"text/*\", \"ocr/*\"", "0.05"))
        .edenai("/v3/universal-ai*", &hold("\"image/generation/*\"", "0.50"))
        .edenai("/wide/v3/*", "margin = \"1.1\"")
        .edenai("/v3/*", "");
    Gateway::start(Setup::new(&routes)).await
}

fn body(model: &str, content: &str) -> Value {
    json!({"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": content}]})
}

fn streamed(model: &str, content: &str) -> Value {
    promises::with(body(model, content), json!({"stream": true}))
}

fn chat(secret: &str, body: &Value) -> Request {
    Request::post("/v3/chat/completions", body).bearer(secret)
}

fn messages(secret: &str, body: &Value) -> Request {
    Request::post("/v3/v1/messages", body).header("x-api-key", secret).header("anthropic-version", "2023-06-01")
}

fn universal(secret: &str, model: &str, text: &str) -> Request {
    Request::post("/v3/universal-ai", &json!({"model": model, "input": {"text": text}})).bearer(secret)
}

fn told(answer: &Answer) -> i64 {
    nanos(answer.header("spendgate-cost").unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_charge_is_the_cost_that_the_answer_tells_streamed_or_not() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("exact", "50.00").await;
    let hows = ["", "cost=0.000000001", "cost=0", "cost=0.0123", "cost=3.5", "usage=none cost=0.002", "usage=absurd cost=0.002", "split=1 cost=0.002"];
    for (number, how) in hows.into_iter().enumerate() {
        for (kind, path) in [("whole", "/v3/chat/completions"), ("older", "/v3/llm/chat/completions"), ("stream", "/v3/chat/completions")] {
            let unmarked = how.contains("usage=none") && kind == "stream";
            let content = format!("exact {number} {kind} @{{tokens=12 {}}}", if unmarked { "cost=0.002" } else { how });
            let mut body = if kind == "stream" { streamed(CHAT, &content) } else { body(CHAT, &content) };
            if kind == "stream" {
                body["stream_options"] = json!({"include_usage": true});
            }
            let answer = gateway.client().ask(Request::post(path, &body).bearer(&secret)).await.expect(200);
            let row = provider.row_with(&format!("exact {number} {kind} "));
            assert_eq!(answer.body, row.sent, "{how}: every byte passes");
            assert_eq!((&row.body[..], row.target.as_str()), (body.to_string().as_bytes(), path), "{how}: and back");
            assert_eq!(row.headers["authorization"], format!("Bearer {UPSTREAM_KEY}"));
            if kind != "stream" {
                assert_eq!(told(&answer), row.consumed.cost, "{how}");
            }
        }
        let message = gateway.client().ask(messages(&secret, &body(CLAUDE, &format!("exact {number} message @{{{how}}}")))).await.expect(200);
        assert_eq!(told(&message), provider.row_with(&format!("exact {number} message ")).consumed.cost, "{how}");
        let embedding = json!({"model": "openai/text-embedding-3-small", "input": format!("exact {number} embedding @{{{how}}}")});
        gateway.client().ask(Request::post("/v3/embeddings", &embedding).bearer(&secret)).await.expect(200);
        assert_eq!(gateway.tokens().settled("exact").await.spent, provider.cost(), "{how}");
    }
    let metrics = gateway.metrics().await;
    assert!(metrics.contains("model=\"openai/gpt-4o-mini\"") && metrics.contains("provider=\"edenai\""), "{metrics}");
    let estimated: Vec<&str> = metrics.lines().filter(|line| line.starts_with("spendgate_estimated_charges_total{")).collect();
    assert!(estimated.iter().all(|line| line.ends_with(" 0")), "{estimated:?}");
    let overrun = metrics.lines().find(|line| line.starts_with("spendgate_overrun_usd_total{")).unwrap();
    assert!(!overrun.ends_with(" 0"), "what was above the hold is counted: {overrun}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_did_not_ask_for_usage_sees_none_and_pays_the_told_cost() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("hidden", "1.00").await;
    let answer = gateway.client().ask(chat(&secret, &streamed(CHAT, "hidden @{tokens=3 cost=0.25}"))).await.expect(200);
    let row = provider.row_with("hidden");
    assert_eq!(serde_json::from_slice::<Value>(&row.body).unwrap()["stream_options"]["include_usage"], true);
    assert!(!answer.text().contains("usage") && answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
    assert_eq!(gateway.tokens().settled("hidden").await.spent, 250_000_000);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_told_cost_the_price_book_counts_with_its_margin() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("book", "5.00").await;
    for (mount, margin) in [("", 10), ("/wide", 11)] {
        let before = gateway.tokens().money("book").await.spent;
        let at = |path: &str, body: &Value| Request::post(&format!("{mount}/v3/{path}"), body).bearer(&secret);
        let content = format!("book {margin} @{{tokens=10 no-cost}}");
        for request in [
            at("chat/completions", &body(CHAT, &content)),
            at("chat/completions", &streamed(CHAT, &content)),
            at("v1/messages", &body(CLAUDE, &content)),
            // A stream of messages never tells it.
            at("v1/messages", &streamed(CLAUDE, &content)),
        ] {
            gateway.client().ask(request).await.expect(200);
        }
        let billed: i64 = provider.rows_with(&format!("book {margin} ")).iter().map(|row| row.consumed.cost).sum();
        assert_eq!(gateway.tokens().settled("book").await.spent - before, billed * margin / 10, "{margin}");
    }
    let metrics = gateway.metrics().await;
    let estimated = metrics.lines().find(|line| line.starts_with("spendgate_estimated_charges_total{")).unwrap();
    assert!(estimated.ends_with(" 8"), "{estimated}");
    // The margin is on what is held too.
    let asked = async |mount: &str| {
        let poor = gateway.tokens().with_budget(&format!("poor {}", mount.len()), "0.00000001").await;
        let answer = gateway.client().ask(Request::post(&format!("{mount}/v3/chat/completions"), &body(CHAT, "poor")).bearer(&poor)).await;
        nanos(answer.refused(402, "budget_exhausted").json()["error"]["budget"]["asked"].as_str().unwrap())
    };
    let (plain, wide) = (asked("").await, asked("/wide").await);
    assert!((plain * 11 / 10..=plain * 11 / 10 + 2).contains(&wide), "{plain} {wide}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_a_stream_it_is_charged() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    for (name, how) in [("cut", "tokens=20 cut=10"), ("silent", "tokens=20 usage=none"), ("undone", "tokens=20 cut=23 cost=0.5")] {
        let secret = gateway.tokens().with_budget(name, "1.00").await;
        let answer = gateway.client().try_ask(chat(&secret, &streamed(CHAT, &format!("{name} @{{{how}}}")))).await;
        assert!(matches!((name, &answer), ("silent", Ok(_)) | (_, Err(Failure::Cut { .. }))), "{name}: {answer:?}");
        let billed = provider.row_with(&format!("{name} ")).consumed.cost;
        let spent = gateway.tokens().settled(name).await.spent;
        assert!(spent >= billed && spent < CENT.max(billed + 1), "{name}: {spent} for {billed}");
    }
    let secret = gateway.tokens().with_budget("gone", "1.00").await;
    for bytes in [1, 300, 2_000] {
        let before = gateway.tokens().settled("gone").await.spent;
        let content = format!("gone {bytes} @{{tokens=60 delay=1 cost=0.0{bytes}}}");
        let stream = gateway.client().stream(chat(&secret, &streamed(CHAT, &content))).await.unwrap();
        stream.hang_up_after(bytes).await.unwrap();
        let spent = gateway.tokens().settled("gone").await.spent - before;
        let row = provider.row_with(&format!("gone {bytes} "));
        assert_eq!((spent, row.finished), (row.consumed.cost, true), "{bytes}");
    }
    // An error of the provider's passes as it is, and costs nothing unless it says so.
    let before = gateway.tokens().settled("gone").await.spent;
    let answer = gateway.client().ask(chat(&secret, &body(CHAT, "@{status=402}"))).await.expect(402);
    assert_eq!(answer.body, provider.rows().last().unwrap().sent);
    assert_eq!(gateway.tokens().settled("gone").await.spent, before);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_charge_is_durable_when_the_client_has_seen_the_end() {
    let provider = StandIn::start().await;
    let mut gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("durable", "1.00").await;
    let mut stream = gateway.client().stream(chat(&secret, &streamed(CHAT, "durable @{tokens=30 cost=0.125}"))).await.unwrap();
    while stream.event().await.unwrap().unwrap() != "data: [DONE]" {}
    gateway.client().ask(universal(&secret, "text/moderation/openai", "durable @{cost=0.03125}")).await.expect(200);
    gateway.kill9();
    gateway.audit();
    gateway.launch().await;
    assert_eq!(gateway.tokens().settled("durable").await.spent, 156_250_000);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn universal_ai_costs_what_it_tells_within_the_hold_of_its_route() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("universal", "1.00").await;
    let client = gateway.client();
    for how in ["", "cost=0.0015", "cost=0", "cost=0.00000001", "cost=0.07", "failed cost=0.001", "big cost=0.002"] {
        let answer = client.ask(universal(&secret, "ocr/ocr/google", &format!("read {how} @{{{how}}}"))).await.expect(200);
        let row = provider.rows().pop().unwrap();
        assert_eq!((answer.body.len(), row.target.as_str()), (row.sent.len(), "/v3/universal-ai"));
        assert!(answer.body == row.sent, "{how}");
        assert_eq!(gateway.tokens().settled("universal").await.spent, provider.cost(), "{how}");
    }
    // Without a cost, or cut off: the hold.
    let before = provider.cost();
    client.ask(universal(&secret, "text/moderation/openai", "@{no-cost}")).await.expect(200);
    assert_eq!(gateway.tokens().settled("universal").await.spent, before + 5 * CENT);
    client.ask(universal(&secret, "text/moderation/openai", "@{cut=1}")).await.expect(502);
    assert_eq!(gateway.tokens().settled("universal").await.spent, before + 10 * CENT);
    client.ask(universal(&secret, "text/moderation/openai", "@{status=422}")).await.expect(422);
    assert_eq!(gateway.tokens().settled("universal").await.spent, before + 10 * CENT);
    // The route goes by the model, and so does the hold.
    let poor = gateway.tokens().with_budget("poor", "0.40").await;
    client.ask(universal(&poor, "image/generation/openai", "x")).await.refused(402, "budget_exhausted");
    client.ask(universal(&poor, "ocr/ocr/google", "x")).await.expect(200);
    // What no route has a hold for is refused.
    let count = provider.count();
    let refusal = client.ask(universal(&secret, "video/generation/openai", "x")).await.refused(403, "model_not_priced");
    assert!(refusal.text().contains("video/generation/openai"));
    let routes = Routes::at(provider.address()).edenai("/v3/*", "");
    let bare = Gateway::start(Setup::new(&routes)).await;
    let bare_secret = bare.tokens().with_budget("bare", "1.00").await;
    bare.client().ask(universal(&bare_secret, "ocr/ocr/google", "x")).await.refused(403, "model_not_priced");
    assert_eq!(provider.count(), count);
    let report = gateway.command(&["usage", "--json", "--by", "model,feature"]);
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("\"ocr/ocr/google\"") && report.contains("\"ocr__ocr\""), "{report}");
    bare.close().await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_price_book_may_have_the_upstreams_own_prices() {
    let provider = StandIn::start().await;
    let folder = tempfile::tempdir().unwrap();
    let prices = folder.path().join("prices.toml");
    let moderation = "[[models]]\nprovider = \"edenai\"\nid = \"text/moderation/openai\"\nprices = { requests_kcount = \"1\" }\n";
    let region = "[[models]]\nprovider = \"edenai\"\nid = \"openai/gpt-4o-mini@eu\"\nmax_output = 100\nprices = { input_mtok = \"1\", output_mtok = \"2\" }\n";
    std::fs::write(&prices, format!("{moderation}{region}")).unwrap();
    let setup = Setup::new(&Routes::at(provider.address()).edenai("/v3/*", "")).env("SPENDGATE_PRICES", prices.to_str().unwrap());
    let gateway = Gateway::start(setup).await;
    let secret = gateway.tokens().with_budget("own", "1.00").await;
    let client = gateway.client();
    client.ask(universal(&secret, "text/moderation/openai", "@{cost=0.0004}")).await.expect(200);
    client.ask(chat(&secret, &body("openai/gpt-4o-mini@eu", "@{cost=0.0002}"))).await.expect(200);
    assert_eq!(gateway.tokens().settled("own").await.spent, 600_000);
    client.ask(universal(&secret, "text/moderation/openai", "@{no-cost}")).await.expect(200);
    assert_eq!(gateway.tokens().settled("own").await.spent, 1_600_000, "the price book's, where none is told");
    let poor = gateway.tokens().with_budget("poor", "0.0009").await;
    let refusal = client.ask(universal(&poor, "text/moderation/openai", "x")).await.refused(402, "budget_exhausted");
    assert_eq!(nanos(refusal.json()["error"]["budget"]["asked"].as_str().unwrap()), 1_000_000);
    client.ask(chat(&secret, &body(CHAT, "x"))).await.refused(403, "model_not_priced");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_price_is_refused_in_the_shape_of_the_path() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("refused", "100.00").await;
    let client = gateway.client();
    for model in ["gpt-4o-mini", "@edenai", "openai/gpt-4o-mini@eu", "nobody/gpt-4o-mini", "openai/nobody-knows", "OpenAI/gpt-4o-mini"] {
        client.ask(chat(&secret, &body(model, "x"))).await.refused(403, "model_not_priced");
        let answer = client.ask(messages(&secret, &body(model, "x"))).await.refused(403, "model_not_priced");
        assert_eq!((&answer.json()["type"], &answer.json()["error"]["type"]), (&json!("error"), &json!("permission_error")));
    }
    for (key, value) in [("fallbacks", json!(["openai/gpt-4o"])), ("router_candidates", json!([])), ("pre_hooks", json!([{}])), ("extra_body", json!({}))] {
        let mut body = body(CHAT, "x");
        body[key] = value;
        let answer = client.ask(chat(&secret, &body)).await.refused(400, "invalid_request");
        assert_eq!(answer.json()["error"]["param"], key);
    }
    for (path, anthropic) in [
        ("/v3/audio/translations", false),
        ("/v3/images/variations", false),
        ("/v3/videos", false),
        ("/v3/upload", false),
        ("/v3/universal-ai/async/a/b", false),
        ("/v3/v1/messages/batches", true),
        ("/v3/v1/files", true),
    ] {
        let answer = client.ask(Request::get(path).bearer(&secret)).await.refused(404, "route_not_found");
        assert_eq!(answer.json()["type"] == "error", anthropic, "{path}");
    }
    assert_eq!(provider.count(), 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_free_and_show_what_has_a_price() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("lists", "1.00").await;
    let client = gateway.client();
    for path in ["/v3/models", "/v3/llm/models?view=models"] {
        let list = client.ask(Request::get(path).bearer(&secret)).await.expect(200).json();
        let ids: Vec<&str> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
        assert_eq!(ids, [CHAT, CLAUDE]);
        assert_eq!(provider.rows().last().unwrap().target, path.split('?').next().unwrap());
    }
    for path in ["/v3/info", "/v3/info/ocr", "/v3/info/ocr/ocr?format=json_schema"] {
        client.ask(Request::get(path).bearer(&secret)).await.expect(200);
        assert_eq!(provider.rows().last().unwrap().target, path);
    }
    let counted = client.ask(Request::post("/v3/v1/messages/count_tokens", &body(CLAUDE, "count")).bearer(&secret)).await.expect(200);
    assert!(counted.json()["input_tokens"].is_u64());
    assert_eq!(gateway.tokens().settled("lists").await.spent, 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_tokens_are_answered_with_a_cost_and_without_a_provider() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().sandbox("sand").await;
    let client = gateway.client();
    let whole = client.ask(chat(&secret, &body(CHAT, "say something"))).await.expect(200).json();
    let mut asking = streamed(CHAT, "say something");
    asking["stream_options"] = json!({"include_usage": true});
    let stream = client.ask(chat(&secret, &asking)).await.expect(200);
    let seen = events::split(&stream.body);
    let last: Value = serde_json::from_str(seen[seen.len() - 2].strip_prefix("data: ").unwrap()).unwrap();
    assert!(whole["cost"].is_f64() && last["cost"] == whole["cost"] && last["usage"] == whole["usage"], "{whole} {last}");
    let message = client.ask(messages(&secret, &body(CLAUDE, "say something"))).await.expect(200).json();
    assert!(message["cost"].is_f64() && message["type"] == "message", "{message}");
    let read = client.ask(universal(&secret, "ocr/ocr/google", "x")).await.expect(200);
    assert_eq!((read.json()["cost"].as_str(), read.header("spendgate-sandbox")), (Some("0.001"), Some("true")));
    let models = client.ask(Request::get("/v3/models").bearer(&secret)).await.expect(200).json();
    assert!(models["data"].as_array().unwrap().iter().any(|model| model["id"] == CHAT), "{models}");
    client.ask(Request::get("/v3/info").bearer(&secret)).await.expect(200);
    let failed = client.ask(messages(&secret, &body(CLAUDE, "x")).header("spendgate-simulate", "status=529")).await.expect(529);
    assert_eq!(failed.json()["error"]["type"], "overloaded_error");
    assert_eq!((provider.count(), gateway.tokens().money("sand").await.spent), (0, 0));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_pass_by_a_list() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("headers", "1.00").await;
    let dressed = |request: Request| {
        let tags = request.header("x-edenai-tags", "client=acme").header("x-edenai-metadata", "enabled").header("x-session-id", "s");
        tags.header("cookie", "a=b").header("openai-organization", "o").header("idempotency-key", "k")
    };
    gateway.client().ask(dressed(chat(&secret, &body(CHAT, "dressed")))).await.expect(200);
    gateway.client().ask(dressed(messages(&secret, &body(CLAUDE, "dressed")))).await.expect(200);
    for row in provider.rows() {
        assert_eq!((&row.headers["x-edenai-tags"], &row.headers["x-edenai-metadata"]), (&"client=acme".parse().unwrap(), &"enabled".parse().unwrap()));
        assert_eq!(row.headers["authorization"], format!("Bearer {UPSTREAM_KEY}"));
        for stays in ["x-api-key", "cookie", "openai-organization", "idempotency-key"] {
            assert!(!row.headers.contains_key(stays), "{stays}");
        }
    }
    assert_eq!(provider.rows()[1].headers["anthropic-version"], "2023-06-01");
    gateway.close().await;
}
