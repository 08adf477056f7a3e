//! LiteLLM's `model_prices_and_context_window.json`: one object, model by model, with amounts for one token, second, page, ...
//!
//! Source: the file's own `sample_spec`, and LiteLLM's documentation, "Custom pricing".

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::List;
use super::listed::{Gatherer, LeftOut, ListedModel};
use super::values::{Members, amount, count, is_nothing, members, text};
use crate::prices::ModelLimits;
use crate::prices::images::ImagePrice;
use crate::prices::model::EntryVariant;
use crate::prices::terms::Terms;

/// Fields with an amount for one token, and the keys that they are here.
const BY_TOKEN: [(&str, &str); 16] = [
    ("input_cost_per_token", "input_mtok"),
    ("output_cost_per_token", "output_mtok"),
    ("cache_read_input_token_cost", "cache_read_mtok"),
    ("input_cost_per_token_cache_hit", "cache_read_mtok"),
    ("cache_creation_input_token_cost", "cache_write_mtok"),
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h_mtok"),
    ("input_cost_per_audio_token", "input_audio_mtok"),
    ("cache_read_input_audio_token_cost", "cache_audio_read_mtok"),
    ("cache_read_input_token_cost_per_audio_token", "cache_audio_read_mtok"),
    ("input_cost_per_image_token", "input_image_mtok"),
    ("cache_read_input_image_token_cost", "cache_image_read_mtok"),
    ("input_cost_per_video_token", "input_video_mtok"),
    ("output_cost_per_reasoning_token", "output_reasoning_mtok"),
    ("output_cost_per_audio_token", "output_audio_mtok"),
    ("output_cost_per_image_token", "output_image_mtok"),
    ("output_cost_per_video_token", "output_video_mtok"),
];

/// Other fields: their keys, and how many of the field's units the key's amount stands for.
const OTHERS: [(&str, &str, u128); 4] = [
    ("input_cost_per_request", "requests_kcount", 1_000),
    ("file_search_cost_per_1k_calls", "storage_searches_kcount", 1),
    ("ocr_cost_per_page", "input_document_kpages", 1_000),
    ("annotation_cost_per_page", "input_annotated_document_kpages", 1_000),
];

/// Amounts that stand beside those by token and price the same otherwise, and what no request of this gateway can use.
const ASIDE: [&str; 12] = [
    "input_cost_per_character",
    "output_cost_per_character",
    "input_cost_per_second",
    "output_cost_per_second",
    "input_cost_per_image",
    "output_cost_per_image",
    "input_cost_per_video_per_second",
    "input_cost_per_audio_per_second",
    "file_search_cost_per_gb_per_day",
    "vector_store_cost_per_gb_per_day",
    "code_interpreter_cost_per_session",
    "cache_creation_input_audio_token_cost",
];

/// The price book's names of providers, where LiteLLM's differ.
const PROVIDERS: [(&str, &str); 12] = [
    ("gemini", "google"),
    ("cohere_chat", "cohere"),
    ("together_ai", "together"),
    ("xai", "x-ai"),
    ("text-completion-openai", "openai"),
    ("azure_text", "azure"),
    ("bedrock", "aws"),
    ("bedrock_converse", "aws"),
    ("fireworks_ai", "fireworks"),
    ("fireworks_ai-embedding-models", "fireworks"),
    ("voyage", "voyageai"),
    ("moonshot", "moonshotai"),
];

/// True for the list's form.
pub(super) fn is_list(root: &Members<'_>) -> bool {
    root.values().take(8).filter_map(|value| members(value)).any(|model| model.contains_key("litellm_provider"))
}

/// Its models.
pub(super) fn read(root: &Members<'_>) -> List {
    let mut list = List::new("LiteLLM");
    let mut images: BTreeMap<(String, String), Gatherer> = BTreeMap::new();
    for (name, value) in root.iter().filter(|(name, _)| *name != "sample_spec") {
        let fields = members(value).unwrap_or_default();
        let Some(own_provider) = fields.get("litellm_provider").and_then(|value| text(value)) else {
            list.left_out.push(LeftOut { provider: String::new(), id: name.clone(), why: "names no provider".to_owned() });
            continue;
        };
        let provider = PROVIDERS.iter().find(|(own, _)| *own == own_provider).map_or(own_provider.as_str(), |(_, here)| here).to_owned();
        let name = plain_name(name, &own_provider);
        let parts = image_parts(name);
        let read = if parts.size.is_some() || parts.quality.is_some() {
            image(&mut images, &provider, &parts, &fields).map(|()| None)
        } else {
            model(&provider, name, &fields).map(Some)
        };
        match read {
            Ok(Some(model)) => list.models.push(model),
            Ok(None) => {}
            Err(why) => list.left_out.push(LeftOut { provider, id: name.to_owned(), why }),
        }
    }
    for ((provider, id), gatherer) in images {
        add_images(&mut list, provider, id, gatherer);
    }
    list
}

/// The images of a model that is listed by size and quality, under one name.
fn add_images(list: &mut List, provider: String, id: String, gatherer: Gatherer) {
    let same = |model: &&mut ListedModel| model.provider == provider && model.id == id;
    match (gatherer.finish(EntryVariant::Default), list.models.iter_mut().find(same)) {
        (Err(why), _) => list.left_out.push(LeftOut { provider, id, why }),
        (Ok(_), Some(model)) if model.terms.iter().any(|terms| terms.list.images().is_empty()) => {
            model.notes.push("is billed by the token: its prices by the image are left aside".to_owned());
        }
        (Ok((terms, _)), Some(model)) => {
            // One price for all is what is meant where no other fits.
            let known: Vec<ImagePrice> = terms.list.images().to_vec();
            for own in &mut model.terms {
                own.list.add_images(known.iter().copied());
            }
        }
        (Ok((terms, notes)), None) => {
            list.models.push(ListedModel { provider, id, aliases: Vec::new(), rules: Vec::new(), limits: ModelLimits::default(), terms: vec![terms], notes });
        }
    }
}

/// The name that the provider itself knows: `gemini/gemini-2.5-pro` without the list's own prefix.
fn plain_name<'a>(name: &'a str, provider: &str) -> &'a str {
    let prefixes = [provider, provider.trim_end_matches("_chat"), provider.trim_end_matches("-embedding-models")];
    prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)?.strip_prefix('/')).unwrap_or(name)
}

/// `hd/1024-x-1792/dall-e-3`, taken apart.
struct ImageParts<'a> {
    id: &'a str,
    size: Option<String>,
    pixels: Option<u128>,
    quality: Option<&'a str>,
    /// `50-steps`: nothing in a request tells of them.
    steps: bool,
}

fn image_parts(name: &str) -> ImageParts<'_> {
    const QUALITIES: [&str; 5] = ["standard", "hd", "low", "medium", "high"];
    let mut parts = ImageParts { id: name, size: None, pixels: None, quality: None, steps: false };
    while let Some((first, rest)) = parts.id.split_once('/') {
        let sides = first.split_once("-x-").and_then(|(width, height)| Some((width.parse::<u32>().ok()?, height.parse::<u32>().ok()?)));
        if let Some((width, height)) = sides {
            parts.size = Some(format!("{width}x{height}"));
            parts.pixels = Some(u128::from(width) * u128::from(height));
        } else if QUALITIES.contains(&first) {
            parts.quality = Some(first);
        } else if first.ends_with("-steps") {
            parts.steps = true;
        } else {
            break;
        }
        parts.id = rest;
    }
    parts
}

fn image(images: &mut BTreeMap<(String, String), Gatherer>, provider: &str, parts: &ImageParts<'_>, fields: &Members<'_>) -> Result<(), String> {
    if parts.steps {
        return Err("is priced by steps, which nothing counts".to_owned());
    }
    let (field, times) = [("input_cost_per_pixel", parts.pixels), ("input_cost_per_image", Some(1)), ("output_cost_per_image", Some(1))]
        .into_iter()
        .find_map(|(field, times)| Some((costs(fields, field)?, times?)))
        .ok_or("has no price by the image")?;
    let gatherer = images.entry((provider.to_owned(), parts.id.to_owned())).or_default();
    gatherer.add_image(field, times, parts.size.as_deref(), parts.quality)
}

/// A field's value where it is there and not zero.
fn costs<'a>(fields: &Members<'a>, field: &str) -> Option<&'a RawValue> {
    fields.get(field).copied().filter(|value| !is_nothing(value) && amount(value).is_ok_and(|amount| !amount.is_zero()))
}

fn model(provider: &str, id: &str, fields: &Members<'_>) -> Result<ListedModel, String> {
    let mode = fields.get("mode").and_then(|value| text(value)).unwrap_or_default();
    let limit = |field: &str| fields.get(field).and_then(|value| count(value));
    let limits = ModelLimits { context: None, input: limit("max_input_tokens"), output: limit("max_output_tokens") };
    let mut cases: BTreeMap<&str, Gatherer> = BTreeMap::new();
    let mut unknown = Vec::new();
    for (field, value) in fields {
        let Some((case, base, above)) = taken_apart(field) else { continue };
        if is_nothing(value) {
            continue;
        }
        let gatherer = cases.entry(case).or_default();
        if let Some((_, key)) = BY_TOKEN.iter().find(|(own, _)| *own == base) {
            gatherer.add(key, value, 1_000_000, above)?;
        } else if let Some((_, key, times)) = OTHERS.iter().find(|(own, ..)| *own == base) {
            if costs(fields, field).is_some() {
                gatherer.add(key, value, *times, above)?;
            }
        } else if base == "search_context_cost_per_query" {
            searches(gatherer, value)?;
        } else if amount(value).is_ok_and(|amount| amount.is_zero()) {
            // Whatever it is, it costs nothing.
        } else {
            unknown.push((field.as_str(), base));
        }
    }
    let usual = cases.entry("").or_default();
    let by_token = usual.costs("input_mtok") || usual.costs("output_mtok");
    let mut notes = Vec::new();
    if by_token {
        let (aside, unknown): (Vec<_>, Vec<_>) = unknown.into_iter().partition(|(_, base)| ASIDE.contains(base));
        if let Some((field, _)) = unknown.first() {
            return Err(format!("{field} is billed too, and nothing counts it"));
        }
        notes.extend(aside.iter().map(|(field, _)| format!("{field} is left aside")));
    } else {
        otherwise(usual, &mode, fields, &unknown)?;
    }
    // A list of embeddings and the like says of output that it costs nothing: there is none.
    if !usual.gives("output_") && !["chat", "completion", "responses"].contains(&mode.as_str()) {
        cases.values_mut().for_each(|gatherer| gatherer.remove("output_mtok"));
    }
    let mut terms: Vec<Terms> = Vec::new();
    for (case, gatherer) in cases {
        if gatherer.is_empty() {
            continue;
        }
        match (case, gatherer.finish(variant(case))) {
            (_, Ok((own, rounded))) => {
                terms.push(own);
                notes.extend(rounded);
            }
            ("", Err(why)) => return Err(why),
            (case, Err(why)) => notes.push(format!("its prices for {case} are left aside: it {why}")),
        }
    }
    if !terms.iter().any(|terms| terms.variant == EntryVariant::Default) {
        return Err("has no price".to_owned());
    }
    Ok(ListedModel { provider: provider.to_owned(), id: id.to_owned(), aliases: Vec::new(), rules: Vec::new(), limits, terms, notes })
}

/// What is not billed by the token: by the second, the character, the query or the image, as its mode says.
fn otherwise(usual: &mut Gatherer, mode: &str, fields: &Members<'_>, unknown: &[(&str, &str)]) -> Result<(), String> {
    let wanted: &[(&str, &str, u128)] = match mode {
        // One of both is billed, and the output's goes first.
        "audio_transcription" => &[("output_cost_per_second", "audio_hours", 3_600), ("input_cost_per_second", "audio_hours", 3_600)],
        "audio_speech" => &[("input_cost_per_character", "input_mchars", 1_000_000)],
        "rerank" => &[("input_cost_per_query", "search_units_kcount", 1_000)],
        "search" => &[("input_cost_per_query", "requests_kcount", 1_000)],
        "image_generation" | "image_edit" => &[("output_cost_per_image", "images", 1), ("input_cost_per_image", "images", 1)],
        _ => &[],
    };
    let found = wanted.iter().find_map(|(field, key, times)| Some((*field, *key, *times, costs(fields, field)?)));
    if let Some((field, key, times, value)) = found {
        let others = unknown.iter().find(|(other, _)| !wanted.iter().any(|(wanted, ..)| wanted == other));
        if let Some((other, _)) = others {
            return Err(format!("{other} is billed beside {field}, and nothing counts it"));
        }
        // By the token it costs nothing, since it is billed so.
        usual.remove("input_mtok");
        usual.remove("output_mtok");
        return if key == "images" { usual.add_image(value, times, None, None) } else { usual.add(key, value, times, None) };
    }
    match unknown.first() {
        Some((field, _)) => Err(format!("is billed by {field}, which nothing counts")),
        None => Ok(()),
    }
}

/// A search costs more with more context; a request does not bound which one it is.
fn searches(gatherer: &mut Gatherer, value: &RawValue) -> Result<(), String> {
    for (_, size) in members(value).ok_or("has search_context_cost_per_query in an unknown form")? {
        if !is_nothing(size) {
            gatherer.add("web_searches_kcount", size, 1_000, None)?;
        }
    }
    Ok(())
}

/// A field's case (`flex`), its name without it, and the length of input above which it counts. None for what is no price.
fn taken_apart(field: &str) -> Option<(&'static str, &str, Option<u64>)> {
    if !field.contains("cost") && !field.contains("pricing") {
        return None;
    }
    let (case, field) = [("batch", "_batches"), ("flex", "_flex"), ("priority", "_priority")]
        .into_iter()
        .find_map(|(case, ending)| Some((case, field.strip_suffix(ending)?)))
        .unwrap_or(("", field));
    let above = field.rsplit_once("_above_").and_then(|(base, above)| {
        let thousands: u64 = above.strip_suffix("k_tokens")?.parse().ok()?;
        Some((base, thousands.checked_mul(1_000)?))
    });
    Some(above.map_or((case, field, None), |(base, above)| (case, base, Some(above))))
}

fn variant(case: &str) -> EntryVariant {
    match case {
        "" => EntryVariant::Default,
        "batch" => EntryVariant::Batch,
        tier => EntryVariant::ServiceTier(tier.into()),
    }
}
