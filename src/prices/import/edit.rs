//! The text of a price book: a model's table as it is written, and edits of a text by place.

use std::fmt::Write;
use std::ops::Range;

use crate::prices::ModelLimits;
use crate::prices::Unit;
use crate::prices::file::LIMIT_KEYS;
use crate::prices::images::{ImagePrice, ImageWord};
use crate::prices::keys::PriceKey;
use crate::prices::rates::PriceList;
use crate::prices::terms::{Terms, costs_nothing};

/// Replacements in a text. Places are those of the text as it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Edits {
    edits: Vec<(Range<usize>, String)>,
}

// === impl Edits ===

impl Edits {
    pub(super) fn replace(&mut self, place: Range<usize>, with: impl Into<String>) {
        self.edits.push((place, with.into()));
    }

    pub(super) fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    /// Adds a line below the one that this place is on.
    pub(super) fn add_line(&mut self, text: &str, below: usize, line: &str) {
        let end = text.get(below..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| below + newline);
        self.insert(end, format!("\n{line}"));
    }

    /// The text with all of them made. Of insertions at one place the first comes first.
    pub(super) fn apply(mut self, text: &str) -> String {
        self.edits.sort_by_key(|(place, _)| (place.start, place.end));
        let mut edited = String::with_capacity(text.len());
        let mut at = 0;
        for (place, with) in self.edits {
            edited.push_str(text.get(at..place.start).unwrap_or_default());
            edited.push_str(&with);
            at = place.end.max(at);
        }
        edited.push_str(text.get(at..).unwrap_or_default());
        edited
    }
}

/// A string as TOML has it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A whole `[[models]]` table, with a newline at its end.
pub(super) fn table(provider: &str, id: &str, names: &[String], limits: &ModelLimits, terms: &[Terms]) -> String {
    let mut text = format!("[[models]]\nprovider = {}\nid = {}\n", quoted(provider), quoted(id));
    // Writing to a string cannot fail.
    if !names.is_empty() {
        let _ = writeln!(text, "match = [{}]", names.join(", "));
    }
    for (key, limit) in LIMIT_KEYS.iter().zip([limits.context, limits.input, limits.output]) {
        if let Some(limit) = limit {
            let _ = writeln!(text, "{key} = {limit}");
        }
    }
    text.push_str(&worth(terms));
    text.push('\n');
    text
}

/// `prices = ..`, or `free = true` where nothing costs anything.
pub(super) fn worth(terms: &[Terms]) -> String {
    if costs_nothing(terms) {
        return "free = true".to_owned();
    }
    match terms {
        [only] => format!("prices = {}", entry(only)),
        several => format!("prices = [\n{}]", several.iter().map(|terms| format!("  {},\n", entry(terms))).collect::<String>()),
    }
}

fn entry(terms: &Terms) -> String {
    let since = terms.since().map(|since| format!("from = {since}"));
    let case = terms.condition().map(|condition| format!("when = {{ {condition} }}"));
    let hours = terms.hours().map(|[begin, end]| format!("time_of_day_utc = [\"{begin}\", \"{end}\"]"));
    let parts: Vec<String> = since.into_iter().chain(case).chain(hours).chain(prices(&terms.list)).collect();
    format!("{{ {} }}", parts.join(", "))
}

/// `input_mtok = "2.5"`, and so on.
fn prices(list: &PriceList) -> Vec<String> {
    let mut parts = Vec::new();
    for unit in Unit::ALL {
        let (Some(price), Some((key, price_key))) = (list.get(unit), PriceKey::of_unit(unit)) else { continue };
        let base = price_key.amount(price.base);
        if price.tiers.is_empty() {
            parts.push(format!("{key} = \"{base}\""));
            continue;
        }
        let tier = |(above, rate): &(u64, u128)| format!("{{ above_input_tokens = {above}, price = \"{}\" }}", price_key.amount(*rate));
        let tiers: Vec<String> = price.tiers.iter().map(tier).collect();
        parts.push(format!("{key} = {{ base = \"{base}\", tiers = [{}] }}", tiers.join(", ")));
    }
    if let Some((key, price_key)) = PriceKey::of_unit(Unit::Images)
        && !list.images().is_empty()
    {
        let images: Vec<String> = list.images().iter().map(|image| image_text(image, price_key)).collect();
        parts.push(format!("{key} = [{}]", images.join(", ")));
    }
    parts
}

fn image_text(image: &ImagePrice, key: PriceKey) -> String {
    let word = |name: &str, word: Option<ImageWord>| word.map_or_else(String::new, |word| format!("{name} = {}, ", quoted(word.as_str())));
    format!("{{ {}{}price = \"{}\" }}", word("size", image.size), word("quality", image.quality), key.amount(image.rate))
}
