//! Names that models of the file get from a list, and names that they give away to tables of their own.

use std::collections::BTreeMap;

use super::super::edit::Edits;
use crate::prices::file::{FileModel, NamesPlace};

/// Changes of names, by the number of the model.
#[derive(Debug, Default)]
pub(super) struct NameChanges {
    changes: BTreeMap<usize, Changed>,
}

/// Of one model.
#[derive(Debug, Default)]
struct Changed {
    /// As TOML has them.
    got: Vec<String>,
    gave: Vec<String>,
}

// === impl NameChanges ===

impl NameChanges {
    /// A model gets a name, as TOML has it.
    pub(super) fn get(&mut self, number: usize, name: String) {
        self.changes.entry(number).or_default().got.push(name);
    }

    /// A model gives a name away.
    pub(super) fn give(&mut self, number: usize, name: &str) {
        self.changes.entry(number).or_default().gave.push(name.to_owned());
    }

    /// Writes them.
    pub(super) fn write(self, edits: &mut Edits, text: &str, models: &[FileModel]) {
        for (number, changed) in self.changes {
            let Some(model) = models.get(number) else { continue };
            let new = changed.got.join(", ");
            match &model.places.names {
                None if new.is_empty() => {}
                None => edits.add_line(text, model.places.id.end, &format!("match = [{new}]")),
                // The list stays as it is written where it only grows.
                Some(NamesPlace { items: Some(items), .. }) if changed.gave.is_empty() && !items.is_empty() => {
                    if let Some(last) = items.last() {
                        edits.insert(last.end, format!(", {new}"));
                    }
                }
                Some(NamesPlace { value, items }) => {
                    let items = items.clone().unwrap_or_else(|| vec![value.clone()]);
                    let given = |item: &&std::ops::Range<usize>| {
                        model.names.iter().any(|(rule, own)| own == *item && changed.gave.iter().any(|name| rule.is_name(name)))
                    };
                    let kept = items.iter().filter(|item| !given(item)).filter_map(|item| text.get(item.clone()));
                    let names: Vec<&str> = kept.chain(changed.got.iter().map(String::as_str)).collect();
                    edits.replace(value.clone(), format!("[{}]", names.join(", ")));
                }
            }
        }
    }
}
