//! What the writer is asked to do. Dropping a job, or what it left to be answered, tells whoever waits that the ledger is unavailable.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::ledger::handle::Admission;
use crate::ledger::rules::{Changes, State};
use crate::ledger::settler::SettleReply;
use crate::ledger::types::{AdmitRequest, HoldId, LedgerError, Renewal, Renewed, Settlement, TokenFacts};

/// Answers a management job once it is durable.
pub(crate) type Finish = Box<dyn FnOnce() + Send>;

/// A management job: what it does to the state, and how it is answered.
pub(crate) type Change = Box<dyn FnOnce(&mut State, Timestamp, &mut Changes) -> Finish + Send>;

/// A request that waits for admission.
pub(crate) struct Admitting {
    /// What it asks for.
    pub(crate) request: AdmitRequest,
    /// Who asks.
    pub(crate) facts: Arc<TokenFacts>,
    /// Where the grant goes. One that nobody takes voids itself.
    pub(crate) reply: oneshot::Sender<Result<Admission, LedgerError>>,
}

/// One thing to do.
pub(crate) enum Job {
    /// Admit a request.
    Admit(Admitting),
    /// Charge a hold. Never lost: tried again until it is written.
    Settle(Settlement, SettleReply),
    /// Charge a hold at its amount. Never lost.
    ChargeHold(HoldId, SettleReply),
    /// Give a hold back. Never lost.
    Void(HoldId, Duration),
    /// Give a hold another id, under which it lives on. Never lost.
    Keep { hold: HoldId, kept: HoldId, lease: Duration, reply: SettleReply },
    /// Prolong or raise a hold.
    Renew(Renewal, oneshot::Sender<Result<Renewed, LedgerError>>),
    /// Prolong the holds of running requests.
    KeepAlive(Vec<Renewal>),
    /// Anything else: runs on the state, and is answered when its changes are durable.
    Manage(Change),
}
