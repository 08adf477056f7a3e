//! Reads a streamed answer: finds the usage, keeps back the end, and hides what the client did not ask for.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer;
use super::usage;
use crate::apis::event_meter::{EventMeter, EventReader, Verdict};
use crate::apis::pass_meter::reported_cost;
use crate::apis::read::remember;
use crate::apis::{Measured, Served};
use crate::money::Usd;
use crate::prices::{Unit, Usage};

/// An incomplete event that is longer cannot be `data: [DONE]`, give or take a comment.
const MAY_BE_LAST: usize = 64;

/// The meter.
pub(in crate::apis) type StreamMeter = EventMeter<Reader>;

/// Reads chunks of chat and of completions.
pub(in crate::apis) struct Reader {
    /// The client did not ask for the usage: it is taken out.
    hides_usage: bool,
    /// What the answer says is counted, and this added: searches that no usage reports.
    searches: u64,
    usage: Option<Usage>,
    /// What the provider says it costs; none where it does not, or not believably.
    cost: Option<Usd>,
    absurd: bool,
    id: Option<String>,
    created: u64,
    model: Option<String>,
    service_tier: Option<String>,
    served: Served,
    legacy: bool,
}

// === impl StreamMeter ===

impl StreamMeter {
    pub(in crate::apis) fn of(hides_usage: bool, searches: u64, legacy: bool) -> Self {
        Self::new(Reader::new(hides_usage, searches, legacy))
    }
}

// === impl Reader ===

impl Reader {
    pub(in crate::apis) fn new(hides_usage: bool, searches: u64, legacy: bool) -> Self {
        Self {
            hides_usage,
            searches,
            usage: None,
            cost: None,
            absurd: false,
            id: None,
            created: 0,
            model: None,
            service_tier: None,
            served: Served::default(),
            legacy,
        }
    }
}

impl EventReader for Reader {
    fn longest_last(&self) -> usize {
        MAY_BE_LAST
    }

    fn changes(&self) -> bool {
        self.hides_usage
    }

    fn event(&mut self, data: &[u8]) -> Verdict {
        if data == b"[DONE]" {
            return Verdict::Last;
        }
        if data.is_empty() {
            return Verdict::Pass;
        }
        let Ok(read) = answer::read(data) else {
            self.served.unread(data.len() as u64);
            return Verdict::Pass;
        };
        // At least one token for each choice: some tokens are never shown.
        if read.choices > 0 {
            self.served.event(read.generated.max(read.choices));
        }
        remember(&mut self.id, read.id);
        if let Some(created) = read.created.and_then(|at| std::str::from_utf8(data.get(at)?).ok()?.parse().ok()) {
            self.created = created;
        }
        remember(&mut self.model, read.model);
        remember(&mut self.service_tier, read.service_tier);
        // Providers that report on every event report the sum so far: the last one counts.
        let reported = read.usage.as_ref().filter(|usage| !usage.is_null).map(|usage| usage.value.clone()).or(read.vendor_usage);
        if let Some(at) = reported {
            let told = data.get(at).unwrap_or_default();
            self.cost = read.cost.and_then(|at| reported_cost(data.get(at).unwrap_or_default())).or_else(|| usage::cost(told));
            let reported = usage::read(told, true);
            self.absurd = reported.is_none();
            self.usage = reported.map(|usage| usage.with(Unit::WebSearches, self.searches));
        }
        let Some(at) = read.usage else { return Verdict::Pass };
        if !self.hides_usage {
            return Verdict::Pass;
        }
        if !at.is_null && read.choices == 0 { Verdict::Drop } else { Verdict::Cut(at.cut) }
    }

    fn served(&self) -> Served {
        self.served
    }

    fn unread(&mut self, bytes: u64) {
        self.served.unread(bytes);
    }

    fn set_pace(&mut self, milli: u64) {
        self.served.set_pace(milli);
    }

    fn end_at_limit(&mut self, usage: &Usage) -> Option<Bytes> {
        let envelope = |choices: Value, usage: Option<Value>| {
            let object = if self.legacy { "text_completion" } else { "chat.completion.chunk" };
            let mut event = json!({"id": self.id.as_deref()?, "object": object, "created": self.created, "model": self.model, "choices": choices});
            if let (Value::Object(event), Some(usage)) = (&mut event, usage) {
                event.insert("usage".to_owned(), usage);
            }
            Some(format!("data: {event}\n\n"))
        };
        let choice = if self.legacy {
            json!({"index": 0, "text": "", "logprobs": null, "finish_reason": "length"})
        } else {
            json!({"index": 0, "delta": {}, "logprobs": null, "finish_reason": "length"})
        };
        let asked = !self.hides_usage;
        let mut events = envelope(json!([choice]), asked.then_some(Value::Null))?;
        if asked {
            let (input, output) = (usage.input_tokens(), usage.get(Unit::Output));
            let told = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input.saturating_add(output)});
            events += &envelope(json!([]), Some(told))?;
        }
        Some(Bytes::from(events + "data: [DONE]\n\n"))
    }

    fn measured(&self, done: bool) -> Measured {
        Measured {
            usage: self.usage,
            absurd: self.absurd,
            service_tier: self.service_tier.clone(),
            model: self.model.clone(),
            served_output: self.served.tokens(),
            complete: done,
            reported_cost: self.cost,
            input: None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
