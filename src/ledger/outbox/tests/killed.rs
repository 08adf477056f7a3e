//! kill -9: a child process writes and frees, and is killed at a random moment; all that it reported as durable is there.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{open, options, record};

const FOLDER: &str = "SPENDGATE_TEST_OUTBOX_FOLDER";
const ROUND: &str = "SPENDGATE_TEST_OUTBOX_ROUND";

/// Not a test by itself: what the child does. Four threads, each on numbers of its own; every third record is freed again at once.
#[test]
#[ignore = "the child of the test below"]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let (outbox, recovered) = open(folder.as_ref(), &options(65_536, round % 2 == 1));
    drop(recovered);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let outbox = &outbox;
            scope.spawn(move || {
                for number in (0_u64..).map(|number| round * 1_000_000 + number * 4 + thread) {
                    let Ok(mut slot) = outbox.reserve() else { return };
                    slot.write(&record(number)).unwrap();
                    // As a client that sees the end of its answer.
                    eprintln!("written {number}.");
                    if number % 3 == 0 {
                        eprintln!("freeing {number}.");
                        slot.free();
                    }
                }
            });
        }
    });
}

#[test]
fn a_killed_process_loses_nothing_that_it_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (mut written, mut freed) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..6_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ledger::outbox::tests::killed::child", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .env(ROUND, round.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = |line: String| {
            let number = |what| line.strip_prefix(what)?.strip_suffix('.')?.parse::<u64>().ok();
            written.extend(number("written "));
            freed.extend(number("freeing "));
        };
        // At another moment each time, past the first growth of the file too.
        lines.by_ref().take(20 + usize::try_from(round).unwrap() * 211).for_each(|line| seen(line.unwrap()));
        std::thread::sleep(Duration::from_micros(round * 700));
        child.kill().unwrap();
        child.wait().unwrap();
        // What the pipe still holds was seen by the client too.
        lines.map_while(Result::ok).for_each(seen);
    }
    assert!(written.len() > 600, "{} were written", written.len());
    let (outbox, recovered) = open(folder.path(), &options(65_536, false));
    assert_eq!(outbox.damaged(), 0);
    let mut found = BTreeSet::new();
    for one in recovered {
        let number = one.record.token.0 >> 32;
        assert_eq!(one.record, record(number), "as it was written");
        assert!(found.insert(number), "{number} twice");
        one.slot.free();
    }
    let lost: Vec<_> = written.difference(&freed).filter(|number| !found.contains(number)).collect();
    assert!(lost.is_empty(), "reported as durable and lost: {lost:?}");
    // One a thread and round may be written and not reported, or about to be freed.
    let beyond = found.iter().filter(|number| !written.contains(number) || freed.contains(number)).count();
    assert!(beyond <= 6 * 4, "{beyond} that should not be there");
    assert_eq!(outbox.len(), 0);
}
