//! Where a simulated answer gets its variety from: a hash of the request, so that the same request always gets the same answer.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Top-level fields that do not change what a provider answers, only how it is delivered or who is noted down for it.
const IGNORED: [&str; 4] = ["stream", "stream_options", "user", "metadata"];
const LETTERS_AND_DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 2026-01-01T00:00:00Z: the earliest `created` that an answer shows.
const CREATED_FROM: u64 = 1_767_225_600;
/// `created` lies within this many seconds of [`CREATED_FROM`].
const CREATED_SPAN: u64 = 180 * 86_400;

/// 256 bits that everything in one answer is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed([u8; 32]);

/// A stream of numbers drawn from a [`Seed`] (splitmix64: short, and good enough for choosing words).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

// === impl Seed ===

impl Seed {
    /// The seed of a request: its JSON with sorted keys, without the fields that only say how to deliver the answer.
    pub(crate) fn of_request(operation: &str, body: &Value) -> Self {
        let mut hasher = Sha256::new();
        absorb_text(&mut hasher, operation);
        match body {
            Value::Object(map) => absorb_object(&mut hasher, map, &IGNORED),
            other => absorb(&mut hasher, other),
        }
        Self(hasher.finalize().into())
    }

    /// The seed of plain bytes.
    pub(crate) fn of_bytes(label: &str, bytes: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        absorb_text(&mut hasher, label);
        hasher.update(bytes);
        Self(hasher.finalize().into())
    }

    /// A seed of its own for one part of the answer.
    pub(crate) fn part(&self, label: &str, index: usize) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        absorb_text(&mut hasher, label);
        hasher.update((index as u64).to_le_bytes());
        Self(hasher.finalize().into())
    }

    pub(crate) fn dice(&self) -> Dice {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        Dice(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }

    /// An id such as providers give: the prefix and `length` letters and digits.
    pub(crate) fn id(&self, prefix: &str, length: usize) -> String {
        let mut dice = self.part("id", 0).dice();
        let mut id = String::from(prefix);
        id.extend((0..length).map(|_| char::from(dice.choose(LETTERS_AND_DIGITS).copied().unwrap_or(b'0'))));
        id
    }

    /// A plausible moment, in seconds since 1970. Never the clock: the same request must get the same bytes.
    pub(crate) fn created(&self) -> u64 {
        CREATED_FROM + self.part("created", 0).dice().below(CREATED_SPAN)
    }

    /// The bytes, for vectors.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

// === impl Dice ===

impl Dice {
    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// One of `choices`; `None` when there are none.
    pub(crate) fn choose<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        let index = self.below(choices.len() as u64);
        choices.get(usize::try_from(index).unwrap_or(0))
    }
}

/// Every value starts with a mark of its type, and text with its length, so that no two different values are fed in alike.
fn absorb(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hasher.update(b"0"),
        Value::Bool(false) => hasher.update(b"f"),
        Value::Bool(true) => hasher.update(b"t"),
        Value::Number(number) => {
            hasher.update(b"n");
            absorb_text(hasher, &number.to_string());
        }
        Value::String(text) => absorb_text(hasher, text),
        Value::Array(items) => {
            hasher.update(b"[");
            hasher.update((items.len() as u64).to_le_bytes());
            items.iter().for_each(|item| absorb(hasher, item));
        }
        Value::Object(map) => absorb_object(hasher, map, &[]),
    }
}

fn absorb_object(hasher: &mut Sha256, map: &serde_json::Map<String, Value>, skipped: &[&str]) {
    let mut entries: Vec<_> = map.iter().filter(|(name, _)| !skipped.contains(&name.as_str())).collect();
    // Sorted here too, so that the seed does not hang on how the JSON library orders its maps.
    entries.sort_unstable_by_key(|(name, _)| *name);
    hasher.update(b"{");
    hasher.update((entries.len() as u64).to_le_bytes());
    for (name, value) in entries {
        absorb_text(hasher, name);
        absorb(hasher, value);
    }
}

fn absorb_text(hasher: &mut Sha256, text: &str) {
    hasher.update(b"s");
    hasher.update((text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}
