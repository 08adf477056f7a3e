//! What is odd about a price book that is right: prices that look mistyped, limits that are missing, rules that never apply.

mod compare;
mod shadow;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::file::{FileModel, Worth};
use super::model::EntryVariant;
use super::rates::Price;
use super::terms::{Terms, in_force};
use super::{PriceBook, Unit};
use crate::diagnostic::Diagnostic;

/// Warnings of one kind, at most: what is odd about more models than this is told once, with their number.
const MOST_OF_A_KIND: usize = 20;

/// A kind of oddity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    NoLimit,
    Limits,
    Cheap,
    Order,
    Case,
    Changed,
    Shadowed,
}

/// What is odd, in the order of the file. The models are those of `text`.
pub(crate) fn review(models: &[FileModel], file: &str, text: &str, now: Timestamp) -> Vec<Diagnostic> {
    let mut odd = Oddities::default();
    for model in models {
        limits(&mut odd, model);
        if let Worth::Terms(list) = &model.worth {
            for terms in list {
                prices(&mut odd, model, terms);
            }
            cases(&mut odd, model, list, now);
        }
    }
    shadow::find(&mut odd, models);
    // Whatever is built in does not differ from itself.
    if text != PriceBook::BUILTIN
        && let Ok((book, builtin)) = PriceBook::read(PriceBook::BUILTIN, "")
    {
        compare::with(&mut odd, models, &book, &builtin, now);
    }
    odd.told(file, text)
}

/// What was found so far.
#[derive(Debug, Default)]
struct Oddities {
    found: BTreeMap<Kind, Vec<(usize, String)>>,
}

// === impl Oddities ===

impl Oddities {
    fn add(&mut self, kind: Kind, place: usize, what: impl Into<String>) {
        self.found.entry(kind).or_default().push((place, what.into()));
    }

    fn told(self, file: &str, text: &str) -> Vec<Diagnostic> {
        let mut told: Vec<(usize, String)> = Vec::new();
        let mut rest = Vec::new();
        for (_, found) in self.found {
            let more = found.len().saturating_sub(MOST_OF_A_KIND);
            if let Some((_, last)) = found.get(MOST_OF_A_KIND) {
                rest.push(Diagnostic::whole_file(file, format!("warning: {more} more like this: {last}")));
            }
            told.extend(found.into_iter().take(MOST_OF_A_KIND));
        }
        told.sort();
        told.into_iter().map(|(place, what)| Diagnostic::at(file, text, place, format!("warning: {what}"))).chain(rest).collect()
    }
}

fn limits(odd: &mut Oddities, model: &FileModel) {
    let place = model.offset();
    let limits = model.limits;
    let output_costs = |terms: &Terms| terms.list.get(Unit::Output).is_some_and(|price| price.dearest() > 0);
    let has_output = matches!(&model.worth, Worth::Terms(list) if list.iter().any(output_costs));
    if has_output && limits.output.is_none() && limits.context.is_none() {
        odd.add(
            Kind::NoLimit,
            place,
            format!("{:?} has neither max_output nor context: its requests are refused where neither they nor the route set an output limit", model.id),
        );
    }
    for (name, limit) in [("max_output", limits.output), ("max_input", limits.input)] {
        if let (Some(limit), Some(context)) = (limit, limits.context)
            && limit > context
        {
            odd.add(Kind::Limits, place, format!("{:?} has a {name} of {limit}, more than its context of {context}", model.id));
        }
    }
}

/// Amounts that look mistyped.
fn prices(odd: &mut Oddities, model: &FileModel, terms: &Terms) {
    let place = model.offset();
    let rows = terms.rows();
    // A price of one token where a million's is meant; nobody sells a million for less than this.
    let cheap = |usd: &str| usd.starts_with("0.000");
    if let Some(row) = rows.iter().find(|row| row.key.ends_with("_mtok") && cheap(&row.usd)) {
        odd.add(Kind::Cheap, place, format!("{:?} has {} = {:?}, in USD per million tokens: is it the price of one?", model.id, row.key, row.usd));
    }
    if !rows.is_empty() && rows.iter().all(|row| row.usd == "0") {
        odd.add(Kind::Cheap, place, format!("{:?} has prices that are all zero: say free = true, if that is meant", model.id));
    }
    let price = |unit| terms.list.get(unit);
    if let (Some(input), Some(output)) = (price(Unit::Input), price(Unit::Output))
        && output.base > 0
        && output.base < input.base / 2
    {
        odd.add(Kind::Order, place, format!("{:?} has output that costs less than half of its input: are they the right way round?", model.id));
    }
    if let (Some(input), Some(read)) = (price(Unit::Input), price(Unit::CacheRead))
        && read.base > input.base
    {
        odd.add(Kind::Order, place, format!("{:?} has input that costs more when it is read from the cache", model.id));
    }
}

/// Service tiers that cost the other way round: batches and flex are sold as cheaper, priority and speed as dearer.
fn cases(odd: &mut Oddities, model: &FileModel, list: &[Terms], now: Timestamp) {
    let Some(usual) = list.iter().find(|terms| terms.variant == EntryVariant::Default && terms.hours.is_none() && in_force(list, terms, now)) else { return };
    for terms in list.iter().filter(|terms| terms.variant != EntryVariant::Default && in_force(list, terms, now)) {
        let cheaper = match &terms.variant {
            EntryVariant::Batch => true,
            EntryVariant::ServiceTier(name) if **name == *"flex" => true,
            EntryVariant::ServiceTier(name) if **name == *"priority" => false,
            EntryVariant::Speed(_) => false,
            EntryVariant::Default | EntryVariant::ServiceTier(_) => continue,
        };
        let wrong = |unit: &Unit| match (terms.list.get(*unit).map(base), usual.list.get(*unit).map(base)) {
            (Some(own), Some(usual)) => {
                if cheaper {
                    own > usual
                } else {
                    own < usual
                }
            }
            _ => false,
        };
        if let Some(unit) = [Unit::Input, Unit::Output].iter().find(|unit| wrong(unit)) {
            let than = if cheaper { "more" } else { "less" };
            odd.add(Kind::Case, model.offset(), format!("{:?} has {} that costs {than} with {} than usually", model.id, unit.name(), terms.case()));
        }
    }
}

const fn base(price: &Price) -> u128 {
    price.base
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
