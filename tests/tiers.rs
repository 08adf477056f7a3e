//! Service tiers that nobody asked for: the account at the provider may have a dearer one by default, which a route says.

use serde_json::{Value, json};

use crate::support::money::nanos;
use crate::support::routes::Routes;
use crate::support::{Gateway, Request, Setup, StandIn, eventually};

const HINT: &str = "set default_tier on the route";

fn ask(mount: &str, secret: &str, words: &str, tier: Option<&str>) -> Request {
    let mut body = json!({"model": "gpt-5-mini", "max_completion_tokens": 50, "messages": [{"role": "user", "content": words}]});
    if let Some(tier) = tier {
        body["service_tier"] = json!(tier);
    }
    Request::post(&format!("/{mount}/v1/chat/completions"), &body).bearer(secret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tier_that_the_account_has_by_default_is_held_for_where_the_route_says_so() {
    let provider = StandIn::start().await;
    let routes = Routes::at(provider.address())
        .route("/plain/v1/*", "openai", "openai", "")
        .route("/dear/v1/*", "openai", "openai", "default_tier = \"priority\"")
        .route("/cheap/v1/*", "openai", "openai", "default_tier = \"flex\"");
    let gateway = Gateway::start(Setup::new(&routes)).await;
    let client = gateway.client();
    let overrun = async |token: &str| {
        let metrics = gateway.metrics().await;
        let line =
            metrics.lines().find(|line| line.starts_with("spendgate_overrun_usd_total{") && line.contains(&format!("token=\"{token}\""))).map(str::to_owned);
        line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
    };
    let mut hints = 0;
    for (mount, tier, over) in
        [("plain", None, true), ("plain", Some("auto"), true), ("dear", None, false), ("dear", Some("auto"), false), ("dear", Some("priority"), false)]
    {
        let token = format!("{mount}-{}", tier.unwrap_or("none"));
        let secret = gateway.tokens().with_budget(&token, "1.00").await;
        client.ask(ask(mount, &secret, &format!("{token} @{{tokens=50 tier=priority}}"), tier)).await.expect(200);
        let spent = gateway.tokens().settled(&token).await.spent;
        assert_eq!(spent, provider.row_with(&format!("{token} ")).consumed.cost, "{token}: in full");
        assert!(spent > 50 * 3_600);
        assert_eq!(overrun(&token).await > 0.0, over, "{token}");
        hints += usize::from(over);
        eventually("the log", async || (gateway.written().matches(HINT).count() >= hints).then_some(())).await;
    }
    // Served at the usual tier all the same: that is what it costs. And what the account serves cheaply is held for at the usual price.
    for (mount, served) in [("dear", "default"), ("cheap", "flex"), ("cheap", "default")] {
        let token = format!("{mount}-served-{served}");
        let secret = gateway.tokens().with_budget(&token, "1.00").await;
        client.ask(ask(mount, &secret, &format!("{token} @{{tokens=50 tier={served}}}"), None)).await.expect(200);
        assert_eq!(gateway.tokens().settled(&token).await.spent, provider.row_with(&format!("{token} ")).consumed.cost, "{token}");
        assert!(overrun(&token).await == 0.0);
    }
    assert_eq!(gateway.written().matches(HINT).count(), hints, "and for nothing else");
    // What is asked of a budget that has nothing: by the tier of the account, unless the request names another.
    let poor = gateway.tokens().with_budget("poor", "0.000000001").await;
    let asked = async |mount: &str, tier: Option<&str>| {
        let refusal: Value = client.ask(ask(mount, &poor, "x", tier)).await.refused(402, "budget_exhausted").json();
        nanos(refusal["error"]["budget"]["asked"].as_str().unwrap())
    };
    let usual = asked("plain", None).await;
    assert_eq!(asked("dear", Some("default")).await, usual);
    assert_eq!(asked("cheap", None).await, usual);
    let dear = asked("dear", None).await;
    assert!(dear > usual * 3 / 2, "{dear} {usual}");
    assert_eq!(dear, asked("plain", Some("priority")).await);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_knows_is_told_to_reports_without_a_budget_too() {
    let provider = StandIn::start().await;
    let routes = Routes::with_upstream_settings(provider.address(), "timeout = \"1s\"").openai("");
    let gateway = Gateway::start(Setup::new(&routes)).await;
    let body = json!({"model": "gpt-4o-mini", "max_tokens": 50, "messages": [{"role": "user", "content": "@{hang}"}]});
    let budgeted = gateway.tokens().with_budget("budgeted", "1.00").await;
    let open = gateway.tokens().without_budget("open").await;
    for secret in [&budgeted, &open] {
        gateway.client().ask(Request::post("/v1/chat/completions", &body).bearer(secret)).await.refused(504, "upstream_timeout");
    }
    let (held, open) = (gateway.tokens().settled("budgeted").await.spent, gateway.tokens().settled("open").await);
    assert!(held > 50 * 600, "the hold");
    assert_eq!((open.spent, open.balance), (held, None), "what a budget would have held");
    let metrics = gateway.metrics().await;
    for token in ["budgeted", "open"] {
        let line = metrics.lines().find(|line| line.starts_with("spendgate_estimated_charges_total{") && line.contains(&format!("token=\"{token}\""))).unwrap();
        assert!(line.ends_with(" 1"), "{line}");
    }
    assert!(metrics.lines().any(|line| line.starts_with("spendgate_units_total{")
        && line.contains("token=\"open\"")
        && line.contains("class=\"output\"")
        && line.ends_with(" 50")));
    gateway.close().await;
}
