//! What every API reads and writes alike: the frame of a request's body, its plain members, what an event repeats.

use super::AskError;
use super::json::{Kind, Scanner, Text};

/// Model names are at most this long.
const MAX_MODEL_BYTES: usize = 256;

/// A scanner at the beginning of a body that is one JSON object.
pub(super) fn object(body: &[u8]) -> Result<Scanner<'_>, AskError> {
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
    Ok(scanner)
}

/// The name of a model.
pub(super) fn model(scanner: &mut Scanner<'_>) -> Result<String, AskError> {
    if scanner.kind()? != Kind::String {
        return Err(no_model());
    }
    model_name(&scanner.string()?.decode().ok_or_else(no_model)?)
}

/// The same name, if a model can have it.
pub(super) fn model_name(name: &str) -> Result<String, AskError> {
    if name.is_empty() || name.len() > MAX_MODEL_BYTES || name.chars().any(char::is_control) {
        return Err(no_model());
    }
    Ok(name.to_owned())
}

fn no_model() -> AskError {
    AskError::invalid("model", format!("'model' must be the name of a model, at most {MAX_MODEL_BYTES} bytes"))
}

/// True or false.
pub(super) fn boolean(scanner: &mut Scanner<'_>, param: &'static str) -> Result<bool, AskError> {
    let kind = scanner.kind()?;
    if !matches!(kind, Kind::True | Kind::False) {
        return Err(AskError::invalid(param, format!("'{param}' must be true or false")));
    }
    scanner.value()?;
    Ok(kind == Kind::True)
}

/// A whole number of plain digits: `16.0` and `1e3` are numbers that providers read differently.
pub(super) fn integer(scanner: &mut Scanner<'_>, param: &'static str, most: u64) -> Result<u64, AskError> {
    let wrong = || AskError::invalid(param, format!("'{param}' must be a whole number from 0 to {most}"));
    if scanner.kind()? != Kind::Number {
        return Err(wrong());
    }
    let digits = scanner.number()?;
    let number = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())).and_then(|text| text.parse::<u64>().ok());
    number.filter(|number| *number <= most).ok_or_else(wrong)
}

/// What a client wrote, short enough for an error.
pub(super) fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

/// A path, short enough for an error.
pub(super) fn shown(path: &str) -> String {
    path.chars().take(100).collect()
}

/// Keeps what an event says, without a copy where it is known already.
pub(super) fn remember(known: &mut Option<String>, said: Option<Text<'_>>) {
    let Some(said) = said else { return };
    if !known.as_deref().is_some_and(|known| said.is_plainly(known))
        && let Some(said) = said.decode()
        && known.as_deref() != Some(said.as_ref())
    {
        *known = Some(said.into_owned());
    }
}
