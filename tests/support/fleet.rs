//! Several gateways on one store, whatever it is: killed and started again, audited, and asked what is still under way.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::gateway::{Gateway, Setup};
use super::journal::{ACCOUNT, Journal};
use super::redis::{Cluster, Sentinels, Server};
use super::routes::Routes;
use super::tokens::Tokens;
use super::{Client, StandIn, process};

/// Where the ledger is.
pub(crate) enum Store {
    /// An SQLite file: takes one gateway.
    Embedded,
    Single(Server),
    Sentinels(Sentinels),
    Cluster(Cluster),
}

/// A life of a gateway: from a start to the next kill.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) gateway: usize,
    /// How often it was started before.
    pub(crate) number: usize,
    pub(crate) client: Client,
}

/// Where the gateways are now, and when they died: shared with the clients of a storm.
#[derive(Clone, Default)]
pub(crate) struct Lives(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: Vec<Life>,
    /// By gateway, then by life.
    kills: Vec<Vec<Instant>>,
}

/// The gateways and their store.
pub(crate) struct Fleet {
    pub(crate) store: Store,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) lives: Lives,
}

// === impl Store ===

impl Store {
    /// One Redis server.
    pub(crate) async fn single() -> Self {
        Self::Single(Server::start().await)
    }

    /// The key of the account of the tests: in a Cluster, it tells the slot.
    pub(crate) fn key() -> String {
        format!("sg:{{{ACCOUNT}}}:account")
    }

    /// `SPENDGATE_STORE`; none where the gateway's own file is meant.
    pub(crate) fn url(&self) -> Option<String> {
        match self {
            Self::Embedded => None,
            Self::Single(server) => Some(format!("redis://{}", server.address())),
            Self::Sentinels(sentinels) => Some(sentinels.url()),
            Self::Cluster(cluster) => Some(cluster.url()),
        }
    }

    /// The one server. Panics on any other store.
    pub(crate) fn server(&mut self) -> &mut Server {
        match self {
            Self::Single(server) => server,
            _ => panic!("not one Redis server"),
        }
    }
}

// === impl Lives ===

impl Lives {
    /// The gateways as they are now.
    pub(crate) fn now(&self) -> Vec<Life> {
        self.0.lock().unwrap().now.clone()
    }

    /// When a life ended by kill -9.
    pub(crate) fn killed_at(&self, life: Life) -> Option<Instant> {
        self.0.lock().unwrap().kills[life.gateway].get(life.number).copied()
    }

    /// How many kills there were.
    pub(crate) fn kills(&self) -> usize {
        self.0.lock().unwrap().kills.iter().map(Vec::len).sum()
    }

    fn born(&self, gateway: usize, client: Client) {
        let mut state = self.0.lock().unwrap();
        if state.now.len() <= gateway {
            state.now.push(Life { gateway, number: 0, client });
            state.kills.push(Vec::new());
        } else {
            let number = state.kills[gateway].len();
            state.now[gateway] = Life { gateway, number, client };
        }
    }

    fn dies(&self, gateway: usize) {
        self.0.lock().unwrap().kills[gateway].push(Instant::now());
    }
}

// === impl Fleet ===

impl Fleet {
    /// The usual routes, all gateways alike, each in a folder of its own. `setting` changes what each is started with.
    pub(crate) async fn start(store: Store, count: usize, provider: &StandIn, setting: impl Fn(Setup) -> Setup) -> Self {
        let routes = Routes::at(provider.address()).openai("").http("/ocr", r#"{ per_request = "0.01" }"#);
        let mut fleet = Self { store, gateways: Vec::new(), lives: Lives::default() };
        for number in 0..count {
            let gateway = Gateway::start(fleet.setup(setting(Setup::new(&routes)))).await;
            fleet.lives.born(number, gateway.client());
            fleet.gateways.push(gateway);
        }
        fleet
    }

    /// A setup on the fleet's store.
    pub(crate) fn setup(&self, setup: Setup) -> Setup {
        match self.store.url() {
            Some(url) => setup.env("SPENDGATE_STORE", &url),
            None => setup,
        }
    }

    pub(crate) fn tokens(&self) -> Tokens {
        self.gateways[0].tokens()
    }

    /// kill -9.
    pub(crate) fn kill(&mut self, number: usize) {
        self.lives.dies(number);
        self.gateways[number].kill9();
    }

    /// Starts a killed gateway again, in its old folder. The store must answer.
    pub(crate) async fn revive(&mut self, number: usize) {
        self.gateways[number].launch().await;
        self.lives.born(number, self.gateways[number].client());
    }

    /// What `spendgate audit --json` says.
    pub(crate) fn audit(&self) -> Value {
        let output = self.gateways[0].command(&["audit", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("audit: {error}: {}", process::both(&output)))
    }

    /// Endings that wait in all outboxes together. The embedded store has no outbox.
    pub(crate) async fn outbox_entries(&self) -> u64 {
        if matches!(self.store, Store::Embedded) {
            return 0;
        }
        let mut sum = 0;
        for gateway in &self.gateways {
            let metrics = gateway.metrics().await;
            let line = metrics.lines().find_map(|line| line.strip_prefix("spendgate_outbox_entries "));
            sum += line.unwrap_or_else(|| panic!("no spendgate_outbox_entries in the metrics:\n{metrics}")).parse::<f64>().unwrap() as u64;
        }
        sum
    }

    /// Requests that the gateways that run now admitted from slices.
    pub(crate) async fn admitted_from_slices(&self) -> usize {
        let mut sum = 0;
        for gateway in &self.gateways {
            let metrics = gateway.metrics().await;
            let line = metrics.lines().find_map(|line| line.strip_prefix("spendgate_slice_admissions_total "));
            sum += line.map_or(0, |line| line.parse::<f64>().unwrap() as usize);
        }
        sum
    }

    /// Waits until no hold lives and no outbox holds anything, at most this long. Returns how long it took.
    pub(crate) async fn quiet(&self, most: Duration) -> Duration {
        let began = Instant::now();
        loop {
            let outbox = self.outbox_entries().await;
            let audit = self.audit();
            if outbox == 0 && audit["live_holds"] == 0 {
                return began.elapsed();
            }
            assert!(began.elapsed() < most, "after {most:?} there are {outbox} entries in outboxes; audit: {audit}");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// The journal, read from the store.
    pub(crate) async fn journal(&self) -> Journal {
        match &self.store {
            Store::Embedded => Journal::of_file(&self.gateways[0].store()),
            Store::Single(server) => Journal::of_server(server.address()).await,
            Store::Sentinels(sentinels) => Journal::of_server(sentinels.primary().await).await,
            Store::Cluster(cluster) => Journal::of_server(cluster.primary(&Store::key()).await).await,
        }
    }

    /// Stops every gateway in good order; the audit afterwards agrees.
    pub(crate) async fn close(mut self) {
        for gateway in &mut self.gateways {
            let status = gateway.terminate().await;
            assert!(status.success(), "{status}");
        }
        let audit = self.audit();
        assert_eq!(audit["agrees"], true, "{audit}");
    }
}
