//! Reads answers that are images: megabytes of them pass, and what they cost stands behind.

use super::tokens::bills_tokens;
use super::usage;
use crate::apis::event_meter::{EventMeter, EventReader, Verdict};
use crate::apis::members::TopMembers;
use crate::apis::pass_meter::reported_cost;
use crate::apis::whole::{Whole, WholeBody, WholeReader};
use crate::apis::{Ask, Measured};
use crate::prices::{ImageKind, Usage};

/// An event with a whole image in it is far longer: it passes in pieces.
const LONGEST_WHOLE: usize = 64 << 10;

/// Meters an answer that is one JSON object.
pub(super) type WholeImages = Whole<Images>;

/// What is known before it comes.
pub(super) struct Images {
    /// The most that was asked for.
    most: Usage,
    /// Which images, where they may be billed by the piece.
    by_piece: Option<ImageKind>,
}

/// Meters a stream of images that become clearer.
pub(super) type StreamMeter = EventMeter<Reader>;

/// Reads its events.
pub(super) struct Reader {
    /// The most that was asked for.
    most: Usage,
    /// The event that is coming in pieces.
    long: Option<TopMembers>,
    usage: Option<Usage>,
    absurd: bool,
}

/// What an event says.
enum Said {
    /// The image is there: nothing comes after it.
    Completed,
    Other,
}

// === impl WholeImages ===

impl WholeImages {
    pub(super) fn new(ask: &Ask) -> Self {
        let by_piece = (!bills_tokens(&ask.model)).then(|| ask.bound.input.image_kind());
        Self::of(WholeBody::new(&["usage", "svg_usage", "cost"]), Images { most: ask.bound.input, by_piece })
    }
}

impl WholeReader for Images {
    fn measured(&self, body: &WholeBody) -> Measured {
        let reported = body.member("usage");
        let told = reported.and_then(|raw| usage::read(raw, &self.most));
        // Another model's work, which nobody asked for and nothing here prices.
        let foreign = body.member("svg_usage").is_some();
        // Counted beside what is told: the model's prices say which of the two is billed.
        let pieces = self.by_piece.filter(|_| body.data_objects() > 0);
        let usage = match pieces {
            Some(kind) => Some(told.unwrap_or_default().with_images(body.data_objects(), kind)),
            None => told,
        };
        Measured {
            absurd: foreign || reported.is_some() && usage.is_none(),
            usage,
            complete: body.complete(),
            reported_cost: body.member("cost").and_then(reported_cost),
            ..Measured::default()
        }
    }
}

// === impl StreamMeter ===

impl StreamMeter {
    pub(super) fn images(ask: &Ask) -> Self {
        Self::new(Reader { most: ask.bound.input, long: None, usage: None, absurd: false })
    }
}

// === impl Reader ===

impl Reader {
    fn members() -> TopMembers {
        TopMembers::new(&["type", "usage", "svg_usage"])
    }

    fn read(&mut self, members: &TopMembers) -> Said {
        let kind = members.get("type").unwrap_or_default();
        if !matches!(kind, br#""image_generation.completed""# | br#""image_edit.completed""#) {
            return Said::Other;
        }
        let reported = members.get("usage").filter(|raw| *raw != b"null");
        self.usage = reported.and_then(|raw| usage::read(raw, &self.most));
        self.absurd = reported.is_some() && self.usage.is_none() || members.get("svg_usage").is_some_and(|raw| raw != b"null");
        Said::Completed
    }
}

impl EventReader for Reader {
    fn longest_last(&self) -> usize {
        LONGEST_WHOLE
    }

    fn event(&mut self, data: &[u8]) -> Verdict {
        let mut members = Self::members();
        members.feed(data);
        match self.read(&members) {
            Said::Completed => Verdict::Last,
            Said::Other => Verdict::Pass,
        }
    }

    fn unread(&mut self, _bytes: u64) {}

    fn longest_whole(&self) -> usize {
        LONGEST_WHOLE
    }

    fn piece(&mut self, bytes: &[u8]) {
        // What stands before the data holds no brace.
        self.long.get_or_insert_with(Self::members).feed(bytes);
    }

    fn long_event_is_last(&mut self) -> bool {
        let Some(members) = self.long.take() else { return false };
        matches!(self.read(&members), Said::Completed)
    }

    fn measured(&self, done: bool) -> Measured {
        Measured { usage: self.usage, absurd: self.absurd, complete: done, ..Measured::default() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
