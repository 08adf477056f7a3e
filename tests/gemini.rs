//! Google's API through the gateway: what is charged, whatever becomes of the answer; what passes; what is refused, and how.

use serde_json::{Value, json};

use crate::support::client::Failure;
use crate::support::gateway::MAIN_KEY;
use crate::support::money::nanos;
use crate::support::routes::{Routes, UPSTREAM_KEY};
use crate::support::{Answer, Gateway, Request, Setup, StandIn, events, eventually};

/// $0.30 a million input tokens, $0.03 read from the cache, $1 for sound, $2.50 output; $35 for a thousand prompts that search.
const MODEL: &str = "gemini-2.5-flash";

/// All APIs, mounted as they are by default, and Google's alone at a mount without a version.
async fn gateway(provider: &StandIn) -> Gateway {
    let routes = Routes::at(provider.address())
        .openai("")
        .anthropic("/v1/*", "")
        .gemini("/v1beta/*", "")
        .gemini("/v1/*", "")
        .gemini("/upload/*", "")
        .gemini("/gemini/*", "")
        .gemini("/strict/v1beta/*", "clamp = false");
    Gateway::start(Setup::new(&routes)).await
}

fn body(content: &str, limit: u64) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": content}]}], "generationConfig": {"maxOutputTokens": limit}})
}

/// How a model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Whole,
    Events,
    List,
}

const HOWS: [How; 3] = [How::Whole, How::Events, How::List];

fn path(how: How, model: &str) -> String {
    match how {
        How::Whole => format!("/v1beta/models/{model}:generateContent"),
        How::Events => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
        How::List => format!("/v1beta/models/{model}:streamGenerateContent"),
    }
}

fn send(secret: &str, how: How, body: &Value) -> Request {
    Request::post(&path(how, MODEL), body).header("x-goog-api-key", secret)
}

/// Panics unless the answer is this refusal, in Google's shape.
#[track_caller]
fn refused(answer: Answer, status: u16, name: &str, code: &str) -> Answer {
    let answer = answer.expect(status);
    let error = &answer.json()["error"];
    let info = &error["details"][0];
    assert_eq!((&error["code"], &error["status"], &info["metadata"]["code"]), (&json!(status), &json!(name), &json!(code)), "{error}");
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
    assert_eq!(info["metadata"]["request_id"].as_str(), answer.header("spendgate-request-id"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_charge_is_what_the_provider_reports_streamed_or_not() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("exact", "50.00").await;
    let scripts = ["", "thoughts=40", "prompt=90 cached=50", "audio=20 prompt=70", "tool=300 thoughts=3", "split=1", "split=7 thoughts=9"];
    for (number, script) in scripts.into_iter().enumerate() {
        for how in HOWS {
            let body = body(&format!("exact {number} {how:?} @{{tokens=12 {script}}}"), 100);
            let answer = gateway.client().ask(send(&secret, how, &body)).await.expect(200);
            let row = provider.row_with(&format!("exact {number} {how:?} "));
            assert_eq!(answer.body, row.sent, "{script}: every byte passes");
            assert_eq!(row.body, body.to_string(), "{script}: and back");
            assert_eq!(row.target, path(how, MODEL));
            if how == How::Whole {
                assert_eq!(nanos(answer.header("spendgate-cost").unwrap()), row.consumed.cost, "{script}");
            }
        }
        assert_eq!(gateway.tokens().settled("exact").await.spent, provider.cost(), "{script}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_are_billed_by_the_prompt_or_by_the_query_and_held_for() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("searcher", "50.00").await;
    for (model, tools) in [(MODEL, json!([{"googleSearch": {}}])), ("gemini-3.1-flash-lite", json!([{"google_search": {}}]))] {
        for how in HOWS {
            let mut body = body(&format!("look {model} {how:?} @{{searches=3 tool=900 tokens=20}}"), 50);
            body["tools"] = tools.clone();
            gateway.client().ask(Request::post(&path(how, model), &body).header("x-goog-api-key", &secret)).await.expect(200);
            let row = provider.row_with(&format!("look {model} {how:?} "));
            let searches = if model == MODEL { 35_000_000 } else { 3 * 14_000_000 };
            assert!(row.consumed.cost > searches && row.consumed.cost < searches + 1_000_000, "{row:?}");
            assert_eq!(gateway.tokens().settled("searcher").await.spent, provider.cost(), "{model} {how:?}");
        }
    }
    // The window, and the searches: more than this token has.
    let poor = gateway.tokens().with_budget("poor", "0.30").await;
    let mut grounded = body("poor", 50);
    grounded["tools"] = json!([{"googleSearch": {}}]);
    let refusal = refused(gateway.client().ask(send(&poor, How::Whole, &grounded)).await, 402, "RESOURCE_EXHAUSTED", "budget_exhausted");
    let asked = nanos(refusal.json()["error"]["details"][0]["metadata"]["asked"].as_str().unwrap());
    assert_eq!(asked, 1_048_576 * 300 + 35_000_000 + 16 * 2_500);
    gateway.close().await;
    // Where nothing limits them, the route says how many are held for.
    for (route, searches) in [("", 32), ("held_searches = 5", 5), ("held_searches = 100", 100)] {
        let gateway = Gateway::start(Setup::new(&Routes::at(provider.address()).gemini("/v1beta/*", route))).await;
        let poor = gateway.tokens().with_budget("poor", "0.000001").await;
        let asked = async |model: &str| {
            let refusal = gateway.client().ask(Request::post(&path(How::Whole, model), &grounded).header("x-goog-api-key", &poor)).await;
            nanos(refusal.json()["error"]["details"][0]["metadata"]["asked"].as_str().unwrap())
        };
        assert_eq!(asked("gemini-3.1-flash-lite").await, 1_048_576 * 250 + searches * 14_000_000 + 16 * 1_500, "{route}");
        // Billed by the prompt: one.
        assert_eq!(asked(MODEL).await, 1_048_576 * 300 + 35_000_000 + 16 * 2_500, "{route}");
        gateway.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_flows_while_it_grows() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("flow", "1.00").await;
    for how in [How::List, How::Events] {
        provider.close_gate();
        let body = body(&format!("flow {how:?} @{{tokens=5 gate=first}}"), 100);
        let mut stream = gateway.client().stream(send(&secret, how, &body)).await.unwrap();
        // The provider waits after its first piece: it is here all the same.
        while !String::from_utf8_lossy(&stream.seen).contains("w1 ") {
            stream.more().await.unwrap().expect("more");
        }
        let row = provider.row_with(&format!("flow {how:?}"));
        assert!(!row.finished && row.consumed.completion == 1);
        provider.open_gate();
        let answer = stream.rest().await.unwrap();
        assert_eq!(answer.body, provider.row_with(&format!("flow {how:?}")).sent);
        assert_eq!(gateway.tokens().settled("flow").await.spent, provider.cost());
        if how == How::List {
            assert_eq!(answer.json().as_array().unwrap().len(), 6);
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_charge_is_durable_when_the_client_has_seen_the_end() {
    let provider = StandIn::start().await;
    let mut gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("durable", "1.00").await;
    for (turn, how) in [How::Events, How::List, How::Events, How::List].into_iter().enumerate() {
        let mut stream = gateway.client().stream(send(&secret, how, &body(&format!("durable {turn} @{{tokens=30}}"), 100))).await.unwrap();
        // The last piece is whole: a client may act on it.
        let end = if how == How::Events { "\"STOP\"" } else { "\n]" };
        let whole = |seen: &[u8]| {
            let text = String::from_utf8_lossy(seen);
            text.contains(end) && (how == How::List || text.ends_with("\r\n\r\n"))
        };
        while !whole(&stream.seen) {
            stream.more().await.unwrap().expect("more");
        }
        gateway.kill9();
        gateway.audit();
        gateway.launch().await;
        assert_eq!(gateway.tokens().settled("durable").await.spent, provider.cost());
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_off_costs_its_input_and_what_passed() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    for how in [How::Events, How::List] {
        for (script, exact) in [
            ("cut=10 prompt=400", false),
            ("fail=10 prompt=400", false),
            ("usage=none prompt=400", false),
            ("cut=8 prompt=400 thoughts=50", false),
            // All was told and every candidate had ended: only the goodbye is missing.
            ("cut=21 prompt=400", true),
        ] {
            let name = format!("{how:?}-{}", script.replace([' ', '='], "-")).to_lowercase();
            let secret = gateway.tokens().with_budget(&name, "1.00").await;
            let answer = gateway.client().try_ask(send(&secret, how, &body(&format!("{name} @{{tokens=20 {script}}}"), 100))).await;
            match answer {
                Ok(answer) if script.starts_with("fail") => assert!(answer.text().contains("\"UNAVAILABLE\"") && !answer.text().contains("STOP")),
                Ok(_) if script.starts_with("usage") => {}
                Err(Failure::Cut { .. }) if script.starts_with("cut") => {}
                other => panic!("{name}: {other:?}"),
            }
            let row = provider.row_with(&format!("{name} "));
            let spent = gateway.tokens().settled(&name).await.spent;
            let output = row.consumed.completion;
            if exact {
                assert_eq!(spent, row.consumed.cost, "{name}");
            } else if script.starts_with("usage") {
                // Nothing was told: the input by its bytes, the output by what passed.
                assert!((20 * 2_500..1_000_000).contains(&spent), "{name}: {spent}");
            } else {
                assert!((row.consumed.cost..=400 * 300 + (50 + output * 20) * 2_500).contains(&spent), "{name}: {spent} for {output}");
            }
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_that_cannot_be_cost_the_hold() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    for (number, (usage, how)) in [("negative", How::Whole), ("absurd", How::Events), ("negative", How::List), ("absurd", How::Whole)].into_iter().enumerate() {
        let name = format!("odd-{number}");
        let secret = gateway.tokens().with_budget(&name, "1.00").await;
        gateway.client().ask(send(&secret, how, &body(&format!("{name} @{{tokens=20 usage={usage}}}"), 1_000))).await.expect(200);
        let spent = gateway.tokens().settled(&name).await.spent;
        assert!((1_000 * 2_500..1_000 * 2_500 + 1_000_000).contains(&spent), "{usage} {how:?}: {spent}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_is_lowered_to_what_the_balance_buys_and_always_set() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let limit_of = |marker: &str| {
        let sent: Value = serde_json::from_slice(&provider.row_with(marker).body).unwrap();
        ["generationConfig", "generation_config"].iter().find_map(|config| sent[*config]["maxOutputTokens"].as_i64())
    };
    let secret = gateway.tokens().with_budget("near", "0.005").await;
    let answer = gateway.client().ask(send(&secret, How::Events, &body("near @{tokens=90000 thoughts=500}", 64_000))).await.expect(200);
    let clamped: i64 = answer.header("spendgate-clamped").unwrap().parse().unwrap();
    let row = provider.row_with("near");
    assert_eq!((limit_of("near"), row.consumed.completion), (Some(clamped), clamped), "thoughts and answer share it");
    let money = gateway.tokens().settled("near").await;
    assert!(money.spent == row.consumed.cost && money.balance >= Some(0) && money.spent > 4_000_000, "{money:?}");
    // Without a limit the model's own is written, wherever the body has a place for it.
    let rich = gateway.tokens().with_budget("rich", "5.00").await;
    for (marker, config) in [("none", None), ("empty", Some(json!({}))), ("other", Some(json!({"temperature": 0.5})))] {
        let mut body = body(&format!("limit {marker} @{{tokens=3}}"), 1);
        body.as_object_mut().unwrap().remove("generationConfig");
        if let Some(config) = config {
            body["generation_config"] = config;
        }
        let answer = gateway.client().ask(send(&rich, How::Whole, &body)).await.expect(200);
        assert_eq!((limit_of(&format!("limit {marker}")), answer.header("spendgate-clamped")), (Some(65_536), None));
    }
    // Where thoughts would take all of the limit, a request is not worth sending.
    let thinker = gateway.tokens().with_budget("thinker", "0.01").await;
    let mut thinking = body("thinker", 60_000);
    thinking["generationConfig"]["thinkingConfig"] = json!({"thinkingBudget": 8_000});
    refused(gateway.client().ask(send(&thinker, How::Whole, &thinking)).await, 402, "RESOURCE_EXHAUSTED", "budget_exhausted");
    thinking["generationConfig"]["thinkingConfig"] = json!({"thinking_budget": 1_024});
    let answer = gateway.client().ask(send(&thinker, How::Whole, &thinking)).await.expect(200);
    assert!((1_025..4_000).contains(&answer.header("spendgate-clamped").unwrap().parse::<u64>().unwrap()));
    let strict = gateway.tokens().with_budget("strict", "0.01").await;
    let request = Request::post(&format!("/strict{}", path(How::Whole, MODEL)), &body("strict", 8_000)).bearer(&strict);
    refused(gateway.client().ask(request).await, 402, "RESOURCE_EXHAUSTED", "budget_exhausted");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_headers_and_the_query() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("headers", "1.00").await;
    let post = |marker: &str, query: &str| Request::post(&format!("/v1/models/{MODEL}:generateContent{query}"), &body(marker, 9));
    let dressed = post("dressed", "?fields=candidates&alt=json&prettyPrint=false")
        .header("x-goog-api-key", &secret)
        .header("x-goog-api-client", "google-genai-sdk/3.4.0")
        .header("cookie", "a=b")
        .header("x-goog-user-project", "theirs")
        .header("x-goog-fieldmask", "candidates")
        .header("x-http-method-override", "GET");
    gateway.client().ask(dressed).await.expect(200);
    let row = provider.row_with("dressed");
    assert_eq!(row.target, format!("/v1/models/{MODEL}:generateContent?alt=json"));
    assert_eq!(
        (&row.headers["x-goog-api-key"], &row.headers["x-goog-api-client"]),
        (&UPSTREAM_KEY.parse().unwrap(), &"google-genai-sdk/3.4.0".parse().unwrap())
    );
    for stays in ["authorization", "cookie", "x-goog-user-project", "x-goog-fieldmask", "x-http-method-override"] {
        assert!(!row.headers.contains_key(stays), "{stays}");
    }
    // Wherever a client puts its secret, it stays here.
    gateway.client().ask(post("by query", &format!("?key={secret}&alt=sse"))).await.expect(200);
    gateway.client().ask(post("as bearer", "").bearer(&secret)).await.expect(200);
    for marker in ["by query", "as bearer"] {
        let row = provider.row_with(marker);
        assert!(!row.target.contains("key=") && !row.headers.contains_key("authorization") && row.headers["x-goog-api-key"] == UPSTREAM_KEY, "{row:?}");
    }
    assert!(!gateway.written().contains(&secret), "nor in a log");
    let two = post("two", &format!("?key={secret}")).header("x-goog-api-key", &secret);
    refused(gateway.client().ask(two).await, 400, "INVALID_ARGUMENT", "invalid_request");
    refused(gateway.client().ask(post("none", "").header("x-goog-api-client", "x")).await, 401, "UNAUTHENTICATED", "invalid_token");
    refused(gateway.client().ask(post("main", &format!("?key={MAIN_KEY}"))).await, 401, "UNAUTHENTICATED", "invalid_token");
    let odd = post("odd", "?alt=proto").header("x-goog-api-key", &secret);
    refused(gateway.client().ask(odd).await, 400, "INVALID_ARGUMENT", "invalid_request");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_base_url_leads_to_the_same_operation() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("paths", "1.00").await;
    let client = gateway.client();
    for (path, target) in [
        (format!("/v1beta/models/{MODEL}:generateContent"), format!("/v1beta/models/{MODEL}:generateContent")),
        (format!("/v1/models/{MODEL}:generateContent"), format!("/v1/models/{MODEL}:generateContent")),
        (format!("/gemini/v1beta/models/{MODEL}%3AgenerateContent"), format!("/v1beta/models/{MODEL}:generateContent")),
        (format!("/gemini/models/{MODEL}:generateContent"), format!("/v1beta/models/{MODEL}:generateContent")),
    ] {
        client.ask(Request::post(&path, &body("paths", 9)).bearer(&secret)).await.expect(200);
        assert_eq!(provider.rows().last().unwrap().target, target);
    }
    let spent = gateway.tokens().settled("paths").await.spent;
    let counted = client.ask(Request::post(&format!("/v1beta/models/{MODEL}:countTokens"), &body("count", 9)).bearer(&secret)).await.expect(200);
    assert!(counted.json()["totalTokens"].as_i64().unwrap() > 0);
    // The list of models is the API's whose client asks, at the same path.
    let names = |answer: Answer, list: &str, name: &str| -> Vec<String> {
        answer.json()[list].as_array().unwrap().iter().map(|model| model[name].as_str().unwrap().to_owned()).collect()
    };
    let google = ["models/gemini-2.5-flash", "models/gemini-embedding-001"];
    for request in [
        Request::get("/v1/models?pageSize=5").header("x-goog-api-key", &secret),
        Request::get(&format!("/v1/models?key={secret}&pageSize=5")),
        Request::get("/v1/models?pageSize=5").header("x-goog-api-client", "x").bearer(&secret),
        Request::get("/v1beta/models?pageSize=5").bearer(&secret),
    ] {
        let answer = client.ask(request).await.expect(200);
        assert_eq!(answer.json()["nextPageToken"], "next");
        assert_eq!(names(answer, "models", "name"), google);
        assert!(provider.rows().last().unwrap().target.ends_with("/models?pageSize=5"));
    }
    assert!(names(client.ask(Request::get("/v1/models").bearer(&secret)).await.expect(200), "data", "id").contains(&"gpt-4o-mini".to_owned()));
    let one = client.ask(Request::get(&format!("/v1/models/{MODEL}")).header("x-goog-api-key", &secret)).await.expect(200);
    assert_eq!(one.json()["name"], format!("models/{MODEL}"));
    refused(client.ask(Request::get("/v1beta/models/nobody").bearer(&secret)).await, 403, "PERMISSION_DENIED", "model_not_priced");
    assert_eq!(gateway.tokens().settled("paths").await.spent, spent, "counting and listing cost nothing");
    // And so is the shape of an error, and its reason.
    for (path, said) in [
        ("/v1beta/cachedContents", "billed by the hour"),
        ("/v1beta/tunedModels/mine:generateContent", "tuned models"),
        ("/upload/v1beta/files", "send the data inline"),
        ("/v1beta/models/gemini-2.5-flash:batchGenerateContent", "a batch costs"),
        ("/v1beta/models/gemini-2.5-flash:bidiGenerateContent", "Live API"),
        ("/nowhere", "no route"),
    ] {
        let answer = client.ask(Request::post(path, &json!({})).header("x-goog-api-key", &secret)).await;
        let answer = refused(answer, 404, "NOT_FOUND", "route_not_found");
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains(said), "{}", answer.text());
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embeddings_cost_their_input() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("embedder", "1.00").await;
    let content = |text: &str| json!({"content": {"parts": [{"text": text}]}});
    let client = gateway.client();
    let ask = async |call: &str, body: Value| client.ask(Request::post(&format!("/v1beta/models/gemini-embedding-001:{call}"), &body).bearer(&secret)).await;
    ask("embedContent", content("one @{prompt=40}")).await.expect(200);
    ask("batchEmbedContents", json!({"requests": [content("two @{prompt=70}")]})).await.expect(200);
    assert_eq!((gateway.tokens().settled("embedder").await.spent, provider.cost()), (110 * 150, 110 * 150));
    // A model that tells nothing is charged by the bytes that it was sent.
    ask("embedContent", content("three @{usage=none prompt=10}")).await.expect(200);
    let spent = gateway.tokens().settled("embedder").await.spent;
    assert!((110 * 150 + 10 * 150..110 * 150 + 400 * 150).contains(&spent), "{spent}");
    let other = json!({"model": "models/gemini-4-argon", "content": {"parts": [{"text": "x"}]}});
    refused(ask("embedContent", other).await, 400, "INVALID_ARGUMENT", "invalid_request");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_bounded_is_refused_before_it_is_sent() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("refused", "5.00").await;
    let with = |more: Value| {
        let mut body = body("never", 9);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        send(&secret, How::Events, &body)
    };
    for (more, param) in [
        (json!({"cachedContent": "cachedContents/1"}), "cachedContent"),
        (json!({"tools": [{"codeExecution": {}}]}), "codeExecution"),
        (json!({"tools": [{"googleMaps": {}}]}), "googleMaps"),
        (json!({"contents": [{"parts": [{"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/1"}}]}]}), "fileData"),
        (json!({"generationConfig": {"maxOutputTokens": 5, "max_output_tokens": 5_000}}), "maxOutputTokens"),
        (json!({"generation_config": {"candidate_count": 9}}), "generationConfig"),
        (json!({"generationConfig": {"maxOutputTokens": -5}}), "maxOutputTokens"),
        (json!({"surprise": true}), "surprise"),
    ] {
        let refusal = refused(gateway.client().ask(with(more)).await, 400, "INVALID_ARGUMENT", "invalid_request");
        assert_eq!(refusal.json()["error"]["details"][0]["metadata"]["param"], param);
    }
    refused(gateway.client().ask(with(json!({"serviceTier": "priority"}))).await, 403, "PERMISSION_DENIED", "model_not_priced");
    let unknown = Request::post(&path(How::Whole, "gemini-nobody-knows"), &body("never", 9)).bearer(&secret);
    refused(gateway.client().ask(unknown).await, 403, "PERMISSION_DENIED", "model_not_priced");
    assert_eq!(provider.count(), 0);
    // A provider's own error passes as it is, and costs nothing.
    let answer = gateway.client().ask(with(json!({"contents": [{"parts": [{"text": "@{status=503}"}]}]}))).await.expect(503);
    assert_eq!(answer.body, provider.rows().last().unwrap().sent);
    assert_eq!(gateway.tokens().settled("refused").await.spent, 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_pays_for_all_of_it() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("gone", "1.00").await;
    for (number, how) in [How::Events, How::List].into_iter().enumerate() {
        for place in [0_usize, 1, 300, 3_000] {
            let marker = format!("gone {number} {place} ");
            let stream = gateway.client().stream(send(&secret, how, &body(&format!("{marker}@{{tokens=60 split=13 thoughts=7}}"), 100))).await.unwrap();
            stream.hang_up_after(place).await.unwrap();
            eventually("the stream to be drained", async || provider.row_with(&marker).finished.then_some(())).await;
        }
    }
    assert_eq!(gateway.tokens().settled("gone").await.spent, provider.cost());
    assert!(provider.rows().iter().all(|row| row.consumed.completion == 67));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_tokens_are_answered_without_a_provider() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().sandbox("sand").await;
    let client = gateway.client();
    let asked = body("say something", 60);
    let whole = client.ask(send(&secret, How::Whole, &asked)).await.expect(200);
    assert_eq!(whole.header("spendgate-sandbox"), Some("true"));
    let said = |piece: &Value| piece["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap_or_default().to_owned();
    let text = said(&whole.json());
    let stream = client.ask(send(&secret, How::Events, &asked)).await.expect(200);
    let seen: Vec<Value> = events::split(&stream.body).iter().map(|event| events::json(event).unwrap()).collect();
    assert_eq!(seen.iter().map(&said).collect::<String>(), text);
    assert_eq!(seen.last().unwrap()["usageMetadata"], whole.json()["usageMetadata"]);
    let list = client.ask(send(&secret, How::List, &asked)).await.expect(200);
    assert_eq!(list.header("content-type"), Some("application/json; charset=UTF-8"));
    assert_eq!(list.json().as_array().unwrap(), &seen);
    let counted = client.ask(Request::post(&format!("/v1beta/models/{MODEL}:countTokens"), &asked).bearer(&secret)).await.expect(200).json();
    assert_eq!(counted["totalTokens"], whole.json()["usageMetadata"]["promptTokenCount"]);
    let models = client.ask(Request::get("/v1/models").header("x-goog-api-key", &secret)).await.expect(200).json();
    assert!(models["models"].as_array().unwrap().iter().any(|model| model["name"] == format!("models/{MODEL}")), "{models}");
    let failed = client.ask(send(&secret, How::Whole, &asked).header("spendgate-simulate", "status=503")).await.expect(503);
    assert_eq!(failed.json()["error"]["status"], "UNAVAILABLE");
    for how in [How::Events, How::List] {
        let cut = client.try_ask(send(&secret, how, &asked).header("spendgate-simulate", "cut=2")).await;
        assert!(matches!(cut, Err(Failure::Cut { .. })), "{cut:?}");
    }
    assert_eq!((provider.count(), gateway.tokens().money("sand").await.spent), (0, 0));
    gateway.close().await;
}
