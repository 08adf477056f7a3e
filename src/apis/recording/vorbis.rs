//! How long a packet of Vorbis plays, at most (Vorbis I specification, section 4).

use super::bytes::little;
use super::play;

/// Nanoseconds of one packet, by the first of the three header packets: half the long block, which two of them make.
pub(super) fn packet(header: &[u8]) -> Option<u64> {
    let rate = little(header, 12, 4).filter(|rate| *rate > 0)?;
    let long = header.get(28)? >> 4;
    header.starts_with(b"\x01vorbis").then(|| play(1 << long >> 1, rate))
}
