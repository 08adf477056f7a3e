//! An example of each rule.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::script::{ACCOUNT, hold_id, label, usd};
use crate::ledger::rules::{AdmitReply, Changes, EntryKind, State};
use crate::ledger::types::{AdmitRequest, Admitted, BudgetScope, Certainty, Denied, Renewal, Renewed, Settled, Settlement};
use crate::money::Usd;
use crate::prices::Usage;
use crate::tokens::{BudgetReset, NewToken, ResetPeriod, Secret, SecretHash, TokenKind, TokenPatch, TokenRuleError, TokenView};

const LEASE: Duration = Duration::from_secs(60);

/// A ledger at one moment.
struct Desk {
    state: State,
    now: Timestamp,
    changes: Changes,
}

fn secret() -> SecretHash {
    SecretHash::of("sg_live_x")
}

fn new_token(balance: Option<i64>) -> NewToken {
    NewToken { name: "a".into(), kind: TokenKind::Api, balance: balance.map(usd), active_balance: balance.is_some(), expire_time: None, reset: None }
}

fn daily(amount: i64) -> Option<BudgetReset> {
    Some(BudgetReset { period: ResetPeriod::Daily, amount: usd(amount) })
}

impl Desk {
    fn in_zone(zone: TimeZone, now: &str, new: NewToken) -> Self {
        let mut desk = Self { state: State::new(zone), now: now.parse().unwrap(), changes: Changes::default() };
        desk.state.ensure_account(desk.now, ACCOUNT, None, &mut desk.changes);
        desk.create(new).unwrap();
        desk
    }

    fn with(new: NewToken) -> Self {
        Self::in_zone(TimeZone::UTC, "2026-01-15T12:00:00Z", new)
    }

    /// One token named `a` with that balance.
    fn new(balance: i64) -> Self {
        Self::with(new_token(Some(balance)))
    }

    fn create(&mut self, new: NewToken) -> Result<TokenView, Vec<TokenRuleError>> {
        self.state.create_token(self.now, ACCOUNT, new, secret(), "sg_live_x...".into(), &mut self.changes).unwrap()
    }

    fn admit(&mut self, hold: usize, want: i64, least: i64) -> Result<Admitted, Denied> {
        let token = self.state.tokens().map(|token| token.id).min().unwrap();
        let request = AdmitRequest { hold: hold_id(hold), token, secret: secret(), want: usd(want), least: usd(least), lease: LEASE, label: label("admitted") };
        match self.state.admit(self.now, &request, &mut self.changes).unwrap() {
            AdmitReply::Granted { admitted, .. } => Ok(admitted),
            AdmitReply::Denied(denied) => Err(denied),
        }
    }

    fn settle(&mut self, hold: usize, cost: i64) -> Settled {
        let settlement = Settlement {
            hold: hold_id(hold),
            cost: usd(cost),
            certainty: Certainty::Exact,
            usage: Usage::default(),
            label: label("settled"),
            price_version: Arc::default(),
        };
        self.state.settle(self.now, &settlement, &mut self.changes).unwrap()
    }

    fn void(&mut self, hold: usize) {
        self.state.void(self.now, hold_id(hold), LEASE, &mut self.changes).unwrap();
    }

    fn renew(&mut self, hold: usize, raise_to: i64) -> Renewed {
        self.state.renew(self.now, &Renewal { hold: hold_id(hold), lease: LEASE, raise_to: usd(raise_to) }, &mut self.changes).unwrap()
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn sweep(&mut self) {
        self.state.sweep(self.now, 100, &mut self.changes);
    }

    fn credits(&mut self, balance: Option<i64>) {
        self.state.set_credits(self.now, ACCOUNT, balance.map(usd), &mut self.changes);
    }

    fn patch(&mut self, patch: TokenPatch) -> Result<TokenView, Vec<TokenRuleError>> {
        self.state.update_token(self.now, ACCOUNT, "a", &patch, false, &mut self.changes).unwrap()
    }

    fn view(&self) -> TokenView {
        self.state.view_named(ACCOUNT, "a", self.now).unwrap()
    }

    /// Balance, held and spent.
    fn figures(&self) -> (Option<i64>, i64, i64) {
        let view = self.view();
        (view.balance.map(Usd::nanos), view.held.nanos(), view.spent.nanos())
    }

    fn last_entry(&self) -> (EntryKind, i64) {
        let entry = self.changes.journal.last().unwrap();
        (entry.kind, entry.cost.nanos())
    }
}

fn refused(denied: Denied) -> (&'static str, BudgetScope, i64, i64) {
    match denied {
        Denied::Held(budget) => ("held", budget.scope, budget.balance.nanos(), budget.held.nanos()),
        Denied::Exhausted(budget) => ("exhausted", budget.scope, budget.balance.nanos(), budget.held.nanos()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_granted_lies_between_least_and_want() {
    let mut desk = Desk::new(100);
    assert_eq!(desk.admit(1, 60, 10).unwrap(), Admitted { amount: usd(60), budgeted: true, free_after: Some(usd(40)) });
    assert_eq!(desk.admit(2, 60, 10).unwrap().amount, usd(40));
    assert_eq!(refused(desk.admit(3, 60, 10).unwrap_err()), ("held", BudgetScope::Token, 100, 100));
    assert_eq!(refused(desk.admit(4, 500, 101).unwrap_err()), ("exhausted", BudgetScope::Token, 100, 100));
    assert_eq!(desk.figures(), (Some(100), 100, 0));
}

#[test]
fn nothing_left_is_exhausted_even_for_what_is_free_of_charge() {
    for balance in [0, -5] {
        assert_eq!(refused(Desk::new(balance).admit(1, 0, 0).unwrap_err()), ("exhausted", BudgetScope::Token, balance, 0));
    }
    let mut desk = Desk::new(5);
    desk.admit(1, 5, 5).unwrap();
    assert_eq!(desk.admit(2, 0, 0).unwrap().amount, usd(0));
}

#[test]
fn the_account_stands_above_the_token_all_or_nothing() {
    let mut desk = Desk::new(100);
    desk.credits(Some(50));
    assert_eq!(desk.admit(1, 80, 10).unwrap().amount, usd(50));
    assert_eq!(refused(desk.admit(2, 80, 10).unwrap_err()), ("held", BudgetScope::Account, 50, 50));
    assert_eq!(desk.figures(), (Some(100), 50, 0));
    assert_eq!(desk.settle(1, 45).balance, Some(usd(5)));
    assert_eq!(refused(desk.admit(3, 80, 10).unwrap_err()), ("exhausted", BudgetScope::Account, 5, 0));
    assert_eq!((desk.figures(), desk.state.credits(ACCOUNT)), ((Some(55), 0, 45), Some(usd(5))));
    // Without a figure of its own, only the account's counts.
    let mut desk = Desk::with(new_token(None));
    assert_eq!(desk.admit(1, 80, 10).unwrap(), Admitted { amount: usd(0), budgeted: false, free_after: None });
    desk.credits(Some(30));
    assert_eq!(desk.admit(2, 80, 10).unwrap().amount, usd(30));
    desk.settle(1, 1_000);
    assert_eq!(desk.state.credits(ACCOUNT), Some(usd(30)), "the first stood on nothing");
}

#[test]
fn the_same_hold_is_granted_once_and_ends_once() {
    let mut desk = Desk::new(100);
    assert_eq!(desk.admit(1, 60, 10).unwrap(), desk.admit(1, 60, 10).unwrap());
    assert_eq!(desk.figures(), (Some(100), 60, 0));
    assert_eq!(desk.settle(1, 25), Settled { charged: true, overrun: usd(0), balance: Some(usd(75)) });
    assert_eq!(desk.settle(1, 25), Settled::default());
    desk.void(1);
    assert_eq!(desk.figures(), (Some(75), 0, 25));
}

#[test]
fn an_overrun_is_charged_in_full() {
    let mut desk = Desk::new(100);
    desk.admit(1, 60, 60).unwrap();
    assert_eq!(desk.settle(1, 170), Settled { charged: true, overrun: usd(110), balance: Some(usd(-70)) });
    assert_eq!(desk.figures(), (Some(-70), 0, 170));
}

#[test]
fn an_expired_hold_is_charged_and_corrected_down_once() {
    let mut desk = Desk::new(100);
    desk.admit(1, 60, 60).unwrap();
    desk.wait(60);
    // Nothing depends on a sweep: the next admission does it.
    desk.admit(2, 10, 10).unwrap();
    assert_eq!((desk.figures(), desk.last_entry()), ((Some(40), 10, 60), (EntryKind::Expire, 60)));
    assert_eq!(desk.admit(1, 60, 60).unwrap_err(), Denied::Voided);
    assert_eq!(desk.settle(1, 20), Settled { charged: true, overrun: usd(0), balance: Some(usd(80)) });
    assert_eq!((desk.figures(), desk.last_entry()), ((Some(80), 10, 20), (EntryKind::Correct, -40)));
    assert_eq!(desk.settle(1, 10), Settled::default());
    // Up, never; and not after a week.
    desk.wait(60);
    desk.sweep();
    assert!(desk.settle(2, 15).charged);
    assert_eq!(desk.figures(), (Some(70), 0, 30));
    desk.admit(3, 10, 10).unwrap();
    desk.wait(60);
    desk.sweep();
    desk.wait(7 * 86_400);
    assert_eq!(desk.settle(3, 1), Settled::default());
    assert_eq!(desk.figures(), (Some(60), 0, 40));
    desk.sweep();
    assert!(desk.state.tombstone(hold_id(3)).is_none());
}

#[test]
fn a_correction_is_not_paid_into_a_balance_that_was_set_since() {
    let mut desk = Desk::new(100);
    desk.admit(1, 60, 60).unwrap();
    desk.wait(60);
    desk.sweep();
    desk.patch(TokenPatch { balance: Some(Some(usd(500))), ..TokenPatch::default() }).unwrap();
    desk.settle(1, 20);
    assert_eq!(desk.figures(), (Some(500), 0, 20));
}

#[test]
fn an_admission_expires_sixteen_at_most() {
    let mut desk = Desk::new(1_000);
    for hold in 1..=20 {
        desk.admit(hold, 10, 10).unwrap();
    }
    desk.wait(60);
    desk.admit(21, 10, 10).unwrap();
    assert_eq!(desk.figures(), (Some(840), 50, 160));
    assert!(!desk.state.sweep(desk.now, 100, &mut desk.changes));
    assert_eq!(desk.figures(), (Some(800), 10, 200));
}

#[test]
fn what_was_voided_first_is_refused_for_a_lease() {
    let mut desk = Desk::new(100);
    desk.void(1);
    assert_eq!(desk.admit(1, 10, 10).unwrap_err(), Denied::Voided);
    desk.wait(60);
    desk.admit(1, 10, 10).unwrap();
    desk.void(1);
    assert_eq!(desk.figures(), (Some(100), 0, 0));
}

#[test]
fn a_void_after_the_lease_gives_everything_back() {
    let mut desk = Desk::new(100);
    desk.admit(1, 60, 60).unwrap();
    desk.wait(60);
    desk.sweep();
    desk.void(1);
    desk.void(1);
    assert_eq!(desk.figures(), (Some(100), 0, 0));
    assert!(desk.changes.usage.values().all(|delta| delta.requests == 0 && delta.cost_nanos == 0 && delta.estimated == 0));
}

#[test]
fn a_renewed_hold_lives_on_and_is_raised_on_all_its_budgets_or_none() {
    let mut desk = Desk::new(100);
    desk.credits(Some(80));
    desk.admit(1, 60, 60).unwrap();
    desk.wait(50);
    assert_eq!(desk.renew(1, 75), Renewed::Done);
    assert_eq!(desk.renew(1, 75), Renewed::Done, "asked again, it is not raised twice");
    assert_eq!(desk.renew(1, 90), Renewed::NotRaised { free: usd(5), others: usd(0) }, "the account does not reach");
    desk.wait(50);
    desk.sweep();
    assert_eq!(desk.figures(), (Some(100), 75, 0));
    desk.wait(10);
    desk.sweep();
    assert_eq!((desk.renew(1, 0), desk.figures()), (Renewed::Gone, (Some(25), 0, 75)));
}

#[test]
fn a_hold_remembers_where_it_stands() {
    let mut desk = Desk::new(100);
    desk.admit(1, 60, 60).unwrap();
    desk.patch(TokenPatch { active_balance: Some(false), ..TokenPatch::default() }).unwrap();
    desk.admit(2, 60, 60).unwrap();
    desk.patch(TokenPatch { active_balance: Some(true), ..TokenPatch::default() }).unwrap();
    desk.settle(1, 50);
    desk.settle(2, 40);
    assert_eq!(desk.figures(), (Some(50), 0, 90));
}

#[test]
fn a_reset_sets_the_balance_and_leaves_the_holds() {
    let mut desk = Desk::with(NewToken { reset: daily(100), ..new_token(None) });
    assert_eq!((desk.view().balance, desk.view().active_balance), (Some(usd(100)), true));
    desk.admit(1, 70, 70).unwrap();
    desk.admit(2, 30, 30).unwrap();
    desk.settle(2, 30);
    desk.wait(12 * 3600 - 1);
    desk.renew(1, 0);
    assert_eq!(desk.view().balance, Some(usd(70)));
    desk.wait(1);
    // Shown before anything was written.
    assert_eq!((desk.figures(), desk.view().resets_at), ((Some(100), 70, 30), Some("2026-01-17T00:00:00Z".parse().unwrap())));
    assert_eq!(desk.admit(3, 100, 1).unwrap().amount, usd(30));
    desk.settle(1, 60);
    assert_eq!(desk.figures(), (Some(40), 30, 90));
    // Many missed periods are one reset.
    desk.settle(3, 0);
    desk.wait(10 * 86_400);
    assert_eq!(desk.admit(4, 1, 1).unwrap().free_after, Some(usd(99)));
    assert_eq!(desk.changes.journal.iter().filter(|entry| entry.kind == EntryKind::Reset).count(), 2);
}

#[test]
fn periods_begin_at_local_midnight() {
    let resets = |zone: &str, now: &str, period: ResetPeriod| {
        let new = NewToken { reset: Some(BudgetReset { period, amount: usd(1) }), ..new_token(None) };
        Desk::in_zone(TimeZone::get(zone).unwrap(), now, new).view().resets_at.unwrap().to_string()
    };
    // A day of 23 hours, in which the clocks go forward.
    assert_eq!(resets("Europe/Berlin", "2026-03-28T23:00:00Z", ResetPeriod::Daily), "2026-03-29T22:00:00Z");
    assert_eq!(resets("Europe/Berlin", "2026-03-28T22:59:59Z", ResetPeriod::Daily), "2026-03-28T23:00:00Z");
    // Monday, from a Sunday evening and from a Monday.
    assert_eq!(resets("America/New_York", "2026-01-12T04:59:00Z", ResetPeriod::Weekly), "2026-01-12T05:00:00Z");
    assert_eq!(resets("America/New_York", "2026-01-12T05:00:00Z", ResetPeriod::Weekly), "2026-01-19T05:00:00Z");
    assert_eq!(resets("UTC", "2026-12-31T23:59:59Z", ResetPeriod::Monthly), "2027-01-01T00:00:00Z");
    assert_eq!(resets("Asia/Tokyo", "2026-01-31T15:00:00Z", ResetPeriod::Monthly), "2026-02-28T15:00:00Z");
    // A midnight that the clocks skip.
    assert_eq!(resets("Africa/Cairo", "2026-04-23T12:00:00Z", ResetPeriod::Daily), "2026-04-23T22:00:00Z");
}

#[test]
fn expired_and_revoked_secrets_open_nothing() {
    let mut desk = Desk::new(100);
    let end = desk.now + Duration::from_secs(10);
    desk.patch(TokenPatch { expire_time: Some(Some(end)), ..TokenPatch::default() }).unwrap();
    desk.admit(1, 1, 1).unwrap();
    desk.wait(10);
    assert_eq!(desk.admit(2, 1, 1).unwrap_err(), Denied::Expired { since: end });
    desk.patch(TokenPatch { expire_time: Some(None), ..TokenPatch::default() }).unwrap();
    desk.admit(3, 1, 1).unwrap();
    let new = Secret::presented("sg_live_y".into());
    desk.state.rotate_token(desk.now, ACCOUNT, "a", (new.hash(), new.masked()), Duration::from_secs(5), &mut desk.changes).unwrap();
    desk.admit(4, 1, 1).unwrap();
    desk.wait(5);
    assert_eq!(desk.admit(5, 1, 1).unwrap_err(), Denied::Unknown);
}

#[test]
fn a_deleted_tokens_requests_settle_as_usual() {
    let mut desk = Desk::new(100);
    desk.credits(Some(100));
    desk.admit(1, 60, 60).unwrap();
    assert!(desk.state.delete_token(desk.now, ACCOUNT, "a", &mut desk.changes));
    assert_eq!(desk.admit(2, 1, 1).unwrap_err(), Denied::Unknown);
    assert_eq!(desk.create(new_token(Some(7))).unwrap().id.0, 2, "the name is free again, the id is not");
    desk.state.stored(&desk.changes);
    assert_eq!(desk.settle(1, 40), Settled { charged: true, overrun: usd(0), balance: Some(usd(60)) });
    assert_eq!((desk.last_entry(), desk.state.credits(ACCOUNT)), ((EntryKind::Charge, 40), Some(usd(60))));
    desk.state.stored(&desk.changes);
    assert_eq!(desk.state.tokens().count(), 1, "and is forgotten when the last has ended");
}

#[test]
fn patches_follow_the_token_api() {
    let period = |period| TokenPatch { reset_period: Some(period), ..TokenPatch::default() };
    let mut desk = Desk::with(new_token(None));
    assert_eq!(desk.patch(TokenPatch { active_balance: Some(true), ..TokenPatch::default() }), Err(vec![TokenRuleError::NoBalanceToEnforce]));
    assert_eq!(desk.patch(period(Some(ResetPeriod::Daily))), Err(vec![TokenRuleError::NoResetAmount]));
    let view = desk.patch(TokenPatch { reset_amount: Some(Some(usd(9))), ..period(Some(ResetPeriod::Daily)) }).unwrap();
    assert_eq!((view.balance, view.active_balance, view.reset), (Some(usd(9)), true, daily(9)));
    assert_eq!(desk.patch(TokenPatch { balance: Some(None), ..TokenPatch::default() }), Err(vec![TokenRuleError::NoBalanceToEnforce]));
    assert_eq!(desk.patch(TokenPatch { reset_amount: Some(None), ..TokenPatch::default() }), Err(vec![TokenRuleError::NoResetAmount]));
    // Off, and stored; the same period sent back with it does not turn it on.
    let off = desk.patch(TokenPatch { active_balance: Some(false), ..period(Some(ResetPeriod::Daily)) }).unwrap();
    assert_eq!((off.balance, off.active_balance), (Some(usd(9)), false));
    assert_eq!(desk.patch(TokenPatch { balance: Some(None), ..TokenPatch::default() }).unwrap().balance, None);
    // On again with a reset but no figure: it starts at the amount.
    assert_eq!(desk.patch(TokenPatch { active_balance: Some(true), ..TokenPatch::default() }).unwrap().balance, Some(usd(9)));
    let none = desk.patch(TokenPatch { balance: Some(Some(usd(-3))), ..period(None) }).unwrap();
    assert_eq!((none.balance, none.active_balance, none.reset, none.resets_at), (Some(usd(-3)), true, None, None));
    assert_eq!(desk.create(NewToken { active_balance: true, ..new_token(None) }), Err(vec![TokenRuleError::NameTaken, TokenRuleError::NoBalanceToEnforce]));
}

#[test]
fn what_cannot_be_counted_is_an_error_and_keeps_nobody_alive() {
    let mut desk = Desk::with(new_token(None));
    let most = Usd::MAX.nanos();
    desk.admit(1, 1, 1).unwrap();
    desk.settle(1, most);
    desk.admit(2, 1, 1).unwrap();
    let settlement =
        Settlement { hold: hold_id(2), cost: usd(1), certainty: Certainty::Exact, usage: Usage::default(), label: label("x"), price_version: Arc::default() };
    assert!(desk.state.settle(desk.now, &settlement, &mut desk.changes).is_err());
    assert!(desk.state.hold(hold_id(2)).is_some());
    desk.wait(60);
    desk.sweep();
    assert!(desk.state.hold(hold_id(2)).is_none());
    assert_eq!(desk.figures(), (None, 0, most));
    // On a budget, where the hold's own amount can no longer be counted.
    desk.patch(TokenPatch { balance: Some(Some(usd(100))), active_balance: Some(true), ..TokenPatch::default() }).unwrap();
    desk.admit(3, 50, 50).unwrap();
    desk.wait(60);
    desk.sweep();
    assert_eq!(desk.figures(), (Some(100), 0, most));
    // Nothing was charged, so nothing is given back when somebody knows the cost.
    assert_eq!(desk.settle(3, 20), Settled::default());
    assert_eq!(desk.figures(), (Some(100), 0, most));
}
