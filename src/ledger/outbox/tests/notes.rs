//! Notes beside endings: there after a kill, gone when they are freed, never in the way of an ending.

use std::sync::Arc;

use proptest::prelude::*;

use super::{hold, open, options, record};
use crate::ledger::outbox::codec::{MOST_ACCOUNT_BYTES, decode, encode, encode_note};
use crate::ledger::outbox::image::ROOM;
use crate::ledger::outbox::{Boot, Note, Noted};
use crate::ledger::{ChargeLabel, LedgerError};

/// A note that tells its number in most of its fields; of another kind each time.
fn note(number: u64) -> Note {
    let like = record(number);
    let noted = match number % 3 {
        0 => Noted::Slice(hold(number), Boot::of("a start")),
        1 => Noted::Slice(hold(number), Boot::of("")),
        _ => Noted::Admitted(hold(number), like.facts),
    };
    Note { noted, account: like.account, token: like.token, written_at: like.written_at }
}

#[test]
fn notes_outlive_the_process_and_are_no_endings() {
    let folder = tempfile::tempdir().unwrap();
    for fsync in [false, true] {
        let (outbox, recovered) = open(folder.path(), &options(400, fsync));
        assert!(recovered.is_empty() && outbox.left().is_empty());
        let notes: Vec<_> = (0..9).map(|number| outbox.note(&note(number)).unwrap()).collect();
        let mut ending = outbox.reserve().unwrap();
        ending.write(&record(50)).unwrap();
        assert_eq!((outbox.len(), outbox.reserved()), (1, 9));
        for (number, slot) in notes.into_iter().enumerate() {
            if number % 2 == 0 {
                slot.free();
            }
        }
        drop((ending, outbox));

        let (outbox, recovered) = open(folder.path(), &options(400, fsync));
        assert_eq!((outbox.len(), outbox.reserved(), outbox.damaged()), (1, 4, 0));
        assert_eq!(recovered.into_iter().map(|one| (one.record, one.slot.free()).0).collect::<Vec<_>>(), [record(50)]);
        let mut left = outbox.left();
        left.sort_by_key(|(note, _)| note.written_at);
        assert!(left.iter().map(|(note, _)| note).eq(&[note(1), note(3), note(5), note(7)]));
        assert!(outbox.left().is_empty(), "handed out once");
        left.into_iter().for_each(|(_, slot)| slot.free());
        assert_eq!((outbox.len(), outbox.reserved()), (0, 0));
    }
}

#[test]
fn most_of_the_room_is_for_endings() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, _) = open(folder.path(), &options(400, false));
    let (slice, request) = (note(0), note(2));
    let mut notes: Vec<_> = (0..50).map(|_| outbox.note(&slice).unwrap()).collect();
    assert!(matches!(outbox.note(&slice), Err(LedgerError::Unavailable(_))));
    notes.extend((0..50).map(|_| outbox.note(&request).unwrap()));
    assert!(matches!(outbox.note(&request), Err(LedgerError::Unavailable(_))));
    notes.pop().unwrap().free();
    notes.push(outbox.note(&request).unwrap());
    drop((notes, outbox));
    // Those that were left count as well.
    let (outbox, _) = open(folder.path(), &options(400, false));
    assert!(outbox.note(&request).is_err());
    assert_eq!((0..400).map_while(|_| outbox.reserve().ok()).collect::<Vec<_>>().len(), 300);
}

#[test]
fn the_largest_note_fits() {
    let mut largest = note(2);
    largest.account = "a".repeat(MOST_ACCOUNT_BYTES).into();
    let Noted::Admitted(_, facts) = &mut largest.noted else { panic!("of a slice") };
    let text = || "é".repeat(5_000);
    facts.label = Arc::new(ChargeLabel { provider: text(), model: text(), feature: text() });
    let bytes = encode_note(&largest);
    assert!(bytes.len() <= ROOM, "{} bytes", bytes.len());
    let read = Note::decode(&bytes).unwrap();
    assert_eq!((&read.account, read.written_at), (&largest.account, largest.written_at));
}

proptest! {
    #[test]
    fn a_note_is_the_same_afterwards_and_is_no_ending(number in 0..100_000_u64, bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..300_usize) {
        let mut encoded = encode_note(&note(number));
        prop_assert_eq!(Note::decode(&encoded), Some(note(number)));
        prop_assert_eq!(decode(&encoded), None);
        prop_assert_eq!(Note::decode(&encode(&record(number)).unwrap()), None);
        encoded.truncate(at % encoded.len());
        prop_assert_eq!(Note::decode(&encoded), None);
        Note::decode(&bytes);
    }
}
