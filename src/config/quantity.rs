//! Durations and sizes as people write them: `250ms`, `60s`, `10m`, `14d`, `32MiB`.

use std::time::Duration;

/// Reads a duration: a whole number and one of `ms`, `s`, `m`, `h`, `d`.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration; write a whole number and a unit (ms, s, m, h, d), for example \"60s\"");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    // A hundred years bounds every sum of times.
    let most = 36_525 * 86_400_000;
    number.checked_mul(millis).filter(|total| *total <= most).map(Duration::from_millis).ok_or_else(|| format!("{text:?} is longer than a hundred years"))
}

/// Reads a size in bytes: a whole number, alone or with one of `B`, `KiB`, `MiB`, `GiB`.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn parse_bytes(text: &str) -> Result<usize, String> {
    let wrong = || format!("{text:?} is not a size; write a whole number and a unit (B, KiB, MiB, GiB), for example \"32MiB\"");
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let scale: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(scale).and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(wrong)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = text.get(..digits)?.parse().ok()?;
    Some((number, text.get(digits..)?.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_or_refused() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("14d"), Ok(Duration::from_secs(14 * 86_400)));
        assert_eq!(parse_bytes("32MiB"), Ok(32 << 20));
        assert_eq!(parse_bytes("10"), Ok(10));
        for text in ["", "s", "-1s", "1.5s", "1 week", "99999999999999999999s", "40000d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        for text in ["", "MiB", "1MB", "-1", "99999999999999999999GiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
