//! Chunks that came together pass together: one write to the client costs more than everything else that is done for a chunk.
//!
//! The provider's connection hands its chunks over one by one, each when the one before was taken. So before something passes, the connection gets a turn to
//! hand over the next, as long as there is one: a turn of the runtime, not of the clock.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::{Inner, Stage};

/// So much passes without waiting for more.
const ENOUGH: usize = 16 * 1024;

impl Inner {
    /// Adds to what can pass what has come meanwhile. Pending for one turn at a time, and only where something can pass.
    pub(super) fn poll_gather(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.passing.is_empty() && matches!(self.stage, Stage::Reading(_)) && self.passing.iter().map(Bytes::len).sum::<usize>() < ENOUGH {
            if self.poll_step(context).is_ready() {
                self.waited = false;
            } else if std::mem::replace(&mut self.waited, true) {
                break;
            } else {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        self.waited = false;
        Poll::Ready(())
    }
}
