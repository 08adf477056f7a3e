//! The storm while the store fails over, again and again: primaries killed, or frozen past their succession and let go on, or cut off from all but the
//! gateways, or replaced alive; and the account's slot moved between the primaries of a Cluster. No gateway dies at the same time: overspend and lost
//! charges are zero. And what can be lost where a gateway is cut off together with an old primary: as much as the documentation says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::storm::{Plan, Storm, length, setting};
use crate::support::asks::{limited, send};
use crate::support::fleet::Lives;
use crate::support::random::{Random, seed};
use crate::support::redis::{Cluster, Failover, Sentinels};
use crate::support::{Fleet, Setup, StandIn, Store, soak};

/// How long the gateways may take to admit again once there is a new primary.
const ADMITS_WITHIN: Duration = Duration::from_secs(20);

/// `min-replicas-max-lag`, in seconds: a primary that is cut off takes writes for two seconds longer at most.
const MAX_LAG: u32 = 2;

/// Asks every gateway for a small thing again and again, and notes when it was admitted and when not. With a sandbox token: the ledger admits it
/// like any other, and nothing is charged.
struct Prober {
    noted: Arc<Mutex<Vec<Probe>>>,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Clone, Copy)]
struct Probe {
    gateway: usize,
    asked: Instant,
    admitted: bool,
}

// === impl Prober ===

impl Prober {
    async fn start(fleet: &Fleet) -> Self {
        let secret = fleet.gateways[0].tokens().sandbox("prober").await;
        let (noted, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let tasks = fleet.lives.now().into_iter().map(|life| {
            let (noted, stop, secret) = (Arc::clone(&noted), Arc::clone(&stop), secret.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    let answer = life.client.try_ask(send(&secret, &limited("probe", 5))).await;
                    let admitted = answer.is_ok_and(|answer| answer.status == 200);
                    noted.lock().unwrap().push(Probe { gateway: life.gateway, asked, admitted });
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            })
        });
        let tasks = tasks.collect();
        Self { noted, stop, tasks }
    }

    /// How long after that moment it took until the last gateway admitted for good again.
    async fn admits_again(&self, began: Instant, lives: &Lives) -> Duration {
        let gateways = lives.now().len();
        let deadline = Instant::now() + ADMITS_WITHIN;
        loop {
            let noted = self.noted.lock().unwrap().clone();
            let mut slowest = Some(Duration::ZERO);
            for gateway in 0..gateways {
                let of: Vec<Probe> = noted.iter().filter(|probe| probe.gateway == gateway && probe.asked >= began).copied().collect();
                let since = of.iter().rposition(|probe| !probe.admitted).map_or(0, |last| last + 1);
                // Three in a row, so that one that slipped through before the fall does not count.
                let again = of.get(since).filter(|_| of.len() >= since + 3).map(|probe| probe.asked - began);
                slowest = slowest.zip(again).map(|(slowest, again)| slowest.max(again));
            }
            if let Some(slowest) = slowest {
                return slowest;
            }
            assert!(Instant::now() < deadline, "not every gateway admits again {ADMITS_WITHIN:?} after there was a primary");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

/// Which failovers by Sentinels: half of them with the old primary cut off from all but the gateways.
fn kinds_of_sentinels(random: &mut Random, turn: usize) -> Failover {
    let others = [Failover::Kill, Failover::Freeze, Failover::Ask];
    if turn % 2 == 1 {
        Failover::Cut
    } else if soak() {
        others[usize::try_from(random.below(3)).unwrap()]
    } else {
        others[turn / 2]
    }
}

/// Which failovers: one of each kind in the short form.
fn kinds(random: &mut Random, turn: usize) -> Failover {
    if soak() {
        // Half killed, half frozen; now and then replaced alive.
        [Failover::Kill, Failover::Freeze, Failover::Kill, Failover::Freeze, Failover::Ask][usize::try_from(random.below(5)).unwrap()]
    } else {
        [Failover::Kill, Failover::Freeze, Failover::Ask][turn % 3]
    }
}

/// The settings, and how large the storm is. With slices few tokens have plenty: then most requests are admitted from slices.
fn with(slices: bool) -> (impl Fn(Setup) -> Setup, Plan) {
    let setting = move |setup: Setup| setting(setup).leases(slices);
    (setting, if slices { Plan { tokens: 3, rich: 100, ..plan() } } else { plan() })
}

fn plan() -> Plan {
    // Budgets are set before: what a manager was told is done may be lost with the primary, and is not made good.
    if soak() { Plan { clients: 150, tokens: 100, managed: false, rich: 1 } } else { Plan { clients: 20, tokens: 20, managed: false, rich: 1 } }
}

async fn under_sentinel(slices: bool) {
    let (setting, plan) = with(slices);
    let mut random = Random::new(seed());
    let provider = StandIn::start().await;
    provider.keep_no_bodies();
    // As it is recommended; in the long form now and then as it is not: then an old primary takes writes as long as it is cut off.
    let careful = !soak() || random.below(2) == 0;
    let sentinels = if careful { Sentinels::careful(MAX_LAG).await } else { Sentinels::start().await };
    let mut fleet = Fleet::start(Store::Sentinels(sentinels), 3, &provider, setting).await;
    let mut storm = Storm::begin(&fleet, plan, &mut random).await;
    let prober = Prober::start(&fleet).await;
    // Tokens and main key have reached the replicas by then.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (end, mut turn, mut table) = (Instant::now() + length(0, 15), 0, Vec::new());
    while turn < 4 || Instant::now() < end {
        let how = kinds_of_sentinels(&mut random, turn);
        let lives = fleet.lives.clone();
        let Store::Sentinels(sentinels) = &mut fleet.store else { unreachable!() };
        let (old, began, named) = sentinels.fail_over(how).await;
        let mut what = format!("{how:?}: a new primary after {:.1} s", named.as_secs_f64());
        if how != Failover::Kill {
            // The old primary wakes, or is found, while the gateways have already gone to the new one, or are about to.
            tokio::time::sleep(Duration::from_millis(random.below(1_500))).await;
            if how == Failover::Cut {
                what.push_str(&format!(" that lacked {} bytes", sentinels.only_on(old).await));
            }
            sentinels.heal(old, how).await;
        }
        let admits = prober.admits_again(began, &lives).await;
        table.push(format!("{what}, all gateways admit after {:.1} s", admits.as_secs_f64()));
        if how == Failover::Kill {
            let Store::Sentinels(sentinels) = &mut fleet.store else { unreachable!() };
            sentinels.heal(old, how).await;
        }
        tokio::time::sleep(Duration::from_millis(500 + random.below(2_000))).await;
        turn += 1;
    }
    prober.stop().await;
    storm.store_events = turn;
    let verdict = storm.end(&fleet, &provider).await;
    eprintln!("{}", table.join("\n"));
    let writes = if careful { format!("min-replicas-max-lag {MAX_LAG}") } else { "no min-replicas-to-write".to_owned() };
    verdict.accept(&format!("three gateways, a primary with two replicas, {writes}, failovers by Sentinel"));
    fleet.close().await;
}

async fn in_a_cluster(slices: bool) {
    let (setting, plan) = with(slices);
    let mut random = Random::new(seed());
    let provider = StandIn::start().await;
    provider.keep_no_bodies();
    let mut fleet = Fleet::start(Store::Cluster(Cluster::start().await), 3, &provider, setting).await;
    let mut storm = Storm::begin(&fleet, plan, &mut random).await;
    let prober = Prober::start(&fleet).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let key = Store::key();
    let (end, mut turn, mut table) = (Instant::now() + length(0, 15), 0, Vec::new());
    while turn < 4 || Instant::now() < end {
        let lives = fleet.lives.clone();
        let Store::Cluster(cluster) = &mut fleet.store else { unreachable!() };
        if turn % 4 == 3 {
            let began = Instant::now();
            cluster.migrate(&key, Duration::from_millis(10 + random.below(60))).await;
            let admits = prober.admits_again(began, &lives).await;
            table.push(format!("slot moved within {:.1} s, all gateways admit after {:.1} s", began.elapsed().as_secs_f64(), admits.as_secs_f64()));
        } else {
            let how = kinds(&mut random, turn % 4);
            let (old, began, named) = cluster.fail_over(&key, how).await;
            if how != Failover::Kill {
                tokio::time::sleep(Duration::from_millis(random.below(1_500))).await;
                cluster.heal(old, how).await;
            }
            let admits = prober.admits_again(began, &lives).await;
            table.push(format!("{how:?}: a new primary after {:.1} s, all gateways admit after {:.1} s", named.as_secs_f64(), admits.as_secs_f64()));
            if how == Failover::Kill {
                cluster.heal(old, how).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(500 + random.below(2_000))).await;
        turn += 1;
    }
    prober.stop().await;
    storm.store_events = turn;
    let verdict = storm.end(&fleet, &provider).await;
    eprintln!("{}", table.join("\n"));
    verdict.accept("three gateways, a Cluster, failovers and moved slots");
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failovers_under_sentinel_lose_nothing() {
    under_sentinel(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failovers_under_sentinel_lose_nothing_with_slices() {
    under_sentinel(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failovers_and_moved_slots_in_a_cluster_lose_nothing() {
    in_a_cluster(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failovers_and_moved_slots_in_a_cluster_lose_nothing_with_slices() {
    in_a_cluster(true).await;
}
