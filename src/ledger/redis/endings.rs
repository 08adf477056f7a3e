//! Brings the end of a request to the server. All of these can be repeated.

use std::sync::Arc;

use super::codec::Stamp;
use super::core::Scripts;
use super::deliver::{Deliver, DeliverError};
use super::memory::AdmittedHold;
use super::operations::{Answer, LostHold};
use super::script::CallError;
use super::slices::Slices;
use crate::ledger::outbox::{Ending, Record};
use crate::ledger::types::Settled;

/// The way of endings.
pub(super) struct Endings {
    pub(super) operations: Arc<Scripts>,
    /// Where there are slices, endings are told after the admissions, many at once.
    pub(super) slices: Option<Arc<Slices>>,
}

/// Applies an ending.
pub(super) async fn end(operations: &Scripts, record: &Record) -> Result<(Answer<Settled>, Stamp), CallError> {
    match &record.ending {
        Ending::Settle(settlement) => operations.settle(&record.account, settlement).await,
        Ending::ChargeHold(hold) => operations.charge_hold(&record.account, *hold).await,
        Ending::Void(hold, lease) => operations.void(&record.account, *hold, *lease).await.map(|(answer, stamp)| {
            let answer = match answer {
                Answer::Done(()) => Answer::Done(Settled::default()),
                Answer::Failover => Answer::Failover,
                Answer::NoAccount => Answer::NoAccount,
                Answer::OutOfRange => Answer::OutOfRange,
            };
            (answer, stamp)
        }),
    }
}

/// Puts back a hold, should the server have lost it.
pub(super) async fn restore(operations: &Scripts, hold: &AdmittedHold) -> Result<(), CallError> {
    let lost = LostHold {
        hold: hold.hold,
        token: hold.token,
        amount: hold.facts.amount,
        on_token: hold.facts.on_token,
        on_account: hold.facts.on_account,
        lease: hold.facts.lease,
        label: Arc::clone(&hold.facts.label),
        slice: hold.facts.slice,
    };
    operations.restore(&hold.account, &lost).await.map(drop)
}

impl Endings {
    /// Brings one ending to the server by itself.
    pub(super) async fn alone(operations: &Scripts, record: &Record) -> Result<Settled, DeliverError> {
        match end(operations, record).await {
            Ok((Answer::Done(settled), _)) => Ok(settled),
            Ok((Answer::OutOfRange, _)) => Err(DeliverError::Never("a figure would leave the range that can be counted".to_owned())),
            // An account is never taken away: its server has yet to load it, or to be restored.
            Ok((Answer::NoAccount | Answer::Failover, _)) => Err(DeliverError::Later("the account is not there".to_owned())),
            Err(error @ CallError::Script(_)) => Err(DeliverError::Never(error.to_string())),
            Err(error) => Err(DeliverError::Later(error.to_string())),
        }
    }
}

impl Deliver for Endings {
    async fn deliver(&self, record: &Arc<Record>) -> Result<Settled, DeliverError> {
        match &self.slices {
            Some(slices) => slices.deliver(Arc::clone(record)).await,
            // Boxed, as whatever waits for Redis by itself: where there are slices, no request makes room for it.
            None => Box::pin(Self::alone(&self.operations, record)).await,
        }
    }
}
