//! How many tokens an image costs at most. Its bytes say nothing about that: providers scale images and count tiles or patches.
//!
//! Source: OpenAI's guide "Images and vision", sections "Model sizing behavior" and "Calculating costs", as of September 2026.
//! - Tile models (`gpt-4o`, `gpt-4.1`, `gpt-4.5`, the o-series but `o4-mini`, `gpt-5`, `gpt-5.1`, `computer-use-preview`) scale an image into 2048 x 2048 and its short side to
//!   768, then count tiles of 512: at most 4 x 2 = 8 of them. `gpt-4o` costs 85 + 170 a tile, `o1` and `o3` 75 + 150, `gpt-5` 70 + 140, `gpt-4o-mini`
//!   2833 + 5667. With `detail: low` the base alone. `gpt-4.1` was documented as counting patches, too.
//! - Patch models count patches of 32 x 32 times a factor: 1.62 for `gpt-5-mini` and `gpt-4.1-mini`, 2.46 for the `nano` models, 1.72 for `o4-mini`, 1.2
//!   for the others (not in the guide, but in the usage of `gpt-5.2` and later). At most 1536 patches (`gpt-5.2`, the Codex models, all that are `mini` or
//!   `nano`), 2500 in `gpt-5.4` and `gpt-5.5`, which take `detail: original` too, with 10,000.
//! - `gpt-5.6`, `gpt-6` and later scale nothing: an image has at most 30,000 patches, or is refused. Only with `detail: low` it becomes 512 x 512.
//!
//! Other providers' models are bounded by the largest of these figures.

use crate::apis::sellers::name_at_seller;

/// What one image costs at most, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ImageTokens {
    high: u64,
    low: u64,
}

/// 1536 patches; above the 85 + 8 x 170 = 1445 of the dearest tile model of this family. Low: the 16 x 16 patches of 512 x 512, above the base of any.
const LARGE: ImageTokens = ImageTokens { high: 1_536, low: 256 };
/// 1536 patches x 2.46. That `low` changes anything for these models is not documented.
const SMALL_PATCH: ImageTokens = ImageTokens { high: 3_779, low: 3_779 };
/// 10,000 patches x 2.46.
const ORIGINAL: ImageTokens = ImageTokens { high: 24_600, low: 3_779 };
/// 30,000 patches x 2.46: the factors of the smaller of the latest models are not known.
const UNSCALED: ImageTokens = ImageTokens { high: 73_800, low: 3_779 };
/// 2833 + 8 x 5667.
const DEAR_TILES: ImageTokens = ImageTokens { high: 48_169, low: 2_833 };
/// With `detail: low` unknown models may scale nothing.
const UNKNOWN: ImageTokens = ImageTokens { high: 73_800, low: 73_800 };

const TILE_MODELS: [&str; 11] =
    ["gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-4-turbo", "gpt-4-vision", "gpt-4-1106-vision", "chatgpt-4o", "o1", "o3", "o4", "computer-use"];

/// The most that one image costs for `model`, with `detail: low` or without.
pub(in crate::apis) fn most_tokens(model: &str, low_detail: bool) -> u64 {
    let tokens = family(model);
    if low_detail { tokens.low } else { tokens.high }
}

fn family(model: &str) -> ImageTokens {
    // `openai/gpt-4o` at a router, `ft:gpt-4o:team::id` after fine-tuning.
    let name = name_at_seller(model);
    let name = name.strip_prefix("ft:").unwrap_or(name);
    let starts = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
    let small = name.contains("-mini") || name.contains("-nano");
    if starts(&["gpt-4o-mini"]) {
        DEAR_TILES
    } else if starts(&TILE_MODELS) {
        if small { SMALL_PATCH } else { LARGE }
    } else if name == "gpt-5" || starts(&["gpt-5-2025", "gpt-5-chat"]) {
        LARGE
    } else if starts(&["gpt-5-codex", "gpt-5-mini", "gpt-5-nano"]) {
        SMALL_PATCH
    } else if name == "gpt-5.1" || starts(&["gpt-5-", "gpt-5.1-", "gpt-5.2", "gpt-5.3", "gpt-5.4", "gpt-5.5"]) {
        ORIGINAL
    } else if starts(&["gpt-5.", "gpt-6"]) {
        UNSCALED
    } else {
        UNKNOWN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_for_what_the_guide_says_of_each_model() {
        for (model, patches_or_tokens, factor_hundredths) in [
            ("gpt-4o", 85 + 8 * 170, 100),
            ("gpt-4o-mini", 2_833 + 8 * 5_667, 100),
            ("gpt-4.1", 1_536, 100),
            ("gpt-4.1-mini-2025-04-14", 1_536, 162),
            ("gpt-4.1-nano", 1_536, 246),
            ("o3", 75 + 8 * 150, 100),
            ("o4-mini", 1_536, 172),
            ("gpt-5", 70 + 8 * 140, 100),
            ("gpt-5-codex", 1_536, 120),
            ("gpt-5-nano", 1_536, 246),
            ("gpt-5.2", 1_536, 120),
            ("gpt-5.4", 10_000, 120),
            ("gpt-5.4-nano", 1_536, 246),
            ("gpt-5.5", 10_000, 120),
            ("gpt-5.6-sol", 30_000, 120),
            ("gpt-6-astra", 30_000, 120),
            ("openai/gpt-6.1-terra", 30_000, 120),
            ("nobody-knows", 30_000, 246),
        ] {
            let most: u64 = patches_or_tokens * factor_hundredths;
            assert!(most_tokens(model, false) >= most.div_ceil(100), "{model}");
            assert!(most_tokens(model, true) <= most_tokens(model, false));
        }
        // An image of low detail has 16 x 16 patches at the most, where it is scaled at all.
        for model in ["gpt-4o", "gpt-4.1", "gpt-5", "gpt-5.4", "gpt-6-astra", "gpt-4o-mini"] {
            assert!(most_tokens(model, true) >= 256, "{model}");
        }
    }
}
