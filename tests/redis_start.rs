//! Gateways that share a store: how they start, or refuse to, and that what one is told holds on the other.

use std::time::Duration;

use serde_json::json;

use crate::support::asks::{limited, ocr, send};
use crate::support::refused::{refuses, refuses_store};
use crate::support::routes::{Routes, UPSTREAM_KEY};
use crate::support::tokens::path;
use crate::support::{Fleet, Gateway, Request, Setup, StandIn, Store, eventually, ports};

async fn two() -> (StandIn, Fleet) {
    let provider = StandIn::start().await;
    let fleet = Fleet::start(Store::single().await, 2, &provider, |setup| setup).await;
    (provider, fleet)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_cannot_share_an_outbox() {
    let provider = StandIn::start().await;
    let outbox = tempfile::tempdir().unwrap();
    let shared = outbox.path().display().to_string();
    let fleet = Fleet::start(Store::single().await, 1, &provider, |setup| setup.env("SPENDGATE_OUTBOX", &shared)).await;
    let folder = tempfile::tempdir().unwrap();
    let routes = fleet.gateways[0].routes_file().display().to_string();
    let url = fleet.store.url().unwrap();
    let environment =
        [("SPENDGATE_STORE", url), ("SPENDGATE_OUTBOX", shared.clone()), ("SPENDGATE_ROUTES", routes), ("OPENAI_API_KEY", UPSTREAM_KEY.to_owned())];
    let said = refuses(folder.path(), &environment).await;
    assert!(said.contains(&shared) && said.contains("outbox"), "it names the folder: {said}");
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_store_a_gateway_refuses_to_start() {
    let nobody = ports::free();
    for url in [format!("redis://{nobody}"), format!("redis+sentinel://{nobody}/main"), format!("redis+cluster://{nobody}")] {
        let said = refuses_store(&url).await;
        assert!(said.contains(&nobody.to_string()) && said.contains("Start it"), "it names the address of {url}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_main_key_is_made_once_for_all() {
    let provider = StandIn::start().await;
    let fleet = Fleet::start(Store::single().await, 2, &provider, |setup| setup.without_env("SPENDGATE_API_KEY")).await;
    let keys: Vec<String> = fleet
        .gateways
        .iter()
        .flat_map(|gateway| gateway.written().split_whitespace().filter(|word| word.starts_with("sg_main_")).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(keys.len(), 1, "one gateway made it, and only that one shows it");
    for gateway in &fleet.gateways {
        gateway.client().ask(Request::get("/v2/cost_management/credits/").bearer(&keys[0])).await.expect(200);
    }
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_gateway_is_told_holds_on_the_other() {
    let (provider, fleet) = two().await;
    let (first, second) = (&fleet.gateways[0], &fleet.gateways[1]);
    let secret = first.tokens().with_budget("shared", "0.05").await;
    // At once, with no second try.
    second.client().ask(ocr(&secret)).await.expect(200);
    first.client().ask(ocr(&secret)).await.expect(200);
    assert_eq!(first.tokens().settled("shared").await, second.tokens().settled("shared").await);
    second.tokens().patch("shared", &json!({"balance": "0.01"})).await.expect(200);
    first.client().ask(ocr(&secret)).await.expect(200);
    second.client().ask(ocr(&secret)).await.refused(402, "budget_exhausted");

    // Rotated without grace: the old one is refused on both at once, since admission looks; the new one works on both at once.
    first.tokens().patch("shared", &json!({"balance": "1.00"})).await.expect(200);
    let rotated = first.client().ask(Request::post(&format!("{}rotate/", path("shared")), &json!({})).bearer(&first.tokens().key)).await.expect(200);
    let new = rotated.json()["token"].as_str().unwrap().to_owned();
    for gateway in [first, second] {
        gateway.client().ask(ocr(&secret)).await.refused(401, "invalid_token");
        gateway.client().ask(ocr(&new)).await.expect(200);
    }

    // Expired, and prolonged again.
    second.tokens().patch("shared", &json!({"expire_time": "2020-01-01T00:00:00Z"})).await.expect(200);
    for gateway in [first, second] {
        gateway.client().ask(ocr(&new)).await.refused(401, "token_expired");
    }
    first.tokens().patch("shared", &json!({"expire_time": null})).await.expect(200);
    eventually("the other gateway to see that it is no longer expired", async || (second.client().ask(ocr(&new)).await.status == 200).then_some(())).await;

    // Deleted: refused on the other within a second.
    first.tokens().delete("shared").await.expect(204);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for gateway in [first, second] {
        gateway.client().ask(ocr(&new)).await.refused(401, "invalid_token");
        gateway.tokens().get("shared").await.expect(404);
    }
    // Its name is free again, on the other gateway too.
    let again = second.tokens().with_budget("shared", "0.01").await;
    first.client().ask(ocr(&again)).await.expect(200);
    assert_eq!(provider.cost(), fleet.journal().await.0.iter().map(|entry| entry.cost).sum::<i64>());
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_are_the_same_on_both() {
    let (provider, fleet) = two().await;
    for number in 0..4 {
        let secret = fleet.gateways[number % 2].tokens().with_budget(&format!("report-{number}"), "1.00").await;
        for turn in 0..3 {
            let client = fleet.gateways[(number + turn) % 2].client();
            client.ask(send(&secret, &limited(&format!("report {number} @{{tokens={}}}", 5 + turn), 50))).await.expect(200);
            client.ask(ocr(&secret)).await.expect(200);
        }
    }
    let report = async |gateway: &Gateway, path: &str| gateway.client().ask(Request::get(path).bearer(&gateway.tokens().key)).await.expect(200).text();
    for path in ["/v2/usage/?by=token,model,day,provider,feature", "/v2/cost_management/?begin=2020-01-01&end=2029-12-31&step=4", "/v2/user/custom_token/"] {
        assert_eq!(report(&fleet.gateways[0], path).await, report(&fleet.gateways[1], path).await, "{path}");
    }
    let usage = report(&fleet.gateways[1], "/v2/usage/?by=token").await;
    for number in 0..4 {
        assert!(usage.contains(&format!("report-{number}")), "{usage}");
    }
    assert_eq!(provider.cost(), fleet.journal().await.0.iter().map(|entry| entry.cost).sum::<i64>());
    let setup = fleet.setup(Setup::new(&Routes::at(provider.address()).openai("")));
    // A gateway that comes later knows all of it.
    let third = Gateway::start(setup).await;
    assert_eq!(report(&third, "/v2/usage/?by=token").await, usage);
    fleet.close().await;
}
