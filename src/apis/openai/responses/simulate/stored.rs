//! Simulated responses that are asked for again. Nothing is kept: the id itself tells the model and what the prose was drawn from. So what comes back is
//! what a plain request got; of tools, formats and limits the id knows nothing.

use serde_json::json;

use super::ask::Ask;
use super::render;
use crate::apis::KeptId;
use crate::apis::openai::responses::Action;
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, Simulated};

const PREFIX: &str = "resp_";
/// Digits of the tag: 128 bits of the request's hash.
const TAG_DIGITS: usize = 32;
/// Bytes of the model's name that an id holds.
const MODEL_BYTES: usize = 64;

/// What everything in the answer to a request is drawn from.
pub(super) fn tag(request: &Seed) -> String {
    hex(request.bytes().get(..TAG_DIGITS / 2).unwrap_or_default())
}

/// The seed of an answer.
pub(super) fn seed(tag: &str) -> Seed {
    Seed::of_bytes("responses", tag.as_bytes())
}

/// The id of an answer.
pub(super) fn id(tag: &str, model: &str) -> String {
    format!("{PREFIX}{tag}{}", hex(model.as_bytes().get(..model.len().min(MODEL_BYTES)).unwrap_or_default()))
}

/// Answers what is asked of the response with that id.
pub(in crate::apis::openai::responses) fn answer(action: Action, id: &str) -> Result<Simulated, Problem> {
    let kept = KeptId::read(id, None);
    let parts = kept
        .id
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_at_checked(TAG_DIGITS))
        .and_then(|(tag, model)| Some((unhex(tag).map(|_| tag)?, unhex(model)?)));
    let Some((tag, model)) = parts else { return Err(not_found(id)) };
    let model = String::from_utf8_lossy(&model).into_owned();
    match action {
        Action::Retrieve => {
            let ask = Ask::of_stored(id, tag, model);
            let reply = super::reply(&ask, &Faults::default())?;
            Ok(render::render(&ask, &reply, false))
        }
        Action::Delete => Ok(Simulated::json(json!({"id": id, "object": "response", "deleted": true}).to_string())),
        Action::Cancel => Err(Problem::invalid("Cannot cancel a synchronous response.", None, None)),
        Action::InputItems => {
            let item = seed(tag).part("input item", 0).id("msg_", 48);
            let content = json!([{"type": "input_text", "text": "This is a simulated input; nothing was kept."}]);
            let data = json!([{"id": item, "type": "message", "status": "completed", "role": "user", "content": content}]);
            Ok(Simulated::json(json!({"object": "list", "data": data, "first_id": item, "last_id": item, "has_more": false}).to_string()))
        }
    }
}

fn not_found(id: &str) -> Problem {
    let id: String = id.chars().take(128).collect();
    Problem { status: 404, ..Problem::invalid(format!("Response with id '{id}' not found."), None, None) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    if digits.len() % 2 != 0 {
        return None;
    }
    digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
