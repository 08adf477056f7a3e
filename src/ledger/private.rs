//! Files of a ledger are nobody's business but their owner's: they say who spends what, and hold the hashes of secrets.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How to open a file that its owner alone may read and write, where it is new. One that is there keeps the mode that somebody gave it.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Makes such a file, empty, unless there is one.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    private().create(true).append(true).open(path).map(drop)
}
