//! What the random sequences do not reach of servers and of what is kept beside holds, a case each: failover, trimming, a server that is out of memory, foreign
//! data, accounts, secrets, days.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use super::cases::{Desk, LEASE, QUARANTINE, TOKEN, admission, settlement};
use super::runner::{Fault, Single};
use super::server::Server;
use super::subject::{GATEWAY, IDENTITY, done};
use crate::ledger::redis::calendar::Bounds;
use crate::ledger::redis::keys;
use crate::ledger::redis::operations::{Adoption, Answer, Operations, Restored};
use crate::ledger::redis::script::CallError;
use crate::ledger::rules::tests::script::{ACCOUNT, hold_id, usd};
use crate::ledger::{Renewal, Settled};
use crate::tokens::{NewToken, Secret, SecretHash, TokenKind};

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
    assert_eq!((by_id.token.name.as_ref(), by_id.secrets.len()), ("a", 3));
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
