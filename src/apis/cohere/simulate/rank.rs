//! Simulated rankings: documents that share words with the query come first.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::uuid;
use crate::apis::cohere::rerank::{PIECES_PER_UNIT, pieces};
use crate::sandbox::fields;
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, Simulated, text};

/// Documents in one request.
const MAX_DOCUMENTS: usize = 10_000;

/// Answers `POST rerank`.
pub(in crate::apis::cohere) fn answer(body: &[u8], faults: &Faults) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
    let model = fields::model(map)?;
    let query = fields::required_text(map, "query", "query")?;
    let listed = fields::list(map, "documents", "an array of strings")?.ok_or_else(|| Problem::missing("documents"))?;
    if listed.is_empty() || listed.len() > MAX_DOCUMENTS {
        return Err(Problem::invalid(format!("invalid request: documents must be 1 to {MAX_DOCUMENTS}"), Some("documents"), None));
    }
    let document = |listed: &Value| {
        let text = listed.as_str().or_else(|| listed.get("text").and_then(Value::as_str));
        text.map(str::to_owned).ok_or_else(|| Problem::wrong_type("documents", "an array of strings", listed))
    };
    let documents = listed.iter().map(document).collect::<Result<Vec<String>, Problem>>()?;
    let top = fields::whole(map, "top_n", 1, u64::MAX)?.and_then(|top| usize::try_from(top).ok()).unwrap_or(usize::MAX);
    let most = fields::whole(map, "max_tokens_per_doc", 1, u64::MAX)?;

    let mut ranked: Vec<(usize, u64)> = documents.iter().map(|document| score(model, query, document)).enumerate().collect();
    ranked.sort_by_key(|(index, score)| (std::cmp::Reverse(*score), *index));
    let results: Vec<Value> = ranked.iter().take(top).map(|(index, score)| json!({"index": index, "relevance_score": *score as f64 / 1_000_000.0})).collect();
    let mut meta = json!({"api_version": {"version": "2", "is_experimental": false}});
    if let (false, Value::Object(meta)) = (faults.no_usage, &mut meta) {
        let pieces = pieces(text::tokens(query), documents.iter().map(|document| text::tokens(document)), most);
        meta.insert("billed_units".to_owned(), json!({"search_units": pieces.div_ceil(PIECES_PER_UNIT) as f64}));
    }
    let id = uuid(&Seed::of_request("rerank", &body));
    Ok(Simulated::json(json!({"id": id, "results": results, "meta": meta}).to_string()))
}

/// How relevant a document is, in millionths: the words of the query that it has, and a little of its own.
fn score(model: &str, query: &str, document: &str) -> u64 {
    let words =
        |text: &str| text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect::<HashSet<_>>();
    let (asked, has) = (words(query), words(document));
    let shared = asked.intersection(&has).count() as u64;
    let own = Seed::of_bytes(model, document.as_bytes()).dice().below(90_000);
    (shared * 900_000).checked_div(asked.len() as u64).unwrap_or(0) + own
}
