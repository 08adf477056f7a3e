//! Log lines on their way to standard error: gathered, and written by a thread of their own, so that no request waits for whoever reads them.
//!
//! What is gathered is lost with a process that is killed; warnings and errors are not gathered.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line waits for others to be written with it.
const GATHER: Duration = Duration::from_millis(20);
/// So many bytes are written without waiting for more.
const ENOUGH: usize = 64 * 1024;
/// Where whoever reads is so many bytes behind, lines are dropped rather than kept: memory stays bounded.
const ROOM: usize = 8 * 1024 * 1024;

/// Where the subscriber writes its lines to.
#[derive(Clone, Debug)]
pub(super) struct Lines(Arc<Shared>);

/// One line, written in one call.
pub(super) struct Line<'a> {
    shared: &'a Shared,
    urgent: bool,
}

/// Writes what was gathered when it is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the log"]
pub struct LogGuard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    wake: Condvar,
    written: Condvar,
}

#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    dropped: u64,
    urgent: bool,
    writing: bool,
    closed: bool,
}

// === impl Lines ===

impl Lines {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<(Self, LogGuard)> {
        let shared = Arc::<Shared>::default();
        let writing = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("spendgate-log".to_owned()).spawn(move || writing.write_to(out))?;
        Ok((Self(Arc::clone(&shared)), LogGuard { shared, thread: Some(thread) }))
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { shared: &self.0, urgent: false }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a> {
        Line { shared: &self.0, urgent: *metadata.level() <= Level::WARN }
    }
}

// === impl Line ===

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.shared.put(line, self.urgent);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// === impl Shared ===

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, line: &[u8], urgent: bool) {
        let mut pending = self.pending();
        let before = pending.bytes.len();
        if before + line.len() > ROOM {
            pending.dropped += 1;
            return;
        }
        pending.bytes.extend_from_slice(line);
        pending.urgent |= urgent;
        let due = before == 0 || urgent || (before < ENOUGH && pending.bytes.len() >= ENOUGH);
        drop(pending);
        if due {
            self.wake.notify_one();
        }
    }

    /// Writes until the guard is dropped, and then what is left.
    fn write_to(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        loop {
            let pending = self.pending();
            let pending = self.wake.wait_while(pending, |pending| pending.bytes.is_empty() && !pending.closed).unwrap_or_else(PoisonError::into_inner);
            let gathering = |pending: &mut Pending| !pending.urgent && !pending.closed && pending.bytes.len() < ENOUGH;
            let (mut pending, _) = self.wake.wait_timeout_while(pending, GATHER, gathering).unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut pending.bytes, &mut lines);
            pending.urgent = false;
            pending.writing = true;
            let (dropped, closed) = (std::mem::take(&mut pending.dropped), pending.closed);
            drop(pending);
            // Nobody can be told of a log that cannot be written.
            let _ = out.write_all(&lines).and_then(|()| out.flush());
            self.pending().writing = false;
            self.written.notify_all();
            lines.clear();
            lines.shrink_to(2 * ENOUGH);
            if dropped > 0 {
                tracing::warn!(dropped, "log lines were dropped: whoever reads the log does not keep up");
            }
            if closed {
                return;
            }
        }
    }
}

// === impl LogGuard ===

impl LogGuard {
    /// Returns once everything that was logged so far is written: for what is printed beside the log.
    pub fn flush(&self) {
        let mut pending = self.shared.pending();
        pending.urgent = true;
        self.shared.wake.notify_one();
        let unwritten = |pending: &mut Pending| pending.writing || !pending.bytes.is_empty();
        drop(self.shared.written.wait_while(pending, unwritten));
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.shared.pending().closed = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Hands each write over, and takes the next one only when told to.
    struct Slow {
        written: mpsc::Sender<Vec<u8>>,
        go_on: mpsc::Receiver<()>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.written.send(bytes.to_vec()).unwrap();
            // Ends with the test.
            let _ = self.go_on.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Slow, mpsc::Receiver<Vec<u8>>, mpsc::Sender<()>) {
        let (written, received) = mpsc::channel();
        let (going, go_on) = mpsc::channel();
        (Slow { written, go_on }, received, going)
    }

    #[test]
    fn lines_that_come_while_one_is_written_go_out_together_and_in_order() {
        let (out, received, go_on) = slow();
        let (lines, guard) = Lines::start(out).unwrap();
        lines.0.put(b"first\n", true);
        assert_eq!(received.recv().unwrap(), b"first\n");
        lines.0.put(b"second\n", false);
        lines.0.put(b"third\n", true);
        go_on.send(()).unwrap();
        assert_eq!(received.recv().unwrap(), b"second\nthird\n");
        lines.0.put(b"last\n", false);
        go_on.send(()).unwrap();
        go_on.send(()).unwrap();
        drop(guard);
        assert_eq!(received.recv().unwrap(), b"last\n", "the guard writes what was gathered");
        assert!(received.recv().is_err());
    }

    #[test]
    fn a_reader_that_does_not_keep_up_costs_lines_and_not_memory() {
        let (out, received, go_on) = slow();
        let (lines, guard) = Lines::start(out).unwrap();
        lines.0.put(b"first\n", true);
        received.recv().unwrap();
        let line = vec![b'x'; ROOM / 4];
        for _ in 0..6 {
            lines.0.put(&line, false);
        }
        let dropped = lines.0.pending().dropped;
        assert_eq!(dropped, 2);
        drop(go_on);
        drop(guard);
        assert_eq!(received.iter().map(|bytes| bytes.len()).sum::<usize>(), ROOM);
    }
}
