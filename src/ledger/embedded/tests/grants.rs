//! What becomes of grants: settled, dropped before and after the request went out, raised, kept alive, forgotten by whoever asked.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{LEASE, admit, audited, figures, file, open, options, request, start, token};
use crate::ledger::embedded::clock::Clock;
use crate::ledger::rules::tests::script::{ACCOUNT, label, usd};
use crate::ledger::{Admission, AdmitRequest, Certainty, Denied, Ledger, LedgerOptions, Renewed, Settled, UsageFilter};
use crate::prices::{Unit, Usage};
use crate::tokens::{NewToken, Secret, SecretHash, SecretKind, TokenKind, TokenPatch};

#[tokio::test]
async fn a_dropped_grant_is_given_back_or_charged() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let ledger = open(options.clone(), &Arc::new(Clock::manual(start())));
    let (view, secret) = token(&ledger, "a", Some(1_000)).await;
    drop(admit(&ledger, &view, &secret, 100).await.unwrap());
    assert_eq!(figures(&ledger, "a").await, (Some(1_000), 0, 0), "nothing was sent");
    let mut grant = admit(&ledger, &view, &secret, 100).await.unwrap();
    grant.sent();
    // Outside of any runtime, and in a panic.
    std::thread::spawn(move || {
        let _grant = grant;
        panic!("as planned");
    })
    .join()
    .unwrap_err();
    assert_eq!(figures(&ledger, "a").await, (Some(900), 0, 100), "it was sent");
    admit(&ledger, &view, &secret, 50).await.unwrap().void();
    let grant = admit(&ledger, &view, &secret, 50).await.unwrap();
    assert!(grant.settle(usd(50), Certainty::Uncertain, Usage::default(), label("u"), "v").await.unwrap().charged);
    assert_eq!(figures(&ledger, "a").await, (Some(850), 0, 150));
    // A ticket that nobody waits for; a close that does.
    drop(admit(&ledger, &view, &secret, 50).await.unwrap().settle(usd(20), Certainty::Exact, Usage::default().with(Unit::Input, 5), label("f"), "v"));
    ledger.close().await;
    ledger.close().await;
    assert!(ledger.ping().await.is_err() && ledger.admit(request(&view, &secret, 1, 1)).await.is_err());
    audited(file(&options));
    let ledger = open(options, &Arc::new(Clock::manual(start())));
    assert_eq!(figures(&ledger, "a").await, (Some(830), 0, 170));
    let rows = ledger.usage(UsageFilter { account: ACCOUNT.into(), feature: Some("f".into()), ..UsageFilter::default() }).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].requests, rows[0].cost, rows[0].estimated, rows[0].usage.get(Unit::Input)), (1, usd(20), 0, 5));
    assert_eq!((rows[0].day.to_string().as_str(), rows[0].token.as_str(), rows[0].provider.as_str()), ("2026-01-15", "a", "openai"));
}

#[tokio::test]
async fn an_admission_that_nobody_waits_for_leaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(options(folder.path()), &Arc::new(Clock::manual(start())));
    let (view, secret) = token(&ledger, "a", Some(1_000)).await;
    for _ in 0..20 {
        let mut admission = Box::pin(ledger.admit(request(&view, &secret, 100, 100)));
        // Asked, and at once forgotten.
        if let Poll::Ready(answer) = admission.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            drop(answer);
        }
        drop(admission);
    }
    // The voids are queued behind the admissions by the writer itself: twice, to be behind them.
    ledger.ping().await.unwrap();
    ledger.ping().await.unwrap();
    assert_eq!(figures(&ledger, "a").await, (Some(1_000), 0, 0));
}

#[tokio::test]
async fn a_grant_is_raised_on_its_budget_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(options(folder.path()), &Arc::new(Clock::manual(start())));
    let (view, secret) = token(&ledger, "a", Some(100)).await;
    let mut grant = admit(&ledger, &view, &secret, 60).await.unwrap();
    assert_eq!(grant.raise_to(usd(90)).await.unwrap(), Renewed::Done);
    grant.raised(usd(90));
    assert_eq!(grant.raise_to(usd(120)).await.unwrap(), Renewed::NotRaised { free: usd(10), others: usd(0) });
    assert_eq!((grant.admitted().amount, grant.admitted().free_after), (usd(90), Some(usd(10))));
    assert_eq!(figures(&ledger, "a").await, (Some(100), 90, 0));
    // A raise that is asked for and not answered yet is given back with the rest: what is charged is what was told.
    let raise = grant.raise_to(usd(100));
    let known = grant.admitted().amount;
    let charged = grant.settle(known, Certainty::Uncertain, Usage::default(), label("f"), "v").await.unwrap();
    assert_eq!(charged, Settled { charged: true, overrun: usd(0), balance: Some(usd(10)) });
    assert_eq!(raise.await.unwrap(), Renewed::Done);
    assert_eq!(figures(&ledger, "a").await, (Some(10), 0, 90));
}

#[tokio::test]
async fn live_grants_are_kept_alive_and_forgotten_ones_expire() {
    let folder = tempfile::tempdir().unwrap();
    let lease = Duration::from_millis(600);
    let options = LedgerOptions { lease, ..options(folder.path()) };
    let ledger =
        Ledger::open_tuned(options.clone(), crate::ledger::handle::Tuning { tick: Duration::from_millis(20), ..crate::ledger::handle::Tuning::default() })
            .unwrap();
    let (view, secret) = token(&ledger, "a", Some(1_000)).await;
    let ask = || AdmitRequest { lease, ..request(&view, &secret, 100, 100) };
    let (Admission::Granted(alive), Admission::Granted(crashed)) = (ledger.admit(ask()).await.unwrap(), ledger.admit(ask()).await.unwrap()) else { panic!() };
    crashed.crash();
    tokio::time::sleep(lease * 4).await;
    assert_eq!(figures(&ledger, "a").await, (Some(900), 100, 100), "one expired, one lives");
    assert!(alive.settle(usd(1), Certainty::Exact, Usage::default(), label("f"), "v").await.unwrap().charged);
    assert_eq!(figures(&ledger, "a").await, (Some(899), 0, 101));
    let rows = ledger.usage(UsageFilter { account: ACCOUNT.into(), ..UsageFilter::default() }).await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.requests, row.estimated)).collect::<Vec<_>>(), [(1, 1), (1, 0)]);
    ledger.close().await;
    audited(file(&options));
}

#[tokio::test]
async fn sandbox_tokens_get_a_grant_that_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(options(folder.path()), &Arc::new(Clock::manual(start())));
    ledger.ensure_account(ACCOUNT, None).await.unwrap();
    let secret = Secret::generate(SecretKind::Test).unwrap();
    let new = NewToken { name: "ci".into(), kind: TokenKind::Sandbox, balance: Some(usd(0)), active_balance: true, expire_time: None, reset: None };
    let view = ledger.create_token(ACCOUNT, new, &secret).await.unwrap().unwrap();
    let mut grant = admit(&ledger, &view, &secret, 1_000_000).await.unwrap();
    grant.sent();
    assert_eq!(grant.raise_to(usd(5)).await.unwrap(), Renewed::Done);
    assert_eq!(grant.settle(usd(50), Certainty::Exact, Usage::default(), label("f"), "v").await.unwrap(), Settled::default());
    drop(admit(&ledger, &view, &secret, 1).await.unwrap());
    assert_eq!(figures(&ledger, "ci").await, (Some(0), 0, 0));
}

#[tokio::test]
async fn secrets_are_told_without_the_writer_and_revoked_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Clock::manual(start()));
    let ledger = open(options(folder.path()), &clock);
    let key = Secret::generate(SecretKind::Main).unwrap().hash();
    assert!(!ledger.ensure_account(ACCOUNT, None).await.unwrap().has_main_key);
    assert!(ledger.ensure_account(ACCOUNT, Some(key)).await.unwrap().has_main_key);
    let account = async |key: &SecretHash| ledger.account_of_main_key(key).await.unwrap();
    assert_eq!(account(&key).await.as_deref(), Some(ACCOUNT));
    let newer = Secret::generate(SecretKind::Main).unwrap().hash();
    let again = ledger.ensure_account(ACCOUNT, Some(newer)).await.unwrap();
    assert!(again.has_main_key && again.replaced_main_key && !again.created);
    assert!(!ledger.ensure_account(ACCOUNT, Some(newer)).await.unwrap().replaced_main_key);
    assert_eq!((account(&key).await, account(&newer).await.as_deref()), (None, Some(ACCOUNT)));

    let (view, old) = token(&ledger, "a", None).await;
    let facts = async |secret: &Secret| ledger.token_facts(&secret.hash()).await.unwrap();
    assert_eq!(facts(&old).await.unwrap().name.as_ref(), "a");
    let new = Secret::generate(SecretKind::Live).unwrap();
    ledger.rotate_token(ACCOUNT, "a", &new, Duration::from_secs(10)).await.unwrap().unwrap();
    assert!(facts(&old).await.is_some() && facts(&new).await.is_some());
    clock.set(start() + Duration::from_secs(10));
    assert!(facts(&old).await.is_none());
    assert_eq!(admit(&ledger, &view, &old, 1).await.unwrap_err(), Denied::Unknown);
    let expiry = TokenPatch { expire_time: Some(Some(start() + LEASE)), ..TokenPatch::default() };
    ledger.update_token(ACCOUNT, "a", expiry, false).await.unwrap().unwrap().unwrap();
    let known = facts(&new).await.unwrap();
    assert_eq!(known.expire_time, Some(start() + LEASE));
    let grant = admit(&ledger, &view, &new, 1).await.unwrap();
    assert!(ledger.delete_token(ACCOUNT, "a").await.unwrap() && !ledger.delete_token(ACCOUNT, "a").await.unwrap());
    assert!(facts(&new).await.is_none() && ledger.token_of(&known).await.unwrap().is_none());
    assert_eq!(admit(&ledger, &view, &new, 1).await.unwrap_err(), Denied::Unknown);
    // What was under way is settled as usual.
    assert!(grant.settle(usd(40), Certainty::Exact, Usage::default(), label("f"), "v").await.unwrap().charged);
    let rows = ledger.usage(UsageFilter { account: ACCOUNT.into(), ..UsageFilter::default() }).await.unwrap();
    assert_eq!((rows.len(), rows[0].cost), (1, usd(40)));
}

#[tokio::test]
async fn every_token_is_observed() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(options(folder.path()), &Arc::new(Clock::manual(start())));
    for number in 0..1_100 {
        token(&ledger, &format!("t{number}"), Some(number)).await;
    }
    let mut seen = Vec::new();
    ledger.observe(&mut |view| seen.push(view.name.clone())).await;
    assert_eq!(seen, (0..1_100).map(|number| format!("t{number}")).collect::<Vec<_>>());
    assert_eq!(ledger.tokens(ACCOUNT).await.unwrap().len(), 1_100);
}
