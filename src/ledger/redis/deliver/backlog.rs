//! What has to be tried again, and when. Pure: time is passed in.
//!
//! While the store takes endings, the oldest goes first, and the number of those tried at a time grows with each success. It is halved by each failure; when
//! none is left the store counts as down: one ending at a time is tried, with growing pauses in between; in turn the one that was tried least and the
//! youngest, so that an ending, or a part of the store, that always fails keeps nothing else waiting. Besides, an ending that failed has a pause of its own;
//! the first success after the store was down ends those pauses.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::ledger::types::HoldId;

/// Items that wait for another try, by age.
pub(super) struct Backlog<T> {
    waiting: BTreeMap<Key, Waiting<T>>,
    next: u64,
    at_once: usize,
    in_flight: usize,
    first_pause: Duration,
    longest_pause: Duration,
    gate: Gate,
    /// How often the store came back. Pauses from before do not count.
    returns: u64,
}

/// Age, then the order of arrival.
type Key = (Timestamp, u64);

struct Waiting<T> {
    item: T,
    hold: HoldId,
    tries: u32,
    due: Instant,
    returns: u64,
}

/// How many may be tried at a time.
#[derive(Clone, Copy, Debug)]
enum Gate {
    /// So many.
    Up { window: usize },
    /// One, from then on.
    Down { pauses: u32, until: Instant, probing: bool },
}

/// What to do next.
pub(super) enum Next<T> {
    /// Try this, then give it back or tell of its success.
    Try(Taken<T>),
    /// Nothing before then.
    Wait(Instant),
    /// Nothing until something changes.
    Nothing,
}

/// An item that is being tried.
pub(super) struct Taken<T> {
    item: T,
    ticket: Ticket,
}

/// An item's place in the backlog, while it is being tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    key: Key,
    hold: HoldId,
    tries: u32,
    probe: bool,
}

// === impl Taken ===

impl<T> Taken<T> {
    pub(super) fn split(self) -> (T, Ticket) {
        (self.item, self.ticket)
    }
}

// === impl Backlog ===

impl<T> Backlog<T> {
    /// An empty backlog, of which at most `at_once` items are tried at a time, with pauses between these two after failures.
    pub(super) fn new(at_once: usize, first_pause: Duration, longest_pause: Duration) -> Self {
        let gate = Gate::Up { window: 1 };
        Self { waiting: BTreeMap::new(), next: 0, at_once: at_once.max(1), in_flight: 0, first_pause, longest_pause, gate, returns: 0 }
    }

    /// Adds an item that another process left: it can be tried at once.
    pub(super) fn put_left(&mut self, item: T, written_at: Timestamp, hold: HoldId, now: Instant) {
        self.put(item, written_at, hold, now);
    }

    /// Adds an item whose first try has failed: it has its first pause.
    pub(super) fn put_failed(&mut self, item: T, written_at: Timestamp, hold: HoldId, now: Instant) {
        self.put(item, written_at, hold, now + self.pause(hold, 0));
    }

    fn put(&mut self, item: T, written_at: Timestamp, hold: HoldId, due: Instant) {
        let key = (written_at, self.next);
        self.next += 1;
        self.waiting.insert(key, Waiting { item, hold, tries: 0, due, returns: self.returns });
    }

    /// Takes the item to try next.
    pub(super) fn take(&mut self, now: Instant) -> Next<T> {
        let returns = self.returns;
        let due = |waiting: &Waiting<T>| if waiting.returns < returns { now } else { waiting.due };
        let mut ready = self.waiting.iter().filter(|(_, waiting)| due(waiting) <= now);
        let (key, probe) = match self.gate {
            Gate::Up { window } if self.in_flight >= window => return Next::Nothing,
            Gate::Up { .. } => (ready.next().map(|(key, _)| *key), false),
            Gate::Down { probing: true, .. } => return Next::Nothing,
            Gate::Down { until, .. } if until > now && !self.waiting.is_empty() => return Next::Wait(until),
            Gate::Down { pauses, .. } if pauses % 2 == 1 => (ready.next_back().map(|(key, _)| *key), true),
            Gate::Down { .. } => (ready.min_by_key(|(_, waiting)| waiting.tries).map(|(key, _)| *key), true),
        };
        let Some((key, waiting)) = key.and_then(|key| self.waiting.remove_entry(&key)) else {
            return self.waiting.values().map(due).min().map_or(Next::Nothing, Next::Wait);
        };
        self.in_flight += 1;
        if let Gate::Down { probing, .. } = &mut self.gate {
            *probing = true;
        }
        Next::Try(Taken { item: waiting.item, ticket: Ticket { key, hold: waiting.hold, tries: waiting.tries, probe } })
    }

    /// A try failed.
    pub(super) fn put_back(&mut self, ticket: Ticket, item: T, now: Instant) {
        self.in_flight -= 1;
        let Ticket { key, hold, tries, probe } = ticket;
        let down = |backlog: &Self, pauses| Gate::Down { pauses, until: now + backlog.pause(hold, pauses), probing: false };
        self.gate = match self.gate {
            Gate::Up { window } if window > 1 => Gate::Up { window: window / 2 },
            Gate::Up { .. } => down(self, 0),
            Gate::Down { pauses, .. } if probe => down(self, pauses.saturating_add(1)),
            // It began before the store went down.
            unchanged @ Gate::Down { .. } => unchanged,
        };
        let tries = tries.saturating_add(1);
        let due = now + self.pause(hold, tries);
        self.waiting.insert(key, Waiting { item, hold, tries, due, returns: self.returns });
    }

    /// A try came to an end: the store is there.
    pub(super) fn succeeded(&mut self) {
        self.in_flight -= 1;
        self.gate = match self.gate {
            Gate::Up { window } => Gate::Up { window: (window * 2).min(self.at_once) },
            Gate::Down { .. } => {
                self.returns += 1;
                Gate::Up { window: self.at_once.min(2) }
            }
        };
    }

    /// Takes everything out.
    pub(super) fn drain(&mut self) -> Vec<T> {
        std::mem::take(&mut self.waiting).into_values().map(|waiting| waiting.item).collect()
    }

    /// The pause after so many failures before: doubled each time, between half of that and all of it. The hold's id is what is random in it.
    fn pause(&self, hold: HoldId, failures: u32) -> Duration {
        let whole = self.first_pause.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX)).min(self.longest_pause);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&hold.0);
        hasher.update(&failures.to_le_bytes());
        let half = whole / 2;
        // A share of it in 65,536ths.
        half + half.saturating_mul(hasher.finalize() >> 16) / 65_536
    }
}
