//! Simulated OCR: every page that is named says a few sentences, and what a schema asks for is made up.

use serde_json::{Value, json};

use crate::apis::mistral::ocr::{MOST_PAGES, named_pages};
use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;
use crate::sandbox::schema::Shape;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, Simulated, text};

/// Answers `POST ocr`.
pub(in crate::apis::mistral) fn answer(body: &[u8], faults: &Faults) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
    let model = fields::model(map)?;
    let document = fields::inner(map, "document", "document")?.ok_or_else(|| Problem::missing("document"))?;
    if !["document_url", "image_url", "file_id"].iter().any(|name| fields::get(document, name).is_some()) {
        return Err(Problem::missing("document.document_url"));
    }
    let seed = Seed::of_request("ocr", &body);
    let named = pages(map)?;
    let page = |index: &u64| {
        let markdown = text::prose(&mut seed.part("page", usize::try_from(*index).unwrap_or(0)).dice());
        json!({"index": index, "markdown": markdown, "images": [], "dimensions": {"dpi": 200, "height": 2200, "width": 1700}})
    };
    let pages: Vec<Value> = named.iter().map(page).collect();
    let mut answer = json!({"pages": pages, "model": model, "document_annotation": annotation(map, &seed)?});
    if !faults.no_usage {
        answer["usage_info"] = json!({"pages_processed": named.len(), "doc_size_bytes": null});
    }
    Ok(Simulated::json(answer.to_string()))
}

/// The pages that are named; without any the document has one.
fn pages(map: &Object) -> Result<Vec<u64>, Problem> {
    let wrong = |value: &Value| Problem::wrong_type("pages", "an array of integers or a string of ranges", value);
    let mut pages: Vec<u64> = match fields::get(map, "pages") {
        None => vec![0],
        Some(value @ Value::String(text)) => named_pages(text).ok_or_else(|| wrong(value))?.into_iter().collect(),
        Some(Value::Array(items)) => items.iter().map(|item| item.as_u64().ok_or_else(|| wrong(item))).collect::<Result<_, _>>()?,
        Some(other) => return Err(wrong(other)),
    };
    pages.sort_unstable();
    pages.dedup();
    pages.truncate(usize::try_from(MOST_PAGES).unwrap_or(usize::MAX));
    Ok(if pages.is_empty() { vec![0] } else { pages })
}

/// What the document is annotated with: JSON in a text.
fn annotation(map: &Object, seed: &Seed) -> Result<Option<String>, Problem> {
    let path = "document_annotation_format";
    let Some(format) = fields::inner(map, path, path)? else { return Ok(None) };
    let Some(schema) = format.get("json_schema").and_then(|asked| asked.get("schema")) else { return Err(Problem::missing(&format!("{path}.json_schema"))) };
    let unmet = |unmet| Problem::invalid(format!("Invalid schema for {path}: {unmet}."), Some(path), None);
    Shape::new(schema, false).map_err(unmet)?.sample(&seed.part("annotation", 0)).map_err(unmet).map(|value| Some(value.to_string()))
}
