//! Reads what a request in OpenAI's shapes asks for, and adds what the sellers behind Eden AI can bill beyond OpenAI's own rules.

use super::fields::EDENAI;
use crate::apis::json::{JsonError, Kind, Scanner};
use crate::apis::openai::{self, Shape};
use crate::apis::{Ask, AskError};
use crate::prices::Unit;

/// What a seller's model may be told about tools or a schema beside their definitions: up to 804 tokens in Anthropic's price list, which explains a
/// schema as a tool.
const EXPLAINED_TOKENS: u64 = 2_048;
/// Google counts 32 tokens for a second of sound (Gemini's documentation, "Audio understanding"); OpenAI's own bound has 20.
const SOUND_FACTOR: u64 = 2;

/// What stands in a body beside what OpenAI's rules bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Beside {
    /// Tools or a schema of the output.
    explained: bool,
    /// Something is asked to stay in a cache for longer than five minutes, which Anthropic's models bill at a price of its own.
    hour_cache: bool,
}

/// Reads the body of an operation of that shape. Where the operator says what model is meant, it is `named`.
pub(super) fn read(shape: Shape, body: &[u8], named: Option<&str>) -> Result<Ask, AskError> {
    widened(openai::read_as(&EDENAI, shape, body, named)?, body)
}

/// What is asked for in that body, with what any seller can bill for it.
pub(super) fn widened(mut ask: Ask, body: &[u8]) -> Result<Ask, AskError> {
    let beside = Beside::of(body)?;
    let input = &mut ask.bound.input;
    if beside.explained {
        input.set(Unit::Input, input.get(Unit::Input).saturating_add(EXPLAINED_TOKENS));
    }
    if beside.hour_cache {
        input.set(Unit::CacheWrite1h, input.get(Unit::Input));
        input.set(Unit::Input, 0);
    }
    Ok(ask)
}

/// A response, likewise. Searches run at the seller: of OpenAI's models alone is known that they keep to `max_tool_calls`, which bounds them.
pub(super) fn response(ask: Ask, body: &[u8]) -> Result<Ask, AskError> {
    if ask.bound.max_searches > 0 && !ask.model.starts_with("openai/") {
        let reason = "cannot be priced with this model: only OpenAI's are known to keep to 'max_tool_calls', which bounds them";
        return Err(AskError::unsupported("tools", format!("searches {reason}")));
    }
    widened(ask, body)
}

/// A transcription, likewise. What models write that only listen is known of OpenAI's alone; others are held for all that they can.
pub(super) fn transcription(mut ask: Ask) -> Ask {
    let listens = ask.model.contains("gpt-4o") || ask.model.contains("whisper");
    if !listens {
        let input = &mut ask.bound.input;
        input.set(Unit::InputAudio, input.get(Unit::InputAudio).saturating_mul(SOUND_FACTOR));
        ask.bound.output_tokens = None;
    }
    ask
}

// === impl Beside ===

impl Beside {
    fn of(body: &[u8]) -> Result<Self, AskError> {
        let mut beside = Self::default();
        let mut scanner = Scanner::strict(body);
        scanner.object(|scanner, member| {
            let key = member.key.decode();
            let explains = matches!(key.as_deref(), Some("tools" | "functions" | "response_format" | "text"));
            beside.explained |= explains && scanner.kind()? != Kind::Null;
            beside.value(scanner, key.as_deref())
        })?;
        Ok(beside)
    }

    /// Steps over the value of a member, and looks for tools in it, and for a time to live of other than five minutes.
    fn value(&mut self, scanner: &mut Scanner<'_>, key: Option<&str>) -> Result<(), JsonError> {
        match scanner.kind()? {
            Kind::Object => scanner.object(|scanner, member| self.value(scanner, member.key.decode().as_deref())),
            Kind::Array => {
                self.explained |= key == Some("tools");
                scanner.array(|scanner| self.value(scanner, None))
            }
            Kind::String if key == Some("ttl") => {
                self.hour_cache |= scanner.string()?.decode().as_deref() != Some("5m");
                Ok(())
            }
            _ => scanner.skip(),
        }
    }
}
