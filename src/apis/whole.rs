//! Keeps back an answer that is one JSON object while the members that tell its cost are found. A small one is kept back whole and a
//! large one but for its last chunk, so that the charge is durable before the client has seen the end.

use bytes::Bytes;

use super::members::TopMembers;
use super::{Measured, Meter};

/// Answers up to this size are kept back whole, where nothing else is said.
const KEPT_WHOLE: usize = 1 << 20;

/// The answer so far.
pub(super) struct WholeBody {
    members: TopMembers,
    held: Vec<Bytes>,
    seen: usize,
    /// Answers up to this size are kept back whole.
    kept_whole: usize,
    ended: bool,
}

/// Reads what such an answer tells of its cost.
pub(super) trait WholeReader: Send {
    /// What has been measured so far.
    fn measured(&self, body: &WholeBody) -> Measured;
}

/// Meters such an answer.
pub(super) struct Whole<R> {
    body: WholeBody,
    reader: R,
}

// === impl WholeBody ===

impl WholeBody {
    /// Looks for these members at the top.
    pub(super) fn new(wanted: &'static [&'static str]) -> Self {
        Self { members: TopMembers::new(wanted), held: Vec::new(), seen: 0, kept_whole: KEPT_WHOLE, ended: false }
    }

    /// Keeps answers up to this size back whole.
    pub(super) fn kept_whole_to(mut self, bytes: usize) -> Self {
        self.kept_whole = bytes;
        self
    }

    /// Counts the text that stands directly in the top members too.
    pub(super) fn with_shallow_text(mut self) -> Self {
        self.members = self.members.counting_below(1);
        self
    }

    /// Takes a chunk and pushes what may go to the client.
    pub(super) fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>) {
        if chunk.is_empty() {
            return;
        }
        self.members.feed(&chunk);
        self.seen = self.seen.saturating_add(chunk.len());
        if self.seen > self.kept_whole {
            pass.append(&mut self.held);
        }
        self.held.push(chunk);
    }

    /// The body ended.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// The body ended, whatever it was.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// The body ended, and so did its object.
    pub(super) fn complete(&self) -> bool {
        self.ended && self.members.closed()
    }

    /// What was kept back.
    pub(super) fn take_held(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.held)
    }

    /// A member as it stands there; none where it is null.
    pub(super) fn member(&self, name: &str) -> Option<&[u8]> {
        self.members.get(name).filter(|raw| *raw != b"null")
    }

    /// A member that is a text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_slice(self.member(name)?).ok()
    }

    /// How many objects stand in the list `data`.
    pub(super) fn data_objects(&self) -> u64 {
        self.members.data_objects()
    }

    /// How many bytes came.
    pub(super) fn seen(&self) -> u64 {
        self.seen as u64
    }

    /// Bytes of strings below the top members, those that stand directly in one left out unless they were asked for.
    pub(super) fn nested_text(&self) -> u64 {
        self.members.nested_text()
    }
}

// === impl Whole ===

impl<R> Whole<R> {
    /// What `body` keeps is read by `reader`.
    pub(super) fn of(body: WholeBody, reader: R) -> Self {
        Self { body, reader }
    }
}

impl<R: WholeReader> Meter for Whole<R> {
    fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>) {
        self.body.chunk(chunk, pass);
    }

    fn end(&mut self, _pass: &mut Vec<Bytes>) {
        self.body.end();
    }

    fn terminal(&self) -> bool {
        self.body.ended()
    }

    fn take_held(&mut self) -> Vec<Bytes> {
        self.body.take_held()
    }

    fn measured(&self) -> Measured {
        self.reader.measured(&self.body)
    }
}
