//! Reads what a request for speech asks for.

use crate::apis::json::Kind;
use crate::apis::openai::fields::Added;
use crate::apis::openai::given::{Given, is_added, unknown};
use crate::apis::read;
use crate::apis::splice::Edits;
use crate::apis::{Ask, AskError, UnseenOutput};
use crate::prices::{Bound, Unit, Usage};

use super::sound::TOKENS_PER_SECOND;

/// Tokens that stand for no byte of the text: of the format.
const FORMAT_TOKENS: u64 = 64;
/// The most audio that one answer can have, in tokens: `gpt-4o-mini`, which speaks, makes 16,384 tokens at most (OpenAI's model page).
const MOST_OUTPUT: u64 = 16_384;
/// Nobody takes longer for one character, punctuation and pauses included: a digit or a letter that is spelt.
const SECONDS_PER_CHARACTER: u64 = 1;
/// The slowest that can be asked for is a quarter of the usual speed (OpenAI's API reference, "Create speech").
const SLOWEST: u64 = 4;
/// A clip has some silence around it.
const SILENCE_SECONDS: u64 = 10;

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Wish {
    pub(super) model: Option<String>,
    pub(super) input: Option<String>,
    pub(super) instructions: Option<String>,
    pub(super) voice: bool,
    pub(super) response_format: Option<String>,
    pub(super) sse: bool,
}

/// Reads the body. Where the model is `named` elsewhere, that is it, whatever the body says.
pub(super) fn read(body: &[u8], added: Option<Added>, named: Option<&str>) -> Result<Wish, AskError> {
    let mut wish = Wish::default();
    let mut scanner = read::object(body)?;
    scanner.object(|scanner, member| {
        let key = member.key.decode();
        let key = key.as_deref().unwrap_or_default();
        let null = scanner.kind()? == Kind::Null;
        let given = Given::Json(scanner);
        match key {
            key if null && known(key) => given.skip()?,
            "model" => wish.model = Some(given.model()?),
            "input" => wish.input = Some(given.text("input")?.into_owned()),
            "instructions" => wish.instructions = Some(given.text("instructions")?.into_owned()),
            "response_format" => wish.response_format = Some(given.text("response_format")?.into_owned()),
            "stream_format" => {
                wish.sse = match given.text("stream_format")?.as_ref() {
                    "sse" => true,
                    "audio" => false,
                    _ => return Err(AskError::invalid("stream_format", "'stream_format' must be sse or audio")),
                }
            }
            "voice" => {
                wish.voice = true;
                given.skip()?;
            }
            // However slowly it is read, the bound allows for it.
            "speed" => given.skip()?,
            _ if is_added(added, key)? => given.skip()?,
            _ => return Err(unknown(key, known)),
        }
        Ok::<(), AskError>(())
    })?;
    scanner.finish()?;
    if let Some(named) = named {
        wish.model = Some(named.to_owned());
    }
    if wish.model.is_none() {
        return Err(AskError::invalid("model", "'model' is missing"));
    }
    if wish.input.is_none() {
        return Err(AskError::invalid("input", "'input' is missing"));
    }
    Ok(wish)
}

fn known(key: &str) -> bool {
    matches!(key, "model" | "input" | "instructions" | "voice" | "response_format" | "speed" | "stream_format")
}

/// Whether a model is billed by the character: OpenAI's are, whose names say nothing of GPT, and other providers' alike.
pub(super) fn bills_characters(model: &str) -> bool {
    !model.contains("gpt")
}

// === impl Wish ===

impl Wish {
    pub(super) fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    pub(super) fn characters(&self) -> u64 {
        self.input.as_deref().unwrap_or_default().chars().count() as u64
    }

    pub(super) fn into_ask(self) -> Ask {
        let bytes = |text: &Option<String>| text.as_ref().map_or(0, String::len) as u64;
        let text = bytes(&self.input).saturating_add(bytes(&self.instructions)).saturating_add(FORMAT_TOKENS);
        let input = Usage::default().with(Unit::Characters, self.characters()).with(Unit::Input, text);
        let seconds = self.characters().saturating_mul(SECONDS_PER_CHARACTER * SLOWEST).saturating_add(SILENCE_SECONDS);
        let most = seconds.saturating_mul(TOKENS_PER_SECOND).min(MOST_OUTPUT);
        Ask {
            bound: Bound { input, output_tokens: Some(most), has_output: true, choices: 1, as_priced: true, ..Bound::default() },
            stream: self.sse,
            service_tier: None,
            // What is not heard yet may be made already.
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
