//! settle: what a request that went upstream is charged, by how it ended. Pure.

use crate::apis::Measured;
use crate::config::OnUncertain;
use crate::ledger::{Admitted, Certainty};
use crate::money::{NANOS_PER_USD, Usd};
use crate::prices::{Unit, Usage};

use super::quote::{Price, TokenPrice};

/// A cost that a provider tells of one request is believed up to this: what a budget can be.
const MOST_BELIEVED: Usd = Usd::saturating_from_nanos(100_000 * NANOS_PER_USD as i128);

/// How an exchange with the provider ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The provider ended its answer.
    Complete,
    /// The answer broke off, or was broken off.
    Cut,
    /// The provider answered with an error.
    ProviderError,
    /// Nobody knows what the provider bills: it did not answer in time, or what it answered is no response.
    Uncertain,
}

/// What is charged.
#[allow(clippy::large_enum_variant, reason = "there is one a request")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charge {
    /// This much.
    Cost { cost: Usd, certainty: Certainty, usage: Usage },
    /// The whole hold: nobody knows.
    Hold,
    /// Nothing: the provider does not bill it.
    Void,
}

/// What is booked of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Booked {
    pub(super) cost: Usd,
    pub(super) certainty: Certainty,
    pub(super) usage: Usage,
}

impl Charge {
    /// What it comes to. None where nothing is charged.
    ///
    /// A hold is charged at the amount that this gateway knows of, so that the ledger, the log and the metrics say the same: a raise that is still asked for
    /// is not part of it. A token without an enforced budget has a hold of nothing, and nothing to protect; its reports are told the best that is known:
    /// what passed, else the most that it can have been.
    pub(super) fn booked(self, price: &Price, measured: &Measured, admitted: Admitted) -> Option<Booked> {
        let uncertain = |cost, usage| Booked { cost, certainty: Certainty::Uncertain, usage };
        match (self, price) {
            (Self::Cost { cost, certainty, usage }, _) => Some(Booked { cost, certainty, usage }),
            (Self::Void, _) => None,
            (Self::Hold, _) if admitted.budgeted => Some(uncertain(admitted.amount, Usage::default())),
            (Self::Hold, Price::Tokens(tokens)) => match estimate(tokens, measured, admitted) {
                Self::Cost { cost, usage, .. } if measured.served_output > 0 => Some(uncertain(cost, usage)),
                _ => Some(uncertain(tokens.quote.want, tokens.most_usage())),
            },
            (Self::Hold, Price::PerRequest(hold) | Price::ReportedJson { hold, .. } | Price::ReportedHeader { hold, .. }) => {
                Some(uncertain(*hold, Usage::default()))
            }
            (Self::Hold, Price::Unbilled | Price::Free) => Some(uncertain(Usd::ZERO, Usage::default())),
        }
    }
}

/// The charge of an exchange. `reported` is the cost that the provider itself told.
pub(super) fn charge(price: &Price, ending: Ending, measured: &Measured, reported: Option<Usd>, admitted: Admitted, on_uncertain: OnUncertain) -> Charge {
    let consumed = measured.usage.unwrap_or_default().with(Unit::Requests, 1);
    let exact = |cost: Usd| Charge::Cost { cost, certainty: Certainty::Exact, usage: consumed };
    if ending == Ending::Uncertain {
        return match (on_uncertain, price) {
            (_, Price::Unbilled) => Charge::Void,
            (_, Price::Free) => exact(Usd::ZERO),
            (OnUncertain::Charge, _) => Charge::Hold,
            (OnUncertain::Void, _) => Charge::Void,
        };
    }
    match (price, ending) {
        (Price::Unbilled, _) | (Price::Free, Ending::ProviderError) => Charge::Void,
        (Price::Free, _) => exact(Usd::ZERO),
        (Price::PerRequest(_), Ending::ProviderError) => Charge::Void,
        (Price::PerRequest(cost), _) => exact(*cost),
        (Price::ReportedJson { .. } | Price::ReportedHeader { .. }, ending) => match (reported, ending) {
            (Some(cost), _) => exact(cost),
            (None, Ending::ProviderError) => Charge::Void,
            (None, _) => Charge::Hold,
        },
        (Price::Tokens(tokens), ending) if tokens.reports_cost => reported_charge(tokens, ending, measured, reported, admitted),
        (Price::Tokens(tokens), ending) => token_charge(tokens, ending, measured, admitted),
    }
}

/// The charge where the provider tells the cost: that, whatever the price book says; without it, what the price book says, as an estimate.
fn reported_charge(price: &TokenPrice, ending: Ending, measured: &Measured, reported: Option<Usd>, admitted: Admitted) -> Charge {
    let by_book = match token_charge(price, ending, measured, admitted) {
        Charge::Cost { cost, usage, .. } => Charge::Cost { cost, certainty: Certainty::Estimated, usage },
        other => other,
    };
    // No budget holds as much: it cannot be true.
    if reported.is_some_and(|cost| cost > MOST_BELIEVED) {
        return Charge::Hold;
    }
    let usage = measured.usage.unwrap_or_default();
    // What it told before it broke off may not be all of it.
    let all_told = ending != Ending::Cut || measured.complete;
    match (reported, by_book) {
        (Some(cost), _) if all_told => Charge::Cost { cost, certainty: Certainty::Exact, usage },
        (Some(cost), Charge::Cost { cost: estimated, .. }) if cost >= estimated => Charge::Cost { cost, certainty: Certainty::Estimated, usage },
        (_, by_book) => by_book,
    }
}

fn token_charge(price: &TokenPrice, ending: Ending, measured: &Measured, admitted: Admitted) -> Charge {
    if measured.absurd || measured.usage.as_ref().is_some_and(|usage| price.is_absurd(usage)) {
        return Charge::Hold;
    }
    match (&measured.usage, ending) {
        (Some(usage), Ending::Complete | Ending::ProviderError) => exactly(price, measured, usage),
        // The provider had told all before it broke off.
        (Some(usage), Ending::Cut) if measured.complete => exactly(price, measured, usage),
        // What a provider reported before it broke off may not be all of it.
        (Some(usage), _) => {
            let seen = cost(price, measured, usage);
            match (estimate(price, measured, admitted), seen) {
                (Charge::Cost { cost: estimated, .. }, Some((seen, usage))) if seen >= estimated => {
                    Charge::Cost { cost: seen, certainty: Certainty::Estimated, usage }
                }
                (estimate, _) => estimate,
            }
        }
        (None, Ending::ProviderError) => Charge::Void,
        (None, _) => estimate(price, measured, admitted),
    }
}

fn exactly(price: &TokenPrice, measured: &Measured, usage: &Usage) -> Charge {
    match cost(price, measured, usage) {
        Some((cost, usage)) => Charge::Cost { cost, certainty: Certainty::Exact, usage },
        None => Charge::Hold,
    }
}

/// What a usage costs, and what of it counts: of work that is counted in several ways, those that have a price.
fn cost(price: &TokenPrice, measured: &Measured, usage: &Usage) -> Option<(Usd, Usage)> {
    let rates = price.rates(measured.service_tier.as_deref())?;
    let counted = if price.bound.as_priced { rates.priced(usage) } else { *usage };
    // What is reported in none of them is not free.
    let nothing = counted.iter().next().is_none() && usage.iter().next().is_some();
    rates.cost_with(&counted, price.margin).ok().filter(|_| !nothing).map(|cost| (cost, counted))
}

/// What passed, metered upwards, and never more than was held.
fn estimate(price: &TokenPrice, measured: &Measured, admitted: Admitted) -> Charge {
    let output = if price.bound.has_output { measured.served_output.saturating_add(price.bound.input.get(Unit::Output)) } else { 0 };
    let input = measured.input.unwrap_or_else(|| price.bound.input.with(Unit::WebSearches, price.bound.max_searches));
    let usage = input.with(Unit::Output, output);
    let most = if admitted.budgeted { admitted.amount } else { price.quote.want };
    let rates = price.rates(None);
    let usage = rates.filter(|_| price.bound.as_priced).map_or(usage, |rates| rates.priced(&usage));
    match rates.and_then(|rates| rates.cost_with(&usage, price.margin).ok()) {
        // What costs nothing at the most costs nothing.
        Some(Usd::ZERO) => Charge::Cost { cost: Usd::ZERO, certainty: Certainty::Exact, usage },
        Some(cost) => Charge::Cost { cost: cost.min(most), certainty: Certainty::Estimated, usage },
        None => Charge::Hold,
    }
}

#[cfg(test)]
mod tests;
