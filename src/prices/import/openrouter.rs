//! OpenRouter's `/api/v1/models`: amounts as strings, for one token, request or search.
//!
//! Source: OpenRouter's API reference, "List available models". Its `image` is left aside: images count as the input tokens that are reported.

use serde_json::value::RawValue;

use super::List;
use super::listed::{Gatherer, LeftOut, ListedModel};
use super::values::{Members, amount, count, is_nothing, items, members, text};
use crate::prices::ModelLimits;
use crate::prices::model::EntryVariant;

const KEYS: [(&str, &str, u128); 13] = [
    ("prompt", "input_mtok", 1_000_000),
    ("completion", "output_mtok", 1_000_000),
    ("input_cache_read", "cache_read_mtok", 1_000_000),
    ("input_cache_write", "cache_write_mtok", 1_000_000),
    ("input_cache_write_1h", "cache_write_1h_mtok", 1_000_000),
    ("internal_reasoning", "output_reasoning_mtok", 1_000_000),
    ("audio", "input_audio_mtok", 1_000_000),
    ("input_audio_cache", "cache_audio_read_mtok", 1_000_000),
    ("audio_output", "output_audio_mtok", 1_000_000),
    ("image_token", "input_image_mtok", 1_000_000),
    ("image_output", "output_image_mtok", 1_000_000),
    ("request", "requests_kcount", 1_000),
    ("web_search", "web_searches_kcount", 1_000),
];

/// True for the list's form.
pub(super) fn is_list(root: &Members<'_>) -> bool {
    let models = root.get("data").and_then(|data| items(data)).unwrap_or_default();
    models.iter().take(8).filter_map(|model| members(model)).any(|model| model.contains_key("pricing"))
}

/// Its models.
pub(super) fn read(root: &Members<'_>) -> List {
    let mut list = List::new("OpenRouter");
    for value in root.get("data").and_then(|data| items(data)).unwrap_or_default() {
        let fields = members(value).unwrap_or_default();
        let Some(id) = fields.get("id").and_then(|id| text(id)) else {
            list.left_out.push(LeftOut { provider: "openrouter".to_owned(), id: String::new(), why: "has no id".to_owned() });
            continue;
        };
        match model(&id, &fields) {
            Ok(model) => list.models.push(model),
            Err(why) => list.left_out.push(LeftOut { provider: "openrouter".to_owned(), id, why }),
        }
    }
    list
}

fn model(id: &str, fields: &Members<'_>) -> Result<ListedModel, String> {
    let pricing = fields.get("pricing").and_then(|pricing| members(pricing)).ok_or("has no price")?;
    let top = fields.get("top_provider").and_then(|top| members(top)).unwrap_or_default();
    let limits = ModelLimits {
        context: fields.get("context_length").and_then(|length| count(length)),
        input: None,
        output: top.get("max_completion_tokens").and_then(|limit| count(limit)),
    };
    let mut gatherer = Gatherer::default();
    for (name, value) in pricing.iter().filter(|(_, value)| !is_nothing(value)) {
        match name.as_str() {
            // The amounts beside it are what is paid.
            "image" | "discount" => {}
            "overrides" => {
                for step in items(value).ok_or("has overrides in an unknown form")? {
                    long_inputs(&mut gatherer, step)?;
                }
            }
            _ => one(&mut gatherer, name, value, None)?,
        }
    }
    let (terms, notes) = gatherer.finish(EntryVariant::Default)?;
    Ok(ListedModel { provider: "openrouter".to_owned(), id: id.to_owned(), aliases: Vec::new(), rules: Vec::new(), limits, terms: vec![terms], notes })
}

/// Amounts for prompts of at least so many tokens.
fn long_inputs(gatherer: &mut Gatherer, step: &RawValue) -> Result<(), String> {
    let step = members(step).ok_or("has overrides in an unknown form")?;
    let least = step.get("min_prompt_tokens").and_then(|least| count(least)).filter(|least| *least > 1).ok_or("has overrides other than by prompt length")?;
    for (name, value) in step.iter().filter(|(name, value)| *name != "min_prompt_tokens" && !is_nothing(value)) {
        one(gatherer, name, value, Some(least - 1))?;
    }
    Ok(())
}

fn one(gatherer: &mut Gatherer, name: &str, value: &RawValue, above: Option<u64>) -> Result<(), String> {
    // A zero says of most of them that there is no such thing: what stands for them then has its own price.
    let optional = !["prompt", "completion"].contains(&name);
    if optional && amount(value).is_ok_and(|amount| amount.is_zero()) {
        return Ok(());
    }
    match KEYS.iter().find(|(own, ..)| *own == name) {
        Some((_, key, times)) => gatherer.add(key, value, *times, above),
        None => Err(format!("{name} is billed too, and nothing counts it")),
    }
}
