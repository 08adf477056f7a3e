//! Redis gone under open streams: none of them breaks, new requests are refused for the moment, and every charge arrives exactly once when it is back;
//! those of a gateway that died meanwhile, too.

use std::time::{Duration, Instant};

use crate::storm::truth;
use crate::support::asks::{limited, send, streamed};
use crate::support::money::DOLLAR;
use crate::support::{Fleet, Request, StandIn, Store, eventually, soak};

/// Between two tokens of a stream.
const PACE: u64 = 100;
/// How long charges may take to arrive once Redis is back.
const ARRIVE: Duration = Duration::from_secs(10);

fn away() -> Duration {
    Duration::from_secs(if soak() { 60 } else { 6 })
}

/// How long a gateway may go on from what it has set aside.
const SLICES_LAST: Duration = Duration::from_secs(3);

/// A chat for that many tokens at the pace, streamed.
fn paced(secret: &str, marker: &str, tokens: u64) -> Request {
    send(secret, &streamed(&format!("<{marker}> @{{tokens={tokens} delay={PACE}}}"), tokens + 10))
}

async fn streams_outlive_an_outage(leases: bool) {
    let provider = StandIn::start().await;
    let mut fleet = Fleet::start(Store::single().await, 2, &provider, |setup| setup.env("SPENDGATE_LEASE", "5s").leases(leases)).await;
    let mut secrets = Vec::new();
    for number in 0..10 {
        secrets.push(fleet.tokens().with_budget(&format!("outage-{number}"), "10.00").await);
    }
    // A third ends before Redis is back, into the outbox; the others later.
    let ticks = u64::try_from(away().as_millis()).unwrap() / PACE;
    let mut streams = Vec::new();
    for number in 0..100_u64 {
        let tokens = if number % 3 == 0 { 10 + number * (ticks - 20) / 100 } else { ticks + 10 + number % 20 };
        let client = fleet.gateways[usize::try_from(number % 2).unwrap()].client();
        let marker = format!("stream-{number}");
        let secret = &secrets[usize::try_from(number % 10).unwrap()];
        let stream = client.stream(paced(secret, &marker, tokens)).await.unwrap();
        assert_eq!(stream.status, 200, "{marker}");
        streams.push(tokio::spawn(async move {
            let answer = stream.rest().await.unwrap_or_else(|failure| panic!("{marker} broke: {failure:?}"));
            assert!(answer.text().trim_end().ends_with("data: [DONE]"), "{marker}: {}", answer.text());
        }));
    }
    fleet.store.server().kill9();
    let gone = Instant::now();
    let (mut refused, mut from_slices, mut most_waiting) = (0, 0, 0);
    while gone.elapsed() < away() {
        for gateway in &fleet.gateways {
            let asked = Instant::now();
            let answer = gateway.client().ask(send(&secrets[0], &limited("<while-0> it is away", 50))).await;
            if leases && answer.status == 200 && asked.duration_since(gone) < SLICES_LAST {
                from_slices += 1;
                continue;
            }
            let answer = answer.refused(503, "ledger_unavailable");
            truth(&answer, false).unwrap();
            assert!(asked.elapsed() < Duration::from_secs(3), "a refusal took {:?}", asked.elapsed());
            refused += 1;
        }
        most_waiting = most_waiting.max(fleet.outbox_entries().await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(refused > 0 && most_waiting > 0, "{refused} refusals, at most {most_waiting} endings in the outboxes");
    fleet.store.server().launch().await;
    for stream in streams {
        stream.await.unwrap();
    }
    fleet.quiet(ARRIVE).await;
    let mut spent = 0;
    for number in 0..secrets.len() {
        let (first, second) = (fleet.gateways[0].tokens(), fleet.gateways[1].tokens());
        let name = format!("outage-{number}");
        let money = first.money(&name).await;
        assert_eq!(money, second.money(&name).await, "both gateways tell the same");
        assert_eq!((money.balance, money.held), (Some(10 * DOLLAR - money.spent), 0), "{name}");
        let rows = provider.rows().into_iter().filter(|row| {
            let number_of = row.marker.trim_matches(['<', '>']).split_once('-').and_then(|(_, text)| text.parse::<usize>().ok());
            number_of.is_some_and(|number_of| number_of % secrets.len() == number)
        });
        assert_eq!(money.spent, rows.map(|row| row.consumed.cost).sum::<i64>(), "{name}");
        spent += money.spent;
    }
    assert_eq!(spent, provider.cost());
    assert_eq!(provider.count(), 100 + from_slices, "no refused request reached the provider");
    let admitted = eventually("to admit again", async || {
        let answer = fleet.gateways[1].client().ask(send(&secrets[0], &limited("again", 50))).await;
        (answer.status == 200).then_some(())
    });
    admitted.await;
    fleet.quiet(ARRIVE).await;
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_outlive_an_outage_and_are_charged_exactly() {
    streams_outlive_an_outage(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_slices_nobody_is_admitted_in_an_outage_and_streams_outlive_it() {
    streams_outlive_an_outage(false).await;
}

async fn the_outbox_is_delivered(leases: bool) {
    let provider = StandIn::start().await;
    let mut fleet = Fleet::start(Store::single().await, 2, &provider, |setup| setup.env("SPENDGATE_LEASE", "3s").leases(leases)).await;
    let secret = fleet.tokens().with_budget("outbox", "1.00").await;
    let client = fleet.gateways[0].client();
    let mut streams = Vec::new();
    for number in 0..20 {
        let stream = client.stream(paced(&secret, &format!("short-{number}"), 10 + number % 5)).await.unwrap();
        assert_eq!(stream.status, 200);
        streams.push(stream);
    }
    fleet.store.server().kill9();
    for stream in streams {
        let answer = stream.rest().await.unwrap();
        assert!(answer.text().trim_end().ends_with("data: [DONE]"), "{}", answer.text());
    }
    eventually("the endings to be in the outbox", async || (fleet.outbox_entries().await >= 20).then_some(())).await;
    fleet.kill(0);
    fleet.store.server().launch().await;
    // The other gateway lets the leases end meanwhile: what was charged at the hold is lowered when the outbox arrives.
    tokio::time::sleep(Duration::from_secs(4)).await;
    fleet.revive(0).await;
    fleet.quiet(ARRIVE).await;
    let money = fleet.gateways[1].tokens().money("outbox").await;
    assert_eq!((money.balance, money.held, money.spent), (Some(DOLLAR - provider.cost()), 0, provider.cost()));
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outbox_of_a_gateway_that_died_in_the_outage_is_delivered() {
    the_outbox_is_delivered(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outbox_of_a_gateway_without_slices_that_died_in_the_outage_is_delivered() {
    the_outbox_is_delivered(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_can_wait_so_long_is_not_refused_for_a_short_outage() {
    let provider = StandIn::start().await;
    let mut fleet = Fleet::start(Store::single().await, 2, &provider, |setup| setup.env("SPENDGATE_LEDGER_TIMEOUT", "10s")).await;
    let secret = fleet.tokens().with_budget("patient", "1.00").await;
    for gateway in &fleet.gateways {
        gateway.client().ask(send(&secret, &limited("before", 50))).await.expect(200);
    }
    fleet.quiet(ARRIVE).await;
    fleet.store.server().kill9();
    for gateway in &fleet.gateways {
        eventually("the gateway to notice", async || gateway.written().contains("the connection to the ledger's server is lost").then_some(())).await;
    }
    let client = fleet.gateways[1].client();
    let asking: Vec<_> = (0..10)
        .map(|number| {
            let ask = send(&secret, &limited(&format!("meanwhile {number}"), 50));
            tokio::spawn(async move { client.ask(ask).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(asking.iter().all(|asking| !asking.is_finished()), "they wait");
    assert_eq!(provider.count(), 2, "for their admission");
    fleet.store.server().launch().await;
    for asking in asking {
        asking.await.unwrap().expect(200);
    }
    fleet.quiet(ARRIVE).await;
    assert_eq!(fleet.tokens().money("patient").await.spent, provider.cost());
    fleet.close().await;
}
