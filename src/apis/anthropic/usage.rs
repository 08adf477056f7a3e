//! Anthropic's `usage` object, turned into disjoint classes.
//!
//! `input_tokens` holds neither what was read from the cache nor what was written to it; `output_tokens` holds the thinking. On a stream the
//! first event has the input and its split by time in the cache, the last one counts that have grown: what it leaves out stays as it was.
//!
//! How a request was served decides its price. It is one name: the speed where it is not the usual one, else where inference ran (`us`) where
//! that is told, else the service tier. The price book knows it as a speed or a service tier.

use crate::apis::json::{JsonError, Kind, Scanner};
use crate::prices::{Unit, Usage};

/// Counts beyond this are not believed.
const MOST: u64 = 1 << 40;

/// What has been reported so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Reported {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: u64,
    cache_write: u64,
    /// The split of what was written to the cache.
    written_5m: u64,
    written_1h: u64,
    thinking: u64,
    searches: u64,
    tier: Option<String>,
    speed: Option<String>,
    geography: Option<String>,
    /// The sum over the runs of the model, where they are told one by one.
    runs: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
}

// === impl Reported ===

impl Reported {
    /// Reads a `usage` object over what is known. False when a count is negative, fractional or beyond belief.
    pub(super) fn read(&mut self, raw: &[u8]) -> bool {
        let mut scanner = Scanner::lenient(raw);
        self.scan(&mut scanner).is_ok()
    }

    fn scan(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
            // What is null is not reported.
            (_, Kind::Null) => scanner.skip(),
            (b"input_tokens", _) => count(scanner).map(|tokens| self.input = Some(tokens)),
            (b"output_tokens", _) => count(scanner).map(|tokens| self.output = Some(tokens)),
            (b"cache_read_input_tokens", _) => count(scanner).map(|tokens| self.cache_read = tokens),
            (b"cache_creation_input_tokens", _) => count(scanner).map(|tokens| self.cache_write = tokens),
            (b"cache_creation", Kind::Object) => scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
                (b"ephemeral_5m_input_tokens", Kind::Number) => count(scanner).map(|tokens| self.written_5m = tokens),
                (b"ephemeral_1h_input_tokens", Kind::Number) => count(scanner).map(|tokens| self.written_1h = tokens),
                _ => scanner.skip(),
            }),
            (b"output_tokens_details", Kind::Object) => scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
                (b"thinking_tokens", Kind::Number) => count(scanner).map(|tokens| self.thinking = tokens),
                _ => scanner.skip(),
            }),
            (b"server_tool_use", Kind::Object) => scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
                (b"web_search_requests", Kind::Number) => count(scanner).map(|searches| self.searches = searches),
                _ => scanner.skip(),
            }),
            (b"service_tier", Kind::String) => text(scanner).map(|tier| self.tier = tier),
            (b"speed", Kind::String) => text(scanner).map(|speed| self.speed = speed),
            (b"inference_geo", Kind::String) => text(scanner).map(|geography| self.geography = geography),
            (b"iterations", Kind::Array) => {
                self.runs = Counts::default();
                scanner.array(|scanner| {
                    if scanner.kind()? != Kind::Object {
                        return scanner.skip();
                    }
                    scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
                        (b"input_tokens", Kind::Number) => add(scanner, &mut self.runs.input),
                        (b"output_tokens", Kind::Number) => add(scanner, &mut self.runs.output),
                        (b"cache_read_input_tokens", Kind::Number) => add(scanner, &mut self.runs.cache_read),
                        (b"cache_creation_input_tokens", Kind::Number) => add(scanner, &mut self.runs.cache_write),
                        _ => scanner.skip(),
                    })
                })
            }
            _ => scanner.skip(),
        })
    }

    /// All of it, once the output is told. `hour`: where the split is not told, what was written to the cache stays there for an hour.
    pub(super) fn usage(&self, hour: bool) -> Option<Usage> {
        // Some runs (of compaction) are not in the counts above them; whichever says more is billed.
        let output = self.output?.max(self.runs.output);
        let thinking = self.thinking.min(output);
        let usage = self.input(hour)?.with(Unit::Output, output - thinking).with(Unit::OutputReasoning, thinking);
        Some(usage.with(Unit::WebSearches, self.searches))
    }

    /// The input alone.
    pub(super) fn input(&self, hour: bool) -> Option<Usage> {
        let split = self.written_5m.saturating_add(self.written_1h);
        let written = if self.cache_write > 0 { self.cache_write } else { split }.max(self.runs.cache_write);
        // The split may be that of an earlier, smaller count: what was added is shared out alike, upwards to the dearer.
        let for_hour = match split {
            0 if hour => written,
            0 => 0,
            split => u64::try_from((u128::from(written) * u128::from(self.written_1h)).div_ceil(u128::from(split))).unwrap_or(written).min(written),
        };
        Some(
            Usage::default()
                .with(Unit::Input, self.input?.max(self.runs.input))
                .with(Unit::CacheRead, self.cache_read.max(self.runs.cache_read))
                .with(Unit::CacheWrite, written - for_hour)
                .with(Unit::CacheWrite1h, for_hour),
        )
    }

    /// How it was served, under the name that it is priced by.
    pub(super) fn served(&self) -> Option<String> {
        let unusual = |name: &&String, usual: &[&str]| !usual.contains(&name.as_str());
        let speed = self.speed.as_ref().filter(|speed| unusual(speed, &["standard", ""]));
        let geography = self.geography.as_ref().filter(|geography| unusual(geography, &["global", "not_available", ""]));
        speed.or(geography).or(self.tier.as_ref()).cloned()
    }
}

fn text(scanner: &mut Scanner<'_>) -> Result<Option<String>, JsonError> {
    Ok(scanner.string()?.decode().map(std::borrow::Cow::into_owned))
}

fn count(scanner: &mut Scanner<'_>) -> Result<u64, JsonError> {
    let at = scanner.position();
    let digits = scanner.number()?;
    let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u64>().ok()).filter(|number| *number <= MOST);
    number.ok_or(JsonError::Syntax { at, what: "expected a count" })
}

fn add(scanner: &mut Scanner<'_>, sum: &mut u64) -> Result<(), JsonError> {
    *sum = sum.saturating_add(count(scanner)?);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
