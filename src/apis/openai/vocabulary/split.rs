//! Where a text is cut into pieces before it is encoded: no token reaches over a cut.
//!
//! The patterns are those that OpenAI publishes with its vocabularies (tiktoken, `openai_public.py`). Where theirs looks ahead to leave the last of several spaces
//! to the word behind it, `\s+(?!\S)`, the match is shortened here.

use regex::Regex;

/// Of `o200k_base`.
pub(super) const O200K: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+",
);
/// Of `cl100k_base`.
pub(super) const CL100K: &str = concat!(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+", r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+",);

/// Cuts texts.
pub(super) struct Splitter(Regex);

// === impl Splitter ===

impl Splitter {
    pub(super) fn new(pattern: &str) -> Option<Self> {
        Regex::new(pattern).ok().map(Self)
    }

    /// Where the piece ends that begins at `at`: behind it.
    pub(super) fn cut(&self, text: &str, at: usize) -> usize {
        // Every character begins a piece of some kind.
        self.0.find_at(text, at).map(|found| shortened(text, at, found.end())).filter(|end| *end > at).unwrap_or(text.len())
    }
}

/// Where a match ends really: of spaces that end no line, the last belongs to what follows, unless it is alone.
fn shortened(text: &str, start: usize, end: usize) -> usize {
    let matched = text.get(start..end).unwrap_or_default();
    let Some(last) = matched.chars().next_back().filter(|last| last.is_whitespace() && !matches!(last, '\r' | '\n')) else { return end };
    let shorter = end - last.len_utf8();
    if end < text.len() && shorter > start { shorter } else { end }
}
