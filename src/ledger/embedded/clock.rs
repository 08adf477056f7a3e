//! The ledger's clock. It never goes back, so that no lease is prolonged and no journal entry is out of order, whatever is done to the machine's clock.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;

/// Wall-clock time at the start plus monotonic time since; follows the wall clock where that jumps forward. In whole milliseconds.
#[derive(Debug)]
pub(crate) struct Clock {
    base: Mutex<Base>,
    #[cfg(test)]
    manual: Option<std::sync::atomic::AtomicI64>,
}

#[derive(Debug)]
struct Base {
    millis: i64,
    at: Instant,
}

// === impl Clock ===

impl Clock {
    /// A clock that starts at the wall clock.
    pub(crate) fn new() -> Self {
        Self {
            base: Mutex::new(Base { millis: Timestamp::now().as_millisecond(), at: Instant::now() }),
            #[cfg(test)]
            manual: None,
        }
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        #[cfg(test)]
        if let Some(manual) = &self.manual {
            return timestamp(manual.load(std::sync::atomic::Ordering::SeqCst));
        }
        let wall = Timestamp::now().as_millisecond();
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = i64::try_from(base.at.elapsed().as_millis()).unwrap_or(i64::MAX);
        let steady = base.millis.saturating_add(elapsed);
        if wall > steady {
            *base = Base { millis: wall, at: Instant::now() };
            return timestamp(wall);
        }
        timestamp(steady)
    }

    /// Goes on from `time` at least: what is written already does not lie in the future.
    pub(crate) fn not_before(&self, time: Timestamp) {
        let now = self.now();
        if now < time {
            *self.base.lock().unwrap_or_else(PoisonError::into_inner) = Base { millis: time.as_millisecond(), at: Instant::now() };
        }
    }
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
impl Clock {
    /// A clock that stands still until it is set.
    pub(crate) fn manual(start: Timestamp) -> Self {
        Self { manual: Some(std::sync::atomic::AtomicI64::new(start.as_millisecond())), ..Self::new() }
    }

    /// Sets a manual clock.
    pub(crate) fn set(&self, now: Timestamp) {
        if let Some(manual) = &self.manual {
            manual.store(now.as_millisecond(), std::sync::atomic::Ordering::SeqCst);
        }
    }
}
