//! Simulated embeddings, of texts and of images, as every type of number that was asked for.

use serde_json::{Value, json};

use super::uuid;
use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, Simulated, text, vectors};

/// Texts and mixed inputs in one request.
const MAX_INPUTS: usize = 96;
/// What is said of an image's tokens.
const IMAGE_TOKENS: u64 = 256;
const INPUT_TYPES: [&str; 5] = ["search_document", "search_query", "classification", "clustering", "image"];
const TYPES: [&str; 6] = ["float", "int8", "uint8", "binary", "ubinary", "base64"];

/// What is embedded.
#[derive(Default)]
struct Inputs<'a> {
    seeds: Vec<Seed>,
    texts: Vec<&'a str>,
    text_tokens: u64,
    images: u64,
}

/// Answers `POST embed`.
pub(in crate::apis::cohere) fn answer(body: &[u8], faults: &Faults) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
    let model = fields::model(map)?;
    let input_type = fields::required_text(map, "input_type", "input_type")?;
    if !INPUT_TYPES.contains(&input_type) {
        return Err(Problem::unknown_value("input_type", input_type, &INPUT_TYPES));
    }
    let inputs = Inputs::read(map, model)?;
    let dimensions = dimensions(map, model)?;
    let types = types(map)?;

    // Written by hand: a tree of all the numbers would take many times the room of the answer.
    let id = uuid(&Seed::of_request("embed", &body));
    let mut answer = format!(r#"{{"id":"{id}","embeddings":{{"#).into_bytes();
    let vectors: Vec<Vec<f32>> = inputs.seeds.iter().map(|seed| vectors::unit(seed, dimensions)).collect();
    for (place, kind) in types.iter().enumerate() {
        answer.extend_from_slice(if place > 0 { b"," } else { b"" });
        answer.extend_from_slice(format!(r#""{kind}":["#).as_bytes());
        for (index, vector) in vectors.iter().enumerate() {
            answer.extend_from_slice(if index > 0 { b"," } else { b"" });
            write(vector, kind, &mut answer);
        }
        answer.push(b']');
    }
    let images: Vec<Value> = (0..inputs.images).map(|_| json!({"width": 1, "height": 1, "format": "png", "bit_depth": 24})).collect();
    answer
        .extend_from_slice(format!(r#"}},"texts":{},"images":{},"response_type":"embeddings_by_type","meta":"#, json!(inputs.texts), json!(images)).as_bytes());
    let mut meta = json!({"api_version": {"version": "2"}});
    if let (false, Value::Object(meta)) = (faults.no_usage, &mut meta) {
        meta.insert("billed_units".to_owned(), inputs.billed(model));
    }
    answer.extend_from_slice(meta.to_string().as_bytes());
    answer.push(b'}');
    Ok(Simulated::json(answer))
}

// === impl Inputs ===

impl<'a> Inputs<'a> {
    fn read(map: &'a Object, model: &str) -> Result<Self, Problem> {
        let mut inputs = Self::default();
        for text in fields::list(map, "texts", "an array of strings")?.unwrap_or_default() {
            let text = text.as_str().ok_or_else(|| Problem::wrong_type("texts", "an array of strings", text))?;
            inputs.texts.push(text);
            inputs.text_tokens += text::tokens(text);
            inputs.seeds.push(Seed::of_bytes(model, text.as_bytes()));
        }
        for image in fields::list(map, "images", "an array of strings")?.unwrap_or_default() {
            let image = image.as_str().ok_or_else(|| Problem::wrong_type("images", "an array of strings", image))?;
            inputs.images += 1;
            inputs.seeds.push(Seed::of_bytes(model, image.as_bytes()));
        }
        for input in fields::list(map, "inputs", "an array of objects")?.unwrap_or_default() {
            let parts = input.get("content").and_then(Value::as_array).ok_or_else(|| Problem::missing("inputs.content"))?;
            for part in parts {
                match (part.get("text").and_then(Value::as_str), part.get("image_url")) {
                    (Some(text), _) => inputs.text_tokens += text::tokens(text),
                    (None, Some(_)) => inputs.images += 1,
                    (None, None) => return Err(Problem::missing("inputs.content.text")),
                }
            }
            inputs.seeds.push(Seed::of_request(model, input));
        }
        match inputs.seeds.len() {
            0 => Err(Problem::invalid("invalid request: one of texts, images and inputs must be specified", Some("texts"), None)),
            1..=MAX_INPUTS => Ok(inputs),
            count => Err(Problem::invalid(format!("invalid request: at most {MAX_INPUTS} inputs are allowed, got {count}"), Some("texts"), None)),
        }
    }

    /// What is billed, as floats.
    fn billed(&self, model: &str) -> Value {
        let text = self.text_tokens as f64;
        match self.images {
            0 => json!({"input_tokens": text}),
            images if model.contains("-v3.0") => json!({"input_tokens": text, "images": images as f64}),
            images => json!({"input_tokens": text, "image_tokens": images.saturating_mul(IMAGE_TOKENS) as f64}),
        }
    }
}

fn dimensions(map: &Object, model: &str) -> Result<usize, Problem> {
    let own = match model {
        _ if model.contains("-light-v3.0") => 384,
        _ if model.contains("-v3.0") => 1_024,
        _ => 1_536,
    };
    let asked = fields::whole(map, "output_dimension", 1, own)?;
    Ok(usize::try_from(asked.unwrap_or(own)).unwrap_or(0))
}

fn types(map: &Object) -> Result<Vec<&'static str>, Problem> {
    let asked = fields::list(map, "embedding_types", "an array of strings")?.unwrap_or_default();
    let mut types = Vec::new();
    for asked in asked {
        let name = asked.as_str().unwrap_or_default();
        let known = TYPES.into_iter().find(|known| *known == name).ok_or_else(|| Problem::unknown_value("embedding_types", name, &TYPES))?;
        if !types.contains(&known) {
            types.push(known);
        }
    }
    if types.is_empty() {
        types.push("float");
    }
    Ok(types)
}

fn write(vector: &[f32], kind: &str, answer: &mut Vec<u8>) {
    let shifted = |numbers: Vec<i16>, by: i16| numbers.into_iter().map(|number| number + by).collect::<Vec<i16>>();
    // Writing numbers and letters to memory cannot fail.
    let _ = match kind {
        "int8" => serde_json::to_writer(answer, &vectors::int8(vector)),
        "uint8" => serde_json::to_writer(answer, &shifted(vectors::int8(vector), 128)),
        "binary" => serde_json::to_writer(answer, &shifted(vectors::bits(vector), -128)),
        "ubinary" => serde_json::to_writer(answer, &vectors::bits(vector)),
        "base64" => serde_json::to_writer(answer, &vectors::base64(vector)),
        _ => serde_json::to_writer(answer, vector),
    };
}
