//! Against a store of one budget that may apply what it is told and lose the answer, or lose what it is told, or let slices expire: whatever happens, requests
//! are admitted from what the store holds, and nothing stays behind.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError};

use super::*;
use crate::ledger::outbox::HoldFacts;
use crate::ledger::redis::operations::{Care, Cared, Recalls, SliceState};

/// How many requests are told of at a time: fewer than there are, now and then.
const MOST: usize = 3;

fn usd(nanos: i64) -> Usd {
    Usd::from_nanos(nanos).unwrap()
}

fn key() -> Key {
    Key { token: TokenId(1), secret: SecretHash::of("secret") }
}

/// A budget, the slices and the holds that stand on it.
#[derive(Default)]
struct Store {
    free: i64,
    slices: HashMap<HoldId, i64>,
    recalled: HashMap<HoldId, bool>,
    recalls: u64,
    holds: HashMap<HoldId, i64>,
    /// Was given back: never comes.
    barred: Vec<HoldId>,
}

impl Store {
    fn take(&mut self, want: &Want) -> Option<Taken> {
        let amount = (self.free / 8).min(want.size.most.nanos());
        if amount < want.size.least.nanos() || self.barred.contains(&want.slice) {
            return None;
        }
        self.free -= amount;
        self.slices.insert(want.slice, amount);
        Some(Taken { amount: usd(amount), on_token: true, on_account: false, free: usd(self.free), usable: LEASE })
    }

    fn tell(&mut self, admitted: &[AdmittedHold], cares: &[(HoldId, Care)]) -> Vec<Cared> {
        for hold in admitted {
            let amount = hold.facts.amount.nanos();
            if self.holds.insert(hold.hold, amount).is_none() {
                *self.slices.get_mut(&hold.facts.slice.unwrap()).expect("the slice of what was admitted") -= amount;
            }
        }
        assert!(self.slices.values().all(|amount| *amount >= 0), "more was admitted than was set aside: {:?}", self.slices);
        let nothing = Cared { state: SliceState::Gone, amount: Usd::ZERO, free: Usd::ZERO, usable: Duration::ZERO };
        cares
            .iter()
            .map(|(id, care)| match care {
                Care::GiveBack(_) => {
                    self.free += self.slices.remove(id).unwrap_or(0);
                    self.barred.push(*id);
                    nothing
                }
                Care::GoOn { fill_to, .. } => {
                    let Some(amount) = self.slices.get_mut(id) else { return nothing };
                    if self.recalled.contains_key(id) {
                        return Cared { state: SliceState::Recalled, amount: usd(*amount), ..nothing };
                    }
                    let more = (fill_to.nanos().min((self.free + *amount) / 8) - *amount).max(0);
                    (*amount, self.free) = (*amount + more, self.free - more);
                    Cared { state: SliceState::Live, amount: usd(*amount), free: usd(self.free), usable: LEASE }
                }
            })
            .collect()
    }
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Comes,
    IsLost,
    /// The question is.
    WasNotAsked,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask(i64),
    /// Takes what is wanted; the answer comes after so many more steps.
    Take(Answer),
    Tell(Answer),
    Wait(u64),
    Recall,
    CallBack,
}

fn step() -> impl Strategy<Value = Step> {
    let answer = || prop_oneof![4 => Just(Answer::Comes), 1 => Just(Answer::IsLost), 1 => Just(Answer::WasNotAsked)];
    prop_oneof![
        20 => (0_i64..60).prop_map(Step::Ask),
        4 => answer().prop_map(Step::Take),
        8 => answer().prop_map(Step::Tell),
        6 => prop_oneof![0_u64..20, 0_u64..600].prop_map(Step::Wait),
        1 => Just(Step::Recall),
        1 => Just(Step::CallBack),
    ]
}

/// A gateway and its store.
struct Pair {
    table: Table,
    store: Store,
    now: Instant,
    admitted: Vec<(HoldId, i64)>,
    asked: u64,
}

impl Pair {
    fn new(balance: i64) -> Self {
        let store = Store { free: balance, ..Store::default() };
        Self { table: Table::default(), store, now: Instant::now(), admitted: Vec::new(), asked: 0 }
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Ask(amount) => {
                self.table.asked(self.now, key(), usd(amount));
                let part = self.table.part(self.now, &key(), usd(amount));
                if let Some(part) = part.filter(|part| self.table.admit(self.now, &key(), usd(amount), part).is_some()) {
                    self.asked += 1;
                    let hold = HoldId::derived(&[&self.asked.to_string()]);
                    let facts = HoldFacts { amount: usd(amount), on_token: true, slice: Some(part.slice), ..HoldFacts::default() };
                    self.table.note_admitted(self.now, AdmittedHold { hold, account: Arc::from("a"), token: TokenId(1), facts });
                    self.admitted.push((hold, amount));
                }
            }
            Step::Take(answer) => {
                for want in self.table.wanted(self.now) {
                    let taken = if matches!(answer, Answer::WasNotAsked) { None } else { self.store.take(&want) };
                    if matches!(answer, Answer::Comes) {
                        self.table.taken(self.now, self.now, &want, taken);
                    } else {
                        self.table.unsure(self.now, &want);
                    }
                }
            }
            Step::Tell(answer) => {
                let Next { admitted, all, .. } = self.table.tell_next(self.now, MOST);
                let cares = self.table.care(self.now, all);
                if matches!(answer, Answer::WasNotAsked) {
                    self.table.unheard(self.now, &cares);
                    return;
                }
                let heard = self.store.tell(&admitted, &cares);
                if matches!(answer, Answer::Comes) {
                    self.table.told(admitted.len());
                    for ((id, care), cared) in cares.iter().zip(&heard) {
                        self.table.cared(self.now, self.now, *id, care, cared);
                    }
                    let last = (0..self.store.recalls.min(3)).map(|number| (number % 2 == 0).then_some(TokenId(1))).collect();
                    self.table.called_back(self.now, &Recalls { count: self.store.recalls, last });
                } else {
                    self.table.unheard(self.now, &cares);
                }
            }
            Step::Wait(millis) => self.now += Duration::from_millis(millis),
            Step::Recall => {
                self.store.recalled.extend(self.store.slices.keys().map(|id| (*id, true)));
                self.store.recalls += 1;
            }
            Step::CallBack => drop(self.table.call_back(self.now, Some(TokenId(1)))),
        }
    }
}

fn all_of_it(balance: i64, steps: &[Step]) -> Result<usize, TestCaseError> {
    let mut pair = Pair::new(balance);
    for step in steps {
        pair.play(*step);
        let untold: i64 =
            pair.table.untold.iter().filter(|(_, hold)| !pair.store.holds.contains_key(&hold.hold)).map(|(_, hold)| hold.facts.amount.nanos()).sum();
        let free: i64 = pair.table.places.values().filter_map(|place| Some(place.slice.as_ref()?.free().nanos())).sum();
        let set_aside: i64 = pair.store.slices.values().sum();
        prop_assert!(free >= 0 && free + untold <= set_aside, "{free} free and {untold} untold of {set_aside}");
    }
    pair.table.close(pair.now);
    while !pair.table.is_empty() {
        pair.play(Step::Wait(50));
        pair.play(Step::Tell(Answer::Comes));
    }
    prop_assert!(pair.table.is_empty() && pair.store.slices.is_empty(), "{:?}", pair.table);
    let expected: HashMap<HoldId, i64> = pair.admitted.iter().copied().collect();
    prop_assert_eq!(&pair.store.holds, &expected, "every request has a hold, once");
    prop_assert_eq!(pair.store.free, balance - expected.values().sum::<i64>());
    Ok(expected.len())
}

#[test]
fn requests_are_admitted_from_what_the_store_holds_and_nothing_stays_behind() {
    let admitted = std::cell::Cell::new(0);
    let config = Config { cases: 500, failure_persistence: None, ..Config::default() };
    proptest!(config, |(balance in 100_i64..20_000, steps in prop::collection::vec(step(), 0..200))| {
        admitted.set(admitted.get() + all_of_it(balance, &steps)?);
    });
    assert!(admitted.get() > 500, "hardly anything was admitted: {}", admitted.get());
}

/// A table with a slice that has 100 left.
fn with_a_slice() -> Pair {
    let mut pair = Pair::new(100_000);
    for _ in 0..4 {
        pair.play(Step::Ask(25));
    }
    pair.play(Step::Take(Answer::Comes));
    assert_eq!(pair.store.slices.len(), 1);
    pair
}

#[test]
fn nothing_is_admitted_from_a_slice_whose_time_may_be_up() {
    let mut pair = with_a_slice();
    pair.play(Step::Wait(2_499));
    assert!(pair.table.part(pair.now, &key(), usd(100)).is_some() && pair.table.part(pair.now, &key(), usd(101)).is_none());
    pair.play(Step::Wait(1));
    assert_eq!(pair.table.part(pair.now, &key(), usd(1)), None);
}

#[test]
fn a_slice_that_nobody_uses_goes_back_after_a_second() {
    let mut pair = with_a_slice();
    pair.play(Step::Wait(999));
    pair.play(Step::Tell(Answer::Comes));
    assert_eq!(pair.store.slices.len(), 1);
    pair.play(Step::Wait(40));
    pair.play(Step::Tell(Answer::Comes));
    assert!(pair.store.slices.is_empty() && pair.table.is_empty());
    assert_eq!(pair.table.all().len(), 1, "remembered, should a failover bring it back");
}

#[test]
fn what_was_called_back_is_seen_with_the_next_look_and_none_is_asked_for_a_while() {
    let mut pair = with_a_slice();
    pair.play(Step::Recall);
    pair.play(Step::Wait(39));
    assert!(!pair.table.is_due(pair.now));
    pair.play(Step::Wait(1));
    assert!(pair.table.is_due(pair.now) && pair.table.glances(pair.now));
    pair.play(Step::Tell(Answer::Comes));
    // Now it is known that there was a recall, and the slice is looked after.
    assert!(pair.table.is_due(pair.now));
    pair.play(Step::Tell(Answer::Comes));
    assert_eq!(pair.table.part(pair.now, &key(), usd(1)), None);
    for _ in 0..4 {
        pair.play(Step::Ask(25));
    }
    pair.play(Step::Tell(Answer::Comes));
    assert!(pair.store.slices.is_empty() && pair.table.wanted(pair.now).is_empty());
    pair.play(Step::Wait(1_001));
    for _ in 0..4 {
        pair.play(Step::Ask(25));
    }
    assert_eq!(pair.table.wanted(pair.now).len(), 1);
}

/// A table with so many slices, each of a token of its own, all taken at once.
fn with_slices(count: u64) -> (Table, Instant) {
    let (mut table, now) = (Table::default(), Instant::now());
    for token in 1..=count {
        let key = Key { token: TokenId(token), secret: SecretHash::of("secret") };
        for _ in 0..4 {
            table.asked(now, key, usd(25));
        }
    }
    for want in table.wanted(now) {
        table.taken(now, now, &want, Some(Taken { amount: usd(100), on_token: true, on_account: false, free: usd(900), usable: LEASE }));
    }
    (table, now)
}

fn go_on() -> Care {
    Care::GoOn { fill_to: Usd::ZERO, lease: LEASE }
}

#[test]
fn only_slices_that_were_called_back_are_looked_after() {
    let (mut table, now) = with_slices(1_000);
    let recalls = |count, last: &[Option<u64>]| Recalls { count, last: last.iter().map(|token| token.map(TokenId)).collect() };
    let at = |millis| now + Duration::from_millis(millis);
    let looked = |table: &mut Table, millis| {
        let mut looked = 0;
        while table.is_due(at(millis)) {
            looked += table.care(at(millis), true).len();
        }
        looked
    };
    assert_eq!(looked(&mut table, 40), 0, "a thousand slices are no reason to tell more than that there are some");
    table.called_back(at(40), &recalls(7, &[None]));
    assert_eq!(looked(&mut table, 80), 1_000, "what was called back before is not known");
    table.called_back(at(80), &recalls(7, &[None]));
    assert_eq!(looked(&mut table, 120), 0);
    table.called_back(at(120), &recalls(9, &[Some(3), Some(5), Some(7), None]));
    assert_eq!(looked(&mut table, 160), 2);
    table.called_back(at(160), &recalls(12, &[Some(3), Some(5)]));
    assert_eq!(looked(&mut table, 200), 1_000, "more than is told of");
    table.called_back(at(200), &recalls(13, &[None, Some(5)]));
    assert_eq!(looked(&mut table, 240), 1_000, "all of the account");
    table.called_back(at(240), &recalls(2, &[Some(5), Some(6)]));
    assert_eq!(looked(&mut table, 280), 1_000, "another server");
    // Each twice a second, and no more often for having been looked after besides.
    table.called_back(at(280), &recalls(2, &[Some(5), Some(6)]));
    assert_eq!(looked(&mut table, 700), 0);
    assert_eq!(looked(&mut table, 781), 1_000);
    table.unheard(at(781), &[(HoldId::derived(&["gone"]), Care::GiveBack(LEASE)), (*table.open.keys().next().unwrap(), go_on())]);
    assert_eq!(looked(&mut table, 782), 1, "once more, since there was no answer");
    assert!(table.looks.len() <= 2_000, "{}", table.looks.len());
}

#[test]
fn what_is_known_of_tokens_that_are_no_longer_busy_is_forgotten() {
    let (mut table, now) = with_slices(1_000);
    for millis in (0..100_000).step_by(100) {
        let now = now + Duration::from_millis(millis);
        while table.is_due(now) {
            let cares = table.care(now, true);
            for (id, care) in &cares {
                let gone = Cared { state: SliceState::Gone, amount: Usd::ZERO, free: Usd::ZERO, usable: Duration::ZERO };
                table.cared(now, now, *id, care, &gone);
            }
        }
        // Another token keeps the table busy.
        let key = Key { token: TokenId(5_000 + millis), secret: SecretHash::of("secret") };
        table.asked(now, key, usd(25));
        table.care(now, true);
    }
    assert!(table.is_empty() && table.open.is_empty() && table.looks.is_empty() && table.low.is_empty() && table.all().is_empty());
    assert!(table.places.len() <= 320, "{} places", table.places.len());
}

#[test]
fn a_slice_whose_request_could_not_be_told_is_not_given_back() {
    let mut pair = with_a_slice();
    pair.play(Step::Ask(25));
    assert_eq!(pair.admitted.len(), 1);
    pair.play(Step::Wait(60_001));
    pair.play(Step::Tell(Answer::Comes));
    assert!(pair.table.is_empty() && pair.table.all().is_empty() && pair.store.holds.is_empty());
    assert_eq!(pair.store.slices.len(), 1, "it is charged when its lease ends");
}

#[test]
fn a_slice_that_comes_after_it_was_called_back_goes_back_at_once() {
    let mut pair = Pair::new(100_000);
    for _ in 0..4 {
        pair.play(Step::Ask(25));
    }
    let want = pair.table.wanted(pair.now).remove(0);
    let taken = pair.store.take(&want);
    assert!(!pair.table.call_back(pair.now, None), "there is none yet");
    assert!(!pair.table.taken(pair.now, pair.now, &want, taken));
    pair.play(Step::Tell(Answer::Comes));
    assert!(pair.store.slices.is_empty());
}
