//! How much money a token asks for just now: what its slices are sized by. Pure, time is passed in.

use std::time::{Duration, Instant};

use crate::money::Usd;

/// Requests are counted over so long.
pub(super) const WINDOW: Duration = Duration::from_millis(250);
/// Fewer requests within a window are not worth a slice: to look after it takes as many trips.
const BUSY: u32 = 3;

/// What was asked for in the window that runs, and in the one before.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    since: Instant,
    now: Asked,
    before: Asked,
}

#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    count: u32,
    sum: Usd,
}

/// How large a slice should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// A window's worth.
    pub(super) most: Usd,
    /// Less is not worth it: two requests' worth.
    pub(super) least: Usd,
}

// === impl Demand ===

impl Demand {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, now: Asked::default(), before: Asked::default() }
    }

    /// A request asked for so much.
    pub(super) fn add(&mut self, now: Instant, amount: Usd) {
        self.roll(now);
        self.now.count = self.now.count.saturating_add(1);
        self.now.sum = self.now.sum.plus(amount).unwrap_or(self.now.sum);
    }

    /// How large a slice should be; none where the token is not busy.
    pub(super) fn size(&mut self, now: Instant) -> Option<Size> {
        self.roll(now);
        let asked = if self.now.count > self.before.count { self.now } else { self.before };
        if asked.count < BUSY || !asked.sum.is_positive() {
            return None;
        }
        let twice = i128::from(asked.sum.nanos()) * 2 / i128::from(asked.count);
        let least = Usd::saturating_from_nanos(twice.max(1));
        Some(Size { most: asked.sum.max(least), least })
    }

    /// How large a slice should be at most; nothing where the token is not busy.
    pub(super) fn most(&mut self, now: Instant) -> Usd {
        self.size(now).map_or(Usd::ZERO, |size| size.most)
    }

    fn roll(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        if passed >= WINDOW * 2 {
            *self = Self::new(now);
        } else if passed >= WINDOW {
            self.before = std::mem::take(&mut self.now);
            self.since += WINDOW;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn usd(nanos: i64) -> Usd {
        Usd::from_nanos(nanos).unwrap()
    }

    #[test]
    fn a_slice_is_a_window_of_what_a_busy_token_asks_for() {
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        let mut demand = Demand::new(began);
        demand.add(at(0), usd(10));
        demand.add(at(10), usd(20));
        assert_eq!(demand.size(at(20)), None, "two requests are no rush");
        demand.add(at(20), usd(30));
        let size = Some(Size { most: usd(60), least: usd(40) });
        assert_eq!(demand.size(at(30)), size);
        assert_eq!(demand.size(at(499)), size, "the window before counts");
        assert_eq!(demand.size(at(500)), None);
        demand.add(at(900), usd(10));
        assert_eq!(demand.size(at(900)), None, "what was long ago does not");
    }
}
