//! The hold of a job: it outlives its request, and is settled once, by whoever learns what the job cost.

use std::sync::Arc;
use std::time::Duration;

use super::{admit, audited, figures, file, open, options, start, token};
use crate::ledger::embedded::clock::Clock;
use crate::ledger::rules::tests::script::{ACCOUNT, label, usd};
use crate::ledger::{Admission, AdmitRequest, Certainty, HoldId, Ledger, Settled, Settlement, UsageFilter};
use crate::prices::{Unit, Usage};
use crate::tokens::{Secret, TokenView};

const DAY: Duration = Duration::from_secs(86_400);

fn job(id: &str) -> HoldId {
    HoldId::derived(&[ACCOUNT, id])
}

/// What a poll knows: the cost, and not under what the job is booked.
fn costs(id: &str, cost: i64) -> Settlement {
    let usage = Usage::default().with(Unit::Requests, 1);
    Settlement { hold: job(id), cost: usd(cost), certainty: Certainty::Exact, usage, label: Arc::default(), price_version: "v".into() }
}

/// A job whose request held `amount`.
async fn begin(ledger: &Ledger, view: &TokenView, secret: &Secret, amount: i64, id: &str) -> Settled {
    let request = AdmitRequest { label: label("job"), ..super::request(view, secret, amount, amount) };
    let Admission::Granted(mut grant) = ledger.admit(request).await.unwrap() else { panic!("not granted") };
    grant.sent();
    grant.keep(job(id), DAY).await.unwrap()
}

/// A poll that learned the cost.
async fn poll(ledger: &Ledger, view: &TokenView, secret: &Secret, settlement: Settlement) -> Settled {
    let mut grant = admit(ledger, view, secret, 0).await.unwrap();
    grant.sent();
    grant.settle_kept(settlement).await.unwrap()
}

#[tokio::test]
async fn it_is_settled_once_however_often_it_is_polled_and_by_whichever_process() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let clock = Arc::new(Clock::manual(start()));
    let mut ledger = open(options.clone(), &clock);
    let (view, secret) = token(&ledger, "a", Some(1_000)).await;
    assert_eq!(begin(&ledger, &view, &secret, 100, "cheap").await, Settled::default());
    begin(&ledger, &view, &secret, 100, "dear").await;
    assert_eq!(figures(&ledger, "a").await, (Some(1_000), 200, 0), "held, and not charged yet");
    ledger.close().await;
    ledger = open(options.clone(), &clock);
    assert_eq!(figures(&ledger, "a").await, (Some(1_000), 200, 0));
    assert_eq!(poll(&ledger, &view, &secret, costs("cheap", 30)).await, Settled { charged: true, overrun: usd(0), balance: Some(usd(970)) });
    assert_eq!(poll(&ledger, &view, &secret, costs("cheap", 30)).await, Settled::default());
    // Above the hold: in full, and counted.
    assert_eq!(poll(&ledger, &view, &secret, costs("dear", 150)).await, Settled { charged: true, overrun: usd(50), balance: Some(usd(820)) });
    ledger.close().await;
    ledger = open(options.clone(), &clock);
    assert!(!poll(&ledger, &view, &secret, costs("dear", 150)).await.charged && !poll(&ledger, &view, &secret, costs("another", 1)).await.charged);
    assert_eq!(figures(&ledger, "a").await, (Some(820), 0, 180));
    // Booked as the request that began it.
    let rows = ledger.usage(UsageFilter { account: ACCOUNT.into(), ..UsageFilter::default() }).await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.feature.as_str(), row.requests, row.cost, row.estimated)).collect::<Vec<_>>(), [("job", 2, usd(180), 0)]);
    ledger.close().await;
    audited(file(&options));
}

#[tokio::test]
async fn one_that_nobody_asks_for_is_charged_at_its_hold_and_corrected_down_by_a_late_poll() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let clock = Arc::new(Clock::manual(start()));
    let ledger = open(options.clone(), &clock);
    let (view, secret) = token(&ledger, "a", Some(1_000)).await;
    for id in ["late", "never", "dear"] {
        begin(&ledger, &view, &secret, 100, id).await;
    }
    clock.set(start() + DAY + Duration::from_secs(1));
    // Any admission of the account expires what is due.
    admit(&ledger, &view, &secret, 0).await.unwrap().void();
    assert_eq!(figures(&ledger, "a").await, (Some(700), 0, 300));
    assert_eq!(poll(&ledger, &view, &secret, costs("late", 20)).await, Settled { charged: true, overrun: usd(0), balance: Some(usd(780)) });
    assert!(!poll(&ledger, &view, &secret, costs("late", 20)).await.charged);
    // More than was held is not charged any more.
    assert_eq!(poll(&ledger, &view, &secret, costs("dear", 500)).await.balance, Some(usd(780)));
    assert_eq!(figures(&ledger, "a").await, (Some(780), 0, 220));
    let rows = ledger.usage(UsageFilter { account: ACCOUNT.into(), ..UsageFilter::default() }).await.unwrap();
    let sum = |count: fn(&crate::ledger::UsageRow) -> i64| rows.iter().map(count).sum::<i64>();
    assert_eq!((sum(|row| row.cost.nanos()), sum(|row| row.estimated as i64)), (220, 1), "{rows:?}");
    ledger.close().await;
    audited(file(&options));
}

#[tokio::test]
async fn a_job_that_is_known_already_is_charged_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let ledger = open(options.clone(), &Arc::new(Clock::manual(start())));
    let (view, secret) = token(&ledger, "a", Some(1_000)).await;
    begin(&ledger, &view, &secret, 100, "one").await;
    assert_eq!(begin(&ledger, &view, &secret, 70, "one").await, Settled { charged: true, overrun: usd(0), balance: Some(usd(930)) });
    assert_eq!(figures(&ledger, "a").await, (Some(930), 100, 70));
    poll(&ledger, &view, &secret, costs("one", 10)).await;
    assert_eq!(figures(&ledger, "a").await, (Some(920), 0, 80));
    ledger.close().await;
    audited(file(&options));
}

#[tokio::test]
async fn without_a_budget_it_is_booked_once_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(options(folder.path()), &Arc::new(Clock::manual(start())));
    let (view, secret) = token(&ledger, "a", None).await;
    begin(&ledger, &view, &secret, 100, "free").await;
    for _ in 0..2 {
        poll(&ledger, &view, &secret, costs("free", 30)).await;
    }
    assert_eq!(figures(&ledger, "a").await, (None, 0, 30));
}

#[test]
fn the_id_of_a_job_follows_from_its_words_and_is_never_a_generated_one() {
    assert_eq!(HoldId::derived(&["a", "b"]), HoldId::derived(&["a", "b"]));
    let all = [HoldId::derived(&["a", "b"]), HoldId::derived(&["ab"]), HoldId::derived(&["ab", ""]), HoldId::derived(&["b", "a"]), HoldId::generate()];
    assert!((0..all.len()).all(|index| !all[..index].contains(&all[index])));
    assert_eq!([all[0].to_string().as_bytes()[14], all[4].to_string().as_bytes()[14]], *b"87");
}
