//! Days and periods for the scripts, which know no time zones: each call says which day it thinks it is and when the periods begin anew, and a script for which
//! it is another day answers so instead of doing anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::ledger::rules::next_reset;
use crate::tokens::ResetPeriod;

/// The calendar of one time zone, by the store's clock as far as it is known here.
#[derive(Debug)]
pub(crate) struct Calendar {
    zone: TimeZone,
    /// By how much the store's clock is ahead of this machine's, in milliseconds: 0 until a script disagreed about the day.
    ahead_millis: AtomicI64,
    today: ArcSwap<Bounds>,
}

/// One day, and the first reset of each period after any moment of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    from_millis: i64,
    /// The next local midnight, not of this day any more.
    to_millis: i64,
    /// Day, from, to, week to, month to: as every script takes them.
    pub(crate) arguments: [String; 5],
}

// === impl Bounds ===

impl Bounds {
    /// The day of `now` in `zone`.
    pub(crate) fn of(now: Timestamp, zone: &TimeZone) -> Self {
        let day = zone.to_datetime(now).date();
        // Where a change of clocks skips midnight, this is the first moment of the day.
        let from = zone.to_timestamp(day.at(0, 0, 0, 0)).map_or(i64::MIN, Timestamp::as_millisecond);
        let [to, week_to, month_to] = [ResetPeriod::Daily, ResetPeriod::Weekly, ResetPeriod::Monthly].map(|period| next_reset(period, now, zone));
        let from_millis = from.min(now.as_millisecond());
        let to_millis = to.unwrap_or(Timestamp::MAX).as_millisecond().max(now.as_millisecond().saturating_add(1));
        let text = |time: Option<Timestamp>| time.map(|time| time.as_millisecond().to_string()).unwrap_or_default();
        let arguments = [day.to_string(), from_millis.to_string(), to_millis.to_string(), text(week_to), text(month_to)];
        Self { from_millis, to_millis, arguments }
    }

    fn holds(&self, millis: i64) -> bool {
        self.from_millis <= millis && millis < self.to_millis
    }
}

// === impl Calendar ===

impl Calendar {
    /// A calendar whose days begin at midnight in `zone`.
    pub(crate) fn new(zone: TimeZone) -> Self {
        let today = Bounds::of(Timestamp::now(), &zone);
        Self { zone, ahead_millis: AtomicI64::new(0), today: ArcSwap::from_pointee(today) }
    }

    /// The time zone.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The day that it is, to the best knowledge of this machine. Computed once a day.
    pub(crate) fn today(&self) -> Arc<Bounds> {
        let millis = Timestamp::now().as_millisecond().saturating_add(self.ahead_millis.load(Ordering::Relaxed));
        let known = self.today.load();
        if known.holds(millis) {
            return Arc::clone(&known);
        }
        self.keep(Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX))
    }

    /// The day of the store's time, which a script told; remembered for the calls after.
    pub(crate) fn told(&self, now: Timestamp) -> Arc<Bounds> {
        self.ahead_millis.store(now.as_millisecond() - Timestamp::now().as_millisecond(), Ordering::Relaxed);
        self.keep(now)
    }

    fn keep(&self, now: Timestamp) -> Arc<Bounds> {
        let bounds = Arc::new(Bounds::of(now, &self.zone));
        self.today.store(Arc::clone(&bounds));
        bounds
    }
}
