//! One call of the store. It always ends, and a panic in it is one more reason to try again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::{Deliver, DeliverError, Outcome};
use crate::ledger::outbox::Record;

/// Delivers once.
pub(super) async fn attempt<D: Deliver>(store: &D, record: &Arc<Record>) -> Outcome {
    let mut call = pin!(store.deliver(record));
    // A call that panicked is not polled again: it is dropped with this.
    std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Err(DeliverError::Later("the call of the store panicked".to_owned()))))
    })
    .await
}

/// Waits for an attempt no longer than `limit`.
pub(super) async fn within(limit: Duration, attempt: impl Future<Output = Outcome>) -> Outcome {
    tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| Err(DeliverError::Later(format!("no answer within {limit:?}"))))
}
