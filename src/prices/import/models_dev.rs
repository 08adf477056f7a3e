//! models.dev's `api.json`: providers by name, each with its models; amounts are for a million tokens.

use serde_json::value::RawValue;

use super::List;
use super::listed::{Gatherer, LeftOut, ListedModel};
use super::values::{Members, amount, count, is_nothing, items, members, text};
use crate::prices::ModelLimits;
use crate::prices::model::EntryVariant;

/// The price book's names of providers, where models.dev's differ.
const PROVIDERS: [(&str, &str); 6] = [
    ("xai", "x-ai"),
    ("togetherai", "together"),
    ("amazon-bedrock", "aws"),
    ("fireworks-ai", "fireworks"),
    ("novita-ai", "novita"),
    ("cloudflare-workers-ai", "cloudflare"),
];

const KEYS: [(&str, &str); 7] = [
    ("input", "input_mtok"),
    ("output", "output_mtok"),
    ("cache_read", "cache_read_mtok"),
    ("cache_write", "cache_write_mtok"),
    ("reasoning", "output_reasoning_mtok"),
    ("input_audio", "input_audio_mtok"),
    ("output_audio", "output_audio_mtok"),
];

/// True for the list's form.
pub(super) fn is_list(root: &Members<'_>) -> bool {
    let has_models = |provider: Members<'_>| provider.get("models").and_then(|models| members(models)).is_some();
    root.values().take(8).filter_map(|value| members(value)).any(has_models)
}

/// Its models.
pub(super) fn read(root: &Members<'_>) -> List {
    let mut list = List::new("models.dev");
    for (own, value) in root {
        let provider = PROVIDERS.iter().find(|(name, _)| name == own).map_or(own.as_str(), |(_, here)| here);
        let models = members(value).and_then(|provider| members(provider.get("models")?)).unwrap_or_default();
        for (id, value) in models {
            match model(provider, &id, value) {
                Ok(model) => list.models.push(model),
                Err(why) => list.left_out.push(LeftOut { provider: provider.to_owned(), id, why }),
            }
        }
    }
    list
}

fn model(provider: &str, id: &str, value: &RawValue) -> Result<ListedModel, String> {
    let fields = members(value).ok_or("is in an unknown form")?;
    let limits = fields.get("limit").and_then(|limit| members(limit)).unwrap_or_default();
    let limit = |name: &str| limits.get(name).and_then(|value| count(value));
    let limits = ModelLimits { context: limit("context"), input: limit("input"), output: limit("output") };
    let cost = fields.get("cost").and_then(|cost| members(cost)).ok_or("has no price")?;
    let mut gatherer = Gatherer::default();
    for (name, value) in cost.iter().filter(|(_, value)| !is_nothing(value)) {
        match name.as_str() {
            // What `tiers` says too, for older readers.
            "context_over_200k" if cost.contains_key("tiers") => {}
            "context_over_200k" => step(&mut gatherer, &members(value).ok_or("has context_over_200k in an unknown form")?, 200_000)?,
            "tiers" => {
                for tier in items(value).ok_or("has tiers in an unknown form")? {
                    let tier = members(tier).ok_or("has tiers in an unknown form")?;
                    let size = tier.get("tier").and_then(|of| context_size(of)).ok_or("has a tier that is not by the length of the context")?;
                    step(&mut gatherer, &tier, size)?;
                }
            }
            _ => one(&mut gatherer, name, value, None)?,
        }
    }
    let (terms, notes) = gatherer.finish(EntryVariant::Default)?;
    Ok(ListedModel { provider: provider.to_owned(), id: id.to_owned(), aliases: Vec::new(), rules: Vec::new(), limits, terms: vec![terms], notes })
}

fn context_size(of: &RawValue) -> Option<u64> {
    let of = members(of)?;
    let by_context = of.get("type").and_then(|kind| text(kind)).is_none_or(|kind| kind == "context");
    of.get("size").filter(|_| by_context).and_then(|size| count(size))
}

fn step(gatherer: &mut Gatherer, amounts: &Members<'_>, above: u64) -> Result<(), String> {
    for (name, value) in amounts.iter().filter(|(name, value)| *name != "tier" && !is_nothing(value)) {
        one(gatherer, name, value, Some(above))?;
    }
    Ok(())
}

fn one(gatherer: &mut Gatherer, name: &str, value: &RawValue, above: Option<u64>) -> Result<(), String> {
    match KEYS.iter().find(|(own, _)| *own == name) {
        Some((_, key)) => gatherer.add(key, value, 1, above),
        None if amount(value).is_ok_and(|amount| amount.is_zero()) => Ok(()),
        None => Err(format!("{name} is billed too, and nothing counts it")),
    }
}
