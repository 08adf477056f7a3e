//! Reads what a request in OpenAI's shapes asks for, and adds what the sellers behind Eden AI can bill beyond OpenAI's own rules.

use super::fields::EDENAI;
use crate::apis::json::{Kind, Scanner};
use crate::apis::openai::{self, Shape};
use crate::apis::{Ask, AskError};
use crate::prices::Unit;

/// What a seller's model may be told about tools or a schema beside their definitions: up to 804 tokens in Anthropic's price list, which explains a
/// schema as a tool.
const EXPLAINED_TOKENS: u64 = 2_048;

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
    let mut ask = openai::read_as(&EDENAI, shape, body, named)?;
    let beside = beside(body)?;
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

fn beside(body: &[u8]) -> Result<Beside, AskError> {
    let mut beside = Beside::default();
    let mut scanner = Scanner::strict(body);
    scanner.object(|scanner, member| {
        let key = member.key.decode();
        let explains = matches!(key.as_deref(), Some("tools" | "functions" | "response_format"));
        beside.explained |= explains && scanner.kind()? != Kind::Null;
        beside.hour_cache |= is_hour(scanner, key.as_deref())?;
        Ok::<(), AskError>(())
    })?;
    Ok(beside)
}

/// Steps over the value of a member, and says whether a time to live of other than five minutes stands in it.
fn is_hour(scanner: &mut Scanner<'_>, key: Option<&str>) -> Result<bool, AskError> {
    let mut found = false;
    match scanner.kind()? {
        Kind::Object => scanner.object(|scanner, member| {
            found |= is_hour(scanner, member.key.decode().as_deref())?;
            Ok::<(), AskError>(())
        })?,
        Kind::Array => scanner.array(|scanner| {
            found |= is_hour(scanner, None)?;
            Ok::<(), AskError>(())
        })?,
        Kind::String if key == Some("ttl") => found = scanner.string()?.decode().as_deref() != Some("5m"),
        _ => scanner.skip()?,
    }
    Ok(found)
}
