//! What Cohere bills, turned into disjoint classes.
//!
//! `billed_units` is what is billed. `tokens` beside it counts more, with what the provider adds itself and does not bill ("How Does Cohere's
//! Pricing Work?"); it stands for the other where that is missing. Counts are written as floats: `12.0` is twelve, and a fraction counts as a whole.
//! An image's tokens are not among the input tokens (Cohere's SDK for Python, tests of `image_tokens`).

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::apis::json::{self, JsonError, Scanner};
use crate::prices::{ImageKind, Unit, Usage};

/// Counts beyond this are not believed.
const MOST: u64 = 1 << 40;

/// Which operation reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Chat,
    Embed,
    Rerank,
}

#[derive(Clone, Copy, Debug, Default)]
struct Units {
    input: Option<u64>,
    output: Option<u64>,
    text: Option<u64>,
    image_tokens: Option<u64>,
    images: Option<u64>,
    searches: Option<u64>,
    classifications: u64,
    pages: u64,
}

/// What a `usage` or `meta` says of the units.
#[derive(Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one an answer")]
pub(super) enum Told {
    /// This was billed.
    Units(Usage),
    /// Nothing.
    Nothing,
    /// Something that cannot be: negative, beyond belief, or in units that are not known.
    Absurd,
}

/// Reads a `usage` or `meta` object.
pub(super) fn read(raw: &[u8], kind: Kind) -> Told {
    let (mut billed, mut tokens) = (None, None);
    let mut scanner = Scanner::lenient(raw);
    let scanned = scanner.object(|scanner, member| match (member.key.raw(), scanner.kind()?) {
        (b"billed_units", json::Kind::Object) => Units::read(scanner).map(|units| billed = Some(units)),
        (b"tokens", json::Kind::Object) => Units::read(scanner).map(|units| tokens = Some(units)),
        _ => scanner.skip(),
    });
    if scanned.and_then(|()| scanner.finish()).is_err() {
        return Told::Absurd;
    }
    let told = |units: Option<Units>| units.map_or(Told::Nothing, |units| units.told(kind));
    match told(billed) {
        Told::Nothing if kind == Kind::Chat => told(tokens),
        told => told,
    }
}

// === impl Units ===

impl Units {
    fn read(scanner: &mut Scanner<'_>) -> Result<Self, JsonError> {
        let mut units = Self::default();
        scanner.object(|scanner, member| match member.key.raw() {
            b"input_tokens" => count(scanner).map(|count| units.input = count),
            b"output_tokens" => count(scanner).map(|count| units.output = count),
            b"text_tokens" => count(scanner).map(|count| units.text = count),
            b"image_tokens" => count(scanner).map(|count| units.image_tokens = count),
            b"images" => count(scanner).map(|count| units.images = count),
            b"search_units" => count(scanner).map(|count| units.searches = count),
            b"classifications" => count(scanner).map(|count| units.classifications = count.unwrap_or_default()),
            b"pages" => count(scanner).map(|count| units.pages = count.unwrap_or_default()),
            _ => scanner.skip(),
        })?;
        Ok(units)
    }

    fn told(self, kind: Kind) -> Told {
        // Nothing that this gateway asks for is billed by these.
        if self.classifications > 0 || self.pages > 0 {
            return Told::Absurd;
        }
        let searches = self.searches.unwrap_or_default();
        let usage = match kind {
            Kind::Chat => match (self.input, self.output) {
                (Some(input), Some(output)) => Usage::default().with(Unit::Input, input).with(Unit::Output, output),
                _ => return Told::Nothing,
            },
            Kind::Embed => {
                if self.input.or(self.text).or(self.image_tokens).or(self.images).is_none() {
                    return Told::Nothing;
                }
                let image_tokens = self.image_tokens.unwrap_or_default();
                let input = self.input.unwrap_or_default();
                // Where the text is told apart, the input may be the sum of both.
                let text = self.text.map_or(input, |text| text.max(input.saturating_sub(image_tokens)));
                let usage = Usage::default().with(Unit::Input, text).with(Unit::InputImage, image_tokens);
                // Images that are billed by their tokens are not billed by the piece.
                if image_tokens > 0 { usage } else { usage.with_images(self.images.unwrap_or_default(), ImageKind::default()) }
            }
            Kind::Rerank if self.searches.is_none() => return Told::Nothing,
            Kind::Rerank => Usage::default().with(Unit::Input, self.input.unwrap_or_default()),
        };
        Told::Units(usage.with(Unit::SearchUnits, searches))
    }
}

// === impl Told ===

impl Told {
    /// What was billed, where that is known.
    pub(super) fn usage(&self) -> Option<Usage> {
        if let Self::Units(usage) = self { Some(*usage) } else { None }
    }
}

/// A count that may be null: `12`, `12.0`, `1.2e1`. Fractions are rounded up.
fn count(scanner: &mut Scanner<'_>) -> Result<Option<u64>, JsonError> {
    if scanner.kind()? == json::Kind::Null {
        return scanner.value().map(|_| None);
    }
    let at = scanner.position();
    let text = std::str::from_utf8(scanner.number()?).unwrap_or_default();
    whole(text).filter(|count| *count <= MOST).map(Some).ok_or(JsonError::Syntax { at, what: "expected a count" })
}

/// The smallest whole number that is not below a JSON number. None where that is negative or beyond what can be counted.
fn whole(text: &str) -> Option<u64> {
    if text.contains(['e', 'E']) {
        let exact = Decimal::from_scientific(text).ok()?;
        return if exact.is_sign_negative() && !exact.is_zero() { None } else { exact.ceil().to_u64() };
    }
    let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
    let beyond = u64::from(fraction.bytes().any(|digit| digit != b'0'));
    match digits.strip_prefix('-') {
        Some(digits) => (digits.bytes().all(|digit| digit == b'0') && beyond == 0).then_some(0),
        None => digits.parse::<u64>().ok()?.checked_add(beyond),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
