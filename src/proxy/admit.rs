//! admit: the ledger says yes or no, in one step, on its own clock.
//!
//! Where the request can be counted ([`super::recount`]), it is asked twice at the most: first for all that the request can cost by its bytes, or nothing;
//! then, where that is not there, by what was counted, with the limit lowered where it must be. A no leaves nothing behind, so it is one hold, under
//! one id. Whoever counts does so between the two; or, for a stream whose first step was there, while that is held, as it will be until the stream ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::apis::{BudgetBody, Refusal};
use crate::ledger::{Admission, AdmitRequest, BudgetScope, BudgetState, Denied, Grant, HoldId, Ledger};
use crate::money::Usd;
use crate::telemetry::{LedgerOp, Metrics};

use super::Refused;
use super::forward::output_limit;
use super::quote::Quoted;
use super::recount::{Counter, Counting};
use super::upstream::UpstreamClients;

/// Before a request that only others stand in the way of asks again: doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A request that may go upstream.
pub(super) struct Granted {
    pub(super) quoted: Box<Quoted>,
    pub(super) grant: Grant,
}

/// What admission needs beside the request.
pub(super) struct Admitting<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) counting: &'a Counting,
    pub(super) upstreams: &'a UpstreamClients,
    pub(super) metrics: &'a Metrics,
    pub(super) lease: Duration,
}

/// Asks the ledger.
pub(super) async fn admit(mut quoted: Box<Quoted>, hold: HoldId, admitting: Admitting<'_>) -> Result<Granted, Box<Refused>> {
    let Admitting { ledger, counting, upstreams, metrics, lease } = admitting;
    let api = quoted.api;
    let provider_is_off = matches!(quoted.kind, super::quote::Kind::Provider).then(|| quoted.route.upstream.off()).flatten();
    if let Some(variable) = provider_is_off {
        let message = format!("The upstream '{}' is off: {variable} is not set.", quoted.route.upstream.name);
        return Err(Refused::new(api, Refusal::upstream_unavailable(message)));
    }
    let (token, secret, label) = (quoted.facts.id, quoted.secret, Arc::clone(&quoted.label));
    // Who is to count, as long as the bytes bound the request.
    let mut counter = Counter::of(&quoted);
    let mut pause = FIRST_PAUSE;
    let mut asked = Instant::now();
    let admission = loop {
        let began = Instant::now();
        let least = if counter.is_some() { quoted.want } else { quoted.least };
        let request = AdmitRequest { hold, token, secret, want: quoted.want, least, lease, label: Arc::clone(&label) };
        let admission = ledger.admit(request).await;
        metrics.ledger(LedgerOp::Admit, began.elapsed(), admission.is_err());
        if let (Some(by), Ok(Admission::Denied(Denied::Held(state) | Denied::Exhausted(state)))) = (counter, &admission) {
            counter = None;
            if state.balance.is_positive() {
                counting.recount(by, &mut quoted, state.balance, upstreams, metrics).await;
            }
            // It is the lowest balance: where that does not reach, no other answer can come.
            if !state.balance.is_positive() || state.balance < quoted.least {
                break Ok(Admission::Denied(Denied::Exhausted(BudgetState { asked: quoted.least, ..state.clone() })));
            }
            // The wait for a count is none for others' money.
            asked = Instant::now();
            continue;
        }
        let left = quoted.route.hold_wait.saturating_sub(asked.elapsed());
        // Only requests in flight stand in the way: most end in a moment, and cost less than they hold.
        if !matches!(admission, Ok(Admission::Denied(Denied::Held(_)))) || left.is_zero() {
            break admission;
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    };
    match admission {
        Ok(Admission::Granted(grant)) => {
            // The first step of a stream was there, and what is left would end it soon.
            if let Some(by) = counter.filter(|_| output_limit(&quoted, &grant).is_some_and(|limit| limit.clamped)) {
                counting.recount(by, &mut quoted, Usd::MAX, upstreams, metrics).await;
            }
            Ok(Granted { quoted, grant })
        }
        Ok(Admission::Denied(denied)) => Err(Refused::new(api, refusal(denied, &quoted.facts.name))),
        Err(error) => {
            tracing::error!(%error, "the ledger did not answer an admission");
            Err(Refused::new(api, Refusal::ledger_unavailable()))
        }
    }
}

/// The ledger's no, as the client is told. `token` is the name of the token that asked.
fn refusal(denied: Denied, token: &str) -> Refusal {
    match denied {
        Denied::Unknown => Refusal::invalid_token(),
        Denied::Expired { since } => Refusal::token_expired(token, since),
        Denied::Held(state) => Refusal::budget_held(budget(state)),
        Denied::Exhausted(state) => Refusal::budget_exhausted(budget(state)),
        // The gateway gave this id up and asks too late: nothing is known about the budget, and a new request has a new id.
        Denied::Voided => Refusal::ledger_unavailable(),
    }
}

fn budget(state: BudgetState) -> BudgetBody {
    let scope = match state.scope {
        BudgetScope::Token => "token",
        BudgetScope::Account => "account",
    };
    BudgetBody { scope, name: state.name, balance: state.balance, held: state.held, asked: state.asked, resets_at: state.resets_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_about_bad_secrets_and_little_about_others() {
        assert_eq!(refusal(Denied::Unknown, "name"), Refusal::invalid_token());
        let expired = refusal(Denied::Expired { since: "2026-01-01T00:00:00Z".parse().unwrap() }, "x");
        assert_eq!((expired.code, expired.message.as_str()), ("token_expired", "Token 'x' expired at 2026-01-01T00:00:00Z."));
        assert_eq!(refusal(Denied::Voided, "x").code, "ledger_unavailable");
    }
}
