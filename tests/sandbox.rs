//! Sandbox tokens: answers at once, in the provider's shape, with no provider, no key and no cost; and faults on demand.

use serde_json::{Value, json};

use crate::support::asks::{CHAT, chat, limited, send, streamed};
use crate::support::client::Failure;
use crate::support::routes::Routes;
use crate::support::{Gateway, Request, Setup, StandIn, events, eventually};

/// A gateway whose upstream has no key, so that only sandbox tokens are served.
async fn gateway() -> (StandIn, Gateway, String) {
    let provider = StandIn::start().await;
    let routes = Routes::at(provider.address()).openai("");
    let gateway = Gateway::start(Setup::new(&routes).without_env("OPENAI_API_KEY")).await;
    let secret = gateway.tokens().sandbox("sand").await;
    (provider, gateway, secret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chats_are_answered_without_a_provider() {
    let (provider, gateway, secret) = gateway().await;
    let client = gateway.client();
    assert!(secret.starts_with("sg_test_"));
    let answer = client.ask(send(&secret, &limited("say something", 60))).await.expect(200);
    assert_eq!(answer.header("spendgate-sandbox"), Some("true"));
    let json = answer.json();
    assert_eq!(json["object"], "chat.completion");
    assert_eq!(json["model"], "gpt-4o-mini");
    let text = json["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(!text.is_empty());
    assert!(json["usage"]["completion_tokens"].as_u64().unwrap() <= 60, "{json}");
    assert_eq!(
        json["usage"]["total_tokens"].as_u64().unwrap(),
        json["usage"]["prompt_tokens"].as_u64().unwrap() + json["usage"]["completion_tokens"].as_u64().unwrap()
    );
    // The same question, the same answer; streamed too.
    let again = client.ask(send(&secret, &limited("say something", 60))).await.expect(200).json();
    assert_eq!(again["choices"], json["choices"]);
    let stream = client.ask(send(&secret, &streamed("say something", 60))).await.expect(200);
    assert_eq!(events::content(&stream.body), text);
    let seen = events::split(&stream.body);
    assert_eq!(seen.last().unwrap(), "data: [DONE]");
    let usage: Vec<Value> = seen.iter().filter_map(|event| events::json(event)).map(|event| event["usage"].clone()).filter(|usage| !usage.is_null()).collect();
    assert_eq!(usage, [json["usage"].clone()]);
    let mut unasked = streamed("say something", 60);
    unasked.as_object_mut().unwrap().remove("stream_options");
    let stream = client.ask(send(&secret, &unasked)).await.expect(200);
    assert!(!events::split(&stream.body).iter().any(|event| events::shows_usage(event)));
    // Nothing to pay, nobody asked.
    let money = gateway.tokens().money("sand").await;
    assert_eq!((money.held, money.spent), (0, 0));
    assert_eq!(provider.count(), 0);
    // While an api_token is told that the upstream is off.
    let live = gateway.tokens().with_budget("live", "1.00").await;
    let refusal = client.ask(send(&live, &chat("hi"))).await.refused(503, "upstream_unavailable");
    assert!(refusal.header("retry-after").is_some());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn balances_are_ignored_and_expiry_is_honoured() {
    let (_provider, gateway, _) = gateway().await;
    let soon = (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2)).to_string();
    let body = json!({"name": "brief", "token_type": "sandbox_api_token", "balance": "0", "active_balance": true, "expire_time": soon});
    let secret = gateway.tokens().create(&body).await;
    let poor = gateway.tokens().create(&json!({"name": "poor", "token_type": "sandbox_api_token", "balance": "-3", "active_balance": true})).await;
    gateway.client().ask(send(&poor, &limited("free", 9))).await.expect(200);
    eventually("the token to expire", async || (gateway.client().ask(send(&secret, &limited("free", 9))).await.status == 401).then_some(())).await;
    gateway.client().ask(send(&secret, &limited("free", 9))).await.refused(401, "token_expired");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn structured_outputs_tools_and_embeddings() {
    let (_provider, gateway, secret) = gateway().await;
    let client = gateway.client();
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["city", "days", "sky"], "properties": {
        "city": {"type": "string", "minLength": 3}, "days": {"type": "integer", "minimum": 2, "maximum": 5}, "sky": {"enum": ["clear", "grey"]}}});
    let mut body = chat("the weather");
    body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "weather", "strict": true, "schema": schema}});
    let answer = client.ask(send(&secret, &body)).await.expect(200).json();
    let made: Value = serde_json::from_str(answer["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert!(jsonschema::is_valid(&schema, &made), "{made}");

    let mut body = chat("the weather in Paris");
    body["tools"] = json!([{"type": "function", "function": {"name": "get_weather", "parameters": schema}}]);
    body["tool_choice"] = json!("required");
    let answer = client.ask(send(&secret, &body)).await.expect(200).json();
    let call = &answer["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(call["function"]["name"], "get_weather");
    let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
    assert!(jsonschema::is_valid(&schema, &arguments), "{arguments}");
    // After a tool's result there is text, or agents would never end.
    body["tool_choice"] = json!("auto");
    body["messages"] = json!([body["messages"][0], answer["choices"][0]["message"], {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}]);
    let answer = client.ask(send(&secret, &body)).await.expect(200).json();
    assert!(answer["choices"][0]["message"]["content"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");

    let embed = |format: &str| {
        Request::post("/v1/embeddings", &json!({"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 12, "encoding_format": format}))
            .bearer(&secret)
    };
    let floats = client.ask(embed("float")).await.expect(200).json();
    assert_eq!(floats["data"].as_array().unwrap().len(), 2);
    assert_eq!(floats["data"][1]["embedding"].as_array().unwrap().len(), 12);
    assert!(client.ask(embed("base64")).await.expect(200).json()["data"][0]["embedding"].is_string());
    let models = client.ask(Request::get("/v1/models").bearer(&secret)).await.expect(200).json();
    assert!(models["data"].as_array().unwrap().iter().any(|model| model["id"] == "gpt-4o-mini"), "{models}");
    client.ask(Request::post("/v1/completions", &json!({"model": "gpt-3.5-turbo-instruct", "prompt": "once"})).bearer(&secret)).await.expect(200);
    client.ask(Request::post(CHAT, &json!({"model": "gpt-4o-mini"})).bearer(&secret)).await.refused(400, "invalid_request");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_on_demand() {
    let (_provider, gateway, secret) = gateway().await;
    let client = gateway.client();
    let fault = |fault: &str, body: &Value| send(&secret, body).header("spendgate-simulate", fault);
    for status in [400, 429, 500, 503] {
        let answer = client.ask(fault(&format!("status={status}"), &chat("hi"))).await.expect(status);
        assert!(answer.json()["error"]["message"].is_string(), "{}", answer.text());
        assert_eq!(answer.header("spendgate-sandbox"), Some("true"));
    }
    let cut = client.try_ask(fault("cut=3", &streamed("hi", 60))).await;
    let Err(Failure::Cut { seen, .. }) = &cut else { panic!("{cut:?}") };
    assert_eq!(events::split(seen).len(), 3);
    let silent = client.ask(fault("no-usage", &streamed("hi", 60))).await.expect(200);
    assert!(!events::split(&silent.body).iter().any(|event| events::shows_usage(event)));
    let long = client.ask(fault("tokens=500", &chat("hi"))).await.expect(200).json();
    assert_eq!(long["usage"]["completion_tokens"], 500);
    client.ask(fault("latency=50ms", &chat("hi"))).await.expect(200);
    client.ask(fault("nonsense=1", &chat("hi"))).await.expect(400);
    gateway.close().await;
}
