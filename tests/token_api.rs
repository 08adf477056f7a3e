//! The token API, whole: the calls, the shapes of their answers, every rule of validation, and what a token's holder may see.

use hyper::Method;
use serde_json::{Value, json};

use crate::support::asks::{limited, ocr, send};
use crate::support::money::{CENT, nanos};
use crate::support::tokens::{COLLECTION, path};
use crate::support::{Answer, Gateway, Request, StandIn, eventually};

async fn gateway() -> (StandIn, Gateway) {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    (provider, gateway)
}

/// The messages of a 400, by field.
#[track_caller]
fn errors(answer: Answer) -> Vec<String> {
    let json = answer.expect(400).json();
    assert_eq!(json["error"]["type"], "validation_error", "{json}");
    let fields = json["error"]["message"].as_object().unwrap_or_else(|| panic!("messages by field: {json}"));
    for messages in fields.values() {
        assert!(messages.as_array().is_some_and(|messages| !messages.is_empty() && messages.iter().all(Value::is_string)), "{json}");
    }
    fields.keys().cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn create_list_show_change_and_delete() {
    let (_provider, gateway) = gateway().await;
    let tokens = gateway.tokens();
    assert_eq!(tokens.client.ask(Request::get(COLLECTION).bearer(&tokens.key)).await.expect(200).json(), json!([]));

    let created = tokens.post(&json!({"name": "production-v1", "balance": "50.00", "active_balance": true})).await.expect(201).json();
    assert_eq!(created["name"], "production-v1");
    assert_eq!(created["token_type"], "api_token");
    assert_eq!(created["balance"], "50.000000000", "a text with nine decimals on create");
    assert_eq!(created["active_balance"], true);
    assert_eq!(created["expire_time"], Value::Null);
    for extra in ["held", "spent", "created_at", "last_used_at"] {
        assert!(created.get(extra).is_some(), "{extra} in {created}");
    }
    let secret = created["token"].as_str().unwrap();
    assert!(secret.starts_with("sg_live_") && secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{secret}");

    let shown = tokens.get("production-v1").await.expect(200).json();
    assert!(shown["balance"].is_number(), "{shown}");
    let masked = shown["token"].as_str().unwrap();
    assert!(masked.starts_with("sg_live_") && masked.contains("...") && masked != secret && masked.len() < 24, "{masked}");
    assert_eq!(&masked[..12], &secret[..12]);
    let listed = tokens.client.ask(Request::get(COLLECTION).bearer(&tokens.key)).await.expect(200).json();
    assert_eq!(listed, json!([shown]), "the list has the same shape");

    let patched = tokens.patch("production-v1", &json!({"balance": 87.45})).await.expect(200).json();
    assert!(patched["balance"].is_number() && nanos(&patched["balance"].to_string()) == 8745 * CENT, "{patched}");
    assert!(!patched.to_string().contains(secret));

    let bare = tokens.post(&json!({"name": "bare"})).await.expect(201).json();
    assert_eq!((&bare["balance"], &bare["active_balance"], &bare["token_type"]), (&Value::Null, &json!(false), &json!("api_token")));
    let sandbox = tokens.post(&json!({"name": "sand", "token_type": "sandbox_api_token"})).await.expect(201).json();
    assert!(sandbox["token"].as_str().unwrap().starts_with("sg_test_"));

    let gone = tokens.delete("production-v1").await.expect(204);
    assert!(gone.body.is_empty());
    for answer in [tokens.get("production-v1").await, tokens.patch("production-v1", &json!({"balance": "1"})).await, tokens.delete("production-v1").await] {
        assert_eq!(answer.expect(404).json(), json!({"details": "Not Found"}));
    }
    tokens.post(&json!({"name": "production-v1"})).await.expect(201);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_and_without_the_trailing_slash() {
    let (_provider, gateway) = gateway().await;
    let tokens = gateway.tokens();
    let ask = |method: Method, path: &str, body: Value| {
        tokens.client.ask(Request::new(method, path).header("content-type", "application/json").body(body.to_string()).bearer(&tokens.key))
    };
    let collection = COLLECTION.trim_end_matches('/');
    ask(Method::POST, collection, json!({"name": "slashless"})).await.expect(201);
    ask(Method::GET, collection, json!({})).await.expect(200);
    let one = format!("{collection}/slashless");
    ask(Method::GET, &one, json!({})).await.expect(200);
    ask(Method::PATCH, &one, json!({"balance": "1"})).await.expect(200);
    ask(Method::POST, &format!("{one}/rotate"), json!({})).await.expect(200);
    ask(Method::DELETE, &one, json!({})).await.expect(204);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_percent_decoded_and_bad_ones_refused() {
    let (_provider, gateway) = gateway().await;
    let tokens = gateway.tokens();
    for name in ["with space", "ünï-cødé ✓", "100%", "a+b", "q?x=1", "#hash", "dot.dot..", &"n".repeat(200), "list"] {
        tokens.post(&json!({"name": name})).await.expect(201);
        assert_eq!(tokens.get(name).await.expect(200).json()["name"], name);
    }
    for name in [
        json!(""),
        json!("a/b"),
        json!("new\nline"),
        json!("nul\u{0}"),
        json!("me"),
        json!("legacy"),
        json!("n".repeat(201)),
        json!(7),
        json!(null),
        json!(["x"]),
    ] {
        assert_eq!(errors(tokens.post(&json!({"name": name})).await), ["name"], "{name}");
    }
    assert_eq!(errors(tokens.post(&json!({})).await), ["name"]);
    let taken = tokens.post(&json!({"name": "a+b"})).await.expect(400).json();
    assert_eq!(taken, json!({"error": {"type": "validation_error", "message": {"name": ["Token with this name already exists."]}}}));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amounts_good_and_bad() {
    let (_provider, gateway) = gateway().await;
    let tokens = gateway.tokens();
    tokens.with_budget("target", "5.00").await;
    // (as written, as created)
    let good = [
        ("\"0\"", "0.000000000"),
        ("0", "0.000000000"),
        ("5", "5.000000000"),
        ("\"5.\"", "5.000000000"),
        ("\".5\"", "0.500000000"),
        ("\"-0.000000001\"", "-0.000000001"),
        ("-3.25", "-3.250000000"),
        ("\"99999.999999999\"", "99999.999999999"),
        ("\"-99999.999999999\"", "-99999.999999999"),
        ("99999.999999999", "99999.999999999"),
        ("0.123456789", "0.123456789"),
        ("\"00012\"", "12.000000000"),
    ];
    for (number, (written, created)) in good.into_iter().enumerate() {
        let body = format!(r#"{{"name":"good-{number}","balance":{written}}}"#);
        let answer = tokens.client.ask(Request::post(COLLECTION, &json!({})).body(body).bearer(&tokens.key)).await.expect(201).json();
        assert_eq!(answer["balance"], created, "{written}");
        assert_eq!(tokens.money(&format!("good-{number}")).await.balance, Some(nanos(created)));
        let request = Request::new(Method::PATCH, &path("target")).body(format!(r#"{{"balance":{written}}}"#)).header("content-type", "application/json");
        tokens.client.ask(request.bearer(&tokens.key)).await.expect(200);
        assert_eq!(tokens.money("target").await.balance, Some(nanos(created)));
    }
    tokens.patch("target", &json!({"balance": "5.00"})).await.expect(200);
    for written in [
        "\"\"",
        "\".\"",
        "\"-\"",
        "\"abc\"",
        "\"NaN\"",
        "\"Infinity\"",
        "\"1e3\"",
        "1e3",
        "1E-3",
        "\"+1\"",
        "\" 1\"",
        "\"1 \"",
        "\"1,5\"",
        "\"0x10\"",
        "\"$5\"",
        "\"1.0000000001\"",
        "1.0000000001",
        "\"100000\"",
        "100000",
        "\"-100000\"",
        "99999999999999999999",
        "\"--1\"",
        "\"1.2.3\"",
        "true",
        "[]",
        "{}",
        "[1]",
        "\"١\"",
    ] {
        let body = format!(r#"{{"name":"bad","balance":{written}}}"#);
        let answer = tokens.client.ask(Request::post(COLLECTION, &json!({})).body(body).bearer(&tokens.key)).await;
        assert_eq!(errors(answer), ["balance"], "{written}");
        let request = Request::new(Method::PATCH, &path("target")).body(format!(r#"{{"balance":{written}}}"#)).header("content-type", "application/json");
        assert_eq!(errors(tokens.client.ask(request.bearer(&tokens.key)).await), ["balance"], "{written}");
    }
    tokens.get("bad").await.expect(404);
    assert_eq!(tokens.money("target").await.balance, Some(500 * CENT), "nothing changed");
    for body in ["", "{", "[]", "null", "\"x\"", r#"{"name":"bad","balance":NaN}"#, r#"{"name":"bad","name":"worse"}"#] {
        tokens.client.ask(Request::post(COLLECTION, &json!({})).body(body).bearer(&tokens.key)).await.expect(400);
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_errors_of_a_request_come_together() {
    let (_provider, gateway) = gateway().await;
    let tokens = gateway.tokens();
    let answer = tokens
        .post(&json!({"name": "", "token_type": "gold", "balance": "1e3", "active_balance": "yes", "expire_time": "tomorrow", "balance_reset_period": "hourly", "ballance": "5"}))
        .await;
    let mut fields = errors(answer);
    fields.sort();
    assert_eq!(fields, ["active_balance", "balance", "balance_reset_period", "ballance", "expire_time", "name", "token_type"]);
    tokens.with_budget("kept", "5.00").await;
    let mut fields = errors(tokens.patch("kept", &json!({"balance": "x", "expire_time": 7, "unknown": 1})).await);
    fields.sort();
    assert_eq!(fields, ["balance", "expire_time", "unknown"]);
    assert_eq!(tokens.money("kept").await.balance, Some(500 * CENT));
    // One bad field, and none of the good ones is taken.
    errors(tokens.patch("kept", &json!({"balance": "9.00", "active_balance": 3})).await);
    assert_eq!(tokens.money("kept").await.balance, Some(500 * CENT));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budgets_and_resets() {
    let (_provider, gateway) = gateway().await;
    let tokens = gateway.tokens();
    errors(tokens.post(&json!({"name": "none", "active_balance": true})).await);
    errors(tokens.post(&json!({"name": "none", "balance_reset_period": "daily"})).await);
    errors(tokens.post(&json!({"name": "none", "balance_reset_period": "daily", "balance_reset_amount": "1e1"})).await);
    for period in ["daily", "weekly", "monthly"] {
        let token = tokens.post(&json!({"name": period, "balance_reset_period": period, "balance_reset_amount": "10.00"})).await.expect(201).json();
        assert_eq!(token["active_balance"], true, "a period turns the budget on: {token}");
        assert_eq!(token["balance"], "10.000000000", "and it starts at the amount");
        assert_eq!(token["balance_reset_period"], period);
    }
    // Off: stored, neither checked nor charged. On again: the stored figure.
    let secret = tokens.with_budget("switch", "0.01").await;
    tokens.patch("switch", &json!({"active_balance": false})).await.expect(200);
    for _ in 0..3 {
        gateway.client().ask(ocr(&secret)).await.expect(200);
    }
    let money = tokens.settled("switch").await;
    assert_eq!((money.balance, money.spent), (Some(CENT), 3 * CENT));
    tokens.patch("switch", &json!({"active_balance": true})).await.expect(200);
    gateway.client().ask(ocr(&secret)).await.expect(200);
    gateway.client().ask(ocr(&secret)).await.refused(402, "budget_exhausted");
    // A refreshed budget, absolutely.
    tokens.patch("switch", &json!({"balance": "0.02"})).await.expect(200);
    gateway.client().ask(ocr(&secret)).await.expect(200);
    assert_eq!(tokens.settled("switch").await.balance, Some(CENT));
    // A token that never had a balance cannot be switched on without one.
    tokens.without_budget("empty").await;
    errors(tokens.patch("empty", &json!({"active_balance": true})).await);
    tokens.patch("empty", &json!({"active_balance": true, "balance": "1"})).await.expect(200);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balance_set_anew_leaves_what_is_in_flight_held() {
    let (provider, gateway) = gateway().await;
    let tokens = gateway.tokens();
    let secret = tokens.with_budget("flight", "0.05").await;
    provider.behave("gate=head");
    let client = gateway.client();
    let held = secret.clone();
    let waiting = tokio::spawn(async move { client.ask(ocr(&held)).await });
    eventually("the request to reach the provider", async || (provider.count() == 1).then_some(())).await;
    tokens.patch("flight", &json!({"balance": "0.02"})).await.expect(200);
    let money = tokens.money("flight").await;
    assert_eq!((money.balance, money.held), (Some(2 * CENT), CENT));
    provider.open_gate();
    waiting.await.unwrap().expect(200);
    let money = tokens.settled("flight").await;
    assert_eq!((money.balance, money.spent), (Some(CENT), CENT));
    // Deleted with a request under way: it is answered, and settled.
    provider.close_gate();
    let waiting = tokio::spawn(async move { client.ask(ocr(&secret)).await });
    eventually("the request to reach the provider", async || (provider.count() == 2).then_some(())).await;
    tokens.delete("flight").await.expect(204);
    provider.open_gate();
    waiting.await.unwrap().expect(200);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_good_and_bad() {
    let (_provider, gateway) = gateway().await;
    let tokens = gateway.tokens();
    for (number, time) in ["2099-01-01T00:00:00Z", "2099-01-01T02:00:00+02:00", "2099-01-01T00:00:00", "2099-01-01T00:00:00.123456Z"].into_iter().enumerate() {
        let name = format!("time-{number}");
        let token = tokens.post(&json!({"name": name, "expire_time": time})).await.expect(201).json();
        let shown: jiff::Timestamp = token["expire_time"].as_str().unwrap().parse().unwrap();
        assert_eq!(shown.as_second(), 4_070_908_800, "{time}: a naive one is UTC");
    }
    for time in [json!("2020-01-01T00:00:00Z"), json!("soon"), json!(""), json!(4_070_908_800_u64), json!("2099-13-01T00:00:00Z"), json!(true)] {
        assert_eq!(errors(tokens.post(&json!({"name": "bad", "expire_time": time})).await), ["expire_time"], "{time}");
    }
    // Expired by a change: refused, still listed, revived.
    let secret = tokens.without_budget("late").await;
    tokens.patch("late", &json!({"expire_time": "2020-01-01T00:00:00Z"})).await.expect(200);
    gateway.client().ask(ocr(&secret)).await.refused(401, "token_expired");
    tokens.get("late").await.expect(200);
    tokens.patch("late", &json!({"expire_time": "2099-01-01T00:00:00Z"})).await.expect(200);
    gateway.client().ask(ocr(&secret)).await.expect(200);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_can_be_sent_back_changed() {
    let (_provider, gateway) = gateway().await;
    let tokens = gateway.tokens();
    let secret = tokens.with_budget("round", "5.00").await;
    gateway.client().ask(ocr(&secret)).await.expect(200);
    tokens.settled("round").await;
    let mut token = tokens.get("round").await.expect(200).json();
    token["balance"] = json!("7.50");
    token["name"] = json!("another-name");
    token["token_type"] = json!("sandbox_api_token");
    tokens.patch("round", &token).await.expect(200);
    let after = tokens.get("round").await.expect(200).json();
    assert_eq!((&after["name"], &after["token_type"]), (&json!("round"), &json!("api_token")), "read-only stays");
    assert_eq!(tokens.money("round").await.balance, Some(750 * CENT));
    gateway.client().ask(ocr(&secret)).await.expect(200);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_at_once_and_with_grace() {
    let (_provider, gateway) = gateway().await;
    let tokens = gateway.tokens();
    let rotate = |body: Value| tokens.client.ask(Request::post("/v2/user/custom_token/turn/rotate/", &body).bearer(&tokens.key));
    let first = tokens.with_budget("turn", "1.00").await;
    gateway.client().ask(ocr(&first)).await.expect(200);
    let rotated = rotate(json!({})).await.expect(200).json();
    let second = rotated["token"].as_str().unwrap().to_owned();
    assert!(second.starts_with("sg_live_") && second != first);
    assert!(rotated["balance"].is_string(), "the create shape: {rotated}");
    gateway.client().ask(ocr(&first)).await.refused(401, "invalid_token");
    gateway.client().ask(ocr(&second)).await.expect(200);
    let third = rotate(json!({"grace_seconds": 3600})).await.expect(200).json()["token"].as_str().unwrap().to_owned();
    for secret in [&second, &third] {
        gateway.client().ask(ocr(secret)).await.expect(200);
    }
    let money = tokens.settled("turn").await;
    assert_eq!((money.balance, money.spent), (Some(96 * CENT), 4 * CENT), "one budget, one history");
    let fourth = rotate(json!({"grace_seconds": 1})).await.expect(200).json()["token"].as_str().unwrap().to_owned();
    eventually("the grace to end", async || (gateway.client().ask(ocr(&third)).await.status == 401).then_some(())).await;
    gateway.client().ask(ocr(&fourth)).await.expect(200);
    for bad in [json!({"grace_seconds": -1}), json!({"grace_seconds": "soon"}), json!({"grace": 1})] {
        errors(rotate(bad).await);
    }
    // Without a body too: as scripts call it.
    tokens.client.ask(Request::new(Method::POST, "/v2/user/custom_token/turn/rotate/").bearer(&tokens.key)).await.expect(200);
    tokens.client.ask(Request::new(Method::POST, "/v2/user/custom_token/nobody/rotate/").bearer(&tokens.key)).await.expect(404);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_see_and_change_what() {
    let (_provider, gateway) = gateway().await;
    let tokens = gateway.tokens();
    let client = gateway.client();
    let secret = tokens.with_budget("holder", "1.00").await;
    tokens.with_budget("other", "1.00").await;
    client.ask(ocr(&secret)).await.expect(200);
    tokens.settled("holder").await;

    let me = client.ask(Request::get("/v2/user/custom_token/me/").bearer(&secret)).await.expect(200).json();
    assert_eq!(me["name"], "holder");
    assert_eq!((me["balance"].to_string(), me["spent"].to_string()), ("0.99".to_owned(), "0.01".to_owned()));
    assert!(!me.to_string().contains(&secret));
    let no = json!({"error": {"type": "permission_error", "message": "You do not have permission to manage tokens"}});
    for (method, path) in [
        (Method::GET, COLLECTION.to_owned()),
        (Method::POST, COLLECTION.to_owned()),
        (Method::GET, path("other")),
        (Method::GET, path("holder")),
        (Method::PATCH, path("holder")),
        (Method::DELETE, path("other")),
        (Method::POST, format!("{}rotate/", path("holder"))),
    ] {
        let request = Request::new(method.clone(), &path).header("content-type", "application/json").body(r#"{"name":"x","balance":"9999"}"#);
        let answer = client.ask(request.bearer(&secret)).await;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text());
        assert_eq!(answer.json(), no, "{method} {path}");
    }
    for key in ["sg_main_wrong_key_of_a_good_length_00000000000000000", "", "nonsense"] {
        let answer = client.ask(Request::get(COLLECTION).bearer(key)).await.expect(401);
        assert_eq!(answer.json(), json!({"detail": "Invalid token"}));
    }
    client.ask(Request::get(COLLECTION)).await.expect(401);
    assert_eq!(tokens.money("holder").await.balance, Some(99 * CENT));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cost_report() {
    let (provider, gateway) = gateway().await;
    let tokens = gateway.tokens();
    let client = gateway.client();
    let first = tokens.with_budget("first", "1.00").await;
    let second = tokens.with_budget("second", "1.00").await;
    for _ in 0..3 {
        client.ask(send(&first, &limited("report @{tokens=30}", 100))).await.expect(200);
    }
    client.ask(ocr(&second)).await.expect(200);
    tokens.settled("first").await;
    tokens.settled("second").await;
    let today = jiff::Timestamp::now().to_string()[..10].to_owned();
    let year = &today[..4];
    let report =
        |query: String, key: String| client.ask(Request::get(&format!("/v2/cost_management/?begin={year}-01-01&end={year}-12-31{query}")).bearer(&key));
    for step in ["", "&step=1", "&step=2", "&step=3", "&step=4"] {
        let json = report(step.to_owned(), tokens.key.clone()).await.expect(200).json();
        let rows = json["response"].as_array().unwrap();
        let chat = rows.iter().find(|row| row["token"] == "first").unwrap_or_else(|| panic!("first in {json}"));
        let (_, day) =
            chat["data"].as_object().unwrap().iter().find(|(_, day)| day.get("text__chat").is_some()).unwrap_or_else(|| panic!("text__chat in {json}"));
        let cell = &day["text__chat"];
        assert_eq!(cell["details"], 3, "{json}");
        let cost: i64 = provider.rows_with("report").iter().map(|row| row.consumed.cost).sum();
        assert_eq!(nanos(&cell["total_cost"].to_string()), cost, "{json}");
        assert_eq!(nanos(&cell["cost_per_provider"]["openai"].to_string()), cost, "{json}");
        assert!(rows.iter().any(|row| row["token"] == "second"), "{json}");
    }
    let only = report("&token=second".to_owned(), tokens.key.clone()).await.expect(200).json();
    assert!(only["response"].as_array().unwrap().iter().all(|row| row["token"] == "second"), "{only}");
    let only = report("&subfeature=chat&provider=openai".to_owned(), tokens.key.clone()).await.expect(200).json();
    assert!(!only.to_string().contains("\"second\":") && only.to_string().contains("text__chat"), "{only}");
    let own = report(String::new(), second).await.expect(200).json();
    assert!(own["response"].as_array().unwrap().iter().all(|row| row["token"] == "second"), "its own and nothing else: {own}");
    client.ask(Request::get("/v2/cost_management/?begin=yesterday&end=2026-01-01").bearer(&tokens.key)).await.expect(400);
    client.ask(Request::get(&format!("/v2/cost_management/?begin={year}-01-01&end={year}-12-31&step=9")).bearer(&tokens.key)).await.expect(400);
    let credits = client.ask(Request::get("/v2/cost_management/credits/").bearer(&tokens.key)).await.expect(200).json();
    assert!(credits.get("credits").is_some(), "{credits}");
    client.ask(Request::get("/v2/cost_management/credits/").bearer(&first)).await.expect(403);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_restart() {
    let (_provider, mut gateway) = gateway().await;
    let secret = gateway.tokens().with_budget("lasting", "0.03").await;
    let deleted = gateway.tokens().with_budget("deleted", "0.03").await;
    gateway.tokens().delete("deleted").await.expect(204);
    gateway.client().ask(ocr(&secret)).await.expect(200);
    gateway.tokens().patch("lasting", &json!({"expire_time": "2099-01-01T00:00:00Z"})).await.expect(200);
    let before = gateway.tokens().get("lasting").await.json();
    gateway.kill9();
    gateway.launch().await;
    assert_eq!(gateway.tokens().get("lasting").await.expect(200).json(), before);
    gateway.client().ask(ocr(&secret)).await.expect(200);
    gateway.client().ask(ocr(&deleted)).await.refused(401, "invalid_token");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_used_again_does_not_show_what_its_predecessor_spent() {
    let (_provider, gateway) = gateway().await;
    let tokens = gateway.tokens();
    let report = async |secret: String| {
        gateway.client().ask(Request::get("/v2/cost_management/?begin=2026-01-01&end=2035-12-31").bearer(&secret)).await.expect(200).json()["response"].clone()
    };
    let before = tokens.with_budget("reused", "1.00").await;
    gateway.client().ask(ocr(&before)).await.expect(200);
    tokens.settled("reused").await;
    assert_eq!(report(before).await.as_array().unwrap().len(), 1);
    tokens.delete("reused").await.expect(204);
    let after = tokens.with_budget("reused", "1.00").await;
    assert_eq!(report(after).await, json!([]));
    assert_eq!(report(tokens.key.clone()).await.as_array().unwrap().len(), 1, "the account sees all of it");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_accounts_own_balance_stands_above_every_token() {
    let (provider, gateway) = gateway().await;
    let tokens = gateway.tokens();
    let set = async |credits: serde_json::Value| {
        let request = Request::new(hyper::Method::PATCH, "/v2/cost_management/credits/").header("content-type", "application/json");
        gateway.client().ask(request.body(json!({"credits": credits}).to_string()).bearer(&tokens.key)).await
    };
    let rich = tokens.with_budget("rich", "5.00").await;
    let free = tokens.without_budget("free").await;
    set(json!("0.02")).await.expect(200);
    gateway.client().ask(ocr(&rich)).await.expect(200);
    gateway.client().ask(ocr(&free)).await.expect(200);
    for secret in [&rich, &free] {
        let refused = gateway.client().ask(ocr(secret)).await.refused(402, "budget_exhausted");
        assert_eq!(refused.json()["error"]["budget"]["scope"], "account");
    }
    assert_eq!(provider.count(), 2);
    set(json!("1e3")).await.expect(400);
    set(json!(null)).await.expect(200);
    gateway.client().ask(ocr(&rich)).await.expect(200);
    gateway.close().await;
}
