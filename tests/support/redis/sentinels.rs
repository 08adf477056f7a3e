//! A primary, two replicas, and three Sentinels that watch over them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Failover, Server, command, try_command};
use crate::support::eventually;

/// What the Sentinels call the primary.
const NAME: &str = "main";

/// The servers: which of them is the primary changes.
pub(crate) struct Sentinels {
    nodes: Vec<Server>,
    sentinels: Vec<Server>,
}

// === impl Sentinels ===

impl Sentinels {
    /// Starts all six; returns once the Sentinels know each other and the replicas.
    pub(crate) async fn start() -> Self {
        let first = Server::start().await;
        let port = first.address().port();
        let mut nodes = vec![first];
        for _ in 0..2 {
            nodes.push(Server::with(&format!("replicaof 127.0.0.1 {port}\n")).await);
        }
        // A Sentinel learns of replicas every ten seconds: they are there when it looks for the first time.
        eventually("the replicas to be in step", async || (nodes[0].info("connected_slaves").await == "2").then_some(())).await;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            let lines = format!(
                "sentinel monitor {NAME} 127.0.0.1 {port} 2\nsentinel down-after-milliseconds {NAME} 1500\n\
                 sentinel failover-timeout {NAME} 6000\nsentinel parallel-syncs {NAME} 2\n"
            );
            sentinels.push(Server::sentinel(&lines).await);
        }
        let all = Self { nodes, sentinels };
        all.healthy().await;
        all
    }

    /// As the gateways' setting has it.
    pub(crate) fn url(&self) -> String {
        let hosts: Vec<String> = self.sentinels.iter().map(|sentinel| sentinel.address().to_string()).collect();
        format!("redis+sentinel://{}/{NAME}", hosts.join(","))
    }

    /// What most Sentinels say the primary is, where it agrees.
    async fn named(&self) -> Option<SocketAddr> {
        let mut votes = Vec::new();
        for sentinel in &self.sentinels {
            if let Ok(reply) = try_command(sentinel.address(), &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).await {
                votes.push(format!("{}:{}", reply.array()[0].text(), reply.array()[1].text()));
            }
        }
        let winner = votes.iter().find(|vote| votes.iter().filter(|other| other == vote).count() >= 2)?;
        winner.parse().ok()
    }

    async fn primary_index(&self) -> Option<usize> {
        let named = self.named().await?;
        let index = self.nodes.iter().position(|node| node.address() == named)?;
        let node = &self.nodes[index];
        (node.answers() && node.info("role").await == "master").then_some(index)
    }

    /// Which node is the primary now.
    pub(crate) async fn primary(&self) -> SocketAddr {
        let index = eventually("a primary", async || self.primary_index().await).await;
        self.nodes[index].address()
    }

    /// Waits until everyone is there: the primary, two replicas in step with it, three Sentinels that see all of it.
    pub(crate) async fn healthy(&self) {
        eventually("a healthy primary, replicas and Sentinels", async || {
            let primary = self.primary_index().await?;
            for (index, node) in self.nodes.iter().enumerate() {
                if index != primary && (node.info("role").await != "slave" || node.info("master_link_status").await != "up") {
                    return None;
                }
            }
            for sentinel in &self.sentinels {
                let reply = try_command(sentinel.address(), &["SENTINEL", "MASTER", NAME]).await.ok()?;
                let fields = reply.array();
                let field = |name: &str| fields.chunks(2).find(|pair| pair[0].text() == name).map(|pair| pair[1].text().to_owned()).unwrap_or_default();
                if field("flags") != "master" || field("num-slaves") != "2" || field("num-other-sentinels") != "2" {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }

    /// Replaces the primary; returns when it began and when another was named. The old one is back, as a replica, after [`heal`](Self::heal).
    pub(crate) async fn fail_over(&mut self, how: Failover) -> (usize, Instant, Duration) {
        let old = eventually("a primary", async || self.primary_index().await).await;
        let before = self.nodes[old].address();
        let began = Instant::now();
        match how {
            Failover::Kill => self.nodes[old].kill9(),
            Failover::Freeze => self.nodes[old].freeze(),
            Failover::Ask => {
                command(self.sentinels[0].address(), &["SENTINEL", "FAILOVER", NAME]).await;
            }
        }
        eventually("a new primary", async || self.primary_index().await.filter(|index| self.nodes[*index].address() != before)).await;
        (old, began, began.elapsed())
    }

    /// Brings the old primary back and waits until all is well.
    pub(crate) async fn heal(&mut self, old: usize, how: Failover) {
        match how {
            Failover::Kill => self.nodes[old].launch().await,
            Failover::Freeze => self.nodes[old].thaw(),
            Failover::Ask => {}
        }
        self.healthy().await;
    }
}
