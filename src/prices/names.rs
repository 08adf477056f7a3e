//! Which model of a provider a name means. Case counts: a provider serves `gpt-4o`, and what `GPT-4o` means to it nobody knows.
//!
//! The first model in the file whose rule matches wins. Names that are given in full are a hash look-up, and so are prefixes (one for each length that
//! occurs); only what is left is tried rule by rule. A name in full never stands behind an earlier rule that takes it: the book refuses that, so that
//! the first look-up decides.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use memchr::memmem::Finder;
use regex::{Regex, RegexBuilder};

/// Names longer than this belong to no model, and are not tried against rules.
const LONGEST_NAME: usize = 256;

/// A rule that a name matches or not.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    Equals(Box<str>),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    Contains(Box<Finder<'static>>),
    Regex(Regex),
    Any(Vec<Rule>),
    All(Vec<Rule>),
    Not(Box<Rule>),
}

/// The names of one provider's models, which are numbered in the order of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    exact: HashMap<Box<str>, usize>,
    prefixes: HashMap<Box<str>, usize>,
    /// The lengths that occur among the prefixes.
    prefix_lengths: Vec<usize>,
    /// In the order of the models.
    rules: Vec<(usize, Rule)>,
}

/// A regular expression. Without Unicode classes where it needs none: model names are ASCII, and `\d` should mean ten digits.
pub(super) fn regex(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).unicode(false).build().or_else(|_| RegexBuilder::new(pattern).build())
}

// === impl Rule ===

impl Rule {
    /// True where it is that name in full.
    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self, Self::Equals(own) if **own == *name)
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Equals(text) => **text == *name,
            Self::StartsWith(text) => name.starts_with(&**text),
            Self::EndsWith(text) => name.ends_with(&**text),
            Self::Contains(finder) => finder.find(name.as_bytes()).is_some(),
            Self::Regex(regex) => regex.is_match(name),
            Self::Any(rules) => rules.iter().any(|rule| rule.matches(name)),
            Self::All(rules) => rules.iter().all(|rule| rule.matches(name)),
            Self::Not(rule) => !rule.matches(name),
        }
    }
}

// === impl Names ===

impl Names {
    /// Gives a model a rule. Models come in rising order. An `Equals` whose name belongs to another model is not taken: that model is returned.
    pub(super) fn add(&mut self, model: usize, rule: Rule) -> Result<(), usize> {
        match rule {
            Rule::Equals(name) => match self.exact.entry(name) {
                Entry::Occupied(owner) if *owner.get() != model => return Err(*owner.get()),
                Entry::Occupied(_) => {}
                Entry::Vacant(free) => {
                    free.insert(model);
                }
            },
            Rule::StartsWith(prefix) => {
                if !self.prefix_lengths.contains(&prefix.len()) {
                    self.prefix_lengths.push(prefix.len());
                }
                self.prefixes.entry(prefix).or_insert(model);
            }
            other => self.rules.push((model, other)),
        }
        Ok(())
    }

    /// The model that a name means.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.exact.get(name).copied().or_else(|| self.find_by_rule(name))
    }

    /// The model that takes a name by a rule, without looking at the names in full.
    pub(super) fn find_by_rule(&self, name: &str) -> Option<usize> {
        if name.len() > LONGEST_NAME {
            return None;
        }
        let by_prefix = self.prefix_lengths.iter().filter_map(|length| name.get(..*length)).filter_map(|prefix| self.prefixes.get(prefix)).min().copied();
        let earlier = self.rules.iter().take_while(|(model, _)| by_prefix.is_none_or(|found| *model < found));
        earlier.filter(|(_, rule)| rule.matches(name)).map(|(model, _)| *model).next().or(by_prefix)
    }

    /// Every name that is given in full, with its model.
    pub(super) fn exact_names(&self) -> impl Iterator<Item = (&str, usize)> {
        self.exact.iter().map(|(name, model)| (&**name, *model))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
