//! Reads what a request asks for, in one scan of its body: the model, the bound on what it can consume, and where the bytes stand that
//! change on the way to the provider. Nothing is copied but the model's name; messages are stepped over.

use std::ops::Range;

use super::content;
use super::fields::{Dialect, Field, OPENAI, Shape};
use super::vocabulary::Counter;
use crate::apis::json::{Kind, Scanner, Text};
use crate::apis::read::{self, boolean, integer, model, short};
use crate::apis::sellers::name_at_seller;
use crate::apis::splice::{Edit, Edits, LimitEdit};
use crate::apis::{Ask, AskError, AskErrorKind, UnseenOutput};
use crate::prices::{Bound, Unit, Usage};

/// Output limits beyond this are mistakes: no model comes near.
const MAX_LIMIT: u64 = i32::MAX as u64;
/// More answers than this are not made by any provider.
const MAX_CHOICES: u64 = 1_024;

/// What has been found in a body so far.
#[derive(Debug, Default)]
pub(super) struct Scan<'c> {
    model: Option<String>,
    stream: bool,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<Limit>,
    max_completion_tokens: Option<Limit>,
    choices: u64,
    service_tier: Option<String>,
    web_search: bool,
    prediction_bytes: Option<u64>,
    prompts: u64,
    has_input: bool,
    /// Bytes of the body that can become input tokens, those of images and audio included.
    pub(super) text_bytes: u64,
    /// Those of images in `data:` addresses, and of audio.
    pub(super) media_bytes: u64,
    /// Tokens that stand for no byte of the body: of the chat format, and token ids.
    pub(super) special_tokens: u64,
    /// Images, and those with `detail: low`.
    pub(super) images: u64,
    pub(super) low_images: u64,
    /// Messages may hold audio, and these many parts of them do.
    pub(super) takes_audio: bool,
    pub(super) audio: u64,
    /// Counts texts, where they are counted; and by how much their tokens are fewer than their bytes.
    pub(super) counter: Option<&'c Counter>,
    pub(super) spared: u64,
    /// Reasoning is asked for by a member that is not shown to be harmless.
    reasons: bool,
}

/// An output limit in the body. `tokens` is None where it is null.
#[derive(Debug)]
struct Limit {
    tokens: Option<u64>,
    value: Range<usize>,
}

/// `stream_options` in the body.
#[derive(Debug)]
struct StreamOptions {
    value: Range<usize>,
    is_null: bool,
    is_empty: bool,
    include_usage: Option<(bool, Range<usize>)>,
}

/// The model of a moderation that names none (OpenAI's API reference, "Moderations").
const MODERATION_MODEL: &str = "omni-moderation-latest";

/// Reads the body of an operation of that shape. Where the model is `named` elsewhere, that is it, whatever the body says.
pub(super) fn read(shape: Shape, body: &[u8], named: Option<&str>) -> Result<Ask, AskError> {
    read_as(&OPENAI, shape, body, named)
}

/// Likewise, with the texts counted.
pub(super) fn read_counted(shape: Shape, body: &[u8], model: &str, counter: Option<&Counter>) -> Result<Ask, AskError> {
    scanned(Scan { counter, ..Scan::default() }, &OPENAI, shape, body, Some(model))
}

/// Reads a body in another API's dialect.
pub(in crate::apis) fn read_as(dialect: &Dialect, shape: Shape, body: &[u8], named: Option<&str>) -> Result<Ask, AskError> {
    scanned(Scan { takes_audio: dialect.audio_millis.is_some(), ..Scan::default() }, dialect, shape, body, named)
}

fn scanned(mut scan: Scan<'_>, dialect: &Dialect, shape: Shape, body: &[u8], named: Option<&str>) -> Result<Ask, AskError> {
    let mut scanner = read::object(body)?;
    let insert_at = scanner.position() + 1;
    scanner.object(|scanner, member| {
        let start = member.start;
        let key = member.key.decode();
        scan.member(dialect, shape, scanner, key.as_deref().unwrap_or_default(), start)
    })?;
    scanner.finish()?;
    if let Some(named) = named {
        scan.model = Some(named.to_owned());
    }
    scan.into_ask(dialect, shape, insert_at)
}

// === impl Scan ===

impl Scan<'_> {
    fn member(&mut self, dialect: &Dialect, shape: Shape, scanner: &mut Scanner<'_>, key: &str, key_start: usize) -> Result<(), AskError> {
        let kind = scanner.kind()?;
        let field = (dialect.field)(shape, key);
        match field {
            Field::MaxTokens => {
                self.max_tokens = Some(limit(scanner, "max_tokens")?);
                return Ok(());
            }
            Field::MaxCompletionTokens => {
                self.max_completion_tokens = Some(limit(scanner, "max_completion_tokens")?);
                return Ok(());
            }
            Field::StreamOptions => {
                self.stream_options = Some(stream_options(scanner)?);
                return Ok(());
            }
            Field::Unknown if kind != Kind::Null || dialect.case_variant(shape, key).is_some() => return Err(unknown(dialect, shape, key)),
            // A null is as good as nothing, whatever it is null of.
            _ if kind == Kind::Null => return scanner.skip().map_err(AskError::from),
            _ => {}
        }
        match field {
            Field::Model => self.model = Some(model(scanner)?),
            Field::Stream => {
                self.stream = boolean(scanner, "stream")?;
            }
            Field::Choices => {
                let count = integer(scanner, if key == "n" { "n" } else { "best_of" }, MAX_CHOICES)?;
                if count == 0 {
                    return Err(AskError::invalid(if key == "n" { "n" } else { "best_of" }, format!("'{key}' must be at least 1")));
                }
                self.choices = self.choices.max(count);
            }
            Field::ServiceTier => self.service_tier = Some(service_tier(dialect, scanner)?),
            Field::Messages => {
                self.has_input = true;
                content::messages(scanner, self)?;
            }
            Field::Tools => content::tools(scanner, self)?,
            Field::Prompt => {
                self.has_input = true;
                self.prompts = content::texts(scanner, self, "prompt")?;
            }
            Field::EmbeddingInput => {
                self.has_input = true;
                content::texts(scanner, self, "input")?;
            }
            Field::ModerationInput => {
                self.has_input = true;
                content::moderated(scanner, self)?;
            }
            Field::Prediction => {
                let bytes = scanner.value()?.len() as u64;
                self.prediction_bytes = Some(bytes);
                self.text_bytes = self.text_bytes.saturating_add(bytes);
            }
            Field::Modalities => scanner.array(|scanner| {
                if scanner.kind()? == Kind::String && scanner.string()?.raw() == b"text" {
                    return Ok(());
                }
                Err(AskError::unsupported("modalities", "only text output is available through this gateway yet: 'modalities' must be [\"text\"]"))
            })?,
            Field::Reasoning => {
                self.reasons = kind != Kind::String || scanner.string()?.raw() != b"none";
                if kind != Kind::String {
                    scanner.skip()?;
                }
            }
            Field::UsageAccounting => usage_accounting(scanner)?,
            Field::WebSearch => {
                self.web_search = true;
                scanner.skip()?;
            }
            Field::Text => {
                let end = scanner.value()?.end;
                self.text_bytes = self.text_bytes.saturating_add((end - key_start) as u64);
            }
            Field::Refused(reason) => return Err(AskError::unsupported(key, format!("'{key}' cannot be priced: {reason}"))),
            Field::Free | Field::MaxTokens | Field::MaxCompletionTokens | Field::StreamOptions | Field::Unknown => scanner.skip()?,
        }
        Ok(())
    }

    /// A text that the model reads as it is. Answers how many bytes of the body it has.
    pub(super) fn text(&mut self, text: &Text<'_>) -> u64 {
        let spared = self.counter.map_or(0, |counter| counter.spared(text));
        self.spared = self.spared.saturating_add(spared);
        text.raw().len() as u64
    }

    fn into_ask(self, dialect: &Dialect, shape: Shape, insert_at: usize) -> Result<Ask, AskError> {
        let default_model = || (shape == Shape::Moderation).then(|| MODERATION_MODEL.to_owned());
        let Some(model) = self.model.clone().or_else(default_model) else {
            return Err(AskError::invalid("model", "'model' is missing"));
        };
        if !self.has_input {
            match shape {
                Shape::Chat => return Err(AskError::invalid("messages", "'messages' is missing")),
                Shape::Embedding | Shape::Moderation => return Err(AskError::invalid("input", "'input' is missing")),
                // The provider starts from an empty prompt.
                Shape::Completion => {}
            }
        }
        let searches = searches_by_itself(&model);
        if self.web_search && !searches {
            let reason = "web search reads pages into the prompt, and how many tokens they have cannot be bounded; use a model whose searches are billed by the call (gpt-4o-search-preview)";
            return Err(AskError::unsupported("web_search_options", reason));
        }
        let choices = self.choices.max(1).saturating_mul(self.prompts.max(1));
        let request_tokens = if shape == Shape::Chat { dialect.request_tokens } else { content::TEXT_TOKENS };
        let text = self.text_bytes.saturating_sub(self.media_bytes).saturating_sub(self.spared);
        let text = text.saturating_add(self.special_tokens).saturating_add(request_tokens);
        let image_tokens = |count: u64, low: bool| count.saturating_mul((dialect.image_tokens)(&model, low));
        let input = Usage::default()
            .with(Unit::Input, text)
            .with(Unit::InputImage, image_tokens(self.images, false).saturating_add(image_tokens(self.low_images, true)))
            .with(Unit::AudioMillis, dialect.audio_millis.filter(|_| self.audio > 0).unwrap_or_default())
            // Rejected predictions are billed as output, beside the limit.
            .with(Unit::Output, self.prediction_bytes.unwrap_or_default().saturating_mul(choices));
        let asked = self.max_completion_tokens.as_ref().and_then(|limit| limit.tokens).or(self.max_tokens.as_ref().and_then(|limit| limit.tokens));
        let has_output = matches!(shape, Shape::Chat | Shape::Completion);
        Ok(Ask {
            bound: Bound {
                input,
                output_tokens: asked,
                has_output,
                choices,
                max_searches: u64::from(searches),
                // What audio makes in tokens, only the model's window bounds.
                windows: u64::from(self.audio > 0),
                ..Bound::default()
            },
            stream: self.stream,
            unseen: if self.reasons || (dialect.reasons_unseen)(&model) { UnseenOutput::Any } else { UnseenOutput::UpTo(0) },
            // A usage that comes unasked is not hidden either.
            asked_usage: !dialect.asks_for_usage
                || self.stream && self.stream_options.as_ref().is_some_and(|options| matches!(options.include_usage, Some((true, _)))),
            edits: Edits {
                limit: has_output.then(|| self.limit_edit(shape, &model, insert_at)),
                fixed: self.usage_edit(insert_at).filter(|_| dialect.asks_for_usage).into_iter().collect(),
            },
            service_tier: self.service_tier,
            model,
        })
    }

    /// Where the output limit is set.
    fn limit_edit(&self, shape: Shape, model: &str, insert_at: usize) -> LimitEdit {
        let limits = [&self.max_completion_tokens, &self.max_tokens];
        let set: Vec<&Limit> = limits.into_iter().flatten().filter(|limit| limit.tokens.is_some()).collect();
        // `max_completion_tokens` stands first: it wins. Providers that know only the other one are told the same.
        let agree_on =
            set.first().and_then(|limit| limit.tokens).filter(|_| set.iter().any(|limit| Some(limit.tokens) != set.first().map(|first| first.tokens)));
        let name =
            if shape == Shape::Chat && self.prediction_bytes.is_none() && wants_max_completion_tokens(model) { "max_completion_tokens" } else { "max_tokens" };
        let null = if name == "max_tokens" { &self.max_tokens } else { &self.max_completion_tokens };
        let mut values: Vec<Range<usize>> = set.iter().map(|limit| limit.value.clone()).collect();
        if values.is_empty() {
            values.extend(null.iter().map(|limit| limit.value.clone()));
        }
        LimitEdit { values, insert_at, name, agree_on }
    }

    /// Asks for the usage at the end of a stream, where the client does not.
    fn usage_edit(&self, insert_at: usize) -> Option<Edit> {
        if !self.stream {
            return None;
        }
        let Some(options) = &self.stream_options else {
            return Some(Edit { range: insert_at..insert_at, text: "\"stream_options\":{\"include_usage\":true}," });
        };
        if options.is_null {
            return Some(Edit { range: options.value.clone(), text: "{\"include_usage\":true}" });
        }
        match &options.include_usage {
            Some((true, _)) => None,
            Some((false, value)) => Some(Edit { range: value.clone(), text: "true" }),
            None => {
                let inside = options.value.start + 1;
                Some(Edit { range: inside..inside, text: if options.is_empty { "\"include_usage\":true" } else { "\"include_usage\":true," } })
            }
        }
    }
}

fn unknown(dialect: &Dialect, shape: Shape, key: &str) -> AskError {
    let key = short(key);
    match dialect.case_variant(shape, &key) {
        Some(right) => AskError { param: Some(key.clone()), message: format!("'{key}' must be written '{right}'"), kind: AskErrorKind::Invalid },
        None => AskError::unsupported(key.clone(), format!("'{key}' is not known to this gateway, so what it costs cannot be bounded; leave it out")),
    }
}

/// `{"include": true}` (OpenRouter's documentation, "Usage Accounting"), and nothing else.
fn usage_accounting(scanner: &mut Scanner<'_>) -> Result<(), AskError> {
    if scanner.kind()? != Kind::Object {
        return Err(AskError::invalid("usage", "'usage' must be an object: {\"include\": true}"));
    }
    scanner.object(|scanner, member| match member.key.decode().as_deref() {
        Some("include") => boolean(scanner, "usage.include").map(|_| ()),
        other => {
            let name = format!("usage.{}", short(other.unwrap_or_default()));
            let message = format!("'{name}' is not known to this gateway, so what it costs cannot be bounded; leave it out");
            Err(AskError::unsupported(name, message))
        }
    })
}

fn service_tier(dialect: &Dialect, scanner: &mut Scanner<'_>) -> Result<String, AskError> {
    let tier = if scanner.kind()? == Kind::String { scanner.string()?.decode() } else { None };
    match tier {
        Some(tier) if dialect.service_tiers.contains(&tier.as_ref()) => Ok(tier.into_owned()),
        _ => Err(AskError::invalid("service_tier", format!("'service_tier' must be one of {}", dialect.service_tiers.join(", ")))),
    }
}

fn limit(scanner: &mut Scanner<'_>, param: &'static str) -> Result<Limit, AskError> {
    if scanner.kind()? == Kind::Null {
        return Ok(Limit { tokens: None, value: scanner.value()? });
    }
    let start = scanner.position();
    let tokens = integer(scanner, param, MAX_LIMIT)?;
    Ok(Limit { tokens: Some(tokens), value: start..scanner.position() })
}

fn stream_options(scanner: &mut Scanner<'_>) -> Result<StreamOptions, AskError> {
    let kind = scanner.kind()?;
    let start = scanner.position();
    let mut include_usage = None;
    let mut is_empty = true;
    match kind {
        Kind::Null => scanner.skip()?,
        Kind::Object => scanner.object(|scanner, member| {
            is_empty = false;
            if member.key.decode().as_deref() != Some("include_usage") {
                return scanner.skip().map_err(AskError::from);
            }
            let kind = scanner.kind()?;
            let start = scanner.position();
            let asked = if kind == Kind::Null { scanner.value().map(|_| false)? } else { boolean(scanner, "stream_options")? };
            include_usage = Some((asked, start..scanner.position()));
            Ok::<(), AskError>(())
        })?,
        _ => return Err(AskError::invalid("stream_options", "'stream_options' must be an object")),
    }
    Ok(StreamOptions { value: start..scanner.position(), is_null: kind == Kind::Null, is_empty, include_usage })
}

/// OpenAI's own chat models know `max_completion_tokens`, and those that reason know nothing else. Other providers of this API all know
/// `max_tokens`, and some ignore the other, which would leave the output without a limit.
fn wants_max_completion_tokens(model: &str) -> bool {
    let name = name_at_seller(model);
    let name = name.strip_prefix("ft:").unwrap_or(name);
    let reasons = name.strip_prefix('o').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    reasons || ["gpt-", "chatgpt-", "codex-", "computer-use-"].iter().any(|start| name.starts_with(start)) && !name.starts_with("gpt-oss")
}

/// Models of which it is not known that all they are billed for shows in the stream: those that reason keep it to themselves, as OpenAI's own and xAI's do.
pub(super) fn reasons_unseen(model: &str) -> bool {
    let name = name_at_seller(model);
    let name = name.strip_prefix("ft:").unwrap_or(name);
    !["gpt-3.5", "gpt-4", "chatgpt-4o", "davinci-", "babbage-", "llama", "mistral", "mixtral", "ministral", "codestral", "claude", "gemma", "phi-", "command"]
        .iter()
        .any(|start| name.to_ascii_lowercase().starts_with(start))
}

/// OpenAI's models that search the web once for every answer, asked or not (its guide "Web search", on Chat Completions).
pub(super) fn searches_by_itself(model: &str) -> bool {
    model.contains("-search-preview") || model.contains("-search-api")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
