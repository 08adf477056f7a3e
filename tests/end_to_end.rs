//! End to end: the real binary, a stand-in provider with its own ledger, and clients that see every byte.
//!
//! One program, so that the support is compiled and linked once; one module a subject. `tests/run` runs these and the SDK tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests fail by panicking, and say why")]

mod support;

mod anthropic;
mod check;
mod clamp;
mod crash;
mod drain;
mod edenai;
mod exact_budget;
mod export_import;
mod failover;
mod hangup;
mod jobs;
mod keep_alive;
mod metrics;
mod outage;
mod redis_servers;
mod redis_start;
mod refusals;
mod reload;
mod sandbox;
mod smuggling;
mod stand_in;
mod storm;
mod streams;
mod tls;
mod token_api;
