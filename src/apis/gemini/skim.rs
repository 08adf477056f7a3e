//! Reads answers while they pass, in whatever pieces they come: one object, or a list of them that grows. Nothing is kept but what is looked for,
//! so that an image of ten megabytes costs no memory.
//!
//! Every value stands at a [`Place`], which its name and the place around it decide. Only a few places are of interest; of what the model
//! generated, the bytes are counted.

use memchr::memchr2;

use super::answer::Answer;
use super::usage::{Count, Details};

/// Values are nested this deep in no answer.
const MOST_DEPTH: usize = 256;
/// Names and values that are read are at most this long; longer ones are none of those looked for.
const MOST_READ: usize = 4 << 10;

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The whole body, or an element of the list that it is.
    Root,
    /// The list of all pieces.
    List,
    /// One answer, or a piece of one.
    Piece,
    Candidates,
    Candidate,
    Content,
    Parts,
    /// What the model generated.
    Generated,
    Grounding,
    Queries,
    Query,
    FinishReason,
    Index,
    Usage,
    Count(Count),
    Details(Details),
    Detail(Details),
    Modality,
    DetailCount,
    ServiceTier,
    ModelVersion,
    ResponseId,
    PromptFeedback,
    BlockReason,
    Error,
    /// Of no interest.
    Other,
}

/// What happened at a byte of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A piece begins there.
    Begin(usize),
    /// The piece's last byte.
    End(usize),
    /// The list's last byte.
    ListEnd(usize),
}

/// An object or list that is open.
#[derive(Clone, Copy, Debug)]
struct Frame {
    place: Place,
    is_object: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// A value, or in an object a name.
    Value,
    Name,
    /// A comma, a colon or the end of what is open.
    Mark,
}

/// The reader.
#[derive(Debug)]
pub(super) struct Skim {
    pub(super) answer: Answer,
    open: Vec<Frame>,
    /// The place of the value that comes next, or is being read.
    next: Place,
    expect: Expect,
    in_string: bool,
    escaped: bool,
    /// The name or value that is being read.
    read: Vec<u8>,
    /// It is longer than [`MOST_READ`].
    cut: bool,
    in_scalar: bool,
    /// The body is not what it should be: nothing more is read of it.
    lost: bool,
    closed: bool,
}

// === impl Skim ===

impl Skim {
    pub(super) fn new() -> Self {
        Self {
            answer: Answer::default(),
            open: Vec::new(),
            next: Place::Root,
            expect: Expect::Value,
            in_string: false,
            escaped: false,
            read: Vec::new(),
            cut: false,
            in_scalar: false,
            lost: false,
            closed: false,
        }
    }

    /// The body's value has ended.
    pub(super) fn closed(&self) -> bool {
        self.closed && !self.lost
    }

    /// In a list, where no piece is open: whether the next one needs no comma. None anywhere else.
    pub(super) fn between_pieces(&self) -> Option<bool> {
        let in_list = matches!(self.open.as_slice(), [Frame { place: Place::List, .. }]);
        (in_list && !self.lost && !self.in_string && !self.in_scalar).then_some(self.expect == Expect::Value)
    }

    /// Begins a new body, and keeps what was read of the ones before.
    pub(super) fn again(&mut self) {
        let answer = std::mem::take(&mut self.answer);
        *self = Self { answer, ..Self::new() };
    }

    /// Reads on, and tells where pieces begin and end.
    pub(super) fn feed(&mut self, chunk: &[u8], marks: &mut Vec<Mark>) {
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            if self.lost {
                return self.answer.unread((chunk.len() - at) as u64);
            }
            if self.in_string && !self.escaped {
                let rest = chunk.get(at..).unwrap_or_default();
                let plain = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                if plain > 0 {
                    self.string_bytes(rest.get(..plain).unwrap_or_default());
                    at += plain;
                    continue;
                }
            }
            if self.in_scalar {
                let rest = chunk.get(at..).unwrap_or_default();
                let run = rest.iter().take_while(|byte| is_scalar(**byte)).count();
                self.string_bytes(rest.get(..run).unwrap_or_default());
                at += run;
                if run < rest.len() {
                    self.in_scalar = false;
                    self.value_end();
                }
                continue;
            }
            self.byte(byte, at, marks);
            at += 1;
        }
    }

    fn byte(&mut self, byte: u8, at: usize, marks: &mut Vec<Mark>) {
        if self.in_string {
            let ends = byte == b'"' && !self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            if ends {
                self.in_string = false;
                self.count(1);
                self.string_end();
            } else {
                self.string_bytes(&[byte]);
            }
            return;
        }
        self.count(1);
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {}
            b'"' if self.expect != Expect::Mark => {
                (self.in_string, self.escaped) = (true, false);
                self.clear();
            }
            b'{' | b'[' if self.expect == Expect::Value => self.enter(byte == b'{', at, marks),
            b'}' | b']' => self.leave(at, marks),
            b':' if self.expect == Expect::Mark => self.expect = Expect::Value,
            b',' if self.expect == Expect::Mark => self.begin_next(),
            _ if self.expect == Expect::Value && is_scalar(byte) => {
                self.in_scalar = true;
                self.clear();
                self.keep(&[byte]);
            }
            _ => self.lost = true,
        }
    }

    fn enter(&mut self, is_object: bool, at: usize, marks: &mut Vec<Mark>) {
        let place = match (self.next, is_object) {
            (Place::Root, false) if self.open.is_empty() => Place::List,
            (Place::Root, true) => Place::Piece,
            (Place::Candidates | Place::Parts | Place::Queries | Place::Details(_), true)
            | (Place::Candidate | Place::Content | Place::Grounding | Place::Usage | Place::Detail(_) | Place::PromptFeedback, false) => Place::Other,
            (place, _) => place,
        };
        if self.open.len() >= MOST_DEPTH {
            self.lost = true;
            return;
        }
        match place {
            Place::Piece => {
                marks.push(Mark::Begin(at));
                self.answer.begin_piece();
            }
            Place::Candidate => self.answer.begin_candidate(),
            Place::Details(kind) => self.answer.reported.begin_details(kind),
            Place::Detail(_) => self.answer.reported.begin_detail(),
            Place::Usage => self.answer.told = true,
            Place::Error => self.answer.failed = true,
            _ => {}
        }
        self.open.push(Frame { place, is_object });
        self.begin_next();
    }

    fn leave(&mut self, at: usize, marks: &mut Vec<Mark>) {
        let Some(frame) = self.open.pop() else {
            self.lost = true;
            return;
        };
        match frame.place {
            Place::Piece => {
                self.answer.end_piece();
                marks.push(Mark::End(at));
            }
            Place::List => marks.push(Mark::ListEnd(at)),
            Place::Candidate => self.answer.end_candidate(),
            Place::Detail(kind) => self.answer.reported.end_detail(kind),
            _ => {}
        }
        self.expect = Expect::Mark;
        self.next = if self.open.last().is_some_and(|frame| frame.place == Place::Generated) { Place::Generated } else { Place::Other };
        self.closed = self.open.is_empty();
    }

    /// The next member of what is open, or its next element.
    fn begin_next(&mut self) {
        let Some(frame) = self.open.last() else {
            self.lost = true;
            return;
        };
        if frame.is_object {
            self.expect = Expect::Name;
            self.next = if frame.place == Place::Generated { Place::Generated } else { Place::Other };
        } else {
            self.expect = Expect::Value;
            self.next = element(frame.place);
        }
    }

    fn string_end(&mut self) {
        if self.expect == Expect::Name {
            let within = self.open.last().map_or(Place::Other, |frame| frame.place);
            self.next = if self.cut { member(within, b"") } else { member(within, &self.read) };
            self.expect = Expect::Mark;
        } else {
            self.value_end();
        }
    }

    /// A text or a bare word has ended at its place.
    fn value_end(&mut self) {
        self.expect = Expect::Mark;
        let value = if self.cut { &b""[..] } else { &self.read };
        self.answer.value(self.next, value);
        self.closed = self.open.is_empty();
    }

    fn string_bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let wanted = self.expect == Expect::Name || !matches!(self.next, Place::Other | Place::Generated);
        if !wanted {
            return;
        }
        if self.read.len() + bytes.len() > MOST_READ {
            self.cut = true;
        } else {
            self.read.extend_from_slice(bytes);
        }
    }

    fn clear(&mut self) {
        self.read.clear();
        self.cut = false;
    }

    /// Bytes of what the model generated, names and marks included: it wrote those too.
    fn count(&mut self, bytes: usize) {
        if self.next == Place::Generated {
            self.answer.generated(bytes as u64);
        }
    }
}

/// A byte of a number, or of true, false and null.
fn is_scalar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// The place of an element of a list that stands at a place.
fn element(list: Place) -> Place {
    match list {
        Place::List => Place::Root,
        Place::Candidates => Place::Candidate,
        Place::Parts | Place::Generated => Place::Generated,
        Place::Queries => Place::Query,
        Place::Details(kind) => Place::Detail(kind),
        _ => Place::Other,
    }
}

/// The place of a member of an object that stands at a place.
fn member(object: Place, name: &[u8]) -> Place {
    match (object, name) {
        (Place::Generated, _) => Place::Generated,
        (Place::Piece, b"candidates") => Place::Candidates,
        (Place::Piece, b"usageMetadata") => Place::Usage,
        (Place::Piece, b"modelVersion") => Place::ModelVersion,
        (Place::Piece, b"responseId") => Place::ResponseId,
        (Place::Piece, b"promptFeedback") => Place::PromptFeedback,
        (Place::Piece, b"error") => Place::Error,
        (Place::PromptFeedback, b"blockReason") => Place::BlockReason,
        (Place::Candidate, b"content") => Place::Content,
        (Place::Candidate, b"finishReason") => Place::FinishReason,
        (Place::Candidate, b"index") => Place::Index,
        (Place::Candidate, b"groundingMetadata") => Place::Grounding,
        (Place::Content, b"parts") => Place::Parts,
        (Place::Grounding, b"webSearchQueries" | b"imageSearchQueries") => Place::Queries,
        (Place::Usage, b"serviceTier") => Place::ServiceTier,
        (Place::Usage, name) => match (Count::named(name), Details::named(name)) {
            (Some(count), _) => Place::Count(count),
            (None, Some(details)) => Place::Details(details),
            (None, None) => Place::Other,
        },
        (Place::Detail(_), b"modality") => Place::Modality,
        (Place::Detail(_), b"tokenCount") => Place::DetailCount,
        _ => Place::Other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
