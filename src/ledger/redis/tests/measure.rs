//! What the scripts cost the server, printed: `cargo test --lib measure -- --ignored --nocapture`. Nothing is demanded.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::task::JoinSet;

use super::runner::{Fault, Single};
use super::server::Server;
use super::subject::{GATEWAY, IDENTITY, done};
use crate::ledger::outbox::{Ending, HoldFacts, Record};
use crate::ledger::redis::memory::AdmittedHold;
use crate::ledger::redis::operations::{Care, Operations, Told, Wanted};
use crate::ledger::rules::tests::script::{ACCOUNT, hold_id, label, usd};
use crate::ledger::{AdmitRequest, Certainty, Renewal, Settlement};
use crate::prices::{Unit, Usage};
use crate::tokens::{NewToken, Secret, TokenKind};

const ROUND: usize = 20_000;
const LEASE: Duration = Duration::from_secs(600);

/// Microseconds a call, since the figures were last set back.
async fn cost(runner: &Single) -> String {
    let mut connection = runner.connection();
    let info: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await.unwrap();
    redis::cmd("CONFIG").arg("RESETSTAT").exec_async(&mut connection).await.unwrap();
    let line = info.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap_or_default().to_owned();
    line.split(',').find_map(|part| part.strip_prefix("usec_per_call=")).unwrap_or("?").to_owned()
}

/// Makes every call of a round, 64 of them at a time, and says what each cost but the first.
async fn round<Work: Future<Output = ()> + Send + 'static>(runner: &Single, calls: usize, call: impl Fn(usize) -> Work) -> String {
    // The first call brings the script to the server.
    call(0).await;
    cost(runner).await;
    let mut running = JoinSet::new();
    for number in 1..calls {
        if running.len() == 64 {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(call(number));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    cost(runner).await
}

/// CPU time of the server so far, in microseconds.
async fn cpu(runner: &Single) -> f64 {
    let info: String = redis::cmd("INFO").arg("cpu").query_async(&mut runner.connection()).await.unwrap();
    let seconds = |field: &str| info.lines().find_map(|line| line.strip_prefix(field)?.trim().parse::<f64>().ok()).unwrap();
    (seconds("used_cpu_user:") + seconds("used_cpu_sys:")) * 1e6
}

/// What a request costs on the ordinary road, and what one costs that is admitted from a slice, told of with others, and ends in the next call.
#[tokio::test]
#[ignore = "only prints"]
#[allow(clippy::cast_precision_loss)]
async fn what_a_request_from_a_slice_costs() {
    let server = Server::start("");
    let operations = Arc::new(Operations::new(Single::new(server.connect().await, Fault::None), TimeZone::UTC));
    done(operations.ensure_account(ACCOUNT, 0, None).await);
    done(operations.adopt(ACCOUNT, IDENTITY, GATEWAY, LEASE).await);
    done(operations.set_credits(ACCOUNT, IDENTITY, Some(usd(1 << 50))).await);
    let secret = Secret::presented("sg_live_measure".into());
    let new = NewToken { name: "measure".into(), kind: TokenKind::Api, balance: Some(usd(1 << 50)), active_balance: true, expire_time: None, reset: None };
    let token = done(operations.create_token(ACCOUNT, IDENTITY, &new, &secret.hash(), "sg_live_...").await).unwrap().id;
    let slice = hold_id(1_000_000);
    let wanted = Wanted { slice, token, secret: secret.hash(), most: usd(1 << 45), least: usd(1) };
    done(operations.take_slice(ACCOUNT, IDENTITY, &wanted, LEASE, GATEWAY).await).unwrap();
    let settlement = |number: usize| Settlement {
        hold: hold_id(number),
        cost: usd(1_234),
        certainty: Certainty::Exact,
        usage: Usage::default().with(Unit::Input, 120).with(Unit::CacheRead, 12).with(Unit::Output, 345),
        label: label("text__chat"),
        price_version: "2026-01-01".into(),
    };
    let admitted = |number: usize| {
        let label = label("text__chat");
        let facts = HoldFacts { amount: usd(1_000_000), on_token: true, on_account: true, lease: LEASE, label, slice: Some(slice) };
        AdmittedHold { hold: hold_id(number), account: ACCOUNT.into(), token, facts }
    };
    let ended = |number: usize| {
        let AdmittedHold { account, token, facts, .. } = admitted(number);
        Arc::new(Record { ending: Ending::Settle(settlement(number)), account, token, facts, written_at: jiff::Timestamp::UNIX_EPOCH })
    };
    let runner = operations.runner();
    let mut next = 0;
    for at_once in [1, 4, 16, 64, 128] {
        let before = cpu(runner).await;
        for _ in 0..ROUND / at_once {
            let mut running = JoinSet::new();
            for number in next..next + at_once {
                let (operations, secret, settlement) = (Arc::clone(&operations), secret.hash(), settlement(number));
                let (hold, want, label) = (hold_id(number), usd(1_000_000), label("text__chat"));
                running.spawn(async move {
                    let request = AdmitRequest { hold, token, secret, want, least: want, lease: LEASE, label };
                    done(operations.admit(ACCOUNT, IDENTITY, &request).await);
                    done(operations.settle(ACCOUNT, &settlement).await);
                });
            }
            running.join_all().await;
            next += at_once;
        }
        let ordinary = (cpu(runner).await - before) / ROUND as f64;
        let before = cpu(runner).await;
        for call in 0..ROUND / at_once {
            let last = if call == 0 { Vec::new() } else { (next - at_once..next).map(ended).collect() };
            let told = Told { admitted: (next..next + at_once).map(admitted).collect(), ended: last, slices: Vec::new() };
            done(operations.tell(ACCOUNT, IDENTITY, &told).await);
            next += at_once;
        }
        let sliced = (cpu(runner).await - before) / ROUND as f64;
        eprintln!("{at_once} requests at once: {ordinary:.1} us a request, {sliced:.1} us from a slice");
    }
}

/// What slices cost that nobody asks from just then: nothing a request, however many there are.
#[tokio::test]
#[ignore = "only prints"]
async fn what_many_slices_cost() {
    let server = Server::start("");
    let operations = Arc::new(Operations::new(Single::new(server.connect().await, Fault::None), TimeZone::UTC));
    done(operations.ensure_account(ACCOUNT, 0, None).await);
    done(operations.adopt(ACCOUNT, IDENTITY, GATEWAY, LEASE).await);
    let runner = operations.runner();
    let memory = async || {
        let info: String = redis::cmd("INFO").arg("memory").query_async(&mut runner.connection()).await.unwrap();
        info.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse::<i64>().ok()).unwrap()
    };
    let (mut count, mut token) = (0, None);
    for more in [1, 99, 900, 3_000] {
        let mut tokens = Vec::new();
        for number in count..count + more {
            let secret = Secret::presented(format!("sg_live_{number}"));
            let (name, balance) = (format!("measure {number}"), Some(usd(1 << 40)));
            let new = NewToken { name, kind: TokenKind::Api, balance, active_balance: true, expire_time: None, reset: None };
            tokens.push((number, secret.hash(), done(operations.create_token(ACCOUNT, IDENTITY, &new, &secret.hash(), "sg_live_...").await).unwrap().id));
        }
        let before = memory().await;
        for (number, secret, id) in tokens {
            let wanted = Wanted { slice: hold_id(number), token: id, secret, most: usd(1 << 30), least: usd(1) };
            done(operations.take_slice(ACCOUNT, IDENTITY, &wanted, LEASE, GATEWAY).await).unwrap();
            token = Some(id);
        }
        count += more;
        let bytes = (memory().await - before) / i64::try_from(more).unwrap();
        let call = |told: Arc<Told>| {
            let operations = Arc::clone(&operations);
            async move { _ = done(operations.tell(ACCOUNT, IDENTITY, &told).await) }
        };
        let (nothing, mut looks) = (Arc::new(Told::default()), Told::default());
        looks.slices = (0..count.min(100)).map(|slice| (hold_id(slice), Care::GoOn { fill_to: usd(0), lease: LEASE })).collect();
        let looks = Arc::new(looks);
        let glance = round(runner, 2_000, |_| call(Arc::clone(&nothing))).await;
        let look = round(runner, 200, |_| call(Arc::clone(&looks))).await;
        let recall = |whose| {
            let operations = Arc::clone(&operations);
            async move { _ = done(operations.recall_slices(ACCOUNT, whose, Duration::from_millis(1), false).await) }
        };
        let of_token = round(runner, 200, |_| recall(token)).await;
        let of_account = round(runner, 20, |_| recall(None)).await;
        let looked = looks.slices.len();
        eprintln!(
            "{count} slices, {bytes} bytes each: glance {glance} us, look after {looked} {look} us, recall of one token {of_token} us, of all {of_account} us"
        );
    }
}

#[tokio::test]
#[ignore = "only prints"]
async fn what_the_scripts_cost() {
    let server = Server::start("");
    let operations = Arc::new(Operations::new(Single::new(server.connect().await, Fault::None), TimeZone::UTC));
    done(operations.ensure_account(ACCOUNT, 0, None).await);
    done(operations.adopt(ACCOUNT, IDENTITY, GATEWAY, LEASE).await);
    done(operations.set_credits(ACCOUNT, IDENTITY, Some(usd(1 << 50))).await);
    let secret = Secret::presented("sg_live_measure".into());
    let new = NewToken { name: "measure".into(), kind: TokenKind::Api, balance: Some(usd(1 << 50)), active_balance: true, expire_time: None, reset: None };
    let token = done(operations.create_token(ACCOUNT, IDENTITY, &new, &secret.hash(), "sg_live_...").await).unwrap().id;
    let hash = secret.hash();
    let admit = |hold: usize| {
        let request =
            AdmitRequest { hold: hold_id(hold), token, secret: hash, want: usd(1_000_000), least: usd(1_000), lease: LEASE, label: label("text__chat") };
        let operations = operations.clone();
        async move { _ = done(operations.admit(ACCOUNT, IDENTITY, &request).await) }
    };
    let settle = |hold: usize| {
        let settlement = Settlement {
            hold: hold_id(hold),
            cost: usd(1_234),
            certainty: Certainty::Exact,
            usage: Usage::default().with(Unit::Input, 120).with(Unit::CacheRead, 12).with(Unit::Output, 345),
            label: label("text__chat"),
            price_version: "2026-01-01".into(),
        };
        let operations = operations.clone();
        async move { _ = done(operations.settle(ACCOUNT, &settlement).await) }
    };
    let runner = operations.runner();
    let (mut live, mut next) = (0, 0);
    for wanted in [1, 100, 10_000] {
        round(runner, wanted - live, |number| admit(next + number)).await;
        (live, next) = (wanted, next + wanted - live);
        let first = next;
        let admitted = round(runner, ROUND, |number| admit(first + number)).await;
        let renewed = round(runner, 20, |_| {
            let renewals: Vec<Renewal> = (first..first + 100).map(|hold| Renewal { hold: hold_id(hold), lease: LEASE, raise_to: usd(0) }).collect();
            let operations = operations.clone();
            async move { _ = done(operations.renew(ACCOUNT, &renewals).await) }
        })
        .await;
        let settled = round(runner, ROUND, |number| settle(first + number)).await;
        let swept = round(runner, 500, |_| {
            let operations = operations.clone();
            async move { _ = done(operations.sweep(ACCOUNT, IDENTITY, GATEWAY, 100).await) }
        })
        .await;
        let facts = round(runner, ROUND, |_| {
            let operations = operations.clone();
            async move { _ = done(operations.facts_by_secret(ACCOUNT, &hash).await).unwrap() }
        })
        .await;
        next += ROUND;
        eprintln!("{wanted} live holds: admit {admitted} us, settle {settled} us, renew of 100 {renewed} us, empty sweep {swept} us, facts {facts} us");
    }
}
