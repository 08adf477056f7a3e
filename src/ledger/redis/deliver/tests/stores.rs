//! Stores that are quick, slow, dead for minutes, late, wrong, or at fault themselves.

use super::*;

/// Beyond the patience: the timer counts in whole milliseconds.
const DURABLE: Duration = Duration::from_millis(7);

#[tokio::test(start_paused = true)]
async fn a_quick_store_answers_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, recovered) = open(folder.path(), false);
    let before = std::fs::read(folder.path().join("outbox")).unwrap();
    let store = Store::new(|_, _| (millis(1), Act::Take));
    let deliverer = start(&store, &outbox, recovered);
    let answers: Vec<_> = (0..100).map(|number| hand_over(&deliverer, &outbox, number)).collect();
    assert_eq!((deliverer.pending(), outbox.reserved()), (100, 100));
    for answer in answers {
        assert_eq!(answer.await.unwrap().unwrap(), from_store());
    }
    deliverer.idle().await;
    assert_eq!((deliverer.pending(), outbox.len(), outbox.reserved(), store.calls()), (0, 0, 0, 100));
    assert!(std::fs::read(folder.path().join("outbox")).unwrap() == before, "no slot was written");
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_keeps_nobody_waiting_and_is_asked_once() {
    for fsync in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (outbox, recovered) = open(folder.path(), fsync);
        let store = Store::new(|_, _| (millis(400), Act::Take));
        let deliverer = start(&store, &outbox, recovered);
        // A settlement of 6 on a hold of 4, on the token's budget.
        let (answer, took) = timed(hand_over(&deliverer, &outbox, 2)).await;
        assert_eq!(answer.unwrap(), Settled { charged: true, overrun: Usd::from_nanos(2).unwrap(), balance: None });
        assert!(took <= DURABLE, "{took:?}");
        assert_eq!((deliverer.pending(), outbox.len(), outbox.reserved()), (1, 1, 0));
        // A settlement that stands on no budget, a void, and what is held.
        assert_eq!(hand_over(&deliverer, &outbox, 3).await.unwrap().unwrap(), Settled { charged: true, ..Settled::default() });
        assert_eq!(hand_over(&deliverer, &outbox, 1).await.unwrap().unwrap(), Settled::default());
        assert_eq!(hand_over(&deliverer, &outbox, 4).await.unwrap().unwrap(), Settled { charged: true, ..Settled::default() });
        deliverer.idle().await;
        assert_eq!((outbox.len(), outbox.reserved(), store.calls()), (0, 0, 4));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_dead_for_minutes_gets_everything_in_order_of_age_and_is_not_flooded() {
    // Refusing at once, or silent until the attempt's own time limit.
    for silent in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (outbox, recovered) = open(folder.path(), false);
        let back = Instant::now() + Duration::from_secs(300);
        let store = Store::new(move |_, _| match (Instant::now() < back, silent) {
            (true, false) => (Duration::ZERO, Act::Later),
            (true, true) => (Duration::from_secs(3600), Act::Later),
            (false, _) => (millis(2), Act::Take),
        });
        let deliverer = start(&store, &outbox, recovered);
        for number in (0..1000).rev() {
            let (answer, took) = timed(hand_over(&deliverer, &outbox, number)).await;
            assert!(answer.is_ok() && took <= DURABLE, "{took:?}");
        }
        assert_eq!((deliverer.pending(), outbox.len(), outbox.reserved()), (1000, 1000, 0));
        store.0.seen.lock().unwrap().most = 0;
        tokio::time::sleep_until(back - millis(1)).await;
        assert!(store.taken().is_empty());
        let calls = store.calls();
        assert!((1040..4000).contains(&calls), "a dead store is asked now and then: {calls}");
        deliverer.idle().await;
        let seen = store.taken();
        assert_eq!(seen.len(), 1000);
        let most = store.0.seen.lock().unwrap().most;
        assert!(most <= if silent { 1000 } else { 64 }, "{most} at a time");
        // The one that found it alive may be any; the others follow by age, as far as 64 at a time can be in order.
        let out_of_order = seen.iter().skip(1).enumerate().filter(|(place, number)| u64::try_from(*place).unwrap().abs_diff(**number) > 64).count();
        assert_eq!(out_of_order, 0, "{seen:?}");
        let took = Instant::now() - back;
        assert!(took < Duration::from_secs(8), "{took:?} until all was delivered");
        assert_eq!((deliverer.pending(), outbox.len(), outbox.reserved()), (0, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_of_the_store_that_stays_dead_keeps_no_other_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, recovered) = open(folder.path(), false);
    let store = Store::new(|number, before| (Duration::ZERO, if number < 500 || before == 0 { Act::Later } else { Act::Take }));
    let deliverer = start(&store, &outbox, recovered);
    drop((0..500).map(|number| hand_over(&deliverer, &outbox, number)).collect::<Vec<_>>());
    tokio::time::sleep(Duration::from_secs(60)).await;
    drop((500..600).map(|number| hand_over(&deliverer, &outbox, number)).collect::<Vec<_>>());
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(store.taken().len(), 100);
    assert_eq!((deliverer.pending(), outbox.len()), (500, 500));
    deliverer.close(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn answers_that_were_lost_and_panics_are_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, recovered) = open(folder.path(), false);
    let acts = [Act::TakeAndFail, Act::Panic, Act::Later, Act::TakeAndFail, Act::Take];
    let store = Store::new(move |number, before| (millis(number % 9), acts[(before + usize::try_from(number).unwrap()).min(4)]));
    let deliverer = start(&store, &outbox, recovered);
    let answers: Vec<_> = (0..5).map(|number| hand_over(&deliverer, &outbox, number)).collect();
    for answer in answers {
        assert!(answer.await.unwrap().is_ok());
    }
    deliverer.idle().await;
    assert_eq!((store.taken().len(), outbox.len(), outbox.reserved()), (5, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_taken_is_kept_aside_and_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, recovered) = open(folder.path(), false);
    // At once, or after it was written and acknowledged.
    let store = Store::new(|number, _| (millis(number * 20), Act::Never));
    let deliverer = start(&store, &outbox, recovered);
    let Err(LedgerError::Unavailable(message)) = hand_over(&deliverer, &outbox, 0).await.unwrap() else { panic!("taken") };
    assert!(message.contains("out of range"), "{message}");
    assert!(hand_over(&deliverer, &outbox, 2).await.unwrap().is_ok(), "durable here");
    deliverer.idle().await;
    assert_eq!((outbox.len(), outbox.reserved(), store.calls()), (0, 0, 2));
    assert_eq!(std::fs::read_to_string(folder.path().join("outbox.failed")).unwrap().lines().count(), 2);
    // Where even that cannot be written it stays in its slot, to be found at the next start.
    std::fs::remove_file(folder.path().join("outbox.failed")).unwrap();
    std::fs::create_dir(folder.path().join("outbox.failed")).unwrap();
    let _ = hand_over(&deliverer, &outbox, 0).await.unwrap();
    deliverer.idle().await;
    assert_eq!((outbox.len(), outbox.reserved()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn closing_writes_what_is_pending_and_the_next_start_delivers_it() {
    for fsync in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        {
            let (outbox, recovered) = open(folder.path(), fsync);
            let store = Store::new(|number, _| if number < 10 { (Duration::ZERO, Act::Later) } else { (Duration::from_secs(4), Act::Take) });
            let deliverer = start(&store, &outbox, recovered);
            let early: Vec<_> = (0..20).map(|number| hand_over(&deliverer, &outbox, number)).collect();
            tokio::time::sleep(millis(100)).await;
            // Not written by anything but the close.
            let late: Vec<_> = (20..40).map(|number| hand_over(&deliverer, &outbox, number)).collect();
            deliverer.close(millis(1)).await;
            assert_eq!((deliverer.pending(), outbox.len(), outbox.reserved()), (0, 40, 0));
            // After the end too.
            let after = hand_over(&deliverer, &outbox, 40);
            for answer in early.into_iter().chain(late).chain([after]) {
                assert!(answer.await.unwrap().is_ok());
            }
        }
        let (outbox, recovered) = open(folder.path(), fsync);
        assert_eq!((recovered.len(), outbox.damaged()), (41, 0));
        let store = Store::new(|_, _| (millis(1), Act::Take));
        let deliverer = start(&store, &outbox, recovered);
        deliverer.idle().await;
        assert_eq!(store.taken(), (0..41).collect::<Vec<_>>(), "the oldest first");
        assert_eq!((outbox.len(), outbox.reserved()), (0, 0));
    }
}

#[test]
fn a_runtime_that_ends_leaves_everything_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let answers = runtime.block_on(async {
        let (outbox, recovered) = open(folder.path(), false);
        let store = Store::new(|_, _| (Duration::from_secs(1), Act::Take));
        let deliverer = start(&store, &outbox, recovered);
        let answers: Vec<_> = (0..30).map(|number| hand_over(&deliverer, &outbox, number)).collect();
        tokio::time::sleep(millis(2)).await;
        answers
    });
    drop(runtime);
    for mut answer in answers {
        assert!(answer.try_recv().unwrap().is_ok());
    }
    assert_eq!(open(folder.path(), false).1.len(), 30);
}
