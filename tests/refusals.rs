//! Every refusal, in the caller's shape, and what it must not do: reach the provider, charge, or tell a secret.

use serde_json::{Value, json};

use crate::support::asks::{CHAT, chat, limited, ocr, send, streamed};
use crate::support::gateway::MAIN_KEY;
use crate::support::money::{CENT, DOLLAR};
use crate::support::routes::{Routes, UPSTREAM_KEY};
use crate::support::{Client, Connection, Gateway, Request, Setup, StandIn, eventually, ports, raw};

/// A secret with the right form that nobody was given.
fn stranger() -> String {
    spendgate::tokens::Secret::generate(spendgate::tokens::SecretKind::Live).unwrap().reveal().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_known_gets_the_same_401() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let client = gateway.client();
    let gone = gateway.tokens().with_budget("gone", "1.00").await;
    gateway.tokens().delete("gone").await.expect(204);
    let good = gateway.tokens().with_budget("good", "1.00").await;
    let mut damaged = good.clone();
    let last = damaged.pop().unwrap();
    damaged.push(if last == 'x' { 'y' } else { 'x' });
    let mut messages = Vec::new();
    for secret in [stranger(), gone, damaged, "sg_live_short".to_owned(), "sk-proj-something".to_owned(), "x".repeat(3000)] {
        let answer = client.ask(send(&secret, &chat("hi"))).await.refused(401, "invalid_token");
        assert!(!answer.text().contains(&secret), "the refusal does not repeat what was presented");
        messages.push(answer.json()["error"]["message"].clone());
    }
    messages.dedup();
    assert_eq!(messages.len(), 1, "nobody can tell unknown, malformed and revoked apart: {messages:?}");
    client.ask(Request::post(CHAT, &chat("hi"))).await.refused(401, "invalid_token");
    client.ask(Request::post(CHAT, &chat("hi")).header("authorization", "Basic c2c6c2c=")).await.refused(401, "invalid_token");
    client.ask(Request::post(CHAT, &chat("hi")).header("authorization", "Bearer ")).await.refused(401, "invalid_token");
    // The main key manages tokens; it does not spend.
    let main = client.ask(send(MAIN_KEY, &chat("hi"))).await;
    assert!(matches!(main.status.as_u16(), 401 | 403), "{}", main.text());
    assert_eq!(provider.count(), 0);
    client.ask(send(&good, &chat("hi"))).await.expect(200);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_secret_is_taken_where_any_sdk_puts_it_and_only_once() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let client = gateway.client();
    let secret = gateway.tokens().with_budget("places", "1.00").await;
    let ask = || Request::post(CHAT, &chat("hi"));
    for header in ["x-api-key", "api-key", "x-goog-api-key"] {
        client.ask(ask().header(header, &secret)).await.expect(200);
    }
    client.ask(Request::post(&format!("{CHAT}?key={secret}"), &chat("hi"))).await.expect(200);
    client.ask(ask().header("authorization", &format!("bearer {secret}"))).await.expect(200);
    let seen = provider.count();
    for request in [
        ask().bearer(&secret).bearer(&secret),
        ask().bearer(&secret).header("x-api-key", &secret),
        ask().header("api-key", &secret).header("x-api-key", &stranger()),
        Request::post(&format!("{CHAT}?key={secret}"), &chat("hi")).bearer(&secret),
        Request::post(&format!("{CHAT}?key={secret}&key={secret}"), &chat("hi")),
    ] {
        client.ask(request).await.expect(400);
    }
    assert_eq!(provider.count(), seen);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_tokens_are_refused_and_can_be_revived() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2);
    let secret = gateway.tokens().create(&json!({"name": "brief", "balance": "1000", "active_balance": true, "expire_time": soon.to_string()})).await;
    let client = gateway.client();
    eventually("the token to expire", async || (client.ask(ocr(&secret)).await.status == 401).then_some(())).await;
    client.ask(send(&secret, &chat("hi"))).await.refused(401, "token_expired");
    let seen = provider.count();
    // Only the holder of a valid secret learns that it is expired.
    client.ask(send(&stranger(), &chat("hi"))).await.refused(401, "invalid_token");
    gateway.tokens().patch("brief", &json!({"expire_time": null})).await.expect(200);
    client.ask(ocr(&secret)).await.expect(200);
    assert_eq!(provider.count(), seen + 1);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budgets_say_what_is_left_and_what_was_asked() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let client = gateway.client();
    let poor = gateway.tokens().with_budget("team-backend", "0.000012").await;
    let answer = client.ask(ocr(&poor)).await.refused(402, "budget_exhausted");
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    assert_eq!(answer.header("retry-after"), None);
    assert!(answer.header("spendgate-request-id").is_some());
    let answer = client.ask(send(&poor, &limited("a chat", 4000))).await.refused(402, "budget_exhausted");
    let error = &answer.json()["error"];
    assert_eq!(error["type"], "insufficient_quota");
    assert!(error["message"].as_str().unwrap().contains("team-backend"), "{error}");
    assert!(error["message"].as_str().unwrap().contains("$0.000012000"), "{error}");
    assert_eq!(error["budget"]["scope"], "token");
    assert_eq!(error["budget"]["name"], "team-backend");
    assert_eq!(error["budget"]["balance"], "0.000012000");
    assert_eq!(error["budget"]["held"], "0.000000000");
    assert_eq!(error["budget"]["resets_at"], Value::Null);
    for balance in ["0", "-5"] {
        let name = format!("at {balance}");
        let secret = gateway.tokens().with_budget(&name, balance).await;
        client.ask(ocr(&secret)).await.refused(402, "budget_exhausted");
    }

    let one = gateway.tokens().with_budget("one", "0.01").await;
    provider.behave("gate=head");
    let held = one.clone();
    let waiting = tokio::spawn(async move { client.ask(ocr(&held)).await });
    eventually("the first to reach the provider", async || (provider.count() == 1).then_some(())).await;
    let answer = client.ask(ocr(&one)).await.refused(429, "budget_held");
    let retry: u64 = answer.header("retry-after").expect("Retry-After").parse().unwrap();
    assert!((1..=60).contains(&retry), "{retry}");
    provider.open_gate();
    waiting.await.unwrap().expect(200);
    client.ask(ocr(&one)).await.refused(402, "budget_exhausted");
    assert_eq!(provider.count(), 1);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_says_whether_the_connection_can_be_used_again() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let client = gateway.client();
    let poor = gateway.tokens().with_budget("poor", "0.000001").await;
    // Where the body is left unread the connection ends, and a client that was not told would lose its next request on it.
    for request in [send(&stranger(), &chat("hi")), Request::post("/nowhere", &chat("hi")).bearer(&poor), Request::post("/v1/files", &chat("hi")).bearer(&poor)]
    {
        assert_eq!(client.ask(request).await.header("connection"), Some("close"));
    }
    let mut connection = Connection::open(client.address).await.unwrap();
    for request in [send(&poor, &chat("hi")), Request::get("/nowhere"), Request::get("/v1/models").bearer(&stranger()), send(&poor, &chat("hi"))] {
        let answer = connection.ask(client.address, request).await.unwrap();
        assert!(answer.status.is_client_error() && answer.header("connection").is_none(), "{answer:?}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_and_routes_that_are_not_there() {
    let provider = StandIn::start().await;
    let routes = Routes::at(provider.address()).openai(r#"models = ["gpt-*", "GPT-*", "no-such-*"]"#);
    let gateway = Gateway::start(Setup::new(&routes)).await;
    let client = gateway.client();
    let secret = gateway.tokens().with_budget("lost", "1.00").await;
    let with_model = |model: &str| {
        let mut body = chat("hi");
        body["model"] = json!(model);
        send(&secret, &body)
    };
    for model in ["no-such-model", "gpt-4o-MINI", "GPT-4O-MINI", "gpt-4o-mini ", "gpt-nonesuch"] {
        client.ask(with_model(model)).await.refused(403, "model_not_priced");
    }
    let other = client.ask(with_model("o3")).await;
    assert!(matches!((other.status.as_u16(), other.code().as_str()), (403, "model_not_allowed") | (404, "route_not_found")), "{}", other.text());
    client.ask(Request::post("/nowhere", &chat("hi")).bearer(&secret)).await.refused(404, "route_not_found");
    client.ask(Request::post("/v1/no/such/operation", &chat("hi")).bearer(&secret)).await.expect(404);
    client.ask(Request::post("/v1/files", &chat("hi")).bearer(&secret)).await.expect(404);
    assert_eq!(provider.count(), 0);
    assert_eq!(gateway.tokens().money("lost").await.balance, Some(DOLLAR));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_cannot_be_priced() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let client = gateway.client();
    let secret = gateway.tokens().with_budget("bodies", "1.00").await;
    let messages = r#""messages":[{"role":"user","content":"hi"}]"#;
    let mut bodies: Vec<Vec<u8>> =
        ["", "null", "[]", "\"text\"", "{", "model=gpt-4o-mini", r#"{"model":"gpt-4o-mini"}"#, r#"{"messages":[{"role":"user","content":"hi"}]}"#]
            .iter()
            .map(|body| body.as_bytes().to_vec())
            .collect();
    for member in [
        r#""model":"gpt-4o-mini""#,
        r#""mod\u0065l":"gpt-4o""#,
        r#""max_tokens":5,"max_tokens":6"#,
        r#""max_tokens":-1"#,
        r#""max_tokens":1.5"#,
        r#""max_tokens":"100""#,
        r#""max_tokens":1e400"#,
        r#""max_tokens":99999999999999999999999999"#,
        r#""max_tokens":NaN"#,
        r#""max_completion_tokens":-7"#,
        r#""max_completion_tokens":[5]"#,
        r#""n":-1"#,
        r#""n":0"#,
        r#""n":2.5"#,
        r#""n":"many""#,
        r#""stream":"yes""#,
        r#""stream_options":7"#,
    ] {
        bodies.push(format!(r#"{{"model":"gpt-4o-mini",{messages},{member}}}"#).into_bytes());
    }
    bodies.push(format!(r#"{{"model":7,{messages}}}"#).into_bytes());
    bodies.push(format!(r#"{{"model":"gpt-4o-mini",{messages}}} trailing"#).into_bytes());
    bodies.push(format!("\u{feff}{{\"model\":\"gpt-4o-mini\",{messages}}}").into_bytes());
    bodies.push(format!(r#"{{"model":"gpt-4o-mini","messages":[{}1{}]}}"#, "[".repeat(80), "]".repeat(80)).into_bytes());
    bodies.push([b"{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"".to_vec(), vec![0xff, 0xfe], b"\"}]}".to_vec()].concat());
    for body in bodies {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let request = Request::post(CHAT, &json!(null)).body(body).bearer(&secret);
        let answer = client.ask(request).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "invalid_request"), "{shown}: {}", answer.text());
    }
    assert_eq!(provider.count(), 0);
    let money = gateway.tokens().money("bodies").await;
    assert_eq!((money.balance, money.held, money.spent), (Some(DOLLAR), 0, 0));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_large() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("large", "1.00").await;
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {secret}\r\nContent-Type: application/json\r\nContent-Length: 100000000000\r\n\r\n{{"
    );
    // Refused for what it announces: nobody has to send it first.
    let answer = raw::first_status(gateway.client().address, head.as_bytes()).await;
    assert_eq!(answer.only_status(), Some(413), "{}", answer.text);
    assert_eq!(provider.count(), 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upstreams_that_are_off_gone_or_slow() {
    let provider = StandIn::start().await;
    let nobody = ports::free();
    let text = format!(
        r#"
[upstreams.off]
url = "http://{0}"
provider = "openai"
key = "${{NOBODY_SET_THIS_KEY}}"

[upstreams.gone]
url = "http://{nobody}"
provider = "openai"
key = "${{OPENAI_API_KEY}}"

[upstreams.slow]
url = "http://{0}"
provider = "openai"
key = "${{OPENAI_API_KEY}}"
timeout = "1s"

[[routes]]
path = "/off"
api = "http"
upstream = "off"
price = {{ per_request = "0.01" }}

[[routes]]
path = "/gone"
api = "http"
upstream = "gone"
price = {{ per_request = "0.01" }}

[[routes]]
path = "/slow"
api = "http"
upstream = "slow"
price = {{ per_request = "0.01" }}

[[routes]]
path = "/slow-void"
api = "http"
upstream = "slow"
price = {{ per_request = "0.01" }}
on_uncertain = "void"
"#,
        provider.address()
    );
    let gateway = Gateway::start(Setup::new(&Routes::of(text))).await;
    let client = gateway.client();
    let secret = gateway.tokens().with_budget("unlucky", "1.00").await;
    let call = |path: &str, words: &str| Request::post(path, &json!({"do": words})).bearer(&secret);
    let off = client.ask(call("/off", "")).await.refused(503, "upstream_unavailable");
    assert!(off.header("retry-after").is_some());
    client.ask(call("/gone", "")).await.refused(502, "upstream_error");
    client.ask(call("/slow", "@{reset}")).await.refused(502, "upstream_error");
    let money = gateway.tokens().settled("unlucky").await;
    assert_eq!((money.balance, money.spent), (Some(DOLLAR), 0), "nothing was served, nothing is charged");
    client.ask(call("/slow-void", "@{hang}")).await.refused(504, "upstream_timeout");
    assert_eq!(gateway.tokens().settled("unlucky").await.spent, 0);
    client.ask(call("/slow", "@{hang}")).await.refused(504, "upstream_timeout");
    assert_eq!(gateway.tokens().settled("unlucky").await.spent, CENT, "nobody knows: the hold is charged");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_providers_own_errors_pass_and_are_charged_only_with_usage() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let client = gateway.client();
    let secret = gateway.tokens().with_budget("errors", "1.00").await;
    for status in [400, 401, 404, 429, 500, 503] {
        let marker = format!("error {status}");
        let answer = client.ask(send(&secret, &limited(&format!("{marker} @{{status={status}}}"), 50))).await.expect(status);
        assert_eq!(answer.body, provider.row_with(&marker).sent, "unchanged");
        assert_eq!(answer.header("retry-after"), Some("3"));
    }
    assert_eq!(gateway.tokens().settled("errors").await.spent, 0);
    client.ask(send(&secret, &streamed("billed @{status=500 error-usage}", 50))).await.expect(500);
    let money = gateway.tokens().settled("errors").await;
    assert!(provider.cost() > 0);
    assert_eq!(money.spent, provider.cost());
    // A redirect is never followed, and its target never told.
    let answer = client.ask(send(&secret, &limited("away @{redirect}", 50))).await;
    assert_eq!(answer.header("location"), None);
    assert_eq!(provider.rows_with("away").len(), 1);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_stay_where_they_belong() {
    let provider = StandIn::start().await;
    let mut gateway = Gateway::before(&provider).await;
    let client = gateway.client();
    let secret = gateway.tokens().with_budget("canary", "1.00").await;
    let sandbox = gateway.tokens().sandbox("canary-sandbox").await;
    let prompt = "the-prompt-is-nobodys-business-5f1c";
    let headers = |request: Request| {
        request
            .header("cookie", "session=mine")
            .header("x-forwarded-for", "203.0.113.9")
            .header("openai-organization", "org-of-the-client")
            .header("accept-encoding", "gzip, br")
            .header("connection", "x-hop")
            .header("x-hop", "1")
    };
    client.ask(headers(send(&secret, &limited(prompt, 50)))).await.expect(200);
    client.ask(headers(Request::post(CHAT, &streamed(prompt, 50)).header("x-api-key", &secret))).await.expect(200);
    client.ask(headers(Request::post(&format!("{CHAT}?key={secret}"), &limited(prompt, 50)))).await.expect(200);
    client.ask(headers(ocr(&secret))).await.expect(200);
    client.ask(send(&sandbox, &limited(prompt, 50))).await.expect(200);
    client.ask(send(&secret, &json!({"model": "nonesuch", "messages": prompt}))).await;
    client.ask(Request::get(&format!("/nowhere?key={secret}"))).await;
    let rotated =
        gateway.tokens().client.ask(Request::new(hyper::Method::POST, "/v2/user/custom_token/canary/rotate/").bearer(MAIN_KEY)).await.expect(200).json();
    let rotated = rotated["token"].as_str().unwrap().to_owned();
    client.ask(send(&secret, &limited(prompt, 50))).await.expect(401);

    assert_eq!(provider.count(), 4);
    for row in provider.rows() {
        let row_text = format!("{} {:?} {}", row.target, row.headers, String::from_utf8_lossy(&row.body));
        assert!(!row_text.contains(&secret) && !row_text.contains("sg_live_"), "{row_text}");
        assert!(!row.target.contains("key="), "{}", row.target);
        assert_eq!(row.headers.get("authorization").unwrap().to_str().unwrap(), format!("Bearer {UPSTREAM_KEY}"));
        for header in ["cookie", "x-forwarded-for", "openai-organization", "x-hop", "x-api-key"] {
            assert!(!row.headers.contains_key(header), "{header} in {row_text}");
        }
        if let Some(encoding) = row.headers.get("accept-encoding") {
            assert_eq!(encoding, "identity");
        }
    }
    let metrics = gateway.metrics().await;
    gateway.terminate().await;
    for (place, text) in [("the log", gateway.written()), ("the metrics", metrics)] {
        for canary in [&secret, &sandbox, &rotated, MAIN_KEY, UPSTREAM_KEY, prompt] {
            assert!(!text.contains(canary), "{canary} in {place}");
        }
    }
    let files = std::fs::read_dir(gateway.store().parent().unwrap()).unwrap();
    for file in files.filter_map(Result::ok).filter(|file| file.path().is_file()) {
        let bytes = std::fs::read(file.path()).unwrap();
        for canary in [&secret, &sandbox, &rotated, prompt] {
            assert!(!bytes.windows(canary.len()).any(|window| window == canary.as_bytes()), "{canary} in {:?}", file.path());
        }
    }
    gateway.audit();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bare_binary_prints_its_main_key_once() {
    let provider = StandIn::start().await;
    let mut gateway = Gateway::start(Setup::new(&Routes::at(provider.address()).openai("")).without_env("SPENDGATE_API_KEY")).await;
    // What it wrote may be read a little after it is ready.
    let written = eventually("the main key to be shown", async || Some(gateway.written()).filter(|written| written.contains("Only its hash is stored"))).await;
    let start = written.find("sg_main_").unwrap_or_else(|| panic!("no main key in {written}"));
    let key: String = written[start..].chars().take_while(|char| char.is_ascii_alphanumeric() || *char == '_').collect();
    assert!(key.len() >= 32);
    let client: Client = gateway.client();
    client.ask(Request::get("/v2/user/custom_token/").bearer(&key)).await.expect(200);
    gateway.terminate().await;
    gateway.launch().await;
    gateway.client().ask(Request::get("/v2/user/custom_token/").bearer(&key)).await.expect(200);
    assert_eq!(gateway.written().matches(&key).count(), 1, "shown once, on the first start");
    gateway.close().await;
}
