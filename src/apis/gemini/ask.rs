//! Reads what `generateContent` asks for, in one scan of its body: the bound on what it can consume, and where the output limit stands or goes.

use super::config::{self, Config};
use super::content;
use super::names::{self, members, refused, unknown};
use super::scan::Scan;
use super::searches;
use super::tools::{self, Tools};
use crate::apis::json::{Kind, Scanner};
use crate::apis::read::{self, short};
use crate::apis::splice::{Edits, LimitEdit};
use crate::apis::{Ask, AskError, UnseenOutput};
use crate::prices::{Bound, Unit};

/// The most tokens of one image, as the provider generates them: 2,520 for 4,096 pixels (its guide "Image generation"). One that has begun when the
/// limit is reached is taken to be finished.
const IMAGE_OUTPUT: u64 = 2_520;

/// What is found in a body beside its text.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) scan: Scan,
    config: Option<Config>,
    tools: Tools,
    service_tier: Option<String>,
    has_contents: bool,
}

/// Reads the body of `models/{model}:generateContent`, or of the streamed one.
pub(super) fn read(model: &str, body: &[u8], stream: bool) -> Result<Ask, AskError> {
    let mut found = Found::default();
    let mut scanner = read::object(body)?;
    let insert_at = scanner.position() + 1;
    members(&mut scanner, "request", |scanner, name, start| found.member(scanner, body, model, name, start))?;
    scanner.finish()?;
    found.into_ask(model, stream, insert_at)
}

/// The member `model` of a body: the path has named it already, and the two must agree.
pub(super) fn same_model(scanner: &mut Scanner<'_>, model: &str) -> Result<(), AskError> {
    match names::text(scanner, "model")? {
        None => Ok(()),
        Some(named) if named.strip_prefix("models/").unwrap_or(&named) == model => Ok(()),
        Some(named) => Err(AskError::invalid("model", format!("'model' is '{}' in the body and '{model}' in the path", short(&named)))),
    }
}

// === impl Found ===

impl Found {
    pub(super) fn member(&mut self, scanner: &mut Scanner<'_>, body: &[u8], model: &str, name: &str, start: usize) -> Result<(), AskError> {
        let kind = scanner.kind()?;
        match name {
            "model" => same_model(scanner, model)?,
            "generationConfig" => self.config = Some(config::read(scanner, body, &mut self.scan)?),
            // A null is as good as nothing.
            "contents" | "systemInstruction" | "tools" | "toolConfig" | "serviceTier" | "safetySettings" | "labels" | "store" | "cachedContent"
            | "continuationToken"
                if kind == Kind::Null =>
            {
                scanner.skip()?;
            }
            "contents" => {
                self.has_contents = true;
                content::contents(scanner, &mut self.scan)?;
            }
            "systemInstruction" => content::contents(scanner, &mut self.scan)?,
            "tools" => self.tools = tools::read(scanner, body, &mut self.scan)?,
            "toolConfig" => {
                tool_config(scanner)?;
                self.scan.text_bytes = self.scan.text_bytes.saturating_add((scanner.position() - start) as u64);
            }
            "serviceTier" => self.service_tier = service_tier(scanner)?,
            // The answer that it continues is read again.
            "continuationToken" => {
                self.scan.unseen = true;
                scanner.skip()?;
            }
            "safetySettings" | "labels" | "store" => scanner.skip()?,
            "cachedContent" => return Err(refused(name, "caches belong to the provider's account, which all tokens share, and are billed by the hour")),
            other => return Err(unknown("request", other)),
        }
        Ok(())
    }

    fn into_ask(self, model: &str, stream: bool, insert_at: usize) -> Result<Ask, AskError> {
        if !self.has_contents {
            return Err(AskError::invalid("contents", "'contents' is missing: what the model is to answer"));
        }
        let limit = limit_edit(self.config.as_ref(), insert_at);
        let config = self.config.unwrap_or_default();
        let mut bound = Bound {
            output_tokens: config.max_output,
            has_output: true,
            choices: config.candidates.max(1),
            max_searches: if self.tools.search { searches::most(model) } else { 0 },
            least_output: if config.thinking_budget > 0 { config.thinking_budget.saturating_add(1) } else { 0 },
            widened_window: window(model),
            ..self.scan.bound()
        };
        if config.images || makes_images(model) {
            bound.input.set(Unit::OutputImage, IMAGE_OUTPUT.saturating_mul(bound.choices));
            bound.least_output = bound.least_output.max(IMAGE_OUTPUT);
        }
        Ok(Ask {
            model: model.to_owned(),
            bound,
            stream,
            service_tier: self.service_tier,
            unseen: if thinks(model) { UnseenOutput::Any } else { UnseenOutput::UpTo(0) },
            asked_usage: true,
            edits: Edits { limit: Some(limit), fixed: Vec::new() },
        })
    }
}

/// Where the output limit stands or goes: into `generationConfig`, or with it.
fn limit_edit(config: Option<&Config>, insert_at: usize) -> LimitEdit {
    let (values, insert_at, name) = match config {
        None => (Vec::new(), insert_at, "\"generationConfig\":{\"maxOutputTokens\":#},"),
        Some(config) => match &config.limit_at {
            Some(at) => (vec![at.clone()], 0, ""),
            None if config.is_empty => (Vec::new(), config.inside, "\"maxOutputTokens\":#"),
            None => (Vec::new(), config.inside, "\"maxOutputTokens\":#,"),
        },
    };
    LimitEdit { values, insert_at, name, agree_on: None }
}

fn tool_config(scanner: &mut Scanner<'_>) -> Result<(), AskError> {
    members(scanner, "toolConfig", |scanner, name, _| match name {
        "functionCallingConfig" | "retrievalConfig" | "includeServerSideToolInvocations" => scanner.skip().map_err(AskError::from),
        other => Err(unknown("toolConfig", other)),
    })
}

/// The tier that is asked for. Which one served, the answer may say.
fn service_tier(scanner: &mut Scanner<'_>) -> Result<Option<String>, AskError> {
    let tier = names::text(scanner, "serviceTier")?.unwrap_or_default().to_ascii_lowercase();
    match tier.strip_prefix("service_tier_").unwrap_or(&tier) {
        "" | "unspecified" | "standard" => Ok(None),
        tier @ ("flex" | "priority") => Ok(Some(tier.to_owned())),
        _ => Err(AskError::invalid("serviceTier", "'serviceTier' must be one of standard, flex, priority")),
    }
}

/// The context window that Google documents for its text models, where price lists round it down to a million. Zero for the others.
fn window(model: &str) -> u64 {
    let other = ["image", "tts", "banana", "live", "omni", "robotics", "embedding", "-1.0", "gemini-pro"].iter().any(|word| model.contains(word));
    match model {
        _ if !model.starts_with("gemini-") || other && model != "gemini-pro-latest" => 0,
        _ if model.contains("1.5-pro") => 2_097_152,
        _ => 1_048_576,
    }
}

/// Models whose answer may be an image although none was asked for.
fn makes_images(model: &str) -> bool {
    model.contains("image") || model.contains("banana")
}

/// Whether a model may think, which its stream does not show. Those that came before 2.5 do not, but for one kind.
fn thinks(model: &str) -> bool {
    let early = ["gemini-1", "gemini-2.0", "gemini-pro", "gemini-flash-1", "gemma-2", "gemma-3"].iter().any(|start| model.starts_with(start));
    !early || model.contains("thinking") || model.ends_with("-latest")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
