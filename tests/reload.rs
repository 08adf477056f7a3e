//! Routes are read anew on SIGHUP and when the file changes; a broken file keeps the old ones and is counted; what is under way keeps its own.

use serde_json::json;

use crate::support::asks::ocr;
use crate::support::money::CENT;
use crate::support::routes::Routes;
use crate::support::{Gateway, Request, Setup, StandIn, eventually};

fn routes(provider: &StandIn, price: &str) -> Routes {
    Routes::at(provider.address()).openai("").http("/ocr", price)
}

/// The value of a metric without labels.
async fn count(gateway: &Gateway, name: &str) -> f64 {
    let metrics = gateway.metrics().await;
    metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or_else(|| panic!("{name} in {metrics}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_file_is_taken_up_without_a_signal() {
    let provider = StandIn::start().await;
    let gateway = Gateway::start(Setup::new(&routes(&provider, r#"{ per_request = "0.01" }"#))).await;
    let secret = gateway.tokens().with_budget("reload", "5.00").await;
    let client = gateway.client();
    let added = || Request::post("/added", &json!({})).bearer(&secret);
    client.ask(ocr(&secret)).await.expect(200);
    client.ask(added()).await.refused(404, "route_not_found");
    gateway.write_routes(routes(&provider, r#"{ per_request = "0.02" }"#).http("/added", r#"{ per_request = "0.03" }"#).text());
    eventually("the new route", async || (client.ask(added()).await.status == 200).then_some(())).await;
    client.ask(ocr(&secret)).await.expect(200);
    assert_eq!(gateway.tokens().settled("reload").await.spent, (1 + 3 + 2) * CENT);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_is_charged_at_its_own_price() {
    let provider = StandIn::start().await;
    let gateway = Gateway::start(Setup::new(&routes(&provider, r#"{ per_request = "0.01" }"#))).await;
    let secret = gateway.tokens().with_budget("under-way", "5.00").await;
    let client = gateway.client();
    let early = Request::post("/ocr", &json!({"do": "@{gate=head}"})).bearer(&secret);
    let waiting = tokio::spawn(async move { client.ask(early).await });
    eventually("the request to reach the provider", async || (provider.count() == 1).then_some(())).await;
    gateway.write_routes(routes(&provider, r#"{ per_request = "0.02" }"#).http("/added", r#""free""#).text());
    gateway.signal("HUP");
    eventually("the new routes", async || (client.ask(Request::post("/added", &json!({})).bearer(&secret)).await.status == 200).then_some(())).await;
    provider.open_gate();
    waiting.await.unwrap().expect(200);
    assert_eq!(gateway.tokens().settled("under-way").await.spent, CENT);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_file_keeps_the_old_routes_and_is_counted() {
    let provider = StandIn::start().await;
    let good = routes(&provider, r#"{ per_request = "0.01" }"#);
    let gateway = Gateway::start(Setup::new(&good)).await;
    let secret = gateway.tokens().with_budget("broken", "5.00").await;
    let client = gateway.client();
    assert!(count(&gateway, "spendgate_reload_failures_total").await.abs() < 0.5);
    let unpriced = Routes::at(provider.address()).route("/ocr", "http", "docs", "");
    for broken in ["this is not toml [".to_owned(), format!("{}\nmisspelt = true\n", good.text()), unpriced.text().to_owned()] {
        let before = count(&gateway, "spendgate_reload_failures_total").await;
        gateway.write_routes(&broken);
        gateway.signal("HUP");
        eventually("the failure to be counted", async || (count(&gateway, "spendgate_reload_failures_total").await > before).then_some(())).await;
        client.ask(ocr(&secret)).await.expect(200);
    }
    assert!(gateway.written().contains("routes.toml:"), "the log says where the mistake is");
    gateway.write_routes(good.clone().http("/mended", r#""free""#).text());
    gateway.signal("HUP");
    eventually("the mended file", async || (client.ask(Request::post("/mended", &json!({})).bearer(&secret)).await.status == 200).then_some(())).await;
    assert_eq!(gateway.tokens().settled("broken").await.spent, 3 * CENT);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_while_reloading() {
    let provider = StandIn::start().await;
    let gateway = Gateway::start(Setup::new(&routes(&provider, r#"{ per_request = "0.01" }"#))).await;
    let secret = gateway.tokens().with_budget("busy", "50.00").await;
    let client = gateway.client();
    let load: Vec<_> = (0..4)
        .map(|_| {
            let secret = secret.clone();
            tokio::spawn(async move {
                for _ in 0..100 {
                    client.ask(ocr(&secret)).await.expect(200);
                }
            })
        })
        .collect();
    let mut turn = 0;
    while load.iter().any(|task| !task.is_finished()) {
        turn += 1;
        gateway.write_routes(routes(&provider, r#"{ per_request = "0.01" }"#).http(&format!("/turn-{turn}"), r#""free""#).text());
        gateway.signal("HUP");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    for task in load {
        task.await.unwrap();
    }
    assert_eq!(provider.count(), 400);
    assert_eq!(gateway.tokens().settled("busy").await.spent, 400 * CENT);
    gateway.close().await;
}
