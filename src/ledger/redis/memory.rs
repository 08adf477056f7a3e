//! What this gateway did lately: after a failover that lost acknowledged writes, it is told again to the store, in the same order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ledger::outbox::{HoldFacts, Record};
use crate::ledger::types::HoldId;
use crate::tokens::TokenId;

/// How far back the memory reaches, usually: well beyond the time a failover takes.
pub(crate) const WINDOW: Duration = Duration::from_secs(30);
/// How many operations are remembered at most, usually.
pub(crate) const MOST: usize = 262_144;

/// The operations of a window of time, the oldest first. Time is passed in, from a clock that never goes back.
#[derive(Debug)]
pub(crate) struct Memory {
    window: Duration,
    most: usize,
    operations: VecDeque<(Instant, Operation)>,
    /// When the last operation happened that had to be forgotten before its time.
    forgotten: Option<Instant>,
}

/// Something that the store acknowledged, or was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A hold was made.
    Admitted(AdmittedHold),
    /// A hold ended.
    Ended(Arc<Record>),
}

/// A hold as it was made: all that putting it back takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdmittedHold {
    /// Its id.
    pub(crate) hold: HoldId,
    /// The token's account.
    pub(crate) account: Arc<str>,
    /// Whose request it is.
    pub(crate) token: TokenId,
    /// The rest.
    pub(crate) facts: HoldFacts,
}

// === impl AdmittedHold ===

impl AdmittedHold {
    /// The hold that a request had which ended.
    pub(crate) fn of(record: &Record) -> Self {
        Self { hold: record.hold(), account: Arc::clone(&record.account), token: record.token, facts: record.facts.clone() }
    }
}

// === impl Memory ===

impl Memory {
    /// An empty memory of what is younger than `window`, and of `most` operations at most.
    pub(crate) fn new(window: Duration, most: usize) -> Self {
        Self { window, most, operations: VecDeque::new(), forgotten: None }
    }

    /// A hold was made.
    pub(crate) fn admitted(&mut self, now: Instant, hold: AdmittedHold) {
        self.remember(now, Operation::Admitted(hold));
    }

    /// A hold ended.
    pub(crate) fn ended(&mut self, now: Instant, record: Arc<Record>) {
        self.remember(now, Operation::Ended(record));
    }

    fn remember(&mut self, now: Instant, operation: Operation) {
        self.forget_older(now);
        while self.operations.len() >= self.most.max(1) {
            self.forgotten = self.operations.pop_front().map(|(at, _)| at);
        }
        self.operations.push_back((now, operation));
    }

    /// What happened within the window, in order.
    pub(crate) fn recent(&self, now: Instant) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(move |(at, _)| self.is_young(now, *at)).map(|(_, operation)| operation)
    }

    /// Lets go of what is older than the window.
    pub(crate) fn forget_older(&mut self, now: Instant) {
        while self.operations.front().is_some_and(|(at, _)| !self.is_young(now, *at)) {
            self.operations.pop_front();
        }
    }

    /// How far back nothing is missing: the window, or less where there was too much to remember.
    #[cfg(test)]
    pub(crate) fn reach(&self, now: Instant) -> Duration {
        self.forgotten.map_or(self.window, |at| now.saturating_duration_since(at).min(self.window))
    }

    /// How many operations are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.operations.len()
    }

    fn is_young(&self, now: Instant, at: Instant) -> bool {
        now.saturating_duration_since(at) < self.window
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
