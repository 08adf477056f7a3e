//! Reads what a chat asks for, in one scan of its body: the model, the bound on what it can consume, and where its output limit stands.

use std::ops::Range;

use super::content;
use super::fields::{self, Field, Table};
use crate::apis::json::{Kind, Scanner};
use crate::apis::read::{self, boolean, integer, model};
use crate::apis::splice::{Edits, LimitEdit};
use crate::apis::{Ask, AskError, UnseenOutput};
use crate::prices::{Bound, Unit, Usage};

/// Output limits beyond this are mistakes: no model comes near.
const MAX_LIMIT: u64 = i32::MAX as u64;
/// What the provider adds to any request: turns' marks, the instruction of the safety mode. It says that it does not bill what it adds ("How Does
/// Cohere's Pricing Work?"); this is for the case that some of it is.
const REQUEST_TOKENS: u64 = 256;

/// What has been found in a body so far.
#[derive(Debug, Default)]
pub(super) struct Scan {
    model: Option<String>,
    stream: bool,
    /// None inside where it is null.
    max_tokens: Option<(Option<u64>, Range<usize>)>,
    thinking_budget: u64,
    has_messages: bool,
    /// Bytes of the body that can become input tokens, those of images included.
    pub(super) text_bytes: u64,
    /// Those of images.
    pub(super) image_bytes: u64,
    /// Tokens that stand for no byte of the body.
    pub(super) special_tokens: u64,
    pub(super) images: u64,
}

/// Reads the body of `POST v2/chat`.
pub(super) fn read(body: &[u8]) -> Result<Ask, AskError> {
    let mut scan = Scan::default();
    let insert_at = members(body, fields::chat, |scanner, field, start| scan.member(scanner, field, start))?;
    scan.into_ask(insert_at)
}

/// Reads the model's name alone: for what costs nothing.
pub(super) fn read_model(body: &[u8]) -> Result<String, AskError> {
    let mut found = None;
    let mut scanner = read::object(body)?;
    scanner.object(|scanner, member| {
        if member.key.decode().as_deref() == Some("model") {
            found = Some(model(scanner)?);
            return Ok(());
        }
        scanner.skip().map_err(AskError::from)
    })?;
    scanner.finish()?;
    found.ok_or_else(|| missing("model"))
}

/// Walks the members of a body by their table, each with the offset of its key: those that are null and mean nothing are left out. Answers where
/// the first one stands.
pub(super) fn members<'a>(
    body: &'a [u8],
    table: Table,
    mut each: impl FnMut(&mut Scanner<'a>, Field, usize) -> Result<(), AskError>,
) -> Result<usize, AskError> {
    let mut scanner = read::object(body)?;
    let insert_at = scanner.position() + 1;
    scanner.object(|scanner, member| {
        let key = member.key.decode();
        let key = key.as_deref().unwrap_or_default();
        let kind = scanner.kind()?;
        match table(key) {
            Field::Unknown if kind != Kind::Null || fields::is_case_variant(table, key) => Err(fields::unknown(table, key)),
            // A limit can be put where its null stands.
            field @ Field::MaxTokens => each(scanner, field, member.start),
            _ if kind == Kind::Null => scanner.skip().map_err(AskError::from),
            field => each(scanner, field, member.start),
        }
    })?;
    scanner.finish()?;
    Ok(insert_at)
}

/// A member that must be there is not.
pub(super) fn missing(param: &'static str) -> AskError {
    AskError::invalid(param, format!("'{param}' is missing"))
}

// === impl Scan ===

impl Scan {
    fn member(&mut self, scanner: &mut Scanner<'_>, field: Field, key_start: usize) -> Result<(), AskError> {
        match field {
            Field::Model => self.model = Some(model(scanner)?),
            Field::Stream => self.stream = boolean(scanner, "stream")?,
            Field::MaxTokens => {
                let null = scanner.kind()? == Kind::Null;
                let start = scanner.position();
                let tokens = if null { scanner.skip().map(|()| None)? } else { Some(integer(scanner, "max_tokens", MAX_LIMIT)?) };
                self.max_tokens = Some((tokens, start..scanner.position()));
            }
            Field::Messages => {
                self.has_messages = true;
                content::messages(scanner, self)?;
            }
            Field::Tools => content::tools(scanner, self)?,
            Field::Documents => content::documents(scanner, self)?,
            Field::Thinking => self.thinking(scanner)?,
            Field::Text => {
                let end = scanner.value()?.end;
                self.text_bytes = self.text_bytes.saturating_add((end - key_start) as u64);
            }
            _ => scanner.skip()?,
        }
        Ok(())
    }

    /// Thinking counts as output, within `max_tokens`.
    fn thinking(&mut self, scanner: &mut Scanner<'_>) -> Result<(), AskError> {
        if scanner.kind()? != Kind::Object {
            return Err(AskError::invalid("thinking", "'thinking' must be an object"));
        }
        let (mut enabled, mut budget) = (true, 0);
        scanner.object(|scanner, member| {
            let key = member.key.decode();
            match (key.as_deref().unwrap_or_default(), scanner.kind()?) {
                ("type", Kind::String) => enabled = scanner.string()?.decode().as_deref() != Some("disabled"),
                (_, Kind::Null) => scanner.skip()?,
                ("token_budget", _) => budget = integer(scanner, "thinking", MAX_LIMIT)?,
                (other, _) => return Err(fields::unknown_in("thinking", other)),
            }
            Ok(())
        })?;
        self.thinking_budget = if enabled { budget } else { 0 };
        Ok(())
    }

    fn into_ask(self, insert_at: usize) -> Result<Ask, AskError> {
        let model = self.model.ok_or_else(|| missing("model"))?;
        if !self.has_messages {
            return Err(missing("messages"));
        }
        let text = self.text_bytes.saturating_sub(self.image_bytes).saturating_add(self.special_tokens).saturating_add(REQUEST_TOKENS);
        let images = self.images.saturating_mul(content::IMAGE_TOKENS);
        let (output_tokens, values) = match self.max_tokens {
            Some((tokens, value)) => (tokens, vec![value]),
            None => (None, Vec::new()),
        };
        let bound = Bound {
            input: Usage::default().with(Unit::Input, text).with(Unit::InputImage, images),
            output_tokens,
            has_output: true,
            choices: 1,
            // Below its budget for thinking there would be no answer.
            least_output: if self.thinking_budget > 0 { self.thinking_budget.saturating_add(1) } else { 0 },
            ..Bound::default()
        };
        let limit = LimitEdit { values, insert_at, name: "max_tokens", agree_on: None };
        let edits = Edits { limit: Some(limit), fixed: Vec::new() };
        // Thinking, the plan for tools and their calls all stand in the stream.
        Ok(Ask { model, bound, stream: self.stream, service_tier: None, unseen: UnseenOutput::UpTo(0), asked_usage: true, edits })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
