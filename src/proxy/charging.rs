//! A charge on its way into the ledger: what is due becomes an ending of the grant, and the ending is waited for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;

use crate::apis::Job;
use crate::ledger::{Certainty, ChargeLabel, LedgerError, SettleTicket, Settled};
use crate::money::Usd;
use crate::prices::Usage;

use super::exchange::Bill;
use super::jobs::{self, Outcome};
use super::settle::Booked;

/// A charge that is being made durable.
pub(super) struct Charging {
    /// None where nothing is charged, and nobody waits.
    ticket: Option<SettleTicket>,
    pub(super) began: Instant,
    pub(super) label: Arc<ChargeLabel>,
    pub(super) cost: Usd,
    pub(super) usage: Usage,
    pub(super) estimated: bool,
    /// A job was begun or asked for: only what the ledger says it charged was charged.
    of_job: bool,
}

/// A durable charge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    pub(super) cost: Usd,
    pub(super) balance: Option<Usd>,
}

// === impl Charging ===

impl Charging {
    /// Ends the grant by what is due (nothing: it is given back), or by what the answer tells of a job.
    pub(super) fn begin(bill: Bill, due: Option<Booked>, job: Option<Job>) -> Self {
        let Bill { grant, price, label, price_version } = bill;
        let held = grant.admitted().amount;
        let job = job.and_then(|job| jobs::outcome(job, &price, &grant.facts().account, &label.provider, &price_version));
        let mut charging =
            Self { ticket: None, began: Instant::now(), label, cost: Usd::ZERO, usage: Usage::default(), estimated: false, of_job: job.is_some() };
        match (job, due) {
            (Some(Outcome::Keep(kept)), _) => {
                charging.ticket = Some(grant.keep(kept, jobs::LEASE));
                (charging.cost, charging.estimated) = (held, true);
            }
            (Some(Outcome::Settle(settlement)), _) => {
                (charging.cost, charging.usage) = (settlement.cost, settlement.usage);
                charging.ticket = Some(grant.settle_kept(settlement));
            }
            (None, Some(Booked { cost, certainty, usage })) => {
                charging.ticket = Some(grant.settle(cost, certainty, usage, Arc::clone(&charging.label), price_version));
                (charging.cost, charging.usage, charging.estimated) = (cost, usage, certainty != Certainty::Exact);
            }
            (None, None) => grant.void(),
        }
        charging
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Settled, LedgerError>> {
        match &mut self.ticket {
            Some(ticket) => Pin::new(ticket).poll(context),
            None => Poll::Ready(Ok(Settled::default())),
        }
    }

    /// What the client is told that it paid. None where that is not known yet, or was told before.
    pub(super) fn receipt(&self, settled: &Settled) -> Option<Receipt> {
        (!self.of_job || settled.charged).then_some(Receipt { cost: self.cost, balance: settled.balance })
    }

    /// Whether this is a charge of its own, to be counted.
    pub(super) fn is_booked(&self, settled: &Settled) -> bool {
        self.ticket.is_some() && (!self.of_job || settled.charged)
    }
}
