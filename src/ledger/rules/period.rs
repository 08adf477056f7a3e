//! Periodic resets. There is no reset job: every operation on a token first applies a reset that is due.

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::mutation::{Mutation, mutated};
use super::state::State;
use super::{Changes, EntryKind, JournalEntry};
use crate::money::Usd;
use crate::tokens::{ResetPeriod, TokenId};

/// The first local midnight after `now` at which the period begins anew; none at the end of time.
pub(in crate::ledger) fn next_reset(period: ResetPeriod, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let today = zone.to_datetime(now).date();
    let day: Date = match period {
        ResetPeriod::Daily => today.tomorrow().ok()?,
        ResetPeriod::Weekly => today.nth_weekday(1, Weekday::Monday).ok()?,
        ResetPeriod::Monthly => today.first_of_month().checked_add(1.month()).ok()?,
    };
    // Where a change of clocks skips midnight, this is the first moment of the day.
    zone.to_timestamp(day.at(0, 0, 0, 0)).ok()
}

impl State {
    /// Applies a reset that is due: sets the balance, leaves the holds standing.
    pub(super) fn reset_if_due(&mut self, id: TokenId, now: Timestamp, changes: &mut Changes) {
        let Some(token) = self.tokens.get_mut(&id) else { return };
        let (Some(reset), Some(due)) = (token.reset, token.resets_at) else { return };
        if now < due || token.deleted_at.is_some() || mutated(Mutation::SkipReset) {
            return;
        }
        if mutated(Mutation::ResetDropsHolds) {
            token.budget.held = Usd::ZERO;
        }
        let mut entry = JournalEntry::balance(now, EntryKind::Reset, token.account, Some(id));
        entry.token_delta_nanos = token.budget.set(Some(reset.amount));
        token.resets_at = next_reset(reset.period, now, &self.zone);
        changes.journal.push(entry);
        changes.tokens.insert(id);
    }

    /// The day of `now` where the ledger stands.
    pub(super) fn day(&self, now: Timestamp) -> Date {
        self.zone.to_datetime(now).date()
    }
}
