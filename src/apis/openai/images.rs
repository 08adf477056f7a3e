//! How many tokens an image costs at most. Its bytes say nothing about that: providers scale images and count tiles or patches.
//!
//! Source: OpenAI's guide "Images and vision", section "Calculating costs", read in 2026.
//! - Tile models scale an image into 2048 x 2048 and its short side to 768, then count tiles of 512: at most 4 x 2 = 8 tiles. `gpt-4o`
//!   costs 85 + 170 a tile, `o1` and `o3` 75 + 150, `gpt-5` 70 + 140, `gpt-4o-mini` 2833 + 5667. With `detail: low` the base alone.
//! - Patch models count patches of 32 x 32, at most 1536, times a factor of at most 2.46. `gpt-4.1` is documented as both.
//! - Later models take `detail: original`, with at most 10,000 patches.
//!
//! Other providers' models are bounded by the largest of these figures.

/// What one image costs at most, in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ImageTokens {
    high: u64,
    low: u64,
}

/// 1536 patches; above the 85 + 8 x 170 = 1445 of the dearest tile model of this family.
const LARGE: ImageTokens = ImageTokens { high: 1_536, low: 85 };
/// 1536 patches x 2.46.
const SMALL_PATCH: ImageTokens = ImageTokens { high: 3_779, low: 3_779 };
/// 10,000 patches x 2.46.
const ORIGINAL: ImageTokens = ImageTokens { high: 24_600, low: 24_600 };
/// 2833 + 8 x 5667.
const DEAREST: ImageTokens = ImageTokens { high: 48_169, low: 2_833 };

/// The most that one image costs for `model`, with `detail: low` or without.
pub(in crate::apis) fn most_tokens(model: &str, low_detail: bool) -> u64 {
    let tokens = family(model);
    if low_detail { tokens.low } else { tokens.high }
}

fn family(model: &str) -> ImageTokens {
    // `openai/gpt-4o` at a router, `ft:gpt-4o:team::id` after fine-tuning.
    let name = model.rsplit('/').next().unwrap_or(model);
    let name = name.strip_prefix("ft:").unwrap_or(name);
    let small = name.contains("-mini") || name.contains("-nano");
    if name.starts_with("gpt-4o-mini") {
        DEAREST
    } else if ["gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-4-turbo", "gpt-4-vision", "gpt-4-1106-vision", "chatgpt-4o", "o1", "o3", "o4"]
        .iter()
        .any(|start| name.starts_with(start))
    {
        if small { SMALL_PATCH } else { LARGE }
    } else if name == "gpt-5" || ["gpt-5-2025", "gpt-5-chat", "gpt-5-codex"].iter().any(|start| name.starts_with(start)) {
        LARGE
    } else if name.starts_with("gpt-5-mini") || name.starts_with("gpt-5-nano") {
        SMALL_PATCH
    } else if name.starts_with("gpt-5") {
        ORIGINAL
    } else {
        // With `detail: low` unknown models may scale nothing.
        ImageTokens { low: DEAREST.high, ..DEAREST }
    }
}
