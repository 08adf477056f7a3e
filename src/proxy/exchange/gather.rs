//! Chunks that came together pass together: one write to the client costs more than everything else that is done for a chunk.
//!
//! The provider's connection hands its chunks over one by one, each when the one before was taken. So where chunks come close upon each other, the connection
//! gets a turn to hand over the next before something passes: a turn of the runtime, not of the clock. What comes alone passes at once.

use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::super::turn::Turn;
use super::{Inner, Stage};

/// So much passes without waiting for more.
const ENOUGH: usize = 16 * 1024;
/// Chunks that come so soon after the one before are likely to be followed by more.
const CLOSE: Duration = Duration::from_millis(2);

/// What is known of how chunks come.
#[derive(Default)]
pub(super) struct Gather {
    last: Option<Instant>,
    close: bool,
    /// In this turn more was waited for.
    waited: Option<Turn>,
}

// === impl Gather ===

impl Gather {
    /// A chunk came.
    pub(super) fn came(&mut self, now: Instant) {
        self.close = self.last.replace(now).is_some_and(|last| now.saturating_duration_since(last) < CLOSE);
    }
}

// === impl Inner ===

impl Inner {
    /// Adds to what can pass what has come meanwhile. Pending for one turn at a time, and only where something can pass.
    pub(super) fn poll_gather(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.can_gather() {
            if self.poll_step(context).is_ready() {
                self.gather.waited = None;
                continue;
            }
            match (self.gather.waited, Turn::current()) {
                (None, Some(turn)) => {
                    self.gather.waited = Some(turn);
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                // Asked again in the same turn: the next one is under way.
                (waited, turn) if waited == turn && turn.is_some() => return Poll::Pending,
                _ => break,
            }
        }
        self.gather.waited = None;
        Poll::Ready(())
    }

    fn can_gather(&self) -> bool {
        self.gather.close && !self.passing.is_empty() && matches!(self.stage, Stage::Reading(_)) && self.passing.iter().map(Bytes::len).sum::<usize>() < ENOUGH
    }
}
