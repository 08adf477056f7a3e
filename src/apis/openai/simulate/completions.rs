//! Simulated legacy completions: prose after a prompt, for one prompt or several.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::chat::{DONE, event, usage};
use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, MAX_TOKENS, Simulated, text};

/// The provider's limit where the request sets none.
const DEFAULT_LIMIT: u64 = 16;
const MAX_CHOICES: u64 = 128;
/// Completions generated for each prompt, of which the best are returned.
const MAX_BEST_OF: u64 = 20;
/// Completions in one answer, all prompts together.
const MAX_COMPLETIONS: usize = 2_048;

#[derive(Serialize)]
struct Envelope<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
    system_fingerprint: &'a str,
}

/// One prompt: its text, if it is one, and its tokens.
struct Prompt<'a> {
    text: &'a str,
    tokens: u64,
}

/// One completion, finished.
struct Choice {
    text: String,
    finish_reason: &'static str,
    tokens: u64,
}

/// Answers `POST completions`.
pub(in crate::apis::openai) fn answer(body: &[u8], faults: &Faults) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
    let model = fields::model(map)?;
    let prompts = prompts(map)?;
    fields::check_decimal(map, "temperature", 0.0, 2.0)?;
    fields::check_decimal(map, "top_p", 0.0, 1.0)?;
    fields::whole(map, "logprobs", 0, 5)?;
    fields::inner(map, "metadata", "metadata")?;
    fields::text(map, "user", "user")?;
    let (stream, include_usage) = fields::stream(map)?;
    let seed = Seed::of_request("completions", &body);
    let (choices, output) = choices(map, &prompts, &seed, faults)?;
    let input = prompts.iter().map(|prompt| prompt.tokens).sum::<u64>().max(1);

    let id = seed.id("cmpl-", 29);
    let fingerprint = seed.part("fingerprint", 0).id("fp_", 10);
    let envelope =
        |choices, usage| Envelope { id: &id, object: "text_completion", created: seed.created(), model, choices, usage, system_fingerprint: &fingerprint };
    let choice = |index: usize, text: &str, finish: Option<&str>| json!({"text": text, "index": index, "logprobs": null, "finish_reason": finish});
    if !stream {
        let choices = choices.iter().enumerate().map(|(index, done)| choice(index, &done.text, Some(done.finish_reason))).collect();
        let usage = (!faults.no_usage).then(|| usage(input, output));
        return Ok(Simulated::json(serde_json::to_vec(&envelope(choices, usage)).unwrap_or_default()));
    }
    let wants_usage = include_usage && !faults.no_usage;
    let null = wants_usage.then_some(Value::Null);
    let total_bytes = choices.iter().map(|done| done.text.len()).sum();
    let mut events = Vec::new();
    for (index, done) in choices.iter().enumerate() {
        events.extend(text::pieces(&done.text, total_bytes).map(|piece| event(&envelope(vec![choice(index, piece, None)], null.clone()))));
        events.push(event(&envelope(vec![choice(index, "", Some(done.finish_reason))], null.clone())));
    }
    if wants_usage {
        events.push(event(&envelope(Vec::new(), Some(usage(input, output)))));
    }
    events.push(Bytes::from_static(DONE));
    Ok(Simulated::events(events))
}

/// The completions of all prompts, and the output tokens: those of completions that `best_of` discards are counted too, as the provider does.
fn choices(map: &Object, prompts: &[Prompt<'_>], seed: &Seed, faults: &Faults) -> Result<(Vec<Choice>, u64), Problem> {
    let limit = fields::whole(map, "max_tokens", 0, u64::MAX)?.unwrap_or(DEFAULT_LIMIT);
    let count = fields::whole(map, "n", 1, MAX_CHOICES)?.unwrap_or(1);
    let best_of = fields::whole(map, "best_of", 1, MAX_BEST_OF)?.unwrap_or(count);
    if best_of < count {
        return Err(Problem::invalid("'best_of' must be at least 'n'.", Some("best_of"), Some("invalid_value")));
    }
    let echo = fields::flag(map, "echo", "echo")?;
    let stops = fields::stops(map)?;
    let (count, best_of) = (usize::try_from(count).unwrap_or(1), usize::try_from(best_of).unwrap_or(1));
    let all = prompts.len().saturating_mul(best_of);
    if all > MAX_COMPLETIONS {
        let message = format!("The request asks for {all} completions; at most {MAX_COMPLETIONS} are made for one request.");
        return Err(Problem::invalid(message, Some("prompt"), Some("invalid_value")));
    }
    let length = faults.tokens.map(|tokens| tokens.min(MAX_TOKENS / (all as u64).max(1)));
    let (mut choices, mut output) = (Vec::new(), 0_u64);
    for (prompt_index, prompt) in prompts.iter().enumerate() {
        for index in 0..best_of {
            let seed = seed.part("prompt", prompt_index).part("choice", index);
            let choice = complete(&seed, limit, length, &stops);
            output = output.saturating_add(choice.tokens);
            if index < count {
                let text = if echo { format!("{}{}", prompt.text, choice.text) } else { choice.text };
                choices.push(Choice { text, ..choice });
            }
        }
    }
    Ok((choices, output))
}

fn complete(seed: &Seed, limit: u64, length: Option<u64>, stops: &[&str]) -> Choice {
    let mut dice = seed.dice();
    let mut whole = match length {
        Some(length) => text::prose_of(length.min(limit.saturating_add(1)), &mut dice),
        None => text::prose(&mut dice),
    };
    if length.is_none() {
        let end = stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| whole.find(stop)).min();
        whole.truncate(end.unwrap_or(whole.len()));
    }
    let (kept, was_cut) = text::cut(&whole, limit);
    Choice { tokens: text::tokens(kept), finish_reason: if was_cut { "length" } else { "stop" }, text: kept.to_owned() }
}

/// The prompts: a text, several, a list of token numbers, or several of those.
fn prompts<'a>(map: &'a Object) -> Result<Vec<Prompt<'a>>, Problem> {
    let expected = "a string, an array of strings, an array of integers or an array of arrays of integers";
    match fields::get(map, "prompt") {
        None => Err(Problem::missing("prompt")),
        Some(Value::String(text)) => Ok(vec![Prompt { text, tokens: text::tokens(text) }]),
        Some(Value::Array(items)) if items.is_empty() => Err(fields::empty_list("prompt")),
        Some(Value::Array(items)) if items.iter().all(Value::is_u64) => Ok(vec![Prompt { text: "", tokens: items.len() as u64 }]),
        Some(Value::Array(items)) => {
            let prompt = |item: &'a Value| match item {
                Value::String(text) => Ok(Prompt { text, tokens: text::tokens(text) }),
                Value::Array(tokens) if tokens.iter().all(Value::is_u64) => Ok(Prompt { text: "", tokens: tokens.len() as u64 }),
                other => Err(Problem::wrong_type("prompt", expected, other)),
            };
            items.iter().map(prompt).collect()
        }
        Some(other) => Err(Problem::wrong_type("prompt", expected, other)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
