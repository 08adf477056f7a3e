//! OpenAI's `usage` object, turned into disjoint classes.
//!
//! `prompt_tokens` holds cached tokens, cache writes, audio and images; `completion_tokens` holds reasoning and audio. Some providers
//! of the same API count reasoning outside (Gemini, xAI): then `total_tokens` exceeds the sum of the two, and the rest is reasoning. Where audio is
//! billed by its length (Mistral), the rest is the audio's, and not billed again.

use crate::apis::json::{JsonError, Kind, Scanner};
use crate::apis::pass_meter::reported_cost;
use crate::money::Usd;
use crate::prices::{Unit, Usage};

/// Counts beyond this are not believed.
const MOST: u64 = 1 << 40;

#[derive(Debug, Default)]
struct Reported {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: u64,
    cached: u64,
    cache_hit: u64,
    cache_write: u64,
    audio: u64,
    image: u64,
    cached_audio: u64,
    cached_image: u64,
    reasoning: u64,
    output_audio: u64,
    output_image: u64,
    audio_seconds: u64,
}

/// Reads a `usage` object. None when a count is negative, fractional, beyond belief, or larger than the total that it is part of, and
/// when a total is missing.
pub(in crate::apis) fn read(raw: &[u8], has_output: bool) -> Option<Usage> {
    let mut reported = Reported::default();
    reported.scan(&mut Scanner::lenient(raw)).ok()?;
    reported.into_usage(has_output)
}

/// The cost that stands in a `usage` object, as OpenRouter tells it (its documentation, "Usage Accounting": in credits, which are dollars). None where there
/// is none; the most that can be counted where it is negative or no number, so that nobody takes it for a price.
pub(in crate::apis) fn cost(raw: &[u8]) -> Option<Usd> {
    let mut cost = None;
    let mut scanner = Scanner::lenient(raw);
    let read: Result<(), JsonError> = scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
        (b"cost", kind) if kind != Kind::Null => scanner.value().map(|at| cost = Some(at)),
        _ => scanner.skip(),
    });
    read.ok()?;
    let told = raw.get(cost?)?;
    Some(reported_cost(told).unwrap_or(Usd::MAX))
}

// === impl Reported ===

impl Reported {
    fn scan(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        scanner.object(|scanner, member| match member.key.raw() {
            b"prompt_tokens" => optional(scanner).map(|count| self.prompt = count),
            b"completion_tokens" => optional(scanner).map(|count| self.completion = count),
            b"total_tokens" => count(scanner, &mut self.total),
            // DeepSeek's name for it, and Mistral's.
            b"prompt_cache_hit_tokens" | b"num_cached_tokens" => count(scanner, &mut self.cache_hit),
            b"prompt_audio_seconds" => count(scanner, &mut self.audio_seconds),
            b"prompt_tokens_details" if scanner.kind()? == Kind::Object => scanner.object(|scanner, member| match member.key.raw() {
                b"cached_tokens" => count(scanner, &mut self.cached),
                b"cache_write_tokens" => count(scanner, &mut self.cache_write),
                b"audio_tokens" => count(scanner, &mut self.audio),
                b"image_tokens" => count(scanner, &mut self.image),
                b"cached_tokens_details" if scanner.kind()? == Kind::Object => scanner.object(|scanner, member| match member.key.raw() {
                    b"audio_tokens" => count(scanner, &mut self.cached_audio),
                    b"image_tokens" => count(scanner, &mut self.cached_image),
                    _ => scanner.skip(),
                }),
                _ => scanner.skip(),
            }),
            b"completion_tokens_details" if scanner.kind()? == Kind::Object => scanner.object(|scanner, member| match member.key.raw() {
                b"reasoning_tokens" => count(scanner, &mut self.reasoning),
                b"audio_tokens" => count(scanner, &mut self.output_audio),
                b"image_tokens" => count(scanner, &mut self.output_image),
                _ => scanner.skip(),
            }),
            _ => scanner.skip(),
        })?;
        scanner.finish()
    }

    fn into_usage(self, has_output: bool) -> Option<Usage> {
        let prompt = self.prompt?;
        let completion = if has_output { self.completion? } else { self.completion.unwrap_or_default() };
        let cached = self.cached.max(self.cache_hit);
        // Sums cannot overflow: each count is at most 2^40.
        let kept = prompt.checked_sub(cached + self.cache_write)?;
        if self.audio > prompt || self.image > prompt || self.cached_audio + self.cached_image > cached {
            return None;
        }
        // Cached audio and images count in both; where the provider does not say how many, they are taken to be text.
        let audio = self.audio.saturating_sub(self.cached_audio).min(kept);
        let image = self.image.saturating_sub(self.cached_image).min(kept - audio);
        let beyond = if self.audio_seconds > 0 { 0 } else { self.total.saturating_sub(prompt + completion) };
        let generated = completion + beyond;
        let output = generated.checked_sub(self.output_audio + self.output_image)?;
        if self.reasoning > output {
            return None;
        }
        let reasoning = self.reasoning.max(beyond).min(output);
        Some(
            Usage::default()
                .with(Unit::Input, kept - audio - image)
                .with(Unit::CacheRead, cached - self.cached_audio - self.cached_image)
                .with(Unit::CacheWrite, self.cache_write)
                .with(Unit::InputAudio, audio)
                .with(Unit::CacheAudioRead, self.cached_audio)
                .with(Unit::InputImage, image)
                .with(Unit::CacheImageRead, self.cached_image)
                .with(Unit::Output, output - reasoning)
                .with(Unit::OutputReasoning, reasoning)
                .with(Unit::OutputAudio, self.output_audio)
                .with(Unit::OutputImage, self.output_image)
                .with(Unit::AudioMillis, self.audio_seconds.saturating_mul(1_000)),
        )
    }
}

/// A count that may be null.
pub(super) fn optional(scanner: &mut Scanner<'_>) -> Result<Option<u64>, JsonError> {
    if scanner.kind()? == Kind::Null {
        return scanner.value().map(|_| None);
    }
    let at = scanner.position();
    let digits = scanner.number()?;
    let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u64>().ok()).filter(|number| *number <= MOST);
    number.map(Some).ok_or(JsonError::Syntax { at, what: "expected a count" })
}

pub(super) fn count(scanner: &mut Scanner<'_>, into: &mut u64) -> Result<(), JsonError> {
    *into = optional(scanner)?.unwrap_or_default();
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
