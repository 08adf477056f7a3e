//! How slices are looked after: renewed, filled up, given back when nobody uses them, looked at when some were called back. What nobody asks from costs a look
//! now and then; so many slices make no call larger than it has to be.

use std::time::{Duration, Instant};

use super::{Demand, Key, Slice, Table, twice};
use super::{FILL, FORGOTTEN, GLANCE, IDLE, LEASE, LOOK, MARGIN, MOST_TOLD, QUIET, REMEMBERED, TELL};
use crate::ledger::redis::operations::{Care, Cared, Recalls, SliceState};
use crate::ledger::types::HoldId;
use crate::money::Usd;

// === impl Slice ===

impl Slice {
    /// It is filled up to `most` where it is low, and renewed where it was used.
    fn goes_on(&mut self, now: Instant, most: Usd) -> (HoldId, Care) {
        let lease = if self.used >= self.looked { LEASE } else { Duration::ZERO };
        let fill_to = if twice(self.free()) < most { most } else { Usd::ZERO };
        self.looked = now;
        (self.id, Care::GoOn { fill_to, lease })
    }
}

// === impl Table ===

impl Table {
    /// When the store has to be told something next, though no request ends; none: there is nothing.
    pub(in crate::ledger::redis::slices) fn care_at(&self) -> Option<Instant> {
        let tell = self.untold.front().map(|(since, _)| *since + TELL);
        let look = self.looks.front().map(|(at, _)| *at);
        [tell, look, self.glance_at(), self.return_at].into_iter().flatten().min()
    }

    /// When the store is to be asked what was called back, if nothing else is told meanwhile.
    fn glance_at(&self) -> Option<Instant> {
        self.glanced_at.filter(|_| !self.open.is_empty()).map(|at| at + GLANCE)
    }

    /// Whether it has to be told now.
    pub(in crate::ledger::redis::slices) fn is_due(&self, now: Instant) -> bool {
        self.untold.len() >= MOST_TOLD || self.care_at().is_some_and(|at| at <= now)
    }

    /// Whether the store is to be asked what was called back, even if there is nothing to tell.
    pub(in crate::ledger::redis::slices) fn glances(&self, now: Instant) -> bool {
        self.glance_at().is_some_and(|at| at <= now)
    }

    /// What is to become of slices whose time it is, once the next requests are told: `all` of them, or not. The store is asked now.
    pub(in crate::ledger::redis::slices) fn care(&mut self, now: Instant, all: bool) -> Vec<(HoldId, Care)> {
        self.glanced_at = Some(now);
        self.tidy(now);
        let mut cares = Vec::new();
        while cares.len() < MOST_TOLD
            && let Some((_, id)) = self.looks.front().copied().filter(|(at, _)| *at <= now)
        {
            self.looks.pop_front();
            cares.extend(self.look_after(now, id));
        }
        let (mut low, mut later) = (std::mem::take(&mut self.low), Vec::new());
        while cares.len() < MOST_TOLD
            && let Some(id) = low.pop()
        {
            match self.fill(now, id) {
                Some(Some(care)) => cares.push(care),
                Some(None) => later.push(id),
                None => {}
            }
        }
        low.append(&mut later);
        self.low = low;
        if all {
            cares.extend(self.returning.iter().take(MOST_TOLD).map(|slice| (*slice, Care::GiveBack(LEASE))));
        }
        // Those that the answer does not take away.
        self.return_at = if self.returning.is_empty() { None } else { Some(now + FILL) };
        cares
    }

    fn open_slice(&mut self, id: HoldId) -> Option<(&mut Demand, &mut Slice)> {
        let place = self.places.get_mut(self.open.get(&id)?)?;
        place.slice.as_mut().filter(|slice| slice.id == id).map(|slice| (&mut place.demand, slice))
    }

    /// A slice goes on, or begins to go back.
    fn look_after(&mut self, now: Instant, id: HoldId) -> Option<(HoldId, Care)> {
        let (demand, slice) = self.open_slice(id).filter(|(_, slice)| slice.look_at <= now)?;
        if now >= slice.usable_until || now.saturating_duration_since(slice.used) >= IDLE {
            if let Some(place) = self.open.get(&id).and_then(|key| self.places.get_mut(key)) {
                place.slice = None;
            }
            self.gives_back(now, id);
            return None;
        }
        slice.look_at = now + LOOK;
        let care = slice.goes_on(now, demand.most(now));
        self.looks.push_back((now + LOOK, id));
        Some(care)
    }

    /// Whether and how a slice that may be low is filled; none inside: not yet.
    fn fill(&mut self, now: Instant, id: HoldId) -> Option<Option<(HoldId, Care)>> {
        let (demand, slice) = self.open_slice(id)?;
        let most = demand.most(now);
        if twice(slice.free()) >= most {
            slice.low = false;
            return None;
        }
        if now.saturating_duration_since(slice.looked) < FILL {
            return Some(None);
        }
        slice.low = false;
        Some(Some(slice.goes_on(now, most)))
    }

    /// What the store said of slices that were called back: whoever has one of them looks after it at once.
    pub(in crate::ledger::redis::slices) fn called_back(&mut self, now: Instant, recalls: &Recalls) {
        let known = self.recalls.replace(recalls.count);
        let news = known.and_then(|known| usize::try_from(recalls.count.checked_sub(known)?).ok());
        let whose = news.and_then(|news| recalls.last.get(..news));
        let of = |key: &Key| whose.is_none_or(|whose| whose.iter().any(|token| token.is_none_or(|token| token == key.token)));
        if news == Some(0) {
            return;
        }
        let ids: Vec<HoldId> = self.open.iter().filter(|(_, key)| of(key)).map(|(id, _)| *id).collect();
        self.look_now(now, ids);
    }

    /// Nobody knows what the store made of that.
    pub(in crate::ledger::redis::slices) fn unheard(&mut self, now: Instant, cares: &[(HoldId, Care)]) {
        self.look_now(now, cares.iter().filter(|(_, care)| matches!(care, Care::GoOn { .. })).map(|(id, _)| *id));
    }

    fn look_now(&mut self, now: Instant, ids: impl IntoIterator<Item = HoldId>) {
        for id in ids {
            if let Some((_, slice)) = self.open_slice(id) {
                slice.look_at = now;
                self.looks.push_front((now, id));
            }
        }
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
    pub(in crate::ledger::redis::slices) fn cared(&mut self, now: Instant, asked: Instant, id: HoldId, care: &Care, cared: &Cared) -> bool {
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
}
