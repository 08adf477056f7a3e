//! What the end-to-end tests stand on: the real binary in a folder of its own, a stand-in provider with its own ledger of
//! what it served, and a client that sees every byte.

pub(crate) mod asks;
pub(crate) mod client;
pub(crate) mod events;
pub(crate) mod fleet;
pub(crate) mod forms;
pub(crate) mod gateway;
pub(crate) mod journal;
pub(crate) mod money;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod promises;
pub(crate) mod random;
pub(crate) mod raw;
pub(crate) mod redis;
pub(crate) mod refused;
pub(crate) mod routes;
pub(crate) mod stand_in;
pub(crate) mod tokens;
pub(crate) mod wait;

pub(crate) use client::{Answer, Client, Connection, Request};
pub(crate) use fleet::{Fleet, Store};
pub(crate) use gateway::{Gateway, Setup};
pub(crate) use stand_in::StandIn;
pub(crate) use wait::eventually;

/// True when long storms were asked for (`tests/run --soak`).
pub(crate) fn soak() -> bool {
    std::env::var_os("SPENDGATE_SOAK").is_some_and(|value| value != "0" && !value.is_empty())
}
