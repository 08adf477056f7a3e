//! How long a packet of Opus plays (RFC 6716, section 3).

use super::SECOND;

/// The longest that one packet can play.
pub(super) const LONGEST: u64 = SECOND * 120 / 1_000;

/// Nanoseconds of the packet that begins with these bytes.
pub(super) fn packet(data: &[u8]) -> u64 {
    let Some(first) = data.first() else { return 0 };
    // In units of 2.5 ms, by configuration: SILK has 10, 20, 40 and 60 ms, hybrid 10 and 20, CELT 2.5, 5, 10 and 20.
    let frame = match first >> 3 {
        config @ 0..12 => [4, 8, 16, 24][usize::from(config & 3)],
        config @ 12..16 => [4, 8][usize::from(config & 1)],
        config => [1, 2, 4, 8][usize::from(config & 3)],
    };
    let count = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => data.get(1).map_or(48, |count| u64::from(count & 0x3f)),
    };
    (count * frame * (SECOND / 400)).min(LONGEST)
}
