//! A request's way in, with slices: from a slice where one has all that it wants; else by the store, which is asked again when slices that stood in the way have
//! been called back.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::notes::Notes;
use super::table::{Key, LEASE, QUIET};
use super::{OfAccount, Slices};
use crate::ledger::grant::Grant;
use crate::ledger::handle::Admission;
use crate::ledger::outbox::HoldFacts;
use crate::ledger::redis::core::{Core, Running};
use crate::ledger::redis::memory::AdmittedHold;
use crate::ledger::redis::requests;
use crate::ledger::settler::Settler;
use crate::ledger::types::{AdmitRequest, Admitted, BudgetScope, Denied, LedgerError, TokenFacts};
use crate::money::Usd;
use crate::tokens::{TokenId, TokenKind};

/// How long a request waits for slices that were called back.
const PATIENCE: Duration = Duration::from_millis(250);
/// Before the store is asked again whether they are back: doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// What came of calling slices back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recall {
    ended: Instant,
    /// None is left, nor will be before this.
    none_until: Option<Instant>,
}

/// Admits a request by the store. Slices that stand in its way are called back first.
pub(in crate::ledger::redis) async fn admit(
    core: Arc<Core>,
    settler: Arc<Settler>,
    facts: Arc<TokenFacts>,
    request: AdmitRequest,
) -> Result<Admission, LedgerError> {
    let deadline = Instant::now() + PATIENCE;
    let ask = |least| requests::admit(Arc::clone(&core), Arc::clone(&settler), Arc::clone(&facts), AdmitRequest { least, ..request.clone() });
    // All of it or nothing at first, so that slices do not make it less.
    let least = if core.slices.on { request.want } else { request.least };
    let mut called_back = Vec::new();
    let mut admission = ask(least).await?;
    loop {
        let scope = match &mut admission {
            Admission::Denied(Denied::Held(state)) => state.scope,
            // The least is too much for that balance as well: to ask for it would say the same.
            Admission::Denied(Denied::Exhausted(state)) if !state.balance.is_positive() || state.balance < request.least => {
                state.asked = request.least;
                return Ok(admission);
            }
            // Of a balance that is too small slices take nothing away, but of a part of it they do.
            Admission::Denied(Denied::Exhausted(state)) if request.least < least => state.scope,
            _ => return Ok(admission),
        };
        let token = (scope == BudgetScope::Token).then_some(request.token);
        if called_back.contains(&token) || !core.slices.recall(&core, &facts.account, token, deadline).await? {
            break;
        }
        called_back.push(token);
        admission = ask(least).await?;
    }
    if request.least < least { ask(request.least).await } else { Ok(admission) }
}

impl Slices {
    /// Admits a request from a slice; none where it has to go to the store. Asks for a slice where the token is busy enough.
    pub(in crate::ledger::redis) fn admit(
        self: &Arc<Self>,
        core: &Core,
        settler: &Arc<Settler>,
        facts: &Arc<TokenFacts>,
        request: &AdmitRequest,
    ) -> Result<Option<Admission>, LedgerError> {
        if !self.on || facts.kind == TokenKind::Sandbox {
            return Ok(None);
        }
        let of = self.of(&facts.account);
        let key = Key { token: request.token, secret: request.secret };
        let want = request.want.max(Usd::ZERO);
        let now = Instant::now();
        let part = {
            let mut table = of.table();
            if table.asked(now, key, want) {
                of.wake.notify_one();
            }
            table.part(now, &key, want)
        };
        let Some(part) = part else { return Ok(None) };
        let (on_token, on_account, slice, label) = (part.on_token, part.on_account, Some(part.slice), Arc::clone(&request.label));
        let hold = AdmittedHold {
            hold: request.hold,
            account: Arc::clone(&of.account),
            token: request.token,
            facts: HoldFacts { amount: want, on_token, on_account, lease: request.lease, label, slice },
        };
        // Room for its ending first: an ending must never fail for lack of it. Then the note, before anything is sent on.
        let slot = core.outbox.reserve()?;
        let Ok(note) = Notes::of_request(&core.outbox, &hold) else { return Ok(None) };
        of.notes.keep(hold.hold, note);
        let (free_after, wake) = {
            let mut table = of.table();
            let Some(free_after) = table.admit(Instant::now(), &key, want, &part) else {
                drop(table);
                of.notes.let_go([hold.hold]);
                return Ok(None);
            };
            // Within the lock: whoever closes the slices after a failover finds it among the running requests.
            core.began(Running { hold: hold.clone(), slot });
            (free_after, table.note_admitted(now, hold))
        };
        if wake {
            of.wake.notify_one();
        }
        let admitted = Admitted { amount: want, budgeted: true, free_after: Some(free_after) };
        self.counts.admitted.fetch_add(1, Ordering::Relaxed);
        Ok(Some(Admission::Granted(Grant::new(Arc::clone(settler), Arc::clone(facts), request.hold, Some(request.lease), admitted))))
    }

    /// Calls back the slices of a token, or of the whole account, for a running request that wants more. True where it is worth asking again.
    pub(in crate::ledger::redis) async fn recall_now(self: &Arc<Self>, core: &Core, account: &str, token: Option<TokenId>) -> Result<bool, LedgerError> {
        self.recall(core, account, token, Instant::now() + PATIENCE).await
    }

    /// Calls back the slices of a token, or of the whole account, for a request that they stand in the way of; waits for them until the deadline. True where it
    /// is worth asking again.
    async fn recall(self: &Arc<Self>, core: &Core, account: &str, token: Option<TokenId>, deadline: Instant) -> Result<bool, LedgerError> {
        let of = self.of(account);
        let began = Instant::now();
        let cell = {
            let mut recalls = of.recalls.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            recalls.retain(|_, cell| Arc::strong_count(cell) > 1 || cell.try_lock().is_ok_and(|last| last.is_some_and(|last| last.ended.elapsed() < QUIET)));
            Arc::clone(recalls.entry(token).or_default())
        };
        let Ok(mut last) = tokio::time::timeout_at(deadline.into(), cell.lock()).await else { return Ok(true) };
        match *last {
            // Another request called them back while this one waited.
            Some(last) if last.ended >= began => return Ok(true),
            Some(Recall { none_until: Some(until), .. }) if began < until => return Ok(false),
            // Whoever has them did not answer a moment ago.
            Some(Recall { none_until: None, ended }) if began.saturating_duration_since(ended) < PATIENCE => return Ok(false),
            _ => {}
        }
        // Where no slices are taken there is nothing to keep from being taken, and nothing to remember of that.
        let (any, none_until) = self.call_back(core, &of, token, self.on, deadline).await?;
        *last = (self.on || none_until.is_none()).then(|| Recall { ended: Instant::now(), none_until });
        Ok(any)
    }

    /// Calls them back for whoever changed the token, or the account: waits until none is left that was taken before.
    pub(in crate::ledger::redis) async fn recall_surely(self: &Arc<Self>, core: &Core, account: &str, token: Option<TokenId>) -> Result<(), LedgerError> {
        // Those of a gateway that is gone end with their lease.
        let deadline = Instant::now() + LEASE + Duration::from_secs(1);
        let (_, none_until) = self.call_back(core, &self.of(account), token, false, deadline).await?;
        let unanswered = || LedgerError::Unavailable("it is changed, but a gateway may not know it yet".to_owned());
        none_until.map(drop).ok_or_else(unanswered)
    }

    /// Calls them back for whoever is about to set a balance: it may be less than they are, and only requests that run may stand on it then.
    pub(in crate::ledger::redis) async fn recall_before(self: &Arc<Self>, core: &Core, account: &str, token: Option<TokenId>) -> Result<(), LedgerError> {
        if !self.on {
            return Ok(());
        }
        let deadline = Instant::now() + LEASE + Duration::from_secs(1);
        let (_, none_until) = self.call_back(core, &self.of(account), token, true, deadline).await?;
        none_until.map(drop).ok_or_else(|| LedgerError::Unavailable("a gateway does not give back what it has set aside".to_owned()))
    }

    /// Whether there were any, and until when there are none now, where `always` was said: none where not all came back.
    async fn call_back(
        &self,
        core: &Core,
        of: &OfAccount,
        token: Option<TokenId>,
        always: bool,
        deadline: Instant,
    ) -> Result<(bool, Option<Instant>), LedgerError> {
        if of.table().call_back(Instant::now(), token) {
            self.counts.recalled.fetch_add(1, Ordering::Relaxed);
        }
        of.wake.notify_one();
        let mut pause = FIRST_PAUSE;
        let mut any = false;
        loop {
            let asked = Instant::now();
            let left = core.answered(self.operations.recall_slices(&of.account, token, QUIET, always).await)?;
            if left == 0 {
                return Ok((any, Some(asked + QUIET / 2)));
            }
            any = true;
            if Instant::now() + pause >= deadline {
                return Ok((any, None));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
