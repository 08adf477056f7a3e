//! What Eden AI serves in OpenAI's shapes beside chat: responses, images, speech, transcripts, moderations. The cost that an answer tells is charged, in its
//! body, in its usage or in a header; what no answer tells goes by the price book.

use serde_json::{Value, json};

use crate::support::client::Failure;
use crate::support::money::{CENT, nanos};
use crate::support::routes::Routes;
use crate::support::{Answer, Gateway, Request, Setup, StandIn, events, forms, promises};

/// $0.15 a million input tokens, $0.60 output, at the seller's price.
const MODEL: &str = "openai/gpt-4o-mini";
/// At both of its paths.
const RESPONSES: [&str; 2] = ["/v3/responses", "/v3/llm/responses"];

async fn gateway(provider: &StandIn) -> Gateway {
    let routes = Routes::at(provider.address()).edenai("/wide/v3/*", "margin = \"1.1\"").edenai("/v3/*", "");
    Gateway::start(Setup::new(&routes)).await
}

fn response(input: &str, more: Value) -> Value {
    promises::with(json!({"model": MODEL, "input": input, "max_output_tokens": 100}), more)
}

fn respond(path: &str, secret: &str, body: &Value) -> Request {
    Request::post(path, body).bearer(secret)
}

fn draw(mount: &str, secret: &str, prompt: &str) -> Request {
    let body = json!({"model": "openai/gpt-image-1", "prompt": prompt, "quality": "low", "size": "1024x1024"});
    Request::post(&format!("{mount}/v3/images/generations"), &body).bearer(secret)
}

fn edit(mount: &str, secret: &str, prompt: &str) -> Request {
    let fields = [("model", None, &b"openai/gpt-image-1"[..]), ("prompt", None, prompt.as_bytes()), ("image", Some("a.png"), b"\x89PNG")];
    forms::post(&format!("{mount}/v3/images/edits"), &fields).bearer(secret)
}

fn speak(mount: &str, secret: &str, model: &str, input: &str) -> Request {
    let body = json!({"model": model, "input": input, "voice": "alloy", "response_format": "pcm"});
    Request::post(&format!("{mount}/v3/audio/speech"), &body).bearer(secret)
}

fn hear(mount: &str, secret: &str, format: &str, prompt: &str) -> Request {
    let recording = forms::wav(2_000, 2_000);
    let fields = [("model", None, &b"openai/whisper-1"[..]), ("prompt", None, prompt.as_bytes()), ("response_format", None, format.as_bytes())];
    forms::post(&format!("{mount}/v3/audio/transcriptions"), &[&[("file", Some("a.wav"), &recording[..])], &fields[..]].concat()).bearer(secret)
}

fn told(answer: &Answer) -> i64 {
    nanos(answer.header("spendgate-cost").unwrap())
}

async fn estimated(gateway: &Gateway, token: &str) -> String {
    let metrics = gateway.metrics().await;
    let line = metrics.lines().find(|line| line.starts_with("spendgate_estimated_charges_total{") && line.contains(&format!("token=\"{token}\"")));
    line.map_or("0", |line| line.rsplit(' ').next().unwrap()).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_costs_what_its_answer_tells_streamed_or_not() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("exact", "50.00").await;
    for (number, how) in ["", "cost=0.000000001", "cost=0", "cost=0.0123", "cost=3.5", "usage=absurd cost=0.002", "split=1 cost=0.002"].into_iter().enumerate()
    {
        for path in RESPONSES {
            for stream in [false, true] {
                let marker = format!("exact {number} {path} {stream}");
                let body = response(&format!("{marker} @{{tokens=12 {how}}}"), json!({"stream": stream}));
                let answer = gateway.client().ask(respond(path, &secret, &body)).await.expect(200);
                let row = provider.row_with(&marker);
                assert_eq!((row.target.as_str(), &row.body[..]), (path, body.to_string().as_bytes()), "{how}");
                assert!(answer.text().contains("\"cost\"") && answer.text().contains("w12 "), "{how}: {}", answer.text());
                if !stream {
                    assert_eq!(told(&answer), row.consumed.cost, "{how}");
                }
                assert_eq!(gateway.tokens().settled("exact").await.spent, provider.cost(), "{marker} {how}");
            }
        }
    }
    // In one piece the cost stands beside the usage, too.
    gateway.client().ask(respond(RESPONSES[0], &secret, &response("silent @{usage=none cost=0.25}", json!({})))).await.expect(200);
    assert_eq!(gateway.tokens().settled("exact").await.spent, provider.cost());
    assert_eq!(estimated(&gateway, "exact").await, "0");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_a_response_it_is_charged() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    for (name, how) in [("cut", "tokens=20 cut=10"), ("silent", "tokens=20 usage=none"), ("negative", "tokens=20 cost=0.001 usage=negative no-cost")] {
        let secret = gateway.tokens().with_budget(name, "1.00").await;
        let answer = gateway.client().try_ask(respond(RESPONSES[0], &secret, &response(&format!("{name} @{{{how}}}"), json!({"stream": true})))).await;
        assert_eq!(matches!(answer, Err(Failure::Cut { .. })), name == "cut", "{name}: {answer:?}");
        let spent = gateway.tokens().settled(name).await.spent;
        assert!(spent > 20 * 150 && spent < CENT, "{name}: {spent}");
    }
    // Whoever goes away pays what it costs.
    let secret = gateway.tokens().with_budget("gone", "1.00").await;
    for bytes in [1, 900] {
        let before = gateway.tokens().settled("gone").await.spent;
        let body = response(&format!("gone {bytes} @{{tokens=60 delay=1 cost=0.0{bytes}}}"), json!({"stream": true}));
        let stream = gateway.client().stream(respond(RESPONSES[1], &secret, &body)).await.unwrap();
        stream.hang_up_after(bytes).await.unwrap();
        let spent = gateway.tokens().settled("gone").await.spent - before;
        assert_eq!(spent, provider.row_with(&format!("gone {bytes} ")).consumed.cost, "{bytes}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_the_seller_keeps_is_its_tokens_own() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let (mine, other) = (gateway.tokens().with_budget("mine", "5.00").await, gateway.tokens().with_budget("other", "5.00").await);
    let client = gateway.client();
    let made = client.ask(respond(RESPONSES[0], &mine, &response("x @{cost=0.01}", json!({})))).await.expect(200).json();
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("resp_stand_in_sg"), "{id}");
    for path in RESPONSES {
        let at = format!("{path}/{id}");
        client.ask(Request::get(&at).bearer(&mine)).await.expect(200);
        assert_eq!(provider.rows().last().unwrap().target, format!("{path}/resp_stand_in"));
        client.ask(Request::new(hyper::Method::DELETE, &at).bearer(&mine)).await.expect(200);
        let count = provider.count();
        client.ask(Request::get(&at).bearer(&other)).await.refused(404, "route_not_found");
        client.ask(Request::get(&format!("{path}/resp_stand_in")).bearer(&mine)).await.refused(404, "route_not_found");
        client.ask(Request::get(&format!("{at}/input_items")).bearer(&mine)).await.refused(404, "route_not_found");
        client.ask(Request::post(&format!("{at}/cancel"), &json!({})).bearer(&mine)).await.refused(404, "route_not_found");
        let follow = response("follow @{cost=0.02}", json!({"previous_response_id": id}));
        client.ask(respond(path, &other, &follow)).await.refused(400, "invalid_request");
        assert_eq!(provider.count(), count);
        client.ask(respond(path, &mine, &follow)).await.expect(200);
        assert_eq!(serde_json::from_slice::<Value>(&provider.rows().last().unwrap().body).unwrap()["previous_response_id"], "resp_stand_in");
    }
    assert_eq!(gateway.tokens().settled("mine").await.spent, 5 * CENT);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_and_sound_cost_what_the_answer_tells() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("media", "50.00").await;
    for (number, how) in
        ["", "cost=0.000000001", "cost=0", "cost=0.0123", "cost=1.5", "usage=none cost=0.002", "usage=absurd cost=0.002"].into_iter().enumerate()
    {
        let text = format!("media {number} @{{tokens=9 {how}}}");
        for request in [
            draw("", &secret, &text),
            edit("", &secret, &text),
            speak("", &secret, "openai/tts-1", &text),
            speak("", &secret, "openai/gpt-4o-mini-tts", &text),
            hear("", &secret, "json", &text),
            hear("", &secret, "verbose_json", &text),
        ] {
            let answer = gateway.client().ask(request).await.expect(200);
            let row = provider.rows().pop().unwrap();
            assert!(answer.body == row.sent, "{how} {}: every byte passes", row.target);
            assert_eq!(answer.header("x-edenai-cost").is_some(), row.target == "/v3/audio/speech", "{}", row.target);
            assert_eq!(gateway.tokens().settled("media").await.spent, provider.cost(), "{how} {}", row.target);
        }
    }
    // A longer answer than what is kept back, and its cost behind it.
    gateway.client().ask(draw("", &secret, "big @{cached=3000000 split=70000 cost=0.7}")).await.expect(200);
    assert_eq!(gateway.tokens().settled("media").await.spent, provider.cost());
    // Judging is free, and says so.
    let judged = json!({"model": "openai/omni-moderation-latest", "input": "x"});
    let answer = gateway.client().ask(Request::post("/v3/moderations", &judged).bearer(&secret)).await.expect(200);
    assert_eq!((told(&answer), provider.rows().last().unwrap().target.as_str()), (0, "/v3/moderations"));
    assert_eq!(estimated(&gateway, "media").await, "0");
    let report = String::from_utf8(gateway.command(&["usage", "--json", "--by", "model,feature"]).stdout).unwrap();
    for part in ["\"openai/gpt-image-1\"", "\"image__generation\"", "\"audio__text_to_speech\"", "\"audio__speech_to_text\""] {
        assert!(report.contains(part), "{report}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_told_cost_the_price_book_counts_with_its_margin() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("book", "9.00").await;
    for (mount, margin) in [("", 10), ("/wide", 11)] {
        let before = gateway.tokens().money("book").await.spent;
        let text = format!("book {margin} @{{tokens=10 no-cost}}");
        for request in [
            respond(&format!("{mount}/v3/responses"), &secret, &response(&text, json!({}))),
            respond(&format!("{mount}/v3/llm/responses"), &secret, &response(&text, json!({"stream": true}))),
            draw(mount, &secret, &text),
            speak(mount, &secret, "openai/tts-1", &text),
            hear(mount, &secret, "json", &text),
            // Plain text never tells it: two seconds.
            hear(mount, &secret, "text", &format!("book {margin} @{{tokens=10}}")),
        ] {
            gateway.client().ask(request).await.expect(200);
        }
        let billed: i64 = provider.rows_with(&format!("book {margin} ")).iter().map(|row| row.consumed.cost).sum();
        assert_eq!(gateway.tokens().settled("book").await.spent - before, billed * margin / 10, "{margin}");
    }
    assert_eq!(estimated(&gateway, "book").await, "12");
    // The margin is on what is held too.
    let text = format!("poor {}", "x".repeat(1_000));
    let asked = async |request: Request| {
        let answer = gateway.client().ask(request).await.refused(402, "budget_exhausted");
        nanos(answer.json()["error"]["budget"]["asked"].as_str().unwrap())
    };
    let poor = gateway.tokens().with_budget("poor", "0.00000001").await;
    for request in [
        |mount: &str, secret: &str, text: &str| respond(&format!("{mount}/v3/responses"), secret, &response(text, json!({}))),
        |mount: &str, secret: &str, text: &str| draw(mount, secret, text),
        |mount: &str, secret: &str, text: &str| speak(mount, secret, "openai/tts-1", text),
        |mount: &str, secret: &str, text: &str| hear(mount, secret, "json", text),
    ] {
        let (plain, wide) = (asked(request("", &poor, &text)).await, asked(request("/wide", &poor, &text)).await);
        assert!((plain * 11 / 10..=plain * 11 / 10 + 2).contains(&wide), "{plain} {wide}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cost_in_the_head_is_that_of_the_whole_answer() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    for model in ["openai/tts-1", "openai/gpt-4o-mini-tts"] {
        // Cut off, and after the client has gone.
        let name = format!("cut {}", model.len());
        let secret = gateway.tokens().with_budget(&name, "5.00").await;
        let answer = gateway.client().try_ask(speak("", &secret, model, &format!("{name} @{{tokens=40 cut=3 cost=0.0321}}"))).await;
        assert!(matches!(answer, Err(Failure::Cut { .. })), "{answer:?}");
        assert_eq!(gateway.tokens().settled(&name).await.spent, 32_100_000, "{model}");
        let stream = gateway.client().stream(speak("", &secret, model, &format!("{name} gone @{{tokens=400 cost=0.5}}"))).await.unwrap();
        stream.hang_up_after(10).await.unwrap();
        assert_eq!(gateway.tokens().settled(&name).await.spent, 532_100_000, "{model}");
        assert_eq!(estimated(&gateway, &name).await, "0");
        // Not believed: a cost beyond any budget is the hold, one below nothing is none.
        let before = gateway.tokens().settled(&name).await.spent;
        gateway.client().ask(speak("", &secret, model, &format!("{name} odd @{{tokens=4 cost=100001}}"))).await.expect(200);
        let spent = gateway.tokens().settled(&name).await.spent - before;
        assert!(spent > 0 && spent < 100 * CENT, "{model}: {spent}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_price_or_no_bound_is_refused() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("refused", "100.00").await;
    let client = gateway.client();
    for model in ["gpt-4o-mini", "@edenai", "openai/gpt-4o-mini@eu", "nobody/gpt-4o-mini", "openai/nobody-knows"] {
        for (path, body) in [
            ("/v3/responses", json!({"model": model, "input": "x"})),
            ("/v3/images/generations", json!({"model": model, "prompt": "x"})),
            ("/v3/audio/speech", json!({"model": model, "input": "x", "voice": "alloy"})),
            ("/v3/moderations", json!({"model": model, "input": "x"})),
        ] {
            client.ask(Request::post(path, &body).bearer(&secret)).await.refused(403, "model_not_priced");
        }
    }
    for (key, value) in [("fallbacks", json!(["openai/gpt-4o"])), ("background", json!(true)), ("conversation", json!("c")), ("extra_body", json!({}))] {
        let answer = client.ask(respond(RESPONSES[0], &secret, &response("x", json!({key: value})))).await.refused(400, "invalid_request");
        assert_eq!(answer.json()["error"]["param"], key);
    }
    let searching = response("x", json!({"model": "anthropic/claude-haiku-4-5", "tools": [{"type": "web_search"}]}));
    let answer = client.ask(respond(RESPONSES[0], &secret, &searching)).await.refused(400, "invalid_request");
    assert!(answer.text().contains("max_tool_calls"), "{}", answer.text());
    // A recording by its address cannot be heard here.
    let address = json!({"model": "openai/whisper-1", "file_url": "https://example.com/a.wav"});
    client.ask(Request::post("/v3/audio/transcriptions", &address).bearer(&secret)).await.refused(400, "invalid_request");
    for path in ["/v3/images/variations", "/v3/audio/translations", "/v3/videos", "/v3/responses/input_tokens", "/v3/alpha/decisions"] {
        client.ask(Request::post(path, &json!({})).bearer(&secret)).await.refused(404, "route_not_found");
    }
    assert_eq!((provider.count(), gateway.tokens().money("refused").await.spent), (0, 0));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_can_hold_for_models_without_a_price() {
    let provider = StandIn::start().await;
    let hold = "models = [\"stabilityai/*\", \"deepgram/*\"]\nprice = { reported = { json = \"/cost\" }, hold = \"0.50\" }";
    let routes = Routes::at(provider.address()).edenai("/v3/*", hold).edenai("/v3/*", "");
    let gateway = Gateway::start(Setup::new(&routes)).await;
    let secret = gateway.tokens().with_budget("held", "3.00").await;
    let image = |prompt: &str| Request::post("/v3/images/generations", &json!({"model": "stabilityai/sd3.5-large", "prompt": prompt})).bearer(&secret);
    for (request, spent) in [
        (image("@{cost=0.065}"), 65_000_000),
        (image("@{no-cost}"), 565_000_000),
        (speak("", &secret, "deepgram/tts-1", "@{cost=0.016}"), 581_000_000),
        (speak("", &secret, "deepgram/tts-1", "@{no-cost}"), 1_081_000_000),
        (
            Request::post(
                "/v3/chat/completions",
                &json!({"model": "stabilityai/chat", "messages": [{"role": "user", "content": "@{cost=0.02}"}], "stream": true}),
            )
            .bearer(&secret),
            1_101_000_000,
        ),
        // Others go by the price book.
        (speak("", &secret, "openai/tts-1", "@{cost=0.000015}"), 1_101_015_000),
    ] {
        gateway.client().ask(request).await.expect(200);
        assert_eq!(gateway.tokens().settled("held").await.spent, spent);
    }
    let poor = gateway.tokens().with_budget("poor", "0.40").await;
    gateway.client().ask(speak("", &poor, "deepgram/tts-1", "x")).await.refused(402, "budget_exhausted");
    gateway.client().ask(speak("", &secret, "microsoft/tts-1", "x")).await.refused(403, "model_not_priced");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_is_clamped_to_what_the_balance_buys() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("clamp", "0.0005").await;
    let body = json!({"model": MODEL, "input": "clamp @{tokens=100000}"});
    let answer = gateway.client().ask(respond(RESPONSES[0], &secret, &body)).await.expect(200);
    let clamped: i64 = answer.header("spendgate-clamped").unwrap().parse().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&provider.row_with("clamp").body).unwrap()["max_output_tokens"], clamped);
    let money = gateway.tokens().settled("clamp").await;
    assert!(money.spent == provider.cost() && money.balance >= Some(0), "{money:?}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_tokens_are_told_a_cost() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().sandbox("sand").await;
    let client = gateway.client();
    let whole = client.ask(respond(RESPONSES[1], &secret, &response("say something", json!({})))).await.expect(200).json();
    let stream = client.ask(respond(RESPONSES[0], &secret, &response("say something", json!({"stream": true})))).await.expect(200);
    let seen = events::split(&stream.body);
    let last: Value = serde_json::from_str(seen.last().unwrap().split_once("data: ").unwrap().1).unwrap();
    assert!(whole["cost"].is_f64() && last["response"]["usage"] == whole["usage"] && whole["usage"]["cost"] == whole["cost"], "{whole} {last}");
    let kept = client.ask(Request::get(&format!("/v3/llm/responses/{}", whole["id"].as_str().unwrap())).bearer(&secret)).await.expect(200).json();
    assert_eq!(kept["output"], whole["output"]);
    assert!(client.ask(draw("", &secret, "a lighthouse")).await.expect(200).json()["cost"].is_f64());
    assert!(client.ask(hear("", &secret, "json", "x")).await.expect(200).json()["cost"].is_f64());
    let spoken = client.ask(speak("", &secret, "openai/tts-1", "hello")).await.expect(200);
    assert_eq!((spoken.header("x-edenai-cost"), spoken.header("spendgate-sandbox")), (Some("0.001"), Some("true")));
    let failed = client.ask(speak("", &secret, "openai/tts-1", "x").header("spendgate-simulate", "status=429")).await.expect(429);
    assert!(failed.json()["error"]["message"].is_string());
    assert_eq!((provider.count(), gateway.tokens().money("sand").await.spent), (0, 0));
    gateway.close().await;
}
