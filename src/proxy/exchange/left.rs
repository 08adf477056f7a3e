//! A client that went away: what the provider still says is read on for, until the usage is known. See [`OnDisconnect`].

use crate::config::OnDisconnect;
use crate::proxy::record;
use crate::proxy::settle::Ending;

use super::{Exchange, Inner, Stage, Then};

impl Drop for Exchange {
    fn drop(&mut self) {
        let Some(mut inner) = self.0.take() else { return };
        if matches!(inner.stage, Stage::Ended | Stage::Broken(_) | Stage::Tail(_)) && inner.bill.is_none() {
            return;
        }
        inner.record.outcome(record::CUT);
        inner.keep_alive = None;
        if inner.bill.is_some() && inner.route.on_disconnect == OnDisconnect::Cancel {
            // Before the head nobody knows what the provider has done already.
            let ending = if matches!(inner.stage, Stage::AwaitingHead(_)) { Ending::Uncertain } else { Ending::Cut };
            inner.stage = inner.conclude(ending, Then::End);
        }
        // Outside a runtime the grant's own end takes care of the money.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(inner.drain());
        }
    }
}

impl Inner {
    /// Reads on for a client that went away.
    async fn drain(mut self: Box<Self>) {
        if matches!(self.stage, Stage::AwaitingHead(_))
            && let Ok(head) = std::future::poll_fn(|context| self.poll_head(context)).await
        {
            self.begin_metering(&head);
            self.record.status(head.status.as_u16());
        }
        loop {
            match std::future::poll_fn(|context| self.poll_pass(context)).await {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            }
        }
    }
}
