//! Simulated answers of Cohere's API: chats with thinking, structured output, calls of tools and citations, streamed or not; embeddings; rankings;
//! and what costs nothing, the list of models and the tokenizer.

mod ask;
mod check;
mod embed;
mod rank;
mod render;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::sandbox::problem::Problem;
use crate::sandbox::schema::Shape;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, MAX_TOKENS, Simulated, fields, text};
use ask::{Ask, Format, Tool};

pub(super) use embed::answer as embed;
pub(super) use rank::answer as rerank;

/// Tokens of the simulated thinking, where there is any.
const THINKING_TOKENS: u64 = 24;
/// Bytes of a token of the simulated tokenizer: its number holds them.
const TOKEN_BYTES: usize = 4;
/// The longest text that is tokenized (Cohere's reference, "Tokenize").
const MAX_TOKENIZED: usize = 65_536;

/// What an answer says, finished.
struct Reply {
    thinking: Option<String>,
    text: String,
    /// What it plans to do with a tool, and the call.
    call: Option<(String, Call)>,
    /// How much of the text is cited, and from which document.
    citation: Option<(usize, String)>,
    finish_reason: &'static str,
    /// Output tokens, thinking and plan included.
    tokens: u64,
}

struct Call {
    id: String,
    name: String,
    arguments: String,
}

/// Answers `POST chat`.
pub(super) fn chat(body: &[u8], faults: &Faults) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let ask = Ask::read(&body)?;
    let reply = reply(&ask, faults)?;
    Ok(render::render(&ask, &reply, faults.no_usage))
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

/// Answers `POST tokenize`: a token's number holds its bytes, so that `detokenize` finds them again.
pub(super) fn tokenize(body: &[u8]) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
    fields::model(map)?;
    let mut rest = fields::required_text(map, "text", "text")?;
    if rest.is_empty() || rest.len() > MAX_TOKENIZED {
        return Err(Problem::invalid(format!("invalid text: it must be between 1 and {MAX_TOKENIZED} bytes long"), Some("text"), None));
    }
    let (mut tokens, mut strings) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let (token, _) = text::cut(rest, 1);
        tokens.push(token.bytes().fold(0_u32, |number, byte| number << 8 | u32::from(byte)));
        strings.push(token);
        rest = rest.get(token.len()..).unwrap_or_default();
    }
    Ok(Simulated::json(json!({"tokens": tokens, "token_strings": strings, "meta": {"api_version": {"version": "1"}}}).to_string()))
}

/// Answers `POST detokenize`.
pub(super) fn detokenize(body: &[u8]) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
    fields::model(map)?;
    let mut bytes = Vec::new();
    for token in fields::list(map, "tokens", "an array of integers")?.ok_or_else(|| Problem::missing("tokens"))? {
        let number = token.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.ok_or_else(|| Problem::wrong_type("tokens", "an array of integers", token))?.to_be_bytes();
        bytes.extend(number.into_iter().skip_while(|byte| *byte == 0).take(TOKEN_BYTES));
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(Simulated::json(json!({"text": text, "meta": {"api_version": {"version": "1"}}}).to_string()))
}

/// An error as Cohere writes it.
pub(super) fn problem_body(problem: &Problem) -> Bytes {
    Bytes::from(json!({"id": uuid(&Seed::of_bytes("problem", problem.message.as_bytes())), "message": problem.message}).to_string())
}

/// An id as Cohere gives them.
fn uuid(seed: &Seed) -> String {
    let hex: String = seed.bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

fn entry(name: &str) -> Value {
    let endpoint = ["embed", "rerank"].into_iter().find(|kind| name.contains(kind)).unwrap_or("chat");
    json!({
        "name": name, "is_deprecated": false, "endpoints": [endpoint], "finetuned": false, "context_length": 128_000,
        "tokenizer_url": null, "default_endpoints": [], "features": null,
    })
}

fn reply(ask: &Ask<'_>, faults: &Faults) -> Result<Reply, Problem> {
    let limit = ask.limit.unwrap_or(u64::MAX);
    let length = faults.tokens.map(|tokens| tokens.min(MAX_TOKENS));
    let thinking = ask.thinks.then(|| {
        let thought =
            text::prose_of(ask.thinking_budget.map_or(THINKING_TOKENS, |budget| budget.min(THINKING_TOKENS)), &mut ask.seed.part("thinking", 0).dice());
        text::cut(&thought, limit).0.to_owned()
    });
    let thought = thinking.as_deref().map_or(0, text::tokens);
    let left = limit.saturating_sub(thought);
    let length = length.map(|length| length.saturating_sub(thought));
    let said = match &ask.tool {
        Some(tool) => call(ask, tool, left, length)?,
        None => said(ask, left, length)?,
    };
    Ok(Reply { thinking, tokens: said.tokens.saturating_add(thought), ..said })
}

/// A call of the tool, in at most `limit` tokens.
fn call(ask: &Ask<'_>, tool: &Tool<'_>, limit: u64, length: Option<u64>) -> Result<Reply, Problem> {
    let arguments = match tool.parameters {
        Some(parameters) => {
            let unmet = |unmet| Problem::invalid(format!("invalid tool '{}': {unmet}.", tool.name), Some(&tool.path), None);
            Shape::new(parameters, true).map_err(unmet)?.sample(&ask.seed.part("value", 0)).map_err(unmet)?.to_string()
        }
        None => "{}".to_owned(),
    };
    let plan = format!("I will use {} to answer.", tool.name);
    let least = text::tokens(&plan) + text::tokens(tool.name) + text::tokens(&arguments);
    let filled = filled(arguments, length.unwrap_or(0).min(limit).saturating_sub(least));
    let tokens = text::tokens(&plan) + text::tokens(tool.name) + text::tokens(&filled);
    if tokens > limit {
        // Half a call is of no use to anyone.
        return Ok(Reply { thinking: None, text: String::new(), call: None, citation: None, finish_reason: "MAX_TOKENS", tokens: limit });
    }
    let id = format!("{}_{}", tool.name, ask.seed.id("", 12).to_ascii_lowercase());
    let call = Call { id, name: tool.name.to_owned(), arguments: filled };
    Ok(Reply { thinking: None, text: String::new(), call: Some((plan, call)), citation: None, finish_reason: "TOOL_CALL", tokens })
}

/// Text, in at most `limit` tokens.
fn said(ask: &Ask<'_>, limit: u64, length: Option<u64>) -> Result<Reply, Problem> {
    let (whole, stopped) = match ask.format {
        Format::Schema(schema) => {
            let unmet = |unmet| Problem::invalid(format!("invalid json schema: {unmet}."), Some("response_format.json_schema"), None);
            let value = Shape::new(schema, false).map_err(unmet)?.sample(&ask.seed.part("value", 0)).map_err(unmet)?.to_string();
            let missing = length.unwrap_or(0).min(limit).saturating_sub(text::tokens(&value));
            (filled(value, missing), false)
        }
        Format::Json => (json!({"simulated": true, "answer": text::prose(&mut ask.seed.part("json", 0).dice())}).to_string(), false),
        Format::Text => {
            let mut dice = ask.seed.part("prose", 0).dice();
            match length {
                // Nothing past the limit is seen, so it is not made either.
                Some(length) => (text::prose_of(length.min(limit.saturating_add(1)), &mut dice), false),
                None => ask.stopped(text::prose(&mut dice)),
            }
        }
    };
    let (kept, was_cut) = text::cut(&whole, limit);
    let finish_reason = match (was_cut, stopped) {
        (true, _) => "MAX_TOKENS",
        (false, true) => "STOP_SEQUENCE",
        (false, false) => "COMPLETE",
    };
    // The first words are cited from the first document.
    let cited = kept.find(';').or_else(|| (!kept.is_empty()).then_some(kept.len()));
    let citation = ask.document.clone().and_then(|document| cited.map(|end| (end, document)));
    Ok(Reply { thinking: None, text: kept.to_owned(), call: None, citation, finish_reason, tokens: text::tokens(kept) })
}

/// JSON made longer by so many tokens, with spaces, which leave it what it is.
fn filled(mut json: String, tokens: u64) -> String {
    json.extend((0..tokens.saturating_mul(TOKEN_BYTES as u64)).map(|_| ' '));
    json
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
