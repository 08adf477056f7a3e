//! Times in requests: RFC 3339, with or without an offset. One without is UTC.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The latest time that can be kept, in whole milliseconds: 9999-12-30T22:00:00Z.
const LATEST: Timestamp = Timestamp::constant(253_402_207_200, 0);

/// Reads `YYYY-MM-DDThh:mm[:ss[.f]]`, then `Z`, an offset or nothing (UTC). `T` may be a blank. `None`: it is something else, or no such time exists.
/// The last hours of the year 9999, which people write for "never", are the latest time that can be kept.
#[must_use]
pub fn parse_time(text: &str) -> Option<Timestamp> {
    // The parser knows many more forms (weeks, zones in brackets, dates alone); here a time has one form, so that nobody is surprised by another.
    let (clock, offset) = split(text)?;
    if offset.is_some_and(|offset| !offset.eq_ignore_ascii_case("z")) {
        return text.parse().ok();
    }
    let clock: DateTime = clock.parse().ok()?;
    match clock.to_zoned_datetime(TimeZone::UTC) {
        Ok(zoned) => Some(zoned.timestamp()),
        Err(_) => (clock.year() == 9999).then_some(LATEST),
    }
}

/// Splits a time of the right shape into what is before the offset, and the offset.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    let (minutes, mut rest) = text.split_at_checked(16)?;
    if !minutes.bytes().zip(b"0000-00-00T00:00").all(|(byte, shape)| fits(byte, *shape)) {
        return None;
    }
    if let Some(seconds) = rest.strip_prefix(':') {
        rest = seconds.get(2..)?;
        if !seconds.bytes().take(2).all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        if let Some(fraction) = rest.strip_prefix('.') {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 || digits > 9 {
                return None;
            }
            rest = fraction.get(digits..)?;
        }
    }
    let clock = text.get(..text.len() - rest.len())?;
    match rest.as_bytes() {
        [] => Some((clock, None)),
        [b'Z' | b'z'] => Some((clock, Some(rest))),
        [b'+' | b'-', offset @ ..] => {
            let shape: &[u8] = if offset.len() == 4 { b"0000" } else { b"00:00" };
            let right = offset.len() == shape.len() && offset.iter().zip(shape).all(|(byte, shape)| fits(*byte, *shape));
            right.then_some((clock, Some(rest)))
        }
        _ => None,
    }
}

fn fits(byte: u8, shape: u8) -> bool {
    match shape {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        other => byte == other,
    }
}
