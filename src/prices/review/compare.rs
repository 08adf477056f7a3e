//! Prices that are far from those of the price book that is built in.

use jiff::Timestamp;

use super::{Kind, Oddities};
use crate::prices::file::{FileModel, Worth};
use crate::prices::keys::PriceKey;
use crate::prices::model::EntryVariant;
use crate::prices::terms::{Terms, in_force};
use crate::prices::{PriceBook, Unit};

/// So many times more or less is told.
const FAR: u128 = 10;

/// Notes every model with a usual price that is more than ten times, or less than a tenth of, the one built in.
pub(super) fn with(odd: &mut Oddities, models: &[FileModel], book: &PriceBook, builtin: &[FileModel], now: Timestamp) {
    for model in models {
        let Some(other) = book.number_of(&model.provider, &model.id).and_then(|number| builtin.get(number)).filter(|other| other.id == model.id) else {
            continue;
        };
        let (Some(own), Some(other)) = (usual(model, now), usual(other, now)) else { continue };
        if let Some(what) = far(own, other) {
            odd.add(Kind::Changed, model.offset(), format!("{:?} has {what}", model.id));
        }
    }
}

fn usual(model: &FileModel, now: Timestamp) -> Option<&Terms> {
    let Worth::Terms(list) = &model.worth else { return None };
    list.iter().find(|terms| terms.variant == EntryVariant::Default && in_force(list, terms, now))
}

/// The first price that is far from the other's, in words.
fn far(own: &Terms, other: &Terms) -> Option<String> {
    Unit::ALL.into_iter().find_map(|unit| {
        let (own, other) = (own.list.get(unit)?.base, other.list.get(unit)?.base);
        if own.min(other) == 0 || own.max(other) <= own.min(other).saturating_mul(FAR) {
            return None;
        }
        let (key, price_key) = PriceKey::of_unit(unit)?;
        let way = if own > other { "more than ten times" } else { "less than a tenth of" };
        Some(format!("{key} = \"{}\", {way} the \"{}\" that is built in", price_key.amount(own), price_key.amount(other)))
    })
}
