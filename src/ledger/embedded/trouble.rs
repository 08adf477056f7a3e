//! Tells of a fault that goes on: when it begins, now and then while it lasts, and when it is over. A disk that stays full must not fill a log.

use std::time::{Duration, Instant};

use crate::ledger::types::LedgerError;

/// While it lasts it is told of this often.
const AGAIN: Duration = Duration::from_secs(60);

/// The fault, if there is one.
#[derive(Debug, Default)]
pub(super) struct Trouble(Option<Lasting>);

#[derive(Debug)]
struct Lasting {
    since: Instant,
    said_at: Instant,
    /// How often it was met since it was told of.
    unsaid: u64,
}

// === impl Trouble ===

impl Trouble {
    /// It was met. `what` it means is said, but not each time.
    pub(super) fn met(&mut self, now: Instant, what: &str, error: &LedgerError) {
        match self.count(now) {
            Some(0) => tracing::error!(%error, "{what}"),
            Some(unsaid) => tracing::error!(%error, unsaid, "{what}, as so often since this was last said"),
            None => {}
        }
    }

    /// The file could be written.
    pub(super) fn over(&mut self, now: Instant) {
        if let Some(Lasting { since, .. }) = self.0.take() {
            tracing::info!(lasted_s = now.saturating_duration_since(since).as_secs(), "the ledger can be written again");
        }
    }

    /// How often it was met in silence, where it is time to tell of it.
    fn count(&mut self, now: Instant) -> Option<u64> {
        let Some(lasting) = &mut self.0 else {
            self.0 = Some(Lasting { since: now, said_at: now, unsaid: 0 });
            return Some(0);
        };
        lasting.unsaid += 1;
        if now.saturating_duration_since(lasting.said_at) < AGAIN {
            return None;
        }
        lasting.said_at = now;
        Some(std::mem::take(&mut lasting.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_lasts_is_told_of_once_a_minute_and_anew_when_it_comes_back() {
        let began = Instant::now();
        let mut trouble = Trouble::default();
        let mut told = Vec::new();
        for tenth in 0..1_250 {
            let now = began + Duration::from_millis(100 * tenth);
            told.extend(trouble.count(now).map(|unsaid| (tenth, unsaid)));
        }
        assert_eq!(told, [(0, 0), (600, 600), (1_200, 600)]);
        trouble.over(began);
        assert_eq!(trouble.count(began), Some(0));
    }
}
