//! A Redis server of one's own, in a folder of its own.

use std::net::SocketAddr;

use anyhow::Context;
use spendgate::ledger::StoreAddress;
use tempfile::TempDir;

use crate::process::{self, Core, Process};

/// A running server that writes what it acknowledges to its append-only file, on the core of the load.
pub(crate) struct Redis {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    /// Goes after the process.
    _folder: TempDir,
}

// === impl Redis ===

impl Redis {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let program = process::find("redis-server").context("redis-server is not installed")?;
        let (address, folder) = (process::free_address()?, TempDir::with_prefix("spendgate-bench-redis-")?);
        let mut process = Process::start(&program, Core::Ours, |command| {
            command.args(["--port", &address.port().to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir"]).arg(folder.path());
        })?;
        process.wait_until_listening(address)?;
        Ok(Self { address, process, _folder: folder })
    }

    /// As the gateway's settings have it.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// As the library has it.
    pub(crate) fn store(&self) -> anyhow::Result<StoreAddress> {
        self.url().parse().map_err(anyhow::Error::msg)
    }
}
