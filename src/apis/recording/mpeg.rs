//! MPEG audio: MP3 and its older layers (ISO/IEC 11172-3, 13818-3). A stream of frames, each with its own rate and length.

use super::bytes::{Pieces, big};
use super::play;

/// Kilobits a second, by version and layer, from index 1 on.
const V1_L1: [u64; 14] = [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448];
const V1_L2: [u64; 14] = [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
const V1_L3: [u64; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const V2_L1: [u64; 14] = [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256];
const V2_L23: [u64; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/// One frame, by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::apis) struct Frame {
    /// Bytes, the header included.
    length: u64,
    samples: u64,
    rate: u64,
}

/// Counts frames that come in pieces.
#[derive(Debug, Default)]
pub(in crate::apis) struct Counter {
    pieces: Pieces,
    nanos: u64,
}

/// Every frame in the file, whatever stands between them: decoders find them again too.
pub(super) fn longest(data: &[u8]) -> u64 {
    let mut counter = Counter::default();
    counter.feed(data);
    counter.nanos()
}

/// How long the ID3v2 tag is that begins here.
pub(super) fn tag_length(data: &[u8]) -> Option<usize> {
    let sizes = data.get(..10).filter(|head| head.starts_with(b"ID3"))?.get(6..)?;
    if sizes.iter().any(|byte| *byte > 0x7f) {
        return None;
    }
    Some(10 + sizes.iter().fold(0, |size, byte| size << 7 | usize::from(*byte)))
}

// === impl Frame ===

impl Frame {
    /// The frame that begins here. None for what no decoder takes for one.
    pub(in crate::apis) fn read(data: &[u8]) -> Option<Self> {
        let head = big(data, 0, 4)?;
        if head >> 21 != 0x7ff {
            return None;
        }
        let (version, layer) = (head >> 19 & 3, 4 - (head >> 17 & 3));
        let (bitrate, rate) = (head >> 12 & 15, head >> 10 & 3);
        // Version 1, layer 4 and rate 3 do not exist; bit rate 0 is free, and no index of a table.
        if version == 1 || layer == 4 || rate == 3 {
            return None;
        }
        let table = match (version, layer) {
            (3, 1) => V1_L1,
            (3, 2) => V1_L2,
            (3, _) => V1_L3,
            (_, 1) => V2_L1,
            _ => V2_L23,
        };
        let kilobits = *table.get(usize::try_from(bitrate.checked_sub(1)?).ok()?)?;
        let rate = [44_100, 48_000, 32_000].get(usize::try_from(rate).ok()?)? >> [2, 0, 1, 0].get(usize::try_from(version).ok()?)?;
        let samples = match (version, layer) {
            (_, 1) => 384,
            (3, _) | (_, 2) => 1_152,
            _ => 576,
        };
        let padding = head >> 9 & 1;
        let length = if layer == 1 { (12_000 * kilobits / rate + padding) * 4 } else { samples / 8 * kilobits * 1_000 / rate + padding };
        (length >= 4).then_some(Self { length, samples, rate })
    }
}

// === impl Counter ===

impl Counter {
    pub(in crate::apis) fn feed(&mut self, piece: &[u8]) {
        let nanos = &mut self.nanos;
        self.pieces.feed(piece, |data| {
            data.get(..4)?;
            let Some(frame) = Frame::read(data) else {
                // No frame begins before the next such byte.
                return Some(1 + memchr::memchr(0xff, data.get(1..)?).unwrap_or(data.len() - 1) as u64);
            };
            *nanos = nanos.saturating_add(play(frame.samples, frame.rate));
            Some(frame.length)
        });
    }

    pub(in crate::apis) fn nanos(&self) -> u64 {
        self.nanos
    }
}
