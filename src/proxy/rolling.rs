//! A rolling hold: a stream holds its input and a first step of output, and raises the hold in steps as the output passes, ahead of need.
//!
//! Clients ask for far more output than they use. Holding all of it would lock a small budget up for nothing. Nothing passes to the client that the
//! hold does not pay for: the step is asked for before. Where the money ends, so does the stream.
//!
//! Output is counted by what its text has at most, which is more than the provider counts; for a provider that is known to send its tokens one by one,
//! by its events. So that streams which share the end of a budget do not all stand still with a part of what they need, a step reaches to the length
//! that the token's answers usually have, and is granted whole.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::apis::Served;
use crate::ledger::{ChargeLabel, Grant, RaiseTicket, Renewed};
use crate::maps::Map;
use crate::money::Usd;
use crate::prices::Quote;
use crate::tokens::TokenId;

/// Output tokens that a stream holds at first, beside those that it does not show.
pub(super) const FIRST_STEP: u64 = 256;
/// What asks for no more output, beside that which does not show, holds all of it. A limit that is lower than the client's and than this is told.
pub(super) const SHORT: u64 = 1_024;
/// Beyond the usual length, steps are half of what has passed, within these.
const STEPS: std::ops::RangeInclusive<u64> = 256..=4_096;
/// Where nobody else holds any of the money, whatever buys this much is taken.
const LEAST_STEP: u64 = 16;
/// How long a stream stands still for money that other requests hold: between this and twice this. Streams that wait for each other do not all give
/// up at once: the money of the first is enough for the next.
const PATIENCE: Duration = Duration::from_secs(15);
/// Before the ledger is asked again: by a stream that waits, and by one that has some left.
const PAUSE: Duration = Duration::from_millis(25);
const EASY_PAUSE: Duration = Duration::from_millis(250);
/// The length that is assumed of the first answer of a token.
const USUAL_LENGTH: u64 = 1_024;
/// Tokens whose lengths are remembered, and models whose pace is.
const MOST_REMEMBERED: usize = 10_000;
/// An answer with fewer events says nothing about the pace, and fewer answers than this do not either.
const TELLING_EVENTS: u64 = 64;
const TELLING_ANSWERS: u32 = 2;

/// What earlier streams say about the next: how long the answers of a token are, and how many tokens a provider puts into an event.
#[derive(Debug, Default)]
pub(super) struct Experience {
    lengths: Mutex<Map<TokenId, u64>>,
    paces: Mutex<Map<String, Pace>>,
}

/// How many thousandths of a token a model's events had at most lately, and over how many answers.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    milli: u64,
    answers: u32,
}

/// What a stream's hold pays for so far.
pub(super) struct Rolling {
    quote: Quote,
    /// Output that can be billed and does not show.
    unseen: u64,
    /// The output limit: the provider gives no more.
    most: u64,
    experience: Arc<Experience>,
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

fn model_of(label: &ChargeLabel) -> String {
    [&*label.provider, &*label.model].join("/")
}

// === impl Rolling ===

impl Rolling {
    /// For an answer of at most `most` tokens.
    pub(super) fn new(quote: Quote, unseen: u64, most: u64, experience: Arc<Experience>) -> Self {
        Self { quote, unseen, most, experience, asking: Asking::No, still_until: None }
    }

    /// What short events of such a model count at most, where that is known.
    pub(super) fn pace(&self, label: &ChargeLabel) -> Option<u64> {
        self.experience.pace(&model_of(label))
    }

    /// The answer has ended by itself, and the provider said how many tokens of output it had.
    pub(super) fn ended(&self, served: Served, output: u64, label: &ChargeLabel, grant: &Grant) {
        self.experience.learn_length(grant.facts().id, served.paced_tokens());
        self.experience.learn_pace(model_of(label), served.events(), output);
    }

    /// Ready once it is known whether `served` tokens of output are paid for. Asks for the next step ahead of need.
    pub(super) fn poll(&mut self, served: u64, grant: &mut Grant, context: &mut Context<'_>) -> Poll<Paid> {
        loop {
            let paid = self.quote.output_limit_for(grant.admitted().amount);
            let needed = served.saturating_add(self.unseen);
            let step = (served / 2).clamp(*STEPS.start(), *STEPS.end());
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
                    let usual = self.experience.usual_length(grant.facts().id).saturating_add(self.unseen);
                    self.ask(needed.saturating_add(step).max(usual).min(self.most), grant);
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
                    let worth = if others.is_positive() { needed.saturating_mul(2) } else { paid.max(needed).saturating_add(LEAST_STEP) };
                    if reach < target && reach >= worth {
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

// === impl Experience ===

impl Experience {
    /// The length that the next answer of a token will hardly exceed, as it is counted here.
    pub(super) fn usual_length(&self, token: TokenId) -> u64 {
        self.lengths.lock().unwrap_or_else(PoisonError::into_inner).get(&token).copied().unwrap_or(USUAL_LENGTH)
    }

    fn learn_length(&self, token: TokenId, served: u64) {
        let mut lengths = self.lengths.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut lengths, &token);
        // A long answer counts less with each one after it that is shorter.
        let usual = lengths.entry(token).or_insert(served);
        *usual = (*usual - *usual / 32).max(served).max(FIRST_STEP);
    }

    /// A quarter more than was ever seen lately, and never less than a token. The client decides what is said, the provider how it is cut into events.
    fn pace(&self, model: &str) -> Option<u64> {
        let pace = self.paces.lock().unwrap_or_else(PoisonError::into_inner).get(model).copied()?;
        (pace.answers >= TELLING_ANSWERS).then(|| pace.milli.max(1_000).saturating_mul(5) / 4)
    }

    fn learn_pace(&self, model: String, events: u64, output: u64) {
        if events < TELLING_EVENTS {
            return;
        }
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut paces, &model);
        let pace = paces.entry(model).or_default();
        pace.milli = (pace.milli - pace.milli / 64).max(output.saturating_mul(1_000).div_ceil(events));
        pace.answers = pace.answers.saturating_add(1);
    }
}

/// What is remembered stays bounded: the old is forgotten at once.
fn make_room<K: Eq + std::hash::Hash, V>(remembered: &mut Map<K, V>, key: &K) {
    if remembered.len() >= MOST_REMEMBERED && !remembered.contains_key(key) {
        remembered.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_streams_teach_is_the_most_lately() {
        let experience = Experience::default();
        assert_eq!((experience.usual_length(TokenId(1)), experience.pace("a/b")), (USUAL_LENGTH, None));
        experience.learn_length(TokenId(1), 3_200);
        experience.learn_length(TokenId(1), 10);
        assert_eq!(experience.usual_length(TokenId(1)), 3_100);
        for _ in 0..200 {
            experience.learn_length(TokenId(1), 10);
        }
        assert_eq!(experience.usual_length(TokenId(1)), FIRST_STEP);
        experience.learn_pace("a/b".to_owned(), 10, 1_000);
        experience.learn_pace("a/b".to_owned(), 100, 200);
        assert_eq!(experience.pace("a/b"), None, "one answer tells nothing");
        experience.learn_pace("a/b".to_owned(), 100, 50);
        assert_eq!(experience.pace("a/b"), Some(1_969 * 5 / 4));
    }
}
