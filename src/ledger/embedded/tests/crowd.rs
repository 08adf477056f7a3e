//! Many at once on one budget: exactly as many as it reaches for, and none refused that it reaches for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{admit, audited, figures, file, open, options, start, token};
use crate::ledger::embedded::clock::Clock;
use crate::ledger::rules::tests::script::{label, usd};
use crate::ledger::{Certainty, Denied};
use crate::prices::Usage;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_as_many_are_admitted_as_the_budget_reaches_for() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let ledger = open(options.clone(), &Arc::new(Clock::manual(start())));
    let (view, secret) = token(&ledger, "crowd", Some(1_000)).await;
    let (served, refused) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut tasks = Vec::new();
    for _ in 0..50 {
        let (ledger, view, secret, served, refused) = (ledger.clone(), view.clone(), secret.clone(), Arc::clone(&served), Arc::clone(&refused));
        tasks.push(tokio::spawn(async move {
            for _ in 0..10 {
                match admit(&ledger, &view, &secret, 10).await {
                    Ok(mut grant) => {
                        grant.sent();
                        tokio::task::yield_now().await;
                        let settled = grant.settle(usd(10), Certainty::Exact, Usage::default(), label("crowd"), "v").await.unwrap();
                        assert!(settled.charged && settled.overrun == usd(0));
                        served.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(Denied::Exhausted(_) | Denied::Held(_)) => drop(refused.fetch_add(1, Ordering::SeqCst)),
                    Err(other) => panic!("{other:?}"),
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!((served.load(Ordering::SeqCst), refused.load(Ordering::SeqCst)), (100, 400));
    assert_eq!(figures(&ledger, "crowd").await, (Some(0), 0, 1_000));
    ledger.close().await;
    assert_eq!(audited(file(&options)).live_holds, 0);
}

/// What is held and given back serves others: with real costs below the holds, all the money is spent in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn money_that_is_given_back_is_never_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let ledger = open(options.clone(), &Arc::new(Clock::manual(start())));
    let (view, secret) = token(&ledger, "crowd", Some(1_000)).await;
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let (ledger, view, secret) = (ledger.clone(), view.clone(), secret.clone());
        tasks.push(tokio::spawn(async move {
            let mut spent = 0;
            loop {
                match admit(&ledger, &view, &secret, 100).await {
                    Ok(grant) => {
                        tokio::task::yield_now().await;
                        spent += 7;
                        grant.settle(usd(7), Certainty::Exact, Usage::default(), label("crowd"), "v").await.unwrap();
                    }
                    // Only others are in the way: wait for them.
                    Err(Denied::Held(budget)) => assert!(budget.balance >= usd(100) && budget.held > usd(0)),
                    Err(Denied::Exhausted(budget)) => {
                        assert!(budget.balance < usd(100), "{budget:?}");
                        return spent;
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
        }));
    }
    let mut spent = 0;
    for task in tasks {
        spent += task.await.unwrap();
    }
    let (balance, held, recorded) = figures(&ledger, "crowd").await;
    assert_eq!((balance, held, recorded), (Some(1_000 - spent), 0, spent));
    assert!(balance < Some(100));
    ledger.close().await;
    audited(file(&options));
}
