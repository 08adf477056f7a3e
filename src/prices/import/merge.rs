//! Merges a list into the operator's price book. What the list does not name stays, byte by byte; of what it names, its prices and limits change and
//! nothing else: other names, and prices that the list does not give, stay too.

mod names;
mod plan;
mod sections;

use std::collections::HashMap;

use jiff::Timestamp;

use self::names::NameChanges;
use self::plan::{Differences, merged_terms};
use self::sections::{NewTable, Sections};
use super::edit::{self, Edits, quoted};
use super::{List, ListedModel};
use crate::diagnostic::Diagnostic;
use crate::prices::file::{FileModel, LIMIT_KEYS, Worth};
use crate::prices::terms::{Terms, costs_nothing};
use crate::prices::{ModelLimits, PriceBook, Unit};

/// A price book with a list merged into it.
#[derive(Debug)]
pub(crate) struct Merged {
    /// Its text: what it was, where nothing changed.
    pub(crate) text: String,
    /// What became of every model of the list.
    pub(crate) changes: Vec<(String, String, Change)>,
}

/// What became of a model of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is new, with these prices and limits.
    Added(String),
    /// So it changed.
    Changed(String),
    /// The price book says the same.
    Same,
    /// It was not taken, for this reason.
    LeftOut(String),
}

/// Merges the list into the price book with that text. `file` is its name in messages.
///
/// # Errors
/// What is wrong with the price book as it is, or would be wrong with it afterwards.
pub(crate) fn merge(text: &str, file: &str, list: List, now: Timestamp) -> Result<Merged, Vec<Diagnostic>> {
    let (book, models) = PriceBook::read(text, file)?;
    if let Some(model) = models.iter().find(|model| !text.get(model.offset()..).is_some_and(|table| table.starts_with("[["))) {
        return Err(vec![Diagnostic::at(
            file,
            text,
            model.offset(),
            "a list can be merged only into models that are tables of their own, each under [[models]]",
        )]);
    }
    let mut merging =
        Merging { text, book: &book, models: &models, now, dated: list.dated, edits: Edits::default(), names: NameChanges::default(), worth: HashMap::new() };
    let mut changes: Vec<(String, String, Change)> = list.left_out.into_iter().map(|left| (left.provider, left.id, Change::LeftOut(left.why))).collect();
    // First what is there under its own name, since other names may have their prices from it.
    let (own, others): (Vec<ListedModel>, Vec<ListedModel>) = list.models.into_iter().partition(|model| merging.own(model).is_some());
    let mut sections = Sections::default();
    for model in own {
        let change = merging.change(&model, &mut sections);
        changes.push((model.provider, model.id, change));
    }
    for model in others {
        let change = merging.add(&model, &mut sections);
        changes.push((model.provider, model.id, change));
    }
    let Merging { mut edits, names, .. } = merging;
    names.write(&mut edits, text, &models);
    sections.write(&mut edits, text, &models);
    let text = edits.apply(text);
    PriceBook::parse(&text, file).map_err(|errors| {
        let first = Diagnostic::whole_file(file, "with the list merged into it the price book would not be right, so nothing is written:");
        std::iter::once(first).chain(errors).collect::<Vec<_>>()
    })?;
    changes.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    Ok(Merged { text, changes })
}

/// A merge under way.
struct Merging<'a> {
    text: &'a str,
    book: &'a PriceBook,
    models: &'a [FileModel],
    now: Timestamp,
    dated: bool,
    edits: Edits,
    names: NameChanges,
    /// What models of the file cost after the merge, where that changed.
    worth: HashMap<usize, Vec<Terms>>,
}

// === impl Merging ===

impl Merging<'_> {
    /// The number of the model that has this very name in the file.
    fn own(&self, model: &ListedModel) -> Option<usize> {
        let number = self.book.number_of(&model.provider, &model.id)?;
        self.models.get(number).filter(|own| own.id == model.id).map(|_| number)
    }

    /// Changes a model of the file to what the list says.
    fn change(&mut self, listed: &ListedModel, sections: &mut Sections) -> Change {
        let Some((number, own)) = self.own(listed).and_then(|number| Some((number, self.models.get(number)?))) else { return Change::Same };
        let before: &[Terms] = match &own.worth {
            Worth::Terms(terms) => terms,
            Worth::Free | Worth::Unpriced(_) | Worth::Wrong => &[],
        };
        if before.iter().any(|terms| terms.list.get(Unit::Input).is_some()) && listed.terms.iter().all(|terms| terms.list.has_images_alone()) {
            return Change::LeftOut("is billed by the token here, and by the image on the list".to_owned());
        }
        let after = merged_terms(before, &listed.terms, self.dated, self.now);
        let mut differences = Differences::default();
        // What is free stays so where it costs nothing on the list either.
        if after != before && !(own.worth == Worth::Free && costs_nothing(&after)) {
            differences = Differences::between(before, &after, &listed.terms, self.now);
            match &own.worth {
                Worth::Free => differences.note("was free"),
                Worth::Unpriced(why) => differences.note(&format!("was unpriced: {why}")),
                Worth::Terms(_) | Worth::Wrong => {}
            }
            self.edits.replace(own.places.worth.clone(), edit::worth(&after));
            self.worth.insert(number, after);
        }
        let limits = merged_limits(&own.limits, &listed.limits);
        self.change_limits(own, &limits, &mut differences);
        self.add_names(number, own, listed, sections, &mut differences);
        differences.change(&listed.notes)
    }

    fn change_limits(&mut self, own: &FileModel, limits: &ModelLimits, differences: &mut Differences) {
        let before = [own.limits.context, own.limits.input, own.limits.output];
        let after = [limits.context, limits.input, limits.output];
        for (at, key) in LIMIT_KEYS.iter().enumerate() {
            let (Some(was), Some(is)) = (before.get(at), after.get(at)) else { continue };
            let Some(limit) = is.filter(|_| was != is) else { continue };
            differences.limit(key, *was, limit);
            match own.places.limits.get(at).and_then(Clone::clone) {
                Some(place) => self.edits.replace(place, limit.to_string()),
                None => self.edits.add_line(self.text, own.places.id.end, &format!("{key} = {limit}")),
            }
        }
    }

    /// Gives a model of the file those names of the list that nothing else has.
    fn add_names(&mut self, number: usize, own: &FileModel, listed: &ListedModel, sections: &mut Sections, differences: &mut Differences) {
        for alias in &listed.aliases {
            if self.book.number_of(&own.provider, alias).is_none() && sections.give(&own.provider, alias) {
                self.names.get(number, quoted(alias));
                differences.note(&format!("also named {alias}"));
            }
        }
    }

    /// Adds a model that the file has no table for: unless another's rules take its name, at the same prices.
    fn add(&mut self, listed: &ListedModel, sections: &mut Sections) -> Change {
        let taker = self.book.number_of(&listed.provider, &listed.id).and_then(|number| Some((number, self.models.get(number)?)));
        let terms = merged_terms(&[], &listed.terms, self.dated, self.now);
        if let Some((number, taker)) = taker {
            let own: &[Terms] = match (self.worth.get(&number), &taker.worth) {
                (Some(changed), _) | (None, Worth::Terms(changed)) => changed,
                _ => &[],
            };
            if taker.worth == Worth::Free && costs_nothing(&listed.terms) {
                return Change::Same;
            }
            if plan::says_the_same(own, &listed.terms, self.dated, self.now) {
                return Change::Same;
            }
        }
        if !sections.give(&listed.provider, &listed.id) {
            return Change::LeftOut("is another name of a model before".to_owned());
        }
        let limits = merged_limits(&taker.map(|(_, taker)| taker.limits).unwrap_or_default(), &listed.limits);
        let mut differences = Differences::between(&[], &terms, &terms, self.now);
        for (key, limit) in LIMIT_KEYS.iter().zip([limits.context, limits.input, limits.output]) {
            if let Some(limit) = limit {
                differences.limit(key, None, limit);
            }
        }
        // Other names, as far as nothing else has them.
        let mut free = |alias: &&String| self.book.number_of(&listed.provider, alias).is_none() && sections.give(&listed.provider, alias);
        let aliases: Vec<String> = listed.aliases.iter().filter(|alias| free(alias)).cloned().collect();
        let mut table = NewTable { provider: listed.provider.clone(), id: listed.id.clone(), aliases, rules: Vec::new(), limits, terms };
        match taker {
            None => {
                table.rules.clone_from(&listed.rules);
                sections.at_end(table);
            }
            // Its rules are left aside: they could take names from the models behind.
            Some((number, taker)) => {
                if taker.names.iter().any(|(rule, _)| rule.is_name(&listed.id)) {
                    self.names.give(number, &listed.id);
                }
                differences.note(&format!("was priced as {}", taker.id));
                sections.before(number, table);
            }
        }
        differences.added(&listed.notes)
    }
}

/// The list's limits, and where it gives none those that there are. A list that knows the largest input alone tells of a window of at least that.
fn merged_limits(own: &ModelLimits, listed: &ModelLimits) -> ModelLimits {
    let context = listed.context.or_else(|| own.context.max(listed.input));
    // An input that fills the window says nothing more.
    let input = listed.input.or(own.input).filter(|input| own.input.is_some() || Some(*input) != context);
    ModelLimits { context, input, output: listed.output.or(own.output) }
}
