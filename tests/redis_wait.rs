//! `SPENDGATE_REDIS_WAIT=1`: what counts is on a replica, too. With no replica nobody is admitted, nothing is held or charged for a request that was
//! refused, and what ran meanwhile is charged exactly once.

use std::time::{Duration, Instant};

use crate::storm::truth;
use crate::support::asks::{limited, ocr, send, streamed};
use crate::support::journal::Journal;
use crate::support::money::{CENT, DOLLAR};
use crate::support::redis::{Server, command, try_command};
use crate::support::{Fleet, StandIn, Store, eventually};

/// How long the charges of what ran meanwhile may take to arrive once there is a replica again.
const ARRIVE: Duration = Duration::from_secs(20);
/// How long a gateway may go on from what it has set aside.
const SLICES_LAST: Duration = Duration::from_secs(3);
/// How many requests are refused while there is no replica.
const REFUSED: usize = 12;

/// A replica goes, and comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    /// kill -9: the primary knows at once that it is gone.
    Killed,
    /// Stopped: the primary waits for it.
    Frozen,
}

async fn in_step(replica: &Server) {
    eventually("the replica to be in step", async || (replica.info("master_link_status").await == "up").then_some(())).await;
}

async fn without_a_replica(how: Gone, leases: bool) {
    let provider = StandIn::start().await;
    let primary = Server::start().await;
    let mut replica = Server::with(&format!("replicaof 127.0.0.1 {}\n", primary.address().port())).await;
    in_step(&replica).await;
    // Longer than there is no replica, however slow the machine: a hold whose lease ends meanwhile is charged by that, and corrected when its end is told.
    let setting = |setup: crate::support::Setup| setup.env("SPENDGATE_REDIS_WAIT", "1").env("SPENDGATE_LEASE", "60s").leases(leases);
    let fleet = Fleet::start(Store::Single(primary), 2, &provider, setting).await;
    let secret = fleet.tokens().with_budget("waits", "1.00").await;
    // What a client saw the end of is on the replica.
    for number in 0..10 {
        fleet.gateways[number % 2].client().ask(ocr(&secret)).await.expect(200);
        let there = Journal::of_server(replica.address()).await.0.iter().filter(|entry| entry.kind == "charge").count();
        assert_eq!(there, number + 1);
    }
    let running = fleet.gateways[0].client().stream(send(&secret, &streamed("<runs> @{tokens=9 gate=first}", 50))).await.unwrap();
    assert_eq!(running.status, 200);
    let hold = running.headers["spendgate-request-id"].to_str().unwrap().replace('-', "");
    let holds = async |command: &[&str]| try_command(replica.address(), command).await.unwrap().number();
    if leases {
        // Admitted from a slice, it is a part of that for a moment.
        eventually("the hold to be there", async || (holds(&["HEXISTS", "sg:{default}:holds", &hold]).await == 1).then_some(())).await;
    } else {
        assert_eq!(holds(&["HEXISTS", "sg:{default}:holds", &hold]).await, 1, "the hold is there");
        assert_eq!(holds(&["HLEN", "sg:{default}:holds"]).await, 2, "nothing else, but what keeps the key");
    }

    match how {
        Gone::Killed => replica.kill9(),
        Gone::Frozen => replica.freeze(),
    }
    // What is set aside, the replica has too: requests go on from it for a moment, and are refused then.
    let (gone, mut from_slices) = (Instant::now(), 0);
    while leases && gone.elapsed() < SLICES_LAST {
        for gateway in &fleet.gateways {
            let answer = gateway.client().ask(send(&secret, &limited("<from-a-slice>", 50))).await;
            if answer.status == 200 {
                from_slices += 1;
            } else {
                answer.refused(503, "ledger_unavailable");
            }
        }
    }
    assert_eq!(provider.rows_with("<from-a-slice>").len(), from_slices);
    let mut ids = Vec::new();
    for number in 0..REFUSED {
        let answer = fleet.gateways[number % 2].client().ask(send(&secret, &limited("<refused>", 50))).await.refused(503, "ledger_unavailable");
        truth(&answer, false).unwrap();
        assert!(answer.header("retry-after").is_some_and(|after| after.parse::<u64>().is_ok_and(|seconds| seconds > 0)));
        ids.push(answer.header("spendgate-request-id").unwrap().replace('-', ""));
    }
    assert!(provider.rows_with("<refused>").is_empty(), "nothing was forwarded that was not admitted");
    // The client of a running request sees its end; its charge waits for a replica.
    provider.open_gate();
    assert!(running.rest().await.unwrap().text().trim_end().ends_with("data: [DONE]"));
    eventually("the charge to wait in the outbox", async || (fleet.outbox_entries().await > 0).then_some(())).await;

    match how {
        Gone::Killed => replica.launch().await,
        Gone::Frozen => replica.thaw(),
    }
    in_step(&replica).await;
    for gateway in &fleet.gateways {
        eventually("to admit again", async || (gateway.client().ask(ocr(&secret)).await.status == 200).then_some(())).await;
    }
    fleet.quiet(ARRIVE).await;
    let money = fleet.tokens().money("waits").await;
    assert_eq!((money.balance, money.held, money.spent), (Some(DOLLAR - provider.cost()), 0, provider.cost()));
    assert!(money.spent > 12 * CENT, "the stream was charged");
    let Store::Single(primary) = &fleet.store else { unreachable!() };
    for address in [primary.address(), replica.address()] {
        let charges = Journal::of_server(address).await.by_hold();
        assert!(
            charges.values().filter(|charge| !charge.slice).all(|charge| (charge.charges, charge.corrections) == (1, 0)),
            "each is charged once: {charges:?}"
        );
        assert!(ids.iter().all(|id| !charges.contains_key(id)), "{how:?}: a refused request was charged");
    }
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_starts_waits_for_a_replica_to_come() {
    let primary = Server::start().await;
    let replica = Server::start().await;
    let (address, port) = (replica.address(), primary.address().port().to_string());
    let late = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        command(address, &["REPLICAOF", "127.0.0.1", &port]).await
    });
    let provider = StandIn::start().await;
    let fleet = Fleet::start(Store::Single(primary), 1, &provider, |setup| setup.env("SPENDGATE_REDIS_WAIT", "1")).await;
    late.await.unwrap();
    in_step(&replica).await;
    let secret = fleet.tokens().with_budget("late", "1.00").await;
    eventually("to admit", async || (fleet.gateways[0].client().ask(ocr(&secret)).await.status == 200).then_some(())).await;
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_its_replica_is_dead_a_primary_admits_nobody() {
    without_a_replica(Gone::Killed, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_its_replica_is_dead_a_primary_admits_nobody_but_from_slices() {
    without_a_replica(Gone::Killed, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_its_replica_is_frozen_a_primary_admits_nobody() {
    without_a_replica(Gone::Frozen, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_its_replica_is_frozen_a_primary_admits_nobody_but_from_slices() {
    without_a_replica(Gone::Frozen, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_server_does_not_let_it_wait_nobody_is_admitted() {
    let provider = StandIn::start().await;
    let primary = Server::start().await;
    let replica = Server::with(&format!("replicaof 127.0.0.1 {}\n", primary.address().port())).await;
    in_step(&replica).await;
    let store = format!("redis://{}", primary.address());
    let fleet = Fleet::start(Store::Single(primary), 1, &provider, |setup| setup.env("SPENDGATE_REDIS_WAIT", "1")).await;
    let Store::Single(primary) = &fleet.store else { unreachable!() };
    let secret = fleet.tokens().with_budget("waits", "1.00").await;
    fleet.gateways[0].client().ask(ocr(&secret)).await.expect(200);
    primary.command(&["ACL", "SETUSER", "default", "-wait"]).await;
    fleet.gateways[0].client().ask(ocr(&secret)).await.refused(503, "ledger_unavailable");
    let said = crate::support::refused::refuses_store_with(&store, "SPENDGATE_REDIS_WAIT", "1").await;
    assert!(said.contains("does not let the user \"default\" run wait"), "{said}");
    primary.command(&["ACL", "SETUSER", "default", "+wait"]).await;
    eventually("to admit again", async || (fleet.gateways[0].client().ask(ocr(&secret)).await.status == 200).then_some(())).await;
    fleet.quiet(ARRIVE).await;
    assert_eq!(fleet.tokens().money("waits").await.spent, provider.cost());
    fleet.close().await;
}
