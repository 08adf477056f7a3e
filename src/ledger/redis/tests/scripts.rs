//! The same sequences as the rules, against a real server that forgets its scripts in between.

use std::time::{SystemTime, UNIX_EPOCH};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::runner::Fault;
use super::subject::{Shared, manual};
use crate::ledger::redis::script::Scripts;
use crate::ledger::rules::tests::model::compare;
use crate::ledger::rules::tests::script::{Player, Step, script};

/// How many sequences are played.
const CASES: u32 = 100;
/// How many times as many where `SPENDGATE_SOAK` is set.
const SOAK: u32 = 20;

/// The seed of this run: from the environment, or from the clock.
pub(super) fn seed() -> u64 {
    let seed = std::env::var("SPENDGATE_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| u64::from(now.subsec_nanos()) ^ now.as_secs()));
    eprintln!("SPENDGATE_TEST_SEED={seed} replays this");
    seed
}

/// A runner whose sequences follow from a seed.
pub(super) fn runner(seed: u64, cases: u32) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

pub(super) fn play(steps: &[Step], scripts: &'static Scripts, fault: Fault) -> Result<(), String> {
    let mut shared = Shared::new(Player::new().now, scripts, fault);
    let outcome = compare(&mut shared, steps, |_| Ok(())).and_then(|()| shared.check());
    shared.remove();
    outcome
}

fn play_many(share: u32, fault: Fault) {
    let seed = seed();
    let cases = CASES / share * if std::env::var_os("SPENDGATE_SOAK").is_some() { SOAK } else { 1 };
    let outcome = runner(seed, cases).run(&script(80), |steps| play(&steps, manual(), fault).map_err(TestCaseError::fail));
    if let Err(error) = outcome {
        panic!("SPENDGATE_TEST_SEED={seed} replays this\n{error}");
    }
}

#[test]
fn the_scripts_agree_with_the_model() {
    play_many(1, Fault::None);
}

#[test]
fn whatever_is_repeated_happens_once() {
    play_many(4, Fault::Twice);
}

#[test]
fn requests_that_are_admitted_from_slices_and_end_in_batches_make_no_difference() {
    play_many(2, Fault::Sliced);
}
