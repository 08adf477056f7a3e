//! The promise: a token never spends more than its budget and is never refused money that it still has, with many connections at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::asks::{limited, ocr, send, streamed};
use crate::support::money::{CENT, DOLLAR, RawObject, amount};
use crate::support::random::{Random, seed};
use crate::support::routes::Routes;
use crate::support::wait::PATIENCE;
use crate::support::{Answer, Client, Connection, Fleet, Gateway, Request, Setup, StandIn, Store, eventually, soak};

/// What became of a request, in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Answered,
    Exhausted,
    Held,
}

/// Checks that a refusal tells the truth about money, and says which it is.
fn refusal(answer: &Answer) -> End {
    let json: serde_json::Value = answer.json();
    let budget: RawObject = serde_json::from_str(&json["error"]["budget"].to_string()).unwrap();
    let figure = |field: &str| amount(&budget, field).unwrap_or_else(|| panic!("{field} in {}", answer.text()));
    let (balance, held, asked) = (figure("balance"), figure("held"), figure("asked"));
    match answer.status.as_u16() {
        402 => {
            assert_eq!(answer.code(), "budget_exhausted");
            assert_eq!(answer.header("x-should-retry"), Some("false"));
            assert_eq!(answer.header("retry-after"), None);
            assert!(balance < asked, "refused for good with {balance} left, {asked} asked");
            End::Exhausted
        }
        429 => {
            assert_eq!(answer.code(), "budget_held");
            assert!(answer.header("retry-after").is_some());
            assert!(balance >= asked && balance - held < asked, "balance {balance}, held {held}, asked {asked}");
            End::Held
        }
        status => panic!("{status}: {}", answer.text()),
    }
}

/// One request on a connection; asked again while others hold the money where `patient`.
async fn resolve(connection: &mut Connection, client: Client, request: &Request, patient: bool) -> End {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = connection.ask(client.address, request.clone()).await.unwrap();
        let end = if answer.status == 200 { End::Answered } else { refusal(&answer) };
        if end != End::Held || !patient {
            return end;
        }
        assert!(Instant::now() < deadline, "held for ever: {}", answer.text());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Fires `each` requests on each of many connections, all at once, and counts the ends.
async fn storm(
    client: Client,
    connections: usize,
    each: usize,
    request: impl Fn(usize) -> Request + Send + Sync + 'static,
    patient: bool,
) -> (usize, usize, usize) {
    let request = Arc::new(request);
    let start = Arc::new(tokio::sync::Barrier::new(connections));
    let tasks: Vec<_> = (0..connections)
        .map(|number| {
            let (request, start) = (Arc::clone(&request), Arc::clone(&start));
            tokio::spawn(async move {
                let mut connection = Connection::open(client.address).await.unwrap();
                start.wait().await;
                let mut ends = Vec::new();
                for turn in 0..each {
                    ends.push(resolve(&mut connection, client, &request(number * each + turn), patient).await);
                }
                ends
            })
        })
        .collect();
    let mut counts = (0, 0, 0);
    for task in tasks {
        for end in task.await.unwrap() {
            match end {
                End::Answered => counts.0 += 1,
                End::Exhausted => counts.1 += 1,
                End::Held => counts.2 += 1,
            }
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_connections_two_hundred_requests_one_dollar() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let rounds = if soak() { 20 } else { 1 };
    for round in 1..=rounds {
        let name = format!("dollar-{round}");
        let secret = gateway.tokens().with_budget(&name, "1.00").await;
        let (answered, exhausted, _) = storm(gateway.client(), 50, 4, move |_| ocr(&secret), true).await;
        assert_eq!((answered, exhausted), (100, 100));
        assert_eq!(provider.count(), 100 * round);
        let money = gateway.tokens().settled(&name).await;
        assert_eq!((money.balance, money.held, money.spent), (Some(0), 0, DOLLAR));
    }
    gateway.close().await;
}

/// One request on a connection of its own, asked again while others hold the money or the ledger does not answer in time. True: it was served.
async fn insist(client: Client, request: Request) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = client.ask(request.clone()).await;
        let end = match answer.status.as_u16() {
            200 => End::Answered,
            503 => {
                assert_eq!(answer.code(), "ledger_unavailable", "{}", answer.text());
                End::Held
            }
            _ => refusal(&answer),
        };
        match end {
            End::Answered => return true,
            End::Exhausted => return false,
            End::Held => assert!(Instant::now() < deadline, "held for ever: {}", answer.text()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Fires a thousand requests at once, spread over all gateways, at a budget for exactly so many of them, again and again.
async fn thousands(fleet: &Fleet, provider: &StandIn, runs: usize) {
    let mut random = Random::new(seed());
    let gateways = fleet.gateways.len();
    for run in 0..runs {
        let affordable = usize::try_from(1 + random.below(900)).unwrap();
        let name = format!("thousand-{run}");
        let budget = crate::support::money::dollars(CENT * i64::try_from(affordable).unwrap());
        let secret = fleet.gateways[run % gateways].tokens().with_budget(&name, &budget).await;
        let before = provider.count();
        let start = Arc::new(tokio::sync::Barrier::new(1000));
        let tasks: Vec<_> = (0..1000)
            .map(|number| {
                let (start, client, request) = (Arc::clone(&start), fleet.gateways[number % gateways].client(), ocr(&secret));
                tokio::spawn(async move {
                    start.wait().await;
                    insist(client, request).await
                })
            })
            .collect();
        let mut served = 0;
        for task in tasks {
            served += usize::from(task.await.unwrap());
        }
        assert_eq!((served, provider.count() - before), (affordable, affordable), "run {run}: served, and seen by the provider");
        for gateway in &fleet.gateways {
            let money = gateway.tokens().settled(&name).await;
            assert_eq!((money.balance, money.held, money.spent), (Some(0), 0, CENT * i64::try_from(affordable).unwrap()), "run {run}");
        }
    }
}

/// Patient with the ledger: nothing fails here, it is only a crowd.
fn patient(setup: Setup) -> Setup {
    setup.env("SPENDGATE_LEDGER_TIMEOUT", "3s").env("SPENDGATE_LEASE", "20s").env("SPENDGATE_LOG", "warn")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once_on_three_gateways() {
    let provider = StandIn::start().await;
    provider.keep_no_bodies();
    let fleet = Fleet::start(Store::single().await, 3, &provider, |setup| patient(setup).leases(false)).await;
    thousands(&fleet, &provider, if soak() { 100 } else { 5 }).await;
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once_on_three_gateways_that_admit_from_slices() {
    let provider = StandIn::start().await;
    provider.keep_no_bodies();
    let fleet = Fleet::start(Store::single().await, 3, &provider, |setup| patient(setup).leases(true)).await;
    thousands(&fleet, &provider, if soak() { 100 } else { 5 }).await;
    assert!(fleet.admitted_from_slices().await > 0, "no request was admitted from a slice");
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once_on_one_gateway() {
    let provider = StandIn::start().await;
    provider.keep_no_bodies();
    let fleet = Fleet::start(Store::Embedded, 1, &provider, |setup| setup.env("SPENDGATE_LOG", "warn")).await;
    thousands(&fleet, &provider, if soak() { 20 } else { 1 }).await;
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_answers_are_refused_as_held_and_nothing_is_overspent() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().with_budget("held", "0.10").await;
    provider.behave("gate=head");
    let client = gateway.client();
    let fired = tokio::spawn(storm(client, 50, 1, move |_| ocr(&secret), false));
    eventually("ten requests to reach the provider", async || (provider.count() == 10).then_some(())).await;
    // The other forty are refused while the ten hold: a second look, for a late eleventh.
    eventually("forty refusals", async || {
        let metrics = gateway.metrics().await;
        let refused: f64 =
            metrics.lines().filter(|line| line.contains("outcome=\"budget_held\"")).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
        (refused >= 40.0).then_some(())
    })
    .await;
    assert_eq!(provider.count(), 10);
    let money = gateway.tokens().money("held").await;
    assert_eq!((money.balance, money.held, money.spent), (Some(10 * CENT), 10 * CENT, 0));
    provider.open_gate();
    assert_eq!(fired.await.unwrap(), (10, 0, 40));
    let money = gateway.tokens().settled("held").await;
    assert_eq!((money.balance, money.spent), (Some(0), 10 * CENT));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chats_that_cost_less_than_their_hold_are_charged_what_the_provider_billed() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let budget = CENT;
    let secret = gateway.tokens().with_budget("chats", "0.01").await;
    let storm_secret = secret.clone();
    let each = if soak() { 200 } else { 8 };
    let request = move |number: usize| {
        let words = format!("request {number} @{{tokens={} cached={}}}", 5 + number % 40, number % 3);
        // Half of them streamed, and none will use what it sets aside.
        if number.is_multiple_of(2) { send(&storm_secret, &limited(&words, 2000)) } else { send(&storm_secret, &streamed(&words, 2000)) }
    };
    let (answered, exhausted, held) = storm(gateway.client(), 50, each, request, true).await;
    assert_eq!(answered + exhausted, 50 * each);
    assert_eq!(held, 0);
    assert_eq!(provider.count(), answered);
    let money = gateway.tokens().settled("chats").await;
    assert_eq!(money.spent, provider.cost(), "the charges are the provider's own total");
    assert_eq!(money.balance, Some(budget - provider.cost()));
    assert!(money.balance >= Some(0));

    // One after the other until it is refused: with nothing in flight there is no excuse but the balance.
    let mut connection = Connection::open(gateway.client().address).await.unwrap();
    let mut turns = 0;
    while resolve(&mut connection, gateway.client(), &send(&secret, &limited("the rest @{tokens=400}", 2000)), false).await == End::Answered {
        turns += 1;
        assert!(turns < 1000, "a cent cannot last so long");
    }
    let money = gateway.tokens().settled("chats").await;
    assert_eq!(money.spent, provider.cost());
    assert_eq!(money.balance, Some(budget - provider.cost()));
    assert!((0..CENT / 100).contains(&money.balance.unwrap()), "refused with {money:?}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tokens_money_is_not_anothers() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let first = gateway.tokens().with_budget("first", "0.02").await;
    let second = gateway.tokens().with_budget("second", "0.01").await;
    for (secret, affordable) in [(&first, 2), (&second, 1)] {
        for _ in 0..affordable {
            gateway.client().ask(ocr(secret)).await.expect(200);
        }
        gateway.client().ask(ocr(secret)).await.refused(402, "budget_exhausted");
    }
    assert_eq!(provider.count(), 3);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_without_a_budget_is_charged_but_never_refused() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let secret = gateway.tokens().create(&serde_json::json!({"name": "free", "balance": "0.005", "active_balance": false})).await;
    let (answered, ..) = storm(gateway.client(), 10, 5, move |_| ocr(&secret), false).await;
    assert_eq!(answered, 50);
    let money = gateway.tokens().settled("free").await;
    assert_eq!((money.balance, money.spent), (Some(CENT / 2), 50 * CENT), "the balance is stored, neither checked nor charged");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_provider_reports_is_charged_and_an_overrun_is_shown() {
    let provider = StandIn::start().await;
    let routes = Routes::at(provider.address())
        .http("/by-field", r#"{ reported = { json = "/cost" }, hold = "0.05" }"#)
        .http("/by-header", r#"{ reported = { header = "x-cost" }, hold = "0.05" }"#)
        .http("/gratis", r#""free""#);
    let gateway = Gateway::start(Setup::new(&routes)).await;
    let secret = gateway.tokens().with_budget("reported", "0.10").await;
    let call = |path: &str, words: &str| Request::post(path, &serde_json::json!({"page": words})).bearer(&secret);
    let client = gateway.client();
    client.ask(call("/by-field", "@{cost=0.0123}")).await.expect(200);
    client.ask(call("/by-header", "@{cost=0.000000001}")).await.expect(200);
    client.ask(call("/gratis", "nothing to pay")).await.expect(200);
    let money = gateway.tokens().settled("reported").await;
    assert_eq!((money.balance, money.spent), (Some(10 * CENT - 12_300_001), 12_300_001));
    // Above the hold: charged in full, whatever becomes of the balance.
    client.ask(call("/by-field", "@{cost=0.2}")).await.expect(200);
    let money = gateway.tokens().settled("reported").await;
    assert_eq!(money.balance, Some(10 * CENT - 12_300_001 - 20 * CENT));
    client.ask(call("/by-field", "@{cost=0.01}")).await.refused(402, "budget_exhausted");
    eventually("the overrun to be counted", async || {
        let metrics = gateway.metrics().await;
        metrics.lines().any(|line| line.starts_with("spendgate_overrun_usd_total{") && line.contains("reported") && !line.ends_with(" 0")).then_some(())
    })
    .await;
    gateway.close().await;
}
