//! spendgate: a reverse-proxy gateway in front of AI providers that never lets a token spend more than its budget.
//!
//! The road that a request takes is in [`proxy`], one file a stage; the rules of money are in [`ledger::rules`], pure.

pub mod admin;
pub mod apis;
pub mod cli;
pub mod config;
pub mod diagnostic;
pub mod ledger;
pub mod maps;
pub mod money;
pub mod prices;
pub mod proxy;
pub mod sandbox;
pub mod server;
pub mod telemetry;
pub mod tls;
pub mod tokens;
