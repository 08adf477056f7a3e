//! kill -9 under load: a child process spends and is killed at a random moment; whatever it was told was charged is charged, and every hold ends.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::{LEASE, admit, audited, figures, file, open, options, start, token};
use crate::ledger::embedded::clock::Clock;
use crate::ledger::rules::tests::script::{ACCOUNT, label, usd};
use crate::ledger::{Certainty, UsageFilter};
use crate::prices::Usage;
use crate::tokens::Secret;

const FOLDER: &str = "SPENDGATE_TEST_LEDGER_FOLDER";
const SECRET: &str = "sg_live_of_the_child";

/// Not a test by itself: what the child does.
#[test]
#[ignore = "the child of the test below"]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let ledger = open(options(folder.as_ref()), &Arc::new(Clock::manual(start())));
        let view = ledger.token(ACCOUNT, "a").await.unwrap().unwrap();
        let secret = Secret::presented(SECRET.into());
        let mut tasks = Vec::new();
        for _ in 0..8 {
            let (ledger, view, secret) = (ledger.clone(), view.clone(), secret.clone());
            tasks.push(tokio::spawn(async move {
                loop {
                    let mut grant = admit(&ledger, &view, &secret, 10).await.unwrap();
                    grant.sent();
                    let hold = grant.hold();
                    grant.settle(usd(7), Certainty::Exact, Usage::default(), label("f"), "v").await.unwrap();
                    // As a client that sees the end of its answer.
                    eprintln!("charged {hold}");
                }
            }));
        }
        // None of them ends by itself.
        tasks.pop().unwrap().await.unwrap_or_else(|error| panic!("{error}"));
    });
}

#[test]
fn a_killed_process_loses_no_charge_and_leaks_no_hold() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let clock = Arc::new(Clock::manual(start()));
    let ledger = open(options.clone(), &clock);
    runtime.block_on(async {
        token(&ledger, "other", None).await;
        let new = crate::tokens::NewToken {
            name: "a".into(),
            kind: crate::tokens::TokenKind::Api,
            balance: Some(usd(1_000_000_000)),
            active_balance: true,
            expire_time: None,
            reset: None,
        };
        ledger.create_token(ACCOUNT, new, &Secret::presented(SECRET.into())).await.unwrap().unwrap();
        ledger.close().await;
    });
    let mut seen = 0;
    for round in 0..6_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ledger::embedded::tests::killed::child", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        // At another moment each time.
        for line in lines.by_ref().take(10 + usize::try_from(round).unwrap() * 37) {
            assert!(line.unwrap().starts_with("charged"));
            seen += 1;
        }
        std::thread::sleep(Duration::from_micros(round * 700));
        child.kill().unwrap();
        child.wait().unwrap();
        // What the pipe still holds was seen by the client too.
        seen += lines.map_while(Result::ok).filter(|line| line.starts_with("charged ") && line.len() == 44).count();
        audited(file(&options));
    }
    let ledger = open(options.clone(), &clock);
    runtime.block_on(async {
        let (balance, held, spent) = figures(&ledger, "a").await;
        assert!(spent >= i64::try_from(seen).unwrap() * 7, "{seen} charges were seen, {spent} is spent");
        assert_eq!((balance, spent % 7, held % 10), (Some(1_000_000_000 - spent), 0, 0));
        // What was in flight when it died is charged when its lease ends.
        clock.set(start() + LEASE);
        ledger.embedded().manage(|state, now, changes| while state.sweep(now, 256, changes) {}).await.unwrap();
        assert_eq!(figures(&ledger, "a").await, (Some(1_000_000_000 - spent - held), 0, spent + held));
        let rows = ledger.usage(UsageFilter { account: ACCOUNT.into(), ..UsageFilter::default() }).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.estimated).sum::<u64>(), u64::try_from(held / 10).unwrap());
        ledger.close().await;
    });
    audited(file(&options));
}
