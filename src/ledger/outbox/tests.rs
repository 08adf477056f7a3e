//! The outbox on real files: random sequences against a model, with kills and damage (`model.rs`), a process killed by force (`killed.rs`), a disk without
//! room (`full.rs`), concurrent writers that wait for the disk (`synced.rs`), notes (`notes.rs`), and what a record looks like at its largest (`codec.rs`).

mod codec;
mod full;
mod killed;
mod model;
mod notes;
mod synced;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Ending, HoldFacts, Outbox, OutboxOptions, Record, Recovered};
use crate::ledger::{Certainty, ChargeLabel, HoldId, LedgerError, Settlement};
use crate::money::Usd;
use crate::prices::{Unit, Usage};
use crate::tokens::TokenId;

fn options(most_slots: usize, fsync: bool) -> OutboxOptions {
    OutboxOptions { most_slots, fsync }
}

/// Opens it. A thread that let the file of the outbox before grow may still be about to end.
fn open(folder: &Path, options: &OutboxOptions) -> (Outbox, Vec<Recovered>) {
    let start = Instant::now();
    loop {
        match Outbox::open(folder, options) {
            Err(LedgerError::Locked(_)) if start.elapsed() < Duration::from_secs(5) => std::thread::sleep(Duration::from_millis(1)),
            opened => return opened.unwrap(),
        }
    }
}

pub(in crate::ledger) fn hold(number: u64) -> HoldId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    HoldId(id)
}

/// A record that tells its number in most of its fields; of another kind each time.
pub(in crate::ledger) fn record(number: u64) -> Record {
    let usd = |nanos: u64| Usd::from_nanos(i64::try_from(nanos).unwrap()).unwrap();
    let label = |feature: &str| ChargeLabel { provider: "openai".into(), model: format!("gpt-{number}"), feature: feature.into() };
    let ending = match number % 4 {
        0 => Ending::ChargeHold(hold(number)),
        1 => Ending::Void(hold(number), Duration::from_millis(number + 1)),
        _ => Ending::Settle(Settlement {
            hold: hold(number),
            cost: usd(number * 3),
            certainty: [Certainty::Exact, Certainty::Estimated, Certainty::Uncertain][usize::try_from(number % 3).unwrap()],
            usage: Usage::default().with(Unit::Input, number).with(Unit::Output, number * 1_000_003),
            label: Arc::new(label("text__chat")),
            price_version: format!("v{number}").into(),
        }),
    };
    let facts = HoldFacts {
        amount: usd(number * 2),
        on_token: number.is_multiple_of(2),
        on_account: number.is_multiple_of(5),
        lease: Duration::from_secs(60),
        label: Arc::new(label("é")),
        slice: number.is_multiple_of(7).then(|| HoldId::derived(&["slice"])),
    };
    let written_at = Timestamp::from_millisecond(1_800_000_000_000 + i64::try_from(number).unwrap()).unwrap();
    Record { ending, account: format!("account {number}").into(), token: TokenId(number << 32), facts, written_at }
}

#[test]
fn a_second_process_is_refused_until_the_first_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = open(folder.path(), &options(64, false));
    let Err(LedgerError::Locked(message)) = Outbox::open(folder.path(), &options(64, false)) else { panic!("two processes on one outbox") };
    assert!(message.contains("outbox.lock") && message.contains("SPENDGATE_OUTBOX"), "{message}");
    drop(first);
    open(folder.path(), &options(64, false));
}

#[test]
fn foreign_files_and_other_versions_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox");
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let Err(LedgerError::Incompatible(message)) = Outbox::open(folder.path(), &options(64, false)) else { panic!("taken") };
        assert!(std::fs::read(&path).unwrap() == bytes, "the file is as it was");
        assert!(message.contains("SPENDGATE_OUTBOX"), "{message}");
        message
    };
    assert!(refused(b"notes").contains("not a spendgate outbox"));
    assert!(refused(&[0; 4096]).contains("not a spendgate outbox"));
    let mut newer = super::image::header([7; 8]);
    for start in [0, 512] {
        newer[start + 8] = 9;
        let checksum = crc32fast::hash(&newer[start..start + 28]).to_le_bytes();
        newer[start + 28..start + 32].copy_from_slice(&checksum);
    }
    assert!(refused(&newer).contains("version 9"));
    // What a file system left of a file that was never written.
    std::fs::write(&path, b"").unwrap();
    assert_eq!(open(folder.path(), &options(64, false)).1.len(), 0);
}

#[test]
fn slots_are_counted_bounded_and_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, _) = open(folder.path(), &options(300, false));
    let counts = |outbox: &Outbox| (outbox.reserved(), outbox.len(), outbox.capacity());
    let mut slots: Vec<_> = (0..300).map(|_| outbox.reserve().unwrap()).collect();
    assert_eq!(counts(&outbox), (300, 0, 300));
    assert_eq!(std::fs::metadata(folder.path().join("outbox")).unwrap().len(), 301 * 1024);
    let Err(LedgerError::Unavailable(message)) = outbox.reserve() else { panic!("beyond its bound") };
    assert!(message.contains("300"), "{message}");
    slots[7].write(&record(7)).unwrap();
    slots[7].write(&record(7)).unwrap();
    assert_eq!(counts(&outbox), (299, 1, 300));
    slots.swap_remove(7).free();
    drop(slots.pop());
    assert_eq!(counts(&outbox), (298, 0, 300));
    slots.extend((0..2).map(|_| outbox.reserve().unwrap()));
    assert!(outbox.reserve().is_err());
    slots[3].write(&record(3)).unwrap();
    drop(slots);
    assert_eq!(counts(&outbox), (0, 1, 300));
    drop(outbox);
    // What is there stays usable under a lower bound.
    let (outbox, recovered) = open(folder.path(), &options(10, false));
    assert_eq!((recovered.len(), counts(&outbox)), (1, (0, 1, 300)));
    recovered.into_iter().for_each(|one| one.slot.free());
    assert_eq!(counts(&outbox), (0, 0, 300));
}

#[test]
fn the_room_of_a_slot_is_on_the_disk() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let (outbox, _) = open(folder.path(), &options(1000, true));
    let _slots: Vec<_> = (0..257).map(|_| outbox.reserve().unwrap()).collect();
    let facts = std::fs::metadata(folder.path().join("outbox")).unwrap();
    assert!(facts.blocks() * 512 >= facts.len() && facts.len() > 512 * 1024, "{} blocks for {} bytes", facts.blocks(), facts.len());
}

#[test]
fn what_can_never_be_delivered_is_kept_readable() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, _) = open(folder.path(), &options(64, false));
    outbox.keep_failed(&record(2), "out of range").unwrap();
    outbox.keep_failed(&record(5), "a \"quoted\"\nreason").unwrap();
    let text = std::fs::read_to_string(folder.path().join("outbox.failed")).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["ending"], &lines[0]["of_ending"]["cost_nanos"]), (&"settle".into(), &6.into()));
    assert_eq!((&lines[0]["hold"], &lines[0]["of_ending"]["usage"]["input"]), (&hold(2).to_string().into(), &2.into()));
    assert_eq!((&lines[1]["ending"], &lines[1]["of_ending"]["lease_ms"]), (&"void".into(), &6.into()));
    assert_eq!(lines[1]["why"], "a \"quoted\"\nreason");
}
