//! The ledger: who may spend how much. `rules` is the specification, pure; `embedded` keeps it in SQLite.
//!
//! A request is admitted (money is held), then settled, voided or, when nobody says how it ended, expired. See [`Grant`].

mod types;

pub use types::*;
