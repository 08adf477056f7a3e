//! The embedded ledger: the rules, kept in one SQLite file by one writer.
//!
//! The writer owns the connection. It takes whatever is queued, applies the [`rules`](super::rules) to the state in memory, writes the batch in one
//! transaction, and only then answers everyone: the cost of a commit is shared by all that wait for it.
//!
//! | file | what it does |
//! |---|---|
//! | `store.rs` | the ledger as the handle sees it |
//! | `writer.rs` | begin, apply, commit, answer; and the thread that does it |
//! | `beside.rs` | a task that does it instead while that takes no time |
//! | `job.rs`, `queue.rs` | what is asked of it, and where that waits |
//! | `schema.rs`, `codec.rs` | the tables, and how values are spelt in them |
//! | `load.rs`, `save.rs`, `trim.rs` | file to state, changes to file, and old journal entries into checkpoints |
//! | `directory.rs` | the read side: secrets to tokens, without a trip to the writer |
//! | `reports.rs` | daily usage, by SQL |
//! | `transfer.rs` | the whole of it as records, out of a file and into a new one |
//! | `clock.rs` | a clock that never goes back |

mod beside;
mod checkpoint;
mod clock;
mod codec;
mod directory;
mod job;
mod load;
mod queue;
mod reports;
mod save;
mod schema;
mod store;
mod transfer;
mod trim;
mod trouble;
mod writer;

pub(super) use checkpoint::Pause;
pub(super) use clock::Clock;
pub(super) use schema::{check_version, fault};
pub(super) use store::Store;
pub(super) use transfer::{export, import};
pub(super) use writer::Settings;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]
pub(super) mod tests;
