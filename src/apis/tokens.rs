//! How many tokens a text has, at most, without knowing whose tokens: a ratio by the kind of character, calibrated against real vocabularies.
//!
//! Byte pair encodings give whole words a token or two; what they have no word for they spell, in pieces of two letters and more: random small letters
//! have 0.52 tokens each in OpenAI's `o200k`. So nine small letters count as five tokens, and everything else counts by itself: capitals, digits,
//! signs, and each byte of other scripts. A single space belongs to the word beside it. On English prose this is twice the true count.

/// An event of a stream with more tokens than this, counted by its text, is not taken for one or two.
const SHORT: u64 = 4;

/// How much output has been served, event by event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Served {
    events: u64,
    tokens: u64,
    /// The same in thousandths, where short events count at the provider's pace.
    paced_milli: u64,
    /// So many thousandths of a token the provider puts into a short event at most.
    pace_milli: Option<u64>,
}

// === impl Served ===

impl Served {
    /// Counts short events at this pace from now on.
    pub fn set_pace(&mut self, milli: u64) {
        self.pace_milli = Some(milli);
    }

    /// An event was served whose text has at most so many tokens.
    pub fn event(&mut self, tokens: u64) {
        self.events += 1;
        self.more(tokens, self.pace_milli.filter(|_| tokens <= SHORT));
    }

    /// Bytes were served that could not be read.
    pub fn unread(&mut self, bytes: u64) {
        self.more(bytes, None);
    }

    fn more(&mut self, tokens: u64, most_milli: Option<u64>) {
        self.tokens = self.tokens.saturating_add(tokens);
        let milli = tokens.saturating_mul(1_000);
        self.paced_milli = self.paced_milli.saturating_add(most_milli.map_or(milli, |most| milli.min(most)));
    }

    /// At least as many tokens as were served.
    #[must_use]
    pub const fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Likewise, as far as the provider keeps its pace.
    #[must_use]
    pub const fn paced_tokens(&self) -> u64 {
        self.paced_milli.div_ceil(1_000)
    }

    /// How many events with output there were.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }
}

/// The most tokens that the text has.
pub(crate) fn at_most(text: &[u8]) -> u64 {
    let mut tokens = 0;
    let mut letters = 0_u64;
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        if byte.is_ascii_lowercase() {
            letters += 1;
            continue;
        }
        tokens += spelled(letters);
        letters = 0;
        let joins = *byte == b' ' && bytes.peek().is_none_or(|next| next.is_ascii_alphanumeric());
        tokens += u64::from(!joins);
    }
    tokens + spelled(letters)
}

/// Tokens of so many small letters in a row.
const fn spelled(letters: u64) -> u64 {
    (letters * 5).div_ceil(9)
}

#[cfg(test)]
mod tests {
    use super::{Served, at_most};

    #[test]
    fn short_events_count_at_the_provider_s_pace() {
        let mut served = Served::default();
        served.event(4);
        served.set_pace(1_250);
        served.event(4);
        served.event(1);
        served.event(5);
        served.unread(3);
        assert_eq!((served.events(), served.tokens(), served.paced_tokens()), (4, 17, 4 + 3 + 5 + 3));
    }

    #[test]
    fn kinds_of_characters_count_by_their_worst() {
        for (text, tokens) in [
            ("", 0),
            ("a", 1),
            ("ab", 2),
            ("abc", 2),
            ("Hello, world!", 1 + 3 + 1 + 3 + 1),
            ("  x", 2),
            ("2026", 4),
            ("é", 2),
            ("a b", 2),
            ("ABC", 3),
            ("word ", 3),
        ] {
            assert_eq!(at_most(text.as_bytes()), tokens, "{text:?}");
        }
    }
}
