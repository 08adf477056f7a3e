//! What an answer says of its cost: tokens, or seconds. Seconds may have a fraction, and are billed whole.
//!
//! OpenAI's API reference, "Create transcription", shows a `duration` of 8.47 with a `usage` of 9 seconds: rounded up, not to the nearest.

use crate::apis::json::{JsonError, Kind, Scanner};
use crate::apis::openai::usage::{count, optional};
use crate::prices::{Unit, Usage};

/// Longer recordings than this are not believed: no upload holds so much.
const MOST_SECONDS: u64 = 90 * 86_400;

#[derive(Debug, Default)]
struct Reported {
    input: Option<u64>,
    output: Option<u64>,
    text: u64,
    seconds: Option<u64>,
}

/// Reads a `usage` object. `least` is the least number of seconds that is billed.
pub(super) fn read(raw: &[u8], least: u64) -> Option<Usage> {
    let mut reported = Reported::default();
    reported.scan(&mut Scanner::lenient(raw)).ok()?;
    if let Some(seconds) = reported.seconds {
        return Some(of_seconds(seconds.max(least)));
    }
    let audio = reported.input?.checked_sub(reported.text)?;
    Some(Usage::default().with(Unit::Input, reported.text).with(Unit::InputAudio, audio).with(Unit::Output, reported.output?))
}

/// Reads a `duration`: a number, or a text that is one.
pub(super) fn duration(raw: &[u8], least: u64) -> Option<Usage> {
    let raw = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\"")).unwrap_or(raw);
    whole_seconds(raw).map(|seconds| of_seconds(seconds.max(least)))
}

pub(super) fn of_seconds(seconds: u64) -> Usage {
    Usage::default().with(Unit::AudioMillis, seconds * 1_000)
}

/// Seconds, rounded up. None for what is negative, beyond belief or written as a power of ten.
fn whole_seconds(number: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(number).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let more = u64::from(fraction.bytes().any(|byte| byte != b'0'));
    whole.parse::<u64>().ok().filter(|seconds| *seconds <= MOST_SECONDS).map(|seconds| seconds + more)
}

// === impl Reported ===

impl Reported {
    fn scan(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        scanner.object(|scanner, member| match member.key.raw() {
            b"input_tokens" => optional(scanner).map(|count| self.input = count),
            b"output_tokens" => optional(scanner).map(|count| self.output = count),
            b"input_token_details" if scanner.kind()? == Kind::Object => scanner.object(|scanner, member| match member.key.raw() {
                b"text_tokens" => count(scanner, &mut self.text),
                _ => scanner.skip(),
            }),
            b"seconds" if scanner.kind()? != Kind::Null => {
                let at = scanner.position();
                let seconds = whole_seconds(scanner.number()?);
                self.seconds = Some(seconds.ok_or(JsonError::Syntax { at, what: "expected a number of seconds" })?);
                Ok(())
            }
            _ => scanner.skip(),
        })?;
        scanner.finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_seconds() {
        let tokens = br#"{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":45,"total_tokens":59}"#;
        assert_eq!(read(tokens, 1), Some(Usage::default().with(Unit::Input, 4).with(Unit::InputAudio, 10).with(Unit::Output, 45)));
        let plain = read(br#"{"type":"tokens","input_tokens":14,"output_tokens":45,"input_token_details":null}"#, 1);
        assert_eq!(plain, Some(Usage::default().with(Unit::InputAudio, 14).with(Unit::Output, 45)));
        for (seconds, millis) in [("9", 9_000), ("8.47", 9_000), ("8.0", 8_000), ("8.000001", 9_000), ("0", 1_000), ("0.2", 1_000), ("7776000", 7_776_000_000)]
        {
            assert_eq!(read(format!(r#"{{"type":"duration","seconds":{seconds}}}"#).as_bytes(), 1), Some(Usage::default().with(Unit::AudioMillis, millis)));
            assert_eq!(duration(seconds.as_bytes(), 1), Some(Usage::default().with(Unit::AudioMillis, millis)));
        }
        assert_eq!(duration(b"\"8.5\"", 1), Some(of_seconds(9)));
        assert_eq!(duration(b"8.5", 10), Some(of_seconds(10)), "Groq bills ten at least");
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        for raw in [
            "{}",
            r#"{"type":"duration"}"#,
            r#"{"seconds":-1}"#,
            r#"{"seconds":1e3}"#,
            r#"{"seconds":"9"}"#,
            r#"{"seconds":99999999999}"#,
            r#"{"input_tokens":1}"#,
            r#"{"input_tokens":1,"input_token_details":{"text_tokens":2},"output_tokens":1}"#,
            r#"{"input_tokens":1,"output_tokens":-1}"#,
        ] {
            assert_eq!(read(raw.as_bytes(), 1), None, "{raw}");
        }
        for raw in ["-1", "1e3", "", "\"", "null", "8.", ".5", "99999999999"] {
            assert_eq!(duration(raw.as_bytes(), 1), None, "{raw}");
        }
    }
}
