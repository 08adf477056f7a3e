//! A JSON scanner over bytes: walks a body once and reports where things stand, without building a tree.
//!
//! Requests are priced by what the provider will parse, so a body must mean one thing only: the strict scanner refuses what is
//! not JSON by RFC 8259, objects that name a member twice (compared after unescaping, at every level) and nesting deeper than
//! [`MAX_DEPTH`]. Answers of providers are read by the lenient one, which lets repeated members pass.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

/// Arrays and objects may be nested this deep.
pub(crate) const MAX_DEPTH: u32 = 64;

/// From this many members on, an object's keys are compared by hash: a body of a million keys must not cost a million squared.
const HASHED_FROM: usize = 16;

/// So many bytes of a string are looked at together.
const BLOCK: usize = 16;

/// Why bytes were not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    /// Not JSON.
    #[error("the body is not valid JSON: {what} at byte {at}")]
    Syntax {
        /// Where, counted from 0.
        at: usize,
        /// What was expected there.
        what: &'static str,
    },
    /// A member appears twice in one object.
    #[error("the member {key:?} appears twice in one object: which of the two counts is not defined, so send it once")]
    DuplicateKey {
        /// Its name, shortened.
        key: String,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the body is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// What the next value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// A string as it stands in the body, quotes excluded, escapes not yet undone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    raw: &'a [u8],
    start: usize,
    escaped: bool,
}

/// Where a member of an object stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member<'a> {
    /// Its key.
    pub(crate) key: Text<'a>,
    /// The end of the member before it; for the first one just after the brace.
    pub(crate) after: usize,
    /// The opening quote of its key.
    pub(crate) start: usize,
    /// True for the first member.
    pub(crate) first: bool,
}

/// The scanner: a position in the bytes.
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u32,
    strict: bool,
    /// Keys of the objects that are open, the innermost last.
    keys: Vec<Text<'a>>,
}

// === impl Text ===

impl<'a> Text<'a> {
    /// The bytes between the quotes, escapes not undone: never fewer than the text has.
    pub(crate) fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The text itself. None for bad UTF-8 and for halves of surrogate pairs.
    pub(crate) fn decode(&self) -> Option<Cow<'a, str>> {
        if !self.escaped {
            return std::str::from_utf8(self.raw).ok().map(Cow::Borrowed);
        }
        let mut quoted = Vec::with_capacity(self.raw.len() + 2);
        quoted.push(b'"');
        quoted.extend_from_slice(self.raw);
        quoted.push(b'"');
        serde_json::from_slice::<String>(&quoted).ok().map(Cow::Owned)
    }

    /// Whether this is the text, told without decoding: false where that is not enough to know.
    pub(crate) fn is_plainly(&self, text: &str) -> bool {
        !self.escaped && self.raw == text.as_bytes()
    }

    fn same(&self, other: &Self) -> bool {
        if !self.escaped && !other.escaped { self.raw == other.raw } else { self.decode() == other.decode() }
    }
}

// === impl Scanner ===

impl<'a> Scanner<'a> {
    /// Refuses members that appear twice.
    pub(crate) fn strict(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0, strict: true, keys: Vec::with_capacity(32) }
    }

    /// Lets members appear twice.
    pub(crate) fn lenient(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0, strict: false, keys: Vec::new() }
    }

    /// The position of the next byte.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// The bytes there.
    pub(crate) fn slice(&self, range: Range<usize>) -> &'a [u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// What comes next, white space skipped.
    pub(crate) fn kind(&mut self) -> Result<Kind, JsonError> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'n') => Ok(Kind::Null),
            _ => Err(self.error("expected a value")),
        }
    }

    /// Walks an object. The closure is called at each value and must consume exactly that value.
    pub(crate) fn object<E: From<JsonError>>(&mut self, mut each: impl FnMut(&mut Self, Member<'a>) -> Result<(), E>) -> Result<(), E> {
        self.open(b'{', "expected an object")?;
        let mut after = self.at;
        let mut first = true;
        let frame = self.keys.len();
        let mut hashed: Option<HashSet<Cow<'a, str>>> = None;
        self.skip_space();
        if !self.take(b'}') {
            loop {
                self.skip_space();
                let start = self.at;
                let key = self.string()?;
                if self.strict {
                    self.refuse_duplicate(frame, key, &mut hashed)?;
                }
                self.skip_space();
                self.expect(b':', "expected ':'")?;
                self.skip_space();
                each(self, Member { key, after, start, first })?;
                after = self.at;
                first = false;
                self.skip_space();
                if self.take(b'}') {
                    break;
                }
                self.expect(b',', "expected ',' or '}'")?;
            }
        }
        self.keys.truncate(frame);
        self.depth -= 1;
        Ok(())
    }

    /// Walks an array. The closure is called at each element and must consume exactly that element.
    pub(crate) fn array<E: From<JsonError>>(&mut self, mut each: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.open(b'[', "expected an array")?;
        self.skip_space();
        if !self.take(b']') {
            loop {
                self.skip_space();
                each(self)?;
                self.skip_space();
                if self.take(b']') {
                    break;
                }
                self.expect(b',', "expected ',' or ']'")?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Reads a string.
    pub(crate) fn string(&mut self) -> Result<Text<'a>, JsonError> {
        self.skip_space();
        let start = self.at;
        self.expect(b'"', "expected a string")?;
        let mut escaped = false;
        loop {
            self.at += plain_prefix(self.rest());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += self.escape_length()?;
                }
                Some(_) => return Err(self.error("a control character in a string must be escaped")),
                None => return Err(self.error("a string does not end")),
            }
        }
        let raw = self.bytes.get(start + 1..self.at).unwrap_or_default();
        self.at += 1;
        Ok(Text { raw, start, escaped })
    }

    /// Reads a number, as it is written.
    pub(crate) fn number(&mut self) -> Result<&'a [u8], JsonError> {
        self.skip_space();
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(self.bytes.get(start..self.at).unwrap_or_default())
    }

    /// Steps over a value of any kind, all of its rules checked. Answers where it stands.
    pub(crate) fn value(&mut self) -> Result<Range<usize>, JsonError> {
        let kind = self.kind()?;
        let start = self.at;
        match kind {
            Kind::Object => self.object(|scanner, _| scanner.skip())?,
            Kind::Array => self.array(|scanner| scanner.skip())?,
            Kind::String => drop(self.string()?),
            Kind::Number => drop(self.number()?),
            Kind::True => self.literal(b"true")?,
            Kind::False => self.literal(b"false")?,
            Kind::Null => self.literal(b"null")?,
        }
        Ok(start..self.at)
    }

    /// Steps over a value of any kind, all of its rules checked.
    pub(crate) fn skip(&mut self) -> Result<(), JsonError> {
        self.value().map(|_| ())
    }

    /// Steps over a value and answers how many tokens its strings have at most, keys excluded, escapes not undone.
    pub(crate) fn text_tokens(&mut self) -> Result<u64, JsonError> {
        let mut sum = 0u64;
        match self.kind()? {
            Kind::Object => self.object(|scanner, _| {
                sum = sum.saturating_add(scanner.text_tokens()?);
                Ok::<(), JsonError>(())
            })?,
            Kind::Array => self.array(|scanner| {
                sum = sum.saturating_add(scanner.text_tokens()?);
                Ok::<(), JsonError>(())
            })?,
            Kind::String => sum = super::tokens::at_most(self.string()?.raw),
            _ => self.skip()?,
        }
        Ok(sum)
    }

    /// Nothing but white space may follow.
    pub(crate) fn finish(&mut self) -> Result<(), JsonError> {
        self.skip_space();
        if self.at < self.bytes.len() { Err(self.error("expected the end")) } else { Ok(()) }
    }

    fn refuse_duplicate(&mut self, frame: usize, key: Text<'a>, hashed: &mut Option<HashSet<Cow<'a, str>>>) -> Result<(), JsonError> {
        let duplicate = || JsonError::DuplicateKey { key: String::from_utf8_lossy(key.raw.get(..key.raw.len().min(64)).unwrap_or_default()).into_owned() };
        if key.escaped && key.decode().is_none() {
            return Err(JsonError::Syntax { at: key.start, what: "a member's name is not valid Unicode" });
        }
        let earlier = self.keys.get(frame..).unwrap_or_default();
        if earlier.len() < HASHED_FROM {
            if earlier.iter().any(|other| other.same(&key)) {
                return Err(duplicate());
            }
            self.keys.push(key);
            return Ok(());
        }
        let set = hashed.get_or_insert_with(|| earlier.iter().filter_map(Text::decode).collect());
        let text = key.decode().ok_or(JsonError::Syntax { at: key.start, what: "a member's name is not valid Unicode" })?;
        if set.insert(text) { Ok(()) } else { Err(duplicate()) }
    }

    /// How long the escape is that begins here.
    fn escape_length(&self) -> Result<usize, JsonError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
            Some(b'u') if self.bytes.get(self.at + 2..self.at + 6).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) => Ok(6),
            _ => Err(self.error("a bad escape in a string")),
        }
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(self.error("expected a digit")) } else { Ok(()) }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), JsonError> {
        if self.rest().starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.error("expected a value"))
        }
    }

    fn open(&mut self, brace: u8, what: &'static str) -> Result<(), JsonError> {
        self.skip_space();
        self.expect(brace, what)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(JsonError::TooDeep) } else { Ok(()) }
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { Err(self.error(what)) }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn error(&self, what: &'static str) -> JsonError {
        JsonError::Syntax { at: self.at, what }
    }
}

/// The bytes of a string that need a look: its end, an escape, a control character.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        special[byte] = true;
        byte += 1;
    }
    special[b'"' as usize] = true;
    special[b'\\' as usize] = true;
    special
};

/// How many bytes at the front of a string need no look.
fn plain_prefix(bytes: &[u8]) -> usize {
    let special = |byte: &u8| SPECIAL[usize::from(*byte)];
    // Names and most values are shorter than a block.
    let (front, rest) = bytes.split_at(bytes.len().min(BLOCK));
    if let Some(found) = front.iter().position(special) {
        return found;
    }
    let (blocks, _) = rest.as_chunks::<BLOCK>();
    // A fold without an early exit: the compiler makes one vector comparison of it.
    let hit = |hit, &byte: &u8| hit | (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    let skipped = blocks.iter().take_while(|block| !block.iter().fold(false, hit)).count() * BLOCK;
    let rest = rest.get(skipped..).unwrap_or_default();
    front.len() + skipped + rest.iter().position(special).unwrap_or(rest.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(crate) mod tests;
