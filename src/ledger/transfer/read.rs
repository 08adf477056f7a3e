//! Reads the file line by line, in bounded memory. Its end is only believed with the checksum over all that came before.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::TransferError;
use super::record::{Counts, Record, StoreKind};
use super::words::{Hex, Time};

/// The name of the format.
pub(super) const FORMAT: &str = "spendgate-ledger";
/// The version of the format.
pub(super) const VERSION: u32 = 1;
/// The longest line that is read, in bytes. A record takes a few hundred.
const LONGEST_LINE: u64 = 1 << 22;
const END: &[u8] = b"{\"end\":";
const NOT_OURS: &str = "this is no file of \"spendgate export\": its first line is not {\"format\":\"spendgate-ledger\",...}";
const CUT: &str = "the file ends before its last line, which has the checksum; copy it again, or use another export";
const CHANGED: &str = "the checksum does not match: the file was changed since it was exported, or damaged on its way; copy it again, or use another export";

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) exported_at: Time,
    pub(super) from: StoreKind,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine {
    pub(super) end: End,
}

/// How many records there are of each kind, and the SHA-256 of all lines before, their newlines included.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    pub(super) counts: Counts,
    pub(super) sha256: Hex<32>,
}

/// The version alone, of a header whose other members may be of a later time.
#[derive(Deserialize)]
struct AnyHeader {
    format: String,
    version: u32,
}

/// Reads records from a file.
pub(in crate::ledger) struct LedgerReader {
    path: PathBuf,
    input: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    digest: Sha256,
    counts: Counts,
    ended: bool,
    /// The checksum of the file as it was read to its end the first time.
    verified: Option<Hex<32>>,
}

// === impl LedgerReader ===

impl LedgerReader {
    /// Begins to read: the header.
    pub(super) fn open(path: &Path) -> Result<Self, TransferError> {
        let file = File::open(path).map_err(|source| TransferError::File { path: path.to_owned(), source })?;
        let mut reader = Self {
            path: path.to_owned(),
            input: BufReader::with_capacity(1 << 16, file),
            line: Vec::new(),
            number: 0,
            digest: Sha256::new(),
            counts: Counts::default(),
            ended: false,
            verified: None,
        };
        reader.header()?;
        Ok(reader)
    }

    /// The next record; none at the end, which is reached only with the right checksum and the right counts.
    pub(in crate::ledger) fn next_record(&mut self) -> Result<Option<Record>, TransferError> {
        if self.ended {
            return Ok(None);
        }
        if !self.next_line()? {
            return Err(self.refuse(CUT.to_owned()));
        }
        if self.line.starts_with(END) {
            return self.end().map(|()| None);
        }
        self.digest.update(&self.line);
        let record: Record = serde_json::from_slice(&self.line).map_err(|error| self.refuse(format!("not a record: {error}")))?;
        self.counts.add(&record);
        Ok(Some(record))
    }

    /// Why the line that was read last is refused.
    pub(super) fn refuse(&self, what: String) -> TransferError {
        TransferError::Refused { path: self.path.clone(), line: self.number, what }
    }

    /// How many records were read.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Goes back to the first record.
    pub(super) fn rewind(&mut self) -> Result<(), TransferError> {
        self.input.seek(SeekFrom::Start(0)).map_err(|source| TransferError::File { path: self.path.clone(), source })?;
        (self.number, self.digest, self.counts, self.ended) = (0, Sha256::new(), Counts::default(), false);
        self.header()
    }

    fn header(&mut self) -> Result<(), TransferError> {
        if !self.next_line()? {
            return Err(self.refuse(NOT_OURS.to_owned()));
        }
        self.digest.update(&self.line);
        let header = serde_json::from_slice::<AnyHeader>(&self.line).ok().filter(|header| header.format == FORMAT);
        let version = header.ok_or_else(|| self.refuse(NOT_OURS.to_owned()))?.version;
        if version != VERSION {
            return Err(
                self.refuse(format!("the file has version {version}, this spendgate knows version {VERSION}: import it with the spendgate that exported it"))
            );
        }
        serde_json::from_slice::<Header>(&self.line).map(drop).map_err(|error| self.refuse(format!("not a header: {error}")))
    }

    fn end(&mut self) -> Result<(), TransferError> {
        let EndLine { end } = serde_json::from_slice(&self.line).map_err(|error| self.refuse(format!("not the last line of an export: {error}")))?;
        let computed = Hex(std::mem::take(&mut self.digest).finalize().into());
        if end.sha256 != computed || self.verified.is_some_and(|verified| verified != computed) {
            return Err(self.refuse(CHANGED.to_owned()));
        }
        if end.counts != self.counts {
            return Err(self.refuse(format!("the file has {}, but should have {}", self.counts, end.counts)));
        }
        if self.next_line()? {
            return Err(self.refuse("the file goes on after its last line: it was changed since it was exported".to_owned()));
        }
        self.ended = true;
        self.verified = Some(computed);
        Ok(())
    }

    /// Reads one line, its newline included. False at the end of the file.
    fn next_line(&mut self) -> Result<bool, TransferError> {
        self.line.clear();
        self.number += 1;
        let read = self.input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line);
        let read = read.map_err(|source| TransferError::File { path: self.path.clone(), source })?;
        if read == 0 {
            return Ok(false);
        }
        if self.line.last() == Some(&b'\n') {
            return Ok(true);
        }
        // A last line that lost its newline lost its end.
        Err(self.refuse(if read as u64 == LONGEST_LINE { "the line is too long for a record".to_owned() } else { CUT.to_owned() }))
    }
}
