//! A provider that is silent in the middle of a stream: the client hears that it lives, in its API's own words, and only between whole events.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Streaming;
use crate::support::routes::Routes;
use crate::support::{Gateway, Request, Setup, StandIn};

const OPENAI: &str = ": ping";
const ANTHROPIC: &str = "event: ping\ndata: {\"type\": \"ping\"}";

async fn gateway(provider: &StandIn, every: &str) -> Gateway {
    let every = format!("keep_alive = \"{every}\"");
    let routes = Routes::at(provider.address()).anthropic("/v1/messages*", &every).openai(&every).edenai("/v3/*", &every);
    Gateway::start(Setup::new(&routes)).await
}

fn body(model: &str, content: &str) -> Value {
    json!({"model": model, "max_tokens": 100, "stream": true, "messages": [{"role": "user", "content": content}]})
}

async fn stream(gateway: &Gateway, path: &str, secret: &str, body: &Value) -> Streaming {
    gateway.client().stream(Request::post(path, body).bearer(secret)).await.unwrap()
}

/// The bytes without the words of a keep-alive.
fn without(bytes: &[u8], ping: &str) -> String {
    String::from_utf8(bytes.to_vec()).unwrap().replace(&format!("{ping}\n\n"), "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_stream_says_that_it_lives_in_the_words_of_its_api() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider, "20ms").await;
    let secret = gateway.tokens().with_budget("silent", "1.00").await;
    for (number, (path, model, ping)) in [
        ("/v1/chat/completions", "gpt-4o-mini", OPENAI),
        ("/v1/messages", "claude-haiku-4-5", ANTHROPIC),
        ("/v3/chat/completions", "openai/gpt-4o-mini", OPENAI),
        ("/v3/v1/messages", "anthropic/claude-haiku-4-5", ANTHROPIC),
    ]
    .into_iter()
    .enumerate()
    {
        for how in ["gate=first", "gate=first crlf"] {
            provider.close_gate();
            let content = format!("silent {number} @{{tokens=6 {how}}} {}", how.len());
            let mut asking = body(model, &content);
            if ping == OPENAI {
                asking["stream_options"] = json!({"include_usage": true});
            }
            let mut stream = stream(&gateway, path, &secret, &asking).await;
            let pings = |stream: &Streaming| String::from_utf8_lossy(&stream.seen).matches(ping).count();
            while pings(&stream) < 3 {
                stream.more().await.unwrap().expect("the stream goes on");
            }
            provider.open_gate();
            let answer = stream.rest().await.unwrap();
            let row = provider.row_with(&content);
            assert_eq!(without(&answer.body, ping).as_bytes(), row.sent, "{path} {how}: the provider's bytes are what they were");
            let text = answer.text().replace("\r\n", "\n");
            assert!(text.split("\n\n").any(|event| event == ping), "{text}");
        }
    }
    // What is said in silence is not what the provider said: it costs nothing.
    assert_eq!(gateway.tokens().settled("silent").await.spent, provider.cost());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_said_in_the_middle_of_an_event() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider, "10ms").await;
    let secret = gateway.tokens().with_budget("middle", "1.00").await;
    // More of it than the end of a stream has: it has been passed on, and cannot be taken back.
    let mut asking = body("gpt-4o-mini", "middle @{tokens=4 stall=100}");
    asking["stream_options"] = json!({"include_usage": true});
    let mut open = stream(&gateway, "/v1/chat/completions", &secret, &asking).await;
    let half = |seen: &[u8]| String::from_utf8_lossy(seen).rsplit("\n\n").next().is_some_and(|last| last.starts_with("data: {") && last.len() == 100);
    while !half(&open.seen) {
        open.more().await.unwrap().expect("the stream goes on");
    }
    let before = open.seen.len();
    let silence = tokio::time::timeout(Duration::from_millis(150), open.more()).await;
    assert!(silence.is_err(), "{}", String::from_utf8_lossy(&open.seen[before..]));
    provider.open_gate();
    let answer = open.rest().await.unwrap();
    assert_eq!(without(&answer.body, OPENAI).as_bytes(), provider.row_with("middle").sent);
    // Where nothing of it was passed on yet, there is nothing to be torn.
    provider.close_gate();
    let mut kept = stream(&gateway, "/v1/chat/completions", &secret, &body("gpt-4o-mini", "kept @{tokens=4 stall=100}")).await;
    while !String::from_utf8_lossy(&kept.seen).contains(": ping") {
        kept.more().await.unwrap().expect("the stream goes on");
    }
    provider.open_gate();
    let text = without(&kept.rest().await.unwrap().body, OPENAI);
    assert!(text.ends_with("data: [DONE]\n\n") && text.split_terminator("\n\n").all(|event| event.starts_with("data: ")), "{text}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_never_speaks_again_is_given_up_all_the_same_and_off_is_off() {
    let provider = StandIn::start().await;
    let settings = "idle_timeout = \"300ms\"";
    let routes = Routes::with_upstream_settings(provider.address(), settings).openai("keep_alive = \"20ms\"");
    let gateway = Gateway::start(Setup::new(&routes)).await;
    let secret = gateway.tokens().with_budget("never", "1.00").await;
    let open = stream(&gateway, "/v1/chat/completions", &secret, &body("gpt-4o-mini", "never @{tokens=4 gate=first}")).await;
    let cut = open.rest().await.unwrap_err();
    assert!(format!("{cut:?}").contains(": ping"), "{cut:?}");
    gateway.close().await;
    let off = Gateway::start(Setup::new(&Routes::with_upstream_settings(provider.address(), settings).openai("keep_alive = \"off\""))).await;
    let secret = off.tokens().with_budget("off", "1.00").await;
    let cut = stream(&off, "/v1/chat/completions", &secret, &body("gpt-4o-mini", "off @{tokens=4 gate=first}")).await.rest().await.unwrap_err();
    assert!(!format!("{cut:?}").contains(": ping"), "{cut:?}");
    off.close().await;
}
