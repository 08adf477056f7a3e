//! The backlog's pauses and its number at a time.

use jiff::Timestamp;
use tokio::time::Instant;

use super::super::backlog::{Backlog, Next, Ticket};
use super::millis;
use crate::ledger::outbox::tests::hold;

fn filled(count: u64, now: Instant) -> Backlog<u64> {
    let mut backlog = Backlog::new(64, millis(20), millis(1000));
    for number in (0..count).rev() {
        backlog.put_failed(number, Timestamp::from_millisecond(i64::try_from(number).unwrap()).unwrap(), hold(number), now);
    }
    backlog
}

fn take(backlog: &mut Backlog<u64>, now: Instant) -> Option<(u64, Ticket)> {
    match backlog.take(now) {
        Next::Try(taken) => Some(taken.split()),
        Next::Wait(_) | Next::Nothing => None,
    }
}

#[tokio::test]
async fn more_at_a_time_with_each_success_never_more_than_allowed() {
    let now = Instant::now();
    let mut backlog = filled(1000, now);
    assert!(matches!(backlog.take(now), Next::Wait(until) if until >= now + millis(10)), "each had a failure just now");
    let (now, mut next, mut widths) = (now + millis(20), 0, Vec::new());
    loop {
        let mut taken = 0;
        while let Some((number, _)) = take(&mut backlog, now) {
            assert_eq!(number, next, "the oldest first");
            next += 1;
            taken += 1;
        }
        if taken == 0 {
            break;
        }
        widths.push(taken);
        (0..taken).for_each(|_| backlog.succeeded());
    }
    assert_eq!(next, 1000);
    assert_eq!(widths[..8], [1, 2, 8, 64, 64, 64, 64, 64]);
}

#[tokio::test]
async fn pauses_grow_while_the_store_is_down_and_end_when_it_is_back() {
    let mut now = Instant::now() + millis(20);
    let mut backlog = filled(300, now - millis(20));
    let mut pauses = Vec::new();
    let mut tried = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let (number, ticket) = take(&mut backlog, now).unwrap();
        assert!(matches!(backlog.take(now), Next::Nothing), "one at a time");
        tried.insert(number);
        backlog.put_back(ticket, number, now);
        let Next::Wait(until) = backlog.take(now) else { panic!("no pause") };
        pauses.push((until - now).as_millis());
        now = until;
    }
    assert!(tried.len() >= 22 && (0..20).all(|number| tried.contains(&number)), "the least tried and the youngest in turn: {tried:?}");
    assert!(pauses[0] >= 10 && pauses[0] <= 20 && pauses[6..].iter().all(|pause| (500..=1000).contains(pause)), "{pauses:?}");
    take(&mut backlog, now).unwrap();
    backlog.succeeded();
    // No pause of any counts any more.
    assert_eq!((take(&mut backlog, now).unwrap().0, take(&mut backlog, now).unwrap().0), (0, 1));
    assert_eq!(backlog.drain().len(), 297);
    assert!(matches!(backlog.take(now), Next::Nothing));
}

#[tokio::test]
async fn what_fails_alone_waits_alone() {
    let mut now = Instant::now() + millis(20);
    let mut backlog = filled(100, now - millis(20));
    for _ in 0..60 {
        let (number, ticket) = take(&mut backlog, now).unwrap();
        if number == 0 {
            backlog.put_back(ticket, number, now);
            now += millis(20);
        } else {
            backlog.succeeded();
        }
    }
    assert!(backlog.drain().len() < 60);
}
