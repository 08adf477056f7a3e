//! Starts that must be refused, and what is said then.

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use super::process::{self, Written};
use super::routes::{Routes, UPSTREAM_KEY};
use super::{eventually, ports};

/// Must end with the test, whatever comes.
struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the binary in a folder, which must end by itself with exit code 1: returns what it wrote.
pub(crate) async fn refuses(folder: &Path, environment: &[(&str, String)]) -> String {
    let mut all: Vec<(String, String)> = environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    for name in ["SPENDGATE_LISTEN", "SPENDGATE_OPS_LISTEN"] {
        all.push((name.to_owned(), ports::free().to_string()));
    }
    let written = Written::default();
    let mut child = KilledOnDrop(process::spawn(process::command(folder, &["serve"], &all), &written));
    let status = eventually("the gateway to refuse to start", async || child.0.try_wait().unwrap()).await;
    // The readers of its outputs finish right after it.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let said = written.text();
    assert_eq!(status.code(), Some(1), "{said}");
    said
}

/// The same on a store, in a folder of its own.
pub(crate) async fn refuses_store(store: &str) -> String {
    refuses_store_with(store, "SPENDGATE_REDIS_WAIT", "0").await
}

/// The same with another setting.
pub(crate) async fn refuses_store_with(store: &str, name: &str, value: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let routes = folder.path().join("routes.toml");
    // Nothing is ever sent there.
    std::fs::write(&routes, Routes::at(ports::free()).openai("").text()).unwrap();
    let environment = [
        ("SPENDGATE_STORE", store.to_owned()),
        ("SPENDGATE_ROUTES", routes.display().to_string()),
        ("OPENAI_API_KEY", UPSTREAM_KEY.to_owned()),
        (name, value.to_owned()),
    ];
    refuses(folder.path(), &environment).await
}
