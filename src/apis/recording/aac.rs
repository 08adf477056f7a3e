//! What a container says of its AAC (`AudioSpecificConfig`, ISO/IEC 14496-3).

use super::play;

/// Samples a second, by index.
pub(super) const RATES: [u64; 13] = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
/// Samples of one frame, at most. Spectral band replication doubles them and their rate.
const FRAME: u64 = 1_024;
/// Of one frame of USAC.
const USAC_FRAME: u64 = 4_096;

/// Nanoseconds of one frame, at most. `described` is the rate that the container tells beside it, where it does.
pub(super) fn frame(config: &[u8], described: Option<u64>) -> Option<u64> {
    let bits = config.iter().take(8).fold((0_u64, 0_u32), |(bits, count), byte| (bits << 8 | u64::from(*byte), count + 8));
    let take = |from: u32, length: u32| bits.1.checked_sub(from + length).map(|shift| bits.0 >> shift & ((1 << length) - 1));
    let (object, begin) = match take(0, 5)? {
        31 => (32 + take(5, 6)?, 11),
        object => (object, 5),
    };
    let rate = match take(begin, 4)? {
        15 => take(begin + 4, 24)?,
        index => *RATES.get(usize::try_from(index).ok()?)?,
    };
    let rate = rate.min(described.unwrap_or(u64::MAX));
    (rate > 0).then(|| play(if object == 42 { USAC_FRAME } else { FRAME }, rate))
}
