//! Turns of the runtime: tells a connection that is polled anew from one that polls its response again within the same poll.
//!
//! hyper asks a response for more, and once more before it gives way. Whoever wants to let other tasks go first cannot tell by being asked again.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};

/// A poll of some connection, unlike every other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    thread: u64,
    count: u64,
}

static THREADS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static LAST: Cell<Turn> = Cell::new(Turn { thread: THREADS.fetch_add(1, Ordering::Relaxed), count: 0 });
    static CURRENT: Cell<Option<Turn>> = const { Cell::new(None) };
}

// === impl Turn ===

impl Turn {
    /// The one that this is called in; none outside of [`taking_turns`].
    pub(super) fn current() -> Option<Self> {
        CURRENT.get()
    }

    fn next() -> Self {
        let Turn { thread, count } = LAST.get();
        let next = Turn { thread, count: count.wrapping_add(1) };
        LAST.set(next);
        next
    }
}

/// The same future, each poll of which is a turn.
pub(super) async fn taking_turns<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        CURRENT.set(Some(Turn::next()));
        let polled = future.as_mut().poll(context);
        CURRENT.set(None);
        polled
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn a_poll_is_one_turn_and_the_next_another() {
        assert_eq!(Turn::current(), None);
        let mut seen = Vec::new();
        taking_turns(std::future::poll_fn(|context| {
            seen.push((Turn::current(), Turn::current()));
            context.waker().wake_by_ref();
            if seen.len() < 3 { Poll::Pending } else { Poll::Ready(()) }
        }))
        .await;
        assert_eq!(Turn::current(), None);
        assert!(seen.iter().all(|(first, again)| first.is_some() && first == again), "{seen:?}");
        assert!(seen.windows(2).all(|turns| turns[0].0 != turns[1].0), "{seen:?}");
    }
}
