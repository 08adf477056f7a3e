//! A ledger moves by the commands alone, under gateways that go on where the others stopped.

use serde_json::json;

use crate::support::asks::ocr;
use crate::support::process::{BINARY, both, run};
use crate::support::redis::{Cluster, Sentinels};
use crate::support::routes::Routes;
use crate::support::{Gateway, Setup, StandIn};

/// One cent, in nano-dollars.
const CENT: i64 = 10_000_000;

/// Runs a command on a store, which must succeed.
fn ran(folder: &std::path::Path, store: &str, arguments: &[&str]) -> String {
    let output = run(folder, arguments, &[("SPENDGATE_STORE".to_owned(), store.to_owned())]);
    assert!(output.status.success(), "{BINARY} {arguments:?} on {store}: {}", both(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// From one store to the next: on each of them a gateway goes on where the one before stopped.
async fn moves_through(stores: &[String], folder: &std::path::Path, provider: &StandIn) {
    let routes = Routes::at(provider.address()).openai("").http("/ocr", r#"{ per_request = "0.01" }"#);
    let mut secret = String::new();
    for (place, store) in stores.iter().enumerate() {
        let file = folder.join(format!("ledger-{place}")).display().to_string();
        let setup = Setup::new(&routes).env("SPENDGATE_STORE", store).env("SPENDGATE_OUTBOX", &folder.join("outbox").display().to_string());
        let mut gateway = Gateway::start(setup).await;
        if place == 0 {
            secret = gateway.tokens().create(&json!({"name": "moves", "balance": "0.07", "active_balance": true})).await;
        }
        for _ in 0..2 {
            gateway.client().ask(ocr(&secret)).await.expect(200);
        }
        let moves = gateway.tokens().money("moves").await;
        let spent = 2 * CENT * (i64::try_from(place).unwrap() + 1);
        assert_eq!((moves.balance, moves.spent), (Some(7 * CENT - spent), spent));
        if place + 1 == stores.len() {
            gateway.client().ask(ocr(&secret)).await.expect(200);
            gateway.client().ask(ocr(&secret)).await.expect(402);
        }
        assert!(gateway.terminate().await.success());
        let said = ran(folder, store, &["export", &file]);
        assert!(said.contains("1 accounts, 1 tokens"), "{said}");
        let Some(next) = stores.get(place + 1) else { break };
        let said = ran(folder, next, &["import", &file]);
        assert!(said.contains("agrees with its journal: 1 tokens, 1 accounts"), "{said}");
        // Once is enough.
        let again = run(folder, &["import", &file], &[("SPENDGATE_STORE".to_owned(), next.clone())]);
        assert!(again.status.code() == Some(1) && both(&again).contains("only an empty store"), "{}", both(&again));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_moves_to_a_cluster_and_back() {
    let provider = StandIn::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let cluster = Cluster::start().await;
    moves_through(&[at("first.db"), cluster.url(), at("last.db")], folder.path(), &provider).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_moves_to_sentinels_and_back() {
    let provider = StandIn::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let sentinels = Sentinels::start().await;
    moves_through(&[at("first.db"), sentinels.url(), at("last.db")], folder.path(), &provider).await;
}
