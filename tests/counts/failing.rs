//! Providers that do not count, or not truly: the bytes bound the request then, and a bill above the hold is charged in full.

use serde_json::json;

use super::long;
use super::provider::{counted, gateway, message, send};
use crate::support::money::{dollars, nanos};
use crate::support::promises::with;
use crate::support::{Gateway, StandIn, eventually};

/// How often a count ended so.
async fn outcomes(gateway: &Gateway, outcome: &str) -> usize {
    let line = format!("spendgate_provider_counts_total{{upstream=\"anthropic\",outcome=\"{outcome}\"}} ");
    let metrics = gateway.metrics().await;
    metrics.lines().find_map(|metric| metric.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_count_the_bytes_bound_the_request() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    // By the bytes the text costs $0.00514, and 16 tokens of output $0.00008.
    for (number, (script, outcome)) in [
        ("count-status=404", "refused"),
        ("count-status=500", "refused"),
        ("redirect", "refused"),
        ("count=negative", "absurd"),
        ("count=absurd", "absurd"),
        ("count=0", "absurd"),
        ("count=text", "absurd"),
        ("gzip", "absurd"),
        ("count-hang", "timed_out"),
        ("reset", "unreachable"),
        // Last, since it is left alone then.
        ("count-status=429", "too_often"),
    ]
    .into_iter()
    .enumerate()
    {
        let before = outcomes(&gateway, outcome).await;
        provider.behave(script);
        let name = format!("poor {number}");
        let secret = gateway.tokens().with_budget(&name, "0.002").await;
        let refusal = gateway.client().ask(send(&secret, "/v1/messages", &message(long("poor"), 100))).await.refused(402, "budget_exhausted");
        let asked = nanos(refusal.json()["error"]["budget"]["asked"].as_str().unwrap());
        assert!(asked > 4_000 * 1_250, "{script}: {asked}");
        assert_eq!((outcomes(&gateway, outcome).await, provider.counts().len()), (before + 1, number + 1), "{script}");
        assert_eq!(gateway.tokens().money(&name).await.balance, Some(nanos("0.002")), "{script}");
    }
    // What said that it is asked too often is not asked again at once; and what the bytes allow is served.
    let secret = gateway.tokens().with_budget("clamped", "0.0055").await;
    let answer = gateway.client().ask(send(&secret, "/v1/messages", &message(long("clamped"), 100))).await.expect(200);
    let clamped: u64 = answer.header("spendgate-clamped").unwrap().parse().unwrap();
    assert!((16..100).contains(&clamped), "{clamped}");
    assert_eq!((provider.counts().len(), provider.count()), (11, 1));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_does_not_burden_the_provider() {
    const CROWD: usize = 100;
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    provider.behave("gate=count");
    let secret = gateway.tokens().with_budget("crowd", "0.002").await;
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..CROWD {
        let (client, request) = (gateway.client(), send(&secret, "/v1/messages", &message(long("crowd"), 100)));
        crowd.spawn(async move { client.ask(request).await.status.as_u16() });
    }
    // None is counted, and each of those that wait for their turn is refused in time.
    let statuses = crowd.join_all().await;
    assert!(statuses.iter().all(|status| *status == 402), "{statuses:?}");
    assert_eq!(outcomes(&gateway, "timed_out").await, CROWD);
    let asked = provider.counts().len();
    // A turn is free again when the first give up, so that some of the others still have a moment.
    assert!((16..CROWD).contains(&asked), "{asked} counts were asked for");
    let money = gateway.tokens().money("crowd").await;
    assert_eq!((money.held, money.spent, provider.count()), (0, 0, 0));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_bills_more_than_it_counted_is_paid_in_full() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    // It says ten tokens, and bills a thousand.
    provider.behave("count=10 tokens=100");
    let balance = (10 + 64) * 1_250 + 100 * 5_000;
    for (name, stream) in [("whole", false), ("stream", true)] {
        let secret = gateway.tokens().with_budget(name, &dollars(balance)).await;
        let body = with(message(long(name), 100), json!({"stream": stream}));
        gateway.client().ask(send(&secret, "/v1/messages", &body)).await.expect(200);
        let billed = provider.row_with(&format!("{name} word")).consumed.cost;
        assert!(billed > 2 * balance && billed < counted(&long(name), 100), "{billed}");
        let money = gateway.tokens().settled(name).await;
        assert_eq!((money.spent, money.balance), (billed, Some(balance - billed)), "{name}");
        let overrun = format!("spendgate_overrun_usd_total{{account=\"default\",token=\"{name}\"}} ");
        let told =
            eventually("the overrun to be counted", async || gateway.metrics().await.lines().find_map(|line| line.strip_prefix(&overrun)?.parse::<f64>().ok()));
        assert!((told.await * 1e9 - (billed - balance) as f64).abs() < 1.0, "{name}");
        // Nothing more is served, and nobody is asked.
        let before = provider.counts().len();
        gateway.client().ask(send(&secret, "/v1/messages", &body)).await.refused(402, "budget_exhausted");
        assert_eq!(provider.counts().len(), before);
    }
    gateway.close().await;
}
