//! What the random sequences do not reach of holds and money, a case each.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use redis::FromRedisValue;

use super::runner::{Fault, Single};
use super::server::Server;
use super::subject::{GATEWAY, IDENTITY, Shared, done, manual};
use crate::ledger::redis::codec::{hold_text, usage};
use crate::ledger::redis::operations::{Adoption, Answer, LostHold, Operations, Restored};
use crate::ledger::redis::script::Scripts;
use crate::ledger::rules::AdmitReply;
use crate::ledger::rules::tests::script::{ACCOUNT, hold_id, label, usd};
use crate::ledger::{AdmitRequest, Certainty, ChargeLabel, Denied, Renewal, Renewed, Settled, Settlement};
use crate::money::{MoneyError, Usd};
use crate::prices::{Unit, Usage};
use crate::tokens::{NewToken, SecretHash, TokenId, TokenKind, TokenPatch};

pub(super) const LEASE: Duration = Duration::from_secs(60);
pub(super) const QUARANTINE: Duration = Duration::from_secs(5);
pub(super) const TOKEN: TokenId = TokenId(1);

/// One account with one token, at one moment.
pub(super) struct Desk {
    pub(super) shared: Shared,
    pub(super) now: Timestamp,
}

pub(super) fn secret() -> SecretHash {
    SecretHash::of("sg_live_x")
}

pub(super) fn admission(hold: usize, want: i64) -> AdmitRequest {
    AdmitRequest { hold: hold_id(hold), token: TOKEN, secret: secret(), want: usd(want), least: usd(want), lease: LEASE, label: label("admitted") }
}

pub(super) fn settlement(hold: usize, cost: i64) -> Settlement {
    Settlement {
        hold: hold_id(hold),
        cost: usd(cost),
        certainty: Certainty::Exact,
        usage: Usage::default().with(Unit::Input, 7).with(Unit::Output, 3),
        label: label("settled"),
        price_version: Arc::default(),
    }
}

impl Desk {
    pub(super) fn on(server: &Server, balance: Option<i64>) -> Self {
        Self::with(server, manual(), balance)
    }

    pub(super) fn with(server: &Server, scripts: &'static Scripts, balance: Option<i64>) -> Self {
        let now: Timestamp = "2026-01-15T12:00:00Z".parse().unwrap();
        let desk = Self { shared: Shared::on(server, now, scripts, Fault::None), now };
        let new =
            NewToken { name: "a".into(), kind: TokenKind::Api, balance: balance.map(usd), active_balance: balance.is_some(), expire_time: None, reset: None };
        desk.run(async |operations| done(operations.create_token(ACCOUNT, IDENTITY, &new, &secret(), "sg_live_x...").await).unwrap());
        desk
    }

    pub(super) fn new(balance: Option<i64>) -> Self {
        Self::on(Server::shared(), balance)
    }

    pub(super) fn run<T>(&self, ask: impl AsyncFnOnce(&Operations<Single>) -> T) -> T {
        self.shared.runtime.block_on(ask(&self.shared.operations))
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.shared.set_clock(self.now);
    }

    pub(super) fn admit(&self, identity: &str, hold: usize, want: i64) -> Answer<Result<Usd, Denied>> {
        let request = admission(hold, want);
        let answer = self.run(async |operations| operations.admit(ACCOUNT, identity, &request).await.unwrap().0);
        match answer {
            Answer::Done(decided) => Answer::Done(match decided.reply {
                AdmitReply::Granted { admitted, .. } => Ok(admitted.amount),
                AdmitReply::Denied(denied) => Err(denied),
            }),
            Answer::Failover => Answer::Failover,
            Answer::NoAccount => Answer::NoAccount,
            Answer::OutOfRange => Answer::OutOfRange,
        }
    }

    pub(super) fn hold(&self, hold: usize, amount: i64) {
        assert_eq!(self.admit(IDENTITY, hold, amount), Answer::Done(Ok(usd(amount))));
    }

    pub(super) fn settle(&self, hold: usize, cost: i64) -> Answer<Settled> {
        self.run(async |operations| operations.settle(ACCOUNT, &settlement(hold, cost)).await.unwrap().0)
    }

    pub(super) fn sweep(&self, identity: &str, gateway: &str) -> Answer<bool> {
        self.run(async |operations| operations.sweep(ACCOUNT, identity, gateway, 100).await.unwrap().0)
    }

    pub(super) fn adopt(&self, identity: &str, gateway: &str) -> Adoption {
        self.run(async |operations| done(operations.adopt(ACCOUNT, identity, gateway, QUARANTINE).await))
    }

    pub(super) fn restore(&self, hold: usize, amount: i64) -> Answer<Restored> {
        let lost = LostHold {
            hold: hold_id(hold),
            token: TOKEN,
            amount: usd(amount),
            on_token: true,
            on_account: false,
            lease: LEASE,
            label: label("admitted"),
            slice: None,
        };
        self.run(async |operations| operations.restore(ACCOUNT, &lost).await.unwrap().0)
    }

    /// Balance, held and spent.
    pub(super) fn figures(&self) -> (Option<i64>, i64, i64) {
        let view = self.run(async |operations| done(operations.view(ACCOUNT, TOKEN).await)).unwrap();
        (view.balance.map(Usd::nanos), view.held.nanos(), view.spent.nanos())
    }

    pub(super) fn ask<T: FromRedisValue>(&self, command: &str, part: &str, rest: &[&str]) -> T {
        self.run(async |operations| {
            let runner = operations.runner();
            redis::cmd(command).arg(runner.key(ACCOUNT, part)).arg(rest).query_async(&mut runner.connection()).await.unwrap()
        })
    }

    pub(super) fn end(self) {
        self.shared.check().unwrap();
        self.shared.remove();
    }
}

#[test]
fn a_lost_hold_is_put_back_whatever_is_free_and_only_if_it_was_lost() {
    let mut desk = Desk::new(Some(100));
    desk.hold(1, 60);
    assert_eq!(desk.restore(1, 60), Answer::Done(Restored::NotLost), "it lives");
    assert_eq!(desk.restore(2, 70), Answer::Done(Restored::PutBack));
    assert_eq!((desk.figures(), desk.restore(2, 70)), ((Some(100), 130, 0), Answer::Done(Restored::NotLost)));
    assert!(matches!(desk.admit(IDENTITY, 3, 1), Answer::Done(Err(Denied::Held(_)))));
    assert_eq!(desk.settle(2, 30), Answer::Done(Settled { charged: true, overrun: usd(0), balance: Some(usd(70)) }));
    assert_eq!(desk.restore(2, 70), Answer::Done(Restored::NotLost), "it ended a moment ago");
    desk.wait(60);
    desk.sweep(IDENTITY, GATEWAY);
    assert_eq!(desk.restore(1, 60), Answer::Done(Restored::NotLost), "it expired");
    desk.run(async |operations| done(operations.void(ACCOUNT, hold_id(4), LEASE).await));
    assert_eq!(desk.restore(4, 60), Answer::Done(Restored::NotLost), "it was voided before it came");
    assert_eq!(desk.figures(), (Some(10), 0, 90));
    // Ids of holds that ended are not kept for ever.
    desk.wait(121);
    for hold in 5..8 {
        desk.hold(hold, 1);
        desk.settle(hold, 0);
    }
    assert_eq!(desk.ask::<Vec<String>>("ZRANGE", "ended", &["0", "-1"]).len(), 4, "three and the one that keeps the key");
    let lost = LostHold {
        token: TokenId(9),
        ..LostHold { hold: hold_id(9), token: TOKEN, amount: usd(1), on_token: true, on_account: true, lease: LEASE, label: label("x"), slice: None }
    };
    assert_eq!(desk.run(async |operations| done(operations.restore(ACCOUNT, &lost).await)), Restored::NoToken);
    desk.end();
}

#[test]
fn what_cannot_be_counted_is_refused_and_keeps_nobody_alive() {
    let most = Usd::MAX.nanos();
    let mut desk = Desk::new(None);
    desk.admit(IDENTITY, 1, 1);
    assert_eq!(desk.settle(1, most), Answer::Done(Settled { charged: true, overrun: usd(0), balance: None }));
    desk.admit(IDENTITY, 2, 1);
    let stored: String = desk.ask("HGET", "account", &["seq"]);
    assert_eq!((desk.settle(2, 1), desk.ask::<String>("HGET", "account", &["seq"])), (Answer::OutOfRange, stored));
    desk.wait(60);
    desk.sweep(IDENTITY, GATEWAY);
    assert_eq!((desk.figures(), desk.settle(2, 0)), ((None, 0, most), Answer::Done(Settled { charged: true, overrun: usd(0), balance: None })));
    // On a budget, where the hold's own amount can no longer be counted.
    let patch = TokenPatch { balance: Some(Some(usd(100))), active_balance: Some(true), ..TokenPatch::default() };
    desk.run(async |operations| done(operations.update_token(ACCOUNT, IDENTITY, "a", &patch, false).await)).unwrap().unwrap();
    desk.hold(3, 50);
    desk.wait(60);
    desk.sweep(IDENTITY, GATEWAY);
    // Nothing was charged, so nothing is given back when somebody knows the cost.
    assert_eq!((desk.settle(3, 20), desk.figures()), (Answer::Done(Settled::default()), (Some(100), 0, most)));
    desk.end();
    // The largest figures there are, to the last nano-dollar.
    let desk = Desk::new(Some(most));
    desk.hold(1, most - 1);
    desk.run(async |operations| {
        let raise = [Renewal { hold: hold_id(1), lease: LEASE, raise_to: usd(most) }];
        assert_eq!(done(operations.renew(ACCOUNT, &raise).await), [Ok(Renewed::Done)]);
    });
    assert_eq!((desk.figures(), desk.restore(2, 1)), ((Some(most), most, 0), Answer::OutOfRange));
    desk.settle(1, 1);
    assert_eq!(desk.figures(), (Some(most - 1), 0, 1));
    desk.hold(3, 1);
    assert_eq!(desk.settle(3, most - 1), Answer::Done(Settled { charged: true, overrun: usd(most - 2), balance: Some(usd(0)) }));
    desk.end();
    let desk = Desk::new(None);
    let lost = |hold, amount| LostHold {
        hold: hold_id(hold),
        token: TOKEN,
        amount: usd(amount),
        on_token: true,
        on_account: false,
        lease: LEASE,
        label: label("x"),
        slice: None,
    };
    desk.run(async |operations| {
        done(operations.restore(ACCOUNT, &lost(1, most - 1)).await);
        done(operations.restore(ACCOUNT, &lost(2, 1)).await);
        let raised = done(operations.renew(ACCOUNT, &[Renewal { hold: hold_id(2), lease: LEASE, raise_to: usd(2) }]).await);
        assert_eq!(raised, [Err(MoneyError::OutOfRange)]);
    });
    desk.end();
}

#[test]
fn the_journal_and_the_usage_say_what_was_charged() {
    let mut desk = Desk::new(Some(100));
    let odd = Arc::new(ChargeLabel { provider: "open \"ai\"\n".into(), model: "gpt/4 – ü".into(), feature: "text__chat".into() });
    for hold in 1..=3 {
        desk.hold(hold, 10);
        let settled = Settlement { label: Arc::clone(&odd), price_version: "v \"1\"".into(), ..settlement(hold, 4) };
        desk.run(async |operations| done(operations.settle(ACCOUNT, &settled).await));
    }
    let journal: Vec<String> = desk.ask("LRANGE", "journal", &["-1", "-1"]);
    let entry: serde_json::Value = serde_json::from_str(&journal[0]).unwrap();
    let should = serde_json::json!([
        desk.now.as_millisecond(),
        "charge",
        "1",
        hold_text(hold_id(3)),
        -4,
        0,
        4,
        "exact",
        odd.provider,
        odd.model,
        odd.feature,
        "input=7 output=3",
        "v \"1\""
    ]);
    assert_eq!(entry, should);
    // An expired hold's row gives way to what is known of it, on the day on which it expired.
    desk.hold(4, 10);
    desk.wait(60);
    desk.sweep(IDENTITY, GATEWAY);
    let rows = |desk: &Desk| {
        let mut rows: Vec<(String, String)> = desk.ask::<std::collections::HashMap<String, String>>("HGETALL", "usage", &[]).into_iter().collect();
        rows.sort();
        rows.into_iter().filter(|(key, _)| !key.is_empty()).collect::<Vec<_>>()
    };
    let key = |label: &ChargeLabel| serde_json::json!(["2026-01-15", "1", label.provider, label.model, label.feature]).to_string();
    assert_eq!(rows(&desk), [(key(&odd), "3 12 0 input=21 output=9".into()), (key(&label("admitted")), "1 10 1".into())]);
    desk.wait(86_400);
    let settled = Settlement { label: Arc::clone(&odd), certainty: Certainty::Estimated, usage: Usage::default().with(Unit::Pages, 2), ..settlement(4, 6) };
    desk.run(async |operations| done(operations.settle(ACCOUNT, &settled).await));
    assert_eq!(rows(&desk), [(key(&odd), "4 18 1 input=21 output=9 pages=2".into())]);
    assert_eq!(usage("input=21 pages=2 unheard=3"), Usage::default().with(Unit::Input, 21).with(Unit::Pages, 2));
    desk.end();
}

#[test]
fn an_id_that_was_voided_long_ago_expires_and_is_corrected_like_any_other() {
    let mut desk = Desk::new(Some(100));
    desk.run(async |operations| done(operations.void(ACCOUNT, hold_id(1), LEASE).await));
    assert_eq!(desk.admit(IDENTITY, 1, 10), Answer::Done(Err(Denied::Voided)));
    desk.wait(60);
    desk.hold(1, 10);
    desk.wait(60);
    desk.sweep(IDENTITY, GATEWAY);
    assert_eq!(desk.admit(IDENTITY, 1, 10), Answer::Done(Err(Denied::Voided)));
    assert_eq!(desk.settle(1, 4), Answer::Done(Settled { charged: true, overrun: usd(0), balance: Some(usd(96)) }));
    desk.end();
}

#[test]
fn an_admission_expires_sixteen_at_most_and_a_sweep_says_whether_there_are_more() {
    let mut desk = Desk::new(Some(1_000));
    for hold in 1..=120 {
        desk.hold(hold, 1);
    }
    desk.wait(60);
    desk.hold(121, 10);
    assert_eq!(desk.figures(), (Some(984), 114, 16));
    assert_eq!((desk.sweep(IDENTITY, GATEWAY), desk.sweep(IDENTITY, GATEWAY)), (Answer::Done(true), Answer::Done(false)));
    assert_eq!(desk.figures(), (Some(880), 10, 120));
    desk.wait(7 * 86_400);
    assert_eq!((desk.sweep(IDENTITY, GATEWAY), desk.sweep(IDENTITY, GATEWAY)), (Answer::Done(true), Answer::Done(false)));
    assert_eq!(desk.ask::<u64>("HLEN", "tombstones", &[]), 2, "the last, and the one that keeps the key");
    desk.end();
}

#[test]
fn a_deleted_tokens_hold_gets_no_more_money_and_settles_as_usual() {
    let desk = Desk::new(Some(100));
    desk.hold(1, 10);
    let deleted = desk.run(async |operations| done(operations.delete_token(ACCOUNT, IDENTITY, "a").await));
    assert_eq!(deleted, Some(vec![secret()]));
    let renewed = desk.run(async |operations| done(operations.renew(ACCOUNT, &[Renewal { hold: hold_id(1), lease: LEASE, raise_to: usd(15) }]).await));
    assert_eq!(renewed, [Ok(Renewed::NotRaised { free: usd(0), others: usd(0) })]);
    assert_eq!(desk.admit(IDENTITY, 2, 1), Answer::Done(Err(Denied::Unknown)));
    assert_eq!(desk.settle(1, 30), Answer::Done(Settled { charged: true, overrun: usd(20), balance: Some(usd(70)) }));
    assert_eq!(desk.ask::<Vec<String>>("ZRANGE", "live", &["0", "-1"]), [""]);
    assert!(desk.ask::<String>("HGET", "identities", &["1"]).contains(r#""secrets":[],"#));
    desk.end();
}

#[test]
fn many_holds_are_renewed_in_one_call() {
    let mut desk = Desk::new(Some(1_000));
    for hold in 1..=300 {
        desk.hold(hold, 1);
    }
    desk.wait(30);
    let renew = |hold: usize, raise_to: i64| Renewal { hold: hold_id(hold), lease: LEASE, raise_to: usd(raise_to) };
    let mut renewals: Vec<Renewal> = (1..=300).map(|hold| renew(hold, 0)).collect();
    renewals.extend([renew(1, 6), renew(1, 11), renew(999, 0), renew(2, 901)]);
    let renewed = desk.run(async |operations| done(operations.renew(ACCOUNT, &renewals).await));
    assert!(renewed[..302].iter().all(|renewed| *renewed == Ok(Renewed::Done)));
    assert_eq!(renewed[302..], [Ok(Renewed::Gone), Ok(Renewed::NotRaised { free: usd(690), others: usd(309) })]);
    desk.wait(59);
    desk.sweep(IDENTITY, GATEWAY);
    assert_eq!(desk.figures(), (Some(1_000), 310, 0));
    desk.end();
}
