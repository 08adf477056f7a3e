//! Many at once on one budget, over several connections and on the server's own clock: exactly as many as it reaches for, and none refused that it reaches for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::raw;
use super::runner::{Fault, Single};
use super::server::Server;
use super::subject::{GATEWAY, IDENTITY, done};
use crate::ledger::redis::operations::Operations;
use crate::ledger::rules::AdmitReply;
use crate::ledger::rules::tests::script::{ACCOUNT, label, usd};
use crate::ledger::{AdmitRequest, Certainty, Denied, HoldId, Settlement};
use crate::prices::Usage;
use crate::tokens::{NewToken, Secret, TokenId, TokenKind};

const LEASE: Duration = Duration::from_secs(60);

fn secret() -> Secret {
    Secret::presented("sg_live_crowd".into())
}

/// A gateway for each of several connections, one token, and figures for it and for the account.
async fn gateways(connections: usize, balance: i64, credits: i64) -> (Vec<Arc<Operations<Single>>>, TokenId) {
    let first = Single::new(Server::shared().connect().await, Fault::None);
    let mut gateways = Vec::new();
    for _ in 0..connections {
        gateways.push(Arc::new(Operations::new(first.over(Server::shared().connect().await), TimeZone::UTC)));
    }
    let gateway = &gateways[0];
    done(gateway.ensure_account(ACCOUNT, 7, None).await);
    done(gateway.adopt(ACCOUNT, IDENTITY, GATEWAY, LEASE).await);
    done(gateway.set_credits(ACCOUNT, IDENTITY, Some(usd(credits))).await);
    let new = NewToken { name: "crowd".into(), kind: TokenKind::Api, balance: Some(usd(balance)), active_balance: true, expire_time: None, reset: None };
    let view = done(gateway.create_token(ACCOUNT, IDENTITY, &new, &secret().hash(), "sg_live_...").await).unwrap();
    assert_eq!(view.id, TokenId((7 << 32) + 1), "ids are unique over all accounts");
    (gateways, view.id)
}

async fn admit(gateway: &Operations<Single>, token: TokenId, hold: HoldId, amount: i64) -> Result<(), Denied> {
    let secret = secret().hash();
    let request = AdmitRequest { hold, token, secret, want: usd(amount), least: usd(amount), lease: LEASE, label: label("crowd") };
    match done(gateway.admit(ACCOUNT, IDENTITY, &request).await).reply {
        AdmitReply::Granted { .. } => Ok(()),
        AdmitReply::Denied(denied) => Err(denied),
    }
}

async fn settle(gateway: &Operations<Single>, hold: HoldId, cost: i64) {
    let settlement =
        Settlement { hold, cost: usd(cost), certainty: Certainty::Exact, usage: Usage::default(), label: label("crowd"), price_version: "v\"1\"".into() };
    let settled = done(gateway.settle(ACCOUNT, &settlement).await);
    assert!(settled.charged && settled.overrun == usd(0));
}

/// The token's balance, held and spent, and the account's balance.
async fn figures(gateway: &Operations<Single>, token: TokenId) -> (i64, i64, i64, i64) {
    let view = done(gateway.view(ACCOUNT, token).await).unwrap();
    raw::check(gateway.runner(), ACCOUNT).await.unwrap();
    (view.balance.unwrap().nanos(), view.held.nanos(), view.spent.nanos(), done(gateway.credits(ACCOUNT).await).unwrap().nanos())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_as_many_are_admitted_as_both_budgets_reach_for() {
    let (gateways, token) = gateways(4, 1_200, 1_000).await;
    let (served, refused) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut tasks = Vec::new();
    for task in 0..50 {
        let (gateway, served, refused) = (Arc::clone(&gateways[task % gateways.len()]), Arc::clone(&served), Arc::clone(&refused));
        tasks.push(tokio::spawn(async move {
            for _ in 0..10 {
                let hold = HoldId::generate();
                match admit(&gateway, token, hold, 10).await {
                    Ok(()) => {
                        tokio::task::yield_now().await;
                        settle(&gateway, hold, 10).await;
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
    assert_eq!(figures(&gateways[0], token).await, (200, 0, 1_000, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn money_that_is_given_back_is_never_refused() {
    let (gateways, token) = gateways(4, 1_000, 5_000).await;
    let spent = Arc::new(AtomicI64::new(0));
    let mut tasks = Vec::new();
    for task in 0..20 {
        let (gateway, spent) = (Arc::clone(&gateways[task % gateways.len()]), Arc::clone(&spent));
        tasks.push(tokio::spawn(async move {
            loop {
                let hold = HoldId::generate();
                match admit(&gateway, token, hold, 100).await {
                    Ok(()) if task % 5 == 0 => done(gateway.void(ACCOUNT, hold, LEASE).await),
                    Ok(()) => {
                        tokio::task::yield_now().await;
                        settle(&gateway, hold, 7).await;
                        spent.fetch_add(7, Ordering::SeqCst);
                    }
                    // Only others are in the way: wait for them.
                    Err(Denied::Held(budget)) => assert!(budget.balance >= usd(100) && budget.held > usd(0)),
                    Err(Denied::Exhausted(budget)) => return assert!(budget.balance < usd(100), "{budget:?}"),
                    Err(other) => panic!("{other:?}"),
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let spent = spent.load(Ordering::SeqCst);
    let (balance, held, recorded, credits) = figures(&gateways[0], token).await;
    assert_eq!((balance, held, recorded, credits), (1_000 - spent, 0, spent, 5_000 - spent));
    assert!(balance < 100);
}
