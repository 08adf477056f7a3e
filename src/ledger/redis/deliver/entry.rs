//! One ending on its way. However it is let go of, even in a panic or with the runtime, it is on the disk or delivered.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Reply;
use crate::ledger::outbox::{Record, Slot};
use crate::ledger::types::{LedgerError, Settled};

/// An ending that was not delivered yet.
pub(super) struct Entry {
    record: Arc<Record>,
    /// None once it was given back, and while it is being written elsewhere.
    slot: Option<Slot>,
    /// None once it was answered, and where nobody waits.
    reply: Option<Reply>,
    pending: Arc<watch::Sender<usize>>,
}

// === impl Entry ===

impl Entry {
    /// An ending with its slot. Counts itself in `pending` for as long as it lives.
    pub(super) fn new(record: Arc<Record>, slot: Slot, reply: Option<Reply>, pending: Arc<watch::Sender<usize>>) -> Self {
        // Whoever listens waits for nothing to be left.
        pending.send_if_modified(|count| {
            *count += 1;
            false
        });
        Self { record, slot: Some(slot), reply, pending }
    }

    pub(super) fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// Answers whoever waits, once.
    pub(super) fn answer(&mut self, answer: Result<Settled, LedgerError>) {
        if let Some(reply) = self.reply.take() {
            // Where the client has gone, nobody waits any more.
            let _ = reply.send(answer);
        }
    }

    /// Writes it, if it is not written, and answers with what is known here.
    pub(super) fn write(&mut self) {
        if let Some(mut slot) = self.slot.take() {
            let written = slot.write(&self.record);
            self.was_written(slot, written);
        }
    }

    /// Writes it on a thread that may block. The outcome is for [`was_written`](Self::was_written). None where there is nothing to write.
    pub(super) fn write_elsewhere(&mut self) -> Option<JoinHandle<(Slot, Result<(), LedgerError>)>> {
        let mut slot = self.slot.take()?;
        let record = Arc::clone(&self.record);
        Some(tokio::task::spawn_blocking(move || {
            let written = slot.write(&record);
            (slot, written)
        }))
    }

    /// Its slot is back, written or not.
    pub(super) fn was_written(&mut self, slot: Slot, written: Result<(), LedgerError>) {
        self.slot = Some(slot);
        match written {
            Ok(()) => self.answer(Ok(self.record.settled_locally())),
            Err(error) => tracing::error!(hold = %self.record.hold(), %error, "an ending could not be written to the outbox: only the store can take it now"),
        }
    }

    /// The store has it.
    pub(super) fn delivered(mut self, settled: Settled) {
        self.answer(Ok(settled));
        self.free();
    }

    /// The store can never take it, and it is kept aside.
    pub(super) fn refused(mut self, error: LedgerError) {
        self.answer(Err(error));
        self.free();
    }

    fn free(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.free();
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.write();
        self.pending.send_if_modified(|count| {
            *count -= 1;
            *count == 0
        });
    }
}
