//! A network in two: on one side an old primary with a gateway, on the other its replicas, the Sentinels and another gateway. For a moment both sides take
//! requests on the same budgets: how long that moment is, and what it costs, is what `docs/redis.md` says, and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::storm::truth;
use crate::support::asks::{ocr, send, streamed};
use crate::support::journal::Journal;
use crate::support::money::{CENT, DOLLAR};
use crate::support::redis::{Cut, Failover, Sentinels};
use crate::support::routes::Routes;
use crate::support::{Client, Gateway, Setup, StandIn, eventually, soak};

/// `min-replicas-max-lag`, in seconds.
const MAX_LAG: u32 = 1;
/// How many refusals in a row mean that nobody is admitted any more.
const FOR_GOOD: usize = 20;
/// How long a gateway may be away and still put back what it remembers of requests that ended.
const RESTORABLE: Duration = Duration::from_secs(60);

/// What the gateway beside the old primary answered after the cut.
#[derive(Default)]
struct Apart {
    /// The ids of the requests that it admitted, and when the last of them was over.
    admitted: Vec<String>,
    last: Option<Instant>,
    refused: usize,
}

/// Asks again and again, until it is refused for good.
async fn ask_on(client: Client, secret: String, cut: Arc<AtomicBool>) -> Apart {
    let (mut apart, mut in_a_row) = (Apart::default(), 0);
    while in_a_row < FOR_GOOD {
        let begun_after = cut.load(Ordering::SeqCst);
        let answer = client.ask(ocr(&secret)).await;
        match answer.status.as_u16() {
            // One that was under way when it was cut may have been granted after it.
            200 if begun_after || cut.load(Ordering::SeqCst) => {
                apart.admitted.push(answer.header("spendgate-request-id").unwrap().replace('-', ""));
                (apart.last, in_a_row) = (Some(Instant::now()), 0);
            }
            200 => {}
            _ => {
                truth(&answer.refused(503, "ledger_unavailable"), false).unwrap();
                apart.refused += 1;
                in_a_row += usize::from(begun_after);
            }
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    apart
}

/// What came of it, as it is printed and judged: nano-dollars, and numbers of requests.
#[derive(Debug)]
struct Cost {
    overspend: i64,
    lost: usize,
    double: usize,
}

/// Both sides take requests for a moment, then come together again, `away` after the gateway on the old primary's side was refused for good.
async fn in_two(replicas: &str, away: Duration) -> (Apart, Cost) {
    let provider = StandIn::start().await;
    let mut sentinels = Sentinels::careful(MAX_LAG).await;
    let routes = Routes::at(provider.address()).openai("").http("/ocr", r#"{ per_request = "0.01" }"#);
    let setup = |url: String| {
        let setup = Setup::new(&routes).env("SPENDGATE_STORE", &url).env("SPENDGATE_LEASE", "10s").env("SPENDGATE_LEDGER_TIMEOUT", "500ms");
        setup.env("SPENDGATE_REDIS_WAIT", replicas)
    };
    let mut near = Gateway::start(setup(sentinels.url())).await;
    let mut apart = Gateway::start(setup(sentinels.url_apart())).await;
    let secret = near.tokens().with_budget("both", "1.00").await;
    for gateway in [&near, &apart] {
        for _ in 0..10 {
            gateway.client().ask(ocr(&secret)).await.expect(200);
        }
    }
    // Runs on through all of it.
    let running = apart.client().stream(send(&secret, &streamed("<runs> @{tokens=9 gate=first}", 50))).await.unwrap();
    assert_eq!(running.status, 200);
    // The replicas have all that by then.
    tokio::time::sleep(Duration::from_secs(1)).await;

    let cut = Arc::new(AtomicBool::new(false));
    let asking = tokio::spawn(ask_on(apart.client(), secret.clone(), Arc::clone(&cut)));
    // First, so that none that is granted on both sides is left out of the count.
    cut.store(true, Ordering::SeqCst);
    sentinels.cut_apart(Cut::All);
    let (old, began, named) = sentinels.fail_over(Failover::Cut).await;
    // On the other side the rest of the budget is spent: as far as is known there.
    eventually("the gateway beside the new primary to admit", async || (near.client().ask(ocr(&secret)).await.status == 200).then_some(())).await;
    let admits = began.elapsed();
    loop {
        let answer = near.client().ask(ocr(&secret)).await;
        if answer.status != 200 {
            // What runs on the other side is still held.
            assert!([402, 429].contains(&answer.status.as_u16()), "{}", answer.text());
            break;
        }
    }
    let told = asking.await.unwrap();
    assert!(!told.admitted.is_empty() || replicas == "1", "the old primary took requests for a moment, or this shows nothing");
    let only = sentinels.only_on(old).await;
    provider.open_gate();
    assert!(running.rest().await.unwrap().text().trim_end().ends_with("data: [DONE]"), "what runs goes on");
    tokio::time::sleep(away).await;

    sentinels.cut_apart(Cut::Nobody);
    sentinels.heal(old, Failover::Cut).await;
    eventually("the gateway that was cut off to know the ledger again", async || {
        let answer = apart.client().ask(ocr(&secret)).await;
        [200, 402, 429].contains(&answer.status.as_u16()).then_some(())
    })
    .await;
    eventually("nothing to be under way", async || {
        let audit: Value = serde_json::from_slice(&near.command(&["audit", "--json"]).stdout).ok()?;
        let metrics = apart.metrics().await;
        (audit["live_holds"] == 0 && metrics.contains("spendgate_outbox_entries 0")).then_some(())
    })
    .await;
    let money = near.tokens().money("both").await;
    assert_eq!(money, apart.tokens().money("both").await, "both tell the same");
    let charges = Journal::of_server(sentinels.primary().await).await.by_hold();
    let charged: i64 = charges.values().map(|charge| charge.cost).sum();
    assert_eq!((money.spent, money.balance, money.held), (charged, Some(DOLLAR - charged), 0));
    let cost = Cost {
        overspend: (provider.cost() - DOLLAR).max(0),
        lost: told.admitted.iter().filter(|id| !charges.contains_key(*id)).count(),
        double: charges.values().filter(|charge| charge.charges != 1 || (charge.corrections > 1 && !charge.slice)).count(),
    };
    eprintln!(
        "== a primary and a gateway cut off, min-replicas-max-lag {MAX_LAG}, SPENDGATE_REDIS_WAIT={replicas}\n   \
         the old primary took requests for {:.1} s and had {only} bytes that were nowhere else; the new one was named after {:.1} s, admitted after {:.1} s\n   \
         served: {}, admitted by both: {}, refused: {}, {cost:?}",
        told.last.map_or(0.0, |last| last.duration_since(began).as_secs_f64()),
        named.as_secs_f64(),
        admits.as_secs_f64(),
        provider.count(),
        told.admitted.len(),
        told.refused,
    );
    // What is lost is what was admitted beside the old primary, and nothing else.
    assert_eq!(provider.cost() - charged, i64::try_from(cost.lost).unwrap() * CENT);
    assert!(cost.overspend <= i64::try_from(told.admitted.len()).unwrap() * CENT, "no more than was granted on both sides: {cost:?}");
    assert_eq!(cost.double, 0);
    for gateway in [&mut near, &mut apart] {
        assert!(gateway.terminate().await.success());
        gateway.audit();
    }
    (told, cost)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_both_sides_grant_is_all_that_can_be_overspent_and_none_of_it_is_lost() {
    let (_, cost) = in_two("0", Duration::ZERO).await;
    assert_eq!(cost.lost, 0, "it came back soon enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_replica_has_to_have_it_nothing_is_overspent() {
    let (_, cost) = in_two("1", Duration::ZERO).await;
    assert_eq!((cost.overspend, cost.lost), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn away_for_long_a_gateway_charges_nothing_twice() {
    // It takes more than a minute.
    if soak() {
        let (told, cost) = in_two("0", RESTORABLE + Duration::from_secs(15)).await;
        assert!(cost.lost <= told.admitted.len(), "no more than was granted on both sides");
    }
}
