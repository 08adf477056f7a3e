//! Reads a streamed answer: as OpenAI's, and beside that which tier was billed, and what it takes to end it. No byte is changed.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::{Value, json};

use super::meter_whole;
use crate::apis::event_meter::{EventMeter, EventReader, Verdict};
use crate::apis::json::{JsonError, Kind, Scanner};
use crate::apis::read::remember;
use crate::apis::{Measured, Served, openai};
use crate::prices::{Unit, Usage};

/// The meter.
pub(super) type StreamMeter = EventMeter<Reader>;

/// Reads the chunks of a completion.
pub(super) struct Reader {
    chunks: openai::Reader,
    id: Option<String>,
    created: u64,
    /// Choices that have begun and not ended.
    open: BTreeSet<u64>,
    tier: Option<String>,
}

// === impl StreamMeter ===

impl StreamMeter {
    pub(super) fn begin() -> Self {
        Self::new(Reader { chunks: openai::Reader::new(false, 0, false), id: None, created: 0, open: BTreeSet::new(), tier: None })
    }
}

// === impl Reader ===

impl Reader {
    /// Keeps what an end would have to repeat.
    fn follow(&mut self, data: &[u8]) -> Result<(), JsonError> {
        let mut scanner = Scanner::lenient(data);
        scanner.object(|scanner, member| {
            match (member.key.raw(), scanner.kind()?) {
                (b"id", Kind::String) => remember(&mut self.id, Some(scanner.string()?)),
                (b"created", Kind::Number) => self.created = number(scanner)?.unwrap_or(self.created),
                (b"usage", Kind::Object) => {
                    let usage = scanner.value()?;
                    self.tier = meter_whole::tier(data.get(usage).unwrap_or_default()).or(self.tier.take());
                }
                (b"choices", Kind::Array) => scanner.array(|scanner| self.choice(scanner))?,
                _ => scanner.skip()?,
            }
            Ok(())
        })
    }

    fn choice(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        if scanner.kind()? != Kind::Object {
            return scanner.skip();
        }
        let (mut index, mut finished) = (0, false);
        scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
            (b"index", Kind::Number) => number(scanner).map(|number| index = number.unwrap_or_default()),
            (b"finish_reason", kind) => {
                finished = kind == Kind::String;
                scanner.skip()
            }
            _ => scanner.skip(),
        })?;
        if finished {
            self.open.remove(&index)
        } else {
            self.open.insert(index)
        };
        Ok(())
    }
}

impl EventReader for Reader {
    fn longest_last(&self) -> usize {
        self.chunks.longest_last()
    }

    fn event(&mut self, data: &[u8]) -> Verdict {
        // What cannot be read is counted by the other reader.
        let _ = self.follow(data);
        self.chunks.event(data)
    }

    fn served(&self) -> Served {
        self.chunks.served()
    }

    fn unread(&mut self, bytes: u64) {
        self.chunks.unread(bytes);
    }

    fn set_pace(&mut self, milli: u64) {
        self.chunks.set_pace(milli);
    }

    fn measured(&self, done: bool) -> Measured {
        let measured = self.chunks.measured(done);
        Measured { service_tier: self.tier.clone().or(measured.service_tier), ..measured }
    }

    /// Every choice that is open ends at its length, the last one with the usage.
    fn end_at_limit(&mut self, usage: &Usage) -> Option<Bytes> {
        let id = self.id.clone()?;
        let model = self.chunks.measured(false).model.unwrap_or_default();
        let output = usage.get(Unit::Output).saturating_add(usage.get(Unit::OutputReasoning));
        let input = usage.input_tokens();
        let mut choices: Vec<Value> =
            std::mem::take(&mut self.open).into_iter().map(|index| json!([{"index": index, "delta": {"content": ""}, "finish_reason": "length"}])).collect();
        if choices.is_empty() {
            choices.push(json!([]));
        }
        let last = choices.len() - 1;
        let mut events = String::new();
        for (place, choice) in choices.into_iter().enumerate() {
            let mut chunk = json!({"id": id, "object": "chat.completion.chunk", "created": self.created, "model": model, "choices": choice});
            if place == last {
                chunk["usage"] = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input.saturating_add(output)});
            }
            events.push_str(&format!("data: {chunk}\n\n"));
        }
        events.push_str("data: [DONE]\n\n");
        Some(Bytes::from(events))
    }
}

fn number(scanner: &mut Scanner<'_>) -> Result<Option<u64>, JsonError> {
    Ok(std::str::from_utf8(scanner.number()?).ok().and_then(|digits| digits.parse().ok()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
