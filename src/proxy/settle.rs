//! settle: what a request that went upstream is charged, by how it ended. Pure.

use crate::apis::Measured;
use crate::config::OnUncertain;
use crate::ledger::{Admitted, Certainty};
use crate::money::Usd;
use crate::prices::{Unit, Usage};

use super::quote::{Price, TokenPrice};

/// How an exchange with the provider ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The provider ended its answer.
    Complete,
    /// The answer broke off, or was broken off.
    Cut,
    /// The provider answered with an error.
    ProviderError,
    /// The gateway gave up waiting.
    TimedOut,
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

/// The charge of an exchange. `reported` is the cost that the provider itself told, where the price is a reported one.
pub(super) fn charge(price: &Price, ending: Ending, measured: &Measured, reported: Option<Usd>, admitted: Admitted, on_uncertain: OnUncertain) -> Charge {
    let consumed = measured.usage.unwrap_or_default().with(Unit::Requests, 1);
    let exact = |cost: Usd| Charge::Cost { cost, certainty: Certainty::Exact, usage: consumed };
    if ending == Ending::TimedOut {
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
        (Price::Tokens(tokens), ending) => token_charge(tokens, ending, measured, admitted),
    }
}

fn token_charge(price: &TokenPrice, ending: Ending, measured: &Measured, admitted: Admitted) -> Charge {
    if measured.absurd || measured.usage.as_ref().is_some_and(|usage| price.is_absurd(usage)) {
        return Charge::Hold;
    }
    match (&measured.usage, ending) {
        (Some(usage), Ending::Complete | Ending::ProviderError) => match cost(price, measured, usage) {
            Some(cost) => Charge::Cost { cost, certainty: Certainty::Exact, usage: *usage },
            None => Charge::Hold,
        },
        // The provider had told all before it broke off.
        (Some(usage), Ending::Cut) if measured.complete => match cost(price, measured, usage) {
            Some(cost) => Charge::Cost { cost, certainty: Certainty::Exact, usage: *usage },
            None => Charge::Hold,
        },
        // What a provider reported before it broke off may not be all of it.
        (Some(usage), _) => {
            let seen = cost(price, measured, usage);
            match (estimate(price, measured, admitted), seen) {
                (Charge::Cost { cost: estimated, .. }, Some(seen)) if seen >= estimated => {
                    Charge::Cost { cost: seen, certainty: Certainty::Estimated, usage: *usage }
                }
                (estimate, _) => estimate,
            }
        }
        (None, Ending::ProviderError) => Charge::Void,
        (None, _) => estimate(price, measured, admitted),
    }
}

fn cost(price: &TokenPrice, measured: &Measured, usage: &Usage) -> Option<Usd> {
    price.rates(measured.service_tier.as_deref()).and_then(|rates| rates.cost(usage).ok())
}

/// What passed, metered upwards, and never more than was held.
fn estimate(price: &TokenPrice, measured: &Measured, admitted: Admitted) -> Charge {
    let output = if price.bound.has_output { measured.served_output.saturating_add(price.bound.input.get(Unit::Output)) } else { 0 };
    let input = measured.input.unwrap_or_else(|| price.bound.input.with(Unit::WebSearches, price.bound.max_searches));
    let usage = input.with(Unit::Output, output);
    let most = if admitted.budgeted { admitted.amount } else { price.quote.want };
    let rates = price.rates(None);
    let usage = rates.filter(|_| price.bound.as_priced).map_or(usage, |rates| rates.priced(&usage));
    match rates.and_then(|rates| rates.cost(&usage).ok()) {
        // What costs nothing at the most costs nothing.
        Some(Usd::ZERO) => Charge::Cost { cost: Usd::ZERO, certainty: Certainty::Exact, usage },
        Some(cost) => Charge::Cost { cost: cost.min(most), certainty: Certainty::Estimated, usage },
        None => Charge::Hold,
    }
}

#[cfg(test)]
mod tests;
