//! Simulated prose, and the simulated tokenizer that counts and cuts it.
//!
//! A simulated token is up to four bytes of text, taken greedily from the start and never splitting a character. So `max_tokens` cuts at an exact
//! place, the usage follows from the text alone, and a token is never shorter than a byte, as with real byte-level tokenizers.

use super::seed::Dice;

/// Bytes in a simulated token.
const TOKEN_BYTES: usize = 4;
/// What every simulated prose answer begins with, so that nobody takes it for a model's.
const OPENING: &str = "This is a simulated answer; no provider was asked.";
/// A piece of a stream is a word, or this many bytes where no space comes.
const PIECE_BYTES: usize = 24;
/// Most pieces in one stream: longer answers come in larger pieces, so that the framing cannot outgrow the text.
const MAX_PIECES: usize = 4096;

const WORDS: [&str; 48] = [
    "amber", "anchor", "autumn", "balance", "basin", "bridge", "candle", "canyon", "cedar", "circle", "copper", "delta", "ember", "engine", "falcon", "fern",
    "forest", "garden", "glacier", "harbor", "hazel", "island", "juniper", "kernel", "lantern", "ledger", "marble", "meadow", "meter", "morning", "north",
    "ocean", "orbit", "paper", "pebble", "prairie", "quartz", "river", "saddle", "signal", "silver", "summit", "thunder", "timber", "token", "valley",
    "willow", "winter",
];

/// Tokens in `text`.
pub(crate) fn tokens(text: &str) -> u64 {
    if text.is_ascii() {
        return text.len().div_ceil(TOKEN_BYTES) as u64;
    }
    token_ends(text).count() as u64
}

/// The first `limit` tokens of `text`, and whether anything was cut off.
pub(crate) fn cut(text: &str, limit: u64) -> (&str, bool) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if limit == 0 {
        return ("", !text.is_empty());
    }
    let end = if text.is_ascii() { limit.saturating_mul(TOKEN_BYTES) } else { token_ends(text).nth(limit - 1).unwrap_or(text.len()) };
    match text.get(..end) {
        Some(head) => (head, head.len() < text.len()),
        None => (text, false),
    }
}

/// Where each token ends.
fn token_ends(text: &str) -> impl Iterator<Item = usize> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        // A character is at most four bytes, so a token holds at least one.
        let length = rest.char_indices().map(|(at, letter)| at + letter.len_utf8()).take_while(|end| *end <= TOKEN_BYTES).last().unwrap_or(rest.len());
        start += length;
        Some(start)
    })
}

/// A few sentences.
pub(crate) fn prose(dice: &mut Dice) -> String {
    let mut text = String::from(OPENING);
    for _ in 0..=dice.below(3) {
        sentence(&mut text, dice);
    }
    text
}

/// Prose of exactly `count` tokens.
pub(crate) fn prose_of(count: u64, dice: &mut Dice) -> String {
    let bytes = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(TOKEN_BYTES);
    let mut text = String::from(OPENING);
    while text.len() < bytes {
        sentence(&mut text, dice);
    }
    // All of it is ASCII: any byte is a place to cut.
    text.truncate(bytes);
    text
}

/// A word, for short strings.
pub(crate) fn word(dice: &mut Dice) -> &'static str {
    dice.choose(&WORDS).copied().unwrap_or("word")
}

fn sentence(text: &mut String, dice: &mut Dice) {
    text.push(' ');
    let mut first = word(dice).chars();
    text.extend(first.next().map(|letter| letter.to_ascii_uppercase()));
    text.push_str(first.as_str());
    for _ in 0..6 + dice.below(6) {
        text.push(' ');
        text.push_str(word(dice));
    }
    text.push('.');
}

/// The pieces in which a stream delivers `text`: words, as long as all texts of the answer (`total_bytes`) make few enough of them.
pub(crate) fn pieces(text: &str, total_bytes: usize) -> impl Iterator<Item = &str> {
    let least = total_bytes.div_ceil(MAX_PIECES).max(1);
    let largest = PIECE_BYTES.max(least.saturating_mul(2));
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = rest.len();
        for (at, letter) in rest.char_indices() {
            let next = at + letter.len_utf8();
            if next >= largest || (letter == ' ' && next >= least) {
                end = next;
                break;
            }
        }
        let (piece, tail) = rest.split_at_checked(end)?;
        rest = tail;
        Some(piece)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
