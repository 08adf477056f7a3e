//! What the random sequences do not reach, a case each.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use redis::FromRedisValue;

use super::runner::{Fault, Single};
use super::server::Server;
use super::subject::{GATEWAY, IDENTITY, Shared, done, manual};
use crate::ledger::redis::calendar::Bounds;
use crate::ledger::redis::codec::{hold_text, usage};
use crate::ledger::redis::keys;
use crate::ledger::redis::operations::{Adoption, Answer, LostHold, Operations, Restored};
use crate::ledger::redis::script::{CallError, Scripts};
use crate::ledger::rules::AdmitReply;
use crate::ledger::rules::tests::script::{ACCOUNT, hold_id, label, usd};
use crate::ledger::{AdmitRequest, Certainty, ChargeLabel, Denied, Renewal, Renewed, Settled, Settlement};
use crate::money::{MoneyError, Usd};
use crate::prices::{Unit, Usage};
use crate::tokens::{NewToken, Secret, SecretHash, TokenId, TokenKind, TokenPatch};

pub(super) const LEASE: Duration = Duration::from_secs(60);
const QUARANTINE: Duration = Duration::from_secs(5);
pub(super) const TOKEN: TokenId = TokenId(1);

/// One account with one token, at one moment.
pub(super) struct Desk {
    shared: Shared,
    now: Timestamp,
}

pub(super) fn secret() -> SecretHash {
    SecretHash::of("sg_live_x")
}

fn admission(hold: usize, want: i64) -> AdmitRequest {
    AdmitRequest { hold: hold_id(hold), token: TOKEN, secret: secret(), want: usd(want), least: usd(want), lease: LEASE, label: label("admitted") }
}

pub(super) fn settlement(hold: usize, cost: i64) -> Settlement {
    Settlement {
        hold: hold_id(hold),
        cost: usd(cost),
        certainty: Certainty::Exact,
        usage: Usage::default().with(Unit::Input, 7).with(Unit::Output, 3),
        label: label("settled"),
        price_version: String::new(),
    }
}

impl Desk {
    fn on(server: &Server, balance: Option<i64>) -> Self {
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

    fn admit(&self, identity: &str, hold: usize, want: i64) -> Answer<Result<Usd, Denied>> {
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

    fn settle(&self, hold: usize, cost: i64) -> Answer<Settled> {
        self.run(async |operations| operations.settle(ACCOUNT, &settlement(hold, cost)).await.unwrap().0)
    }

    pub(super) fn sweep(&self, identity: &str, gateway: &str) -> Answer<bool> {
        self.run(async |operations| operations.sweep(ACCOUNT, identity, gateway, 100).await.unwrap().0)
    }

    fn adopt(&self, identity: &str, gateway: &str) -> Adoption {
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
fn gateways_agree_on_a_server_after_a_failover_and_do_not_wait_for_the_dead() {
    let mut desk = Desk::new(Some(100));
    desk.sweep(IDENTITY, "gateway-3");
    desk.wait(11);
    assert_eq!((desk.sweep(IDENTITY, "gateway-1"), desk.sweep(IDENTITY, "gateway-2")), (Answer::Done(false), Answer::Done(false)));
    desk.hold(1, 10);
    // Another server: nothing is admitted or changed, whoever asks; what ends, ends.
    assert_eq!(desk.admit("b", 2, 10), Answer::Failover);
    assert_eq!(desk.adopt("b", "gateway-1"), Adoption::Waiting(QUARANTINE));
    assert_eq!((desk.admit("b", 2, 10), desk.admit(IDENTITY, 2, 10), desk.admit("", 2, 10)), (Answer::Failover, Answer::Failover, Answer::Failover));
    let changed = desk.run(async |operations| operations.set_credits(ACCOUNT, "b", None).await.unwrap().0);
    assert_eq!((changed, desk.sweep("b", "gateway-1")), (Answer::Failover, Answer::Failover));
    assert_eq!(
        (desk.restore(3, 5), desk.settle(1, 7)),
        (Answer::Done(Restored::PutBack), Answer::Done(Settled { charged: true, overrun: usd(0), balance: Some(usd(93)) }))
    );
    desk.wait(1);
    assert_eq!(desk.adopt("b", "gateway-1"), Adoption::Waiting(Duration::from_secs(4)), "saying it twice is saying it once");
    assert_eq!(desk.adopt("b", "gateway-2"), Adoption::Adopted, "the third is silent for too long");
    assert_eq!(
        (desk.adopt("b", "gateway-1"), desk.admit("b", 2, 10), desk.admit(IDENTITY, 4, 10)),
        (Adoption::Adopted, Answer::Done(Ok(usd(10))), Answer::Failover)
    );
    // One that lives but does not say anything is waited for only so long.
    assert_eq!(desk.adopt("c", "gateway-1"), Adoption::Waiting(QUARANTINE));
    desk.wait(3);
    // Yet another failover meanwhile: all begins anew.
    assert_eq!(desk.adopt("d", "gateway-1"), Adoption::Waiting(QUARANTINE));
    desk.wait(3);
    assert_eq!(desk.adopt("d", "gateway-1"), Adoption::Waiting(Duration::from_secs(2)));
    desk.wait(2);
    assert_eq!((desk.adopt("d", "gateway-1"), desk.admit("d", 5, 1)), (Adoption::Adopted, Answer::Done(Ok(usd(1)))));
    // Leases that were prolonged by what was lost are not expired before that is known.
    desk.wait(60);
    assert_eq!((desk.sweep("e", "gateway-1"), desk.figures()), (Answer::Failover, (Some(93), 16, 7)));
    assert_eq!((desk.sweep("d", "gateway-1"), desk.figures()), (Answer::Done(false), (Some(77), 0, 23)));
    // However long nobody could be heard: those that worked when it began are waited for.
    desk.sweep("d", "gateway-2");
    desk.wait(3_600);
    assert_eq!(desk.sweep("f", "gateway-1"), Answer::Failover);
    assert_eq!((desk.adopt("f", "gateway-1"), desk.adopt("f", "gateway-2")), (Adoption::Waiting(QUARANTINE), Adoption::Adopted));
    desk.sweep("f", "gateway-1");
    desk.wait(11);
    desk.sweep("f", "gateway-1");
    assert_eq!(desk.adopt("g", "gateway-1"), Adoption::Adopted, "the second has been silent for eleven seconds of work");
    // Silent for a day: forgotten.
    desk.wait(86_401);
    desk.sweep("g", "gateway-1");
    assert_eq!(desk.ask::<Vec<String>>("ZRANGE", "gateways", &["0", "-1"]), ["gateway-1", ""]);
    desk.end();
}

#[test]
fn trimming_leaves_sums_and_one_entry() {
    let mut desk = Desk::new(Some(1_000));
    for hold in 1..=20 {
        desk.hold(hold, 10);
        desk.settle(hold, 9);
        desk.wait(1);
    }
    let trim = |desk: &Desk, seconds: u64, most: usize| {
        let cutoff = desk.now - Duration::from_secs(seconds);
        desk.run(async |operations| done(operations.trim(ACCOUNT, cutoff, most).await))
    };
    assert_eq!(trim(&desk, 3_600, 100), (1, false), "the entry that began it");
    assert_eq!(trim(&desk, 10, 4), (4, true));
    desk.shared.check().unwrap();
    assert_eq!(trim(&desk, 10, 100), (7, false), "the grant and ten charges are older than ten seconds");
    assert_eq!(trim(&desk, 0, 100), (9, false));
    assert_eq!(trim(&desk, 0, 100), (0, false));
    assert_eq!((desk.ask::<u64>("LLEN", "journal", &[]), desk.ask::<String>("HGET", "account", &["trimmed"])), (1, "21".to_owned()));
    assert_eq!(desk.ask::<String>("HGET", "checkpoints", &["1"]), "829 171");
    desk.end();
}

#[test]
fn out_of_memory_admits_nothing_and_stops_no_ending() {
    let server = Server::start("");
    let desk = Desk::on(&server, Some(100));
    for hold in 1..=4 {
        desk.hold(hold, 10);
    }
    let limit = |bytes: &str| {
        let set = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).to_owned();
        desk.run(async |operations| set.exec_async(&mut operations.runner().connection()).await.unwrap());
    };
    limit("1000");
    let stored: String = desk.ask("HGET", "account", &["seq"]);
    let refused = |error: CallError| assert!(matches!(&error, CallError::Refused(text) if text.contains("OOM")), "{error:?}");
    desk.run(async |operations| {
        refused(operations.admit(ACCOUNT, IDENTITY, &admission(5, 10)).await.unwrap_err());
        refused(operations.set_credits(ACCOUNT, IDENTITY, Some(usd(7))).await.unwrap_err());
        let new = NewToken { name: "b".into(), kind: TokenKind::Api, balance: None, active_balance: false, expire_time: None, reset: None };
        refused(operations.create_token(ACCOUNT, IDENTITY, &new, &SecretHash::of("b"), "b").await.unwrap_err());
    });
    assert_eq!((desk.figures(), desk.ask::<String>("HGET", "account", &["seq"])), ((Some(100), 40, 0), stored));
    assert_eq!(desk.settle(1, 7), Answer::Done(Settled { charged: true, overrun: usd(0), balance: Some(usd(93)) }));
    desk.run(async |operations| {
        done(operations.charge_hold(ACCOUNT, hold_id(2)).await);
        done(operations.void(ACCOUNT, hold_id(3), LEASE).await);
        done(operations.void(ACCOUNT, hold_id(9), LEASE).await);
        done(operations.renew(ACCOUNT, &[Renewal { hold: hold_id(4), lease: LEASE, raise_to: usd(15) }]).await);
        done(operations.sweep(ACCOUNT, IDENTITY, GATEWAY, 10).await);
        done(operations.trim(ACCOUNT, desk.now, 10).await);
    });
    assert_eq!((desk.restore(6, 1), desk.figures()), (Answer::Done(Restored::PutBack), (Some(83), 16, 17)));
    limit("0");
    desk.hold(5, 10);
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
    let odd = ChargeLabel { provider: "open \"ai\"\n".into(), model: "gpt/4 – ü".into(), feature: "text__chat".into() };
    for hold in 1..=3 {
        desk.hold(hold, 10);
        let settled = Settlement { label: odd.clone(), price_version: "v \"1\"".into(), ..settlement(hold, 4) };
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
    let settled = Settlement { label: odd.clone(), certainty: Certainty::Estimated, usage: Usage::default().with(Unit::Pages, 2), ..settlement(4, 6) };
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

#[test]
fn accounts_get_ids_in_order_and_keys_of_their_own() {
    let server = Server::start("");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let operations = Operations::new(Single::new(server.connect().await, Fault::None), TimeZone::UTC);
        let id = async |name: &str, known: Option<u32>| done(operations.allocate_account(name, known).await);
        assert_eq!((id("a", None).await, id("b", None).await, id("a", None).await, id("b", Some(9)).await), (0, 1, 0, 1));
        // One that the hash has lost keeps its id, and nobody else gets it.
        assert_eq!((id("old", Some(5)).await, id("c", None).await), (5, 6));
        let odd = "Tenant {1}: ü/%";
        assert_eq!(operations.credits(odd).await.unwrap().0, Answer::NoAccount);
        assert_eq!(operations.admit(odd, IDENTITY, &admission(1, 1)).await.unwrap().0, Answer::NoAccount);
        let key = SecretHash::of("main");
        let made = done(operations.ensure_account(odd, 6, Some(key)).await);
        assert_eq!((made.created, made.has_main_key, made.id, made.main_key_before), (true, true, 6, None));
        let again = done(operations.ensure_account(odd, 7, Some(SecretHash::of("other"))).await);
        assert_eq!((again.created, again.has_main_key, again.id, again.main_key_before), (false, true, 6, Some(key)));
        assert_eq!(operations.set_credits(odd, IDENTITY, None).await.unwrap().0, Answer::Failover, "nobody has vouched for the server yet");
        assert_eq!(done(operations.adopt(odd, IDENTITY, GATEWAY, QUARANTINE).await), Adoption::Adopted, "the first has nobody to wait for");
    });
    assert_eq!(keys::of_account("Tenant {1}: ü/%")[5], "sg:{Tenant%20%7B1%7D%3A%20%C3%BC%2F%25}:holds");
    assert_eq!(keys::secret(&SecretHash([0xab; 32])), format!("sg:secret:{}", "ab".repeat(32)));
}

#[test]
fn a_secret_leads_to_its_token_until_it_ends() {
    let mut desk = Desk::new(Some(100));
    let facts = |desk: &Desk, text: &str| {
        let secret = Secret::presented(text.into()).hash();
        desk.run(async |operations| done(operations.facts_by_secret(ACCOUNT, &secret).await)).map(|facts| facts.token.id)
    };
    let new = Secret::presented("sg_live_y".into()).hash();
    desk.run(async |operations| done(operations.rotate_token(ACCOUNT, IDENTITY, "a", (&new, "y"), LEASE).await)).unwrap();
    assert_eq!((facts(&desk, "sg_live_x"), facts(&desk, "sg_live_y"), facts(&desk, "sg_live_z")), (Some(TOKEN), Some(TOKEN), None));
    // Another rotation prolongs nothing.
    desk.wait(30);
    let newer = Secret::presented("sg_live_w".into()).hash();
    desk.run(async |operations| done(operations.rotate_token(ACCOUNT, IDENTITY, "a", (&newer, "w"), 2 * LEASE).await)).unwrap();
    desk.wait(30);
    assert_eq!((facts(&desk, "sg_live_x"), facts(&desk, "sg_live_y"), facts(&desk, "sg_live_w")), (None, Some(TOKEN), Some(TOKEN)));
    let by_id = desk.run(async |operations| done(operations.facts_by_token(ACCOUNT, TOKEN).await)).unwrap();
    assert_eq!((by_id.token.name.as_str(), by_id.secrets.len()), ("a", 3));
    desk.end();
}

#[test]
fn foreign_data_is_an_error_of_the_script() {
    let desk = Desk::new(Some(100));
    desk.run(async |operations| {
        let runner = operations.runner();
        redis::cmd("SET").arg(runner.key(ACCOUNT, "holds")).arg("x").exec_async(&mut runner.connection()).await.unwrap();
        assert!(matches!(operations.settle(ACCOUNT, &settlement(1, 1)).await, Err(CallError::Script(_))));
        assert!(matches!(operations.admit(ACCOUNT, IDENTITY, &admission(1, 1)).await, Err(CallError::Script(_))));
    });
    desk.shared.remove();
}

#[test]
fn a_day_holds_all_of_its_moments_and_the_next_begins_where_it_ends() {
    // Midnights that the clocks skip or meet twice, a day that was left out.
    for zone in ["UTC", "Europe/Berlin", "Africa/Cairo", "America/Havana", "America/Asuncion", "Pacific/Apia", "Asia/Kathmandu"] {
        let zone = TimeZone::get(zone).unwrap();
        for start in ["2011-12-20T00:00:00Z", "2026-03-20T00:00:00Z", "2026-10-01T00:00:00Z"] {
            let mut now: Timestamp = start.parse().unwrap();
            for _ in 0..60 {
                let bounds = Bounds::of(now, &zone);
                let [day, from, to, week, month] = bounds.arguments.clone();
                let millis = |text: &str| text.parse::<i64>().unwrap();
                let (from, to) = (millis(&from), millis(&to));
                assert!(from <= now.as_millisecond() && now.as_millisecond() < to && millis(&week) >= to && millis(&month) >= to);
                assert_eq!(day, zone.to_datetime(now).date().to_string());
                for moment in [from, to - 1] {
                    assert_eq!(Bounds::of(Timestamp::from_millisecond(moment).unwrap(), &zone), bounds);
                }
                now = Timestamp::from_millisecond(to).unwrap();
            }
        }
    }
}
