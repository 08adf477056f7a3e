//! Gateways that admit from slices of a budget: what one has set aside is had by another at once, and what is changed or revoked counts for all when it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::asks::{limited, ocr, send};
use crate::support::money::CENT;
use crate::support::tokens::path;
use crate::support::{Client, Connection, Fleet, Request, Setup, StandIn, Store, eventually};

/// Requests that are under way at a gateway all the time.
const AT_ONCE: usize = 8;

fn setting(setup: Setup) -> Setup {
    setup.env("SPENDGATE_LEDGER_TIMEOUT", "3s").env("SPENDGATE_LEASE", "20s").env("SPENDGATE_LOG", "warn").leases(true)
}

async fn fleet(provider: &StandIn, gateways: usize) -> Fleet {
    provider.keep_no_bodies();
    Fleet::start(Store::single().await, gateways, provider, setting).await
}

/// Requests, one after the other on some connections, until they are stopped or refused.
struct Load {
    stop: Arc<AtomicBool>,
    /// Whoever begins from now on must be refused.
    revoked: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl Load {
    fn on(client: Client, secret: &str) -> Self {
        let (stop, revoked, served) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let mut tasks = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (stop, revoked, served, request) = (Arc::clone(&stop), Arc::clone(&revoked), Arc::clone(&served), ocr(secret));
            tasks.spawn(async move {
                let mut connection = Connection::open(client.address).await.unwrap();
                while !stop.load(Ordering::SeqCst) {
                    let after = revoked.load(Ordering::SeqCst);
                    let answer = connection.ask(client.address, request.clone()).await.unwrap();
                    if answer.status == 200 {
                        assert!(!after, "served after the change was told");
                        served.fetch_add(1, Ordering::SeqCst);
                    } else if after || answer.status == 401 || answer.status == 402 || answer.status == 403 {
                        return;
                    } else {
                        panic!("{} {}", answer.status, answer.text());
                    }
                }
            });
        }
        Self { stop, revoked, served, tasks }
    }

    async fn ended(mut self) -> usize {
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self.served.load(Ordering::SeqCst)
    }

    async fn stopped(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        self.ended().await
    }
}

/// Waits until a gateway admits from slices, of this load alone.
async fn from_slices(fleet: &Fleet) {
    let before = fleet.admitted_from_slices().await;
    eventually("requests to be admitted from slices", async || (fleet.admitted_from_slices().await >= before + 20).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_gateway_has_set_aside_is_had_by_another_at_once() {
    let provider = StandIn::start().await;
    let fleet = fleet(&provider, 2).await;
    let secret = fleet.tokens().with_budget("shared", "5.00").await;
    let load = Load::on(fleet.gateways[0].client(), &secret);
    from_slices(&fleet).await;
    let served = load.stopped().await;
    // It sits on a slice that nobody uses any more. Nobody is told that others hold the money: not one 429.
    let client = fleet.gateways[1].client();
    let mut others = 0;
    loop {
        let answer = client.ask(ocr(&secret)).await;
        if answer.status != 200 {
            answer.refused(402, "budget_exhausted");
            break;
        }
        others += 1;
    }
    assert_eq!((served + others, provider.count()), (500, 500));
    let money = fleet.gateways[0].tokens().settled("shared").await;
    assert_eq!((money.balance, money.spent), (Some(0), 500 * CENT));
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_busy_tokens_at_once_spend_all_they_have_and_leave_no_slice() {
    const TOKENS: usize = 60;
    const EACH: usize = 25;
    let provider = StandIn::start().await;
    let fleet = fleet(&provider, 2).await;
    let mut tasks = JoinSet::new();
    for number in 0..TOKENS {
        let secret = fleet.tokens().with_budget(&format!("busy-{number}"), "0.25").await;
        for gateway in 0..8 {
            let (client, request) = (fleet.gateways[gateway % 2].client(), ocr(&secret));
            tasks.spawn(async move {
                let mut connection = Connection::open(client.address).await.unwrap();
                let mut served = 0;
                loop {
                    let answer = connection.ask(client.address, request.clone()).await.unwrap();
                    match answer.status.as_u16() {
                        200 => served += 1,
                        // All that is left is held for requests on their way.
                        429 => tokio::time::sleep(Duration::from_millis(100)).await,
                        _ => {
                            answer.refused(402, "budget_exhausted");
                            return served;
                        }
                    }
                }
            });
        }
    }
    let mut served = 0;
    while let Some(ended) = tasks.join_next().await {
        served += ended.unwrap();
    }
    assert_eq!((served, provider.count()), (TOKENS * EACH, TOKENS * EACH));
    assert!(fleet.admitted_from_slices().await > TOKENS, "hardly any were admitted from slices");
    fleet.quiet(Duration::from_secs(30)).await;
    for number in 0..TOKENS {
        let money = fleet.tokens().money(&format!("busy-{number}")).await;
        assert_eq!((money.balance, money.held, money.spent), (Some(0), 0, 25 * CENT));
    }
    // Nothing is known of any slice any more, but whose were called back lately.
    let Store::Single(server) = &fleet.store else { unreachable!() };
    let fields = server.command(&["HKEYS", "sg:{default}:slices"]).await;
    let slices: Vec<&str> = fields.array().iter().map(|field| field.text()).filter(|field| !field.is_empty() && !field.starts_with('!')).collect();
    assert!(slices.is_empty(), "{slices:?}");
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_and_a_clamp_say_the_same_with_slices_and_without() {
    let provider = StandIn::start().await;
    let number = AtomicUsize::new(0);
    let fleet = Fleet::start(Store::single().await, 2, &provider, |setup| setting(setup).leases(number.fetch_add(1, Ordering::SeqCst) == 0)).await;
    // Nothing, too little for the least, enough for that alone, enough for all.
    for (name, balance) in [("none", "0"), ("little", "0.000001"), ("some", "0.001"), ("plenty", "1")] {
        let secret = fleet.tokens().with_budget(name, balance).await;
        let mut said = Vec::new();
        for gateway in &fleet.gateways {
            let answer = gateway.client().ask(send(&secret, &limited("the same @{tokens=0}", 16_000))).await;
            let sent = provider.rows().pop().map(|row| String::from_utf8_lossy(&row.body).into_owned());
            fleet.quiet(Duration::from_secs(10)).await;
            fleet.tokens().patch(name, &json!({"balance": balance})).await.expect(200);
            said.push((answer.status, if answer.status == 200 { sent.unwrap() } else { answer.json()["error"].to_string() }));
        }
        assert_eq!(said[0], said[1], "{name}");
        assert_eq!(said[0].0 == 200, ["some", "plenty"].contains(&name), "{name}: {said:?}");
    }
    fleet.close().await;
}

/// Changes a token under load, through the gateway that has no load; from the moment that it is told, the other one serves nobody.
async fn changed(change: Request, status: u16) {
    let provider = StandIn::start().await;
    let fleet = fleet(&provider, 2).await;
    changed_on(fleet, &provider, change, status).await;
}

async fn changed_on(fleet: Fleet, provider: &StandIn, change: Request, status: u16) {
    let secret = fleet.tokens().with_budget("changed", "1000").await;
    let load = Load::on(fleet.gateways[0].client(), &secret);
    from_slices(&fleet).await;
    let other = fleet.gateways[1].client();
    other.ask(change.bearer(crate::support::gateway::MAIN_KEY)).await.expect(status);
    load.revoked.store(true, Ordering::SeqCst);
    let served = load.ended().await;
    assert_eq!(provider.count(), served);
    fleet.quiet(Duration::from_secs(30)).await;
    fleet.close().await;
}

fn patch(body: &serde_json::Value) -> Request {
    Request::new(hyper::Method::PATCH, &path("changed")).header("content-type", "application/json").body(body.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_was_replaced_opens_nothing_at_any_gateway() {
    changed(Request::post(&format!("{}rotate/", path("changed")), &json!({"grace_seconds": 0})), 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_token_spends_nothing_at_any_gateway() {
    changed(Request::new(hyper::Method::DELETE, &path("changed")), 204).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balance_that_was_set_to_nothing_is_nothing_at_every_gateway() {
    changed(patch(&json!({"balance": "0"})), 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_expired_is_refused_at_every_gateway() {
    changed(patch(&json!({"expire_time": "2020-01-01T00:00:00Z"})), 200).await;
}

/// How a gateway comes back that was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Back {
    /// While its slice lives.
    AtOnce,
    /// When its slice has expired, and was charged.
    Later,
    /// Later too, and its outbox is lost.
    WithoutItsOutbox,
}

/// A gateway dies under load. Returns what was charged beyond what was served, and the most that can have been on its way.
async fn killed(back: Back) -> (i64, i64) {
    let provider = StandIn::start().await;
    let mut fleet = fleet(&provider, 2).await;
    let secret = fleet.tokens().with_budget("mourned", "80.00").await;
    let client = fleet.gateways[0].client();
    let request = ocr(&secret);
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (request, stop) = (request.clone(), Arc::clone(&stop));
        tasks.spawn(async move { while !stop.load(Ordering::SeqCst) && client.try_ask(request.clone()).await.is_ok() {} });
    }
    from_slices(&fleet).await;
    fleet.kill(0);
    stop.store(true, Ordering::SeqCst);
    while tasks.join_next().await.is_some() {}
    let tokens = fleet.gateways[1].tokens();
    if back != Back::AtOnce {
        // Whoever changes the token waits no longer than the slice lives.
        tokens.patch("mourned", &json!({"active_balance": true})).await.expect(200);
    }
    if back == Back::WithoutItsOutbox {
        std::fs::remove_dir_all(fleet.gateways[0].outbox()).unwrap();
    }
    fleet.revive(0).await;
    fleet.quiet(Duration::from_secs(40)).await;
    let money = tokens.money("mourned").await;
    assert_eq!(money.balance, Some(8_000 * CENT - money.spent));
    fleet.gateways[1].client().ask(ocr(&secret)).await.expect(200);
    fleet.close().await;
    // The one of now is among what was served.
    let served = CENT * (i64::try_from(provider.count()).unwrap() - 1);
    (money.spent - served, CENT * i64::try_from(AT_ONCE).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_started_again_gives_back_what_nobody_used_of_its_slices() {
    for back in [Back::AtOnce, Back::Later] {
        let (beyond, on_their_way) = killed(back).await;
        assert!((0..=on_their_way).contains(&beyond), "{back:?}: {beyond} beyond what was served");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_dies_for_good_loses_no_more_than_its_slice() {
    let (beyond, on_their_way) = killed(Back::WithoutItsOutbox).await;
    assert!((0..=on_their_way + 10 * 100 * CENT).contains(&beyond), "{beyond} beyond what was served");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_without_slices_calls_back_those_of_others() {
    let provider = StandIn::start().await;
    provider.keep_no_bodies();
    let number = AtomicUsize::new(0);
    let one_of_two = |setup: Setup| match number.fetch_add(1, Ordering::SeqCst) {
        0 => setting(setup),
        _ => setting(setup).leases(false),
    };
    let fleet = Fleet::start(Store::single().await, 2, &provider, one_of_two).await;
    changed_on(fleet, &provider, Request::post(&format!("{}rotate/", path("changed")), &json!({"grace_seconds": 0})), 200).await;
}
