//! Reads answers: as events of a stream, as a list that grows, or as one object. No byte is changed.
//!
//! This API marks no end: a piece that says why every candidate has ended is the last but for what follows it all the same, such as the sources of a
//! search. So its end is kept back until the body's end is seen, and the charge is made then.

use bytes::Bytes;
use serde_json::{Value, json};

use super::skim::{Mark, Skim};
use crate::apis::event_meter::{EventMeter, EventReader, Verdict};
use crate::apis::{Ask, Measured, Meter};
use crate::prices::{Unit, Usage};

/// An incomplete piece that is longer flows; its end is kept back all the same.
const FLOWS_FROM: usize = 64 << 10;
/// Answers that are one object are kept back whole up to this size, larger ones but for their last chunk.
const KEPT_WHOLE: usize = 1 << 20;

/// The meter of a stream of events.
pub(super) type StreamMeter = EventMeter<Reader>;

/// Reads the pieces of an answer.
pub(super) struct Reader {
    skim: Skim,
    /// The model as it was asked for: how its searches are billed.
    model: String,
    has_output: bool,
    candidates: u64,
    /// Tools at the provider add input that the prompt's count does not tell.
    tools: bool,
    marks: Vec<Mark>,
}

/// The meter of a list that grows: as `streamGenerateContent` answers without `alt=sse`.
pub(super) struct ListMeter {
    reader: Reader,
    held: Vec<Bytes>,
    ended: bool,
}

/// The meter of one object.
pub(super) struct WholeMeter {
    reader: Reader,
    held: Vec<Bytes>,
    seen: usize,
    ended: bool,
}

// === impl Reader ===

impl Reader {
    pub(super) fn of(ask: &Ask) -> Self {
        Self {
            skim: Skim::new(),
            model: ask.model.clone(),
            has_output: ask.bound.has_output,
            candidates: ask.bound.choices.max(1),
            tools: ask.bound.max_searches > 0 || ask.bound.windows > 0,
            marks: Vec::new(),
        }
    }

    /// What is known. `whole`: nothing more can come.
    fn known(&self, whole: bool) -> Measured {
        let answer = &self.skim.answer;
        let absurd = answer.told && answer.reported.absurd();
        // What a piece counts before the end is not what it comes to.
        let told = answer.told && !absurd && (whole || answer.ended());
        let usage = answer.reported.usage().filter(|_| told);
        Measured {
            usage: usage.map(|usage| usage.with(Unit::WebSearches, answer.queries.billed(&self.model))),
            absurd,
            service_tier: answer.service_tier.clone(),
            model: answer.model.clone(),
            input: if absurd || self.tools || !self.has_output { None } else { answer.reported.input() },
            served_output: if self.has_output { answer.served_output() } else { 0 },
            complete: whole || told && answer.complete(self.candidates),
            reported_cost: None,
        }
    }

    /// The piece that says the limit was reached, as the provider would.
    fn limit_reached(&self, usage: &Usage) -> Value {
        let answer = &self.skim.answer;
        let ended: Vec<Value> = answer
            .open_candidates()
            .into_iter()
            .map(|index| json!({"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "MAX_TOKENS", "index": index}))
            .collect();
        let count = |units: &[Unit]| units.iter().fold(0_u64, |sum, unit| sum.saturating_add(usage.get(*unit)));
        let prompt = usage.input_tokens();
        let thoughts = count(&[Unit::OutputReasoning]);
        let said = count(&[Unit::Output, Unit::OutputAudio, Unit::OutputImage, Unit::OutputVideo]);
        let mut told = json!({
            "promptTokenCount": prompt, "candidatesTokenCount": said, "totalTokenCount": prompt.saturating_add(said).saturating_add(thoughts),
        });
        if thoughts > 0
            && let Value::Object(told) = &mut told
        {
            told.insert("thoughtsTokenCount".to_owned(), json!(thoughts));
        }
        let mut piece = json!({"candidates": ended, "usageMetadata": told, "modelVersion": answer.model.as_deref().unwrap_or(&self.model)});
        if let (Value::Object(piece), Some(id)) = (&mut piece, &answer.response_id) {
            piece.insert("responseId".to_owned(), json!(id));
        }
        piece
    }
}

impl EventReader for Reader {
    fn longest_last(&self) -> usize {
        FLOWS_FROM
    }

    fn event(&mut self, data: &[u8]) -> Verdict {
        self.skim.again();
        self.marks.clear();
        self.skim.feed(data, &mut self.marks);
        let answer = &self.skim.answer;
        if answer.failed || answer.ended() { Verdict::Wait } else { Verdict::Pass }
    }

    fn unread(&mut self, bytes: u64) {
        self.skim.answer.unread(bytes);
    }

    fn measured(&self, _done: bool) -> Measured {
        self.known(false)
    }

    fn served_output(&self) -> u64 {
        self.skim.answer.served_output()
    }

    fn end_at_limit(&mut self, usage: &Usage) -> Option<Bytes> {
        Some(Bytes::from(format!("data: {}\r\n\r\n", self.limit_reached(usage))))
    }
}

// === impl ListMeter ===

impl ListMeter {
    pub(super) fn of(ask: &Ask) -> Self {
        Self { reader: Reader::of(ask), held: Vec::new(), ended: false }
    }
}

impl Meter for ListMeter {
    fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>) {
        let mut marks = std::mem::take(&mut self.reader.marks);
        marks.clear();
        // Whether the piece that ends at a mark is the last one is told by what was read up to there: chunks are read piece by piece.
        let mut from = 0;
        let mut kept = if self.held.is_empty() { None } else { Some(0) };
        while from < chunk.len() {
            let rest = chunk.get(from..).unwrap_or_default();
            let length = rest.iter().position(|byte| matches!(byte, b'{' | b'}' | b']')).map_or(rest.len(), |at| at + 1);
            self.reader.skim.feed(rest.get(..length).unwrap_or_default(), &mut marks);
            let answer = &self.reader.skim.answer;
            for mark in marks.drain(..) {
                match mark {
                    Mark::Begin(_) => {
                        pass.append(&mut self.held);
                        kept = None;
                    }
                    Mark::End(at) if answer.failed || answer.ended() => kept = kept.or(Some(from + at)),
                    Mark::End(_) => {}
                    Mark::ListEnd(at) => kept = kept.or(Some(from + at)),
                }
            }
            from += length;
        }
        self.reader.marks = marks;
        let kept = kept.unwrap_or(chunk.len());
        if kept > 0 {
            pass.push(chunk.slice(..kept));
        }
        if kept < chunk.len() {
            self.held.push(chunk.slice(kept..));
        }
    }

    fn end(&mut self, _pass: &mut Vec<Bytes>) {
        self.ended = true;
    }

    fn terminal(&self) -> bool {
        self.ended
    }

    fn take_held(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.held)
    }

    fn measured(&self) -> Measured {
        self.reader.known(false)
    }

    fn served_output(&self) -> u64 {
        self.reader.served_output()
    }

    fn end_at_limit(&mut self, usage: &Usage) -> Option<Bytes> {
        if !self.held.is_empty() {
            return None;
        }
        let first = self.reader.skim.between_pieces()?;
        Some(Bytes::from(format!("{}{}\n]", if first { "" } else { ",\n" }, self.reader.limit_reached(usage))))
    }
}

// === impl WholeMeter ===

impl WholeMeter {
    pub(super) fn of(ask: &Ask) -> Self {
        Self { reader: Reader::of(ask), held: Vec::new(), seen: 0, ended: false }
    }
}

impl Meter for WholeMeter {
    fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>) {
        if chunk.is_empty() {
            return;
        }
        self.reader.marks.clear();
        self.reader.skim.feed(&chunk, &mut self.reader.marks);
        self.seen = self.seen.saturating_add(chunk.len());
        if self.seen > KEPT_WHOLE {
            pass.append(&mut self.held);
        }
        self.held.push(chunk);
    }

    fn end(&mut self, _pass: &mut Vec<Bytes>) {
        self.ended = true;
    }

    fn terminal(&self) -> bool {
        self.ended
    }

    fn take_held(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.held)
    }

    fn measured(&self) -> Measured {
        self.reader.known(self.ended && self.reader.skim.closed())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
