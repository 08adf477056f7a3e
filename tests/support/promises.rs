//! What holds of every provider's API alike, whatever its shapes: tested here once, for whoever says how it is asked.

use std::ops::Range;

use serde_json::Value;

use super::client::Failure;
use super::money::nanos;
use super::{Answer, Gateway, Request, StandIn, eventually};

/// How an API is asked: with this secret, these words, streamed or not, within this limit of output.
pub(crate) type Ask = fn(&str, &str, bool, u64) -> Request;

/// A body with more members, or others in the place of its own.
pub(crate) fn with(mut body: Value, more: Value) -> Value {
    let (Some(body_members), Value::Object(more)) = (body.as_object_mut(), more) else { panic!("two objects") };
    body_members.extend(more);
    body
}

/// What the provider reports is charged to the nano-dollar, and told at the end of an answer in one piece; every byte passes both ways, but that an answer may
/// have to be made `plain` first.
pub(crate) async fn what_is_reported_is_charged(provider: &StandIn, gateway: &Gateway, ask: Ask, hows: &[&str], plain: fn(&[u8]) -> Vec<u8>) {
    let secret = gateway.tokens().with_budget("exact", "5.00").await;
    for (number, how) in hows.iter().enumerate() {
        for stream in [false, true] {
            let request = ask(&secret, &format!("exact {number} {stream} @{{tokens=12 {how}}}"), stream, 100);
            let (path, body) = (request.path.clone(), request.body.clone());
            let answer = gateway.client().ask(request).await.expect(200);
            let row = provider.row_with(&format!("exact {number} {stream} "));
            assert_eq!(plain(&answer.body), row.sent, "{how}: every byte passes");
            assert_eq!((row.body, row.target), (body, path), "{how}: and back");
            if !stream {
                assert_eq!(nanos(answer.header("spendgate-cost").unwrap()), row.consumed.cost, "{how}");
            }
        }
        assert_eq!(gateway.tokens().settled("exact").await.spent, provider.cost(), "{how}");
    }
}

/// A stream of twenty tokens that is cut, fails or does not tell its usage is charged `within` what the part that was served costs. One that fails says so: `failed`
/// looks at it.
pub(crate) async fn what_breaks_off_costs_what_passed(
    provider: &StandIn,
    gateway: &Gateway,
    ask: Ask,
    events: u32,
    failed: fn(&Answer),
    within: fn(i64) -> Range<i64>,
) {
    for (name, how) in [("cut", format!("cut={events}")), ("failed", format!("fail={events}")), ("silent", "usage=none".to_owned())] {
        let secret = gateway.tokens().with_budget(name, "1.00").await;
        let answer = gateway.client().try_ask(ask(&secret, &format!("{name} @{{tokens=20 {how}}}"), true, 100)).await;
        match (name, answer) {
            ("failed", Ok(answer)) => failed(&answer),
            ("silent", Ok(_)) | ("cut" | "failed", Err(Failure::Cut { .. })) => {}
            (_, answer) => panic!("{name}: {answer:?}"),
        }
        let served = provider.row_with(&format!("{name} ")).consumed.cost;
        let spent = gateway.tokens().settled(name).await.spent;
        assert!(within(served).contains(&spent), "{name}: {spent} for {served}");
    }
    let metrics = gateway.metrics().await;
    assert!(metrics.contains("spendgate_estimated_charges_total{account=\"default\",token=\"cut\"} 1"), "{metrics}");
}

/// The client has seen the event that begins with `last`: the charge survives a gateway that is killed at once.
pub(crate) async fn the_charge_is_durable(provider: &StandIn, gateway: &mut Gateway, ask: Ask, turns: usize, last: &str) {
    let secret = gateway.tokens().with_budget("durable", "1.00").await;
    for turn in 0..turns {
        let mut stream = gateway.client().stream(ask(&secret, &format!("durable {turn} @{{tokens=30}}"), true, 100)).await.unwrap();
        while !stream.event().await.unwrap().unwrap().starts_with(last) {}
        gateway.kill9();
        gateway.audit();
        gateway.launch().await;
        assert_eq!(gateway.tokens().settled("durable").await.spent, provider.cost());
    }
}

/// A client that hangs up after so many bytes pays for the whole answer, which is read to its end.
pub(crate) async fn who_hangs_up_pays(provider: &StandIn, gateway: &Gateway, ask: Ask, places: &[usize]) {
    let secret = gateway.tokens().with_budget("gone", "1.00").await;
    for place in places {
        let before = gateway.tokens().settled("gone").await.spent;
        let stream = gateway.client().stream(ask(&secret, &format!("gone {place} @{{tokens=60 delay=1}}"), true, 100)).await.unwrap();
        stream.hang_up_after(*place).await.unwrap();
        let spent = gateway.tokens().settled("gone").await.spent - before;
        // The charge may be there a moment before the provider has closed its books.
        let row = eventually("the provider's end", async || Some(provider.row_with(&format!("gone {place} "))).filter(|row| row.finished)).await;
        assert_eq!((spent, row.consumed.completion), (row.consumed.cost, 60), "{place}");
    }
}

/// A usage that cannot be costs the hold of a request with a limit of 1,000: within this.
pub(crate) async fn odd_reports_cost_the_hold(gateway: &Gateway, ask: Ask, held: Range<i64>) {
    for (number, (usage, stream)) in [("negative", false), ("absurd", true), ("negative", true), ("absurd", false)].into_iter().enumerate() {
        let name = format!("odd-{number}");
        let secret = gateway.tokens().with_budget(&name, "1.00").await;
        gateway.client().ask(ask(&secret, &format!("{name} @{{tokens=20 usage={usage}}}"), stream, 1_000)).await.expect(200);
        let spent = gateway.tokens().settled(&name).await.spent;
        assert!(held.contains(&spent), "{usage} {stream}: {spent}");
    }
}
