//! What the ops listener shows: the metrics by name and label, health, and readiness.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::asks::{limited, ocr, send};
use crate::support::{Gateway, Request, StandIn, eventually};

/// One line of the exposition.
#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Reads the text format; panics on a line that is not of it.
fn samples(text: &str) -> Vec<Sample> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let mut rest = labels.trim_end_matches('}');
            let mut labels = BTreeMap::new();
            while let Some((label, after)) = rest.split_once("=\"") {
                let end = after.find('"').unwrap_or_else(|| panic!("{line}"));
                labels.insert(label.trim_start_matches(',').to_owned(), after[..end].to_owned());
                rest = &after[end + 1..];
            }
            Sample { name: name.to_owned(), labels, value: value.parse().unwrap_or_else(|_| panic!("{line}")) }
        })
        .collect()
}

fn find<'a>(samples: &'a [Sample], name: &str, labels: &[(&str, &str)]) -> Option<&'a Sample> {
    samples.iter().find(|sample| sample.name == name && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value)))
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_spend_and_balances_are_shown() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let client = gateway.client();
    let secret = gateway.tokens().create(&json!({"name": "seen", "balance": "0.05", "active_balance": true, "expire_time": "2099-01-01T00:00:00Z"})).await;
    for _ in 0..3 {
        client.ask(send(&secret, &limited("metrics @{tokens=10}", 50))).await.expect(200);
    }
    client.ask(send(&secret, &limited("metrics @{status=500}", 50))).await.expect(500);
    for _ in 0..4 {
        client.ask(ocr(&secret)).await.expect(200);
    }
    client.ask(ocr(&secret)).await.refused(402, "budget_exhausted");
    gateway.tokens().settled("seen").await;

    let mine = [("account", "default"), ("token", "seen")];
    let spent = provider.cost() as f64 / 1e9;
    let seen = eventually("the metrics to be there", async || {
        let seen = samples(&gateway.metrics().await);
        let count = |outcome: &str| -> f64 {
            seen.iter()
                .filter(|sample| sample.name == "spendgate_requests_total" && sample.labels["outcome"] == outcome && sample.labels["token"] == "seen")
                .map(|sample| sample.value)
                .sum()
        };
        (close(count("ok"), 7.0) && close(count("upstream_error"), 1.0) && close(count("budget_exhausted"), 1.0)).then_some(seen)
    })
    .await;
    let chats = find(&seen, "spendgate_requests_total", &[mine[0], mine[1], ("model", "gpt-4o-mini"), ("outcome", "ok")]).unwrap();
    assert!(close(chats.value, 3.0), "{chats:?}");
    assert!(chats.labels.contains_key("route"));
    let total: f64 =
        seen.iter().filter(|sample| sample.name == "spendgate_spend_usd_total" && sample.labels["token"] == "seen").map(|sample| sample.value).sum();
    assert!(close(total, spent), "{total} for {spent}");
    let openai = find(&seen, "spendgate_spend_usd_total", &[mine[1], ("provider", "openai"), ("model", "gpt-4o-mini")]).unwrap();
    assert!(close(openai.value, spent - 0.04), "{openai:?}");
    let output = find(&seen, "spendgate_units_total", &[mine[1], ("provider", "openai"), ("model", "gpt-4o-mini"), ("class", "output")]).unwrap();
    assert!(close(output.value, 30.0), "{output:?}");
    assert!(find(&seen, "spendgate_units_total", &[mine[1], ("class", "input")]).is_some());
    assert!(close(find(&seen, "spendgate_balance_usd", &mine).unwrap().value, 0.05 - spent));
    assert!(close(find(&seen, "spendgate_held_usd", &mine).unwrap().value, 0.0));
    assert!(close(find(&seen, "spendgate_token_expiry_timestamp_seconds", &mine).unwrap().value, 4_070_908_800.0));
    for name in ["spendgate_request_seconds", "spendgate_upstream_head_seconds", "spendgate_overhead_seconds"] {
        let counts: Vec<&Sample> = seen.iter().filter(|sample| sample.name == format!("{name}_count")).collect();
        assert!(counts.iter().all(|sample| sample.labels.contains_key("route")), "{name}");
        assert!(counts.iter().map(|sample| sample.value).sum::<f64>() >= 7.0, "{name}");
        assert!(find(&seen, &format!("{name}_bucket"), &[("le", "+Inf")]).is_some(), "{name}");
    }
    assert!(find(&seen, "spendgate_ledger_seconds_count", &[]).is_some_and(|sample| sample.labels.contains_key("op")));
    for name in ["spendgate_requests_in_flight", "spendgate_reload_failures_total"] {
        assert!(find(&seen, name, &[]).is_some_and(|sample| close(sample.value, 0.0)), "{name}");
    }

    // A deleted token's series go away.
    gateway.tokens().delete("seen").await.expect(204);
    eventually("the series to go", async || (!gateway.metrics().await.contains("token=\"seen\"")).then_some(())).await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_send_does_not_become_a_label() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("labels", "1.00").await;
    for number in 0..20 {
        let mut body = limited("hi", 5);
        body["model"] = json!(format!("made-up-{number}"));
        gateway.client().ask(send(&secret, &body)).await.expect(403);
        gateway.client().ask(Request::post(&format!("/made-up-{number}"), &body).bearer(&secret)).await.expect(404);
    }
    let metrics = gateway.metrics().await;
    assert!(!metrics.contains("made-up"), "{metrics}");
    let seen = samples(&metrics);
    assert!(
        find(&seen, "spendgate_requests_total", &[("outcome", "model_not_priced"), ("model", "other")]).is_some_and(|sample| close(sample.value, 20.0)),
        "{metrics}"
    );
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_flight_is_held_and_counted() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("flight", "1.00").await;
    provider.behave("gate=head");
    let client = gateway.client();
    let waiting = tokio::spawn(async move { client.ask(ocr(&secret)).await });
    eventually("the request to reach the provider", async || (provider.count() == 1).then_some(())).await;
    let seen = samples(&gateway.metrics().await);
    assert!(find(&seen, "spendgate_requests_in_flight", &[]).is_some_and(|sample| sample.value >= 1.0));
    assert!(close(find(&seen, "spendgate_held_usd", &[("token", "flight")]).unwrap().value, 0.01));
    provider.open_gate();
    waiting.await.unwrap().expect(200);
    eventually("nothing in flight", async || {
        let seen = samples(&gateway.metrics().await);
        (close(find(&seen, "spendgate_requests_in_flight", &[])?.value, 0.0) && close(find(&seen, "spendgate_held_usd", &[("token", "flight")])?.value, 0.0))
            .then_some(())
    })
    .await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn label_values_that_run_together_stay_apart() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    // ("ab", "c") and ("a", "bc"): a hash without separators would make them one series.
    let tokens: Vec<String> = (0..30).map(|number| format!("t{}", "x".repeat(number))).collect();
    for (number, name) in tokens.iter().enumerate() {
        let secret = gateway.tokens().without_budget(name).await;
        for _ in 0..=(number % 3) {
            gateway.client().ask(ocr(&secret)).await.expect(200);
        }
    }
    let seen = samples(&gateway.metrics().await);
    for (number, name) in tokens.iter().enumerate() {
        let spend = find(&seen, "spendgate_spend_usd_total", &[("token", name)]).unwrap_or_else(|| panic!("{name}"));
        assert!(close(spend.value, 0.01 * (number % 3 + 1) as f64), "{spend:?}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dashboard_shows_tokens_and_no_secret() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("seen & <shown>", "0.05").await;
    gateway.client().ask(ocr(&secret)).await.expect(200);
    gateway.tokens().settled("seen & <shown>").await;
    let page = gateway.ops().ask(Request::get("/")).await.expect(200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let text = page.text();
    assert!(text.contains("<td>seen &amp; &lt;shown&gt;</td>") && text.contains(">0.04</td>") && text.contains(">0.01</td>"), "{text}");
    assert!(text.contains("Ready. ") && !text.contains("sg_live"), "{text}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_readiness() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let announced = gateway.metrics().await;
    for name in ["spendgate_requests_total counter", "spendgate_overrun_usd_total counter", "spendgate_ledger_errors_total counter"] {
        assert_eq!(announced.matches(&format!("# TYPE {name}\n")).count(), 1, "before there is anything to count: {announced}");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        gateway.ops().ask(Request::get(path)).await.expect(200);
        // Not on the listener that strangers reach.
        let answer = gateway.client().ask(Request::get(path)).await;
        assert!(matches!(answer.status.as_u16(), 401 | 404), "{path}: {}", answer.text());
    }
    gateway.close().await;
}
