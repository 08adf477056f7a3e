//! OpenAI's vocabularies: how many tokens a text has, exactly.
//!
//! Byte pair encoding: `split` cuts a text into pieces, mostly words; `merge` spells each from its bytes, joining the pair that the vocabulary ranks
//! first until none is left; `table` has the ranks. The two files hold the tokens in the order of their ranks, each behind its length as one byte. They
//! say what OpenAI's own `o200k_base.tiktoken` and `cl100k_base.tiktoken` say (github.com/openai/tiktoken, MIT licence), in less than half of the space; a
//! test rebuilds those from them and compares the SHA-256 that OpenAI's program checks.
//!
//! Read at the first need, in some 80 ms, and then 10 MB of memory and 2.3 MB of the binary; a gateway that never needs it has nothing of it in memory.
//! Published crates would do, too. Measured in the same way, for `o200k_base` alone: `bpe-openai` 67 MB and 32 MB of the binary, `tiktoken-rs` 46 MB and 6 MB.

use std::cell::{Cell, RefCell};
use std::sync::LazyLock;

mod merge;
mod split;
mod table;

use self::merge::Merger;
use self::split::Splitter;
use self::table::Table;
use crate::apis::json::Text;

/// Texts beyond this, of one request, are left at their bytes. So much is counted in a tenth of a second, and in less than one whatever it is.
const MOST_BYTES: usize = 1 << 20;
/// A piece that is longer counts as its bytes: no text is written so, without a gap, and it bounds the memory and the time.
const MOST_PIECE: usize = 4 << 10;
/// How the names of special tokens begin, such as `<|endoftext|>`. Whether the provider reads them as such within a text is not known.
const SPECIAL: &str = "<|";

/// Which vocabulary a model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vocabulary {
    O200k,
    Cl100k,
}

/// A vocabulary in memory.
struct Loaded {
    splitter: Splitter,
    table: Table,
}

static O200K: LazyLock<Option<Loaded>> = LazyLock::new(|| Loaded::new(split::O200K, include_bytes!("vocabulary/o200k_base.tokens")));
static CL100K: LazyLock<Option<Loaded>> = LazyLock::new(|| Loaded::new(split::CL100K, include_bytes!("vocabulary/cl100k_base.tokens")));

/// Counts the texts of one request.
pub(super) struct Counter {
    loaded: &'static Loaded,
    merger: RefCell<Merger>,
    /// How many bytes may still be counted.
    left: Cell<usize>,
}

/// The names that models begin with; one of them whole, or what follows it after a sign that `ends` it (tiktoken, `model.py`, as of September 2026). The
/// first that fits counts.
const MODELS: [(&str, Vocabulary); 15] = [
    ("gpt-4o", Vocabulary::O200k),
    ("gpt-4.1", Vocabulary::O200k),
    ("gpt-4.5", Vocabulary::O200k),
    ("chatgpt-4o", Vocabulary::O200k),
    ("gpt-5", Vocabulary::O200k),
    ("o1", Vocabulary::O200k),
    ("o3", Vocabulary::O200k),
    ("o4-mini", Vocabulary::O200k),
    ("gpt-4", Vocabulary::Cl100k),
    ("gpt-3.5-turbo", Vocabulary::Cl100k),
    // Azure's name of it.
    ("gpt-35-turbo", Vocabulary::Cl100k),
    ("davinci-002", Vocabulary::Cl100k),
    ("babbage-002", Vocabulary::Cl100k),
    ("text-embedding-ada-002", Vocabulary::Cl100k),
    ("text-embedding-3", Vocabulary::Cl100k),
];

/// The vocabulary of one of OpenAI's own models, where it is published. Not of those that search by themselves, whose prompts are more than what was sent.
pub(super) fn of(model: &str) -> Option<Vocabulary> {
    let name = model.strip_prefix("ft:").unwrap_or(model);
    if name.contains("-search") {
        return None;
    }
    MODELS.into_iter().find_map(|(start, vocabulary)| {
        let rest = name.strip_prefix(start)?;
        // `gpt-5.4` is one of them, `gpt-41` would be another thing.
        let ends = rest.is_empty() || rest.starts_with(['-', ':']) || start == "gpt-5" && rest.starts_with('.');
        ends.then_some(vocabulary)
    })
}

// === impl Vocabulary ===

impl Vocabulary {
    fn loaded(self) -> Option<&'static Loaded> {
        match self {
            Self::O200k => O200K.as_ref(),
            Self::Cl100k => CL100K.as_ref(),
        }
    }
}

// === impl Loaded ===

impl Loaded {
    fn new(pattern: &str, tokens: &'static [u8]) -> Option<Self> {
        Some(Self { splitter: Splitter::new(pattern)?, table: Table::new(tokens)? })
    }

    fn count(&self, text: &str, merger: &mut Merger) -> u64 {
        let mut of_piece = |from: usize, to: usize| {
            let bytes = text.as_bytes().get(from..to).unwrap_or_default();
            if bytes.len() > MOST_PIECE { bytes.len() as u64 } else { merger.count(bytes, &self.table) }
        };
        let visible = text.trim_end().len();
        let (mut tokens, mut at) = (0, 0);
        let mut with_one_end = None;
        while at < text.len() {
            // The spaces at the end are cut in one way or the other, by the version of OpenAI's program: the larger counts.
            if at >= visible && with_one_end.is_none() {
                with_one_end = Some(tokens + of_piece(at, text.len()));
            }
            let cut = self.splitter.cut(text, at);
            tokens += of_piece(at, cut);
            at = cut;
        }
        tokens.max(with_one_end.unwrap_or_default())
    }
}

// === impl Counter ===

impl Counter {
    /// For a model. Reads its vocabulary, where nobody has done so yet; none where it has none that is known.
    pub(super) fn of(model: &str) -> Option<Self> {
        Some(Self { loaded: of(model)?.loaded()?, merger: RefCell::default(), left: Cell::new(MOST_BYTES) })
    }

    /// By how much the tokens of a text are fewer than its bytes in the body.
    pub(super) fn spared(&self, text: &Text<'_>) -> u64 {
        let raw = text.raw().len();
        let Some(left) = self.left.get().checked_sub(raw) else { return 0 };
        let Some(decoded) = text.decode().filter(|decoded| !decoded.contains(SPECIAL)) else { return 0 };
        self.left.set(left);
        (raw as u64).saturating_sub(self.loaded.count(&decoded, &mut self.merger.borrow_mut()))
    }
}

impl std::fmt::Debug for Counter {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Counter").field("left", &self.left).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
