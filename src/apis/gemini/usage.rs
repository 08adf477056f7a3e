//! Google's `usageMetadata`, turned into disjoint classes.
//!
//! `promptTokenCount` holds what was read from a cache; `toolUsePromptTokenCount` is input beside it. `candidatesTokenCount` does not hold
//! `thoughtsTokenCount`, which is billed as output. `totalTokenCount` is the sum of the four; where it says more, the rest is billed too. The details
//! split each count by modality; what they leave out is text. On a stream the counts are those so far: the last one of each kind counts.

use crate::prices::{Unit, Usage};

/// Counts beyond this are not believed.
const MOST: u64 = 1 << 40;

/// The counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Prompt,
    Cached,
    ToolUse,
    Candidates,
    Thoughts,
    Total,
}

/// The counts that are split by modality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Details {
    Prompt,
    Cached,
    ToolUse,
    Candidates,
}

/// What tokens stand for. Pages of documents are billed as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Modality {
    #[default]
    Text,
    Image,
    Audio,
    Video,
}

/// A count by modality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Split {
    image: u64,
    audio: u64,
    video: u64,
}

/// What has been reported so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Reported {
    counts: [u64; 6],
    splits: [Split; 4],
    /// The detail that is being read.
    modality: Modality,
    tokens: u64,
    prompt_told: bool,
    absurd: bool,
}

// === impl Count ===

impl Count {
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"promptTokenCount" => Self::Prompt,
            b"cachedContentTokenCount" => Self::Cached,
            b"toolUsePromptTokenCount" => Self::ToolUse,
            b"candidatesTokenCount" | b"responseTokenCount" => Self::Candidates,
            b"thoughtsTokenCount" => Self::Thoughts,
            b"totalTokenCount" => Self::Total,
            _ => return None,
        })
    }
}

// === impl Details ===

impl Details {
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"promptTokensDetails" => Self::Prompt,
            b"cacheTokensDetails" => Self::Cached,
            b"toolUsePromptTokensDetails" => Self::ToolUse,
            b"candidatesTokensDetails" | b"responseTokensDetails" => Self::Candidates,
            _ => return None,
        })
    }
}

// === impl Modality ===

impl Modality {
    pub(super) fn named(name: &[u8]) -> Self {
        match name {
            b"IMAGE" => Self::Image,
            b"AUDIO" => Self::Audio,
            b"VIDEO" => Self::Video,
            _ => Self::Text,
        }
    }
}

// === impl Split ===

impl Split {
    fn sum(self) -> u64 {
        self.image.saturating_add(self.audio).saturating_add(self.video)
    }
}

// === impl Reported ===

impl Reported {
    /// A count, as it is written. Negative, fractional or beyond belief: absurd.
    pub(super) fn count(&mut self, count: Count, value: &[u8]) {
        let number = self.number(value);
        self.prompt_told |= count == Count::Prompt;
        if let Some(slot) = self.counts.get_mut(count as usize) {
            *slot = number;
        }
    }

    pub(super) fn begin_details(&mut self, kind: Details) {
        if let Some(split) = self.splits.get_mut(kind as usize) {
            *split = Split::default();
        }
    }

    pub(super) fn begin_detail(&mut self) {
        (self.modality, self.tokens) = (Modality::Text, 0);
    }

    pub(super) fn modality(&mut self, modality: Modality) {
        self.modality = modality;
    }

    pub(super) fn detail_count(&mut self, value: &[u8]) {
        self.tokens = self.number(value);
    }

    pub(super) fn end_detail(&mut self, kind: Details) {
        let Some(split) = self.splits.get_mut(kind as usize) else { return };
        let slot = match self.modality {
            Modality::Text => return,
            Modality::Image => &mut split.image,
            Modality::Audio => &mut split.audio,
            Modality::Video => &mut split.video,
        };
        *slot = slot.saturating_add(self.tokens);
    }

    /// The thoughts so far.
    pub(super) fn thoughts(&self) -> u64 {
        self.get(Count::Thoughts)
    }

    /// What was told cannot be.
    pub(super) fn absurd(&self) -> bool {
        self.absurd || self.classes().is_none()
    }

    /// All of it. None where it cannot be.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.absurd { None } else { self.classes() }
    }

    /// The prompt alone, once it is told.
    pub(super) fn input(&self) -> Option<Usage> {
        let usage = self.usage().filter(|_| self.prompt_told)?;
        let output = [Unit::Output, Unit::OutputReasoning, Unit::OutputAudio, Unit::OutputImage, Unit::OutputVideo];
        Some(output.into_iter().fold(usage, |usage, unit| usage.with(unit, 0)))
    }

    fn classes(&self) -> Option<Usage> {
        let prompt = self.get(Count::Prompt);
        let cached = self.get(Count::Cached);
        let candidates = self.get(Count::Candidates);
        let [of_prompt, of_cached, of_tools, of_candidates] = self.splits;
        let kept = prompt.checked_sub(cached)?;
        let cached_text = cached.checked_sub(of_cached.image.saturating_add(of_cached.audio))?;
        if of_prompt.sum() > prompt || of_cached.sum() > cached {
            return None;
        }
        // Cached media count in both; where the cache's share is not told, they are taken to be all that is left.
        let audio = of_prompt.audio.saturating_sub(of_cached.audio).min(kept);
        let image = of_prompt.image.saturating_sub(of_cached.image).min(kept - audio);
        let video = of_prompt.video.saturating_sub(of_cached.video).min(kept - audio - image);
        let tools = self.get(Count::ToolUse);
        let tool_text = tools.checked_sub(of_tools.sum())?;
        let output = candidates.checked_sub(of_candidates.sum())?;
        let known = prompt + tools + candidates + self.thoughts();
        let beyond = self.get(Count::Total).saturating_sub(known);
        Some(
            Usage::default()
                .with(Unit::Input, kept - audio - image - video + tool_text)
                .with(Unit::CacheRead, cached_text)
                .with(Unit::InputAudio, audio + of_tools.audio)
                .with(Unit::CacheAudioRead, of_cached.audio)
                .with(Unit::InputImage, image + of_tools.image)
                .with(Unit::CacheImageRead, of_cached.image)
                .with(Unit::InputVideo, video + of_tools.video)
                .with(Unit::Output, output)
                .with(Unit::OutputReasoning, self.thoughts() + beyond)
                .with(Unit::OutputAudio, of_candidates.audio)
                .with(Unit::OutputImage, of_candidates.image)
                .with(Unit::OutputVideo, of_candidates.video),
        )
    }

    fn get(&self, count: Count) -> u64 {
        self.counts.get(count as usize).copied().unwrap_or_default()
    }

    fn number(&mut self, value: &[u8]) -> u64 {
        let number = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|text| text.parse::<u64>().ok());
        let number = number.filter(|number| *number <= MOST);
        self.absurd |= number.is_none();
        number.unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
