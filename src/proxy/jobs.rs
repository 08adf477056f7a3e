//! Jobs: work that goes on at the provider when the request that began it has ended, and whose cost a later answer tells.
//!
//! The hold of that request outlives it, under an id that follows from the job's. Whichever gateway first passes on an answer with the cost settles it by that
//! id, and the ledger does so once. A job that nobody asks for is charged at its hold when the lease ends; a poll after that corrects the charge down.

use std::sync::Arc;
use std::time::Duration;

use crate::apis::Job;
use crate::ledger::{Certainty, HoldId, Settlement};
use crate::prices::{Unit, Usage};

use super::quote::Price;

/// How long the cost of a job can be settled in full: until then its hold stands.
pub(super) const LEASE: Duration = Duration::from_secs(24 * 3600);

/// What becomes of the money.
#[allow(clippy::large_enum_variant, reason = "there is one a request, and not for long")]
pub(super) enum Outcome {
    /// The request's hold lives on under this id.
    Keep(HoldId),
    /// The hold of an earlier request is settled.
    Settle(Settlement),
}

/// What becomes of the money of a request whose answer tells of a job. None: it is charged as any other, since its price does not wait for the job's cost.
pub(super) fn outcome(job: Job, price: &Price, account: &str, provider: &str, price_version: &Arc<str>) -> Option<Outcome> {
    let hold = |id: &str| HoldId::derived(&["job", account, provider, id]);
    match (job, price) {
        (Job::Begun { id }, Price::ReportedJson { .. }) => Some(Outcome::Keep(hold(&id))),
        (Job::Begun { id }, Price::Tokens(price)) if price.reports_cost => Some(Outcome::Keep(hold(&id))),
        (Job::Ended { id, cost }, Price::Unbilled) => Some(Outcome::Settle(Settlement {
            hold: hold(&id),
            cost,
            certainty: Certainty::Exact,
            usage: Usage::default().with(Unit::Requests, 1),
            // That of the request which began it.
            label: Arc::default(),
            price_version: Arc::clone(price_version),
        })),
        _ => None,
    }
}
