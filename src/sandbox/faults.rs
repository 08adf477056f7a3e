//! Faults that a client asks for with the header `spendgate-simulate`, to test how it copes with them.

use std::time::Duration;

/// The longest `latency`.
const MAX_LATENCY: Duration = Duration::from_secs(60);
/// The longest completion that `tokens` may ask for, and that is made for it: all choices of an answer together.
pub(crate) const MAX_TOKENS: u64 = 1_000_000;
/// The latest event after which `cut` may break a stream off.
const MAX_CUT: u64 = 1_000_000;
const KNOWN: &str = "known are status=429, latency=2s, cut=3, no-usage and tokens=500, separated by commas";

/// What shall go wrong, or differ, in one simulated answer. The default is: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Answer with this status (400 to 599) and the provider's kind of error, whatever was asked.
    pub status: Option<u16>,
    /// Wait this long before the answer begins; at most 60 seconds.
    pub latency: Option<Duration>,
    /// Break the connection off after this many events of a stream. An answer that is not streamed stops in its middle (at once with 0).
    pub cut: Option<u32>,
    /// Leave the usage out, even where it was asked for.
    pub no_usage: bool,
    /// Make the completion this many tokens long (1 to 1,000,000, for all choices together); the request's own limit still cuts it.
    /// Tool arguments and structured output are filled up with spaces, and are never made shorter.
    pub tokens: Option<u64>,
    /// Answer as this model, whatever the request calls it: what the operator says that a deployment is. No header asks for it.
    pub model: Option<String>,
}

// === impl Faults ===

impl Faults {
    /// Reads the header's value: faults separated by commas, each at most once.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence for the client.
    pub fn parse(header: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for item in header.split(',') {
            let item = item.trim();
            let (name, value) = match item.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(value.trim_start())),
                None => (item, None),
            };
            match (name, value) {
                ("status", Some(value)) => set(&mut faults.status, name, status(value)?)?,
                ("latency", Some(value)) => set(&mut faults.latency, name, latency(value)?)?,
                ("cut", Some(value)) => {
                    let events = number(name, value, 0, MAX_CUT)?;
                    set(&mut faults.cut, name, u32::try_from(events).unwrap_or(u32::MAX))?;
                }
                ("tokens", Some(value)) => set(&mut faults.tokens, name, number(name, value, 1, MAX_TOKENS)?)?,
                ("no-usage", None) if faults.no_usage => return Err(twice(name)),
                ("no-usage", None) => faults.no_usage = true,
                ("no-usage", Some(_)) => return Err("no-usage takes no value".to_owned()),
                ("status" | "latency" | "cut" | "tokens", None) => return Err(format!("{name} needs a value; {KNOWN}")),
                ("", _) => return Err(format!("a fault is missing; {KNOWN}")),
                _ => return Err(format!("there is no fault '{}'; {KNOWN}", shown(name))),
            }
        }
        Ok(faults)
    }
}

fn set<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(twice(name)),
    }
}

fn twice(name: &str) -> String {
    format!("{name} is given twice")
}

fn status(value: &str) -> Result<u16, String> {
    let status = number("status", value, 400, 599)?;
    u16::try_from(status).map_err(|error| error.to_string())
}

fn latency(value: &str) -> Result<Duration, String> {
    let wrong = || format!("latency must be like 2s or 250ms, at most {}s; got '{}'", MAX_LATENCY.as_secs(), shown(value));
    let (digits, unit) = if let Some(digits) = value.strip_suffix("ms") {
        (digits, 1)
    } else if let Some(digits) = value.strip_suffix('s') {
        (digits, 1000)
    } else {
        return Err(wrong());
    };
    let count = digits_only(digits).ok_or_else(wrong)?;
    let latency = Duration::from_millis(count.saturating_mul(unit));
    if latency > MAX_LATENCY { Err(wrong()) } else { Ok(latency) }
}

fn number(name: &str, value: &str, least: u64, most: u64) -> Result<u64, String> {
    digits_only(value)
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("{name} must be a whole number from {least} to {most}; got '{}'", shown(value)))
}

/// Digits and nothing else: `parse` alone would take a plus sign.
fn digits_only(value: &str) -> Option<u64> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) { None } else { value.parse().ok() }
}

/// As much of the client's own text as an error may repeat.
fn shown(value: &str) -> String {
    value.chars().take(32).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
