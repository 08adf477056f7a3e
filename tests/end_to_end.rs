//! End to end: the real binary, a stand-in provider with its own ledger, and clients that see every byte.
//!
//! One program, so that the support is compiled and linked once; one module a subject. `tests/run` runs these and the SDK tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests fail by panicking, and say why")]

mod support;

mod anthropic;
mod azure;
mod bound;
mod broken_off;
mod bursts;
mod catalogue;
mod check;
mod clamp;
mod cohere;
mod compatible;
mod counts;
mod crash;
mod cut_off;
mod descriptors;
mod drain;
mod edenai;
mod edenai_resold;
mod exact_budget;
mod export_import;
mod failover;
mod gemini;
mod hangup;
mod import_killed;
mod jobs;
mod keep_alive;
mod metrics;
mod mistral;
mod openai_media;
mod outage;
mod prices;
mod redis_access;
mod redis_servers;
mod redis_start;
mod redis_unsuitable;
mod redis_wait;
mod refusals;
mod reload;
mod responses;
mod rolling;
mod sandbox;
mod slices;
mod smuggling;
mod stand_in;
mod storm;
mod streams;
mod tiers;
mod tls;
mod token_api;
