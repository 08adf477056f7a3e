//! Open files: as many connections are taken as the system lets this process have. Where it takes more, its own connections to providers fail, and its
//! health is not seen any more; clients that wait in the listener's queue are served a little later instead.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections to the ops listener at once: scrapers and probes, a few each.
pub(super) const OPS_CONNECTIONS: usize = 64;
/// Besides connections: the store, the listeners, the runtime, files that are being reloaded.
const OTHERS: u64 = 64;
/// A client's and the one to its provider.
const EACH: u64 = 2;

/// Raises the limit on open files as far as it may be raised, and says how many clients' connections fit below it, at most so many.
pub(super) fn connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // Some systems do not allow what they say is the most; then the limit stays what it was.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
    let Some(files) = getrlimit(Resource::Nofile).current else { return wanted };
    let fitting = fitting(files, wanted);
    if files / EACH < wanted as u64 {
        tracing::warn!(
            open_files = files,
            connections = fitting,
            "the limit on open files is too low for {wanted} connections: fewer are taken at once; raise it (ulimit -n, LimitNOFILE), or lower max_connections"
        );
    }
    fitting
}

fn fitting(files: u64, wanted: usize) -> usize {
    let others = OTHERS.min(files / 2) + OPS_CONNECTIONS.min(usize::try_from(files / 8).unwrap_or(usize::MAX)) as u64;
    usize::try_from(files.saturating_sub(others) / EACH).unwrap_or(usize::MAX).clamp(1, wanted.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_a_connection_and_some_besides() {
        assert_eq!(fitting(1_048_576, 10_000), 10_000);
        assert_eq!(fitting(1024, 10_000), 448);
        assert_eq!(fitting(1024, 100), 100);
        assert_eq!(fitting(64, 10_000), 12);
        assert_eq!((fitting(8, 10_000), fitting(0, 10_000)), (1, 1));
    }
}
