//! The outbox: a local file that takes the ending of a request when the shared store does not answer at once, so that no charge is lost and no client waits.
//!
//! Room comes first: every request reserves a [`Slot`] before it is admitted, and a slot is room that is on the disk already. So a full disk refuses new
//! requests and never loses an ending. A slot that was written survives `kill -9` (and power loss, with [`OutboxOptions::fsync`]); the next process gets it
//! back from [`Outbox::open`]. Slots whose ending the store took first are never written.
//!
//! | file | what it does |
//! |---|---|
//! | `record.rs` | what is kept of an ending, and of the hold it ends |
//! | `note.rs` | what is kept of what the store was not told yet while its request runs |
//! | `codec.rs` | a record as bytes that always fit a slot |
//! | `image.rs` | the bytes of a slot and of the file's header, with their checksums |
//! | `file.rs` | the file: made, read, grown, written, synced for many writers at once |
//! | `pool.rs` | which slots are free |
//! | `failed.rs` | where endings are kept that the store can never take |

mod codec;
mod failed;
mod file;
mod image;
mod note;
mod pool;
mod record;

pub(crate) use codec::MOST_ACCOUNT_BYTES;
pub(crate) use note::{Boot, Note, Noted};
pub(crate) use record::{Ending, HoldFacts, Record};

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use self::file::{Found, SlotFile};
use self::pool::Pool;
use super::lock::{Lock, lock};
use super::types::LedgerError;

/// One of so many slots may hold a note, so that there is room for endings.
const NOTES_SHARE: usize = 4;
/// Of slices one of so many, so that there is room for what is admitted from them.
const SLICES_SHARE: usize = 8;

/// How an outbox is kept.
#[derive(Clone, Debug)]
pub(crate) struct OutboxOptions {
    /// The most slots of 1 KiB, which is the most requests in flight whose ending may have to wait.
    pub(crate) most_slots: usize,
    /// Whether a write waits for the disk: what was written then survives power loss too.
    pub(crate) fsync: bool,
}

/// The outbox of this process. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Outbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    file: SlotFile,
    pool: Pool,
    /// How many notes there are.
    noted: AtomicUsize,
    /// Those that a process before this one left, with their slots.
    left: Mutex<Vec<(u32, Note)>>,
    #[cfg(test)]
    damaged: usize,
    /// Last, so that it is given back last.
    _lock: Lock,
}

/// An ending that a process before this one left.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The ending.
    pub(crate) record: Record,
    /// Where it stands on the disk.
    pub(crate) slot: Slot,
}

/// Room on the disk for one ending, or one note.
///
/// Dropped unwritten, it is free again. Dropped after it was written, it stays on the disk and is found at the next start; see [`Slot::free`].
#[derive(Debug)]
pub(crate) struct Slot {
    outbox: Arc<Inner>,
    index: u32,
    state: SlotState,
}

/// What a slot's place on the disk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SlotState {
    /// Nothing.
    Empty,
    /// Part of a record, maybe: a write began and failed.
    Torn,
    /// A note.
    Noted,
    /// A record.
    Written,
    /// The slot was given back.
    Freed,
}

// === impl OutboxOptions ===

impl Default for OutboxOptions {
    /// 16,384 slots (16 MiB), not waiting for the disk.
    fn default() -> Self {
        Self { most_slots: 16_384, fsync: false }
    }
}

// === impl Outbox ===

impl Outbox {
    /// Opens the outbox in `folder`, or makes one; and returns the endings that were left in it, the oldest first. Slots that cannot be read are put aside
    /// in the file `outbox.damaged`, counted and reported in the log.
    ///
    /// # Errors
    /// [`LedgerError::Locked`] while another process uses it, [`LedgerError::Incompatible`] when the file is not an outbox of this version,
    /// [`LedgerError::Unavailable`] when it cannot be read or made.
    pub(crate) fn open(folder: &Path, options: &OutboxOptions) -> Result<(Self, Vec<Recovered>), LedgerError> {
        std::fs::create_dir_all(folder).map_err(|error| LedgerError::Unavailable(format!("cannot create the folder {}: {error}", folder.display())))?;
        let path = folder.join("outbox");
        let lock = lock(&path, "outbox", "set SPENDGATE_OUTBOX to a folder of its own for each gateway")?;
        let (file, found) = SlotFile::open(&path, options.fsync)?;
        let Found { records, notes, free, slots, .. } = found;
        let most = u32::try_from(options.most_slots).unwrap_or(u32::MAX - 1).max(slots);
        let pool = Pool::new(free, slots, most, records.len(), notes.len());
        let inner = Arc::new(Inner {
            path,
            file,
            pool,
            noted: AtomicUsize::new(notes.len()),
            left: Mutex::new(notes),
            #[cfg(test)]
            damaged: found.damaged,
            _lock: lock,
        });
        if slots == 0 {
            inner.pool.grow(&inner.file)?;
        }
        let recovered = |(index, record)| Recovered { record, slot: Slot { outbox: Arc::clone(&inner), index, state: SlotState::Written } };
        let mut recovered: Vec<_> = records.into_iter().map(recovered).collect();
        recovered.sort_by_key(|one| (one.record.written_at, one.slot.index));
        Ok((Self(inner), recovered))
    }

    /// Reserves room for the ending of one request, before that request is admitted. Usually no more than a look at a list: the file grows ahead of need, on a
    /// thread of its own. Only a burst that outruns it waits for the disk here.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] when there is no room: the disk is full or failing, or as many requests as the outbox may hold wait already.
    pub(crate) fn reserve(&self) -> Result<Slot, LedgerError> {
        self.0.file.usable()?;
        let taken = self.0.pool.take(&self.0.file)?;
        if taken.grow {
            let inner = Arc::clone(&self.0);
            // The thread reports to the pool; a failure here shows when the last free slot is gone.
            let grow = move || drop(inner.pool.grow(&inner.file));
            if std::thread::Builder::new().name("spendgate-outbox".to_owned()).spawn(grow).is_err() {
                self.0.pool.not_growing();
            }
        }
        Ok(Slot { outbox: Arc::clone(&self.0), index: taken.index, state: SlotState::Empty })
    }

    /// Keeps a note until its slot is freed. Never waits for the disk.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] when there is no room, or as many notes as may be.
    pub(crate) fn note(&self, note: &Note) -> Result<Slot, LedgerError> {
        let share = if matches!(note.noted, Noted::Slice(..)) { SLICES_SHARE } else { NOTES_SHARE };
        let most = self.0.pool.most() / share;
        if self.0.noted.load(Ordering::Relaxed) >= most {
            return Err(LedgerError::Unavailable(format!("there are {most} notes in the outbox, which has no room for more")));
        }
        let mut slot = self.reserve()?;
        // Where that fails, the slot is empty as before: half a note is nobody's loss.
        self.0.file.write_soon(slot.index, &codec::encode_note(note))?;
        slot.state = SlotState::Noted;
        self.0.noted.fetch_add(1, Ordering::Relaxed);
        Ok(slot)
    }

    /// The notes that a process before this one left, each with its slot: handed out once.
    pub(crate) fn left(&self) -> Vec<(Note, Slot)> {
        let left = std::mem::take(&mut *self.0.left.lock().unwrap_or_else(PoisonError::into_inner));
        left.into_iter().map(|(index, note)| (note, Slot { outbox: Arc::clone(&self.0), index, state: SlotState::Noted })).collect()
    }

    /// Appends an ending that the store can never take to the file `outbox.failed`, one JSON object a line, with the reason.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] when it cannot be written: the ending should then stay in its slot.
    pub(crate) fn keep_failed(&self, record: &Record, why: &str) -> Result<(), LedgerError> {
        failed::append(&self.0.path, record, why)
    }

    /// Whether a write waits for the disk.
    pub(crate) fn waits_for_disk(&self) -> bool {
        self.0.file.fsync()
    }

    /// How many endings stand on the disk, not delivered yet.
    pub(crate) fn len(&self) -> usize {
        self.0.pool.written()
    }

    /// How many slots are reserved and not written: requests in flight.
    #[cfg(test)]
    pub(crate) fn reserved(&self) -> usize {
        self.0.pool.reserved()
    }

    /// How many slots there can be in all.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.0.pool.most()
    }

    /// How many slots could not be read at the start.
    #[cfg(test)]
    pub(crate) fn damaged(&self) -> usize {
        self.0.damaged
    }
}

// === impl Slot ===

impl Slot {
    /// Writes the ending. Returned without an error, it survives the end of the process. May be repeated: after an error it tries again,
    /// once written it does nothing. Blocks for the disk where the outbox
    /// waits for it; concurrent writers share that wait.
    ///
    /// Labels too long for the slot are shortened; see [`MOST_ACCOUNT_BYTES`] for what cannot be.
    ///
    /// # Errors
    /// [`LedgerError::Unavailable`] when the disk fails, [`LedgerError::Incompatible`] when the account's name is too long.
    pub(crate) fn write(&mut self, record: &Record) -> Result<(), LedgerError> {
        if self.is_written() {
            return Ok(());
        }
        let payload = codec::encode(record)?;
        self.state = SlotState::Torn;
        self.outbox.file.write(self.index, &payload)?;
        self.state = SlotState::Written;
        self.outbox.pool.wrote();
        Ok(())
    }

    /// Whether the ending stands on the disk.
    pub(crate) fn is_written(&self) -> bool {
        self.state == SlotState::Written
    }

    /// Gives the slot back: its ending was delivered, or there is none. The disk is touched only where something was written.
    pub(crate) fn free(mut self) {
        let state = std::mem::replace(&mut self.state, SlotState::Freed);
        let written = state == SlotState::Written;
        if state == SlotState::Noted {
            self.outbox.noted.fetch_sub(1, Ordering::Relaxed);
        }
        if state != SlotState::Empty
            && let Err(error) = self.outbox.file.clear(self.index)
        {
            // Found again at the next start, and delivered again to no effect. It is not handed out until then.
            tracing::error!(%error, "a delivered ending could not be taken out of the outbox");
            self.outbox.pool.lost(written);
            return;
        }
        self.outbox.pool.give_back(self.index, written);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        match self.state {
            SlotState::Empty => self.outbox.pool.give_back(self.index, false),
            // Stays as it is, and is counted as before, until the next start.
            SlotState::Torn | SlotState::Noted | SlotState::Written | SlotState::Freed => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]
pub(in crate::ledger) mod tests;
