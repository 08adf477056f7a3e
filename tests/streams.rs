//! Streams pass as they are: bytes untouched, usage hidden from whom did not ask for it, whatever the pieces they come in.

use serde_json::{Value, json};

use crate::support::asks::{send, streamed};
use crate::support::{Answer, Gateway, Request, StandIn, events};

async fn ask(gateway: &Gateway, secret: &str, body: &Value) -> Answer {
    gateway.client().ask(send(secret, body)).await.expect(200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_for_usage_passes_byte_for_byte() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("asked", "1.00").await;
    for (number, how) in ["", "split=1", "split=7", "split=4096", "crlf", "crlf split=3", "cached=5"].into_iter().enumerate() {
        let body = streamed(&format!("asked {number} @{{tokens=12 {how}}}"), 100);
        let answer = ask(&gateway, &secret, &body).await;
        let row = provider.row_with(&format!("asked {number} "));
        assert_eq!(answer.body, row.sent, "{how}");
        assert_eq!(row.body, body.to_string(), "{how}: the request passes as it is too");
        assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"));
    }
    assert_eq!(gateway.tokens().settled("asked").await.spent, provider.cost());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_that_was_not_asked_for_is_metered_and_hidden() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("hidden", "1.00").await;
    let mut cases = Vec::new();
    for how in ["", "split=1", "split=5", "crlf", "crlf split=2"] {
        for options in [None, Some(json!({"include_usage": false})), Some(json!({})), Some(json!(null))] {
            cases.push((how, options));
        }
    }
    for (number, (how, options)) in cases.into_iter().enumerate() {
        let mut body = streamed(&format!("hidden {number} @{{tokens=12 {how}}}"), 100);
        body.as_object_mut().unwrap().remove("stream_options");
        if let Some(options) = &options {
            body["stream_options"] = options.clone();
        }
        let answer = ask(&gateway, &secret, &body).await;
        let row = provider.row_with(&format!("hidden {number} "));
        let told: Value = serde_json::from_slice(&row.body).unwrap();
        assert_eq!(told["stream_options"]["include_usage"], true, "{how} {options:?}: the provider is asked for usage");
        let mut without = told.clone();
        without.as_object_mut().unwrap().remove("stream_options");
        let mut original = body.clone();
        original.as_object_mut().unwrap().remove("stream_options");
        assert_eq!(without, original, "{how} {options:?}: and for nothing else");
        let seen = events::split(&answer.body);
        assert!(!seen.iter().any(|event| events::shows_usage(event)), "{how} {options:?}: {seen:?}");
        let expected: Vec<String> = events::split(&row.sent).into_iter().filter(|event| !events::shows_usage(event)).collect();
        assert_eq!(simple(&seen), simple(&expected), "{how} {options:?}: every other event, in order");
    }
    assert_eq!(gateway.tokens().settled("hidden").await.spent, provider.cost());
    gateway.close().await;
}

/// Events as JSON without the empty `usage` member, which may stay or go.
fn simple(events: &[String]) -> Vec<Value> {
    let strip = |event: &String| match events::json(event) {
        Some(mut json) => {
            json.as_object_mut().unwrap().remove("usage");
            json
        }
        None => Value::String(event.clone()),
    };
    events.iter().map(strip).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_pass_at_once() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("paced", "1.00").await;
    let request = send(&secret, &streamed("paced @{tokens=5 gate=first}", 100));
    let mut stream = gateway.client().stream(request).await.unwrap();
    // The provider has stopped after its first words and waits: they must be here by now, or they never will be.
    stream.event().await.unwrap().unwrap();
    assert!(stream.event().await.unwrap().unwrap().contains("w1 "));
    provider.open_gate();
    let answer = stream.rest().await.unwrap();
    assert_eq!(events::content(&answer.body), "w1 w2 w3 w4 w5 ");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_charge_is_durable_when_the_client_has_seen_the_end() {
    let provider = StandIn::start().await;
    let mut gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("durable", "1.00").await;
    for turn in 0..5 {
        let mut stream = gateway.client().stream(send(&secret, &streamed(&format!("durable {turn} @{{tokens=30}}"), 100))).await.unwrap();
        while stream.event().await.unwrap().unwrap() != "data: [DONE]" {}
        // The end was seen. Whatever happens now, the charge stands.
        gateway.kill9();
        gateway.audit();
        gateway.launch().await;
        assert_eq!(gateway.tokens().settled("durable").await.spent, provider.cost());
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn legacy_completions_stream_too() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("completion", "1.00").await;
    let mut body = json!({"model": "gpt-3.5-turbo-instruct", "prompt": "legacy @{tokens=9}", "stream": true});
    let answer = gateway.client().ask(Request::post("/v1/completions", &body).bearer(&secret)).await.expect(200);
    let seen = events::split(&answer.body);
    assert_eq!(seen.last().unwrap(), "data: [DONE]");
    assert!(!seen.iter().any(|event| events::shows_usage(event)));
    assert_eq!(
        seen.iter().filter_map(|event| events::json(event)).map(|event| event["choices"][0]["text"].as_str().unwrap().to_owned()).collect::<String>(),
        "w1 w2 w3 w4 w5 w6 w7 w8 w9 "
    );
    body["stream"] = json!(false);
    gateway.client().ask(Request::post("/v1/completions", &body).bearer(&secret)).await.expect(200);
    assert_eq!(gateway.tokens().settled("completion").await.spent, provider.cost());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_not_streamed_pass_byte_for_byte_and_are_charged() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("whole", "1.00").await;
    let mut body = streamed("whole @{tokens=40 cached=4}", 100);
    body["stream"] = json!(false);
    body.as_object_mut().unwrap().remove("stream_options");
    let answer = ask(&gateway, &secret, &body).await;
    let row = provider.row_with("whole");
    assert_eq!(answer.body, row.sent);
    assert_eq!(row.target, "/v1/chat/completions");
    assert!(answer.header("spendgate-request-id").is_some());
    assert_eq!(answer.header("x-request-id"), Some("req-stand-in"), "the provider's own id is kept");
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.header("openai-organization"), None);

    let embeddings = json!({"model": "text-embedding-3-small", "input": ["one two three", "four"]});
    gateway.client().ask(Request::post("/v1/embeddings", &embeddings).bearer(&secret)).await.expect(200);
    assert_eq!(gateway.tokens().settled("whole").await.spent, provider.cost());

    let models = gateway.client().ask(Request::get("/v1/models").bearer(&secret)).await.expect(200).json();
    let ids: Vec<&str> = models["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"gpt-4o-mini"), "{ids:?}");
    assert!(!ids.contains(&"no-such-model"), "only models that are priced: {ids:?}");
    gateway.close().await;
}
