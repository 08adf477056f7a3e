//! The ledger: who may spend how much. [`rules`] is the specification, pure; the embedded store keeps it in SQLite.
//!
//! A request is admitted (money is held), then settled, voided or, when nobody says how it ended, expired. See [`Grant`].

mod audit;
mod embedded;
mod grant;
mod handle;
mod renewer;
pub mod rules;
mod settler;
mod types;

pub use audit::{AuditDifference, AuditReport, audit};
pub use grant::Grant;
pub use handle::{Admission, EnsuredAccount, Ledger, LedgerOptions, UsageFilter, UsageRow};
pub use settler::SettleTicket;
pub use types::*;
