//! What has been found in a request so far, and the bound that it makes.
//!
//! A token of a byte-level tokenizer is at least one byte of text. So the bytes of a member, as it stands in the body, bound its tokens; the
//! names and quotes of its members outnumber the few special tokens between turns. What is not text is bounded by its own rule: images by
//! their number, sound in a plain format by its length, everything else by the model's context window.

use super::media::Media;
use crate::prices::{Bound, Unit, Usage};

/// What the provider adds to any request: the turns' marks and a line of its own.
const REQUEST_TOKENS: u64 = 64;

/// What has been found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Bytes of the body that can become input tokens, those of media included.
    pub(super) text_bytes: u64,
    /// Those of media, which are not text.
    pub(super) media_bytes: u64,
    /// Tokens that stand for no byte of the body.
    pub(super) special_tokens: u64,
    /// Those of the input that the provider's own count may leave out: see [`super::count`].
    pub(super) beside: u64,
    image_tokens: u64,
    audio_tokens: u64,
    /// There is input that the body does not show.
    pub(super) unseen: bool,
    /// Some of it may be sound; or films.
    unseen_audio: bool,
    unseen_video: bool,
}

// === impl Scan ===

impl Scan {
    /// Nothing yet but so many tokens that stand for no byte.
    pub(super) fn with(special_tokens: u64) -> Self {
        Self { special_tokens, ..Self::default() }
    }

    /// Counts what the provider adds of its own, and does not say that it counts.
    pub(super) fn adds(&mut self, tokens: u64) {
        self.special_tokens = self.special_tokens.saturating_add(tokens);
        self.beside = self.beside.saturating_add(tokens);
    }

    /// Counts a member whose text the provider does not say that it counts, whatever else is in it.
    pub(super) fn text_beside(&mut self, bytes: usize) {
        self.text_bytes = self.text_bytes.saturating_add(bytes as u64);
        self.beside = self.beside.saturating_add(bytes as u64);
    }

    /// Adds media of `bytes` bytes in the body.
    pub(super) fn media(&mut self, media: Media, bytes: u64) {
        if media == Media::Text {
            self.beside = self.beside.saturating_add(bytes);
            return;
        }
        self.media_bytes = self.media_bytes.saturating_add(bytes);
        match media {
            Media::Text => {}
            Media::Image(tokens) => self.image_tokens = self.image_tokens.saturating_add(tokens),
            Media::Audio(tokens) => self.audio_tokens = self.audio_tokens.saturating_add(tokens),
            Media::Document => self.unseen = true,
            Media::UnseenAudio => (self.unseen, self.unseen_audio) = (true, true),
            Media::UnseenVideo => (self.unseen, self.unseen_video) = (true, true),
        }
    }

    /// A bound on the input alone; what is unseen counts once.
    pub(super) fn bound(&self) -> Bound {
        let text = self.text_bytes.saturating_sub(self.media_bytes).saturating_add(self.special_tokens).saturating_add(REQUEST_TOKENS);
        // One token of a kind says that the window may hold that kind: see `Bound::with_window`.
        let input = Usage::default()
            .with(Unit::Input, text)
            .with(Unit::InputImage, self.image_tokens)
            .with(Unit::InputAudio, self.audio_tokens.max(u64::from(self.unseen_audio)))
            .with(Unit::InputVideo, u64::from(self.unseen_video));
        Bound { input, windows: u64::from(self.unseen), ..Bound::default() }
    }
}
