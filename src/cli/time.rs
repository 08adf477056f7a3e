//! Times on the command line: a span (`14d`), a point in time, or never.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

use crate::tokens::fields::parse_time;

/// A span: `90s`, `30m`, `1h`, `14d`, `2w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// When a token expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    Never,
    /// So long after the command is given.
    After(Duration),
    /// Then.
    At(Timestamp),
}

// === impl Span ===

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no span of time: a number and s, m, h, d or w, for example \"14d\"");
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            "w" => 7 * 24 * 60 * 60,
            _ => return Err(wrong()),
        };
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(seconds).map(|seconds| Self(Duration::from_secs(seconds))).ok_or_else(wrong)
    }
}

// === impl Expiry ===

impl Expiry {
    /// The point in time, to the second; `None` for never.
    ///
    /// # Errors
    /// When it is later than times can be written.
    pub fn resolve(self, now: Timestamp) -> anyhow::Result<Option<Timestamp>> {
        match self {
            Self::Never => Ok(None),
            Self::At(time) => Ok(Some(time)),
            Self::After(span) => {
                let seconds = i64::try_from(span.as_secs()).ok().and_then(|span| now.as_second().checked_add(span));
                let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
                time.map(Some).ok_or_else(|| anyhow::anyhow!("the expiry is too far away; say `never`"))
            }
        }
    }
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Never);
        }
        if let Ok(Span(span)) = text.parse() {
            return Ok(Self::After(span));
        }
        let wrong =
            || format!("\"{text}\" is no time: a span (\"14d\", \"12h\"), a time (\"2026-12-31T18:00:00Z\"; UTC unless it says otherwise) or \"never\"");
        parse_time(text).map(Self::At).ok_or_else(wrong)
    }
}
