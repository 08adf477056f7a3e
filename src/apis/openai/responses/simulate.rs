//! Simulated responses: prose, structured output, calls of tools and summaries of reasoning, streamed or not.

mod ask;
mod check;
mod render;
pub(super) mod stored;

use serde_json::json;

use crate::sandbox::problem::Problem;
use crate::sandbox::schema::Shape;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, MAX_TOKENS, Simulated, fields, text};

use ask::{Ask, Format, Tool};

/// Tokens of simulated reasoning, where it is asked for.
const REASONING_TOKENS: u64 = 24;

/// What the answer says, in the order in which it is said.
struct Reply {
    reasoning: Option<Reasoning>,
    /// None where the limit left no room for any.
    said: Option<Said>,
    /// The limit cut it off.
    cut: bool,
    output_tokens: u64,
}

struct Reasoning {
    id: String,
    /// Its summary, where one is asked for.
    summary: Option<String>,
    encrypted: String,
    tokens: u64,
}

enum Said {
    Text { id: String, text: String },
    Call { id: String, call_id: String, name: String, arguments: String, custom: bool },
}

/// Answers `POST responses`.
pub(super) fn create(body: &[u8], faults: &Faults) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let ask = Ask::read(&body)?;
    let reply = reply(&ask, faults)?;
    Ok(render::render(&ask, &reply, faults.no_usage))
}

/// Answers `POST responses/input_tokens`: the tokens that the same body would be billed.
pub(super) fn count(body: &[u8]) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
    let items = check::input(map)?;
    Ok(Simulated::json(json!({"object": "response.input_tokens", "input_tokens": check::input_tokens(map, &items)}).to_string()))
}

fn reply(ask: &Ask<'_>, faults: &Faults) -> Result<Reply, Problem> {
    let limit = ask.limit.unwrap_or(u64::MAX);
    let reasoning = ask.reasons.then(|| reasoning(ask, limit));
    let thought = reasoning.as_ref().map_or(0, |reasoning| reasoning.tokens);
    let left = limit - thought;
    let length = faults.tokens.map(|tokens| tokens.min(MAX_TOKENS).saturating_sub(thought));
    let whole = whole(ask, length)?;
    let name_tokens = ask.tool.as_ref().map_or(0, |tool| text::tokens(tool.name));
    let (kept, cut) = text::cut(&whole, left.saturating_sub(name_tokens));
    let tokens = (name_tokens + text::tokens(kept)).min(left);
    let said = match &ask.tool {
        _ if left == 0 => None,
        Some(tool) => Some(Said::Call {
            id: ask.seed.part("call item", 0).id(if tool.custom { "ctc_" } else { "fc_" }, 48),
            call_id: ask.seed.id("call_", 24),
            name: tool.name.to_owned(),
            arguments: kept.to_owned(),
            custom: tool.custom,
        }),
        None => Some(Said::Text { id: ask.message_id(), text: kept.to_owned() }),
    };
    Ok(Reply { reasoning, said, cut: cut || left == 0, output_tokens: thought + tokens })
}

/// All that would be said without a limit. `length` is how long it is to be, in tokens.
fn whole(ask: &Ask<'_>, length: Option<u64>) -> Result<String, Problem> {
    let limit = ask.limit.unwrap_or(u64::MAX);
    let prose = |seed: &Seed| match length {
        // Nothing past the limit is seen, so it is not made either.
        Some(length) => text::prose_of(length.min(limit.saturating_add(1)), &mut seed.dice()),
        None => text::prose(&mut seed.dice()),
    };
    let json = match (&ask.tool, &ask.format) {
        (Some(Tool { custom: true, .. }), _) => return Ok(prose(&ask.seed.part("input", 0))),
        (Some(Tool { parameters: None, .. }), _) => "{}".to_owned(),
        (Some(Tool { parameters: Some(schema), .. }), _) => sample(ask, schema, true)?,
        (None, Format::Schema { schema, .. }) => sample(ask, schema, false)?,
        (None, Format::Json) => json!({"simulated": true, "answer": text::prose(&mut ask.seed.part("json", 0).dice())}).to_string(),
        (None, Format::Text) => return Ok(prose(&ask.seed.part("prose", 0))),
    };
    // JSON grows by spaces, which leave it what it is.
    let missing = length.unwrap_or(0).min(limit.saturating_add(1)).saturating_sub(text::tokens(&json));
    Ok(format!("{json}{}", " ".repeat(usize::try_from(missing.saturating_mul(4)).unwrap_or(0))))
}

fn sample(ask: &Ask<'_>, schema: &serde_json::Value, object: bool) -> Result<String, Problem> {
    let value = Shape::new(schema, object).and_then(|shape| shape.sample(&ask.seed.part("value", 0)));
    value.map(|value| value.to_string()).map_err(|unmet| ask.unmet(&unmet))
}

fn reasoning(ask: &Ask<'_>, limit: u64) -> Reasoning {
    let seed = ask.seed.part("reasoning", 0);
    let tokens = REASONING_TOKENS.min(limit);
    Reasoning {
        id: seed.id("rs_", 48),
        summary: ask.summarizes.then(|| text::prose_of(tokens, &mut seed.dice())),
        encrypted: seed.part("encrypted", 0).id("gAAAAA", 122),
        tokens,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
