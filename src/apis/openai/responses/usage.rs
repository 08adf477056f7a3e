//! The `usage` of a response, turned into disjoint classes, and back.
//!
//! `input_tokens` holds what was read from the cache and written to it; `output_tokens` holds the reasoning.

use serde_json::{Value, json};

use crate::apis::json::{JsonError, Kind, Scanner};
use crate::prices::{Unit, Usage};

/// Counts beyond this are not believed.
const MOST: u64 = 1 << 40;

#[derive(Debug, Default)]
struct Reported {
    input: Option<u64>,
    output: Option<u64>,
    total: u64,
    cached: u64,
    written: u64,
    written_longer: u64,
    audio: u64,
    image: u64,
    reasoning: u64,
    output_audio: u64,
    output_image: u64,
}

/// Reads a `usage` object. None when a count is negative, fractional, beyond belief, or larger than the total that it is part of, and when a total is
/// missing.
pub(super) fn read(raw: &[u8]) -> Option<Usage> {
    let mut reported = Reported::default();
    reported.scan(&mut Scanner::lenient(raw)).ok()?;
    reported.into_usage()
}

/// Reads a count alone.
pub(super) fn read_count(raw: &[u8]) -> Option<u64> {
    let mut found = 0;
    count(&mut Scanner::lenient(raw), &mut found).ok().map(|()| found)
}

/// The object that says that much.
pub(super) fn write(usage: &Usage) -> Value {
    let input = usage.input_tokens();
    let reasoning = usage.get(Unit::OutputReasoning);
    let output = [Unit::Output, Unit::OutputAudio, Unit::OutputImage].into_iter().fold(reasoning, |sum, unit| sum.saturating_add(usage.get(unit)));
    let written = usage.get(Unit::CacheWrite).saturating_add(usage.get(Unit::CacheWrite1h));
    json!({
        "input_tokens": input,
        "input_tokens_details": {"cached_tokens": usage.get(Unit::CacheRead), "cache_write_tokens": written},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": input.saturating_add(output),
    })
}

// === impl Reported ===

impl Reported {
    fn scan(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
            // What is null is not reported.
            (_, Kind::Null) => scanner.skip(),
            (b"input_tokens", _) => count(scanner, self.input.insert(0)),
            (b"output_tokens", _) => count(scanner, self.output.insert(0)),
            (b"total_tokens", _) => count(scanner, &mut self.total),
            (b"input_tokens_details", Kind::Object) => scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
                (_, Kind::Null) => scanner.skip(),
                (b"cached_tokens", _) => count(scanner, &mut self.cached),
                (b"cache_write_tokens", _) => count(scanner, &mut self.written),
                (b"audio_tokens", _) => count(scanner, &mut self.audio),
                (b"image_tokens", _) => count(scanner, &mut self.image),
                (b"cache_write_tokens_details", Kind::Object) => scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
                    (b"ttl_12h_tokens", Kind::Number) => count(scanner, &mut self.written_longer),
                    _ => scanner.skip(),
                }),
                _ => scanner.skip(),
            }),
            (b"output_tokens_details", Kind::Object) => scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
                (_, Kind::Null) => scanner.skip(),
                (b"reasoning_tokens", _) => count(scanner, &mut self.reasoning),
                (b"audio_tokens", _) => count(scanner, &mut self.output_audio),
                (b"image_tokens", _) => count(scanner, &mut self.output_image),
                _ => scanner.skip(),
            }),
            _ => scanner.skip(),
        })?;
        scanner.finish()
    }

    fn into_usage(self) -> Option<Usage> {
        let (input, output) = (self.input?, self.output?);
        // Sums cannot overflow: each count is at most 2^40.
        let fresh = input.checked_sub(self.cached + self.written)?;
        let written = self.written.checked_sub(self.written_longer)?;
        if self.audio > input || self.image > input {
            return None;
        }
        let audio = self.audio.min(fresh);
        let image = self.image.min(fresh - audio);
        // Where the total is more than its parts, the rest is reasoning, as in chat completions.
        let beyond = self.total.saturating_sub(input + output);
        let text = (output + beyond).checked_sub(self.output_audio + self.output_image)?;
        if self.reasoning > text {
            return None;
        }
        let reasoning = self.reasoning.max(beyond);
        Some(
            Usage::default()
                .with(Unit::Input, fresh - audio - image)
                .with(Unit::CacheRead, self.cached)
                .with(Unit::CacheWrite, written)
                .with(Unit::CacheWrite1h, self.written_longer)
                .with(Unit::InputAudio, audio)
                .with(Unit::InputImage, image)
                .with(Unit::Output, text.saturating_sub(reasoning))
                .with(Unit::OutputReasoning, reasoning.min(text))
                .with(Unit::OutputAudio, self.output_audio)
                .with(Unit::OutputImage, self.output_image),
        )
    }
}

fn count(scanner: &mut Scanner<'_>, into: &mut u64) -> Result<(), JsonError> {
    let at = scanner.position();
    let digits = scanner.number()?;
    let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u64>().ok()).filter(|number| *number <= MOST);
    *into = number.ok_or(JsonError::Syntax { at, what: "expected a count" })?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn usage(raw: &Value) -> Option<Usage> {
        read(raw.to_string().as_bytes())
    }

    #[test]
    fn the_classes_are_disjoint() {
        let found = usage(&json!({
            "input_tokens": 100, "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 20, "cache_write_tokens_details": {"ttl_30m_tokens": 15, "ttl_12h_tokens": 5}},
            "output_tokens": 50, "output_tokens_details": {"reasoning_tokens": 40}, "total_tokens": 150,
        }))
        .unwrap();
        let units: Vec<_> = found.iter().map(|(unit, count)| (unit.name(), count)).collect();
        assert_eq!(units, [("input", 50), ("cache_read", 30), ("cache_write", 15), ("cache_write_1h", 5), ("output", 10), ("output_reasoning", 40)]);
        assert_eq!(usage(&write(&found)).unwrap().input_tokens(), 100);
        let old = usage(&json!({"input_tokens": 7, "output_tokens": 3, "total_tokens": 10, "input_tokens_details": null})).unwrap();
        assert_eq!((old.get(Unit::Input), old.get(Unit::Output)), (7, 3));
        let outside = usage(&json!({"input_tokens": 7, "output_tokens": 3, "total_tokens": 15})).unwrap();
        assert_eq!((outside.get(Unit::Output), outside.get(Unit::OutputReasoning)), (3, 5));
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        for raw in [
            json!({"input_tokens": 7}),
            json!({"output_tokens": 7}),
            json!({"input_tokens": -1, "output_tokens": 3}),
            json!({"input_tokens": 1.5, "output_tokens": 3}),
            json!({"input_tokens": 1, "output_tokens": 1_u64 << 50}),
            json!({"input_tokens": 1, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 2}}),
            json!({"input_tokens": 1, "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 4}}),
            json!({"input_tokens": 9, "output_tokens": 3, "input_tokens_details": {"cache_write_tokens": 2, "cache_write_tokens_details": {"ttl_12h_tokens": 3}}}),
            json!("7"),
        ] {
            assert_eq!(usage(&raw), None, "{raw}");
        }
    }
}
