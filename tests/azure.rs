//! OpenAI's API as Azure serves it: its paths, its key, and what a deployment costs.

use serde_json::{Value, json};

use crate::support::asks::{limited, streamed};
use crate::support::money::nanos;
use crate::support::routes::{Routes, UPSTREAM_KEY};
use crate::support::{Gateway, Request, Setup, StandIn, events, forms};

const VERSION: &str = "api-version=2024-10-21";

async fn gateway(provider: &StandIn) -> Gateway {
    let routes = Routes::at(provider.address()).route("/openai/*", "azure", "azure", "deployments = { \"prod-mini\" = \"gpt-4o-mini\", \"prod-image\" = \"gpt-image-1\", \"prod-tts\" = \"gpt-4o-mini-tts\", \"prod-ears\" = \"gpt-4o-transcribe\" }").openai("");
    Gateway::start(Setup::new(&routes)).await
}

fn path(deployment: &str, operation: &str) -> String {
    format!("/openai/deployments/{deployment}/{operation}?{VERSION}")
}

fn deployed(deployment: &str, body: &Value) -> Request {
    Request::post(&path(deployment, "chat/completions"), body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_costs_what_its_model_does() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("azure", "1.00").await;
    for (number, deployment) in ["gpt-4o-mini", "prod-mini"].into_iter().enumerate() {
        let mut nameless = limited(&format!("whole {number} @{{tokens=12 cached=3}}"), 50);
        nameless.as_object_mut().unwrap().remove("model");
        let answer = gateway.client().ask(deployed(deployment, &nameless).header("api-key", &secret)).await.expect(200);
        let row = provider.row_with(&format!("whole {number} "));
        assert_eq!(row.target, format!("/openai/deployments/{deployment}/chat/completions?{VERSION}"));
        assert_eq!((&row.headers["api-key"], row.headers.get("authorization")), (&UPSTREAM_KEY.parse().unwrap(), None));
        assert_eq!(nanos(answer.header("spendgate-cost").unwrap()), row.consumed.cost);
        assert!(row.consumed.cost > 12 * 600);
        // Whatever the body says, the path wins; and what the filter says first passes as it is.
        let mut elsewhere = streamed(&format!("streamed {number} @{{tokens=9}}"), 50);
        elsewhere["model"] = json!("gpt-3.5-turbo-instruct");
        elsewhere.as_object_mut().unwrap().remove("stream_options");
        let answer = gateway.client().ask(deployed(deployment, &elsewhere).bearer(&secret)).await.expect(200);
        assert!(events::split(&answer.body)[0].contains("prompt_filter_results"));
        assert!(!answer.text().contains("\"usage\""), "it was not asked for");
        assert_eq!(gateway.tokens().settled("azure").await.spent, provider.cost());
    }
    assert!(provider.cost() > 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_of_a_path_goes_where_it_says() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("paths", "1.00").await;
    let response = json!({"model": "prod-mini", "input": "x", "max_output_tokens": 20});
    let embedding = json!({"model": "text-embedding-3-small", "input": "x"});
    for (path, body) in [
        (format!("/openai/responses?{VERSION}"), &response),
        ("/openai/v1/responses".to_owned(), &response),
        ("/openai/v1/chat/completions".to_owned(), &limited("x", 20)),
        (format!("/openai/deployments/text-embedding-3-small/embeddings?{VERSION}"), &embedding),
    ] {
        gateway.client().ask(Request::post(&path, body).header("api-key", &secret)).await.expect(200);
        assert_eq!(provider.rows().last().unwrap().target, path);
        assert_eq!(gateway.tokens().settled("paths").await.spent, provider.cost(), "{path}");
    }
    let made = gateway.client().ask(Request::post("/openai/v1/responses", &response).header("api-key", &secret)).await.expect(200).json();
    let id = made["id"].as_str().unwrap();
    gateway.client().ask(Request::get(&format!("/openai/v1/responses/{id}")).header("api-key", &secret)).await.expect(200);
    assert_eq!(provider.rows().last().unwrap().target, "/openai/v1/responses/resp_stand_in");
    // The same response at another provider's route: the keys are the same here, and so is what they keep.
    gateway.client().ask(Request::get(&format!("/v1/responses/{id}")).bearer(&secret)).await.expect(200);
    // One secret in both places is one, as older SDKs send it; two are too many.
    let other = gateway.tokens().with_budget("other", "1.00").await;
    gateway.client().ask(deployed("prod-mini", &limited("x", 20)).bearer(&secret).header("api-key", &secret)).await.expect(200);
    gateway.client().ask(deployed("prod-mini", &limited("x", 20)).bearer(&secret).header("api-key", &other)).await.refused(400, "invalid_request");
    gateway.client().ask(Request::post("/v1/responses", &response).bearer(&secret).header("api-key", &secret)).await.refused(400, "invalid_request");
    let refusal = gateway.client().ask(deployed("nobody-knows", &limited("x", 20)).bearer(&secret)).await.refused(403, "model_not_priced");
    assert!(refusal.text().contains("nobody-knows"));
    for path in ["/openai/deployments/gpt-4o-mini/files", "/openai/files", "/openai/deployments/../chat/completions", "/openai/v1/batches"] {
        gateway.client().ask(Request::post(path, &json!({})).bearer(&secret)).await.refused(404, "route_not_found");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_and_audio_of_a_deployment_cost_what_its_model_s_do() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("media", "20.00").await;
    let recording = forms::wav(2_000, 2_000);
    let written = |deployment: &str, operation: &str, model: &str, prompt: &str| {
        let parts = [("file", Some("speech.wav"), recording.as_slice()), ("prompt", None, prompt.as_bytes()), ("model", None, model.as_bytes())];
        // The official SDK leaves the model in the body; others do not send it.
        forms::post(&path(deployment, operation), &parts[..if model.is_empty() { 2 } else { 3 }])
    };
    // Whatever a body says, a cheaper model among it, the path wins.
    let requests = |deployment: fn(&str) -> String| {
        [
            Request::post(&path(&deployment("image"), "images/generations"), &json!({"prompt": "one @{tokens=272}", "quality": "low", "size": "1024x1024"})),
            Request::post(&path(&deployment("image"), "images/generations"), &json!({"model": "dall-e-2", "prompt": "two @{tokens=272}", "stream": true})),
            forms::post(&path(&deployment("image"), "images/edits"), &[("prompt", None, b"@{tokens=272}"), ("image", Some("a.png"), b"\x89PNG")]),
            Request::post(&path(&deployment("tts"), "audio/speech"), &json!({"input": "one @{tokens=9}", "voice": "alloy", "stream_format": "sse"})),
            written(&deployment("ears"), "audio/transcriptions", "", "one @{tokens=9}"),
            written(&deployment("ears"), "audio/transcriptions", "whisper-1", "two @{tokens=9}"),
            written(&deployment("ears"), "audio/translations", "whisper-1", "three @{tokens=9}"),
        ]
    };
    let own = |what: &str| format!("prod-{what}");
    let named = |what: &str| match what {
        "image" => "gpt-image-1".to_owned(),
        "tts" => "gpt-4o-mini-tts".to_owned(),
        _ => "gpt-4o-transcribe".to_owned(),
    };
    for (number, request) in requests(own).into_iter().chain(requests(named)).enumerate() {
        let before = (provider.cost(), gateway.tokens().settled("media").await.spent);
        let answer = gateway.client().ask(request.header("api-key", &secret)).await.expect(200);
        let row = provider.rows().pop().unwrap();
        let deployment = if number < 7 { "/openai/deployments/prod-" } else { "/openai/deployments/gpt-" };
        assert!(row.target.starts_with(deployment) && row.target.ends_with(VERSION), "{}", row.target);
        assert_eq!(answer.body, row.sent, "{number}: every byte passes");
        let spent = gateway.tokens().settled("media").await.spent - before.1;
        assert_eq!((row.consumed.cost > 0, spent), (true, provider.cost() - before.0), "{number} {}", row.target);
    }
    // What has no price, and what is not an operation of a deployment.
    let image = json!({"model": "gpt-image-1", "prompt": "x"});
    for (operation, body) in [("images/generations", &image), ("audio/speech", &json!({"model": "tts-1", "input": "x", "voice": "alloy"}))] {
        gateway.client().ask(Request::post(&path("nobody-knows", operation), body).header("api-key", &secret)).await.refused(403, "model_not_priced");
    }
    for operation in ["responses", "images/variations", "moderations"] {
        gateway.client().ask(Request::post(&path("prod-image", operation), &image).header("api-key", &secret)).await.refused(404, "route_not_found");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_deployment_is_decides_how_it_is_limited() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("limit", "0.0005").await;
    let body = json!({"messages": [{"role": "user", "content": "limit @{tokens=100000}"}]});
    let answer = gateway.client().ask(deployed("prod-mini", &body).bearer(&secret)).await.expect(200);
    let clamped: i64 = answer.header("spendgate-clamped").unwrap().parse().unwrap();
    // The name that this model knows its limit by, and not the one of models that are not known.
    assert_eq!(serde_json::from_slice::<Value>(&provider.row_with("limit").body).unwrap()["max_completion_tokens"], clamped);
    let money = gateway.tokens().settled("limit").await;
    assert!(money.spent == provider.cost() && money.balance >= Some(0), "{money:?}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_tokens_are_answered_without_a_provider() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().sandbox("sand").await;
    let mut body = limited("x", 20);
    let answer = gateway.client().ask(deployed("gpt-4o-mini", &body).header("api-key", &secret)).await.expect(200);
    assert_eq!(answer.json()["model"], "gpt-4o-mini");
    body["stream"] = json!(true);
    let mut nameless = body.clone();
    nameless.as_object_mut().unwrap().remove("model");
    let answer = gateway.client().ask(deployed("my-own", &nameless).header("api-key", &secret)).await.expect(200);
    assert!(events::split(&answer.body)[0].contains("\"model\":\"my-own\""), "{}", answer.text());
    // What the route says that a deployment is answers, as at Azure.
    let answer = gateway.client().ask(deployed("prod-mini", &nameless).header("api-key", &secret)).await.expect(200);
    assert!(events::split(&answer.body).iter().rev().skip(1).all(|event| event.contains("\"model\":\"gpt-4o-mini\"")), "{}", answer.text());
    body["stream"] = json!(false);
    body["model"] = json!("prod-mini");
    let response = json!({"model": "prod-mini", "input": "x"});
    for (path, body) in [("/openai/v1/chat/completions", &body), ("/openai/v1/responses", &response), (&*format!("/openai/responses?{VERSION}"), &response)] {
        let answer = gateway.client().ask(Request::post(path, body).header("api-key", &secret)).await.expect(200);
        assert_eq!(answer.json()["model"], "gpt-4o-mini", "{path}");
    }
    // Its images and its sound are those of the model, whose name answers leave out.
    let image = json!({"prompt": "x", "size": "1024x1024", "quality": "low"});
    let drawn = gateway.client().ask(Request::post(&path("prod-image", "images/generations"), &image).header("api-key", &secret)).await.expect(200);
    assert_eq!(drawn.json()["usage"]["output_tokens"], 272);
    let heard = forms::post(&path("prod-ears", "audio/transcriptions"), &[("file", Some("a.wav"), &forms::wav(2_000, 2_000)[..])]);
    assert_eq!(gateway.client().ask(heard.header("api-key", &secret)).await.expect(200).json()["usage"]["type"], "tokens");
    let speech = json!({"input": "x", "voice": "alloy", "stream_format": "sse"});
    gateway.client().ask(Request::post(&path("prod-tts", "audio/speech"), &speech).header("api-key", &secret)).await.expect(200);
    assert_eq!(provider.count(), 0);
    gateway.close().await;
}
