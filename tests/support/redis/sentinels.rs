//! A primary, two replicas, and three Sentinels that watch over them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Cut, Failover, Front, Server, command, try_command};
use crate::support::eventually;

/// What the Sentinels call the primary.
const NAME: &str = "main";

/// The servers: which of them is the primary changes. All that anybody else knows of them is their fronts.
pub(crate) struct Sentinels {
    nodes: Vec<Server>,
    fronts: Vec<Front>,
    sentinels: Vec<Server>,
    /// The Sentinels, as those see them who can be cut off from them.
    apart: Vec<Front>,
}

// === impl Sentinels ===

impl Sentinels {
    /// Starts all six; returns once the Sentinels know each other and the replicas. The primary takes writes whatever its replicas do.
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// The same, but a primary takes writes only while it heard of a replica within this many seconds.
    pub(crate) async fn careful(seconds: u32) -> Self {
        Self::with(&format!("min-replicas-to-write 1\nmin-replicas-max-lag {seconds}\n")).await
    }

    async fn with(lines: &str) -> Self {
        let (mut nodes, mut fronts) = (Vec::new(), Vec::<Front>::new());
        for _ in 0..3 {
            let node = Server::with(lines).await;
            let front = Front::before(node.address()).await;
            let port = front.address().port().to_string();
            node.command(&["CONFIG", "SET", "replica-announce-ip", "127.0.0.1", "replica-announce-port", &port]).await;
            if let Some(first) = fronts.first() {
                node.command(&["REPLICAOF", "127.0.0.1", &first.address().port().to_string()]).await;
            }
            // For its next life.
            node.command(&["CONFIG", "REWRITE"]).await;
            nodes.push(node);
            fronts.push(front);
        }
        // A Sentinel learns of replicas every ten seconds: they are there when it looks for the first time.
        eventually("the replicas to be in step", async || (nodes[0].info("connected_slaves").await == "2").then_some(())).await;
        let (mut sentinels, mut apart) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let lines = format!(
                "sentinel monitor {NAME} 127.0.0.1 {} 2\nsentinel down-after-milliseconds {NAME} 1500\n\
                 sentinel failover-timeout {NAME} 6000\nsentinel parallel-syncs {NAME} 2\n",
                fronts[0].address().port()
            );
            let sentinel = Server::sentinel(&lines).await;
            // It says often who is the primary, so that one that comes back is soon a replica: by itself it takes ten seconds.
            sentinel.command(&["SENTINEL", "DEBUG", "publish-period", "500", "info-period", "1000"]).await;
            apart.push(Front::before(sentinel.address()).await);
            sentinels.push(sentinel);
        }
        let all = Self { nodes, fronts, sentinels, apart };
        all.healthy().await;
        all
    }

    /// As the gateways' setting has it.
    pub(crate) fn url(&self) -> String {
        let hosts: Vec<String> = self.sentinels.iter().map(|sentinel| sentinel.address().to_string()).collect();
        format!("redis+sentinel://{}/{NAME}", hosts.join(","))
    }

    /// The same for a gateway that [`cut_apart`](Self::cut_apart) cuts off from the Sentinels.
    pub(crate) fn url_apart(&self) -> String {
        let hosts: Vec<String> = self.apart.iter().map(|front| front.address().to_string()).collect();
        format!("redis+sentinel://{}/{NAME}", hosts.join(","))
    }

    /// Cuts off whoever knows the Sentinels by their fronts; or mends that.
    pub(crate) fn cut_apart(&self, cut: Cut) {
        for front in &self.apart {
            front.cut(cut);
        }
    }

    /// How many bytes of its stream of changes an old primary has that is cut off, and nobody else.
    pub(crate) async fn only_on(&self, old: usize) -> i64 {
        let new = eventually("a new primary", async || self.primary_index().await.filter(|index| *index != old)).await;
        let had: i64 = self.nodes[old].info("master_repl_offset").await.parse().unwrap();
        let shared: i64 = self.nodes[new].info("second_repl_offset").await.parse().unwrap();
        had + 1 - shared
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
        let index = self.fronts.iter().position(|front| front.address() == named)?;
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
        let began = Instant::now();
        match how {
            Failover::Kill => self.nodes[old].kill9(),
            Failover::Freeze => self.nodes[old].freeze(),
            Failover::Cut => self.fronts[old].cut(Cut::AllButGateways),
            Failover::Ask => {
                command(self.sentinels[0].address(), &["SENTINEL", "FAILOVER", NAME]).await;
            }
        }
        eventually("a new primary", async || self.primary_index().await.filter(|index| *index != old)).await;
        (old, began, began.elapsed())
    }

    /// Brings the old primary back and waits until all is well.
    pub(crate) async fn heal(&mut self, old: usize, how: Failover) {
        match how {
            Failover::Kill => self.nodes[old].launch().await,
            Failover::Freeze => self.nodes[old].thaw(),
            Failover::Cut => self.fronts[old].cut(Cut::Nobody),
            Failover::Ask => {}
        }
        self.healthy().await;
    }
}
