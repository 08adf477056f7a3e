//! Reads what a request asks for, in one scan of its body: the model, the bound on what it can consume, and where the bytes stand that
//! change on the way to the provider.

use std::ops::Range;

use http::HeaderMap;

use super::fields::{self, Field};
use super::{content, headers, tools};
use crate::apis::json::{Kind, Scanner};
use crate::apis::read::{boolean, integer, model, short};
use crate::apis::splice::{Edit, Edits, LimitEdit};
use crate::apis::{Ask, AskError, AskErrorKind, UnseenOutput};
use crate::prices::{Bound, Unit, Usage};

/// Output limits beyond this are mistakes: no model comes near.
const MAX_LIMIT: u64 = i32::MAX as u64;
/// What the provider adds to any request: the turns' marks and a line of its own.
const REQUEST_TOKENS: u64 = 64;
/// What it adds where thinking or effort is set.
const THINKING_TOKENS: u64 = 128;
/// What it adds to explain a schema of the output; not documented but for "slightly more input".
const FORMAT_TOKENS: u64 = 1_024;
/// The window that the beta `context-1m` opens.
const WIDE_WINDOW: u64 = 1_000_000;
const WIDE_WINDOW_BETA: &str = "context-1m";

/// What has been found in a body so far.
#[derive(Debug, Default)]
pub(super) struct Scan {
    model: Option<String>,
    stream: bool,
    max_tokens: Option<(u64, Range<usize>)>,
    service_tier: Option<String>,
    fast: bool,
    geography: Option<String>,
    thinking_budget: u64,
    /// How much thinking does not show, where there is any.
    thinks: Option<UnseenOutput>,
    has_messages: bool,
    /// Bytes of the body that can become input tokens, those of images included.
    pub(super) text_bytes: u64,
    /// Those of images, and those of PDFs.
    pub(super) image_bytes: u64,
    pub(super) pdf_bytes: u64,
    /// Tokens that stand for no byte of the body.
    pub(super) special_tokens: u64,
    /// Those of the input that the provider's own count may leave out: see [`super::count`].
    pub(super) beside: u64,
    pub(super) images: u64,
    /// Something is asked to stay in the cache for longer than five minutes.
    pub(super) hour_cache: bool,
    /// There is input that the body does not show.
    pub(super) unseen: bool,
    /// Some of it is fetched by the provider, and may be something else each time.
    pub(super) fetched: bool,
    /// Bytes of the tools' definitions, and how often blocks have them read again.
    pub(super) tool_bytes: u64,
    pub(super) tool_references: u64,
    /// How often the model may be run for tools of the provider's own, beside the first time.
    pub(super) reruns: u64,
    pub(super) searches: u64,
    /// What is put into tools that set no limit of their own.
    pub(super) tool_edits: Vec<Edit>,
}

/// Reads the body of `POST messages`.
pub(super) fn read(body: &[u8], headers: &HeaderMap) -> Result<Ask, AskError> {
    read_with(body, headers, &[], None)
}

/// Reads the body of `POST messages` at a provider of the same API that has `added` members which cost nothing. Where the operator says
/// what model is meant, it is `named`.
pub(in crate::apis) fn read_with(body: &[u8], headers: &HeaderMap, added: &[&str], named: Option<&str>) -> Result<Ask, AskError> {
    let mut scan = Scan::default();
    let insert_at =
        members(body, |scanner, key, start| if added.contains(&key) { scanner.skip().map_err(AskError::from) } else { scan.member(scanner, key, start) })?;
    if let Some(named) = named {
        scan.model = Some(named.to_owned());
    }
    let wide = headers.get_all(headers::BETA).iter().any(|value| value.to_str().is_ok_and(|betas| betas.contains(WIDE_WINDOW_BETA)));
    scan.into_ask(insert_at, wide)
}

/// Reads the model's name alone: for what costs nothing.
pub(super) fn read_model(body: &[u8]) -> Result<String, AskError> {
    let mut found = None;
    members(body, |scanner, key, _| {
        if key == "model" {
            found = Some(model(scanner)?);
            return Ok(());
        }
        scanner.skip().map_err(AskError::from)
    })?;
    found.ok_or_else(|| required("model"))
}

/// Walks the members of the body, each with the offset of its key. Answers where its first one stands.
pub(super) fn members<'a>(body: &'a [u8], mut each: impl FnMut(&mut Scanner<'a>, &str, usize) -> Result<(), AskError>) -> Result<usize, AskError> {
    if body.starts_with(b"\xef\xbb\xbf") {
        return Err(AskError::invalid(None, "the body begins with a byte-order mark; send plain UTF-8"));
    }
    if std::str::from_utf8(body).is_err() {
        return Err(AskError::invalid(None, "the body is not valid UTF-8"));
    }
    let mut scanner = Scanner::strict(body);
    if scanner.kind()? != Kind::Object {
        return Err(AskError::invalid(None, "the body must be a JSON object"));
    }
    let insert_at = scanner.position() + 1;
    scanner.object(|scanner, member| {
        let key = member.key.decode();
        each(scanner, key.as_deref().unwrap_or_default(), member.start)
    })?;
    scanner.finish()?;
    Ok(insert_at)
}

// === impl Scan ===

impl Scan {
    pub(super) fn member(&mut self, scanner: &mut Scanner<'_>, key: &str, key_start: usize) -> Result<(), AskError> {
        let kind = scanner.kind()?;
        match fields::field(key) {
            Field::Unknown if kind != Kind::Null || fields::case_variant(key).is_some() => return Err(unknown(key)),
            // A null is as good as nothing, whatever it is null of.
            _ if kind == Kind::Null => return scanner.skip().map_err(AskError::from),
            Field::Model => self.model = Some(model(scanner)?),
            Field::MaxTokens => {
                let start = scanner.position();
                let tokens = integer(scanner, "max_tokens", MAX_LIMIT)?;
                self.max_tokens = Some((tokens, start..scanner.position()));
            }
            Field::Stream => self.stream = boolean(scanner, "stream")?,
            Field::Messages => {
                self.has_messages = true;
                content::messages(scanner, self)?;
            }
            Field::System => content::system(scanner, self)?,
            Field::Tools => tools::tools(scanner, self)?,
            Field::Thinking => self.thinking(scanner)?,
            Field::OutputConfig => self.output_config(scanner)?,
            Field::ContextManagement => context_management(scanner)?,
            Field::ServiceTier => self.service_tier = Some(one_of(scanner, "service_tier", &["auto", "standard_only"])?),
            Field::Speed => self.fast = one_of(scanner, "speed", &["standard", "fast"])? == "fast",
            Field::InferenceGeo => {
                let geography = if kind == Kind::String { scanner.string()?.decode() } else { None };
                let geography = geography.ok_or_else(|| AskError::invalid("inference_geo", "'inference_geo' must be a string"))?;
                self.geography = Some(short(&geography)).filter(|geography| geography != "global");
            }
            Field::Text => self.text(scanner, key_start)?,
            Field::Format => {
                self.adds(FORMAT_TOKENS);
                self.text(scanner, key_start)?;
            }
            Field::Free => content::walk(scanner, self)?,
            Field::Refused(reason) => return Err(AskError::unsupported(key, format!("'{key}' cannot be priced: {reason}"))),
            Field::Unknown => scanner.skip()?,
        }
        Ok(())
    }

    /// Counts what the provider adds of its own, and does not say that it counts.
    pub(super) fn adds(&mut self, tokens: u64) {
        self.special_tokens = self.special_tokens.saturating_add(tokens);
        self.beside = self.beside.saturating_add(tokens);
    }

    /// A member that is text to the model, its name included.
    fn text(&mut self, scanner: &mut Scanner<'_>, key_start: usize) -> Result<(), AskError> {
        content::walk(scanner, self)?;
        self.text_bytes = self.text_bytes.saturating_add((scanner.position() - key_start) as u64);
        Ok(())
    }

    /// Thinking counts as output, within `max_tokens`, which must be larger than the budget for it.
    fn thinking(&mut self, scanner: &mut Scanner<'_>) -> Result<(), AskError> {
        if scanner.kind()? != Kind::Object {
            return Err(AskError::invalid("thinking", "'thinking' must be an object"));
        }
        self.adds(THINKING_TOKENS);
        let mut disabled = false;
        scanner.object(|scanner, member| match (member.key.decode().as_deref(), scanner.kind()?) {
            (Some("budget_tokens"), kind) if kind != Kind::Null => {
                self.thinking_budget = integer(scanner, "thinking", MAX_LIMIT)?;
                Ok(())
            }
            (Some("type"), Kind::String) => {
                disabled = scanner.string()?.raw() == b"disabled";
                Ok(())
            }
            _ => scanner.skip().map_err(AskError::from),
        })?;
        // What is shown of the thinking is a summary. Without a budget nobody knows how long it was.
        self.thinks = match self.thinking_budget {
            _ if disabled => None,
            0 => Some(UnseenOutput::Any),
            budget => Some(UnseenOutput::UpTo(budget)),
        };
        Ok(())
    }

    fn output_config(&mut self, scanner: &mut Scanner<'_>) -> Result<(), AskError> {
        if scanner.kind()? != Kind::Object {
            return Err(AskError::invalid("output_config", "'output_config' must be an object"));
        }
        self.adds(THINKING_TOKENS);
        scanner.object(|scanner, member| {
            let null = scanner.kind()? == Kind::Null;
            match member.key.decode().as_deref().unwrap_or_default() {
                "format" if !null => {
                    self.adds(FORMAT_TOKENS);
                    self.text(scanner, member.start)
                }
                "effort" | "task_budget" | "format" => scanner.skip().map_err(AskError::from),
                _ if null => scanner.skip().map_err(AskError::from),
                other => Err(unknown_in("output_config", other)),
            }
        })
    }

    fn into_ask(self, insert_at: usize, wide_window: bool) -> Result<Ask, AskError> {
        let model = self.model.ok_or_else(|| required("model"))?;
        let (max_tokens, limit_at) = self.max_tokens.ok_or_else(|| required("max_tokens"))?;
        if !self.has_messages {
            return Err(required("messages"));
        }
        let service_tier = match (self.fast, self.geography) {
            (true, Some(_)) => return Err(AskError::unsupported("inference_geo", "'inference_geo' together with 'speed' cannot be priced by this gateway")),
            // Speed and geography are priced as service tiers are: under their names.
            (true, None) => Some("fast".to_owned()),
            (false, Some(geography)) => Some(geography),
            (false, None) => self.service_tier,
        };
        let text = self
            .text_bytes
            .saturating_sub(self.image_bytes)
            .saturating_add(self.special_tokens)
            .saturating_add(self.tool_bytes.saturating_mul(self.tool_references))
            .saturating_add(self.images.saturating_mul(content::most_image_tokens(&model)))
            .saturating_add(REQUEST_TOKENS);
        // Images cost what text does, and are written to the cache like it.
        let unit = if self.hour_cache { Unit::CacheWrite1h } else { Unit::Input };
        // The model is run once more for each use of a tool at the provider, with all that came before as input, and may say as much each time.
        let runs = tools::MOST_RUNS.min(self.reruns.saturating_add(1));
        let windows = if self.reruns > 0 { runs } else { u64::from(self.unseen) };
        let bound = Bound {
            input: Usage::default().with(unit, text),
            output_tokens: Some(max_tokens),
            has_output: true,
            choices: runs,
            max_searches: self.searches,
            windows,
            widened_window: if wide_window { WIDE_WINDOW } else { 0 },
            least_output: if self.thinking_budget > 0 { self.thinking_budget.saturating_add(1) } else { 0 },
            ..Bound::default()
        };
        let limit = LimitEdit { values: vec![limit_at], insert_at, name: "max_tokens", agree_on: None };
        let edits = Edits { limit: Some(limit), fixed: self.tool_edits };
        Ok(Ask { model, bound, stream: self.stream, service_tier, unseen: self.thinks.unwrap_or(UnseenOutput::UpTo(0)), asked_usage: true, edits })
    }
}

/// Clearing old content takes tokens away. Compacting bills a summary beside the answer.
fn context_management(scanner: &mut Scanner<'_>) -> Result<(), AskError> {
    if scanner.kind()? != Kind::Object {
        return Err(AskError::invalid("context_management", "'context_management' must be an object"));
    }
    scanner.object(|scanner, member| {
        let key = member.key.decode();
        let key = key.as_deref().unwrap_or_default();
        if scanner.kind()? == Kind::Null {
            return scanner.skip().map_err(AskError::from);
        }
        if key != "edits" || scanner.kind()? != Kind::Array {
            return Err(unknown_in("context_management", key));
        }
        scanner.array(|scanner| {
            let kind = if scanner.kind()? == Kind::Object { content::type_of(scanner)? } else { None };
            match kind.as_deref() {
                Some(kind) if kind.starts_with("clear_") => Ok(()),
                other => Err(AskError::unsupported(
                    "context_management",
                    format!("edits of type '{}' cannot be priced: what is compacted is billed beside the answer", short(other.unwrap_or_default())),
                )),
            }
        })
    })
}

fn one_of(scanner: &mut Scanner<'_>, param: &'static str, known: &[&str]) -> Result<String, AskError> {
    let value = if scanner.kind()? == Kind::String { scanner.string()?.decode() } else { None };
    match value {
        Some(value) if known.contains(&value.as_ref()) => Ok(value.into_owned()),
        _ => Err(AskError::invalid(param, format!("'{param}' must be one of {}", known.join(", ")))),
    }
}

fn required(param: &'static str) -> AskError {
    AskError::invalid(param, format!("{param}: Field required"))
}

fn unknown(key: &str) -> AskError {
    let key = short(key);
    match fields::case_variant(&key) {
        Some(right) => AskError { param: Some(key.clone()), message: format!("'{key}' must be written '{right}'"), kind: AskErrorKind::Invalid },
        None => AskError::unsupported(key.clone(), format!("'{key}' is not known to this gateway, so what it costs cannot be bounded; leave it out")),
    }
}

/// A member inside of `param` that is not known.
pub(super) fn unknown_in(param: &'static str, key: &str) -> AskError {
    AskError::unsupported(param, format!("'{}' in '{param}' is not known to this gateway, so what it costs cannot be bounded", short(key)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
