//! What passes of a stream whose hold rolls: what is paid for. See [`super::super::rolling`].

use std::task::{Context, Poll};

use tokio::time::Instant;

use super::{BrokenOff, Inner, Stage, Then};
use crate::proxy::record;
use crate::proxy::rolling::Paid;
use crate::proxy::settle::Ending;

impl Inner {
    /// Whether what has been served is paid for; pending while the ledger is asked, or others hold the money.
    pub(super) fn poll_paid(&mut self, context: &mut Context<'_>) -> Poll<Paid> {
        let (Some(rolling), Some(meter), Some(bill)) = (&mut self.rolling, &self.meter, &mut self.bill) else { return Poll::Ready(Paid::Yes) };
        if let Poll::Ready(paid) = rolling.poll(meter.served().paced_tokens(), &mut bill.grant, context) {
            return Poll::Ready(paid);
        }
        // The provider is not to blame for the wait.
        self.last = Instant::now();
        if self.timer.deadline() != self.deadline {
            self.timer.as_mut().reset(self.deadline);
        }
        self.timer.as_mut().poll(context).map(|()| Paid::Spent)
    }

    /// The money has ended, and so does the stream: as the API itself ends one at an output limit, where that can be said, else broken off.
    pub(super) fn end_at_limit(&mut self) {
        self.unpaid.clear();
        self.record.outcome(record::SPENT);
        self.stage = self.conclude(Ending::Cut, Then::End);
        let Stage::Settling { charging, then } = &mut self.stage else { return };
        self.limit_end = self.meter.as_mut().and_then(|meter| meter.end_at_limit(&charging.usage));
        if self.limit_end.is_none() {
            *then = Then::Break(BrokenOff::Spent);
        }
    }
}
