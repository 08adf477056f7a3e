//! Simulated images: plain pictures of the size and in the format that was asked for, with the usage that the request would have.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::ask::{self, Wish};
use super::picture::{Format, draw};
use super::tokens::bills_tokens;
use super::{Kind, tokens};
use crate::apis::RequestView;
use crate::apis::openai::azure;
use crate::apis::openai::fields::Added;
use crate::apis::openai::simulate::named_event;
use crate::prices::Unit;
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, Simulated, text};

/// Where a model may choose.
const USUAL: (u16, u16) = (1024, 1024);
/// The longest side that any model makes.
const LONGEST_SIDE: u16 = 4_096;
/// As the provider counts them (OpenAI's API reference, "Images").
const MAX_COUNT: u64 = 10;

/// Answers `POST images/generations`, `images/edits` and `images/variations`.
pub(super) fn answer(kind: Kind, added: Option<Added>, request: &RequestView<'_>, faults: &Faults) -> Result<Simulated, Problem> {
    let wish =
        ask::read(kind, added, request, azure::model_of(request, faults)).map_err(|error| Problem::invalid(error.message, error.param.as_deref(), None))?;
    let wants = Wants::of(&wish)?;
    let seed = Seed::of_bytes("images", seed_text(&wish).as_bytes());
    let usage = wants.tokens.then(|| usage(&wish)).filter(|_| !faults.no_usage);
    if wish.stream && wants.tokens {
        return Ok(stream(kind, &wish, &wants, &seed, usage));
    }
    let data: Vec<Value> = (0..wish.count()).map(|index| wants.image(&seed, index)).collect();
    let mut body = json!({"created": seed.created(), "data": data});
    if wants.tokens {
        body["background"] = json!(wants.background);
        body["output_format"] = json!(wants.format_name);
        body["quality"] = json!(wants.quality);
        body["size"] = json!(wants.size());
    }
    if let Some(usage) = usage {
        body["usage"] = usage;
    }
    Ok(Simulated::json(body.to_string()))
}

/// What the images are like.
struct Wants {
    /// The model is billed by the token; its images come in the answer itself.
    tokens: bool,
    format: Format,
    format_name: &'static str,
    sides: (u16, u16),
    quality: String,
    background: &'static str,
    /// As an address.
    url: bool,
    /// DALL-E 3 says what it made of the prompt.
    revised: Option<String>,
}

fn stream(kind: Kind, wish: &Wish, wants: &Wants, seed: &Seed, usage: Option<Value>) -> Simulated {
    let name = if kind == Kind::Edit { "image_edit" } else { "image_generation" };
    let event = |what: &str, index: u64| {
        let mut event = json!({
            "type": format!("{name}.{what}"),
            "b64_json": wants.base64(seed, index),
            "background": wants.background,
            "created_at": seed.created(),
            "output_format": wants.format_name,
            "quality": wants.quality,
            "size": wants.size(),
        });
        event.as_object_mut().into_iter().for_each(|event| event.extend((what == "partial_image").then(|| ("partial_image_index".to_owned(), json!(index)))));
        event
    };
    let mut events: Vec<_> = (0..wish.partial).map(|index| event("partial_image", index)).collect();
    // The last one is the image that the request gets when it is not streamed.
    let mut completed = event("completed", 0);
    completed.as_object_mut().into_iter().for_each(|event| event.extend(usage.clone().map(|usage| ("usage".to_owned(), usage))));
    events.push(completed);
    Simulated::events(events.iter().map(named_event).collect())
}

/// What the request would be billed: its bound, with the words that were said.
fn usage(wish: &Wish) -> Value {
    let most = tokens::most(&wish.images());
    let text = text::tokens(wish.prompt.as_deref().unwrap_or_default()) + 6;
    let text = text.saturating_mul(wish.count());
    let (given, made) = (most.get(Unit::InputImage), most.get(Unit::OutputImage));
    json!({
        "input_tokens": text + given,
        "input_tokens_details": {"image_tokens": given, "text_tokens": text},
        "output_tokens": made,
        "output_tokens_details": {"image_tokens": made, "text_tokens": 0},
        "total_tokens": text + given + made,
    })
}

/// Everything that decides what is drawn. The images that were given are not among it: they are counted.
fn seed_text(wish: &Wish) -> String {
    json!([wish.model(), wish.prompt, wish.size, wish.quality, wish.background, wish.output_format, wish.given]).to_string()
}

// === impl Wants ===

impl Wants {
    fn of(wish: &Wish) -> Result<Self, Problem> {
        let tokens = bills_tokens(wish.model());
        if wish.count() > MAX_COUNT {
            let message = format!("Invalid 'n': integer above maximum value. Expected a value <= {MAX_COUNT}, but got {} instead.", wish.count());
            return Err(Problem::invalid(message, Some("n"), Some("integer_above_max_value")));
        }
        if tokens && wish.response_format.is_some() {
            return Err(Problem::invalid("Unknown parameter: 'response_format'.", Some("response_format"), Some("unknown_parameter")));
        }
        let url = match wish.response_format.as_deref() {
            _ if tokens => false,
            None | Some("url") => true,
            Some("b64_json") => false,
            Some(other) => return Err(Problem::unknown_value("response_format", other, &["url", "b64_json"])),
        };
        let (format, format_name) = match wish.output_format.as_deref() {
            Some("jpeg") => (Format::Jpeg, "jpeg"),
            Some("webp") => (Format::Webp, "webp"),
            _ => (Format::Png, "png"),
        };
        let sides = match wish.size.as_deref() {
            None | Some("auto") => USUAL,
            Some(size) => {
                let side = |side: &str| side.parse().ok().filter(|side| (1..=LONGEST_SIDE).contains(side));
                let sides = size.split_once('x').and_then(|(width, height)| Some((side(width)?, side(height)?)));
                sides.ok_or_else(|| Problem::unknown_value("size", size, &["1024x1024", "1024x1536", "1536x1024", "auto"]))?
            }
        };
        let quality = wish.quality.clone().filter(|quality| quality != "auto").unwrap_or_else(|| "high".to_owned());
        let background = if wish.background.as_deref() == Some("transparent") { "transparent" } else { "opaque" };
        let revised = wish.model().contains("dall-e-3").then(|| wish.prompt.clone()).flatten();
        Ok(Self { tokens, format, format_name, sides, quality, background, url, revised })
    }

    fn size(&self) -> String {
        let (width, height) = self.sides;
        format!("{width}x{height}")
    }

    fn base64(&self, seed: &Seed, index: u64) -> String {
        let mut dice = seed.part("image", usize::try_from(index).unwrap_or(0)).dice();
        let [red, green, blue, ..] = dice.next().to_le_bytes();
        let (width, height) = self.sides;
        STANDARD.encode(draw(self.format, width, height, [red, green, blue]))
    }

    /// One image of an answer. No address leads anywhere in a sandbox, so the address holds the image itself.
    fn image(&self, seed: &Seed, index: u64) -> Value {
        let data = self.base64(seed, index);
        let mut image = if self.url { json!({"url": format!("data:image/{};base64,{data}", self.format_name)}) } else { json!({"b64_json": data}) };
        if let Some(prompt) = &self.revised {
            image["revised_prompt"] = json!(prompt);
        }
        image
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
