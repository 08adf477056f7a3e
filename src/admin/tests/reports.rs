//! The cost report, the credits and the usage report.

use jiff::Timestamp;
use jiff::civil::Date;

use super::*;

fn today() -> Date {
    Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date()
}

async fn spent() -> (Api, String, String) {
    let api = Api::open().await;
    let web = api.token(r#"{"name":"prod-web-app","balance":"50","active_balance":true}"#).await;
    let batch = api.token(r#"{"name":"batch"}"#).await;
    api.spend(&web, "11.10", "openai", "gpt-5", "text__chat").await;
    api.spend(&web, "0.18", "openai", "gpt-5-mini", "text__chat").await;
    api.spend(&web, "0.02", "anthropic", "gpt-5", "text__chat").await;
    api.spend(&web, "0.000000001", "openai", "embed", "text__embeddings").await;
    api.spend(&batch, "3", "openai", "gpt-5", "text__chat").await;
    (api, web, batch)
}

#[tokio::test]
async fn costs_are_added_up_exactly() {
    let (api, web, _) = spent().await;
    let day = today();
    let path = format!("/v2/cost_management/?begin={day}&end={day}");
    let batch = format!(r#"{{"token":"batch","data":{{"{day}":{{"text__chat":{{"total_cost":3,"details":1,"cost_per_provider":{{"openai":3}}}}}}}}}}"#);
    let chat = r#""text__chat":{"total_cost":11.3,"details":3,"cost_per_provider":{"anthropic":0.02,"openai":11.28}}"#;
    let embeddings = r#""text__embeddings":{"total_cost":0.000000001,"details":1,"cost_per_provider":{"openai":0.000000001}}"#;
    let own = format!(r#"{{"token":"prod-web-app","data":{{"{day}":{{{chat},{embeddings}}}}}}}"#);
    api.get(&path).await.is(200, &format!(r#"{{"response":[{batch},{own}]}}"#));
    api.get(&path.replace("/?", "?")).await.is(200, &format!(r#"{{"response":[{batch},{own}]}}"#));
    api.get(&format!("{path}&step=1&token=batch")).await.is(200, &format!(r#"{{"response":[{batch}]}}"#));
    api.call("GET", &path, &web, "").await.is(200, &format!(r#"{{"response":[{own}]}}"#));
    for filter in ["subfeature=embeddings", "subfeature=text__embeddings"] {
        api.get(&format!("{path}&{filter}")).await.is(200, &format!(r#"{{"response":[{{"token":"prod-web-app","data":{{"{day}":{{{embeddings}}}}}}}]}}"#));
    }
    let anthropic = r#"{"text__chat":{"total_cost":0.02,"details":1,"cost_per_provider":{"anthropic":0.02}}}"#;
    api.get(&format!("{path}&provider=anthropic")).await.is(200, &format!(r#"{{"response":[{{"token":"prod-web-app","data":{{"{day}":{anthropic}}}}}]}}"#));
    api.get("/v2/cost_management/?begin=2020-01-01&end=2020-12-31").await.is(200, r#"{"response":[]}"#);
}

#[tokio::test]
async fn buckets_are_named_by_their_first_day() {
    let (api, ..) = spent().await;
    let day = today();
    let monday = day.saturating_sub(jiff::Span::new().days(day.weekday().to_monday_zero_offset()));
    for (step, first) in [("1", day), ("2", monday), ("3", day.first_of_month()), ("4", day.first_of_year())] {
        let answer = api.get(&format!("/v2/cost_management/?begin={day}&end={day}&step={step}&token=batch")).await;
        let buckets = answer.json()["response"][0]["data"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(buckets, [first.to_string()], "step {step}");
    }
}

#[tokio::test]
async fn a_bad_question_is_answered_by_field() {
    let api = Api::open().await;
    let range = "begin=2026-01-01&end=2026-01-31";
    for (query, fields) in [
        ("", vec!["begin", "end"]),
        ("begin=2026-01-01", vec!["end"]),
        ("begin=&end=2026-01-31", vec!["begin"]),
        ("begin=2026-1-1&end=20260131", vec!["begin", "end"]),
        ("begin=2026-02-30&end=2026-03-01", vec!["begin"]),
        ("begin=01/02/2026&end=2026-W05-1", vec!["begin", "end"]),
        ("begin=2026-01-31&end=2026-01-01", vec!["end"]),
        ("begin=1900-01-01&end=2026-01-01", vec!["end"]),
        (&format!("{range}&step=0"), vec!["step"]),
        (&format!("{range}&step=day"), vec!["step"]),
        (&format!("{range}&provder=openai"), vec!["provder"]),
        (&format!("{range}&token=a&token=b"), vec!["token"]),
        ("step=9&x=1", vec!["begin", "end", "step", "x"]),
    ] {
        let answer = api.get(&format!("/v2/cost_management/?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.json()["error"]["message"].as_object().unwrap().keys().collect::<Vec<_>>(), fields, "{query}");
    }
    for (query, field) in
        [("by=colour", "by"), ("by=token,,day", "by"), ("from=x", "from"), ("from=2026-02-01&to=2026-01-01", "to"), ("begin=2026-01-01", "begin")]
    {
        let answer = api.get(&format!("/v2/usage/?{query}")).await;
        assert!(answer.status == 400 && answer.json()["error"]["message"][field].is_array(), "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn usage_is_grouped_by_what_is_asked_for() {
    let (api, ..) = spent().await;
    let day = today();
    api.get("/v2/usage/").await.is(
        200,
        concat!(
            r#"[{"token":"batch","requests":1,"cost":"3.000000000","estimated":0,"units":{"input":10}},"#,
            r#"{"token":"prod-web-app","requests":4,"cost":"11.300000001","estimated":0,"units":{"input":40}}]"#
        ),
    );
    let models = api.get(&format!("/v2/usage?by=model,day&from={day}&to={day}&feature=text__chat")).await;
    models.is(
        200,
        &format!(
            "[{},{},{}]",
            format_args!(r#"{{"day":"{day}","provider":"anthropic","model":"gpt-5","requests":1,"cost":"0.020000000","estimated":0,"units":{{"input":10}}}}"#),
            format_args!(r#"{{"day":"{day}","provider":"openai","model":"gpt-5","requests":2,"cost":"14.100000000","estimated":0,"units":{{"input":20}}}}"#),
            format_args!(
                r#"{{"day":"{day}","provider":"openai","model":"gpt-5-mini","requests":1,"cost":"0.180000000","estimated":0,"units":{{"input":10}}}}"#
            ),
        ),
    );
    api.get("/v2/usage/?to=2020-01-01").await.is(200, "[]");
    assert_eq!(api.get("/v2/usage/?token=batch&by=token,feature,provider").await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn credits_are_set_and_taken_away() {
    let api = Api::open().await;
    let path = "/v2/cost_management/credits/";
    api.get(path).await.is(200, r#"{"credits":null}"#);
    api.patch(path, r#"{"credits":"42.50"}"#).await.is(200, r#"{"credits":42.5}"#);
    api.get("/v2/cost_management/credits").await.is(200, r#"{"credits":42.5}"#);
    for body in ["{}", r#"{"credits":"1e3"}"#, r#"{"credits":100000}"#, r#"{"credit":1}"#, r#"{"credits":1,"credits":2}"#, "[]", ""] {
        assert_eq!(api.patch(path, body).await.status, 400, "{body}");
    }
    api.get(path).await.is(200, r#"{"credits":42.5}"#);
    api.patch(path, r#"{"credits":null}"#).await.is(200, r#"{"credits":null}"#);
}
