//! Random sequences of reserving, writing, freeing, dying and damage, against a map of what should be in the file.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{open, options, record};
use crate::ledger::LedgerError;
use crate::ledger::outbox::{Outbox, Record, Recovered, Slot};

const MOST: usize = 600;

#[derive(Clone, Debug)]
enum Step {
    Reserve(usize),
    Write(usize),
    /// Gives back a slot that may be written.
    Free(usize),
    /// Lets go of a slot: a written one stays in the file.
    Drop(usize),
    /// Everything in memory is gone, without a word; the file is as it is.
    Die,
    /// As before, and single bytes of the file change.
    Damage(Vec<(usize, u8)>),
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..1000_usize;
    prop_oneof![
        4 => (1..90_usize).prop_map(Step::Reserve),
        12 => which.clone().prop_map(Step::Write),
        6 => which.clone().prop_map(Step::Free),
        2 => which.clone().prop_map(Step::Drop),
        2 => Just(Step::Die),
        2 => prop::collection::vec((0..MOST * 1024, any::<u8>()), 1..12).prop_map(Step::Damage),
    ]
}

/// What should be there.
struct World {
    folder: tempfile::TempDir,
    outbox: Outbox,
    slots: Vec<(Slot, Option<u64>)>,
    /// Records that stand in the file: by number, with the slot's place.
    stored: BTreeMap<u64, u32>,
    /// Of slots that were let go of while written: they wait for the next start.
    kept: usize,
    next: u64,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (outbox, recovered) = open(folder.path(), &options(MOST, false));
        assert!(recovered.is_empty());
        Self { folder, outbox, slots: Vec::new(), stored: BTreeMap::new(), kept: 0, next: 1 }
    }

    fn act(&mut self, step: &Step) {
        let pick = |number: usize, slots: &[(Slot, Option<u64>)]| if slots.is_empty() { None } else { Some(number % slots.len()) };
        match step {
            Step::Reserve(count) => {
                for _ in 0..*count {
                    let room = MOST - self.slots.len() - self.kept;
                    match self.outbox.reserve() {
                        Ok(slot) => {
                            assert!(room > 0);
                            self.slots.push((slot, None));
                        }
                        Err(_) => assert_eq!(room, 0, "room for {room} more"),
                    }
                }
            }
            Step::Write(number) => {
                let Some((slot, content)) = pick(*number, &self.slots).map(|at| &mut self.slots[at]) else { return };
                if content.is_none() {
                    slot.write(&record(self.next)).unwrap();
                    *content = Some(self.next);
                    self.stored.insert(self.next, slot.index);
                    self.next += 1;
                }
            }
            Step::Free(number) => {
                let Some(at) = pick(*number, &self.slots) else { return };
                let (slot, content) = self.slots.swap_remove(at);
                slot.free();
                content.map(|content| self.stored.remove(&content));
            }
            Step::Drop(number) => {
                let Some(at) = pick(*number, &self.slots) else { return };
                let (_, content) = self.slots.swap_remove(at);
                self.kept += usize::from(content.is_some());
            }
            Step::Die => self.die(&[]),
            Step::Damage(bytes) => self.die(bytes),
        }
        let written = self.slots.iter().filter(|(_, content)| content.is_some()).count();
        assert_eq!(self.outbox.len(), written + self.kept);
        assert_eq!(self.outbox.len(), self.stored.len());
        assert_eq!(self.outbox.reserved(), self.slots.len() - written);
    }

    /// The next process gets a copy of the file, as it was at this moment.
    fn die(&mut self, damage: &[(usize, u8)]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox");
        let mut bytes = std::fs::read(self.folder.path().join("outbox")).unwrap();
        let before = bytes.clone();
        for (at, with) in damage {
            bytes[at % before.len()] = *with;
        }
        std::fs::write(&path, &bytes).unwrap();
        let hit: Vec<_> = (0..before.len()).filter(|at| before[*at] != bytes[*at]).collect();
        let in_header = |range: std::ops::Range<usize>| hit.iter().any(|at| range.contains(at));
        if in_header(0..32) && in_header(512..544) {
            // Both headers: nothing can be believed.
            assert!(matches!(Outbox::open(folder.path(), &options(MOST, false)), Err(LedgerError::Incompatible(_))));
            return;
        }
        let damaged: BTreeSet<_> = hit.iter().filter(|at| **at >= 1024).map(|at| u32::try_from(at / 1024 - 1).unwrap()).collect();
        let (outbox, recovered) = open(folder.path(), &options(MOST, false));
        self.stored.retain(|_, slot| !damaged.contains(slot));
        let expected: Vec<Record> = self.stored.keys().map(|number| record(*number)).collect();
        let found: Vec<&Record> = recovered.iter().map(|one| &one.record).collect();
        assert_eq!(found, expected.iter().collect::<Vec<_>>(), "each exactly once, the oldest first");
        assert_eq!(outbox.damaged(), damaged.len());
        let aside = std::fs::metadata(folder.path().join("outbox.damaged")).map_or(0, |facts| facts.len());
        assert_eq!(aside, u64::try_from(damaged.len()).unwrap() * 1024);
        self.slots.clear();
        self.outbox = outbox;
        self.folder = folder;
        self.kept = 0;
        for (Recovered { slot, .. }, number) in recovered.into_iter().zip(self.stored.keys()) {
            assert_eq!(self.stored[number], slot.index);
            self.slots.push((slot, Some(*number)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_was_written_and_not_freed_is_found_exactly_once(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for step in &steps {
            world.act(step);
        }
        world.act(&Step::Die);
    }

    /// Longer pieces: blocks of a failing disk, or the end of the file missing.
    #[test]
    fn damage_of_any_length_loses_what_it_hits_and_no_more(
        count in 1..280_usize, from in 1024..290_000_usize, length in 1..20_000_usize, with in prop::option::of(any::<u8>()), cut in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (outbox, _) = open(folder.path(), &options(MOST, false));
        let mut slots = Vec::new();
        for number in 0..count {
            let mut slot = outbox.reserve().unwrap();
            slot.write(&record(u64::try_from(number).unwrap())).unwrap();
            slots.push(slot.index);
            drop(slot);
        }
        let mut bytes = std::fs::read(folder.path().join("outbox")).unwrap();
        let before = bytes.clone();
        let end = (from + length).min(bytes.len());
        let from = from.min(end);
        if cut {
            bytes.truncate(from);
        } else {
            for (at, byte) in bytes[from..end].iter_mut().enumerate() {
                *byte = with.unwrap_or(u8::try_from(at * 31 % 251).unwrap());
            }
        }
        let other = tempfile::tempdir().unwrap();
        std::fs::write(other.path().join("outbox"), &bytes).unwrap();
        let same = |slot: u32| {
            let range = (usize::try_from(slot).unwrap() + 1) * 1024..(usize::try_from(slot).unwrap() + 2) * 1024;
            bytes.get(range.clone()) == before.get(range)
        };
        let expected: Vec<_> = (0_u64..).zip(&slots).filter(|(_, slot)| same(**slot)).map(|(number, _)| record(number)).collect();
        let (again, recovered) = open(other.path(), &options(MOST, false));
        prop_assert_eq!(recovered.iter().map(|one| one.record.clone()).collect::<Vec<_>>(), expected);
        drop((again, recovered));
        // Reported once.
        prop_assert_eq!(open(other.path(), &options(MOST, false)).0.damaged(), 0);
    }
}
