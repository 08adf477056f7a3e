//! Vectors of simulated embeddings: drawn from a hash of what is embedded. The same text gets the same vector, whatever stands beside it; a vector of
//! fewer dimensions is the beginning of the longer one, made a unit vector again, as with real models that can be shortened.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::seed::Seed;

/// A unit vector.
pub(crate) fn unit(seed: &Seed, dimensions: usize) -> Vec<f32> {
    let mut dice = seed.dice();
    // 53 bits make a float between -1 and 1 without rounding.
    let drawn: Vec<f64> = (0..dimensions).map(|_| (dice.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0).collect();
    let length = drawn.iter().map(|number| number * number).sum::<f64>().sqrt();
    // All zeros cannot be drawn but for a tiny vector; it keeps its length then.
    let length = if length > 0.0 { length } else { 1.0 };
    drawn.into_iter().map(|number| (number / length) as f32).collect()
}

/// Its numbers as little-endian floats, in base64.
pub(crate) fn base64(vector: &[f32]) -> String {
    STANDARD.encode(vector.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}

/// Its numbers as whole ones from -127 to 127, its largest one at the end of that range.
pub(crate) fn int8(vector: &[f32]) -> Vec<i16> {
    let largest = vector.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
    let scale = if largest > 0.0 { 127.0 / largest } else { 0.0 };
    vector.iter().map(|number| (number * scale).round() as i16).collect()
}

/// A bit for each number, set where it is positive: eight of them make a number from 0 to 255.
pub(crate) fn bits(vector: &[f32]) -> Vec<i16> {
    vector.chunks(8).map(|eight| eight.iter().enumerate().filter(|(_, number)| **number > 0.0).fold(0, |bits, (place, _)| bits | 0x80 >> place)).collect()
}
