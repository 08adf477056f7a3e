//! AAC as a stream of frames (ADTS, ISO/IEC 13818-7): what OpenAI sends as `aac`.

use super::aac::RATES;
use super::bytes::{Pieces, big};
use super::play;

/// Counts frames that come in pieces.
#[derive(Debug, Default)]
pub(in crate::apis) struct Counter {
    pieces: Pieces,
    nanos: u64,
}

/// Whether such a stream begins here.
pub(in crate::apis) fn begins(data: &[u8]) -> bool {
    big(data, 0, 2).is_some_and(|sync| sync & 0xfff6 == 0xfff0)
}

// === impl Counter ===

impl Counter {
    pub(in crate::apis) fn feed(&mut self, piece: &[u8]) {
        let nanos = &mut self.nanos;
        self.pieces.feed(piece, |data| {
            let head = big(data, 0, 7)?;
            let length = head >> 13 & 0x1fff;
            let rate = usize::try_from(head >> 34 & 15).ok().and_then(|index| RATES.get(index));
            let (Some(rate), true, true) = (rate, begins(data), length >= 7) else { return Some(1) };
            *nanos = nanos.saturating_add(play(1_024 * (1 + (head & 3)), *rate));
            Some(length)
        });
    }

    pub(in crate::apis) fn nanos(&self) -> u64 {
        self.nanos
    }
}
