//! Simulated embeddings: unit vectors drawn from a hash of the text, as the type of number that was asked for.

use serde_json::{Value, json};

use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, Simulated, text, vectors};

const MAX_INPUTS: usize = 2_048;
const TYPES: [&str; 5] = ["float", "int8", "uint8", "binary", "ubinary"];

/// Answers `POST embeddings`.
pub(in crate::apis::mistral) fn answer(body: &[u8], faults: &Faults) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
    let model = fields::model(map)?;
    let texts = texts(map)?;
    let own = if model.contains("codestral-embed") { 1_536 } else { 1_024 };
    let dimensions = usize::try_from(fields::whole(map, "output_dimension", 1, own)?.unwrap_or(own)).unwrap_or(0);
    let kind = fields::text(map, "output_dtype", "output_dtype")?.unwrap_or("float");
    if !TYPES.contains(&kind) {
        return Err(Problem::unknown_value("output_dtype", kind, &TYPES));
    }
    let base64 = match fields::text(map, "encoding_format", "encoding_format")? {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => return Err(Problem::unknown_value("encoding_format", other, &["float", "base64"])),
    };

    // Written by hand: a tree of millions of numbers would take many times the room of the answer.
    let id = Seed::of_request("embeddings", &body).id("", 32).to_ascii_lowercase();
    let mut answer = format!(r#"{{"id":"{id}","object":"list","data":["#).into_bytes();
    for (index, text) in texts.iter().enumerate() {
        answer.extend_from_slice(if index > 0 { b"," } else { b"" });
        answer.extend_from_slice(format!(r#"{{"object":"embedding","index":{index},"embedding":"#).as_bytes());
        write(&vectors::unit(&Seed::of_bytes(model, text.as_bytes()), dimensions), kind, base64, &mut answer);
        answer.push(b'}');
    }
    answer.extend_from_slice(format!(r#"],"model":{}"#, json!(model)).as_bytes());
    if !faults.no_usage {
        let tokens: u64 = texts.iter().map(|text| text::tokens(text)).sum();
        let usage = json!({"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens});
        answer.extend_from_slice(format!(r#","usage":{usage}"#).as_bytes());
    }
    answer.push(b'}');
    Ok(Simulated::json(answer))
}

/// What is embedded: a text, or several.
fn texts(map: &Object) -> Result<Vec<&str>, Problem> {
    let texts = match fields::get(map, "input").or_else(|| fields::get(map, "inputs")) {
        None => return Err(Problem::missing("input")),
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(items)) => {
            let text = |item: &'_ Value| item.as_str().is_none().then(|| Problem::wrong_type("input", "a string or an array of strings", item));
            if let Some(problem) = items.iter().find_map(text) {
                return Err(problem);
            }
            items.iter().filter_map(Value::as_str).collect()
        }
        Some(other) => return Err(Problem::wrong_type("input", "a string or an array of strings", other)),
    };
    if texts.is_empty() || texts.len() > MAX_INPUTS {
        return Err(Problem::invalid(format!("Invalid 'input': expected 1 to {MAX_INPUTS} texts."), Some("input"), None));
    }
    Ok(texts)
}

fn write(vector: &[f32], kind: &str, base64: bool, answer: &mut Vec<u8>) {
    let shifted = |numbers: Vec<i16>, by: i16| numbers.into_iter().map(|number| number + by).collect::<Vec<i16>>();
    // Writing numbers and letters to memory cannot fail.
    let _ = match kind {
        "int8" => serde_json::to_writer(answer, &vectors::int8(vector)),
        "uint8" => serde_json::to_writer(answer, &shifted(vectors::int8(vector), 128)),
        "binary" => serde_json::to_writer(answer, &shifted(vectors::bits(vector), -128)),
        "ubinary" => serde_json::to_writer(answer, &vectors::bits(vector)),
        _ if base64 => serde_json::to_writer(answer, &vectors::base64(vector)),
        _ => serde_json::to_writer(answer, vector),
    };
}
