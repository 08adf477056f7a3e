//! A request's way into the shared ledger and out of it: admitted, kept alive, ended. However it goes, no hold is left that nobody knows of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;

use super::core::{Core, Running, unavailable};
use super::memory::AdmittedHold;
use super::script::CallError;
use super::store::{closed, identity};
use super::upkeep;
use super::worker::Worker;
use crate::ledger::grant::Grant;
use crate::ledger::handle::Admission;
use crate::ledger::outbox::{Ending, HoldFacts};
use crate::ledger::rules::AdmitReply;
use crate::ledger::settler::{Ends, SettleReply, Settler, unanswered};
use crate::ledger::types::{AdmitRequest, Denied, HoldId, LedgerError, Renewal, Renewed, Settled, Settlement, TokenFacts};
use crate::money::Usd;

/// The way of grants into the store.
pub(super) struct Way {
    core: Arc<Core>,
    worker: Arc<Worker>,
    closed: Arc<AtomicBool>,
}

/// Admits a request. However this ends, no hold is left that nobody knows of.
pub(super) async fn admit(core: Arc<Core>, settler: Arc<Settler>, facts: Arc<TokenFacts>, request: AdmitRequest) -> Result<Admission, LedgerError> {
    let account = Arc::clone(&facts.account);
    core.let_it_come(&account).await;
    // Room for its ending first: an ending must never fail for lack of it.
    let slot = core.outbox.reserve()?;
    let identity = identity(&core, &account)?;
    let answer = core.operations.admit(&account, &identity, &request).await;
    let hold = |amount, on_token, on_account| {
        let facts = HoldFacts { amount, on_token, on_account, lease: request.lease, label: Arc::clone(&request.label), slice: None };
        AdmittedHold { hold: request.hold, account: Arc::clone(&account), token: request.token, facts }
    };
    if let Err(error @ (CallError::Unknown(_) | CallError::Script(_))) = &answer {
        // It may be there all the same: it is taken back, or refused should it still come.
        let void = Ending::Void(request.hold, request.lease);
        core.began(Running { hold: hold(Usd::ZERO, false, false), slot });
        hand_over(&core, request.hold, void, None);
        return Err(unavailable(error));
    }
    let decided = core.answered(answer)?;
    match decided.reply {
        AdmitReply::Granted { admitted, held } => {
            if held {
                core.began(Running { hold: hold(admitted.amount, decided.on_token, decided.on_account), slot });
                // The answer may have taken so long that another server took over meanwhile, and was vouched for without this hold. Whoever takes over from
                // now on is told of it.
                if core.connections().identity(&account).ok().as_ref() != Some(&identity) {
                    hand_over(&core, request.hold, Ending::Void(request.hold, request.lease), None);
                    return Err(LedgerError::Unavailable("its server changed while it answered".to_owned()));
                }
            }
            Ok(Admission::Granted(Grant::new(settler, facts, request.hold, held.then_some(request.lease), admitted)))
        }
        AdmitReply::Denied(denied) => {
            if denied == Denied::Unknown {
                core.directory.forget(&request.secret);
            }
            Ok(Admission::Denied(denied))
        }
    }
}

/// Passes an ending on. To be called on the worker.
fn hand_over(core: &Core, hold: HoldId, ending: Ending, reply: SettleReply) {
    if let Some(delivery) = take_over(core, hold, ending, reply) {
        drop(tokio::spawn(delivery));
    }
}

/// What is left to do for an ending: to be run to its end on the worker. None where the request has ended before: nothing is charged twice.
fn take_over(core: &Core, hold: HoldId, ending: Ending, reply: SettleReply) -> Option<impl Future<Output = ()> + Send + use<>> {
    if let Some((record, slot)) = core.end(hold, ending) {
        return Some(core.deliverer.take_over(record, slot, reply));
    }
    if let Some(reply) = reply {
        let _ = reply.send(Ok(Settled::default()));
    }
    None
}

// === impl Way ===

impl Way {
    pub(super) fn new(core: Arc<Core>, worker: Arc<Worker>, closed: Arc<AtomicBool>) -> Self {
        Self { core, worker, closed }
    }

    fn hand_over(&self, hold: HoldId, ending: Ending, reply: SettleReply) -> Result<(), LedgerError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        let core = Arc::clone(&self.core);
        self.worker.spawn(async move {
            if let Some(delivery) = take_over(&core, hold, ending, reply) {
                delivery.await;
            }
        });
        Ok(())
    }
}

impl Ends for Way {
    fn settle(&self, settlement: Settlement, reply: SettleReply) -> Result<(), LedgerError> {
        self.hand_over(settlement.hold, Ending::Settle(settlement), reply)
    }

    fn charge_hold(&self, hold: HoldId, reply: SettleReply) -> Result<(), LedgerError> {
        self.hand_over(hold, Ending::ChargeHold(hold), reply)
    }

    fn void(&self, hold: HoldId, lease: Duration) -> Result<(), LedgerError> {
        self.hand_over(hold, Ending::Void(hold, lease), None)
    }

    fn keep(&self, hold: HoldId, kept: HoldId, lease: Duration, reply: SettleReply) -> Result<(), LedgerError> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        let core = Arc::clone(&self.core);
        self.worker.spawn(async move { keep(&core, hold, kept, lease, reply).await });
        Ok(())
    }

    fn settle_kept(&self, account: &str, settlement: Settlement, reply: SettleReply) -> Result<(), LedgerError> {
        let (core, account) = (Arc::clone(&self.core), account.to_owned());
        self.worker.spawn(async move {
            let settled = core.answered(core.operations.settle(&account, &settlement).await);
            if let Some(reply) = reply {
                let _ = reply.send(settled);
            }
        });
        Ok(())
    }

    fn renew(&self, renewal: Renewal, reply: oneshot::Sender<Result<Renewed, LedgerError>>) -> Result<(), LedgerError> {
        let core = Arc::clone(&self.core);
        self.worker.spawn(async move { drop(reply.send(renew(&core, renewal).await)) });
        Ok(())
    }

    fn keep_alive(&self, renewals: Vec<Renewal>) -> Result<(), LedgerError> {
        let core = Arc::clone(&self.core);
        self.worker.spawn(async move { upkeep::keep_alive(&core, renewals).await });
        Ok(())
    }
}

/// Gives a hold another id. Where the server does not say that it did, the hold is charged as any other that nobody knows the cost of; should it have another
/// id all the same, that charge finds nothing.
async fn keep(core: &Core, hold: HoldId, kept: HoldId, lease: Duration, reply: SettleReply) {
    let asked = match core.account_of(hold) {
        Some(account) => {
            core.told(&account, hold).await;
            core.answered(core.operations.keep(&account, hold, kept, lease).await)
        }
        // It has ended before.
        None => Ok(Settled::default()),
    };
    match asked {
        Ok(settled) => {
            core.kept(hold, kept, lease);
            if let Some(reply) = reply {
                let _ = reply.send(Ok(settled));
            }
        }
        Err(error) => {
            tracing::warn!(%hold, %error, "the hold of a job could not be kept: it is charged at its amount");
            hand_over(core, hold, Ending::ChargeHold(hold), reply);
        }
    }
}

async fn renew(core: &Core, renewal: Renewal) -> Result<Renewed, LedgerError> {
    let (Some(account), Some((token, on_account))) = (core.account_of(renewal.hold), core.token_of(renewal.hold)) else { return Ok(Renewed::Gone) };
    core.told(&account, renewal.hold).await;
    let mut renewed = renew_once(core, &account, renewal).await?;
    // What others hold may be slices, of the token or of others of the account.
    for of in [Some(token), None].into_iter().take(if on_account { 2 } else { 1 }) {
        let Renewed::NotRaised { others, .. } = renewed else { break };
        if others.is_positive() && core.slices.recall_now(core, &account, of).await? {
            renewed = renew_once(core, &account, renewal).await?;
        }
    }
    if renewed == Renewed::Done {
        core.raised(renewal.hold, renewal.raise_to);
    }
    Ok(renewed)
}

async fn renew_once(core: &Core, account: &str, renewal: Renewal) -> Result<Renewed, LedgerError> {
    let renewed = core.answered(core.operations.renew(account, &[renewal]).await)?;
    Ok(renewed.into_iter().next().ok_or_else(unanswered)??)
}
