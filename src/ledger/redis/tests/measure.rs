//! What the scripts cost the server, printed: `cargo test --lib measure -- --ignored --nocapture`. Nothing is demanded.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::runner::{Fault, Single};
use super::server::Server;
use super::subject::{GATEWAY, IDENTITY, done};
use crate::ledger::redis::operations::Operations;
use crate::ledger::rules::tests::script::{ACCOUNT, hold_id, label, usd};
use crate::ledger::{AdmitRequest, Certainty, Renewal, Settlement};
use crate::prices::{Unit, Usage};
use crate::tokens::{NewToken, Secret, TokenKind};

const ROUND: usize = 2_000;
const LEASE: Duration = Duration::from_secs(600);

/// Microseconds a call, since the figures were last set back.
async fn cost(runner: &Single) -> String {
    let mut connection = runner.connection();
    let info: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await.unwrap();
    redis::cmd("CONFIG").arg("RESETSTAT").exec_async(&mut connection).await.unwrap();
    let line = info.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap_or_default().to_owned();
    line.split(',').find_map(|part| part.strip_prefix("usec_per_call=")).unwrap_or("?").to_owned()
}

#[tokio::test]
#[ignore = "only prints"]
async fn what_the_scripts_cost() {
    let server = Server::start("");
    let operations = Operations::new(Single::new(server.connect().await, Fault::None), TimeZone::UTC);
    done(operations.ensure_account(ACCOUNT, 0, None).await);
    done(operations.adopt(ACCOUNT, IDENTITY, GATEWAY, LEASE).await);
    done(operations.set_credits(ACCOUNT, IDENTITY, Some(usd(1 << 50))).await);
    let secret = Secret::presented("sg_live_measure".into());
    let new = NewToken { name: "measure".into(), kind: TokenKind::Api, balance: Some(usd(1 << 50)), active_balance: true, expire_time: None, reset: None };
    let token = done(operations.create_token(ACCOUNT, IDENTITY, &new, &secret.hash(), "sg_live_...").await).unwrap().id;
    let (mut next, mut live) = (0, 0);
    for wanted in [1, 100, 10_000] {
        let admit = |hold: usize| AdmitRequest {
            hold: hold_id(hold),
            token,
            secret: secret.hash(),
            want: usd(1_000_000),
            least: usd(1_000),
            lease: LEASE,
            label: label("text__chat"),
        };
        while live < wanted {
            (live, next) = (live + 1, next + 1);
            done(operations.admit(ACCOUNT, IDENTITY, &admit(next)).await);
        }
        let first = next + 1;
        cost(operations.runner()).await;
        for hold in first..first + ROUND {
            done(operations.admit(ACCOUNT, IDENTITY, &admit(hold)).await);
        }
        let admitted = cost(operations.runner()).await;
        let renewals: Vec<Renewal> = (first..first + 100).map(|hold| Renewal { hold: hold_id(hold), lease: LEASE, raise: usd(0) }).collect();
        for _ in 0..20 {
            done(operations.renew(ACCOUNT, &renewals).await);
        }
        let renewed = cost(operations.runner()).await;
        for hold in first..first + ROUND {
            let settlement = Settlement {
                hold: hold_id(hold),
                cost: usd(1_234),
                certainty: Certainty::Exact,
                usage: Usage::default().with(Unit::Input, 120).with(Unit::CacheRead, 12).with(Unit::Output, 345),
                label: label("text__chat"),
                price_version: "2026-01-01".into(),
            };
            done(operations.settle(ACCOUNT, &settlement).await);
        }
        let settled = cost(operations.runner()).await;
        for _ in 0..500 {
            done(operations.sweep(ACCOUNT, IDENTITY, GATEWAY, 100).await);
        }
        let swept = cost(operations.runner()).await;
        for _ in 0..500 {
            done(operations.facts_by_secret(ACCOUNT, &secret.hash()).await).unwrap();
        }
        let facts = cost(operations.runner()).await;
        next += ROUND;
        eprintln!("{wanted} live holds: admit {admitted} us, settle {settled} us, renew of 100 {renewed} us, empty sweep {swept} us, facts {facts} us");
    }
}
