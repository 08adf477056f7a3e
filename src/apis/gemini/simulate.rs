//! Simulated Gemini answers: prose, thoughts, structured output, function calls, images and sound, streamed or not; and what stands around them:
//! embeddings, the counting of tokens, the list of models.

mod ask;
mod check;
mod embed;
mod plain;
mod render;
mod schema;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{refuse, wants_events};
use crate::apis::RequestView;
use crate::sandbox::problem::Problem;
use crate::sandbox::schema::Shape;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, MAX_TOKENS, Simulated, text};
use ask::{Ask, Wants};

/// Tokens of the simulated thoughts, where there are any; of an image and of a second of sound.
const THOUGHTS: u64 = 24;
const IMAGE: u64 = 1_290;
const SOUND: u64 = 25;
/// The smallest PNG: one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=";
/// A few samples of silence.
const SILENCE: &str = "AAAAAAAAAAAAAAAAAAAAAA==";

/// What one candidate says, finished.
struct Reply {
    parts: Vec<Part>,
    finish: &'static str,
    thoughts: u64,
    tokens: Tokens,
}

/// Output tokens beside the thoughts.
#[derive(Clone, Copy, Default)]
struct Tokens {
    text: u64,
    image: u64,
    audio: u64,
}

/// One part of it.
enum Part {
    Thought(String),
    Text(String),
    Call { id: String, name: String, args: Value },
    Data { mime_type: &'static str, data: &'static str },
}

/// Answers `:generateContent` and `:streamGenerateContent`.
pub(super) fn answer(request: &RequestView<'_>, model: &str, stream: bool, faults: &Faults) -> Result<Simulated, Problem> {
    let body = plain::body(request.body)?;
    let ask = Ask::read(&body, model)?;
    let mut replies = Vec::new();
    for index in 0..ask.candidates {
        replies.push(reply(&ask, &ask.seed.part("candidate", index), faults)?);
    }
    let pieces = render::pieces(&ask, &replies, stream, faults.no_usage);
    Ok(match (stream, wants_events(request)) {
        (false, false) => Simulated::json(render::whole(pieces)),
        (_, true) => Simulated::events(render::events(pieces)),
        (true, false) => Simulated::list(render::list(pieces)),
    })
}

/// Answers `:embedContent` and `:batchEmbedContents`.
pub(super) fn embed(body: &[u8], model: &str, batch: bool, faults: &Faults) -> Result<Simulated, Problem> {
    embed::answer(&plain::body(body)?, model, batch, faults)
}

/// Answers `:countTokens`.
pub(super) fn count(body: &[u8]) -> Result<Simulated, Problem> {
    let body = plain::body(body)?;
    let counted = body.get("generateContentRequest").unwrap_or(&body);
    let map = check::object(counted, "generate_content_request")?;
    check::contents(map)?;
    let tokens = check::input_tokens(map);
    Ok(Simulated::json(json!({"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]}).to_string()))
}

/// Answers `GET models`: all on one page.
pub(super) fn models(models: &mut dyn Iterator<Item = &str>) -> Simulated {
    let models: Vec<Value> = models.map(entry).collect();
    Simulated::json(json!({"models": models}).to_string())
}

/// Answers `GET models/{model}`.
pub(super) fn model(id: &str, models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
    let mut models = models.map(|known| known == id);
    let listed = models.any(|found| found);
    if listed { Ok(Simulated::json(entry(id).to_string())) } else { Err(Problem::no_such_model(id)) }
}

/// An error as Google writes it.
pub(super) fn problem_body(problem: &Problem) -> Bytes {
    let status = match problem.status {
        401 => "UNAUTHENTICATED",
        402 | 429 => "RESOURCE_EXHAUSTED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        499 => "CANCELLED",
        400..=499 => "INVALID_ARGUMENT",
        501 => "UNIMPLEMENTED",
        503 | 529 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    };
    refuse::error(problem.status, &problem.message, status, None)
}

fn entry(id: &str) -> Value {
    let embeds = id.contains("embedding");
    let methods: &[&str] = if embeds { &["embedContent", "countTextTokens"] } else { &["generateContent", "countTokens"] };
    json!({
        "name": format!("models/{id}"), "version": "001", "displayName": id, "description": "A simulated model.",
        "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536, "supportedGenerationMethods": methods,
    })
}

fn reply(ask: &Ask<'_>, seed: &Seed, faults: &Faults) -> Result<Reply, Problem> {
    let length = faults.tokens.map(|tokens| tokens.min(MAX_TOKENS).div_ceil(ask.candidates.max(1) as u64));
    let mut parts = Vec::new();
    let (mut left, mut thoughts) = (ask.limit, 0);
    if ask.thinks {
        let thought = text::prose_of(THOUGHTS, &mut seed.part("thoughts", 0).dice());
        let (kept, _) = text::cut(&thought, left);
        thoughts = text::tokens(kept);
        left = left.saturating_sub(thoughts);
        if ask.shows_thoughts && !kept.is_empty() {
            parts.push(Part::Thought(kept.to_owned()));
        }
    }
    let said = said(ask, seed, left, length.map(|length| length.saturating_sub(thoughts)))?;
    parts.extend(said.parts);
    Ok(Reply { parts, thoughts, ..said })
}

/// What follows the thoughts, in at most `limit` tokens.
fn said(ask: &Ask<'_>, seed: &Seed, limit: u64, length: Option<u64>) -> Result<Reply, Problem> {
    let cut_off = |text: u64| Reply { parts: Vec::new(), finish: "MAX_TOKENS", thoughts: 0, tokens: Tokens { text, ..Tokens::default() } };
    let complete = |part: Part, tokens: Tokens| Reply { parts: vec![part], finish: "STOP", thoughts: 0, tokens };
    match &ask.wants {
        Wants::Call(function) => {
            let args = match &function.schema {
                Some(schema) => sample(schema, true, &function.path, seed)?,
                None => json!({}),
            };
            let tokens = (text::tokens(function.name) + text::tokens(&args.to_string())).max(length.unwrap_or(0));
            if tokens > limit {
                // Half a call is of no use to anyone.
                return Ok(cut_off(limit));
            }
            let call = Part::Call { id: seed.id("", 8), name: function.name.to_owned(), args };
            Ok(complete(call, Tokens { text: tokens, ..Tokens::default() }))
        }
        Wants::Image if limit < IMAGE => Ok(cut_off(limit)),
        Wants::Image => Ok(complete(Part::Data { mime_type: "image/png", data: PIXEL }, Tokens { image: IMAGE, ..Tokens::default() })),
        Wants::Sound if limit < SOUND => Ok(cut_off(limit)),
        Wants::Sound => Ok(complete(Part::Data { mime_type: "audio/L16;codec=pcm;rate=24000", data: SILENCE }, Tokens { audio: SOUND, ..Tokens::default() })),
        Wants::Json { schema, path, bare } => {
            let value = match schema {
                Some(schema) => sample(schema, false, path, seed)?,
                None => json!({"answer": text::prose(&mut seed.part("prose", 0).dice())}),
            };
            let mut whole = match &value {
                Value::String(word) if *bare => word.clone(),
                other => other.to_string(),
            };
            if !bare {
                // JSON is made longer with spaces, which leave it what it is.
                let missing = length.unwrap_or(0).min(limit).saturating_sub(text::tokens(&whole));
                whole.extend((0..missing.saturating_mul(4)).map(|_| ' '));
            }
            Ok(prose(&whole, limit))
        }
        Wants::Prose => {
            let mut dice = seed.part("prose", 0).dice();
            let whole = match length {
                // Nothing past the limit is seen, so it is not made either.
                Some(length) => text::prose_of(length.min(limit.saturating_add(1)), &mut dice),
                None => ask.stopped(text::prose(&mut dice)),
            };
            Ok(prose(&whole, limit))
        }
    }
}

fn prose(whole: &str, limit: u64) -> Reply {
    let (kept, was_cut) = text::cut(whole, limit);
    let parts = if kept.is_empty() { Vec::new() } else { vec![Part::Text(kept.to_owned())] };
    Reply { parts, finish: if was_cut { "MAX_TOKENS" } else { "STOP" }, thoughts: 0, tokens: Tokens { text: text::tokens(kept), ..Tokens::default() } }
}

fn sample(schema: &Value, object: bool, path: &str, seed: &Seed) -> Result<Value, Problem> {
    let made = Shape::new(schema, object).and_then(|shape| shape.sample(&seed.part("value", 0)));
    made.map_err(|unmet| Problem::invalid(format!("{path}: invalid schema: {unmet}."), Some(path), None))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
