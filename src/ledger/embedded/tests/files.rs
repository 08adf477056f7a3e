//! The file: one process, foreign files, commits that fail, journals that are trimmed, figures that were tampered with, and many tokens.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{admit, audited, figures, file, open, options, request, start, token};
use crate::ledger::embedded::checkpoint::Pause;
use crate::ledger::embedded::clock::Clock;
use crate::ledger::handle::Tuning;
use crate::ledger::rules::tests::script::{ACCOUNT, label, usd};
use crate::ledger::{Admission, Certainty, Ledger, LedgerError, LedgerOptions, StoreAddress, UsageFilter, audit};
use crate::prices::Usage;

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let ledger = Ledger::open(options.clone()).await.unwrap();
    let Err(LedgerError::Locked(message)) = Ledger::open(options.clone()).await else { panic!("two ledgers on one file") };
    assert!(message.contains("ledger.db.lock") && message.contains("SPENDGATE_STORE"), "{message}");
    ledger.close().await;
    Ledger::open(options).await.unwrap().close().await;
}

#[tokio::test]
async fn a_new_ledger_is_its_owners_alone_and_one_that_is_there_keeps_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let store = file(&options).to_owned();
    let modes = || {
        let beside = |end: &str| std::path::PathBuf::from(format!("{}{end}", store.display()));
        ["", "-wal", "-shm"].map(|end| std::fs::metadata(beside(end)).unwrap().permissions().mode() & 0o777)
    };
    let ledger = Ledger::open(options.clone()).await.unwrap();
    assert_eq!(modes(), [0o600; 3]);
    ledger.close().await;
    std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o640)).unwrap();
    let ledger = Ledger::open(options).await.unwrap();
    assert_eq!(modes(), [0o640; 3]);
    ledger.close().await;
}

#[test]
fn foreign_files_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &std::path::Path| {
        let before = std::fs::read(path).unwrap();
        let Err(LedgerError::Incompatible(message)) =
            Ledger::open_tuned(LedgerOptions { store: StoreAddress::Sqlite(path.into()), ..options(folder.path()) }, Tuning::default())
        else {
            panic!("taken")
        };
        assert!(before == std::fs::read(path).unwrap(), "the file is as it was");
        message
    };
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database, but long enough to look at. ".repeat(50)).unwrap();
    assert!(refused(&text).contains("not an SQLite database"));
    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE things (id)").unwrap();
    assert!(refused(&other).contains("not a spendgate ledger"));
    let newer = folder.path().join("newer.db");
    Connection::open(&newer).unwrap().execute_batch("CREATE TABLE meta (key, value); INSERT INTO meta VALUES ('spendgate_ledger_version', '9')").unwrap();
    assert!(refused(&newer).contains("version 9"));
    assert!(matches!(audit(&StoreAddress::Sqlite(folder.path().join("nothing.db"))), Err(LedgerError::Unavailable(_))));
}

#[tokio::test]
async fn a_failed_commit_admits_nobody_and_loses_no_settlement() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let ledger = open(options.clone(), &Arc::new(Clock::manual(start())));
    let (view, secret) = token(&ledger, "a", Some(1_000)).await;
    let grant = admit(&ledger, &view, &secret, 100).await.unwrap();
    let dropped = admit(&ledger, &view, &secret, 100).await.unwrap();
    // Somebody else writes to the file, for longer than the ledger waits.
    let other = Connection::open(file(&options)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut ticket = grant.settle(usd(30), Certainty::Exact, Usage::default(), label("f"), "v");
    drop(dropped);
    assert!(matches!(ledger.admit(request(&view, &secret, 100, 100)).await, Err(LedgerError::Unavailable(_))));
    assert!(ledger.set_credits(ACCOUNT, Some(usd(1))).await.is_err());
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut ticket).await.is_err(), "not durable, not acknowledged");
    other.execute_batch("ROLLBACK").unwrap();
    let settled = ticket.await.unwrap();
    assert!(settled.charged);
    assert_eq!(figures(&ledger, "a").await, (Some(970), 0, 30));
    assert_eq!(ledger.credits(ACCOUNT).await.unwrap(), None);
    ledger.close().await;
    audited(file(&options));
}

#[tokio::test]
async fn a_trimmed_journal_still_audits() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Clock::manual(start()));
    let options = LedgerOptions { journal_days: Some(30), ..options(folder.path()) };
    let ledger = open(options.clone(), &clock);
    let (view, secret) = token(&ledger, "a", Some(1_000_000)).await;
    ledger.set_credits(ACCOUNT, Some(usd(2_000_000))).await.unwrap();
    for day in 0..40_u64 {
        clock.set(start() + Duration::from_secs(86_400 * day));
        for _ in 0..60 {
            admit(&ledger, &view, &secret, 10).await.unwrap().settle(usd(7), Certainty::Exact, Usage::default(), label("f"), "v").await.unwrap();
        }
    }
    ledger.close().await;
    assert_eq!(audited(file(&options)).journal_entries, 2 + 2_400);
    // Trimming begins with the first batch, and goes on.
    let ledger = open(options.clone(), &clock);
    let deadline = Instant::now() + Duration::from_secs(10);
    while audited(file(&options)).journal_entries > 31 * 60 {
        assert!(Instant::now() < deadline, "the journal is not trimmed");
        ledger.ping().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    admit(&ledger, &view, &secret, 10).await.unwrap().settle(usd(7), Certainty::Exact, Usage::default(), label("f"), "v").await.unwrap();
    assert_eq!(figures(&ledger, "a").await, (Some(1_000_000 - 2_401 * 7), 0, 2_401 * 7));
    let days = ledger.usage(UsageFilter {
        account: ACCOUNT.into(),
        from: Some("2026-01-16".parse().unwrap()),
        to: Some("2026-01-17".parse().unwrap()),
        ..UsageFilter::default()
    });
    assert_eq!(days.await.unwrap().iter().map(|row| row.requests).sum::<u64>(), 120);
    ledger.close().await;
    audited(file(&options));
}

#[tokio::test]
async fn the_audit_names_what_was_tampered_with() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let ledger = open(options.clone(), &Arc::new(Clock::manual(start())));
    let (view, secret) = token(&ledger, "a", Some(1_000)).await;
    admit(&ledger, &view, &secret, 10).await.unwrap().settle(usd(7), Certainty::Exact, Usage::default(), label("f"), "v").await.unwrap();
    let live = admit(&ledger, &view, &secret, 10).await.unwrap();
    // While the gateway runs, the audit agrees.
    assert_eq!(audited(file(&options)).live_holds, 1);
    live.crash();
    ledger.close().await;
    let tampered = |sql: &str| {
        let connection = Connection::open(file(&options)).unwrap();
        connection.execute_batch(&format!("SAVEPOINT before; {sql}")).unwrap();
        connection.execute_batch("RELEASE before").unwrap();
        drop(connection);
        audit(&options.store).unwrap().differences.into_iter().map(|difference| difference.what).collect::<Vec<_>>()
    };
    assert_eq!(tampered("UPDATE tokens SET balance_nanos = balance_nanos + 1"), ["balance"]);
    assert_eq!(tampered("UPDATE tokens SET balance_nanos = balance_nanos - 1, held_nanos = 0"), ["held"]);
    assert_eq!(tampered("UPDATE tokens SET held_nanos = 10, spent_nanos = 8"), ["spent", "spent"]);
    assert_eq!(tampered("UPDATE tokens SET spent_nanos = 7; UPDATE usage_daily SET cost_nanos = 6"), ["usage"]);
    assert_eq!(
        tampered(
            "UPDATE usage_daily SET cost_nanos = 7; INSERT INTO journal SELECT 99, time_ms, kind, account_id, token_id, hold_id, 0, 0, 0, certainty, provider, model, feature, usage, price_version FROM journal WHERE kind = 'charge'"
        ),
        ["charged twice"]
    );
    assert_eq!(tampered("UPDATE journal SET hold_id = (SELECT hold_id FROM holds) WHERE seq = 99"), ["charged and live"]);
}

#[tokio::test]
async fn the_clock_goes_on_from_the_newest_time_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let ahead = jiff::Timestamp::now() + Duration::from_secs(3600);
    let ledger = open(options.clone(), &Arc::new(Clock::manual(ahead)));
    token(&ledger, "a", Some(5)).await;
    ledger.close().await;
    let clock = Arc::new(Clock::new());
    let ledger = open(options, &clock);
    assert!(clock.now() >= jiff::Timestamp::from_millisecond(ahead.as_millisecond()).unwrap());
    ledger.close().await;
}

#[test]
fn many_tokens_open() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ledger = open(options.clone(), &Arc::new(Clock::manual(start())));
    runtime.block_on(token(&ledger, "a", Some(5)));
    runtime.block_on(ledger.close());
    Connection::open(file(&options))
        .unwrap()
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
             INSERT INTO tokens SELECT i, account_id, 'token-' || i, kind, 0, active_balance, 0, 0, 0, NULL, NULL, NULL, NULL, created_ms, NULL, NULL FROM n, tokens;
             INSERT INTO secrets SELECT token_id, 0, randomblob(32), 'sg_live_x', NULL FROM tokens WHERE token_id > 1",
        )
        .unwrap();
    let ledger = open(options, &Arc::new(Clock::manual(start())));
    assert_eq!(runtime.block_on(ledger.tokens(ACCOUNT)).unwrap().len(), 100_000);
    runtime.block_on(ledger.close());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_of_somebody_else_is_waited_for_and_refuses_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let tuning = Tuning { clock: Arc::new(Clock::manual(start())), tick: Duration::from_secs(3600), busy: Duration::from_secs(30), ..Tuning::default() };
    let ledger = Ledger::open_tuned(options.clone(), tuning).unwrap();
    let (token, secret) = token(&ledger, "a", Some(100)).await;
    let other = Connection::open(file(&options)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut admission = Box::pin(ledger.admit(request(&token, &secret, 10, 10)));
    // Whoever does not wait for the lock answers long before that.
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut admission).await.is_err(), "it waits for the lock");
    other.execute_batch("ROLLBACK").unwrap();
    assert!(matches!(admission.await.unwrap(), Admission::Granted(_)));
    ledger.close().await;
}

/// On the runtime that serves, with the task beside the thread, and on one without it.
async fn waits_out_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let pause = Pause::default();
    let clock = Arc::new(Clock::manual(start()));
    let tuning = Tuning { clock, tick: Duration::from_secs(3600), busy: Duration::ZERO, pause: pause.clone() };
    let ledger = Ledger::open_tuned(options.clone(), tuning).unwrap();
    let (token, secret) = token(&ledger, "a", Some(100)).await;
    let checkpoint = Connection::open(file(&options)).unwrap();
    let (stopped, writers_are_stopped) = tokio::sync::oneshot::channel();
    let (end, ends) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let held = pause.hold();
        checkpoint.execute_batch("BEGIN IMMEDIATE").unwrap();
        stopped.send(()).unwrap();
        ends.recv().unwrap();
        checkpoint.execute_batch("ROLLBACK").unwrap();
        drop(held);
    });
    writers_are_stopped.await.unwrap();
    let mut admission = Box::pin(ledger.admit(request(&token, &secret, 10, 10)));
    // Whoever does not wait is refused at once.
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut admission).await.is_err(), "it waits for the checkpoint");
    end.send(()).unwrap();
    assert!(matches!(admission.await.unwrap(), Admission::Granted(_)));
    thread.join().unwrap();
    ledger.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_checkpoint_that_takes_longer_than_any_lock_refuses_nobody() {
    waits_out_a_checkpoint().await;
}

#[tokio::test]
async fn a_checkpoint_that_takes_longer_than_any_lock_refuses_nobody_by_the_thread_alone() {
    waits_out_a_checkpoint().await;
}
