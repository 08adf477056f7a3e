//! Unit vectors drawn from a seed: what simulated embeddings are. A vector of fewer dimensions is the beginning of the longer one, made a unit vector
//! again, as with real models that can be shortened.

use super::seed::Seed;

/// A vector of that many dimensions.
pub(crate) fn unit(seed: &Seed, dimensions: usize) -> Vec<f32> {
    let mut dice = seed.dice();
    // 53 bits make a float between -1 and 1 without rounding.
    let drawn: Vec<f64> = (0..dimensions).map(|_| (dice.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0).collect();
    let length = drawn.iter().map(|number| number * number).sum::<f64>().sqrt();
    // All zeros cannot be drawn but for a tiny vector; it keeps its length then.
    let length = if length > 0.0 { length } else { 1.0 };
    drawn.into_iter().map(|number| (number / length) as f32).collect()
}
