//! The calls on tokens.

use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn create_answers_in_its_own_shape() {
    let api = Api::open().await;
    let answer = api.post(TOKENS, r#"{"name":"production-v1","balance":"50.00","active_balance":true}"#).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["content-type"], "application/json");
    let (secret, created_at) = (answer.field("token"), answer.field("created_at"));
    assert!(secret.starts_with("sg_live_") && secret.len() == 57, "{secret}");
    answer.is(
        201,
        &format!(
            r#"{{"name":"production-v1","token":"{secret}","token_type":"api_token","balance":"50.000000000","active_balance":true,"expire_time":null,"balance_reset_period":"none","balance_reset_amount":null,"resets_at":null,"held":0,"spent":0,"created_at":"{created_at}","last_used_at":null}}"#
        ),
    );
}

#[tokio::test]
async fn list_and_show_never_hold_the_secret_and_write_the_balance_as_a_number() {
    let api = Api::open().await;
    let secret = api.token(r#"{"name":"production-v1","balance":"87.450000000","expire_time":"2100-01-01T00:00:00"}"#).await;
    let masked = format!("{}...{}", &secret[..12], &secret[53..]);
    for path in ["/v2/user/custom_token/production-v1/", "/v2/user/custom_token/production-v1"] {
        let answer = api.get(path).await;
        let beginning = format!(
            r#"{{"name":"production-v1","token":"{masked}","token_type":"api_token","balance":87.45,"active_balance":false,"expire_time":"2100-01-01T00:00:00Z","balance_reset_period":"none","#
        );
        assert!(answer.status == 200 && answer.text.starts_with(&beginning), "{}", answer.text);
    }
    let shown = api.get("/v2/user/custom_token/production-v1/").await.text;
    for path in [TOKENS, "/v2/user/custom_token"] {
        api.get(path).await.is(200, &format!("[{shown}]"));
    }
}

#[tokio::test]
async fn sandbox_tokens_have_secrets_of_their_own_kind() {
    let api = Api::open().await;
    assert!(api.token(r#"{"name":"ci","token_type":"sandbox_api_token"}"#).await.starts_with("sg_test_"));
    assert!(api.post("/v2/user/custom_token/ci/rotate/", "").await.field("token").starts_with("sg_test_"));
}

#[tokio::test]
async fn names_are_percent_decoded() {
    let api = Api::open().await;
    for (name, path) in [("Équipe 東京", "%C3%89quipe%20%E6%9D%B1%E4%BA%AC"), ("50% + 1?#", "50%25%20+%201%3F%23"), ("a%2Fb", "a%252Fb"), ("x:y@z", "x:y@z")]
    {
        api.token(&serde_json::json!({ "name": name }).to_string()).await;
        for slash in ["", "/"] {
            assert_eq!(api.get(&format!("{TOKENS}{path}{slash}")).await.field("name"), name);
        }
        assert_eq!(api.patch(&format!("{TOKENS}{path}/"), r#"{"balance":1}"#).await.status, 200);
        assert_eq!(api.post(&format!("{TOKENS}{path}/rotate"), "").await.status, 200);
        assert_eq!(api.delete(&format!("{TOKENS}{path}/")).await.status, 204);
    }
    for path in ["a%2Fb", "%FF", "%00", "/", "legacy", "%6De", "nobody/rotate/x"] {
        api.get(&format!("{TOKENS}{path}/")).await.is(404, r#"{"details":"Not Found"}"#);
    }
}

#[tokio::test]
async fn all_errors_come_back_together_the_taken_name_included() {
    let api = Api::open().await;
    api.token(r#"{"name":"taken"}"#).await;
    api.post(TOKENS, r#"{"name":"taken"}"#)
        .await
        .is(400, r#"{"error":{"type":"validation_error","message":{"name":["Token with this name already exists."]}}}"#);
    let answer = api.post(TOKENS, r#"{"name":"taken","token_type":"x","blance":1}"#).await;
    let message = &answer.json()["error"]["message"];
    assert_eq!(answer.status, 400);
    assert_eq!(message["name"][0], "Token with this name already exists.");
    assert_eq!(message["token_type"][0], "\"x\" is not a valid choice.");
    assert_eq!(message["blance"][0], "Unknown field.");
    assert_eq!(api.get(TOKENS).await.json().as_array().unwrap().len(), 1, "nothing changed");
}

#[tokio::test]
async fn patch_merges_what_the_ledger_says_and_then_changes_nothing() {
    let api = Api::open().await;
    api.token(r#"{"name":"n"}"#).await;
    let before = api.get("/v2/user/custom_token/n/").await.text;
    let answer = api.patch("/v2/user/custom_token/n/", r#"{"active_balance":true,"expire_time":"soon"}"#).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["message"]["active_balance"][0], "A balance is required to turn active_balance on.");
    assert!(answer.json()["error"]["message"]["expire_time"][0].is_string());
    for body in [
        r#"{"active_balance":true}"#,
        r#"{"balance_reset_period":"daily"}"#,
        r#"{"balance_reset_amount":5}"#,
        r#"{"balance":"1e3"}"#,
        r#"{"balance":5,"x":1}"#,
        r#"{"balance":5,"balance":6}"#,
        "[]",
        "",
        "{",
    ] {
        let answer = api.patch("/v2/user/custom_token/n/", body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"]["type"].as_str()), (400, Some("validation_error")), "{body}");
        assert!(answer.json()["error"]["message"].is_object());
    }
    assert_eq!(api.get("/v2/user/custom_token/n/").await.text, before);
    api.patch("/v2/user/custom_token/nobody/", r#"{"balance":"x"}"#).await.is(404, r#"{"details":"Not Found"}"#);
}

#[tokio::test]
async fn patch_sets_what_is_given() {
    let api = Api::open().await;
    api.token(r#"{"name":"n","balance":"5","active_balance":true}"#).await;
    let path = "/v2/user/custom_token/n/";
    assert!(api.patch(path, r#"{"balance":"-0.000000001"}"#).await.text.contains(r#""balance":-0.000000001,"#));
    assert!(api.patch(path, r#"{"balance":99999.999999999}"#).await.text.contains(r#""balance":99999.999999999,"#));
    assert!(api.patch(path, r#"{"active_balance":false,"balance":null}"#).await.text.contains(r#""balance":null,"active_balance":false"#));
    assert!(api.patch(path, r#"{"expire_time":"2020-01-01T00:00:00+01:00"}"#).await.text.contains(r#""expire_time":"2019-12-31T23:00:00Z""#));
    let answer = api.patch(path, r#"{"balance_reset_period":"monthly","balance_reset_amount":"12.5"}"#).await;
    assert!(answer.text.contains(r#""balance":12.5,"active_balance":true"#), "{}", answer.text);
    assert!(answer.text.contains(r#""balance_reset_period":"monthly","balance_reset_amount":12.5,"resets_at":""#), "{}", answer.text);
    assert!(
        api.patch(path, r#"{"balance_reset_period":"none"}"#)
            .await
            .text
            .contains(r#""balance_reset_period":"none","balance_reset_amount":null,"resets_at":null"#)
    );
}

#[tokio::test]
async fn a_deleted_name_is_free_again() {
    let api = Api::open().await;
    let secret = api.token(r#"{"name":"n"}"#).await;
    api.delete("/v2/user/custom_token/n/").await.is(204, "");
    api.delete("/v2/user/custom_token/n/").await.is(404, r#"{"details":"Not Found"}"#);
    api.call("GET", "/v2/user/custom_token/me/", &secret, "").await.is(401, r#"{"detail":"Invalid token"}"#);
    assert_ne!(api.token(r#"{"name":"n"}"#).await, secret);
}

#[tokio::test]
async fn rotation_replaces_the_secret_at_once_or_after_a_grace() {
    let api = Api::open().await;
    let me = "/v2/user/custom_token/me/";
    let first = api.token(r#"{"name":"n","balance":"5"}"#).await;
    let answer = api.post("/v2/user/custom_token/n/rotate/", "").await;
    assert_eq!((answer.status.as_u16(), answer.headers["cache-control"].to_str().unwrap()), (200, "no-store"));
    assert!(answer.text.contains(r#""balance":"5.000000000""#));
    let second = answer.field("token");
    assert_eq!(api.call("GET", me, &first, "").await.status, 401);
    let third = api.post("/v2/user/custom_token/n/rotate", r#"{"grace_seconds":3600}"#).await.field("token");
    for secret in [&second, &third] {
        assert_eq!(api.call("GET", me, secret, "").await.status, 200);
    }
    for body in [r#"{"grace_seconds":-1}"#, r#"{"grace_seconds":2592001}"#, r#"{"grace":1}"#, "[]", "x"] {
        assert_eq!(api.post("/v2/user/custom_token/n/rotate/", body).await.status, 400, "{body}");
    }
    assert_eq!(api.call("GET", me, &third, "").await.status, 200, "a refused rotation changes nothing");
    api.post("/v2/user/custom_token/nobody/rotate/", "").await.is(404, r#"{"details":"Not Found"}"#);
}

#[tokio::test]
async fn of_many_creations_with_one_name_one_succeeds() {
    let api = Api::open().await;
    let answers: Vec<u16> = {
        let calls = (0..20).map(|_| {
            let mut router = api.router.clone();
            tokio::spawn(async move {
                let request = Request::post(TOKENS).header("authorization", format!("Bearer {MAIN_KEY}")).body(Body::from(r#"{"name":"one"}"#)).unwrap();
                router.call(request).await.unwrap().status().as_u16()
            })
        });
        let calls: Vec<_> = calls.collect();
        let mut answers = Vec::new();
        for call in calls {
            answers.push(call.await.unwrap());
        }
        answers
    };
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|status| **status == 400).count(), 19);
}

fn bodies() -> impl Strategy<Value = String> {
    let amount = "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,9})?";
    let expiry = prop_oneof![Just("null".to_owned()), "\"21[0-9]{2}-0[1-9]-[012][1-8]T[01][0-9]:00:00(\\.[1-9])?Z\""];
    let period = prop_oneof![Just("none"), Just("daily"), Just("weekly"), Just("monthly")];
    (proptest::option::of(amount), any::<bool>(), expiry, period, "(0|[1-9][0-9]{0,4})(\\.[0-9]{1,9})?").prop_map(|(balance, active, expiry, period, reset)| {
        let active = active && (balance.is_some() || period != "none");
        let balance = balance.map_or("null".to_owned(), |amount| format!("\"{amount}\""));
        format!(r#"{{"name":"n","balance":{balance},"active_balance":{active},"expire_time":{expiry},"balance_reset_period":"{period}","balance_reset_amount":"{reset}"}}"#)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_answer_sent_back_changes_nothing(body in bodies()) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let api = Api::open().await;
            api.token(&body).await;
            let shown = api.get("/v2/user/custom_token/n/").await.text;
            api.patch("/v2/user/custom_token/n/", &shown).await.is(200, &shown);
            api.get("/v2/user/custom_token/n/").await.is(200, &shown);
            api.ledger.close().await;
        });
    }

    #[test]
    fn an_amount_stays_exact_through_every_answer(amount in "-?(0|[1-9][0-9]{0,4})\\.[0-9]{1,9}", as_number: bool) {
        let written = if as_number { amount.clone() } else { format!("\"{amount}\"") };
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let api = Api::open().await;
            let expected: Usd = amount.parse().unwrap();
            let created = api.post(TOKENS, &format!(r#"{{"name":"n","balance":{written}}}"#)).await;
            assert_eq!(created.field("balance"), expected.to_string());
            let shown = api.get("/v2/user/custom_token/n/").await;
            assert!(shown.text.contains(&format!(r#""balance":{},"#, expected.to_short_string())), "{}", shown.text);
            let patched = api.patch("/v2/user/custom_token/n/", &format!(r#"{{"balance":{written}}}"#)).await;
            assert_eq!(patched.text, shown.text);
            api.ledger.close().await;
        });
    }
}
