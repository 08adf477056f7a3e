//! Writes the file: a header, one line a record, and a last line with counts and a checksum over all lines before it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::error::TransferError;
use super::read::{End, EndLine, FORMAT, Header, VERSION};
use super::record::{Counts, Record, StoreKind};
use super::words::{Hex, Time};
use crate::ledger::private::private;

/// A file that is not there under its own name until all of it is on the disk.
pub(super) struct NewFile {
    path: PathBuf,
    partial: PathBuf,
    kept: bool,
}

/// Writes records as they come, and keeps nothing of them.
pub(super) struct LedgerWriter {
    output: BufWriter<File>,
    path: PathBuf,
    digest: Sha256,
    counts: Counts,
    line: Vec<u8>,
}

fn failed(path: &Path) -> impl Fn(io::Error) -> TransferError {
    let path = path.to_owned();
    move |source| TransferError::File { path: path.clone(), source }
}

// === impl NewFile ===

impl NewFile {
    /// A file that is to be at `path`, where there is none yet.
    pub(super) fn create(path: &Path) -> Result<Self, TransferError> {
        if path.symlink_metadata().is_ok() {
            return Err(TransferError::Exists(path.to_owned()));
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        match std::fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&partial)(error)),
            _ => {}
        }
        Ok(Self { path: path.to_owned(), partial, kept: false })
    }

    /// Opens it for writing. Nobody else may read it: it holds names, and hashes of secrets.
    pub(super) fn file(&self) -> Result<(File, PathBuf), TransferError> {
        let file = private().write(true).create_new(true).open(&self.partial).map_err(failed(&self.partial))?;
        Ok((file, self.partial.clone()))
    }

    /// It is whole: gives it its name when it is on the disk.
    pub(super) fn keep(mut self, file: &File) -> Result<(), TransferError> {
        file.sync_all().map_err(failed(&self.partial))?;
        if self.path.symlink_metadata().is_ok() {
            return Err(TransferError::Exists(self.path.clone()));
        }
        std::fs::rename(&self.partial, &self.path).map_err(failed(&self.path))?;
        self.kept = true;
        sync_folder(&self.path).map_err(failed(&self.path))
    }
}

/// Puts the name of a file on the disk.
pub(in crate::ledger) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            // One that stays is taken away by the next export.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

// === impl LedgerWriter ===

impl LedgerWriter {
    /// Begins a file with its header.
    pub(super) fn begin((file, path): (File, PathBuf), from: StoreKind, now: Timestamp) -> Result<Self, TransferError> {
        let output = BufWriter::with_capacity(1 << 16, file);
        let mut writer = Self { output, path, digest: Sha256::new(), counts: Counts::default(), line: Vec::new() };
        let exported_at = Time::from_millis(now.as_millisecond()).unwrap_or(Time(Timestamp::UNIX_EPOCH));
        writer.line(&Header { format: FORMAT.to_owned(), version: VERSION, exported_at, from })?;
        Ok(writer)
    }

    /// Writes a record.
    pub(super) fn write(&mut self, record: &Record) -> Result<(), TransferError> {
        self.counts.add(record);
        self.line(record)
    }

    /// Writes the last line, and gives back what it was written to.
    pub(super) fn end(mut self) -> Result<(File, Counts), TransferError> {
        let sha256 = Hex(self.digest.clone().finalize().into());
        self.line(&EndLine { end: End { counts: self.counts, sha256 } })?;
        let output = self.output.into_inner().map_err(|error| failed(&self.path)(error.into_error()))?;
        Ok((output, self.counts))
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), TransferError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, value).map_err(|error| failed(&self.path)(error.into()))?;
        self.line.push(b'\n');
        self.digest.update(&self.line);
        self.output.write_all(&self.line).map_err(failed(&self.path))
    }
}
