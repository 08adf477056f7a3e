//! A provider that says nothing: the client is told that its stream lives, until it was too long.

use std::future::Future;
use std::task::{Context, Poll, ready};

use tokio::time::Instant;

use super::Inner;

/// How the provider's silence ended.
#[derive(PartialEq)]
pub(super) enum Silence {
    /// The client was told something meanwhile.
    Broken,
    /// It was too long.
    TooLong,
}

impl Inner {
    /// Pending until the provider has been silent for too long, or the whole request took too long; or for so long that the client is told something.
    pub(super) fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<Silence> {
        loop {
            let too_long = self.deadline.min(self.last + self.route.upstream.idle_timeout);
            let between_events = self.meter.as_ref().is_some_and(|meter| meter.between_events());
            let keep_alive = self.keep_alive.as_mut().filter(|_| between_events);
            let due = keep_alive.as_ref().map_or(too_long, |keep_alive| keep_alive.due().min(too_long));
            // A timer that is too early is set anew when it rings, not at each chunk.
            if self.timer.deadline() > due || self.timer.is_elapsed() {
                self.timer.as_mut().reset(due);
            }
            ready!(self.timer.as_mut().poll(context));
            if due <= Instant::now() {
                return Poll::Ready(match keep_alive {
                    Some(keep_alive) if due < too_long => {
                        self.passing.push_back(keep_alive.speak());
                        Silence::Broken
                    }
                    _ => Silence::TooLong,
                });
            }
        }
    }
}
