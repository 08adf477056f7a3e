//! Reads what is to be embedded: texts by their bytes, images by their number.

use super::ask::{members, missing};
use super::content::{image_url, picture_bytes};
use super::fields::{self, Field, unknown_in};
use crate::apis::json::{Kind, Scanner};
use crate::apis::read::{model, short};
use crate::apis::splice::Edits;
use crate::apis::{Ask, AskError, UnseenOutput};
use crate::prices::{Bound, ImageKind, Unit, Usage};

/// Special tokens around one input: its beginning, its end, what it is for.
const INPUT_TOKENS: u64 = 8;
/// The most tokens of one image. `embed-v4.0` scales an image down to 2,458,624 pixels (Amazon's page on it), and one of 512 x 512 makes about 1,610
/// tokens (Oracle's page on it): one for 163 pixels, so 15,100 for the largest.
const IMAGE_TOKENS: u64 = 16_384;

#[derive(Default)]
struct Scan {
    model: Option<String>,
    inputs: u64,
    images: u64,
    text_bytes: u64,
}

/// Reads the body of `POST v2/embed`.
pub(super) fn read(body: &[u8]) -> Result<Ask, AskError> {
    let mut scan = Scan::default();
    members(body, fields::embed, |scanner, field, _| {
        match field {
            Field::Model => scan.model = Some(model(scanner)?),
            Field::Texts => each(scanner, "texts", |scanner| scan.text(scanner, "texts"))?,
            Field::Images => each(scanner, "images", |scanner| scan.image(scanner))?,
            Field::Inputs => each(scanner, "inputs", |scanner| scan.input(scanner))?,
            _ => scanner.skip()?,
        }
        Ok(())
    })?;
    scan.into_ask()
}

/// Walks a list.
fn each<'a>(scanner: &mut Scanner<'a>, param: &'static str, mut read: impl FnMut(&mut Scanner<'a>) -> Result<(), AskError>) -> Result<(), AskError> {
    if scanner.kind()? != Kind::Array {
        return Err(AskError::invalid(param, format!("'{param}' must be a list")));
    }
    scanner.array(|scanner| read(scanner))
}

// === impl Scan ===

impl Scan {
    fn text(&mut self, scanner: &mut Scanner<'_>, param: &'static str) -> Result<(), AskError> {
        if scanner.kind()? != Kind::String {
            return Err(AskError::invalid(param, format!("each text of '{param}' must be a string")));
        }
        self.inputs = self.inputs.saturating_add(1);
        self.text_bytes = self.text_bytes.saturating_add(scanner.string()?.raw().len() as u64);
        Ok(())
    }

    fn image(&mut self, scanner: &mut Scanner<'_>) -> Result<(), AskError> {
        if scanner.kind()? != Kind::String {
            return Err(AskError::invalid("images", "each of 'images' must be a string"));
        }
        picture_bytes(scanner, "images")?;
        self.images = self.images.saturating_add(1);
        Ok(())
    }

    /// Texts and images that are embedded together.
    fn input(&mut self, scanner: &mut Scanner<'_>) -> Result<(), AskError> {
        if scanner.kind()? != Kind::Object {
            return Err(AskError::invalid("inputs", "each of 'inputs' must be an object"));
        }
        self.inputs = self.inputs.saturating_add(1);
        scanner.object(|scanner, member| {
            let key = member.key.decode();
            match (key.as_deref().unwrap_or_default(), scanner.kind()?) {
                ("content", Kind::Array) => scanner.array(|scanner| self.part(scanner)),
                (_, Kind::Null) => scanner.skip().map_err(AskError::from),
                (other, _) => Err(unknown_in("inputs", other)),
            }
        })
    }

    fn part(&mut self, scanner: &mut Scanner<'_>) -> Result<(), AskError> {
        if scanner.kind()? != Kind::Object {
            return Err(AskError::invalid("inputs", "each part of 'content' must be an object"));
        }
        scanner.object(|scanner, member| {
            let key = member.key.decode();
            match (key.as_deref().unwrap_or_default(), scanner.kind()?) {
                (_, Kind::Null) => scanner.skip().map_err(AskError::from),
                ("type", Kind::String) => match scanner.string()?.decode().as_deref() {
                    Some("text" | "image_url") => Ok(()),
                    other => {
                        Err(AskError::unsupported("inputs", format!("parts of type '{}' cannot be priced by this gateway", short(other.unwrap_or_default()))))
                    }
                },
                ("text", Kind::String) => self.text(scanner, "inputs"),
                ("image_url", _) => {
                    self.images = self.images.saturating_add(1);
                    image_url(scanner, "inputs").map(drop)
                }
                (other, _) => Err(unknown_in("inputs", other)),
            }
        })
    }

    fn into_ask(self) -> Result<Ask, AskError> {
        let model = self.model.ok_or_else(|| missing("model"))?;
        if self.inputs == 0 && self.images == 0 {
            return Err(AskError::invalid("texts", "there is nothing to embed: one of 'texts', 'images' and 'inputs' must not be empty"));
        }
        let tokens = self.text_bytes.saturating_add(self.inputs.saturating_mul(INPUT_TOKENS));
        let mut input = Usage::default().with(Unit::Input, tokens);
        if self.images > 0 {
            // Older models are billed by the image, later ones by its tokens (Cohere's pricing page).
            input = if model.contains("-v3.0") {
                input.with_images(self.images, ImageKind::default())
            } else {
                input.with(Unit::InputImage, self.images.saturating_mul(IMAGE_TOKENS))
            };
        }
        let bound = Bound { input, ..Bound::default() };
        Ok(Ask { model, bound, stream: false, service_tier: None, unseen: UnseenOutput::UpTo(0), asked_usage: true, edits: Edits::default() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
