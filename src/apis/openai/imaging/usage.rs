//! The `usage` of images, turned into disjoint classes.
//!
//! `input_tokens` and `output_tokens` hold text and images; their details say how much of each. What they do not say is taken to be images,
//! which cost more.

use crate::apis::json::{JsonError, Kind, Scanner};
use crate::apis::openai::usage::count;
use crate::prices::{Unit, Usage};

#[derive(Debug, Default)]
struct Reported {
    input: Option<u64>,
    output: Option<u64>,
    input_text: u64,
    output_text: u64,
    cached: u64,
    cached_image: u64,
}

/// Reads a `usage` object. None when a count is negative, fractional, beyond belief or missing, or larger than what it is part of.
pub(super) fn read(raw: &[u8]) -> Option<Usage> {
    let mut reported = Reported::default();
    reported.scan(&mut Scanner::lenient(raw)).ok()?;
    reported.into_usage()
}

// === impl Reported ===

impl Reported {
    fn scan(&mut self, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
        scanner.object(|scanner, member| match member.key.raw() {
            b"input_tokens" => crate::apis::openai::usage::optional(scanner).map(|count| self.input = count),
            b"output_tokens" => crate::apis::openai::usage::optional(scanner).map(|count| self.output = count),
            b"input_tokens_details" if scanner.kind()? == Kind::Object => scanner.object(|scanner, member| match member.key.raw() {
                b"text_tokens" => count(scanner, &mut self.input_text),
                b"cached_tokens" => count(scanner, &mut self.cached),
                b"cached_tokens_details" if scanner.kind()? == Kind::Object => scanner.object(|scanner, member| match member.key.raw() {
                    b"image_tokens" => count(scanner, &mut self.cached_image),
                    _ => scanner.skip(),
                }),
                _ => scanner.skip(),
            }),
            b"output_tokens_details" if scanner.kind()? == Kind::Object => scanner.object(|scanner, member| match member.key.raw() {
                b"text_tokens" => count(scanner, &mut self.output_text),
                _ => scanner.skip(),
            }),
            _ => scanner.skip(),
        })?;
        scanner.finish()
    }

    fn into_usage(self) -> Option<Usage> {
        let input_image = self.input?.checked_sub(self.input_text)?;
        let output_image = self.output?.checked_sub(self.output_text)?;
        let cached_text = self.cached.checked_sub(self.cached_image)?;
        Some(
            Usage::default()
                .with(Unit::Input, self.input_text.checked_sub(cached_text)?)
                .with(Unit::CacheRead, cached_text)
                .with(Unit::InputImage, input_image.checked_sub(self.cached_image)?)
                .with(Unit::CacheImageRead, self.cached_image)
                .with(Unit::Output, self.output_text)
                .with(Unit::OutputImage, output_image),
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn text_and_images_are_told_apart() {
        let usage = read(
            br#"{"input_tokens":50,"input_tokens_details":{"image_tokens":40,"text_tokens":10},"output_tokens":272,"total_tokens":322,
                "output_tokens_details":{"image_tokens":256,"text_tokens":16},"new":[1.5]}"#,
        );
        let expected = Usage::default().with(Unit::Input, 10).with(Unit::InputImage, 40).with(Unit::Output, 16).with(Unit::OutputImage, 256);
        assert_eq!(usage, Some(expected));
        // Without details all of it may be images.
        let plain = read(br#"{"input_tokens":50,"output_tokens":272,"output_tokens_details":null}"#);
        assert_eq!(plain, Some(Usage::default().with(Unit::InputImage, 50).with(Unit::OutputImage, 272)));
        let cached = read(br#"{"input_tokens":50,"input_tokens_details":{"text_tokens":10,"cached_tokens":35,"cached_tokens_details":{"image_tokens":30}},"output_tokens":0}"#);
        let expected = Usage::default().with(Unit::Input, 5).with(Unit::CacheRead, 5).with(Unit::InputImage, 10).with(Unit::CacheImageRead, 30);
        assert_eq!(cached, Some(expected));
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        for raw in [
            "{}",
            r#"{"input_tokens":1}"#,
            r#"{"input_tokens":-1,"output_tokens":1}"#,
            r#"{"input_tokens":1,"output_tokens":1.5}"#,
            r#"{"input_tokens":1,"output_tokens":99999999999999}"#,
            r#"{"input_tokens":1,"input_tokens_details":{"text_tokens":2},"output_tokens":1}"#,
            r#"{"input_tokens":1,"output_tokens":1,"output_tokens_details":{"text_tokens":2}}"#,
            r#"{"input_tokens":1,"input_tokens_details":{"text_tokens":1,"cached_tokens":2},"output_tokens":1}"#,
            "null",
            "[]",
        ] {
            assert_eq!(read(raw.as_bytes()), None, "{raw}");
        }
    }
}
