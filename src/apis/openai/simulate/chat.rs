//! Simulated chat completions: prose, structured output and tool calls, streamed or not.

mod ask;
mod check;
mod render;

use serde_json::{Value, json};

use crate::sandbox::problem::Problem;
use crate::sandbox::schema::Shape;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, MAX_TOKENS, Simulated, fields, text};

pub(in crate::apis) use ask::{Ask, ToolKind};
pub(in crate::apis) use render::{DONE, event, usage};

use ask::{Format, Tool};

/// Choices that get a value of their own from a schema; further ones repeat these, so that `n` does not multiply the work.
const DIFFERENT_VALUES: usize = 4;

/// What one choice says.
pub(in crate::apis) enum Reply {
    Text(String),
    Call { kind: ToolKind, id: String, name: String, arguments: String },
}

/// One choice, finished.
pub(in crate::apis) struct Choice {
    pub(in crate::apis) reply: Reply,
    pub(in crate::apis) finish_reason: &'static str,
    pub(in crate::apis) tokens: u64,
}

/// Answers `POST chat/completions`.
pub(in crate::apis) fn answer(body: &[u8], faults: &Faults) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let (ask, choices) = finished(&body, faults)?;
    Ok(render::render(&ask, &choices, faults.no_usage))
}

/// What a request asks for, and its choices.
pub(in crate::apis) fn finished<'a>(body: &'a Value, faults: &Faults) -> Result<(Ask<'a>, Vec<Choice>), Problem> {
    let ask = Ask::read(body)?;
    let choices = choices(&ask, faults)?;
    Ok((ask, choices))
}

fn choices(ask: &Ask<'_>, faults: &Faults) -> Result<Vec<Choice>, Problem> {
    let length = faults.tokens.map(|tokens| tokens.min(MAX_TOKENS / ask.choices.max(1) as u64));
    let values = values(ask)?;
    let choice = |index: usize| {
        let seed = ask.seed.part("choice", index);
        let value = index.checked_rem(values.len()).and_then(|index| values.get(index));
        match (&ask.tool, value) {
            (Some(tool), value) => call(ask, tool, value, &seed, length),
            (None, Some(value)) => said(ask, filled(value, length, 0)),
            (None, None) => prose(ask, &seed, length),
        }
    };
    Ok((0..ask.choices).map(choice).collect())
}

/// The JSON texts that a schema asks for, of the tool to call or of the response; none for prose.
fn values(ask: &Ask<'_>) -> Result<Vec<String>, Problem> {
    let shape = match (&ask.tool, &ask.format) {
        (Some(tool), _) => match tool.parameters {
            Some(parameters) => Shape::new(parameters, true).map_err(|unmet| ask.unmet(&unmet))?,
            // No parameters: a call with none.
            None => return Ok(Vec::new()),
        },
        (None, Format::Schema { schema, .. }) => Shape::new(schema, false).map_err(|unmet| ask.unmet(&unmet))?,
        (None, Format::Json) => {
            let value = |index| {
                let mut dice = ask.seed.part("json", index).dice();
                json!({"simulated": true, "answer": text::prose(&mut dice)}).to_string()
            };
            return Ok((0..ask.choices.min(DIFFERENT_VALUES)).map(value).collect());
        }
        (None, Format::Text) => return Ok(Vec::new()),
    };
    let value = |index| shape.sample(&ask.seed.part("value", index)).map(|value| value.to_string()).map_err(|unmet| ask.unmet(&unmet));
    (0..ask.choices.min(DIFFERENT_VALUES)).map(value).collect()
}

fn prose(ask: &Ask<'_>, seed: &Seed, length: Option<u64>) -> Choice {
    let mut dice = seed.part("prose", 0).dice();
    let text = match length {
        // Nothing past the limit is seen, so it is not made either.
        Some(length) => text::prose_of(length.min(ask.limit.unwrap_or(u64::MAX).saturating_add(1)), &mut dice),
        None => ask.stopped(text::prose(&mut dice)),
    };
    said(ask, text)
}

/// Text, cut at the limit.
fn said(ask: &Ask<'_>, text: String) -> Choice {
    let (kept, was_cut) = text::cut(&text, ask.limit.unwrap_or(u64::MAX));
    let tokens = text::tokens(kept);
    let finish_reason = if was_cut { "length" } else { "stop" };
    Choice { reply: Reply::Text(kept.to_owned()), finish_reason, tokens }
}

/// A call of the tool. Its name counts as output too; its arguments are cut at what is left of the limit.
fn call(ask: &Ask<'_>, tool: &Tool<'_>, value: Option<&String>, seed: &Seed, length: Option<u64>) -> Choice {
    let name_tokens = text::tokens(tool.name);
    let whole = match (tool.kind, value) {
        (ToolKind::Custom, _) => text::prose(&mut seed.part("input", 0).dice()),
        (_, Some(value)) => value.clone(),
        (_, None) => "{}".to_owned(),
    };
    let whole = filled(&whole, length, name_tokens);
    let (arguments, was_cut) = text::cut(&whole, ask.limit.unwrap_or(u64::MAX).saturating_sub(name_tokens));
    let finish_reason = match tool.kind {
        _ if was_cut => "length",
        ToolKind::Legacy => "function_call",
        ToolKind::Function | ToolKind::Custom => "tool_calls",
    };
    let tokens = (name_tokens + text::tokens(arguments)).min(ask.limit.unwrap_or(u64::MAX));
    let reply = Reply::Call { kind: tool.kind, id: seed.id("call_", 24), name: tool.name.to_owned(), arguments: arguments.to_owned() };
    Choice { reply, finish_reason, tokens }
}

/// JSON made longer with spaces, which leave it what it is, until it and `before` are `length` tokens.
fn filled(json: &str, length: Option<u64>, before: u64) -> String {
    let mut filled = json.to_owned();
    let missing = length.unwrap_or(0).saturating_sub(before).saturating_sub(text::tokens(json));
    filled.extend((0..missing.saturating_mul(4)).map(|_| ' '));
    filled
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
