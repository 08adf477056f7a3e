//! The settler: where a grant goes at its end, whichever way it ends. Handing over never blocks, and what was handed over is written in the end:
//! the store tries again until it took it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

use super::renewer::LiveHolds;
use super::types::{HoldId, LedgerError, Renewal, Renewed, Settled, Settlement};

/// Whoever waits for a settlement, if anyone does.
pub(super) type SettleReply = Option<oneshot::Sender<Result<Settled, LedgerError>>>;

/// What a store does with requests that run or end. Each call hands over and returns: it may come from a panic, or from outside of any runtime.
/// An error says that the store was closed.
pub(super) trait Ends: Send + Sync {
    /// Charges a hold. Never lost.
    fn settle(&self, settlement: Settlement, reply: SettleReply) -> Result<(), LedgerError>;
    /// Charges a hold at its amount. Never lost.
    fn charge_hold(&self, hold: HoldId, reply: SettleReply) -> Result<(), LedgerError>;
    /// Gives a hold back. Never lost.
    fn void(&self, hold: HoldId, lease: Duration) -> Result<(), LedgerError>;
    /// Gives a hold another id, under which it lives on. Where that cannot be done, it is charged at its amount. Never lost.
    fn keep(&self, hold: HoldId, kept: HoldId, lease: Duration, reply: SettleReply) -> Result<(), LedgerError>;
    /// Charges a hold that was kept, of any token of that account. May be asked again.
    fn settle_kept(&self, account: &str, settlement: Settlement, reply: SettleReply) -> Result<(), LedgerError>;
    /// Prolongs or raises a hold.
    fn renew(&self, renewal: Renewal, reply: oneshot::Sender<Result<Renewed, LedgerError>>) -> Result<(), LedgerError>;
    /// Prolongs the holds of running requests.
    fn keep_alive(&self, renewals: Vec<Renewal>) -> Result<(), LedgerError>;
}

/// The way from a grant to the store.
pub(crate) struct Settler {
    store: Arc<dyn Ends>,
    live: LiveHolds,
}

/// The settlement of one request. It happens whether or not this is waited for; waited for, it tells when the charge is durable.
#[derive(Debug)]
#[must_use = "the end of a response waits for its charge to be durable; drop it explicitly where nobody waits"]
pub struct SettleTicket(Ticket<Settled>);

/// More money for a running request, asked for whether or not this is waited for.
#[derive(Debug)]
#[must_use = "what the money pays for passes only once the ledger has said yes"]
pub struct RaiseTicket(Ticket<Renewed>);

/// What a store answers in a moment.
#[derive(Debug)]
enum Ticket<T> {
    /// Nothing to wait for.
    Known(Result<T, LedgerError>),
    Waiting(oneshot::Receiver<Result<T, LedgerError>>),
}

// === impl Settler ===

impl Settler {
    pub(super) fn new(store: Arc<dyn Ends>) -> Self {
        Self { store, live: LiveHolds::default() }
    }

    /// The holds that are kept alive.
    pub(super) fn live(&self) -> &LiveHolds {
        &self.live
    }

    /// Charges a hold.
    pub(super) fn settle(&self, settlement: Settlement) -> SettleTicket {
        ticket(|reply| self.store.settle(settlement, reply))
    }

    /// Charges a hold at its amount, and tells: for tests of stores. Who waits knows an amount, and charges that.
    #[cfg(test)]
    pub(super) fn charge_hold(&self, hold: HoldId) -> SettleTicket {
        ticket(|reply| self.store.charge_hold(hold, reply))
    }

    /// Gives a hold another id, under which it lives on.
    pub(super) fn keep(&self, hold: HoldId, kept: HoldId, lease: Duration) -> SettleTicket {
        ticket(|reply| self.store.keep(hold, kept, lease, reply))
    }

    /// Charges a hold that was kept.
    pub(super) fn settle_kept(&self, account: &str, settlement: Settlement) -> SettleTicket {
        ticket(|reply| self.store.settle_kept(account, settlement, reply))
    }

    /// Charges a hold at its amount, and nobody waits.
    pub(super) fn charge_dropped(&self, hold: HoldId) {
        nobody_waits(hold, self.store.charge_hold(hold, None));
    }

    /// Gives a hold back, and nobody waits.
    pub(super) fn void(&self, hold: HoldId, lease: Duration) {
        nobody_waits(hold, self.store.void(hold, lease));
    }

    /// Prolongs a hold and raises it.
    pub(super) fn raise(&self, renewal: Renewal) -> RaiseTicket {
        let (reply, answer) = oneshot::channel();
        match self.store.renew(renewal, reply) {
            Ok(()) => RaiseTicket(Ticket::Waiting(answer)),
            Err(error) => RaiseTicket(Ticket::Known(Err(error))),
        }
    }

    /// Prolongs the holds of running requests.
    pub(super) fn keep_alive(&self, renewals: Vec<Renewal>) -> Result<(), LedgerError> {
        self.store.keep_alive(renewals)
    }
}

fn ticket(hand_over: impl FnOnce(SettleReply) -> Result<(), LedgerError>) -> SettleTicket {
    let (reply, answer) = oneshot::channel();
    match hand_over(Some(reply)) {
        Ok(()) => SettleTicket(Ticket::Waiting(answer)),
        Err(error) => SettleTicket(Ticket::Known(Err(error))),
    }
}

fn nobody_waits(hold: HoldId, handed_over: Result<(), LedgerError>) {
    if let Err(error) = handed_over {
        tracing::warn!(%hold, %error, "a request ended after the ledger was closed: its hold is charged when its lease ends");
    }
}

/// The store let go of a job without an answer.
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
        self.0.poll(context)
    }
}

// === impl RaiseTicket ===

impl RaiseTicket {
    /// The ticket of a request that no budget limits.
    pub(super) fn nothing() -> Self {
        Self(Ticket::Known(Ok(Renewed::Done)))
    }
}

impl Future for RaiseTicket {
    type Output = Result<Renewed, LedgerError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(context)
    }
}

// === impl Ticket ===

impl<T: Clone> Ticket<T> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<T, LedgerError>> {
        match self {
            Self::Known(result) => Poll::Ready(result.clone()),
            Self::Waiting(answer) => Pin::new(answer).poll(context).map(|answer| answer.unwrap_or_else(|_| Err(unanswered()))),
        }
    }
}
