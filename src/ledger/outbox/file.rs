//! The outbox's file: made whole or not at all, read once at the start, grown by chunks of written zeros, written a slot at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::codec;
use super::image::{self, FileId, Header, Read, SLOT_BYTES, VERSION};
use super::note::Note;
use super::record::Record;
use crate::ledger::private::private;
use crate::ledger::types::LedgerError;

/// The open file.
#[derive(Debug)]
pub(super) struct SlotFile {
    path: PathBuf,
    file: File,
    id: FileId,
    /// Whether a write waits for the disk.
    fsync: bool,
    syncs: Mutex<Syncs>,
    synced: Condvar,
}

/// What was in the file.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The records, by slot.
    pub(super) records: Vec<(u32, Record)>,
    /// The notes, by slot.
    pub(super) notes: Vec<(u32, Note)>,
    /// How many slots could not be read.
    pub(super) damaged: usize,
    /// The slots that hold nothing.
    pub(super) free: Vec<u32>,
    /// How many slots there are.
    pub(super) slots: u32,
}

/// Who waits for the disk. One writer asks it for all that were written until then.
#[derive(Debug, Default)]
struct Syncs {
    asked: u64,
    done: u64,
    running: bool,
    /// Why the disk can no longer be believed: after a failed sync nobody knows what it holds, and asking again may falsely succeed.
    broken: Option<String>,
}

// === impl SlotFile ===

impl SlotFile {
    /// Opens or makes the file, and reads it.
    pub(super) fn open(path: &Path, fsync: bool) -> Result<(Self, Found), LedgerError> {
        let failed = |error: io::Error| LedgerError::Unavailable(format!("cannot open the outbox {}: {error}", path.display()));
        // An empty file is what is left of a file system's own accidents: nothing was in it.
        if std::fs::metadata(path).map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |facts| facts.is_file() && facts.len() == 0) {
            make(path).map_err(failed)?;
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        let id = match image::read_header(&bytes) {
            Header::Ours { id, whole } => {
                if !whole {
                    tracing::error!(path = %path.display(), "one of the outbox's two headers is damaged; the other one is used");
                }
                id
            }
            Header::Version(version) => {
                return Err(LedgerError::Incompatible(format!(
                    "the outbox {} has version {version}, this spendgate knows version {VERSION}: run the spendgate that wrote it until it has delivered what is in it, \
                     or set SPENDGATE_OUTBOX to another folder",
                    path.display()
                )));
            }
            Header::Foreign => {
                return Err(LedgerError::Incompatible(format!(
                    "{} is not a spendgate outbox, or its beginning is damaged: set SPENDGATE_OUTBOX to another folder",
                    path.display()
                )));
            }
        };
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
        let this = Self { path: path.to_owned(), file, id, fsync, syncs: Mutex::default(), synced: Condvar::new() };
        let found = this.scan(bytes.get(SLOT_BYTES..).unwrap_or_default());
        Ok((this, found))
    }

    /// Reads the slots. What cannot be read is put aside, and its slot is free again where that worked.
    fn scan(&self, bytes: &[u8]) -> Found {
        let mut found = Found::default();
        for (index, bytes) in (0..).zip(bytes.chunks(SLOT_BYTES)) {
            // A piece of a slot at the end: growing was cut short, or the file was.
            let whole = bytes.len() == SLOT_BYTES;
            if !whole && bytes.iter().all(|byte| *byte == 0) {
                break;
            }
            found.slots += u32::from(whole);
            match image::read(self.id, index, bytes) {
                Read::Free => {
                    found.free.push(index);
                    continue;
                }
                Read::Payload(payload) => {
                    if let Some(record) = codec::decode(payload) {
                        found.records.push((index, record));
                        continue;
                    }
                    if let Some(note) = Note::decode(payload) {
                        found.notes.push((index, note));
                        continue;
                    }
                }
                Read::Damaged => {}
            }
            found.damaged += 1;
            let aside = self.put_aside(bytes).and_then(|()| if whole { self.clear_now(index) } else { self.file.set_len(offset(index)) });
            match aside {
                Ok(()) => found.free.extend(whole.then_some(index)),
                Err(error) => tracing::error!(%error, "what is left of a damaged slot could not be put aside: it stays where it is, unused"),
            }
            tracing::error!(
                path = %self.path.display(),
                slot = index,
                "a slot of the outbox is damaged: the ending that it may have held is lost, and that hold is charged when its lease ends"
            );
        }
        found
    }

    fn put_aside(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = private().create(true).append(true).open(beside(&self.path, ".damaged"))?;
        file.write_all(bytes)?;
        file.sync_data()
    }

    /// Whether a write waits for the disk.
    pub(super) fn fsync(&self) -> bool {
        self.fsync
    }

    /// Refuses once the disk can no longer be believed.
    pub(super) fn usable(&self) -> Result<(), LedgerError> {
        if !self.fsync {
            return Ok(());
        }
        self.syncs().broken.as_ref().map_or(Ok(()), |why| Err(self.unavailable("no longer reaches the disk", why)))
    }

    /// Appends `count` slots of zeros to the `slots` that there are. They are on the disk when this returns, or the file is as it was.
    pub(super) fn grow(&self, slots: u32, count: u32) -> Result<(), LedgerError> {
        let zeros = vec![0; SLOT_BYTES * usize::try_from(count).unwrap_or_default()];
        let grown = self.file.write_all_at(&zeros, offset(slots)).and_then(|()| if self.fsync { self.file.sync_all() } else { Ok(()) });
        grown.map_err(|error| {
            // A piece that stays does no harm: it is written over next time, and read as nothing.
            let _ = self.file.set_len(offset(slots));
            self.unavailable("cannot grow", &error)
        })
    }

    /// Writes a slot; waits for the disk where that is asked for.
    pub(super) fn write(&self, index: u32, payload: &[u8]) -> Result<(), LedgerError> {
        self.write_soon(index, payload)?;
        if self.fsync { self.sync() } else { Ok(()) }
    }

    /// Writes a slot, and never waits for the disk: there it is after a kill, not after a power loss.
    pub(super) fn write_soon(&self, index: u32, payload: &[u8]) -> Result<(), LedgerError> {
        let Some(image) = image::slot(self.id, index, payload) else {
            return Err(LedgerError::Incompatible(format!("an ending of {} bytes does not fit the outbox", payload.len())));
        };
        self.file.write_all_at(&image, offset(index)).map_err(|error| self.unavailable("cannot be written", &error))
    }

    /// Makes a slot free. Does not wait for the disk: should that forget it, an ending is delivered once more, to no effect.
    pub(super) fn clear(&self, index: u32) -> Result<(), LedgerError> {
        self.clear_now(index).map_err(|error| self.unavailable("cannot be written", &error))
    }

    fn clear_now(&self, index: u32) -> io::Result<()> {
        self.file.write_all_at(&[0; SLOT_BYTES], offset(index))
    }

    /// Waits until all that was written before is on the disk.
    fn sync(&self) -> Result<(), LedgerError> {
        let mut syncs = self.syncs();
        syncs.asked += 1;
        let mine = syncs.asked;
        loop {
            if let Some(why) = &syncs.broken {
                return Err(self.unavailable("no longer reaches the disk", why));
            }
            if syncs.done >= mine {
                return Ok(());
            }
            if syncs.running {
                syncs = self.synced.wait(syncs).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            syncs.running = true;
            let all = syncs.asked;
            drop(syncs);
            let outcome = self.file.sync_data();
            syncs = self.syncs();
            syncs.running = false;
            match outcome {
                Ok(()) => syncs.done = all,
                Err(error) => syncs.broken = Some(error.to_string()),
            }
            self.synced.notify_all();
        }
    }

    fn syncs(&self) -> MutexGuard<'_, Syncs> {
        self.syncs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unavailable(&self, what: &str, why: &dyn std::fmt::Display) -> LedgerError {
        LedgerError::Unavailable(format!("the outbox {} {what}: {why}", self.path.display()))
    }
}

/// Where a slot begins: behind the header, which has the size of one.
fn offset(slot: u32) -> u64 {
    (u64::from(slot) + 1) * SLOT_BYTES as u64
}

/// A file whose name is `path` with something behind it.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Makes the file, with nothing but its header: whole or not at all.
fn make(path: &Path) -> io::Result<()> {
    let mut id = FileId::default();
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    let new = beside(path, ".new");
    let mut file = private().create(true).truncate(true).write(true).open(&new)?;
    file.write_all(&image::header(id))?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    // The name too has to reach the disk.
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
