//! The scripts on a real server: the sequences of the rules (`scripts.rs`), the same with bugs planted in the Lua sources and on the way to them (`planted.rs`),
//! many at once on one budget (`crowd.rs`), and what the sequences do not reach, a case each (`cases.rs`, `servers.rs`, `kept.rs`): failover, trimming, a server
//! that is out of memory, the holds of jobs, slices (`slices.rs`).
//! `raw.rs` checks the invariants from nothing but the keys; `measure.rs` prints what the scripts cost.
//!
//! `SPENDGATE_TEST_REDIS` names the server's program (default `redis-server`), `SPENDGATE_TEST_SEED` replays a run, `SPENDGATE_SOAK` makes it 20 times as long.

mod cases;
mod crowd;
mod kept;
mod measure;
mod planted;
mod raw;
mod runner;
mod scripts;
pub(in crate::ledger) mod server;
mod servers;
mod slices;
mod subject;
