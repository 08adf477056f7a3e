//! The money storm: many clients, half of them streaming, on tokens near their limits, through several gateways on one store, while gateways
//! and the store are killed; and then every nano-dollar is accounted for against the provider's own ledger.
//!
//! `SPENDGATE_TEST_SEED` replays the choices; `SPENDGATE_SOAK_MINUTES` says how long the long form takes.

mod managers;
mod traffic;
mod verdict;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::RwLock;
use tokio::task::JoinHandle;

use crate::support::asks::{limited, send};
use crate::support::fleet::Lives;
use crate::support::gateway::MAIN_KEY;
use crate::support::money::{CENT, DOLLAR, dollars};
use crate::support::random::{Random, seed};
use crate::support::{Fleet, Request, Setup, StandIn, Store, eventually, soak};
use managers::CREDITS;
pub(crate) use traffic::{Tally, figures, truth};
pub(crate) use verdict::Verdict;

/// The lease of the gateways in a storm.
pub(crate) const LEASE: Duration = Duration::from_secs(5);

/// How large a storm is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) clients: usize,
    pub(crate) tokens: usize,
    /// Budgets, secrets and the account's budget change meanwhile.
    pub(crate) managed: bool,
    /// How many times the usual budgets: more than all clients can spend, and slices are never in the way.
    pub(crate) rich: i64,
}

/// A token of a storm.
pub(crate) struct Token {
    pub(crate) name: String,
    secret: Mutex<String>,
    /// It also calls what costs a cent a call.
    pub(crate) per_call: bool,
    /// Its budget is enforced.
    pub(crate) enforced: bool,
    /// Its budget is set anew meanwhile.
    is_set_anew: bool,
    /// Its secret is rotated meanwhile.
    rotates: bool,
    /// What it may have been set to.
    pub(crate) sets: Mutex<Vec<i64>>,
    /// Until when a secret may be refused that a rotation replaced whose answer nobody got.
    revocable_until: Mutex<Option<Instant>>,
}

/// What all parts of a storm share.
pub(crate) struct Shared {
    pub(crate) lives: Lives,
    pub(crate) tokens: Vec<Token>,
    /// The account's own budget, when it is set anew.
    pub(crate) credits: Option<i64>,
    /// The least that a token's budget is set to: more than all clients together can hold of it.
    least_set: i64,
    /// The secret of a sandbox token: the ledger admits it like any other, and nothing is charged.
    canary: String,
    /// Taken to write by whoever makes the store lose what it acknowledged.
    pub(crate) calm: RwLock<()>,
    stop: AtomicBool,
}

/// A storm that rages.
pub(crate) struct Storm {
    pub(crate) shared: Arc<Shared>,
    clients: Vec<JoinHandle<Tally>>,
    manager: Option<JoinHandle<()>>,
    began: Instant,
    /// Kills and failovers of the store, for the table.
    pub(crate) store_events: usize,
}

// === impl Plan ===

impl Plan {
    /// As the size of this run has it.
    pub(crate) fn usual() -> Self {
        if soak() { Self { clients: 300, tokens: 200, managed: true, rich: 1 } } else { Self { clients: 40, tokens: 30, managed: true, rich: 1 } }
    }
}

/// How long, in seconds: the short form, or the long one.
pub(crate) fn length(short: u64, minutes: u64) -> Duration {
    let minutes = std::env::var("SPENDGATE_SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(minutes);
    Duration::from_secs(if soak() { minutes * 60 } else { short })
}

/// The settings of every gateway in a storm.
pub(crate) fn setting(setup: Setup) -> Setup {
    let quiet = if soak() { "warn" } else { "info" };
    setup.env("SPENDGATE_LEASE", &format!("{}s", LEASE.as_secs())).env("SPENDGATE_LEDGER_TIMEOUT", "1s").env("SPENDGATE_LOG", quiet)
}

// === impl Token ===

impl Token {
    fn secret(&self) -> String {
        self.secret.lock().unwrap().clone()
    }

    fn expect_revocations(&self) {
        *self.revocable_until.lock().unwrap() = Some(Instant::now() + Duration::from_secs(60));
    }

    fn now_opens_with(&self, secret: String) {
        *self.secret.lock().unwrap() = secret;
        // For those who had the old one in their hands.
        *self.revocable_until.lock().unwrap() = Some(Instant::now() + Duration::from_secs(5));
    }

    fn may_be_revoked(&self) -> bool {
        self.revocable_until.lock().unwrap().is_some_and(|until| Instant::now() < until)
    }
}

// === impl Shared ===

impl Shared {
    fn over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

// === impl Storm ===

impl Storm {
    /// Makes the tokens and lets the clients loose.
    pub(crate) async fn begin(fleet: &Fleet, plan: Plan, random: &mut Random) -> Self {
        let mut tokens = Vec::new();
        let mut sum = 0;
        for number in 0..plan.tokens {
            let per_call = number % 3 == 0;
            let enforced = number % 10 != 9;
            // Near its limit: some dozens of chats, or some dozens of calls.
            let budget = if per_call { CENT * i64::try_from(5 + random.below(40)).unwrap() } else { 300_000 + i64::try_from(random.below(3_000_000)).unwrap() };
            let budget = budget * plan.rich;
            sum += budget;
            let name = format!("storm-{number}");
            let mut body = json!({"name": name, "balance": dollars(budget), "active_balance": enforced});
            if number % 10 == 4 {
                body["balance_reset_period"] = json!("daily");
                body["balance_reset_amount"] = json!(dollars(budget));
            }
            let secret = fleet.gateways[number % fleet.gateways.len()].tokens().create(&body).await;
            tokens.push(Token {
                name,
                secret: Mutex::new(secret),
                per_call,
                enforced,
                is_set_anew: plan.managed && !per_call && number % 2 == 0,
                rotates: plan.managed && number % 5 == 1,
                sets: Mutex::default(),
                revocable_until: Mutex::default(),
            });
        }
        let clients = i64::try_from(plan.clients).unwrap();
        let credits = plan.managed.then_some((sum * 3 / 5).max(2 * clients * CENT));
        let canary = fleet.gateways[0].tokens().sandbox("canary").await;
        let shared = Arc::new(Shared {
            lives: fleet.lives.clone(),
            tokens,
            credits,
            least_set: clients * 200_000,
            canary,
            calm: RwLock::new(()),
            stop: AtomicBool::new(false),
        });
        if let Some(credits) = credits {
            set_credits(fleet, credits).await;
        }
        let clients = (0..plan.clients).map(|number| tokio::spawn(traffic::client(Arc::clone(&shared), number, Random::new(random.next())))).collect();
        let manager = plan.managed.then(|| tokio::spawn(managers::manager(Arc::clone(&shared), Random::new(random.next()))));
        Self { shared, clients, manager, began: Instant::now(), store_events: 0 }
    }

    /// Ends it, waits until no money is under way, and judges.
    pub(crate) async fn end(self, fleet: &Fleet, provider: &StandIn) -> Verdict {
        self.shared.stop.store(true, Ordering::Relaxed);
        let took = self.began.elapsed();
        let mut tallies = Vec::new();
        for client in self.clients {
            tallies.push(client.await.unwrap());
        }
        if let Some(manager) = self.manager {
            manager.await.unwrap();
        }
        let settled = fleet.quiet(LEASE + Duration::from_secs(30)).await;
        let mut verdict = Verdict::of(&self.shared, tallies, provider, &fleet.journal().await);
        (verdict.took, verdict.settled, verdict.store_events) = (took, settled, self.store_events);
        verdict.gateway_kills = self.shared.lives.kills();
        verdict.from_slices = fleet.admitted_from_slices().await;
        let audit = fleet.audit();
        if audit["agrees"] != true {
            verdict.faults.push(format!("audit: {audit}"));
        }
        if self.shared.credits.is_some() {
            set_credits(fleet, 10_000 * DOLLAR).await;
        }
        verdict.probe(&self.shared, fleet).await;
        verdict
    }
}

/// Sets the account's own budget.
pub(crate) async fn set_credits(fleet: &Fleet, credits: i64) {
    let body = json!({"credits": dollars(credits)}).to_string();
    let request = Request::new(hyper::Method::PATCH, CREDITS).header("content-type", "application/json").body(body).bearer(MAIN_KEY);
    fleet.gateways[0].client().ask(request).await.expect(200);
}

/// Kills a gateway at random, leaves it dead for a moment, starts it again.
async fn a_gateway_dies(fleet: &mut Fleet, random: &mut Random) {
    let number = usize::try_from(random.below(fleet.gateways.len() as u64)).unwrap();
    fleet.kill(number);
    tokio::time::sleep(Duration::from_millis(random.below(1_500))).await;
    fleet.revive(number).await;
}

/// Kills the one server, leaves it dead for a moment, starts it again. Every second time as in a power cut, which takes what was acknowledged
/// last with it; then no gateway dies and nobody changes a budget at the same time.
async fn the_server_dies(storm: &mut Storm, fleet: &mut Fleet, random: &mut Random) {
    storm.store_events += 1;
    let calm = storm.shared.calm.write().await;
    if storm.store_events.is_multiple_of(2) {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        fleet.store.server().lose_power(Duration::from_millis(100 + random.below(900))).await;
    } else {
        fleet.store.server().kill9();
    }
    tokio::time::sleep(Duration::from_millis(random.below(3_000))).await;
    fleet.store.server().launch().await;
    // Every gateway admits again only when all of them have put back what is lost.
    for gateway in &fleet.gateways {
        eventually("the gateways to admit again", async || {
            let answer = gateway.client().try_ask(send(&storm.shared.canary, &limited("canary", 5))).await;
            answer.is_ok_and(|answer| answer.status == 200).then_some(())
        })
        .await;
    }
    drop(calm);
}

/// Lets it rage: a gateway dies every few seconds, the server as often as asked.
async fn rage(storm: &mut Storm, fleet: &mut Fleet, random: &mut Random, length: Duration, server_dies_each: Option<Duration>) {
    let end = Instant::now() + length;
    let mut server_dies = server_dies_each.map(|each| Instant::now() + each);
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(500 + random.below(3_500))).await;
        if server_dies.is_some_and(|at| Instant::now() >= at) {
            the_server_dies(storm, fleet, random).await;
            server_dies = server_dies_each.map(|each| Instant::now() + each);
        } else {
            a_gateway_dies(fleet, random).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_store_loses_nothing() {
    let mut random = Random::new(seed());
    let provider = StandIn::start().await;
    provider.keep_no_bodies();
    let mut fleet = Fleet::start(Store::Embedded, 1, &provider, setting).await;
    let plan = Plan { clients: if soak() { 100 } else { 16 }, tokens: if soak() { 100 } else { 20 }, managed: true, rich: 1 };
    let mut storm = Storm::begin(&fleet, plan, &mut random).await;
    rage(&mut storm, &mut fleet, &mut random, length(10, 5), None).await;
    let verdict = storm.end(&fleet, &provider).await;
    verdict.accept("one gateway, embedded store");
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_gateways_on_one_redis_lose_nothing() {
    let mut random = Random::new(seed());
    let provider = StandIn::start().await;
    provider.keep_no_bodies();
    let mut fleet = Fleet::start(Store::single().await, 3, &provider, |setup| setting(setup).leases(false)).await;
    let mut storm = Storm::begin(&fleet, Plan::usual(), &mut random).await;
    let each = Duration::from_secs(if soak() { 20 } else { 13 });
    rage(&mut storm, &mut fleet, &mut random, length(40, 20), Some(each)).await;
    let verdict = storm.end(&fleet, &provider).await;
    verdict.accept("three gateways, one Redis");
    fleet.close().await;
}

/// Few tokens, so that each is busy: then most requests are admitted from slices.
async fn on_slices(plan: Plan, title: &str) {
    let mut random = Random::new(seed());
    let provider = StandIn::start().await;
    provider.keep_no_bodies();
    let setting = |setup: Setup| setting(setup).leases(true);
    let mut fleet = Fleet::start(Store::single().await, 3, &provider, setting).await;
    let mut storm = Storm::begin(&fleet, plan, &mut random).await;
    let each = Duration::from_secs(if soak() { 20 } else { 13 });
    rage(&mut storm, &mut fleet, &mut random, length(40, 20), Some(each)).await;
    let verdict = storm.end(&fleet, &provider).await;
    verdict.accept(title);
    assert!(verdict.from_slices > 0, "no request was admitted from a slice");
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_gateways_that_admit_from_slices_lose_nothing() {
    on_slices(Plan { tokens: if soak() { 12 } else { 3 }, rich: 20, ..Plan::usual() }, "three gateways that admit from slices, one Redis").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slices_near_the_end_of_budgets_refuse_nobody() {
    on_slices(Plan { tokens: if soak() { 12 } else { 4 }, rich: 3, ..Plan::usual() }, "slices near the end of budgets").await;
}
