//! Simulated embeddings: unit vectors drawn from a hash of the content. The same content gets the same vector, whatever stands beside it.

use serde_json::{Value, json};

use super::check::{self, wrong};
use crate::sandbox::fields;
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, Simulated, vector};

/// As the provider documents for one batch.
const MOST_REQUESTS: usize = 100;
const DEFAULT_DIMENSIONS: u64 = 3_072;
const OLD_DIMENSIONS: u64 = 768;

/// Answers one request or a batch of them.
pub(super) fn answer(body: &Value, model: &str, batch: bool, faults: &Faults) -> Result<Simulated, Problem> {
    let map = check::object(body, "request")?;
    let mut tokens = 0;
    let mut answer = Vec::new();
    if batch {
        let requests = fields::list(map, "requests", "an array of objects")?.unwrap_or_default();
        if requests.is_empty() || requests.len() > MOST_REQUESTS {
            let message = format!("* BatchEmbedContentsRequest.requests: at least one and at most {MOST_REQUESTS} requests can be in one batch\n");
            return Err(Problem::invalid(message, Some("requests"), None));
        }
        answer.extend_from_slice(br#"{"embeddings":["#);
        for (index, request) in requests.iter().enumerate() {
            if index > 0 {
                answer.push(b',');
            }
            tokens += one(request, model, &format!("requests[{index}]"), &mut answer)?;
        }
        answer.push(b']');
    } else {
        answer.extend_from_slice(br#"{"embedding":"#);
        tokens = one(body, model, "request", &mut answer)?;
    }
    if !faults.no_usage {
        let usage = json!({"promptTokenCount": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]});
        answer.extend_from_slice(format!(r#","usageMetadata":{usage}"#).as_bytes());
    }
    answer.push(b'}');
    Ok(Simulated::json(answer))
}

/// Writes one embedding, and answers the tokens of what it is of.
fn one(request: &Value, model: &str, path: &str, answer: &mut Vec<u8>) -> Result<u64, Problem> {
    let map = check::object(request, path)?;
    let missing = || Problem::invalid("* EmbedContentRequest.content: contents is not specified\n", Some("content"), None);
    let content = fields::get(map, "content").ok_or_else(missing)?;
    check::content(content, &format!("{path}.content"))?;
    let config = fields::inner(map, "embedContentConfig", "embed_content_config")?;
    let own =
        if model.contains("text-embedding-00") || model.contains("embedding-001") && !model.contains("gemini") { OLD_DIMENSIONS } else { DEFAULT_DIMENSIONS };
    let asked = match config.map(|config| fields::whole(config, "outputDimensionality", 1, own)).transpose()?.flatten() {
        Some(asked) => Some(asked),
        None => fields::whole(map, "outputDimensionality", 1, own)?,
    };
    let dimensions = usize::try_from(asked.unwrap_or(own)).map_err(|_| wrong(path, "output_dimensionality is too large"))?;
    let parts = content.get("parts").cloned().unwrap_or_default();
    answer.extend_from_slice(br#"{"values":"#);
    // Writing numbers to memory cannot fail.
    let _ = serde_json::to_writer(&mut *answer, &vector::unit(&Seed::of_request(model, &json!({"parts": parts})), dimensions));
    answer.push(b'}');
    Ok((check::bytes(content).div_ceil(4) as u64).max(1))
}
