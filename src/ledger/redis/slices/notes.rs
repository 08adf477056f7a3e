//! What only this gateway knows of its slices stands in its outbox: which there are, from before the store is asked for one until it is given back, and which
//! requests were admitted from them, from before they are sent on until the store is told. So the process after one that was killed tells the rest, and gives
//! back what nobody used.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::table::{LEASE, MOST_TOLD};
use crate::ledger::outbox::{Boot, Note, Noted, Outbox, Slot};
use crate::ledger::redis::core::Scripts;
use crate::ledger::redis::failover::RESTORABLE;
use crate::ledger::redis::memory::AdmittedHold;
use crate::ledger::redis::operations::{Answer, Care, Told};
use crate::ledger::redis::script::CallError;
use crate::ledger::types::{HoldId, LedgerError};
use crate::maps::{Map, Set};
use crate::tokens::TokenId;

/// The notes of an account's slices and requests.
#[derive(Default)]
pub(super) struct Notes(Mutex<Map<HoldId, Slot>>);

/// What a process left of one account.
#[derive(Default)]
struct Left {
    /// What the store is told.
    told: Told,
    /// What is gone from the outbox then.
    slots: Vec<Slot>,
}

// === impl Notes ===

impl Notes {
    /// A request is about to be admitted from a slice.
    pub(super) fn of_request(outbox: &Outbox, hold: &AdmittedHold) -> Result<Slot, LedgerError> {
        outbox.note(&Note::new(Noted::Admitted(hold.hold, hold.facts.clone()), Arc::clone(&hold.account), hold.token))
    }

    /// The store is about to be asked for a slice.
    pub(super) fn of_slice(outbox: &Outbox, boot: &Boot, slice: HoldId, account: &Arc<str>, token: TokenId) -> Result<Slot, LedgerError> {
        outbox.note(&Note::new(Noted::Slice(slice, boot.clone()), Arc::clone(account), token))
    }

    /// It was done: the note stays until it is let go of.
    pub(super) fn keep(&self, id: HoldId, slot: Slot) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, slot);
    }

    /// The store knows of them, or never will.
    pub(super) fn let_go(&self, ids: impl IntoIterator<Item = HoldId>) {
        let slots: Vec<Slot> = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            ids.into_iter().filter_map(|id| kept.remove(&id)).collect()
        };
        slots.into_iter().for_each(Slot::free);
    }
}

/// Tells the store what a process before this one admitted, then gives back what is left of its slices. What has to be charged with its slice stays in there: a
/// request that was admitted too long ago to be told of, and all where a power loss may have taken notes of requests.
pub(in crate::ledger::redis) async fn settle_left(operations: &Scripts, outbox: &Outbox) -> Result<(), CallError> {
    for (account, of) in sorted(outbox.left(), Timestamp::now(), &Boot::this()) {
        let (admitted, slices) = (of.told.admitted.len(), of.told.slices.len());
        match tell(operations, &account, of.told).await {
            Ok(true) => {
                tracing::info!(%account, admitted, slices, "what a killed gateway had set aside is given back, but for what it had admitted");
                of.slots.into_iter().for_each(Slot::free);
            }
            // Their slots stay as they are.
            Ok(false) => tracing::warn!(%account, admitted, slices, "the account is not there: its slices are left for the next start"),
            Err(error @ CallError::Script(_)) => tracing::error!(%account, admitted, slices, %error, "slices cannot be given back: they are charged"),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What the store is told of each account.
fn sorted(left: Vec<(Note, Slot)>, now: Timestamp, boot: &Boot) -> Map<Arc<str>, Left> {
    let is_old = |note: &Note| now.duration_since(note.written_at) >= RESTORABLE;
    let charged: Set<HoldId> = left
        .iter()
        .filter_map(|(note, _)| match &note.noted {
            Noted::Admitted(_, facts) if is_old(note) => facts.slice,
            _ => None,
        })
        .collect();
    let mut accounts: Map<Arc<str>, Left> = Map::default();
    for (note, slot) in left {
        let of = accounts.entry(Arc::clone(&note.account)).or_default();
        let old = is_old(&note);
        match note.noted {
            Noted::Admitted(hold, facts) if !old => of.told.admitted.push(AdmittedHold { hold, account: note.account, token: note.token, facts }),
            Noted::Slice(slice, noted_on) if noted_on.is(boot) && !charged.contains(&slice) => of.told.slices.push((slice, Care::GiveBack(LEASE))),
            noted => tracing::warn!(?noted, "what is left of a slice cannot be told from what was admitted from it: it is charged"),
        }
        of.slots.push(slot);
    }
    accounts
}

/// First all requests, then the slices. False where there is no such account.
async fn tell(operations: &Scripts, account: &str, told: Told) -> Result<bool, CallError> {
    let requests = told.admitted.chunks(MOST_TOLD).map(|some| Told { admitted: some.to_vec(), ..Told::default() });
    let slices = told.slices.chunks(MOST_TOLD).map(|some| Told { slices: some.to_vec(), ..Told::default() });
    for some in requests.chain(slices) {
        if !matches!(operations.tell(account, "", &some).await?, (Answer::Done(_), _)) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::*;
    use crate::ledger::outbox::{HoldFacts, OutboxOptions};
    use crate::money::Usd;

    const LATER: SignedDuration = SignedDuration::from_secs(59);

    fn id(name: &str) -> HoldId {
        HoldId::derived(&[name])
    }

    fn request(name: &str, slice: &str) -> AdmittedHold {
        let facts = HoldFacts { amount: Usd::MAX, on_token: true, lease: Duration::from_secs(60), slice: Some(id(slice)), ..HoldFacts::default() };
        AdmittedHold { hold: id(name), account: Arc::from("a"), token: TokenId(7), facts }
    }

    /// What a process leaves that noted two slices, three requests of the first one, and one of those that was told.
    fn left(folder: &std::path::Path, boot: &Boot) -> Vec<(Note, Slot)> {
        let open = || Outbox::open(folder, &OutboxOptions::default()).unwrap().0;
        let (outbox, notes) = (open(), Notes::default());
        for slice in ["used", "idle"] {
            notes.keep(id(slice), Notes::of_slice(&outbox, boot, id(slice), &Arc::from("a"), TokenId(7)).unwrap());
        }
        for name in ["one", "told", "two"] {
            notes.keep(id(name), Notes::of_request(&outbox, &request(name, "used")).unwrap());
        }
        notes.let_go([id("told"), id("unknown")]);
        drop((outbox, notes));
        open().left()
    }

    fn told(left: Vec<(Note, Slot)>, now: Timestamp, boot: &Boot) -> (Vec<AdmittedHold>, Set<HoldId>) {
        let mut accounts = sorted(left, now, boot);
        let of = accounts.remove("a").unwrap();
        assert!(accounts.is_empty() && of.slots.len() == 4);
        assert!(of.told.slices.iter().all(|(_, care)| *care == Care::GiveBack(LEASE)));
        let mut admitted = of.told.admitted;
        admitted.sort_by_key(|hold| hold.hold != id("one"));
        (admitted, of.told.slices.into_iter().map(|(slice, _)| slice).collect())
    }

    #[test]
    fn what_was_admitted_is_told_and_the_rest_given_back() {
        let (folder, boot) = (tempfile::tempdir().unwrap(), Boot::this());
        let now = Timestamp::now();
        let expected = vec![request("one", "used"), request("two", "used")];
        assert_eq!(told(left(folder.path(), &boot), now + LATER, &boot), (expected, Set::from_iter([id("used"), id("idle")])));
    }

    #[test]
    fn what_can_no_longer_be_told_stays_in_its_slice() {
        let (folder, boot) = (tempfile::tempdir().unwrap(), Boot::this());
        let now = Timestamp::now();
        assert_eq!(told(left(folder.path(), &boot), now + LATER + LATER, &boot), (Vec::new(), Set::from_iter([id("idle")])));
    }

    #[test]
    fn after_another_start_of_the_machine_no_slice_is_given_back() {
        let boot = Boot::this();
        for other in [Boot::of("another"), Boot::of("")] {
            let (admitted, slices) = told(left(tempfile::tempdir().unwrap().path(), &boot), Timestamp::now(), &other);
            assert_eq!((admitted.len(), slices.len()), (2, 0), "{other:?}");
        }
        let (_, slices) = told(left(tempfile::tempdir().unwrap().path(), &Boot::of("")), Timestamp::now(), &Boot::of(""));
        assert!(slices.is_empty(), "which start it was is not known");
    }
}
