//! Random lives of a deliverer: a store that does whatever it likes for a while, processes that end in the middle, and a store that works in the end.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
struct Life {
    /// When each ending is handed over, and what the store does with the tries of this life: after so many milliseconds, which of the acts.
    endings: Vec<(u64, Vec<(u64, u8)>)>,
    lasts: u64,
    fsync: bool,
}

fn life() -> impl Strategy<Value = Life> {
    let tries = prop::collection::vec((prop_oneof![Just(0_u64), 0..12_u64, 0..8_000_u64], 0..5_u8), 0..5);
    let endings = prop::collection::vec((0..3_000_u64, tries), 1..40);
    (endings, 0..6_000_u64, any::<bool>()).prop_map(|(endings, lasts, fsync)| Life { endings, lasts, fsync })
}

/// Lives it, and returns the numbers whose clients were told that all is well.
async fn live(life: &Life, folder: &Path, first: u64, taken: &mut Vec<u64>) -> Vec<u64> {
    let (outbox, recovered) = open(folder, life.fsync);
    assert_eq!(outbox.damaged(), 0);
    let acts = life.endings.clone();
    let store = Store::new(move |number, before| {
        let script = number.checked_sub(first).and_then(|own| acts.get(usize::try_from(own).unwrap())).and_then(|(_, tries)| tries.get(before));
        let (after, act) = script.copied().unwrap_or((1, 0));
        (millis(after), [Act::Take, Act::Later, Act::TakeAndFail, Act::Panic, Act::Later][usize::from(act)])
    });
    let deliverer = Arc::new(start(&store, &outbox, recovered));
    let mut clients = Vec::new();
    for (number, (at, _)) in (first..).zip(life.endings.clone()) {
        let (deliverer, outbox, lasts, fsync) = (Arc::clone(&deliverer), outbox.clone(), life.lasts, life.fsync);
        clients.push(tokio::spawn(async move {
            if at >= lasts {
                return None;
            }
            tokio::time::sleep(millis(at)).await;
            let (answer, took) = timed(hand_over(&deliverer, &outbox, number)).await;
            // Writing takes real time where it waits for the disk, which paused time may count as much.
            assert!(took <= millis(if fsync { 8_000 } else { 7 }), "{took:?}");
            answer.unwrap();
            Some(number)
        }));
    }
    let mut told = Vec::new();
    tokio::time::sleep(millis(life.lasts)).await;
    deliverer.close(Duration::ZERO).await;
    for client in clients {
        told.extend(client.await.unwrap());
    }
    assert_eq!((deliverer.pending(), outbox.reserved()), (0, 0));
    taken.extend(store.taken());
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_a_client_was_told_reaches_the_store(lives in prop::collection::vec(life(), 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (mut told, mut taken, mut first) = (Vec::new(), Vec::new(), 0);
            for life in &lives {
                told.extend(live(life, folder.path(), first, &mut taken).await);
                first += u64::try_from(life.endings.len()).unwrap();
            }
            let (outbox, recovered) = open(folder.path(), false);
            let store = Store::new(|_, _| (millis(1), Act::Take));
            let deliverer = start(&store, &outbox, recovered);
            deliverer.idle().await;
            taken.extend(store.taken());
            assert!(told.iter().all(|number| taken.contains(number)), "told {told:?}, taken {taken:?}");
            assert!(taken.iter().all(|number| *number < first), "none invented");
            assert_eq!((outbox.len(), outbox.reserved()), (0, 0));
        });
    }
}
