//! kill -9 at any moment under load, again and again: the audit agrees, no charge is lost, every hold ends, and whoever saw the
//! end of an answer was charged exactly. `SPENDGATE_TEST_SEED` replays the choices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinHandle;

use crate::storm::length;
use crate::support::asks::{CHAT, limited, ocr, streamed};
use crate::support::journal::Journal;
use crate::support::money::{CENT, DOLLAR};
use crate::support::random::{Random, seed};
use crate::support::redis::Server;
use crate::support::routes::Routes;
use crate::support::stand_in::Row;
use crate::support::tokens::Money;
use crate::support::{Client, Gateway, Request, Setup, StandIn, eventually};

const WORKERS: usize = 6;
const LIMIT: i64 = 60;
/// How often the gateway is killed, at least.
const ROUNDS: u64 = 6;

/// What one worker knows of a round.
struct Report {
    /// The markers of the requests whose end it saw.
    ended: Vec<String>,
    /// The marker of the request that the kill cut, where one was under way.
    broken: Option<String>,
}

/// Sends one request after the other until the gateway is gone.
fn worker(client: Client, secret: String, name: String, mut random: Random, stop: Arc<AtomicBool>) -> JoinHandle<Report> {
    tokio::spawn(async move {
        let mut report = Report { ended: Vec::new(), broken: None };
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let marker = format!("<{name}-{number}>");
            let words = format!("{marker} @{{tokens={} delay={}}}", 1 + random.below(40), random.below(3));
            let request = match random.below(4) {
                0 => Request::post("/ocr", &json!({"document": marker})),
                1 => Request::post(CHAT, &limited(&words, LIMIT.unsigned_abs())),
                _ => Request::post(CHAT, &streamed(&words, LIMIT.unsigned_abs())),
            };
            match client.try_ask(request.bearer(&secret)).await {
                Ok(answer) => {
                    assert_eq!(answer.status, 200, "{marker}: {}", answer.text());
                    report.ended.push(marker);
                }
                Err(_) => {
                    report.broken = Some(marker);
                    break;
                }
            }
        }
        report
    })
}

/// Creates tokens until the gateway is gone, and tells which were acknowledged.
fn registrar(gateway: &Gateway, round: u64) -> JoinHandle<Vec<String>> {
    let tokens = gateway.tokens();
    tokio::spawn(async move {
        let mut acknowledged = Vec::new();
        for number in 0..200 {
            let name = format!("made-{round}-{number}");
            let request = Request::post(crate::support::tokens::COLLECTION, &json!({"name": name, "balance": "1.25"})).bearer(&tokens.key);
            match tokens.client.try_ask(request).await {
                Ok(answer) => {
                    answer.expect(201);
                    acknowledged.push(name);
                }
                Err(_) => break,
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        acknowledged
    })
}

/// The most that a request can have set aside: every byte a token, at the dearest tier of the model.
fn most(row: Option<&Row>) -> i64 {
    let bytes = row.map_or(400, |row| i64::try_from(row.body.len()).unwrap());
    CENT.max(2 * ((bytes + 100) * 150 + LIMIT * 600))
}

async fn killed_at_any_moment(setting: impl Fn(Setup) -> Setup) {
    let mut random = Random::new(seed());
    let provider = StandIn::start().await;
    let routes = Routes::at(provider.address()).openai("").http("/ocr", r#"{ per_request = "0.01" }"#);
    let mut gateway = Gateway::start(setting(Setup::new(&routes))).await;
    let mut secrets = Vec::new();
    let mut before: BTreeMap<usize, Money> = BTreeMap::new();
    for number in 0..WORKERS {
        secrets.push(gateway.tokens().with_budget(&format!("worker-{number}"), "500.00").await);
        before.insert(number, gateway.tokens().money(&format!("worker-{number}")).await);
    }
    let end = Instant::now() + length(0, 15);
    let mut round = 0;
    while round < ROUNDS || Instant::now() < end {
        let began = Instant::now();
        let stop = Arc::new(AtomicBool::new(false));
        let served = provider.count();
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| {
                let name = format!("r{round}w{number}");
                worker(gateway.client(), secrets[number].clone(), name, Random::new(random.next()), Arc::clone(&stop))
            })
            .collect();
        let made = registrar(&gateway, round);
        let target = served + 1 + usize::try_from(random.below(60)).unwrap();
        eventually("load", async || (provider.count() >= target).then_some(())).await;
        tokio::time::sleep(Duration::from_micros(random.below(20_000))).await;
        gateway.kill9();
        stop.store(true, Ordering::Relaxed);
        let mut reports = Vec::new();
        for worker in workers {
            reports.push(worker.await.unwrap());
        }
        let made = made.await.unwrap();
        gateway.audit();
        gateway.launch().await;
        if random.below(3) == 0 {
            // Struck again while it picks up the pieces.
            gateway.kill9();
            gateway.launch().await;
        }
        for name in made {
            assert_eq!(gateway.tokens().money(&name).await.balance, Some(125 * CENT), "{name} was acknowledged");
        }
        for (number, report) in reports.into_iter().enumerate() {
            let now = gateway.tokens().settled(&format!("worker-{number}")).await;
            let was = before.insert(number, now.clone()).unwrap();
            let charged = now.spent - was.spent;
            assert_eq!(was.balance.unwrap() - now.balance.unwrap(), charged, "round {round}, worker {number}");
            let exact: i64 = report.ended.iter().map(|marker| provider.row_with(marker).consumed.cost).sum();
            let rest = charged - exact;
            let row = report.broken.as_ref().and_then(|marker| provider.rows_with(marker).into_iter().next());
            let least = row.as_ref().map_or(0, |row| row.consumed.cost);
            let most = if report.broken.is_some() { most(row.as_ref()) } else { 0 };
            assert!(
                (least..=most).contains(&rest),
                "round {round}, worker {number}: {rest} beyond the {exact} that was seen; {least}..={most} for what was cut"
            );
        }
        let spent: i64 = before.values().map(|money| money.spent).sum();
        assert!(spent >= provider.cost(), "round {round}: no row of the provider's ledger lacks a charge");
        eprintln!("round {round}: {} requests so far, {:?}", provider.count(), began.elapsed());
        round += 1;
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_nothing_is_lost() {
    killed_at_any_moment(|setup| setup).await;
}

/// What it had set aside and not used is given back by the process that comes after: not a nano-dollar of that is charged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_with_slices_nothing_is_lost_or_left_in_them() {
    let server = Server::start().await;
    let store = format!("redis://{}", server.address());
    killed_at_any_moment(|setup| setup.env("SPENDGATE_STORE", &store).leases(true)).await;
    let journal = Journal::of_server(server.address()).await;
    let slices: i64 = journal.0.iter().filter(|entry| entry.slice).map(|entry| entry.cost).sum();
    assert_eq!(slices, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_whose_gateway_died_is_charged_when_its_lease_ends() {
    let provider = StandIn::start().await;
    let mut gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("died", "1.00").await;
    let second = gateway.tokens().with_budget("died-too", "0.01").await;
    provider.behave("gate=head");
    let client = gateway.client();
    let waiting: Vec<_> = [secret.clone(), second.clone()].into_iter().map(|secret| tokio::spawn(async move { client.try_ask(ocr(&secret)).await })).collect();
    eventually("both to reach the provider", async || (provider.count() == 2).then_some(())).await;
    gateway.kill9();
    for task in waiting {
        assert!(task.await.unwrap().is_err());
    }
    gateway.audit();
    gateway.launch().await;
    let money = gateway.tokens().settled("died").await;
    assert_eq!((money.balance, money.spent), (Some(DOLLAR - CENT), CENT));
    let money = gateway.tokens().settled("died-too").await;
    assert_eq!((money.balance, money.spent), (Some(0), CENT));
    provider.open_gate();
    gateway.client().ask(ocr(&secret)).await.expect(200);
    gateway.client().ask(ocr(&second)).await.refused(402, "budget_exhausted");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_lives_as_long_as_its_request() {
    let provider = StandIn::start().await;
    let routes = Routes::at(provider.address()).openai("").http("/ocr", r#"{ per_request = "0.01" }"#);
    let gateway = Gateway::start(Setup::new(&routes).env("SPENDGATE_LEASE", "1s")).await;
    let secret = gateway.tokens().with_budget("long", "1.00").await;
    let stream = gateway.client().stream(crate::support::asks::send(&secret, &streamed("long @{tokens=9 gate=first}", 100))).await.unwrap();
    let held = gateway.tokens().money("long").await.held;
    assert!(held > 0);
    // Several leases long. Were the hold not renewed, it would have been charged by now.
    tokio::time::sleep(Duration::from_millis(3500)).await;
    let money = gateway.tokens().money("long").await;
    assert_eq!((money.balance, money.held, money.spent), (Some(DOLLAR), held, 0));
    provider.open_gate();
    stream.rest().await.unwrap();
    assert_eq!(gateway.tokens().settled("long").await.spent, provider.cost());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_gateway_on_the_same_store_is_refused() {
    let provider = StandIn::start().await;
    let routes = Routes::at(provider.address()).openai("");
    // A file, whatever store the other tests run on: on a server a second gateway is welcome.
    let gateway = Gateway::start(Setup::new(&routes).env("SPENDGATE_STORE", "sqlite:spendgate.db")).await;
    let mut environment = gateway.environment();
    for (name, value) in &mut environment {
        if name == "SPENDGATE_LISTEN" || name == "SPENDGATE_OPS_LISTEN" {
            *value = crate::support::ports::free().to_string();
        }
    }
    let folder = gateway.store().parent().unwrap().to_owned();
    let output = tokio::task::spawn_blocking(move || crate::support::process::run(&folder, &["serve"], &environment)).await.unwrap();
    assert!(!output.status.success());
    let said = crate::support::process::both(&output);
    assert!(said.contains("spendgate.db"), "it names the store: {said}");
    gateway.close().await;
}
