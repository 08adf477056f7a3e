//! Do the tests see anything? Each planted bug must be caught by the same sequences that the right rules pass.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::pure::play;
use super::script::script;
use crate::ledger::rules::mutation::{Mutation, plant};

/// More than enough: most bugs are caught within a hundred.
const SCRIPTS: usize = 4_000;

#[test]
fn every_planted_bug_is_caught() {
    let mut missed = Vec::new();
    for mutation in Mutation::ALL {
        let mut runner = TestRunner::deterministic();
        let scripts = script(80);
        let caught = (0..SCRIPTS).find(|_| {
            let steps = scripts.new_tree(&mut runner).unwrap().current();
            plant(Some(mutation));
            // An assertion in the rules catches a bug as well as a comparison does.
            let outcome = catch_unwind(AssertUnwindSafe(|| play(&steps)));
            plant(None);
            !matches!(outcome, Ok(Ok(())))
        });
        match caught {
            Some(script) => eprintln!("{mutation:?}: caught by script {script}"),
            None => missed.push(mutation),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
