//! The slices of one account as their gateway knows them. Pure: no lock, no clock, no store; time is passed in.
//!
//! ```text
//!             take                        admit: free -> unregistered -> told: a hold of its own in the store
//! (nothing) --------> open(amount) ------+
//!                       |  ^  look: renewed, filled up
//!                       |  +--+
//!                       | idle, called back, or its time is up
//!                       v
//!                   returning --- what was admitted from it is told ---> given back
//! ```
//!
//! `amount` is what the store last said. What was admitted since and not told yet is `unregistered`, so `free` is what both leave: never more than the store
//! holds for it, whatever is repeated and whichever answers are lost.

mod care;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::demand::{Demand, Size};
use crate::ledger::redis::memory::AdmittedHold;
use crate::ledger::redis::operations::Taken;
use crate::ledger::types::HoldId;
use crate::maps::{Map, Set};
use crate::money::Usd;
use crate::tokens::{SecretHash, TokenId};

/// How long a slice lives without being renewed.
pub(in crate::ledger::redis) const LEASE: Duration = Duration::from_secs(3);
/// It is not used so shortly before its end: for clocks that run at different speeds.
const MARGIN: Duration = Duration::from_millis(500);
/// A slice that nobody used for so long is given back.
const IDLE: Duration = Duration::from_secs(1);
/// How often the store is asked whether any slice was called back.
const GLANCE: Duration = Duration::from_millis(40);
/// How often each slice is looked after, where none was: one that is used is renewed, one that is not goes back.
const LOOK: Duration = Duration::from_millis(500);
/// How often a slice may be filled.
const FILL: Duration = Duration::from_millis(5);
/// No slice is asked for so long after one was called back.
pub(in crate::ledger::redis) const QUIET: Duration = Duration::from_secs(1);
/// Nor after there was too little for one: doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// A request whose admission could not be told for so long is not told of any more: the ids of those that ended may be forgotten by then.
const TELLABLE: Duration = Duration::from_secs(60);
/// A request's admission waits so long for something else to tell: most go with the end of another.
const TELL: Duration = Duration::from_millis(5);
/// What was given back is remembered for so long, should a failover bring it back.
const REMEMBERED: Duration = Duration::from_secs(60);
/// What is known of a token that asks for nothing is forgotten after so long.
const FORGOTTEN: Duration = Duration::from_secs(30);
/// How many requests are told of at a time.
pub(super) const MOST_TOLD: usize = 128;

/// Whose requests a slice is for: the secret was looked at when it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) token: TokenId,
    pub(super) secret: SecretHash,
}

/// The slices of an account.
#[derive(Debug, Default)]
pub(super) struct Table {
    places: Map<Key, Place>,
    /// Where each open slice is.
    open: Map<HoldId, Key>,
    /// Slices that nothing is admitted from any more. They are given back with, or after, the last request that is to be told.
    returning: Set<HoldId>,
    given_back: VecDeque<(Instant, HoldId)>,
    /// Requests that the store does not know, the oldest first.
    untold: VecDeque<(Instant, AdmittedHold)>,
    untold_ids: Set<HoldId>,
    wanted: Vec<Key>,
    /// When open slices are looked after next, the first in front. What a slice does not say of itself is out of date.
    looks: VecDeque<(Instant, HoldId)>,
    /// Open slices that may have to be filled.
    low: Vec<HoldId>,
    /// When the store was asked last what was called back.
    glanced_at: Option<Instant>,
    /// How often slices of the account were called back, as it said.
    recalls: Option<u64>,
    /// When slices are given back next, or tried to.
    return_at: Option<Instant>,
    tidied_at: Option<Instant>,
    closed: bool,
}

/// What is known of a secret of a token.
#[derive(Debug)]
struct Place {
    demand: Demand,
    asked: Instant,
    slice: Option<Slice>,
    /// The slice that the store is being asked for.
    taking: Option<HoldId>,
    /// None is asked for before.
    quiet_until: Instant,
    pause: Duration,
}

/// A slice that requests are admitted from.
#[derive(Debug)]
struct Slice {
    id: HoldId,
    amount: Usd,
    unregistered: Usd,
    on_token: bool,
    on_account: bool,
    /// What was free besides when the store last said.
    beside: Usd,
    usable_until: Instant,
    used: Instant,
    looked: Instant,
    look_at: Instant,
    /// Whether it is among those that may have to be filled.
    low: bool,
}

/// A request's part of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) slice: HoldId,
    pub(super) on_token: bool,
    pub(super) on_account: bool,
}

/// What the store is told of next.
#[derive(Debug)]
pub(super) struct Next {
    /// Requests, the oldest first.
    pub(super) admitted: Vec<AdmittedHold>,
    /// Whether these are all.
    pub(super) all: bool,
    /// Requests that it will never be told of.
    pub(super) abandoned: Vec<AdmittedHold>,
}

/// A slice that is to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) key: Key,
    pub(super) slice: HoldId,
    pub(super) size: Size,
}

// === impl Slice ===

impl Slice {
    fn free(&self) -> Usd {
        self.amount.minus(self.unregistered).unwrap_or(Usd::ZERO).max(Usd::ZERO)
    }
}

// === impl Place ===

impl Place {
    fn new(now: Instant) -> Self {
        Self { demand: Demand::new(now), asked: now, slice: None, taking: None, quiet_until: now, pause: FIRST_PAUSE }
    }
}

// === impl Table ===

impl Table {
    /// A request asks for so much, on whichever road. True where a slice should be asked for.
    pub(super) fn asked(&mut self, now: Instant, key: Key, want: Usd) -> bool {
        let place = self.places.entry(key).or_insert_with(|| Place::new(now));
        place.asked = now;
        place.demand.add(now, want);
        let lacks = place.slice.is_none() && place.taking.is_none() && place.quiet_until <= now && !self.closed;
        if !lacks || place.demand.size(now).is_none() || self.wanted.contains(&key) {
            return false;
        }
        self.wanted.push(key);
        true
    }

    /// What a request would be admitted from, if there is a slice that has all that it wants.
    pub(super) fn part(&self, now: Instant, key: &Key, want: Usd) -> Option<Part> {
        let slice = self.places.get(key)?.slice.as_ref().filter(|slice| now < slice.usable_until && want <= slice.free())?;
        Some(Part { slice: slice.id, on_token: slice.on_token, on_account: slice.on_account })
    }

    /// Admits a request from that slice, if it still has all that it wants: then it is to be told. Returns what is free after.
    pub(super) fn admit(&mut self, now: Instant, key: &Key, want: Usd, from: &Part) -> Option<Usd> {
        self.part(now, key, want).filter(|part| part == from)?;
        let place = self.places.get_mut(key)?;
        let slice = place.slice.as_mut()?;
        slice.unregistered = slice.unregistered.plus(want).ok()?;
        slice.used = now;
        if !slice.low && twice(slice.free()) < place.demand.most(now) {
            slice.low = true;
            self.low.push(slice.id);
        }
        Some(slice.beside.plus(slice.free()).unwrap_or(slice.beside))
    }

    /// A request that was admitted from a slice. True where somebody has to see to it that the store is told in time: it is the first, or enough for a call.
    pub(super) fn note_admitted(&mut self, now: Instant, hold: AdmittedHold) -> bool {
        self.untold_ids.insert(hold.hold);
        self.untold.push_back((now, hold));
        self.untold.len() == 1 || self.untold.len() == MOST_TOLD
    }

    /// Whether the store does not know a hold yet.
    pub(super) fn is_untold(&self, hold: HoldId) -> bool {
        self.untold_ids.contains(&hold)
    }

    /// What the store is told of next, `most` requests.
    pub(super) fn tell_next(&mut self, now: Instant, most: usize) -> Next {
        let mut abandoned = Vec::new();
        while self.untold.front().is_some_and(|(since, _)| now.saturating_duration_since(*since) > TELLABLE) {
            let Some((_, hold)) = self.untold.pop_front() else { break };
            tracing::warn!(hold = %hold.hold, "an admission could not be told for a minute: it is charged with its slice");
            self.untold_ids.remove(&hold.hold);
            self.abandon(&hold);
            abandoned.push(hold);
        }
        let admitted: Vec<AdmittedHold> = self.untold.iter().take(most).map(|(_, hold)| hold.clone()).collect();
        let all = admitted.len() == self.untold.len();
        Next { admitted, all, abandoned }
    }

    /// The store knows as many requests of those that were told next.
    pub(super) fn told(&mut self, count: usize) {
        for _ in 0..count {
            let Some((_, hold)) = self.untold.pop_front() else { break };
            self.untold_ids.remove(&hold.hold);
            let slice = hold.facts.slice.and_then(|id| self.places.get_mut(self.open.get(&id)?)?.slice.as_mut());
            if let Some(slice) = slice {
                let less = |amount: Usd| amount.minus(hold.facts.amount).unwrap_or(Usd::ZERO).max(Usd::ZERO);
                (slice.unregistered, slice.amount) = (less(slice.unregistered), less(slice.amount));
            }
        }
    }

    /// The store will never be told of a request: the slice that it was admitted from pays for it, and is not given back.
    pub(super) fn abandon(&mut self, hold: &AdmittedHold) {
        let Some(id) = hold.facts.slice else { return };
        self.returning.remove(&id);
        if let Some(place) = self.open.remove(&id).and_then(|key| self.places.get_mut(&key)) {
            place.slice = None;
        }
    }

    /// Slices to ask for.
    pub(super) fn wanted(&mut self, now: Instant) -> Vec<Want> {
        let mut wants = Vec::new();
        for key in std::mem::take(&mut self.wanted) {
            let Some(place) = self.places.get_mut(&key).filter(|place| place.slice.is_none() && place.taking.is_none() && place.quiet_until <= now) else {
                continue;
            };
            let Some(size) = place.demand.size(now).filter(|_| !self.closed) else { continue };
            let slice = HoldId::generate();
            place.taking = Some(slice);
            wants.push(Want { key, slice, size });
        }
        wants
    }

    /// The store's answer to [`wanted`](Self::wanted), asked at `asked`. True where there is a slice to admit from now.
    pub(super) fn taken(&mut self, now: Instant, asked: Instant, want: &Want, taken: Option<Taken>) -> bool {
        let place = self.places.get_mut(&want.key).filter(|place| place.taking == Some(want.slice));
        match (place, taken) {
            (Some(place), Some(taken)) => {
                place.taking = None;
                place.pause = FIRST_PAUSE;
                let Taken { amount, on_token, on_account, free, usable } = taken;
                let usable_until = asked + usable.saturating_sub(MARGIN);
                let (id, unregistered, beside) = (want.slice, Usd::ZERO, free);
                let (used, looked, look_at, low) = (now, now, now + LOOK, false);
                place.slice = Some(Slice { id, amount, unregistered, on_token, on_account, beside, usable_until, used, looked, look_at, low });
                self.open.insert(id, want.key);
                self.looks.push_back((look_at, id));
                self.glanced_at.get_or_insert(now);
                true
            }
            (Some(place), None) => {
                place.taking = None;
                place.quiet_until = place.quiet_until.max(now + place.pause);
                place.pause = (place.pause * 2).min(LONGEST_PAUSE);
                false
            }
            // It was called back before it came.
            (None, Some(_)) => {
                self.gives_back(now, want.slice);
                false
            }
            (None, None) => false,
        }
    }

    /// Nobody knows whether the store has set that slice aside.
    pub(super) fn unsure(&mut self, now: Instant, want: &Want) {
        self.taken(now, now, want, None);
        self.gives_back(now, want.slice);
    }

    fn gives_back(&mut self, now: Instant, slice: HoldId) {
        self.open.remove(&slice);
        self.returning.insert(slice);
        self.return_at = Some(now);
    }

    /// Nothing is admitted any more from slices of a token, or from any: they go back. Returns whether there was one.
    pub(super) fn call_back(&mut self, now: Instant, token: Option<TokenId>) -> bool {
        let of = |key: &Key| token.is_none_or(|token| token == key.token);
        let mut closed = Vec::new();
        for (_, place) in self.places.iter_mut().filter(|(key, _)| of(key)) {
            place.taking = None;
            place.quiet_until = place.quiet_until.max(now + QUIET);
            closed.extend(place.slice.take());
        }
        let any = !closed.is_empty();
        for slice in closed {
            self.gives_back(now, slice.id);
        }
        any
    }

    /// Nothing is admitted from slices any more, for good.
    pub(super) fn close(&mut self, now: Instant) {
        self.closed = true;
        self.call_back(now, None);
    }

    /// Whether no slice is left, nor a request that the store does not know.
    pub(super) fn is_empty(&self) -> bool {
        self.returning.is_empty() && self.untold.is_empty() && self.places.values().all(|place| place.slice.is_none() && place.taking.is_none())
    }

    /// Every slice that may stand in the store: to be given back after a failover.
    pub(super) fn all(&self) -> Vec<HoldId> {
        let open = self.places.values().filter_map(|place| place.slice.as_ref().map(|slice| slice.id));
        open.chain(self.returning.iter().copied()).chain(self.given_back.iter().map(|(_, id)| *id)).collect()
    }
}

fn twice(amount: Usd) -> Usd {
    amount.plus(amount).unwrap_or(Usd::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stderr)]
mod tests;
