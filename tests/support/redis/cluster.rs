//! A Cluster of three primaries with a replica each. One account lives in one slot: what happens to that slot is what matters.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Failover, Server, command, try_command};
use crate::support::eventually;

/// How many slots a Cluster has.
const SLOTS: usize = 16_384;
/// How many primaries, and how many replicas.
const PRIMARIES: usize = 3;

/// The six nodes: which of them are primaries changes.
pub(crate) struct Cluster {
    nodes: Vec<Server>,
    ids: Vec<String>,
}

/// A line of `CLUSTER NODES`.
struct Known {
    id: String,
    primary: bool,
    failed: bool,
    slots: Vec<(usize, usize)>,
}

// === impl Cluster ===

impl Cluster {
    /// Starts the nodes and makes them one Cluster; returns once each of them says that all is well.
    pub(crate) async fn start() -> Self {
        let mut nodes = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..2 * PRIMARIES {
            let lines = "cluster-enabled yes\ncluster-port FREE_PORT\ncluster-config-file nodes.conf\ncluster-node-timeout 2000\ncluster-replica-validity-factor 0\n\
                         cluster-require-full-coverage no\ncluster-migration-barrier 10\n";
            let node = Server::with(lines).await;
            ids.push(node.command(&["CLUSTER", "MYID"]).await.text().to_owned());
            nodes.push(node);
        }
        let cluster = Self { nodes, ids };
        for (number, node) in cluster.nodes.iter().enumerate() {
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await;
            if number < PRIMARIES {
                let (from, to) = (number * SLOTS / PRIMARIES, (number + 1) * SLOTS / PRIMARIES - 1);
                node.command(&["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()]).await;
            }
        }
        for node in &cluster.nodes[1..] {
            let bus = node.setting("cluster-port").await;
            cluster.nodes[0].command(&["CLUSTER", "MEET", "127.0.0.1", &node.address().port().to_string(), &bus]).await;
        }
        eventually("all nodes to know each other", async || {
            for node in &cluster.nodes {
                if known(node.address()).await.len() < cluster.nodes.len() {
                    return None;
                }
            }
            Some(())
        })
        .await;
        for number in PRIMARIES..2 * PRIMARIES {
            cluster.nodes[number].command(&["CLUSTER", "REPLICATE", &cluster.ids[number - PRIMARIES]]).await;
        }
        cluster.healthy().await;
        cluster
    }

    /// As the gateways' setting has it.
    pub(crate) fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| node.address().to_string()).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// Waits until every node runs, sees every other, and every replica is in step.
    pub(crate) async fn healthy(&self) {
        eventually("a healthy Cluster", async || {
            let mut replicas = 0;
            for node in &self.nodes {
                let state = try_command(node.address(), &["CLUSTER", "INFO"]).await.ok()?;
                let all = known(node.address()).await;
                let covered: usize = all.iter().flat_map(|node| &node.slots).map(|(from, to)| to - from + 1).sum();
                let well = state.text().contains("cluster_state:ok") && all.len() == self.nodes.len() && all.iter().all(|node| !node.failed);
                let replica = node.info("role").await == "slave";
                if !well || covered != SLOTS || (replica && node.info("master_link_status").await != "up") {
                    return None;
                }
                replicas += usize::from(replica);
            }
            // A primary that was replaced and does not know it yet says that all is well, too.
            (replicas == PRIMARIES).then_some(())
        })
        .await;
    }

    /// The slot of a key.
    async fn slot(&self, key: &str) -> usize {
        for node in self.nodes.iter().filter(|node| node.answers()) {
            if let Ok(reply) = try_command(node.address(), &["CLUSTER", "KEYSLOT", key]).await {
                return usize::try_from(reply.number()).unwrap();
            }
        }
        panic!("no node answers");
    }

    /// The node that most nodes say holds the slot.
    async fn holder(&self, slot: usize) -> Option<usize> {
        let mut votes = BTreeMap::<String, usize>::new();
        for node in self.nodes.iter().filter(|node| node.answers()) {
            for other in known(node.address()).await {
                if other.primary && !other.failed && other.slots.iter().any(|(from, to)| (*from..=*to).contains(&slot)) {
                    *votes.entry(other.id).or_default() += 1;
                }
            }
        }
        let (id, count) = votes.into_iter().max_by_key(|(_, count)| *count)?;
        if count * 2 > self.nodes.len() { self.ids.iter().position(|known| *known == id) } else { None }
    }

    /// The primary that holds a key.
    pub(crate) async fn primary(&self, key: &str) -> SocketAddr {
        let slot = self.slot(key).await;
        let index = eventually("a primary for the slot", async || self.holder(slot).await).await;
        self.nodes[index].address()
    }

    /// Replaces the primary that holds the key by its replica; returns which it was, when it began, and how long it took.
    pub(crate) async fn fail_over(&mut self, key: &str, how: Failover) -> (usize, Instant, Duration) {
        let slot = self.slot(key).await;
        let old = eventually("a primary for the slot", async || self.holder(slot).await).await;
        let began = Instant::now();
        match how {
            Failover::Kill => self.nodes[old].kill9(),
            Failover::Freeze => self.nodes[old].freeze(),
            Failover::Cut => panic!("servers of a Cluster have no fronts"),
            Failover::Ask => {
                let replica = self.replica_of(old).await;
                self.nodes[replica].command(&["CLUSTER", "FAILOVER", "TAKEOVER"]).await;
            }
        }
        eventually("a new primary for the slot", async || self.holder(slot).await.filter(|index| *index != old)).await;
        (old, began, began.elapsed())
    }

    /// Brings the old primary back and waits until all is well.
    pub(crate) async fn heal(&mut self, old: usize, how: Failover) {
        match how {
            Failover::Kill => self.nodes[old].launch().await,
            Failover::Freeze => self.nodes[old].thaw(),
            Failover::Ask | Failover::Cut => {}
        }
        self.healthy().await;
    }

    async fn replica_of(&self, primary: usize) -> usize {
        let port = self.nodes[primary].address().port().to_string();
        for (index, node) in self.nodes.iter().enumerate() {
            if node.info("role").await == "slave" && node.info("master_port").await == port {
                return index;
            }
        }
        panic!("the primary has no replica");
    }

    /// Moves the key's slot to another primary, one key after the other with a pause in between, so that requests meet the half of it.
    pub(crate) async fn migrate(&self, key: &str, pause: Duration) {
        let slot = self.slot(key).await;
        let from = eventually("a primary for the slot", async || self.holder(slot).await).await;
        let mut to = None;
        for (index, node) in self.nodes.iter().enumerate() {
            if index != from && node.info("role").await == "master" {
                to = Some(index);
            }
        }
        let to = to.expect("another primary");
        let number = slot.to_string();
        let (source, target) = (self.nodes[from].address(), self.nodes[to].address());
        command(target, &["CLUSTER", "SETSLOT", &number, "IMPORTING", &self.ids[from]]).await;
        command(source, &["CLUSTER", "SETSLOT", &number, "MIGRATING", &self.ids[to]]).await;
        eventually("the slot to be empty", async || {
            let keys = command(source, &["CLUSTER", "GETKEYSINSLOT", &number, "1"]).await;
            let Some(key) = keys.array().first() else { return Some(()) };
            let port = target.port().to_string();
            command(source, &["MIGRATE", "127.0.0.1", &port, key.text(), "0", "5000"]).await;
            tokio::time::sleep(pause).await;
            None
        })
        .await;
        // The new holder first: no moment at which nobody has the slot.
        for address in [target, source] {
            command(address, &["CLUSTER", "SETSLOT", &number, "NODE", &self.ids[to]]).await;
        }
        eventually("everyone to know where the slot is", async || self.holder(slot).await.filter(|index| *index == to)).await;
    }
}

/// What a node says of all nodes; nothing where it does not answer.
async fn known(address: SocketAddr) -> Vec<Known> {
    let Ok(reply) = try_command(address, &["CLUSTER", "NODES"]).await else { return Vec::new() };
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        let slots = fields[8..].iter().filter(|text| !text.starts_with('['));
        let slots = slots.map(|text| {
            let (from, to) = text.split_once('-').unwrap_or((text, text));
            (from.parse().unwrap(), to.parse().unwrap())
        });
        let flags: Vec<&str> = fields[2].split(',').collect();
        Known {
            id: fields[0].to_owned(),
            primary: flags.contains(&"master"),
            failed: flags.iter().any(|flag| ["fail", "fail?", "handshake", "noaddr"].contains(flag)),
            slots: slots.collect(),
        }
    };
    reply.text().lines().filter(|line| line.split(' ').count() >= 8).map(parse).collect()
}
