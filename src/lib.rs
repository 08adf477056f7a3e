//! spendgate: a reverse-proxy gateway in front of AI providers that never lets a token spend more than its budget.
//!
//! The road that a request takes is in [`proxy`], one file a stage; the rules of money are in [`ledger`], pure.

pub mod ledger;
pub mod money;
pub mod prices;
pub mod tokens;
