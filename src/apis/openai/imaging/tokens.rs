//! How many tokens images cost at most: those that are made, and those that are given.
//!
//! Sources, read in November 2026:
//! - OpenAI's guide "Image generation", "Cost and latency", for `gpt-image-1`, `gpt-image-1-mini` and `gpt-image-1.5`: 272, 1,056 and 4,160
//!   output tokens for a square in low, medium and high quality, 408, 1,584 and 6,240 for 1024x1536, 400, 1,568 and 6,208 for 1536x1024; each
//!   partial image costs 100 more; an image given costs 65 tokens and 129 a tile of 512, its short side scaled to 512, and with
//!   `input_fidelity: high` 4,160 (square) or 6,240 more.
//! - The calculator in that guide for `gpt-image-2`, as it was read by its users (OpenAI's developer forum, "gpt-image-2 output pricing
//!   calculator", June 2026): an image has `axis` x `axis x short / long` tokens, times (2,000,000 + its pixels) / 4,000,000, where `axis` is 16, 48 or
//!   96 by quality, and at most 8,294,400 pixels. An image given has at most 1,536 patches ("input image pricing of gpt-image-2", same place).
//! - For later models, which know the qualities `xhigh` and `max`, OpenAI gives no figures. What was seen of their lower qualities is not
//!   above `gpt-image-2`; `xhigh` and `max`, and `auto`, which may choose them, are held at twice its axis.
//! - Google's guide "Image generation" for Gemini's models, which others sell in these shapes: an image has 2,520 tokens at most, at 4,096 pixels. Held is
//!   three times that, since they may draw on the way to it.

use crate::apis::sellers::name_at_seller;
use crate::prices::{Unit, Usage};

/// Tokens that stand for no byte of the prompt: of the format.
const PROMPT_TOKENS: u64 = 64;
/// Text tokens that an image given brings along: its place and its size.
const IMAGE_TEXT_TOKENS: u64 = 256;
/// Beside the image itself.
const PARTIAL_TOKENS: u64 = 100;
/// Of one image that Gemini makes.
const GEMINI_TOKENS: u64 = 3 * 2_520;
/// The most pixels that an image can have where any size can be asked for (OpenAI's guide "Image generation", "Size and quality options").
const MOST_PIXELS: u64 = 8_294_400;

/// What is asked for, as far as it makes tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Images<'a> {
    pub(super) model: &'a str,
    pub(super) size: Option<&'a str>,
    pub(super) quality: Option<&'a str>,
    pub(super) high_fidelity: bool,
    pub(super) count: u64,
    pub(super) partial: u64,
    pub(super) given: u64,
    pub(super) prompt_bytes: u64,
}

/// Models that cost alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// `gpt-image-1`, and the mini.
    First,
    /// `gpt-image-1.5`: it also thinks in words, which are billed.
    FirstThinking,
    /// `gpt-image-2`.
    Second,
    /// Google's, as others sell them.
    Gemini,
    /// Whatever came later, and what is not known.
    Later,
}

/// The most tokens that they can be billed as.
pub(super) fn most(images: &Images<'_>) -> Usage {
    let family = Family::of(images.model);
    let text = images.prompt_bytes.saturating_add(PROMPT_TOKENS).saturating_add(images.given.saturating_mul(IMAGE_TEXT_TOKENS));
    let made = family.output(images.size, images.quality).saturating_add(images.partial.saturating_mul(PARTIAL_TOKENS));
    // Several images are billed like as many requests, what is given each time.
    let times = |tokens: u64| tokens.saturating_mul(images.count);
    Usage::default()
        .with(Unit::Input, times(text))
        .with(Unit::InputImage, times(images.given.saturating_mul(family.given(images.high_fidelity))))
        .with(Unit::OutputImage, times(made))
        .with(Unit::OutputReasoning, times(family.words()))
}

/// Whether a model's images are billed by the token, whatever an answer leaves out.
pub(super) fn bills_tokens(model: &str) -> bool {
    let name = name_at_seller(model);
    name.contains("gpt-image") || name.contains("chatgpt-image")
}

// === impl Family ===

impl Family {
    fn of(model: &str) -> Self {
        let name = name_at_seller(model);
        match name {
            "gpt-image-1" | "gpt-image-1-mini" => Self::First,
            "gpt-image-2" => Self::Second,
            _ if name.starts_with("gemini-") && name.contains("-image") => Self::Gemini,
            _ if name.starts_with("gpt-image-1.5") => Self::FirstThinking,
            // A dated version: `gpt-image-2-2026-04-21`.
            _ if name.starts_with("gpt-image-2-20") => Self::Second,
            _ => Self::Later,
        }
    }

    /// One image that is made.
    fn output(self, size: Option<&str>, quality: Option<&str>) -> u64 {
        if matches!(self, Self::First | Self::FirstThinking) {
            let [square, other] = match quality {
                Some("low") => [272, 408],
                Some("medium") => [1_056, 1_584],
                _ => [4_160, 6_240],
            };
            return if size == Some("1024x1024") { square } else { other };
        }
        if self == Self::Gemini {
            return GEMINI_TOKENS;
        }
        let axis = match (self, quality) {
            (Self::Second, Some("low")) => 16,
            (Self::Second, Some("medium")) => 48,
            (Self::Second, _) | (Self::Later, Some("low" | "medium" | "high")) => 96,
            _ => 192,
        };
        let (pixels, across) = match size.and_then(sides) {
            // Rounded to the nearest, as the calculator does.
            Some((width, height)) => {
                let (long, short) = (width.max(height), width.min(height));
                (width.saturating_mul(height), (2 * axis * short + long) / (2 * long))
            }
            None => (MOST_PIXELS, axis),
        };
        let tokens = axis.saturating_mul(across).saturating_mul(pixels.saturating_add(2_000_000)).div_ceil(4_000_000);
        // What was learnt from a calculator is not a promise.
        tokens.saturating_add(tokens.div_ceil(8))
    }

    /// One image that is given.
    fn given(self, high_fidelity: bool) -> u64 {
        match self {
            // Sixteen tiles: sixteen times as long as wide.
            Self::First | Self::FirstThinking => 65 + 129 * 16 + if high_fidelity { 6_240 } else { 0 },
            Self::Second => 1_536 + 128,
            Self::Gemini | Self::Later => 8_400,
        }
    }

    /// Words beside one image that is made.
    fn words(self) -> u64 {
        match self {
            Self::First => 0,
            Self::FirstThinking | Self::Gemini | Self::Later => 4_096,
            Self::Second => 1_024,
        }
    }
}

/// `1536x864`: width and height. None for `auto`, and for what no image can have.
fn sides(size: &str) -> Option<(u64, u64)> {
    let (width, height) = size.split_once('x')?;
    let side = |side: &str| side.parse::<u64>().ok().filter(|side| (1..=1 << 16).contains(side));
    Some((side(width)?, side(height)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(model: &str, size: Option<&str>, quality: Option<&str>) -> u64 {
        most(&Images { model, size, quality, count: 1, ..Images::default() }).get(Unit::OutputImage)
    }

    #[test]
    fn the_figures_that_openai_publishes_are_within_the_bound() {
        for model in ["gpt-image-1", "gpt-image-1-mini", "gpt-image-1.5", "openai/gpt-image-1.5-2025-12-16"] {
            for (size, low, medium, high) in [("1024x1024", 272, 1_056, 4_160), ("1024x1536", 408, 1_584, 6_240), ("1536x1024", 400, 1_568, 6_208)] {
                for (quality, tokens) in [("low", low), ("medium", medium), ("high", high)] {
                    assert!((tokens..=tokens + 32).contains(&made(model, Some(size), Some(quality))), "{model} {size} {quality}");
                }
            }
            for auto in [None, Some("auto")] {
                assert_eq!(made(model, auto, auto), 6_240);
            }
        }
        // The guide's examples for gpt-image-2, and a little more.
        for (size, quality, tokens) in
            [("1024x1024", "low", 196), ("1024x1024", "high", 7_024), ("1536x1024", "high", 5_488), ("1792x1024", "high", 5_063), ("3584x2048", "high", 12_329)]
        {
            for model in ["gpt-image-2", "gpt-image-2-2026-04-21"] {
                let bound = made(model, Some(size), Some(quality));
                assert!((tokens..=tokens * 9 / 8 + 2).contains(&bound), "{size} {quality}: {bound}");
            }
        }
    }

    #[test]
    fn what_is_left_to_the_model_is_bounded_by_the_dearest() {
        let largest = made("gpt-image-2", None, None);
        assert!(largest >= 23_719);
        for size in ["1024x1024", "2880x2880", "3840x2160", "2160x3840"] {
            assert!(made("gpt-image-2", Some(size), None) <= largest);
        }
        assert_eq!(made("vertex/gemini-3.1-flash-image", Some("auto"), Some("high")), 7_560);
        for model in ["gpt-image-2.5-flare", "gemini-nano-banana-2.1", "gpt-image-2.5-sunburst-2026-09-08", "chatgpt-image-latest", "flux"] {
            assert!(made(model, None, None) >= largest * 4 - 8, "{model}");
            assert_eq!(made(model, None, Some("max")), made(model, None, None));
            assert_eq!(made(model, None, Some("low")), largest);
        }
    }

    #[test]
    fn everything_counts_as_often_as_images_are_made() {
        let ask = Images {
            model: "gpt-image-1",
            quality: Some("low"),
            size: Some("1024x1024"),
            prompt_bytes: 100,
            given: 2,
            partial: 3,
            count: 1,
            high_fidelity: true,
        };
        let one = most(&ask);
        assert_eq!((one.get(Unit::Input), one.get(Unit::InputImage), one.get(Unit::OutputImage)), (100 + 64 + 512, 2 * (2_129 + 6_240), 572));
        let three = most(&Images { count: 3, ..ask });
        for unit in Unit::ALL {
            assert_eq!(three.get(unit), 3 * one.get(unit));
        }
        assert_eq!(sides("0x5"), None);
        assert_eq!(sides("99999999999999999999x5"), None);
        assert!(made("gpt-image-2", Some("1x65536"), None) < 3_000_000);
    }
}
