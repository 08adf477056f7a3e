//! FLAC (RFC 9639). The header tells the number of samples, and may leave it out or lie; frames tell their own, but not how long they are in
//! bytes: they are found by their sync code, and by the checksum of their header.

use super::bytes::{Pieces, big};
use super::play;

/// The longest header of a frame.
const MAX_HEAD: usize = 16;

/// Counts frames that come in pieces.
#[derive(Debug)]
pub(in crate::apis) struct Counter {
    pieces: Pieces,
    stage: Stage,
    /// What the header says.
    rate: u64,
    told: u64,
    /// What the frames say.
    nanos: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Marker,
    Blocks,
    Frames,
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    samples: u64,
    /// None: that of the stream.
    rate: Option<u64>,
}

/// What the header says or what the frames have together, whichever is more.
pub(super) fn longest(data: &[u8]) -> u64 {
    let mut counter = Counter::default();
    counter.feed(data);
    // A last frame that is shorter than a header can be.
    counter.feed(&[0; MAX_HEAD]);
    counter.nanos()
}

/// Rate and number of samples of a STREAMINFO block.
pub(super) fn stream_info(block: &[u8]) -> Option<(u64, u64)> {
    let rate = big(block, 10, 3)? >> 4;
    Some((rate, big(block, 13, 5)? & 0xf_ffff_ffff))
}

// === impl Frame ===

impl Frame {
    /// The frame whose header begins here.
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let head = big(data, 0, 4)?;
        if head >> 17 != 0b111_1111_1111_1100 || head & 1 != 0 {
            return None;
        }
        let (size, rate, channels) = (head >> 12 & 15, head >> 8 & 15, head >> 4 & 15);
        if size == 0 || rate == 15 || channels > 10 {
            return None;
        }
        // Its number, coded as UTF-8 codes characters.
        let leading = data.get(4)?.leading_ones() as usize;
        if leading == 1 || leading > 7 {
            return None;
        }
        let mut at = 4 + leading.max(1);
        let mut take = |length: usize| {
            let value = big(data, at, length);
            at += length;
            value
        };
        let samples = match size {
            1 => 192,
            2..=5 => 576 << (size - 2),
            6 => take(1)? + 1,
            7 => take(2)? + 1,
            _ => 256 << (size - 8),
        };
        let rate = match rate {
            0 => None,
            12 => Some(take(1)? * 1_000),
            13 => Some(take(2)?),
            14 => Some(take(2)? * 10),
            _ => [88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000].get(usize::try_from(rate).ok()? - 1).copied(),
        };
        let sum = crc8(data.get(..at)?);
        (data.get(at) == Some(&sum)).then_some(Self { samples, rate })
    }

    /// Nanoseconds, in a stream of that rate.
    pub(super) fn nanos(self, stream_rate: u64) -> u64 {
        play(self.samples, self.rate.unwrap_or(stream_rate))
    }
}

/// The checksum of a frame's header: polynomial x^8 + x^2 + x + 1.
pub(in crate::apis) fn crc8(data: &[u8]) -> u8 {
    data.iter().fold(0, |sum, byte| (0..8).fold(sum ^ byte, |sum, _| sum << 1 ^ if sum & 0x80 != 0 { 7 } else { 0 }))
}

// === impl Counter ===

impl Default for Counter {
    fn default() -> Self {
        Self { pieces: Pieces::default(), stage: Stage::Marker, rate: 0, told: 0, nanos: 0 }
    }
}

impl Counter {
    pub(in crate::apis) fn feed(&mut self, piece: &[u8]) {
        let Self { pieces, stage, rate, told, nanos } = self;
        pieces.feed(piece, |data| match stage {
            Stage::Marker => {
                data.get(..4)?;
                *stage = Stage::Blocks;
                Some(4)
            }
            Stage::Blocks => {
                let head = big(data, 0, 4)?;
                // STREAMINFO, which comes first.
                if head >> 24 & 0x7f == 0 {
                    (*rate, *told) = stream_info(data.get(4..38)?)?;
                }
                if head >> 31 == 1 {
                    *stage = Stage::Frames;
                }
                Some(4 + (head & 0xff_ffff))
            }
            Stage::Frames => {
                data.get(..MAX_HEAD)?;
                if let Some(frame) = Frame::read(data) {
                    *nanos = nanos.saturating_add(frame.nanos(*rate));
                }
                Some(1 + memchr::memchr(0xff, data.get(1..)?).unwrap_or(data.len() - 1) as u64)
            }
        });
    }

    pub(in crate::apis) fn nanos(&self) -> u64 {
        let told = if self.told == 0 { 0 } else { play(self.told, self.rate) };
        self.nanos.max(told)
    }
}
