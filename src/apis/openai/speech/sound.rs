//! How long the audio of an answer plays that comes in pieces: the tokens of an answer that does not tell them.

use crate::apis::recording::{SECOND, adts, flac, mpeg, ogg, play};

/// OpenAI's guide "Managing costs" counts a token for 50 ms of audio that is made, and its pricing page estimates a minute of
/// `gpt-4o-mini-tts` at $0.015, which is 1,250 tokens: a little more than either.
pub(super) const TOKENS_PER_SECOND: u64 = 22;
/// Bytes of a second of `pcm`: 24,000 samples of 16 bits, one channel (OpenAI's guide "Text to speech"). A second of `wav` has as many.
pub(super) const PCM_BYTES: u64 = 48_000;

/// Counts audio, in whatever format it comes.
#[derive(Debug, Default)]
pub(super) struct Sound {
    /// The first bytes, until they tell the format.
    head: Vec<u8>,
    counter: Option<Counter>,
    bytes: u64,
}

#[derive(Debug)]
enum Counter {
    Mpeg(mpeg::Counter),
    Adts(adts::Counter),
    Flac(flac::Counter),
    Ogg(ogg::Counter),
    /// Samples as they are.
    Plain,
}

// === impl Sound ===

impl Sound {
    /// Takes a piece.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        match &mut self.counter {
            Some(counter) => counter.feed(piece),
            None => {
                self.head.extend_from_slice(piece);
                if self.head.len() >= 4 {
                    let head = std::mem::take(&mut self.head);
                    self.counter.insert(Counter::of(&head)).feed(&head);
                }
            }
        }
    }

    /// At least as many tokens as the audio so far.
    pub(super) fn tokens(&self) -> u64 {
        let counted = match &self.counter {
            Some(Counter::Mpeg(counter)) => counter.nanos(),
            Some(Counter::Adts(counter)) => counter.nanos(),
            Some(Counter::Flac(counter)) => counter.nanos(),
            Some(Counter::Ogg(counter)) => counter.nanos(),
            Some(Counter::Plain) | None => 0,
        };
        // Samples whose first bytes look like another format are no longer than their bytes.
        let nanos = counted.max(play(self.bytes, PCM_BYTES));
        nanos.saturating_mul(TOKENS_PER_SECOND).div_ceil(SECOND)
    }
}

// === impl Counter ===

impl Counter {
    fn of(head: &[u8]) -> Self {
        if adts::begins(head) {
            Self::Adts(adts::Counter::default())
        } else if head.starts_with(b"ID3") || mpeg::Frame::read(head).is_some() {
            Self::Mpeg(mpeg::Counter::default())
        } else if head.starts_with(b"fLaC") {
            Self::Flac(flac::Counter::default())
        } else if head.starts_with(b"OggS") {
            Self::Ogg(ogg::Counter::default())
        } else {
            Self::Plain
        }
    }

    fn feed(&mut self, piece: &[u8]) {
        match self {
            Self::Mpeg(counter) => counter.feed(piece),
            Self::Adts(counter) => counter.feed(piece),
            Self::Flac(counter) => counter.feed(piece),
            Self::Ogg(counter) => counter.feed(piece),
            Self::Plain => {}
        }
    }
}
