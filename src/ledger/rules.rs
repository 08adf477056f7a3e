//! The rules of money: the specification of the ledger, pure.
//!
//! No I/O and no clock: `now` comes in, and the same operations in the same order always give the same replies and the same figures.
//! Each operation changes the [`State`] in memory and notes in [`Changes`] what a store has to write; an operation that fails changes nothing.
//!
//! | file | what it settles |
//! |---|---|
//! | `admit.rs` | may this request spend, and how much is set aside |
//! | `settle.rs` | how a hold ends: charged, voided, expired, corrected |
//! | `renew.rs` | a hold's lease, and raising its amount |
//! | `keep.rs` | a hold that outlives its request |
//! | `manage.rs`, `patch.rs` | accounts and tokens: create, change, rotate, delete |
//! | `period.rs` | periodic resets |
//! | `view.rs` | what is shown of a token |
//! | `state.rs`, `change.rs` | what there is, and what has to be written |

mod admit;
mod change;
mod keep;
mod manage;
mod mutation;
mod patch;
mod period;
mod renew;
mod settle;
mod state;
mod view;

pub use admit::AdmitReply;
pub(in crate::ledger) use period::next_reset;

pub use change::{Changes, EntryKind, HoldChange, JournalEntry, UsageDelta, UsageKey};
pub use state::{Account, AccountId, Budget, Expired, Hold, State, StoredSecret, Token, Tombstone};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]
pub(super) mod tests;
