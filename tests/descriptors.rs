//! Fewer open files than clients: who has no turn yet waits, and nobody's request fails for it.

use std::process::Command;

use tempfile::TempDir;

use crate::support::asks::ocr;
use crate::support::gateway::MAIN_KEY;
use crate::support::process::{self, BINARY, Written};
use crate::support::routes::{Routes, UPSTREAM_KEY};
use crate::support::tokens::Tokens;
use crate::support::{Client, Request, StandIn, eventually, ports};

const CROWD: usize = 120;

/// Starts the gateway below a limit, sends a crowd, each on a connection of its own, and returns what the gateway wrote.
async fn crowd_below(limit: &str, most: &str) -> String {
    let provider = StandIn::start().await;
    let folder = TempDir::with_prefix("spendgate-test-").unwrap();
    let routes = Routes::at(provider.address()).http("/ocr", r#"{ per_request = "0.01" }"#);
    std::fs::write(folder.path().join("routes.toml"), routes.text()).unwrap();
    let (client, ops) = (Client { address: ports::free() }, Client { address: ports::free() });
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {limit} && exec \"$0\""), BINARY]).current_dir(folder.path()).env_clear();
    command.env("SPENDGATE_LISTEN", client.address.to_string()).env("SPENDGATE_OPS_LISTEN", ops.address.to_string());
    command.env("SPENDGATE_ROUTES", "routes.toml").env("SPENDGATE_API_KEY", MAIN_KEY).env("OPENAI_API_KEY", UPSTREAM_KEY);
    command.env("SPENDGATE_MAX_CONNECTIONS", most);
    let written = Written::default();
    let mut child = process::spawn(command, &written);
    eventually("the gateway to be ready", async || ops.try_ask(Request::get("/readyz")).await.ok().filter(|answer| answer.status == 200)).await;
    let secret = Tokens { client, key: MAIN_KEY.to_owned() }.with_budget("crowd", "2.00").await;
    provider.behave("delay-head=100");
    let asking: Vec<_> = (0..CROWD)
        .map(|_| {
            tokio::spawn({
                let secret = secret.clone();
                async move { client.ask(ocr(&secret)).await }
            })
        })
        .collect();
    ops.ask(Request::get("/readyz")).await.expect(200);
    for asked in asking {
        asked.await.unwrap().expect(200);
    }
    process::signal(&child, "TERM");
    assert!(eventually("the gateway to end", async || child.try_wait().unwrap()).await.success());
    written.text()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_larger_than_the_limit_on_open_files_waits_and_is_served() {
    let written = crowd_below("-n 64", "10000").await;
    assert!(written.contains("the limit on open files is too low for 10000 connections"), "{written}");
    assert!(!written.contains("Too many open files"), "{written}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_may_be_raised_is_raised() {
    let written = crowd_below("-Sn 64", "200").await;
    assert!(!written.contains("open files"), "{written}");
}
