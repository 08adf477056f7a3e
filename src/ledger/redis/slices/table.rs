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

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::demand::{Demand, Size};
use crate::ledger::redis::memory::AdmittedHold;
use crate::ledger::redis::operations::{Care, Cared, SliceState, Taken};
use crate::ledger::types::HoldId;
use crate::money::Usd;
use crate::tokens::{SecretHash, TokenId};

/// How long a slice lives without being renewed.
pub(in crate::ledger::redis) const LEASE: Duration = Duration::from_secs(3);
/// It is not used so shortly before its end: for clocks that run at different speeds.
const MARGIN: Duration = Duration::from_millis(500);
/// A slice that nobody used for so long is given back.
const IDLE: Duration = Duration::from_secs(1);
/// How often the store is asked whether a slice was called back.
const LOOK: Duration = Duration::from_millis(40);
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
    places: HashMap<Key, Place>,
    /// Where each open slice is.
    open: HashMap<HoldId, Key>,
    /// Slices that nothing is admitted from any more. They are given back with, or after, the last request that is to be told.
    returning: HashSet<HoldId>,
    given_back: VecDeque<(Instant, HoldId)>,
    /// Requests that the store does not know, the oldest first.
    untold: VecDeque<(Instant, AdmittedHold)>,
    untold_ids: HashSet<HoldId>,
    wanted: Vec<Key>,
    next_care: Option<Instant>,
    cared_at: Option<Instant>,
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
        let slice = self.places.get_mut(key)?.slice.as_mut()?;
        slice.unregistered = slice.unregistered.plus(want).ok()?;
        slice.used = now;
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
                let slice = Slice { id: want.slice, amount, unregistered: Usd::ZERO, on_token, on_account, beside: free, usable_until, used: now, looked: now };
                place.slice = Some(slice);
                self.open.insert(want.slice, want.key);
                self.care_by(now + LOOK);
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
        self.care_by(now);
    }

    fn care_by(&mut self, at: Instant) {
        self.next_care = Some(self.next_care.map_or(at, |next| next.min(at)));
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

    /// When the store has to be told something next, though no request ends; none: there is nothing.
    pub(super) fn care_at(&self) -> Option<Instant> {
        let tell = self.untold.front().map(|(since, _)| *since + TELL);
        tell.into_iter().chain(self.next_care).min()
    }

    /// Whether it has to be told now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.untold.len() >= MOST_TOLD || self.care_at().is_some_and(|at| at <= now)
    }

    /// What is to become of slices whose time it is, once the next requests are told: `all` of them, or not.
    pub(super) fn care(&mut self, now: Instant, all: bool) -> Vec<(HoldId, Care)> {
        let due = self.next_care.is_some_and(|next| next <= now);
        if !due && self.cared_at.is_some_and(|at| now.saturating_duration_since(at) < FILL) {
            return Vec::new();
        }
        self.cared_at = Some(now);
        self.tidy(now);
        let (mut cares, mut closed, mut next) = (Vec::new(), Vec::new(), None::<Instant>);
        for key in self.open.values() {
            let Some(place) = self.places.get_mut(key) else { continue };
            let Some(slice) = &mut place.slice else { continue };
            if now >= slice.usable_until || now.saturating_duration_since(slice.used) >= IDLE {
                closed.extend(place.slice.take());
                continue;
            }
            let most = place.demand.size(now).map_or(Usd::ZERO, |size| size.most);
            let since = now.saturating_duration_since(slice.looked);
            let low = twice(slice.free()) < most;
            if cares.len() < MOST_TOLD && (since >= LOOK || (low && since >= FILL)) {
                let lease = if slice.used >= slice.looked { LEASE } else { Duration::ZERO };
                slice.looked = now;
                cares.push((slice.id, Care::GoOn { fill_to: if low { most } else { Usd::ZERO }, lease }));
            }
            let look = slice.looked + LOOK;
            next = Some(next.map_or(look, |next| next.min(look)));
        }
        self.next_care = next;
        for slice in closed {
            self.gives_back(now, slice.id);
        }
        if all {
            cares.extend(self.returning.iter().take(MOST_TOLD).map(|slice| (*slice, Care::GiveBack(LEASE))));
        }
        if !self.returning.is_empty() {
            // Those that the answer does not take away.
            self.next_care = None;
            self.care_by(now + FILL);
        }
        cares
    }

    /// Forgets what was long ago, now and then.
    fn tidy(&mut self, now: Instant) {
        if self.tidied_at.is_some_and(|at| now.saturating_duration_since(at) < IDLE) {
            return;
        }
        self.tidied_at = Some(now);
        self.places.retain(|_, place| place.slice.is_some() || place.taking.is_some() || now.saturating_duration_since(place.asked) < FORGOTTEN);
        while self.given_back.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > REMEMBERED) {
            self.given_back.pop_front();
        }
    }

    /// What the store says of a slice, asked at `asked`. The requests that were told with it are to be noted as told first. True where it was called back.
    pub(super) fn cared(&mut self, now: Instant, asked: Instant, id: HoldId, care: &Care, cared: &Cared) -> bool {
        if let Care::GiveBack(_) = care {
            if self.returning.remove(&id) {
                self.given_back.push_back((now, id));
            }
            return false;
        }
        let Some(place) = self.open.get(&id).and_then(|key| self.places.get_mut(key)) else { return false };
        let Some(slice) = &mut place.slice else { return false };
        if cared.state == SliceState::Live {
            slice.amount = cared.amount;
            slice.beside = cared.free;
            slice.usable_until = asked + cared.usable.saturating_sub(MARGIN);
            return false;
        }
        place.slice = None;
        place.quiet_until = place.quiet_until.max(now + QUIET);
        self.gives_back(now, id);
        cared.state == SliceState::Recalled
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
