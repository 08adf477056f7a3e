//! What has been read of an answer.

use super::searches::Queries;
use super::skim::Place;
use super::usage::{Modality, Reported};

/// Candidates beyond this number are taken for one.
const MOST_CANDIDATES: u64 = 64;

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) reported: Reported,
    /// Usage was told at all.
    pub(super) told: bool,
    pub(super) queries: Queries,
    pub(super) model: Option<String>,
    pub(super) response_id: Option<String>,
    pub(super) service_tier: Option<String>,
    /// It tells of an error.
    pub(super) failed: bool,
    /// The prompt was blocked: there are no candidates.
    blocked: bool,
    /// For each candidate that was seen, whether it has ended.
    candidates: Vec<(u64, bool)>,
    /// The candidate that is being read: its number, whether it has ended, and its queries.
    index: u64,
    finished: bool,
    searched: Vec<Vec<u8>>,
    generated: u64,
}

// === impl Answer ===

impl Answer {
    pub(super) fn begin_piece(&mut self) {
        self.index = 0;
    }

    /// One token beside the bytes: some are never shown.
    pub(super) fn end_piece(&mut self) {
        self.generated(1);
    }

    pub(super) fn begin_candidate(&mut self) {
        (self.index, self.finished) = (0, false);
        self.searched.clear();
    }

    pub(super) fn end_candidate(&mut self) {
        let (index, finished) = (self.index, self.finished);
        match self.candidates.iter_mut().find(|(other, _)| *other == index) {
            Some((_, ended)) => *ended |= finished,
            None => self.candidates.push((index, finished)),
        }
        for query in self.searched.drain(..) {
            self.queries.add(index, &query);
        }
    }

    /// Bytes of what was generated.
    pub(super) fn generated(&mut self, bytes: u64) {
        self.generated = self.generated.saturating_add(bytes);
    }

    /// Bytes that could not be read.
    pub(super) fn unread(&mut self, bytes: u64) {
        self.generated(bytes);
    }

    /// A text, as it is written, or a bare word.
    pub(super) fn value(&mut self, place: Place, value: &[u8]) {
        if value == b"null" {
            return;
        }
        match place {
            Place::Query => self.searched.push(value.to_owned()),
            Place::FinishReason => self.finished = !matches!(value, b"" | b"FINISH_REASON_UNSPECIFIED"),
            Place::Index => {
                let index = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                self.index = index.unwrap_or(MOST_CANDIDATES).min(MOST_CANDIDATES);
            }
            Place::BlockReason => self.blocked = true,
            Place::Count(count) => self.reported.count(count, value),
            Place::Modality => self.reported.modality(Modality::named(value)),
            Place::DetailCount => self.reported.detail_count(value),
            Place::ServiceTier => self.service_tier = plain(value).map(|tier| tier.to_ascii_lowercase()),
            Place::ModelVersion => self.model = plain(value).or_else(|| self.model.take()),
            Place::ResponseId => self.response_id = plain(value).or_else(|| self.response_id.take()),
            _ => {}
        }
    }

    /// All candidates that were seen have ended, or there will be none.
    pub(super) fn ended(&self) -> bool {
        self.blocked || !self.candidates.is_empty() && self.candidates.iter().all(|(_, ended)| *ended)
    }

    /// All that were asked for have ended.
    pub(super) fn complete(&self, asked: u64) -> bool {
        self.ended() && (self.blocked || self.candidates.len() as u64 >= asked)
    }

    /// The candidates that have not ended; the first where none was seen.
    pub(super) fn open_candidates(&self) -> Vec<u64> {
        if self.candidates.is_empty() {
            return vec![0];
        }
        self.candidates.iter().filter(|(_, ended)| !ended).map(|(index, _)| *index).collect()
    }

    /// At least as many tokens as were generated: the bytes that were seen, and the thoughts that were told of.
    pub(super) fn served_output(&self) -> u64 {
        self.generated.saturating_add(self.reported.thoughts())
    }
}

/// A text without escapes: names and ids have none.
fn plain(value: &[u8]) -> Option<String> {
    std::str::from_utf8(value).ok().filter(|text| !text.is_empty() && !text.contains('\\')).map(str::to_owned)
}
