//! A record as bytes: the same afterwards, always within a slot, and never made of bytes that are not one.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::record;
use crate::ledger::outbox::codec::{MOST_ACCOUNT_BYTES, decode, encode};
use crate::ledger::outbox::image::{self, ROOM, Read};
use crate::ledger::outbox::{Ending, Record};
use crate::ledger::{ChargeLabel, HoldId, LedgerError};
use crate::money::Usd;
use crate::prices::{Unit, Usage};

/// A settlement with everything in it as large as it can be.
fn largest(text: &str) -> Record {
    let label = || ChargeLabel { provider: text.to_owned(), model: text.to_owned(), feature: text.to_owned() };
    let mut largest = record(2);
    largest.account = "a".repeat(MOST_ACCOUNT_BYTES).into();
    largest.facts.amount = Usd::MAX;
    largest.facts.lease = Duration::from_millis(u64::MAX);
    largest.facts.label = Arc::new(label());
    largest.facts.slice = Some(HoldId::derived(&["slice"]));
    let Ending::Settle(settlement) = &mut largest.ending else { panic!("not a settlement") };
    settlement.cost = Usd::from_nanos(-Usd::MAX.nanos()).unwrap();
    settlement.usage = Unit::ALL.into_iter().fold(Usage::default(), |usage, unit| usage.with(unit, u64::MAX));
    settlement.label = Arc::new(label());
    settlement.price_version = text.into();
    largest
}

#[test]
fn the_largest_record_fits_with_its_labels_shortened() {
    for text in ["x".repeat(70_000), "é".repeat(5_000), "😀".repeat(5_000)] {
        let largest = largest(&text);
        let bytes = encode(&largest).unwrap();
        assert!(bytes.len() <= ROOM, "{} bytes", bytes.len());
        let read = decode(&bytes).unwrap();
        let (Ending::Settle(was), Ending::Settle(is)) = (&largest.ending, &read.ending) else { panic!("not a settlement") };
        assert_eq!((is.hold, is.cost, is.usage, is.certainty), (was.hold, was.cost, was.usage, was.certainty));
        assert_eq!((&read.account, read.token, read.written_at), (&largest.account, largest.token, largest.written_at));
        assert_eq!((read.facts.amount, read.facts.lease, read.facts.slice), (largest.facts.amount, largest.facts.lease, largest.facts.slice));
        for cut in [&*is.label.provider, &is.label.model, &is.label.feature, &is.price_version, &read.facts.label.model] {
            assert!(text.starts_with(cut.strip_suffix('…').unwrap()), "{cut}");
        }
        assert!(is.label.model.len() > 140, "{}", is.label.model.len());
    }
}

#[test]
fn nothing_is_shortened_that_fits() {
    let mut record = record(3);
    let Ending::Settle(settlement) = &mut record.ending else { panic!("not a settlement") };
    Arc::make_mut(&mut settlement.label).model = "m".repeat(600);
    assert_eq!(decode(&encode(&record).unwrap()).unwrap(), record);
    record.account = "é".repeat(128).into();
    assert!(matches!(encode(&record), Err(LedgerError::Incompatible(message)) if message.contains("256")));
}

/// The numbers of units are in the file: a change here needs another version of it, unless new ones follow the last.
#[test]
fn units_keep_their_numbers() {
    let names: Vec<_> = Unit::ALL.into_iter().map(|unit| (unit as usize, unit.name())).collect();
    let first = ["requests", "input", "cache_read", "cache_write", "cache_write_1h", "input_audio", "cache_audio_read", "input_image", "cache_image_read"];
    let then = ["input_video", "output", "output_reasoning", "output_audio", "output_image", "output_video", "web_searches", "storage_searches"];
    let expected: Vec<_> =
        first.into_iter().chain(then).chain(["audio_millis", "characters", "pages", "search_units", "images", "annotated_pages"]).enumerate().collect();
    assert_eq!(names, expected);
}

#[test]
fn a_slot_says_what_was_written_there_and_nothing_else() {
    let payload = encode(&record(2)).unwrap();
    let whole = image::slot([1; 8], 5, &payload).unwrap();
    assert_eq!(image::read([1; 8], 5, &whole), Read::Payload(&payload));
    assert_eq!(image::read([1; 8], 6, &whole), Read::Damaged, "of another place");
    assert_eq!(image::read([2; 8], 5, &whole), Read::Damaged, "of another file");
    assert_eq!(image::read([1; 8], 5, &[0; 1024]), Read::Free);
    for byte in 0..1024 {
        for bit in 0..8 {
            let mut damaged = whole;
            damaged[byte] ^= 1 << bit;
            assert_eq!(image::read([1; 8], 5, &damaged), Read::Damaged, "bit {bit} of byte {byte}");
        }
    }
    for cut in 0..1024 {
        let mut torn = whole;
        torn[cut..].fill(0);
        let expected = if cut == 0 { Read::Free } else { Read::Damaged };
        assert_eq!(image::read([1; 8], 5, &torn), expected, "the first {cut} bytes only");
    }
}

proptest! {
    #[test]
    fn whatever_bytes_come_reading_them_ends(bytes in prop::collection::vec(any::<u8>(), 0..300), number in 0..50_u64, at in 0..300_usize, with in any::<u8>()) {
        decode(&bytes);
        let mut record = encode(&record(number)).unwrap();
        let at = at % record.len();
        record[at] = with;
        // What is read from them, if anything, can be written.
        if let Some(read) = decode(&record) {
            encode(&read).unwrap();
        }
        record.truncate(at);
        prop_assert_eq!(decode(&record), None);
    }

    #[test]
    fn a_record_is_the_same_afterwards(number in 0..1_000_000_u64, counts in prop::collection::vec(any::<u64>(), Unit::ALL.len())) {
        let mut record = record(number);
        if let Ending::Settle(settlement) = &mut record.ending {
            settlement.usage = Unit::ALL.into_iter().zip(counts).fold(Usage::default(), |usage, (unit, count)| usage.with(unit, count >> (count % 64)));
        }
        prop_assert_eq!(decode(&encode(&record).unwrap()), Some(record));
    }
}
