//! Rules that never apply, since an earlier model's takes every name that they would; and names that differ in case alone.

use std::collections::HashMap;

use super::{Kind, Oddities};
use crate::prices::file::FileModel;
use crate::prices::names::Rule;

/// Notes them.
pub(super) fn find(odd: &mut Oddities, models: &[FileModel]) {
    let mut by_provider: HashMap<&str, Vec<(&FileModel, &Rule)>> = HashMap::new();
    let mut names: HashMap<(&str, String), &FileModel> = HashMap::new();
    for model in models {
        let earlier = by_provider.entry(&model.provider).or_default();
        let own = earlier.len();
        for (rule, place) in model.names.iter().flat_map(|(rule, place)| parts(rule).into_iter().map(move |rule| (rule, place))) {
            if let Some((taker, _)) = earlier.iter().take(own).find(|(_, other)| takes_all_of(other, rule)) {
                odd.add(
                    Kind::Shadowed,
                    place.start,
                    format!("this rule of {:?} never applies: {:?} comes before and takes all that it matches", model.id, taker.id),
                );
            }
            earlier.push((model, rule));
        }
        match names.entry((&model.provider, model.id.to_lowercase())) {
            std::collections::hash_map::Entry::Occupied(other) if other.get().id != model.id => {
                odd.add(Kind::Shadowed, model.offset(), format!("{:?} and {:?} differ in case alone", model.id, other.get().id));
            }
            std::collections::hash_map::Entry::Occupied(_) => {}
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(model);
            }
        }
    }
}

/// The rules of which one is enough.
fn parts(rule: &Rule) -> Vec<&Rule> {
    match rule {
        Rule::Any(rules) => rules.iter().flat_map(parts).collect(),
        other => vec![other],
    }
}

/// Whether every name that `rule` matches is matched by `other` too, as far as that can be seen.
fn takes_all_of(other: &Rule, rule: &Rule) -> bool {
    match (other, rule) {
        (Rule::StartsWith(other), Rule::StartsWith(own)) => own.starts_with(&**other),
        (Rule::EndsWith(other), Rule::EndsWith(own)) => own.ends_with(&**other),
        (Rule::Contains(other), Rule::Contains(own)) => other.find(own.needle()).is_some(),
        (Rule::Contains(other), Rule::StartsWith(own) | Rule::EndsWith(own)) => other.find(own.as_bytes()).is_some(),
        (Rule::Regex(other), Rule::Regex(own)) => other.as_str() == own.as_str(),
        _ => false,
    }
}
