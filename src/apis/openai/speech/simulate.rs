//! Simulated speech: silence as long as the text would take, in the format that was asked for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::ask::{self, Wish, bills_characters};
use super::sound::TOKENS_PER_SECOND;
use super::voices::{FORMATS, silence};
use crate::apis::openai::fields::Added;
use crate::apis::openai::simulate::named_event;
use crate::sandbox::problem::Problem;
use crate::sandbox::{Faults, Simulated, fields, text};

/// OpenAI's API reference, "Create speech".
const MAX_CHARACTERS: u64 = 4_096;
/// What a character takes in ordinary speech.
const MILLIS_PER_CHARACTER: u64 = 60;
const LEAST_MILLIS: u64 = 500;
/// The longest that the fault `tokens` can make it.
const MOST_MILLIS: u64 = 600_000;
/// How much audio goes into one event.
const PIECE: usize = 16 << 10;

/// Answers `POST audio/speech`.
pub(super) fn answer(body: &[u8], added: Option<Added>, named: Option<&str>, faults: &Faults) -> Result<Simulated, Problem> {
    let wish = ask::read(body, added, named).map_err(|error| Problem::invalid(error.message, error.param.as_deref(), None))?;
    let object = fields::object(body)?;
    if let Some(map) = object.as_object() {
        fields::check_decimal(map, "speed", 0.25, 4.0)?;
    }
    let (format, content_type) = check(&wish)?;
    let millis = match faults.tokens {
        Some(tokens) => (tokens * 1_000 / TOKENS_PER_SECOND).clamp(LEAST_MILLIS, MOST_MILLIS),
        None => (wish.characters() * MILLIS_PER_CHARACTER).max(LEAST_MILLIS),
    };
    let audio = silence(format, millis);
    if !wish.sse {
        return Ok(Simulated::body(content_type, vec![audio.into()]));
    }
    let mut events: Vec<Value> = audio.chunks(PIECE).map(|piece| json!({"type": "speech.audio.delta", "audio": STANDARD.encode(piece)})).collect();
    let mut done = json!({"type": "speech.audio.done"});
    if !faults.no_usage {
        done["usage"] = usage(&wish, millis);
    }
    events.push(done);
    Ok(Simulated::events(events.iter().map(named_event).collect()))
}

fn check(wish: &Wish) -> Result<(&'static str, &'static str), Problem> {
    if wish.characters() > MAX_CHARACTERS {
        let message =
            format!("Invalid 'input': string too long. Expected a string with maximum length {MAX_CHARACTERS}, but got {} instead.", wish.characters());
        return Err(Problem::invalid(message, Some("input"), Some("string_above_max_length")));
    }
    if wish.characters() == 0 {
        return Err(Problem::invalid("Invalid 'input': input cannot be an empty string.", Some("input"), Some("invalid_value")));
    }
    if !wish.voice {
        return Err(Problem::missing("voice"));
    }
    if wish.sse && bills_characters(wish.model()) {
        return Err(Problem::invalid(format!("'sse' is not supported with the model '{}'.", wish.model()), Some("stream_format"), None));
    }
    let name = wish.response_format.as_deref().unwrap_or("mp3");
    let names = FORMATS.map(|(name, _)| name);
    FORMATS.into_iter().find(|(format, _)| *format == name).ok_or_else(|| Problem::unknown_value("response_format", name, &names))
}

fn usage(wish: &Wish, millis: u64) -> Value {
    let tokens = |part: &Option<String>| text::tokens(part.as_deref().unwrap_or_default());
    let input = tokens(&wish.input) + tokens(&wish.instructions);
    // A token for 50 ms.
    let output = millis.div_ceil(50);
    json!({"input_tokens": input, "output_tokens": output, "total_tokens": input + output})
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
