//! Simulated moderations: nothing is flagged but the categories whose names stand in the text, so that a program can be shown both.

use serde_json::{Map, Value, json};

use crate::sandbox::Simulated;
use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;

const DEFAULT_MODEL: &str = "omni-moderation-latest";
const MAX_INPUTS: usize = 2_048;
/// Every category, and whether pictures are judged by it (OpenAI's guide "Moderation").
const CATEGORIES: [(&str, bool); 13] = [
    ("harassment", false),
    ("harassment/threatening", false),
    ("hate", false),
    ("hate/threatening", false),
    ("illicit", false),
    ("illicit/violent", false),
    ("self-harm", true),
    ("self-harm/instructions", true),
    ("self-harm/intent", true),
    ("sexual", true),
    ("sexual/minors", false),
    ("violence", true),
    ("violence/graphic", true),
];

/// What is judged as one.
#[derive(Default)]
struct Judged {
    text: String,
    has_text: bool,
    has_image: bool,
}

/// Answers `POST moderations`.
pub(in crate::apis) fn answer(body: &[u8]) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
    let model = fields::text(map, "model", "model")?.unwrap_or(DEFAULT_MODEL);
    let results: Vec<Value> = inputs(map)?.iter().map(result).collect();
    let id = Seed::of_request("moderations", &body).id("modr-", 32);
    Ok(Simulated::json(json!({"id": id, "model": model, "results": results}).to_string()))
}

fn inputs(map: &Object) -> Result<Vec<Judged>, Problem> {
    let of_text = |text: &str| Judged { text: text.to_owned(), has_text: true, has_image: false };
    match fields::get(map, "input") {
        None => Err(Problem::missing("input")),
        Some(Value::String(text)) => Ok(vec![of_text(text)]),
        Some(Value::Array(items)) if items.is_empty() || items.len() > MAX_INPUTS => Err(fields::empty_list("input")),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => Ok(items.iter().filter_map(Value::as_str).map(of_text).collect()),
        // Parts are judged together.
        Some(Value::Array(items)) => {
            let mut judged = Judged::default();
            for (index, item) in items.iter().enumerate() {
                judged.take(item, &format!("input[{index}]"))?;
            }
            Ok(vec![judged])
        }
        Some(other) => Err(Problem::wrong_type("input", "a string or an array", other)),
    }
}

fn result(judged: &Judged) -> Value {
    let seed = Seed::of_bytes("moderation", judged.text.as_bytes());
    let (mut flags, mut scores, mut types) = (Map::new(), Map::new(), Map::new());
    let mut any = false;
    for (index, (name, sees_images)) in CATEGORIES.into_iter().enumerate() {
        let flagged = judged.text.contains(name);
        any |= flagged;
        // Millionths: far from what is flagged.
        let score = if flagged { 0.99 } else { seed.part("score", index).dice().below(1_000) as f64 / 1_000_000.0 };
        let seen: Vec<&str> =
            [("text", judged.has_text), ("image", judged.has_image && sees_images)].into_iter().filter(|(_, seen)| *seen).map(|(kind, _)| kind).collect();
        flags.insert(name.to_owned(), json!(flagged));
        scores.insert(name.to_owned(), json!(score));
        types.insert(name.to_owned(), json!(seen));
    }
    json!({"flagged": any, "categories": flags, "category_scores": scores, "category_applied_input_types": types})
}

// === impl Judged ===

impl Judged {
    fn take(&mut self, part: &Value, path: &str) -> Result<(), Problem> {
        let Value::Object(map) = part else { return Err(Problem::wrong_type(path, "a string or an object", part)) };
        match fields::required_text(map, "type", &format!("{path}.type"))? {
            "text" => {
                self.text.push_str(fields::required_text(map, "text", &format!("{path}.text"))?);
                self.has_text = true;
            }
            "image_url" => {
                let path = format!("{path}.image_url");
                let image = fields::inner(map, "image_url", &path)?.ok_or_else(|| Problem::missing(&path))?;
                fields::required_text(image, "url", &format!("{path}.url"))?;
                self.has_image = true;
            }
            other => return Err(Problem::unknown_value(&format!("{path}.type"), other, &["text", "image_url"])),
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn ask(input: Value) -> Value {
        serde_json::from_slice(&answer(json!({"input": input}).to_string().as_bytes()).unwrap().chunks[0]).unwrap()
    }

    #[test]
    fn each_text_is_judged_and_parts_are_judged_together() {
        let texts = ask(json!(["a quiet day", "violence and hate"]));
        assert_eq!(texts["model"], DEFAULT_MODEL);
        assert_eq!((&texts["results"][0]["flagged"], &texts["results"][1]["flagged"]), (&json!(false), &json!(true)));
        let second = &texts["results"][1];
        assert_eq!((&second["categories"]["violence"], &second["categories"]["sexual"]), (&json!(true), &json!(false)));
        assert!(second["category_scores"].as_object().unwrap().len() == CATEGORIES.len());
        let parts = ask(json!([{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}]));
        assert_eq!(parts["results"].as_array().unwrap().len(), 1);
        assert_eq!(parts["results"][0]["category_applied_input_types"]["violence"], json!(["text", "image"]));
        assert_eq!(parts["results"][0]["category_applied_input_types"]["hate"], json!(["text"]));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for input in [json!(null), json!([]), json!(7), json!([7]), json!([{"type": "video"}]), json!([{"type": "image_url"}])] {
            assert_eq!(answer(json!({"input": input}).to_string().as_bytes()).unwrap_err().status, 400);
        }
    }
}
