//! Numbers from a seed that is printed, so that a failure can be replayed with `SPENDGATE_TEST_SEED`.

use std::time::{SystemTime, UNIX_EPOCH};

/// SplitMix64: small, and good enough to choose moments and sizes.
#[derive(Clone)]
pub(crate) struct Random(u64);

/// The seed of this run: from the environment, or from the clock.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("SPENDGATE_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| u64::from(now.subsec_nanos()) ^ now.as_secs()));
    eprintln!("SPENDGATE_TEST_SEED={seed} replays this");
    seed
}

// === impl Random ===

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}
