//! The ledger shared by many gateways: the [`rules`](super::rules) as atomic scripts in Redis or Valkey.
//!
//! All that belongs to an account lies in one hash slot, and one script changes it in one step, on the store's own clock. The property suite of the rules is run
//! against a real server, so that the scripts are the rules and not something like them.
//!
//! | file | what it does |
//! |---|---|
//! | `scripts/*.lua` | the rules, an operation a file; `scripts/lib/*.lua` is what they share |
//! | `script.rs` | the table of scripts, how one is called, and what a failed call means |
//! | `keys.rs` | the names of the keys |
//! | `calendar.rs` | days, weeks and months, computed here since scripts know no time zones |
//! | `codec.rs`, `records.rs` | how values are spelt in arguments, in replies and in keys |
//! | `address.rs`, `checks.rs` | where the servers are, and what they must be like |
//! | `rights.rs`, `remedies.rs` | what our user must be allowed to do; what to do about a server that cannot be used |
//! | `link.rs`, `server.rs` | one connection; one server kept connected |
//! | `topology.rs`, `slots.rs`, `scouts.rs` | which server is the one to ask: single, Sentinel, Cluster; those who know are asked at the same time |
//! | `connections.rs` | a call, with its deadline and its redirections |
//! | `store.rs`, `worker.rs`, `core.rs` | the ledger as the handle sees it, and the thread that all of it runs on |
//! | `requests.rs` | a request's way in and out: admitted, kept alive, ended |
//! | `endings.rs`, `deliver.rs` | how requests end: at the server, or in the outbox until it takes them |
//! | `memory.rs`, `failover.rs` | what a failover may have lost is put back before anybody is admitted |
//! | `slices.rs` | parts of budgets that a gateway sets aside, to admit requests from by itself |
//! | `upkeep.rs`, `directory.rs` | leases and the journal's age; whose secret it is |
//! | `reports.rs`, `audit.rs` | daily usage; every figure recomputed |
//! | `transfer.rs` | the whole of it as records, out of a server and into an empty one |
//! | `operations.rs` | each operation with the ledger's own types: the road, upkeep and failover, accounts and tokens |

mod address;
mod audit;
mod calendar;
mod checks;
mod codec;
mod connections;
mod core;
mod deliver;
mod directory;
mod endings;
mod failover;
mod keys;
mod link;
mod memory;
mod operations;
mod records;
mod remedies;
mod reports;
mod requests;
mod rights;
mod scouts;
mod script;
mod server;
mod slices;
mod slots;
mod store;
mod topology;
mod transfer;
mod upkeep;
mod worker;

pub use address::RedisAddress;
pub(super) use audit::audit;
pub(super) use store::{Settings, Store};
pub(super) use transfer::{export, import};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]
pub(super) mod tests;
