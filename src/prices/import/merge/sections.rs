//! New tables in a price book, and where they stand: the first model whose rule takes a name wins, so order counts.

use std::collections::{BTreeMap, HashSet};

use super::super::edit::{self, Edits, quoted};
use crate::prices::ModelLimits;
use crate::prices::file::{self, FileModel};
use crate::prices::names::Rule;
use crate::prices::terms::Terms;

/// New tables of a merge.
#[derive(Debug, Default)]
pub(super) struct Sections {
    before: BTreeMap<usize, Vec<NewTable>>,
    at_end: BTreeMap<String, Vec<Ordered>>,
    /// Names in full that have been given to a table, by provider.
    given: HashSet<(String, String)>,
}

/// A table that is new.
#[derive(Clone, Debug)]
pub(super) struct NewTable {
    pub(super) provider: String,
    pub(super) id: String,
    /// Other names in full.
    pub(super) aliases: Vec<String>,
    /// Other rules, as a price book writes them.
    pub(super) rules: Vec<String>,
    pub(super) limits: ModelLimits,
    pub(super) terms: Vec<Terms>,
}

/// A new table whose rules are understood.
#[derive(Debug)]
struct Ordered {
    table: NewTable,
    rules: Vec<Rule>,
}

// === impl Sections ===

impl Sections {
    /// Notes that a name is given to a table. False where one has it already.
    pub(super) fn give(&mut self, provider: &str, name: &str) -> bool {
        self.given.insert((provider.to_owned(), name.to_owned()))
    }

    /// A table that must stand before that model, whose rule takes its name otherwise.
    pub(super) fn before(&mut self, number: usize, table: NewTable) {
        self.before.entry(number).or_default().push(table);
    }

    /// A table behind all that there are of its provider; before those new ones whose rules take its names otherwise.
    pub(super) fn at_end(&mut self, table: NewTable) {
        let mut new = Ordered { rules: table.rules.iter().filter_map(|rule| understood(rule)).collect(), table };
        let tables = self.at_end.entry(new.table.provider.clone()).or_default();
        let at = tables.iter().position(|other| other.takes_a_name_of(&new)).unwrap_or(tables.len());
        // And its own rules take none of those that stand behind it then.
        if tables.iter().skip(at).any(|other| new.takes_a_name_of(other)) {
            new.rules.clear();
            new.table.rules.clear();
        }
        tables.insert(at, new);
    }

    /// Writes them.
    pub(super) fn write(self, edits: &mut Edits, text: &str, models: &[FileModel]) {
        for (number, tables) in self.before {
            if let Some(model) = models.get(number) {
                edits.insert(above_comments(text, model.offset()), tables.iter().map(|table| format!("{}\n", table.text())).collect::<String>());
            }
        }
        for (provider, tables) in self.at_end {
            let tables: String = tables.iter().map(|ordered| format!("\n{}", ordered.table.text())).collect();
            match models.iter().filter(|model| model.provider == provider).map(|model| model.places.end).max() {
                // Behind what may follow the last value on its line.
                Some(end) => match text.get(end..).and_then(|rest| rest.find('\n')) {
                    Some(newline) => edits.insert(end + newline + 1, tables),
                    None => edits.insert(text.len(), format!("\n{tables}")),
                },
                None => {
                    let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
                    edits.insert(text.len(), format!("{newline}\n# {provider}\n{tables}"));
                }
            }
        }
    }
}

// === impl NewTable ===

impl NewTable {
    fn text(&self) -> String {
        let names: Vec<String> = self.aliases.iter().map(|alias| quoted(alias)).chain(self.rules.iter().cloned()).collect();
        edit::table(&self.provider, &self.id, &names, &self.limits, &self.terms)
    }
}

// === impl Ordered ===

impl Ordered {
    fn takes_a_name_of(&self, other: &Self) -> bool {
        let names = || std::iter::once(&other.table.id).chain(&other.table.aliases);
        self.rules.iter().any(|rule| names().any(|name| rule.matches(name)))
    }
}

/// A rule as a price book reads it.
fn understood(rule: &str) -> Option<Rule> {
    let text = format!("[[models]]\nprovider = \"p\"\nid = \"m\"\nmatch = [{rule}]\nfree = true\n");
    let (_, models) = file::read(&text, "").ok()?;
    models.into_iter().next()?.names.into_iter().next().map(|(rule, _)| rule)
}

/// The place above the comment that stands right above this one.
fn above_comments(text: &str, mut at: usize) -> usize {
    while let Some(before) = text.get(..at).and_then(|before| before.strip_suffix('\n')) {
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        if !before.get(line_start..).is_some_and(|line| line.starts_with('#')) {
            break;
        }
        at = line_start;
    }
    at
}
