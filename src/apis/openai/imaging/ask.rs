//! Reads what a request for images asks for: a JSON body, or a form.

use super::Kind;
use super::tokens::{self, Images};
use crate::apis::json::Kind as JsonKind;
use crate::apis::multipart;
use crate::apis::openai::fields::Added;
use crate::apis::openai::given::{Given, is_added, refused, unknown};
use crate::apis::read;
use crate::apis::splice::Edits;
use crate::apis::{Ask, AskError, RequestView, UnseenOutput};
use crate::prices::{Bound, ImageKind};

/// More images than this no provider makes at once; OpenAI makes ten.
const MAX_IMAGES: u64 = 128;
/// OpenAI's API reference, "Images".
const MAX_PARTIAL: u64 = 3;
/// What the provider takes to change: sixteen, and a mask.
const MAX_GIVEN: usize = 17;

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Wish {
    pub(super) model: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) count: Option<u64>,
    pub(super) size: Option<String>,
    pub(super) quality: Option<String>,
    pub(super) high_fidelity: bool,
    pub(super) partial: u64,
    pub(super) stream: bool,
    pub(super) response_format: Option<String>,
    pub(super) output_format: Option<String>,
    pub(super) background: Option<String>,
    /// Images that are given, a mask included.
    pub(super) given: usize,
    added: Option<Added>,
}

/// What a parameter means for the cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Model,
    Prompt,
    Count,
    Size,
    Quality,
    Fidelity,
    Partial,
    Stream,
    ResponseFormat,
    OutputFormat,
    Background,
    /// A file in a form.
    Image,
    /// Costs nothing.
    Free,
    Refused(&'static str),
    Unknown,
}

/// Reads the request. Where the model is `named` elsewhere, that is it, whatever the body says.
pub(super) fn read(kind: Kind, added: Option<Added>, request: &RequestView<'_>, named: Option<&str>) -> Result<Wish, AskError> {
    let mut wish = Wish { added, ..Wish::default() };
    if kind == Kind::Generation {
        wish.read_json(request.body)?
    } else {
        wish.read_form(kind, request)?
    }
    if let Some(named) = named {
        wish.model = Some(named.to_owned());
    }
    wish.check(kind)?;
    Ok(wish)
}

fn field(kind: Kind, key: &str) -> Field {
    let made_from_words = kind != Kind::Variation;
    match key {
        "model" => Field::Model,
        "n" => Field::Count,
        "size" => Field::Size,
        "response_format" => Field::ResponseFormat,
        "user" => Field::Free,
        "prompt" if made_from_words => Field::Prompt,
        "quality" if made_from_words => Field::Quality,
        "stream" if made_from_words => Field::Stream,
        "partial_images" if made_from_words => Field::Partial,
        "output_format" if made_from_words => Field::OutputFormat,
        "background" if made_from_words => Field::Background,
        "moderation" | "output_compression" | "safety_identifier" if made_from_words => Field::Free,
        "style" if kind == Kind::Generation => Field::Free,
        "image" if kind != Kind::Generation => Field::Image,
        "image[]" | "mask" | "markup" if kind == Kind::Edit => Field::Image,
        "input_fidelity" if kind == Kind::Edit => Field::Fidelity,
        "svg" => Field::Refused("another model writes the SVG, and what it bills has no bound"),
        "frame_count" | "frame_duration_ms" => Field::Refused("what animated images cost is not published"),
        "complexity" => Field::Refused("what planning costs is not published"),
        "prompt_rewriter" => Field::Refused("another model rewrites the prompt, and what it bills has no bound"),
        _ if key.starts_with("svg[") => Field::Refused("another model writes the SVG, and what it bills has no bound"),
        _ => Field::Unknown,
    }
}

// === impl Wish ===

impl Wish {
    fn read_json(&mut self, body: &[u8]) -> Result<(), AskError> {
        let mut scanner = read::object(body)?;
        scanner.object(|scanner, member| {
            let key = member.key.decode();
            let key = key.as_deref().unwrap_or_default();
            let field = field(Kind::Generation, key);
            let null = scanner.kind()? == JsonKind::Null;
            if null && field != Field::Unknown {
                return scanner.skip().map_err(AskError::from);
            }
            self.set(Kind::Generation, field, key, Given::Json(scanner))
        })?;
        Ok(scanner.finish()?)
    }

    fn read_form(&mut self, kind: Kind, request: &RequestView<'_>) -> Result<(), AskError> {
        let form = multipart::read(request.headers, request.body)?;
        let (mut single, mut list) = (false, false);
        for part in &form.parts {
            let field = field(kind, &part.name);
            if (field == Field::Image) != part.file.is_some() {
                let what = if part.file.is_some() { "must be a plain value, not a file" } else { "must be a file" };
                return Err(if field == Field::Unknown { unknown(&part.name, |_| false) } else { AskError::invalid(None, format!("'{}' {what}", part.name)) });
            }
            single |= part.name == "image";
            list |= part.name == "image[]";
            self.set(kind, field, &part.name, Given::Form(part.text()))?;
        }
        if single && list {
            return Err(AskError::invalid("image", "send images as 'image' or as 'image[]', not as both"));
        }
        if !single && !list {
            return Err(AskError::invalid("image", "'image' is missing"));
        }
        if self.given > MAX_GIVEN {
            return Err(AskError::invalid("image", format!("at most {MAX_GIVEN} images can be given, a mask included")));
        }
        Ok(())
    }

    fn set(&mut self, kind: Kind, field: Field, key: &str, given: Given<'_, '_>) -> Result<(), AskError> {
        match field {
            Field::Model => self.model = Some(given.model()?),
            Field::Prompt => self.prompt = Some(given.text("prompt")?.into_owned()),
            Field::Count => self.count = Some(given.integer("n", 1, MAX_IMAGES)?),
            Field::Size => self.size = Some(given.text("size")?.into_owned()),
            Field::Quality => self.quality = Some(given.text("quality")?.into_owned()),
            Field::Fidelity => self.high_fidelity = given.text("input_fidelity")? != "low",
            Field::Partial => self.partial = given.integer("partial_images", 0, MAX_PARTIAL)?,
            Field::Stream => self.stream = given.boolean("stream")?,
            Field::ResponseFormat => self.response_format = Some(given.text("response_format")?.into_owned()),
            Field::OutputFormat => self.output_format = Some(given.text("output_format")?.into_owned()),
            Field::Background => self.background = Some(given.text("background")?.into_owned()),
            Field::Image => self.given += 1,
            Field::Free => given.skip()?,
            Field::Refused(reason) => return Err(refused(key, reason)),
            Field::Unknown if is_added(self.added, key)? => given.skip()?,
            Field::Unknown => return Err(unknown(key, |key| self::field(kind, key) != Field::Unknown)),
        }
        Ok(())
    }

    fn check(&mut self, kind: Kind) -> Result<(), AskError> {
        match kind {
            // There is one model for them (OpenAI's API reference, "Create image variation").
            Kind::Variation => drop(self.model.get_or_insert_with(|| "dall-e-2".to_owned())),
            Kind::Generation | Kind::Edit if self.model.is_none() => {
                return Err(AskError::invalid("model", "'model' is missing: which one the provider would choose is not known here, nor what it costs"));
            }
            Kind::Generation | Kind::Edit if self.prompt.is_none() => return Err(AskError::invalid("prompt", "'prompt' is missing")),
            Kind::Generation | Kind::Edit => {}
        }
        match self.output_format.as_deref() {
            None | Some("png" | "webp" | "jpeg") => {}
            Some("svg") => return Err(refused("output_format", "another model writes the SVG, and what it bills has no bound")),
            Some("gif") => return Err(refused("output_format", "what animated images cost is not published")),
            Some(_) => return Err(AskError::invalid("output_format", "'output_format' must be png, webp or jpeg")),
        }
        if self.stream && self.count() > 1 {
            return Err(AskError::unsupported("n", "'n' must be 1 on a stream: how the usage of several images adds up there is not published"));
        }
        Ok(())
    }

    /// How many images are made.
    pub(super) fn count(&self) -> u64 {
        self.count.unwrap_or(1)
    }

    pub(super) fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    /// Which images, where they are billed by the piece. What DALL-E makes when it is not told (OpenAI's API reference, "Create image").
    fn kind(&self) -> ImageKind {
        let dall_e = self.model().contains("dall-e");
        let size = self.size.as_deref().or(dall_e.then_some("1024x1024"));
        let quality = self.quality.as_deref().or(dall_e.then_some("standard"));
        ImageKind::new(size, quality)
    }

    /// The tokens that they may be billed as.
    pub(super) fn images(&self) -> Images<'_> {
        Images {
            model: self.model(),
            size: self.size.as_deref(),
            quality: self.quality.as_deref(),
            high_fidelity: self.high_fidelity,
            count: self.count(),
            partial: self.partial,
            given: self.given as u64,
            prompt_bytes: self.prompt.as_ref().map_or(0, String::len) as u64,
        }
    }

    pub(super) fn into_ask(self) -> Ask {
        let input = tokens::most(&self.images()).with_images(self.count(), self.kind());
        Ask {
            bound: Bound { input, choices: 1, as_priced: true, ..Bound::default() },
            stream: self.stream,
            service_tier: None,
            unseen: UnseenOutput::Any,
            asked_usage: false,
            edits: Edits::default(),
            model: self.model.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
