//! Which server is the one to ask: always the same one, the primary that the Sentinels name, or the one that keeps the slot.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::Value;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::address::{Host, RedisAddress, Topology};
use super::connections::Place;
use super::keys;
use super::link::Dialer;
use super::remedies::{SENTINEL, UNKNOWN_NAME};
use super::scouts::Scouts;
use super::script::CallError;
use super::server::Server;
use super::slots::{SlotMap, slot};
use crate::ledger::types::LedgerError;

/// How often the Sentinels are asked for the primary.
const ASK_SENTINELS: Duration = Duration::from_millis(500);
/// How often a Cluster is asked for its map, when nothing says that it changed.
const ASK_CLUSTER: Duration = Duration::from_secs(2);
/// The shortest time between two questions.
const SHORTEST: Duration = Duration::from_millis(50);

/// The servers of a ledger, as far as they are known.
pub(super) struct Servers {
    shared: Arc<Shared>,
    /// Looks for changes, as long as this lives.
    scout: Option<JoinHandle<()>>,
}

struct Shared {
    dialer: Dialer,
    changes: watch::Sender<u64>,
    /// Something failed: time to look.
    look: Notify,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    servers: HashMap<Host, Arc<Server>>,
    /// Where there are no slots: the one to ask.
    primary: Option<Host>,
    slots: Option<SlotMap>,
    /// Why a Sentinel, or a server of the Cluster, did not say who that is.
    silent: BTreeMap<Host, String>,
}

// === impl Servers ===

impl Servers {
    /// Begins to look for the servers. `changes` counts up whenever it may be another one that is asked.
    pub(super) fn start(address: &RedisAddress, timeout: Duration, changes: watch::Sender<u64>) -> Result<Self, LedgerError> {
        let dialer = Dialer::to_servers(address, timeout)?;
        let shared = Arc::new(Shared { dialer, changes, look: Notify::new(), known: Mutex::default() });
        let scout = match &address.topology {
            Topology::Single => {
                let mut known = shared.known();
                known.primary = address.hosts.first().cloned();
                if let Some(host) = &known.primary.clone() {
                    shared.server(&mut known, host);
                }
                None
            }
            Topology::Sentinel(master) => {
                let dialer = Dialer::to_sentinels(address, timeout)?;
                Some(tokio::spawn(follow_sentinels(Arc::clone(&shared), dialer, address.hosts.clone(), master.clone(), timeout)))
            }
            Topology::Cluster => Some(tokio::spawn(follow_cluster(Arc::clone(&shared), address.hosts.clone(), timeout))),
        };
        Ok(Self { shared, scout })
    }

    /// The server that keeps what is there.
    pub(super) fn of(&self, place: Place<'_>) -> Result<Arc<Server>, CallError> {
        let mut known = self.shared.known();
        let host = match &known.slots {
            Some(slots) => {
                let slot = slot_of(place);
                slots.host(slot).ok_or_else(|| CallError::NotSent(format!("no server keeps slot {slot}")))?
            }
            None => known.primary.as_ref().ok_or_else(|| CallError::NotSent("the primary is not known yet".to_owned()))?,
        };
        if let Some(server) = known.servers.get(host) {
            return Ok(Arc::clone(server));
        }
        let host = host.clone();
        Ok(self.shared.server(&mut known, &host))
    }

    /// The server at an address that another one named.
    pub(super) fn at(&self, host: &Host) -> Arc<Server> {
        self.shared.server(&mut self.shared.known(), host)
    }

    /// Another server said that it is this one who keeps the key now.
    pub(super) fn moved(&self, place: Place<'_>, host: Host) {
        if let Some(slots) = &mut self.shared.known().slots {
            slots.moved(slot_of(place), host);
        }
        self.shared.changes.send_modify(|count| *count += 1);
        self.shared.look.notify_one();
    }

    /// Something failed in a way that may mean that the servers changed places.
    pub(super) fn look(&self) {
        self.shared.look.notify_one();
    }

    /// Why servers cannot be connected to, or do not say which one is to be asked, where that is so.
    pub(super) fn troubles(&self) -> Vec<String> {
        let known = self.shared.known();
        known.servers.values().filter_map(|server| server.trouble()).chain(known.silent.values().cloned()).collect()
    }

    /// Every primary that is known.
    pub(super) fn primaries(&self) -> Vec<Host> {
        let known = self.shared.known();
        let hosts: BTreeSet<Host> = match &known.slots {
            Some(slots) => slots.hosts().cloned().collect(),
            None => known.primary.iter().cloned().collect(),
        };
        hosts.into_iter().collect()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Some(scout) = &self.scout {
            scout.abort();
        }
    }
}

// === impl Shared ===

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn server(&self, known: &mut Known, host: &Host) -> Arc<Server> {
        let server = known.servers.entry(host.clone()).or_insert_with(|| Arc::new(Server::start(host.clone(), self.dialer.clone(), self.changes.clone())));
        Arc::clone(server)
    }

    /// It is this server that is to be asked now; the others are let go.
    fn set_primary(&self, host: Host) {
        let mut known = self.known();
        if known.primary.as_ref() != Some(&host) {
            tracing::info!(primary = %host, "the ledger's primary");
            known.servers.retain(|other, _| *other == host);
            self.server(&mut known, &host);
            known.primary = Some(host);
            drop(known);
            self.changes.send_modify(|count| *count += 1);
        }
    }

    fn set_slots(&self, slots: SlotMap) {
        let mut known = self.known();
        if known.slots.as_ref() != Some(&slots) {
            let primaries: BTreeSet<Host> = slots.hosts().cloned().collect();
            tracing::info!(primaries = ?primaries.iter().map(ToString::to_string).collect::<Vec<_>>(), "the ledger's Cluster");
            known.servers.retain(|host, _| primaries.contains(host));
            for host in &primaries {
                self.server(&mut known, host);
            }
            known.slots = Some(slots);
            drop(known);
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// Takes what a Sentinel or a server of the Cluster answered; keeps why it did not.
    fn heard<T>(&self, host: &Host, answer: Result<T, String>) -> Option<T> {
        let mut known = self.known();
        match answer {
            Ok(answer) => {
                known.silent.remove(host);
                Some(answer)
            }
            Err(why) => {
                known.silent.insert(host.clone(), why);
                None
            }
        }
    }

    /// Waits until it is time to look again, or something failed.
    async fn pause(&self, usual: Duration) {
        tokio::time::sleep(SHORTEST).await;
        let _ = tokio::time::timeout(usual, self.look.notified()).await;
    }
}

/// The slot of a Cluster in which that is.
fn slot_of(place: Place<'_>) -> u16 {
    match place {
        Place::Account(account) => slot(keys::of_account_part(account, "account").as_bytes()),
        Place::Key(key) => slot(key.as_bytes()),
    }
}

/// Asks all Sentinels again and again; what most of those that answer say is followed. Another primary than the one that is known has to be named by most
/// of all there are: a few that are cut off together with an old primary must not lead back to it. The server itself has to confirm that it is a primary
/// before anything is asked of it.
async fn follow_sentinels(shared: Arc<Shared>, dialer: Dialer, hosts: Vec<Host>, master: String, timeout: Duration) {
    let mut question = redis::cmd("SENTINEL");
    question.arg("get-master-addr-by-name").arg(&master);
    let mut scouts = Scouts::new(dialer, question, timeout);
    let hosts: BTreeSet<Host> = hosts.into_iter().collect();
    loop {
        let mut votes: HashMap<Host, usize> = HashMap::new();
        for (host, answer) in scouts.ask::<Option<(String, u16)>>(&hosts).await {
            let named = answer.and_then(|answer| answer.ok_or_else(|| format!("{host} {UNKNOWN_NAME} {master:?}")));
            if let Some((name, port)) = shared.heard(&host, named.map_err(|why| format!("{SENTINEL}{why}"))) {
                *votes.entry(Host { name, port }).or_default() += 1;
            }
        }
        let all = if shared.known().primary.is_some() { hosts.len() } else { votes.values().sum() };
        if let Some((primary, _)) = votes.into_iter().find(|(_, count)| 2 * count > all) {
            shared.set_primary(primary);
        }
        shared.pause(ASK_SENTINELS).await;
    }
}

/// Asks all of the Cluster's servers for the map of slots, again and again; the map that most of those that answer have is followed: one that is cut off
/// may have an old one.
async fn follow_cluster(shared: Arc<Shared>, seeds: Vec<Host>, timeout: Duration) {
    let mut question = redis::cmd("CLUSTER");
    question.arg("SLOTS");
    let mut scouts = Scouts::new(shared.dialer.clone(), question, timeout);
    loop {
        let hosts: BTreeSet<Host> = shared.known().servers.keys().cloned().chain(seeds.iter().cloned()).collect();
        let mut votes: Vec<(SlotMap, usize)> = Vec::new();
        for (host, answer) in scouts.ask::<Value>(&hosts).await {
            let map = answer.and_then(|answer| SlotMap::read(&answer, &host).ok_or_else(|| format!("{host} knows of no slots")));
            let Some(slots) = shared.heard(&host, map) else { continue };
            match votes.iter_mut().find(|(known, _)| *known == slots) {
                Some((_, count)) => *count += 1,
                None => votes.push((slots, 1)),
            }
        }
        if let Some((slots, _)) = votes.into_iter().max_by_key(|(_, count)| *count) {
            shared.set_slots(slots);
        }
        shared.pause(ASK_CLUSTER).await;
    }
}
