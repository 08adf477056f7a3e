//! The rules, one by one (`cases.rs`), and under random sequences of operations: against a model that is as simple as it can be (`model.rs`), against the
//! invariants after each step (`pure.rs`), and with bugs planted (`planted.rs`). The sequences (`script.rs`) are run against the stores too.

mod cases;
pub(in crate::ledger) mod model;
mod planted;
mod pure;
pub(in crate::ledger) mod script;
