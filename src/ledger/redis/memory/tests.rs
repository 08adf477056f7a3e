//! The memory against a plain list of everything that happened.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{AdmittedHold, Memory, Operation};
use crate::ledger::outbox::HoldFacts;
use crate::ledger::outbox::tests::{hold, record};
use crate::tokens::TokenId;

const WINDOW: Duration = Duration::from_secs(30);

proptest! {
    #[test]
    fn all_of_the_window_is_remembered_in_order(steps in prop::collection::vec((0..4_000_u64, any::<bool>()), 1..200), most in 1..120_usize) {
        let start = Instant::now();
        let (mut memory, mut all, mut now) = (Memory::new(WINDOW, most), Vec::new(), start);
        for (number, (millis, ended)) in (0..).zip(steps) {
            now += Duration::from_millis(millis);
            let operation = if ended {
                let record = Arc::new(record(number));
                memory.ended(now, Arc::clone(&record));
                Operation::Ended(record)
            } else {
                let hold = AdmittedHold { hold: hold(number), account: "a".into(), token: TokenId(number), facts: HoldFacts::default() };
                memory.admitted(now, hold.clone());
                Operation::Admitted(hold)
            };
            all.push((now, operation));
            let young: Vec<_> = all.iter().filter(|(at, _)| now - *at < WINDOW).collect();
            let expected: Vec<_> = young.iter().skip(young.len().saturating_sub(most)).map(|(_, operation)| operation).collect();
            prop_assert_eq!(memory.recent(now).collect::<Vec<_>>(), expected);
            prop_assert!(memory.len() <= most);
            // Nothing is missing of what is younger than the memory says it reaches.
            let reach = memory.reach(now);
            let within = |at: &Instant| now - *at < reach;
            prop_assert_eq!(young.iter().filter(|(at, _)| within(at)).count(), memory.operations.iter().filter(|(at, _)| within(at)).count());
            prop_assert!(reach == WINDOW || young.len() > most);
        }
        memory.forget_older(now + WINDOW);
        prop_assert_eq!((memory.len(), memory.reach(now + WINDOW)), (0, WINDOW));
    }
}
