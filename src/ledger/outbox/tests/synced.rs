//! Many writers that wait for the disk at once, and many that reserve while the file grows.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::{open, options, record};

#[test]
fn concurrent_writers_all_get_through() {
    for fsync in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (outbox, _) = open(folder.path(), &options(2_000, fsync));
        let places = Mutex::new(BTreeSet::new());
        std::thread::scope(|scope| {
            for thread in 0..16_u64 {
                let (outbox, places) = (&outbox, &places);
                scope.spawn(move || {
                    let slots: Vec<_> = (0..60).map(|_| outbox.reserve().unwrap()).collect();
                    for (number, mut slot) in (0..).zip(slots) {
                        slot.write(&record(thread * 100 + number)).unwrap();
                        assert!(places.lock().unwrap().insert(slot.index), "one slot for two");
                    }
                });
            }
        });
        drop(outbox);
        let (outbox, recovered) = open(folder.path(), &options(2_000, fsync));
        let found: Vec<_> = recovered.iter().map(|one| one.record.clone()).collect();
        let expected: Vec<_> = (0..16).flat_map(|thread| (0..60).map(move |number| record(thread * 100 + number))).collect();
        assert_eq!(found, expected);
        assert_eq!((outbox.len(), outbox.reserved()), (960, 0));
    }
}
