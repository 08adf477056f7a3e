//! The hold of a job, as the scripts keep it.

use std::sync::Arc;

use super::cases::{Desk, LEASE, settlement};
use super::subject::{GATEWAY, IDENTITY, done};
use crate::ledger::redis::operations::{Answer, Restored};
use crate::ledger::rules::tests::script::{ACCOUNT, hold_id, usd};
use crate::ledger::{Settled, Settlement};

#[test]
fn the_hold_of_a_job_lives_on_under_its_own_id_and_is_settled_once() {
    let mut desk = Desk::new(Some(1_000));
    let keep = |desk: &Desk, hold, kept| desk.run(async |operations| done(operations.keep(ACCOUNT, hold_id(hold), hold_id(kept), LEASE * 10).await));
    let unnamed = |desk: &Desk, hold, cost| {
        let settlement = Settlement { label: Arc::default(), ..settlement(hold, cost) };
        desk.run(async |operations| done(operations.settle(ACCOUNT, &settlement).await))
    };
    for hold in [1, 2, 3] {
        desk.hold(hold, 100);
    }
    assert_eq!((keep(&desk, 1, 101), keep(&desk, 2, 102), keep(&desk, 1, 101)), Default::default());
    assert_eq!(keep(&desk, 3, 101), Settled { charged: true, overrun: usd(0), balance: Some(usd(900)) }, "that job is known already");
    // A failover puts back neither what was settled nor what lives on.
    assert_eq!(desk.restore(1, 100), Answer::Done(Restored::NotLost));
    desk.wait(120);
    assert_eq!((desk.sweep(IDENTITY, GATEWAY), desk.figures()), (Answer::Done(false), (Some(900), 200, 100)), "they outlive their requests");
    assert_eq!(unnamed(&desk, 101, 30), Settled { charged: true, overrun: usd(0), balance: Some(usd(870)) });
    assert!(!unnamed(&desk, 101, 30).charged && !unnamed(&desk, 1, 30).charged);
    desk.wait(600);
    desk.sweep(IDENTITY, GATEWAY);
    assert_eq!(desk.figures(), (Some(770), 0, 230));
    assert_eq!(unnamed(&desk, 102, 5).balance, Some(usd(865)));
    let journal: Vec<String> = desk.ask("LRANGE", "journal", &["-3", "-1"]);
    assert!(journal.iter().all(|line| line.contains("\"admitted\"")), "{journal:?}");
    desk.end();
}
