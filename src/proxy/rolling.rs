//! A rolling hold: a stream holds its input and a first step of output, and raises the hold in steps as the output passes, ahead of need.
//!
//! Clients ask for far more output than they use. Holding all of it would lock a small budget up for nothing. Nothing passes to the client that the
//! hold does not pay for: the step is asked for before. Where the money ends, so does the stream.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::ledger::{Grant, RaiseTicket, Renewed};
use crate::money::Usd;
use crate::prices::Quote;

/// Output tokens that a stream holds at first, beside those that it does not show.
pub(super) const FIRST_STEP: u64 = 256;
/// Where the free money buys less output than this, the provider is told so: it ends the answer itself, and counts it exactly.
pub(super) const CLAMP_BELOW: u64 = 1_024;
/// Later steps are half of what has passed, within these.
const STEPS: std::ops::RangeInclusive<u64> = 256..=4_096;
/// Where a budget does not reach for a step, whatever buys this much is taken.
const LEAST_STEP: u64 = 16;
/// How long a stream stands still for money that other requests hold: between this and twice this. Streams that wait for each other do not all give
/// up at once: the money of the first is enough for the next.
const PATIENCE: Duration = Duration::from_secs(5);
/// Before the ledger is asked again: by a stream that waits, and by one that has some left.
const PAUSE: Duration = Duration::from_millis(25);
const EASY_PAUSE: Duration = Duration::from_millis(250);

/// What a stream's hold pays for so far.
pub(super) struct Rolling {
    quote: Quote,
    /// Output that can be billed and does not show.
    unseen: u64,
    /// The output limit: the provider gives no more.
    most: u64,
    asking: Asking,
    /// Until when the stream stands still, where it does.
    still_until: Option<Instant>,
}

enum Asking {
    No,
    /// The ledger is asked for money for so many tokens.
    For(u64, RaiseTicket),
    /// It said no, or nothing; asked again in a moment.
    Later(Pin<Box<Sleep>>),
}

/// Whether what has been served is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paid {
    /// It may pass.
    Yes,
    /// It may not, and there is no more money.
    Spent,
}

// === impl Rolling ===

impl Rolling {
    /// For an answer of at most `most` tokens.
    pub(super) fn new(quote: Quote, unseen: u64, most: u64) -> Self {
        Self { quote, unseen, most, asking: Asking::No, still_until: None }
    }

    /// Ready once it is known whether `served` tokens of output are paid for. Asks for the next step ahead of need.
    pub(super) fn poll(&mut self, served: u64, grant: &mut Grant, context: &mut Context<'_>) -> Poll<Paid> {
        loop {
            let paid = self.quote.output_limit_for(grant.admitted().amount);
            let needed = served.saturating_add(self.unseen);
            let step = (needed / 2).clamp(*STEPS.start(), *STEPS.end());
            let passes = needed <= paid || paid >= self.most;
            if passes {
                self.still_until = None;
            }
            if paid >= self.most || needed.saturating_add(step / 2) <= paid {
                return Poll::Ready(Paid::Yes);
            }
            let unanswered = || if passes { Poll::Ready(Paid::Yes) } else { Poll::Pending };
            let (target, answer) = match &mut self.asking {
                Asking::No => {
                    self.ask(needed.saturating_add(step).min(self.most), grant);
                    continue;
                }
                Asking::Later(sleep) => {
                    if sleep.as_mut().poll(context).is_pending() {
                        return unanswered();
                    }
                    self.asking = Asking::No;
                    continue;
                }
                Asking::For(target, ticket) => match Pin::new(ticket).poll(context) {
                    Poll::Pending => return unanswered(),
                    Poll::Ready(answer) => (*target, answer),
                },
            };
            match answer {
                Ok(Renewed::Done) => {
                    grant.raised(self.quote.cost_at(target));
                    self.asking = Asking::No;
                }
                Ok(Renewed::NotRaised { free, others }) => {
                    let all = grant.admitted().amount.plus(free.max(Usd::ZERO)).unwrap_or(Usd::MAX);
                    let reach = self.quote.output_limit_for(all);
                    if reach < target && reach >= paid.max(needed).saturating_add(LEAST_STEP) {
                        self.ask(reach, grant);
                    } else if passes || others.is_positive() && self.is_patient(grant) {
                        self.ask_later(passes);
                    } else {
                        return Poll::Ready(Paid::Spent);
                    }
                }
                // Its lease ran out while the ledger was away, and it was charged: what it paid for is all that passes.
                Ok(Renewed::Gone) if !passes => return Poll::Ready(Paid::Spent),
                // While the ledger is away nobody else can spend the money either: the stream stands still until it is back.
                Ok(Renewed::Gone) | Err(_) => self.ask_later(passes),
            }
        }
    }

    fn ask(&mut self, target: u64, grant: &Grant) {
        self.asking = Asking::For(target, grant.raise_to(self.quote.cost_at(target)));
    }

    fn ask_later(&mut self, passes: bool) {
        self.asking = Asking::Later(Box::pin(tokio::time::sleep(if passes { EASY_PAUSE } else { PAUSE })));
    }

    fn is_patient(&mut self, grant: &Grant) -> bool {
        let now = Instant::now();
        let [.., random] = grant.hold().0;
        now < *self.still_until.get_or_insert_with(|| now + PATIENCE + PATIENCE * u32::from(random) / 256)
    }
}
