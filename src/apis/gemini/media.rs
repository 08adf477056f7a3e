//! What media in a request can become in tokens.
//!
//! Sources, read in 2026: the guides "Image understanding" (tiles of 768 x 768 pixels at 258 tokens, images scaled into 3072 x 3072), "Media
//! resolution" (at most 2,240 tokens for an image, at the highest resolution of Gemini 3), "Audio understanding" (32 tokens a second).
//! How many pages or seconds a file has is seen by the provider alone: those are bounded by the model's context window. Only a WAV file of plain
//! samples says its length in a way that no decoder can read differently.

use std::ops::Range;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The most tiles of an image are 12 x 2 = 24, of 3072 x 257 pixels with tiles of the smallest size: 6,192 tokens.
const IMAGE_TOKENS: u64 = 6_500;
/// Twice what is documented, for whatever frames a decoder rounds up to.
const AUDIO_TOKENS_PER_SECOND: u64 = 64;
const AUDIO_TOKENS: u64 = 64;

/// The head of a WAV file: up to the end of its first `fmt ` chunk.
const WAV_HEAD: usize = 36;
/// Samples that are not slower than this; slower ones are no sound that anyone records.
const LEAST_SAMPLE_RATE: u64 = 4_000;

/// What media count as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// Text in a file: counted by its bytes where it stands.
    Text,
    /// An image, at most so many tokens.
    Image(u64),
    /// Sound, at most so many tokens.
    Audio(u64),
    /// Pages, whose number is not seen; billed as text and images are.
    Document,
    /// Sound, whose length is not seen.
    UnseenAudio,
    /// A film, whose length is not seen; or anything.
    UnseenVideo,
}

/// What data of that type in the body is. `data` is its base64, as it stands there.
pub(super) fn inline(mime_type: &str, data: &[u8], asked_tokens: u64) -> Media {
    let kind = mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.split_once('/') {
        Some(("image", _)) => Media::Image(IMAGE_TOKENS.max(asked_tokens)),
        Some(("text", _)) if asked_tokens == 0 => Media::Text,
        Some(("application", "json" | "xml" | "x-javascript" | "x-python")) if asked_tokens == 0 => Media::Text,
        Some(("application", "pdf")) => Media::Document,
        Some(("audio", _)) => wav_tokens(data).map_or(Media::UnseenAudio, Media::Audio),
        _ => Media::UnseenVideo,
    }
}

/// The tokens of a WAV file of plain samples, by the rate and width that its head names. None for any other file.
fn wav_tokens(data: &[u8]) -> Option<u64> {
    // Any engine does: both alphabets differ in two letters alone, and a head that holds them is read by the right one.
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
    let front = data.get(..WAV_HEAD.div_ceil(3) * 4)?;
    let decode = |letters: &alphabet::Alphabet| GeneralPurpose::new(letters, config).decode(front).ok();
    let head = decode(&alphabet::STANDARD).or_else(|| decode(&alphabet::URL_SAFE))?;
    let is = |at: Range<usize>, text: &[u8]| head.get(at) == Some(text);
    let number = |at: Range<usize>| head.get(at).map(|bytes| bytes.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)));
    let plain = is(0..4, b"RIFF") && is(8..12, b"WAVE") && is(12..16, b"fmt ") && number(16..20)? == 16 && number(20..22)? == 1;
    let (channels, rate, bits) = (number(22..24)?, number(24..28)?, number(34..36)?);
    if !plain || channels == 0 || rate < LEAST_SAMPLE_RATE || !matches!(bits, 8 | 16 | 24 | 32) {
        return None;
    }
    let bytes = (data.len() as u64).div_ceil(4).saturating_mul(3);
    let seconds = bytes.div_ceil(rate * channels * bits / 8);
    Some(seconds.saturating_mul(AUDIO_TOKENS_PER_SECOND).saturating_add(AUDIO_TOKENS))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
