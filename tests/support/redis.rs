//! Real Redis servers on free ports of the loopback, their data in temporary folders: one alone, a primary with replicas and Sentinels, a
//! Cluster. Killed, frozen, restarted and failed over as a test asks; whatever still runs ends with the test, by its own process id.
//!
//! `SPENDGATE_TEST_REDIS` names another server binary than `redis-server`.

mod client;
mod cluster;
mod front;
mod old;
mod sentinels;
mod server;

pub(crate) use client::{Reply, command, replicated, try_command};
pub(crate) use cluster::Cluster;
pub(crate) use front::{Cut, Front};
pub(crate) use old::Old;
pub(crate) use sentinels::Sentinels;
pub(crate) use server::Server;

/// How a primary goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failover {
    /// kill -9; it comes back later, as a replica.
    Kill,
    /// Stopped past its succession, then let go on: for a moment it still takes itself for the primary, and has what nobody else has.
    Freeze,
    /// Cut off from the Sentinels and its replicas, while the gateways still reach it: it takes itself for the primary until it is reached again.
    Cut,
    /// Replaced while it lives and works.
    Ask,
}
