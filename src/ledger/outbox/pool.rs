//! Which slots are free, and when the file has to grow.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::file::SlotFile;
use crate::ledger::types::LedgerError;

/// How many slots the file grows by.
pub(super) const CHUNK: u32 = 256;
/// When fewer are free, the file grows ahead of need.
const LOW: usize = 64;
/// After a failure to grow, the disk is left in peace for so long.
const REST: Duration = Duration::from_millis(500);

/// The slots.
#[derive(Debug)]
pub(super) struct Pool {
    inner: Mutex<Inner>,
    grown: Condvar,
    most: u32,
}

#[derive(Debug)]
struct Inner {
    /// The last one is given out next: the slots in use stay close together.
    free: Vec<u32>,
    /// How many the file has.
    slots: u32,
    reserved: usize,
    written: usize,
    growing: bool,
    failed: Option<(Instant, LedgerError)>,
}

/// A slot that was free.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) index: u32,
    /// The taker should let the file grow: with [`Pool::grow`], or call it off with [`Pool::not_growing`].
    pub(super) grow: bool,
}

// === impl Pool ===

impl Pool {
    /// `free` of the `slots` in the file are free, `written` hold a record, `noted` a note; there may be `most` slots.
    pub(super) fn new(mut free: Vec<u32>, slots: u32, most: u32, written: usize, noted: usize) -> Self {
        free.reverse();
        let inner = Inner { free, slots, reserved: noted, written, growing: false, failed: None };
        Self { inner: Mutex::new(inner), grown: Condvar::new(), most }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a free slot. Where there is none, lets the file grow or waits for whoever does.
    pub(super) fn take(&self, file: &SlotFile) -> Result<Taken, LedgerError> {
        let mut inner = self.inner();
        loop {
            if let Some(index) = inner.free.pop() {
                inner.reserved += 1;
                let grow = inner.free.len() < LOW && inner.slots < self.most && !inner.growing && inner.rested();
                inner.growing |= grow;
                return Ok(Taken { index, grow });
            }
            if inner.slots >= self.most {
                return Err(LedgerError::Unavailable(format!("{} requests are in flight or wait in the outbox, which has no room for more", self.most)));
            }
            if inner.growing {
                inner = self.grown.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            if let Some((_, error)) = inner.failed.as_ref().filter(|_| !inner.rested()) {
                return Err(error.clone());
            }
            inner.growing = true;
            drop(inner);
            self.grow(file)?;
            inner = self.inner();
        }
    }

    /// Lets the file grow by a chunk.
    pub(super) fn grow(&self, file: &SlotFile) -> Result<(), LedgerError> {
        let slots = self.inner().slots;
        let count = (self.most - slots).min(CHUNK);
        let outcome = file.grow(slots, count);
        let mut inner = self.inner();
        inner.growing = false;
        match &outcome {
            Ok(()) => {
                inner.slots = slots + count;
                // Below those that are free: they go first.
                inner.free.splice(..0, (slots..slots + count).rev());
                inner.failed = None;
            }
            Err(error) => {
                tracing::error!(%error, "the outbox cannot grow: requests beyond its room are refused");
                inner.failed = Some((Instant::now(), error.clone()));
            }
        }
        self.grown.notify_all();
        outcome
    }

    /// Nobody lets the file grow after all.
    pub(super) fn not_growing(&self) {
        self.inner().growing = false;
        self.grown.notify_all();
    }

    /// A reserved slot was written.
    pub(super) fn wrote(&self) {
        let mut inner = self.inner();
        inner.reserved -= 1;
        inner.written += 1;
    }

    /// A slot is free again. `written`: it held a record.
    pub(super) fn give_back(&self, index: u32, written: bool) {
        let mut inner = self.inner();
        inner.leave(written);
        inner.free.push(index);
    }

    /// A slot is out of use, since it could not be cleared.
    pub(super) fn lost(&self, written: bool) {
        self.inner().leave(written);
    }

    pub(super) fn written(&self) -> usize {
        self.inner().written
    }

    #[cfg(test)]
    pub(super) fn reserved(&self) -> usize {
        self.inner().reserved
    }

    pub(super) fn most(&self) -> usize {
        usize::try_from(self.most).unwrap_or(usize::MAX)
    }
}

// === impl Inner ===

impl Inner {
    fn leave(&mut self, written: bool) {
        let count = if written { &mut self.written } else { &mut self.reserved };
        *count -= 1;
    }

    /// Whether the last failure to grow is long enough ago.
    fn rested(&self) -> bool {
        self.failed.as_ref().is_none_or(|(at, _)| at.elapsed() >= REST)
    }
}
