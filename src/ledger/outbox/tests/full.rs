//! A disk without room: a child process may make its file no larger than so much (`ulimit -f`, with the signal ignored), so that growing fails with a real
//! error of the system in the middle of a chunk. New requests are refused; those that have their slot write it.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::{open, options, record};
use crate::ledger::LedgerError;

const FOLDER: &str = "SPENDGATE_TEST_FULL_OUTBOX_FOLDER";

/// Not a test by itself: what the child does.
#[test]
#[ignore = "the child of the test below"]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let (outbox, _) = open(folder.as_ref(), &options(16_384, false));
    let mut slots = Vec::new();
    let refused = loop {
        match outbox.reserve() {
            Ok(slot) => slots.push(slot),
            Err(error) => break error,
        }
    };
    let LedgerError::Unavailable(message) = refused else { panic!("{refused}") };
    assert!(message.contains("cannot grow"), "{message}");
    assert!(slots.len() >= 256 && slots.len().is_multiple_of(256), "{} slots", slots.len());
    assert_eq!(outbox.reserved(), slots.len());
    for (number, slot) in (0..).zip(&mut slots) {
        slot.write(&record(number)).unwrap();
    }
    // Still refused, and after the disk had its rest asked again.
    assert!(outbox.reserve().is_err());
    std::thread::sleep(Duration::from_millis(600));
    assert!(outbox.reserve().is_err());
    // What is given back can be used.
    slots.pop().unwrap().free();
    let mut slot = outbox.reserve().unwrap();
    slot.write(&record(1_000_000)).unwrap();
    eprintln!("wrote {}.", slots.len() + 1);
}

#[test]
fn a_full_disk_refuses_requests_and_loses_no_ending() {
    let folder = tempfile::tempdir().unwrap();
    // In blocks of 512 or 1024 bytes, as the shell has it: in the middle of a chunk either way.
    let limited = "trap '' XFSZ; ulimit -f 1300; exec \"$0\" \"$@\"";
    let child = Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "ledger::outbox::tests::full::child", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    let wrote: usize = said.split("wrote ").nth(1).and_then(|rest| rest.split('.').next()?.parse().ok()).unwrap_or_else(|| panic!("{said}"));
    let (outbox, recovered) = open(folder.path(), &options(16_384, false));
    assert_eq!((recovered.len(), outbox.damaged()), (wrote, 0));
    for (number, one) in (0_u64..).zip(&recovered).take(wrote - 1) {
        assert_eq!(one.record, record(number));
    }
    // With room again, it grows.
    assert!((0..1000).all(|_| outbox.reserve().map(std::mem::forget).is_ok()));
}
