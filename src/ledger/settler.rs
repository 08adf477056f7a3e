//! The settler: where a grant goes at its end, whichever way it ends. Handing over never blocks, and what was handed over is written in the end:
//! the writer tries again until the store took it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

use super::embedded::{Job, Queue};
use super::renewer::LiveHolds;
use super::types::{HoldId, LedgerError, Renewal, Renewed, Settled, Settlement};

/// The way from a grant to the writer.
#[derive(Default)]
pub(crate) struct Settler {
    queue: Queue,
    live: LiveHolds,
}

/// The settlement of one request. It happens whether or not this is waited for; waited for, it tells when the charge is durable.
#[derive(Debug)]
#[must_use = "the end of a response waits for its charge to be durable; drop it explicitly where nobody waits"]
pub struct SettleTicket(Ticket);

#[derive(Debug)]
enum Ticket {
    /// Nothing to wait for.
    Known(Result<Settled, LedgerError>),
    Waiting(oneshot::Receiver<Result<Settled, LedgerError>>),
}

// === impl Settler ===

impl Settler {
    /// Where jobs wait for the writer.
    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The holds that are kept alive.
    pub(super) fn live(&self) -> &LiveHolds {
        &self.live
    }

    /// Charges a hold.
    pub(super) fn settle(&self, settlement: Settlement) -> SettleTicket {
        self.ticket(|reply| Job::Settle(settlement, Some(reply)))
    }

    /// Charges a hold at its amount.
    pub(super) fn charge_hold(&self, hold: HoldId) -> SettleTicket {
        self.ticket(|reply| Job::ChargeHold(hold, Some(reply)))
    }

    fn ticket(&self, job: impl FnOnce(oneshot::Sender<Result<Settled, LedgerError>>) -> Job) -> SettleTicket {
        let (reply, answer) = oneshot::channel();
        match self.queue.hand_over(job(reply)) {
            Ok(()) => SettleTicket(Ticket::Waiting(answer)),
            Err(error) => SettleTicket(Ticket::Known(Err(error))),
        }
    }

    /// Charges a hold at its amount, and nobody waits.
    pub(super) fn charge_dropped(&self, hold: HoldId) {
        self.hand_over(hold, Job::ChargeHold(hold, None));
    }

    /// Gives a hold back, and nobody waits.
    pub(super) fn void(&self, hold: HoldId, lease: Duration) {
        self.hand_over(hold, Job::Void(hold, lease));
    }

    fn hand_over(&self, hold: HoldId, job: Job) {
        if let Err(error) = self.queue.hand_over(job) {
            tracing::warn!(%hold, %error, "a request ended after the ledger was closed: its hold is charged when its lease ends");
        }
    }

    /// Prolongs or raises a hold.
    pub(super) async fn renew(&self, renewal: Renewal) -> Result<Renewed, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.queue.ask(Job::Renew(renewal, reply))?;
        answer.await.unwrap_or_else(|_| Err(unanswered()))
    }
}

/// The writer let go of a job without an answer.
pub(super) fn unanswered() -> LedgerError {
    LedgerError::Unavailable("the change could not be written".to_owned())
}

// === impl SettleTicket ===

impl SettleTicket {
    /// The ticket of a request that had no hold.
    pub(super) fn nothing() -> Self {
        Self(Ticket::Known(Ok(Settled::default())))
    }
}

impl Future for SettleTicket {
    type Output = Result<Settled, LedgerError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Ticket::Known(result) => Poll::Ready(result.clone()),
            Ticket::Waiting(answer) => Pin::new(answer).poll(context).map(|answer| answer.unwrap_or_else(|_| Err(unanswered()))),
        }
    }
}
