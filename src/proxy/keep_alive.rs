//! Keep-alives: while a provider is silent in the middle of a stream, the client gets what its API says in silence, so that neither it nor a proxy before it gives
//! up. Only between whole events, and never instead of one: the provider's own bytes stay what they are.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// What is said, how often, and since when the client has heard nothing.
pub(super) struct KeepAlive {
    says: &'static str,
    every: Duration,
    since: Instant,
}

// === impl KeepAlive ===

impl KeepAlive {
    /// The head has gone to the client now.
    pub(super) fn new(says: &'static str, every: Duration) -> Self {
        Self { says, every, since: Instant::now() }
    }

    /// The client hears something now.
    pub(super) fn heard(&mut self) {
        self.since = Instant::now();
    }

    /// When to speak, if nothing comes before.
    pub(super) fn due(&self) -> Instant {
        self.since + self.every
    }

    /// What to say now.
    pub(super) fn speak(&mut self) -> Bytes {
        self.heard();
        Bytes::from_static(self.says.as_bytes())
    }
}
