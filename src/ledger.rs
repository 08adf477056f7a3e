//! The ledger: who may spend how much. [`rules`] is the specification, pure; the embedded store keeps it in SQLite, the shared one runs it as scripts in Redis.
//!
//! A request is admitted (money is held), then settled, voided or, when nobody says how it ended, expired. See [`Grant`].

mod address;
mod audit;
mod embedded;
mod grant;
mod handle;
mod lock;

mod outbox;
mod private;

mod redis;
mod renewer;
mod report;
pub mod rules;
mod settler;
mod transfer;
mod types;

pub use address::StoreAddress;
pub use audit::{AuditDifference, AuditReport, audit};
pub use grant::Grant;
pub use handle::{Admission, Ledger, LedgerOptions};
pub use redis::RedisAddress;
pub use report::{UsageFilter, UsageRow};
pub use settler::{RaiseTicket, SettleTicket};
pub use transfer::{Counts, Imported, TransferError, export, import};
pub use types::*;
