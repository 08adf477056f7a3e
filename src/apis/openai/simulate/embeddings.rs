//! Simulated embeddings: unit vectors drawn from a hash of the text. The same text gets the same vector, whatever stands beside it.

use serde_json::{Value, json};

use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, Simulated, text, vectors};

const MAX_INPUTS: usize = 2_048;
/// Dimensions where the model's own number is not known.
const DEFAULT_DIMENSIONS: u64 = 1_536;
/// The largest number of dimensions, and of numbers in one answer: 2,048 inputs with the largest model.
const MAX_DIMENSIONS: u64 = 3_072;

/// One text to embed: what its vector is drawn from, and its tokens.
struct Input {
    seed: Seed,
    tokens: u64,
}

/// Answers `POST embeddings`.
pub(in crate::apis) fn answer(body: &[u8], faults: &Faults) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
    let model = fields::model(map)?;
    let inputs = inputs(map, model)?;
    let base64 = match fields::text(map, "encoding_format", "encoding_format")? {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => return Err(Problem::unknown_value("encoding_format", other, &["float", "base64"])),
    };
    fields::text(map, "user", "user")?;
    let dimensions = dimensions(map, model)?;

    // Written by hand: a tree of millions of numbers would take many times the room of the answer.
    let mut answer = br#"{"object":"list","data":["#.to_vec();
    for (index, input) in inputs.iter().enumerate() {
        if index > 0 {
            answer.push(b',');
        }
        answer.extend_from_slice(br#"{"object":"embedding","index":"#);
        answer.extend_from_slice(index.to_string().as_bytes());
        answer.extend_from_slice(br#","embedding":"#);
        write(&vectors::unit(&input.seed, dimensions), base64, &mut answer);
        answer.push(b'}');
    }
    answer.extend_from_slice(br#"],"model":"#);
    answer.extend_from_slice(json!(model).to_string().as_bytes());
    if !faults.no_usage {
        let tokens: u64 = inputs.iter().map(|input| input.tokens).sum();
        answer.extend_from_slice(br#","usage":"#);
        answer.extend_from_slice(json!({"prompt_tokens": tokens, "total_tokens": tokens}).to_string().as_bytes());
    }
    answer.push(b'}');
    Ok(Simulated::json(answer))
}

fn dimensions(map: &Object, model: &str) -> Result<usize, Problem> {
    // Names may carry a prefix (a deployment) or a suffix (a version).
    let own = if model.contains("3-large") { MAX_DIMENSIONS } else { DEFAULT_DIMENSIONS };
    let most = if model.contains("3-small") { own } else { MAX_DIMENSIONS };
    let asked = fields::whole(map, "dimensions", 1, most)?;
    if asked.is_some() && model.contains("ada-002") {
        return Err(Problem::invalid("This model does not support specifying dimensions.", Some("dimensions"), None));
    }
    Ok(usize::try_from(asked.unwrap_or(own)).unwrap_or(0))
}

/// The inputs: a text, several, a list of token numbers, or several of those.
fn inputs(map: &Object, model: &str) -> Result<Vec<Input>, Problem> {
    let of_text = |text: &str| {
        if text.is_empty() {
            return Err(Problem::invalid("Invalid 'input': input cannot be an empty string.", Some("input"), Some("invalid_value")));
        }
        Ok(Input { seed: Seed::of_bytes(model, text.as_bytes()), tokens: text::tokens(text) })
    };
    let of_tokens = |tokens: &[Value]| Input { seed: Seed::of_request(model, &json!(tokens)), tokens: tokens.len() as u64 };
    match fields::get(map, "input") {
        None => Err(Problem::missing("input")),
        Some(Value::String(text)) => Ok(vec![of_text(text)?]),
        Some(Value::Array(items)) if items.is_empty() => Err(fields::empty_list("input")),
        Some(Value::Array(items)) if items.iter().all(Value::is_u64) => Ok(vec![of_tokens(items)]),
        Some(Value::Array(items)) if items.len() > MAX_INPUTS => {
            let message = format!("Invalid 'input': array too long. Expected an array with maximum length {MAX_INPUTS}, but got {} instead.", items.len());
            Err(Problem::invalid(message, Some("input"), Some("array_above_max_length")))
        }
        Some(Value::Array(items)) => {
            let input = |(index, item): (usize, &Value)| match item {
                Value::String(text) => of_text(text),
                Value::Array(tokens) if tokens.is_empty() => Err(fields::empty_list("input")),
                Value::Array(tokens) if tokens.iter().all(Value::is_u64) => Ok(of_tokens(tokens)),
                other => Err(Problem::wrong_type(&format!("input[{index}]"), "a string or an array of integers", other)),
            };
            items.iter().enumerate().map(input).collect()
        }
        Some(other) => Err(Problem::wrong_type("input", "a string or an array", other)),
    }
}

fn write(vector: &[f32], base64: bool, answer: &mut Vec<u8>) {
    if base64 {
        answer.push(b'"');
        answer.extend_from_slice(vectors::base64(vector).as_bytes());
        answer.push(b'"');
    } else {
        // Writing numbers to memory cannot fail.
        let _ = serde_json::to_writer(answer, vector);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
