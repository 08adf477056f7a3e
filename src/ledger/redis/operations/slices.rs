//! Slices: taken, gone on with, given back, called back; and what was done with them, told in one call for many requests.

use std::sync::Arc;
use std::time::Duration;

use super::{Answered, Operations, unexpected};
use crate::ledger::outbox::{Ending, Record};
use crate::ledger::redis::codec::{Arguments, Reply, certainty_name, json, label_text, senseless, usage_text};
use crate::ledger::redis::memory::AdmittedHold;
use crate::ledger::redis::script::{CallError, Name, Run};
use crate::ledger::types::{HoldId, Settled};
use crate::money::{MoneyError, Usd};
use crate::tokens::{SecretHash, TokenId};

/// A slice that a gateway asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Its id.
    pub(crate) slice: HoldId,
    /// Of whose budget.
    pub(crate) token: TokenId,
    /// The secret whose requests it is for.
    pub(crate) secret: SecretHash,
    /// So much at most.
    pub(crate) most: Usd,
    /// Less is not worth it.
    pub(crate) least: Usd,
}

/// A slice as it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// How much it is.
    pub(crate) amount: Usd,
    /// Whether it stands on the token's budget.
    pub(crate) on_token: bool,
    /// Whether it stands on the account's budget.
    pub(crate) on_account: bool,
    /// What is free besides.
    pub(crate) free: Usd,
    /// How long it may be used from when it was asked for, unless it is gone on with.
    pub(crate) usable: Duration,
}

/// What is to become of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// It goes on.
    GoOn {
        /// Filled up to this, if that much is free.
        fill_to: Usd,
        /// Its lease begins anew, this long; zero: it does not.
        lease: Duration,
    },
    /// It is given back. Should it still have to come, it is refused for this lease.
    GiveBack(Duration),
}

/// What a slice is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cared {
    /// Whether it is there.
    pub(crate) state: SliceState,
    /// How much it is, without what the store knows to be held from it.
    pub(crate) amount: Usd,
    /// What is free besides.
    pub(crate) free: Usd,
    /// How long it may be used from when that was asked.
    pub(crate) usable: Duration,
}

/// Whether a slice is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SliceState {
    /// It is.
    Live,
    /// It was called back: no request is to be admitted from it any more.
    Recalled,
    /// It was given back, or expired.
    Gone,
}

/// What a gateway tells at once. Requests that were admitted come first, then those that ended, then slices.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Requests that were admitted from slices.
    pub(crate) admitted: Vec<AdmittedHold>,
    /// Requests that ended.
    pub(crate) ended: Vec<Arc<Record>>,
    /// Slices.
    pub(crate) slices: Vec<(HoldId, Care)>,
}

/// Which slices of an account were called back lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recalls {
    /// How often that was, ever.
    pub(crate) count: u64,
    /// Whose they were, the last first: a token's, or all of the account.
    pub(crate) last: Vec<Option<TokenId>>,
}

/// What became of it, in the same order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Which slices were called back lately, whosever they are.
    pub(crate) recalls: Recalls,
    /// Of each request that ended.
    pub(crate) ended: Vec<Result<Settled, MoneyError>>,
    /// Of each slice.
    pub(crate) slices: Vec<Cared>,
}

impl<R: Run> Operations<R> {
    /// Takes a slice; none where there is too little for one.
    ///
    /// # Errors
    /// When there is no answer. [`CallError::Unknown`]: it may be taken.
    pub(crate) async fn take_slice(&self, account: &str, identity: &str, wanted: &Wanted, lease: Duration, gateway: &str) -> Answered<Option<Taken>> {
        let arguments = Arguments::default()
            .hold(wanted.slice)
            .text(wanted.token.0.to_string())
            .secret(&wanted.secret)
            .amount(wanted.most)
            .amount(wanted.least)
            .duration(lease)
            .text(gateway);
        self.dated(account, Name::SliceTake, identity, arguments, |reply| match reply.outcome.as_str() {
            "taken" => {
                let (amount, on_token, on_account, free) = (reply.amount()?, reply.flag()?, reply.flag()?, reply.amount()?);
                Ok(Some(Taken { amount, on_token, on_account, free, usable: Duration::from_millis(reply.number()?) }))
            }
            "none" => Ok(None),
            _ => Err(unexpected(reply)),
        })
        .await
    }

    /// Tells what was done. May be repeated. At most some hundreds of each: the account waits meanwhile. Nothing is added to a slice on another server than
    /// the one of that identity.
    ///
    /// # Errors
    /// When there is no answer. [`CallError::Unknown`]: it may be done.
    pub(crate) async fn tell(&self, account: &str, identity: &str, told: &Told) -> Answered<Heard> {
        let mut arguments = Arguments::default().text(told.admitted.len().to_string());
        for AdmittedHold { hold, token, facts, .. } in &told.admitted {
            arguments = arguments
                .hold(*hold)
                .optional(facts.slice, Arguments::hold)
                .text(token.0.to_string())
                .amount(facts.amount.max(Usd::ZERO))
                .flag(facts.on_token)
                .flag(facts.on_account)
                .duration(facts.lease)
                .text(label_text(&facts.label));
        }
        arguments = arguments.text(told.ended.len().to_string());
        for record in &told.ended {
            arguments = match &record.ending {
                Ending::Settle(settlement) => arguments
                    .text("settle")
                    .hold(settlement.hold)
                    .amount(settlement.cost.max(Usd::ZERO))
                    .text(certainty_name(settlement.certainty))
                    .text(usage_text(&settlement.usage))
                    .text(label_text(&settlement.label))
                    .text(json(&settlement.price_version)),
                Ending::ChargeHold(hold) => arguments.text("charge_hold").hold(*hold).text("").text("").text("").text("").text(""),
                Ending::Void(hold, lease) => arguments.text("void").hold(*hold).duration(*lease).text("").text("").text("").text(""),
            };
        }
        arguments = arguments.text(told.slices.len().to_string());
        for (slice, care) in &told.slices {
            arguments = match care {
                Care::GoOn { fill_to, lease } => arguments.hold(*slice).text("go_on").amount((*fill_to).max(Usd::ZERO)).duration(*lease),
                Care::GiveBack(lease) => arguments.hold(*slice).text("give_back").text("0").duration(*lease),
            };
        }
        self.dated(account, Name::SliceBatch, identity, arguments, |reply| {
            Ok(Heard {
                recalls: recalls(reply)?,
                ended: told.ended.iter().map(|_| ended(reply)).collect::<Result<_, _>>()?,
                slices: told.slices.iter().map(|_| cared(reply)).collect::<Result<_, _>>()?,
            })
        })
        .await
    }

    /// Calls back the slices of a token, or of all tokens of the account, and lets none be taken for a moment: `always`, or only where there are some.
    /// How many there are. To be repeated until there are none.
    ///
    /// # Errors
    /// When there is no answer. [`CallError::Unknown`]: they may be called back.
    pub(crate) async fn recall_slices(&self, account: &str, token: Option<TokenId>, quiet: Duration, always: bool) -> Answered<u64> {
        let arguments = Arguments::default().optional(token, |arguments, token| arguments.text(token.0.to_string())).duration(quiet).flag(always);
        self.dated(account, Name::SliceRecall, "", arguments, |reply| reply.number()).await
    }
}

fn recalls(reply: &mut Reply) -> Result<Recalls, CallError> {
    let text = reply.text()?;
    let mut words = text.split(' ');
    let whose = |word: &str| if word == "-" { Ok(None) } else { word.parse().map(|id| Some(TokenId(id))) };
    let count = words.next().and_then(|word| word.parse().ok());
    let last: Result<Vec<_>, std::num::ParseIntError> = words.map(whose).collect();
    match (count, last) {
        (Some(count), Ok(last)) => Ok(Recalls { count, last }),
        _ => Err(senseless("which slices were called back")),
    }
}

fn ended(reply: &mut Reply) -> Result<Result<Settled, MoneyError>, CallError> {
    let charged = match reply.text()?.as_str() {
        "charged" => Some(true),
        "not_charged" => Some(false),
        "range" => None,
        _ => return Err(senseless("what became of an ending")),
    };
    let (overrun, balance) = (reply.amount()?, reply.optional_amount()?);
    Ok(charged.map(|charged| Settled { charged, overrun, balance }).ok_or(MoneyError::OutOfRange))
}

fn cared(reply: &mut Reply) -> Result<Cared, CallError> {
    let state = match reply.text()?.as_str() {
        "live" => SliceState::Live,
        "recalled" => SliceState::Recalled,
        "gone" => SliceState::Gone,
        _ => return Err(senseless("what became of a slice")),
    };
    Ok(Cared { state, amount: reply.amount()?, free: reply.amount()?, usable: Duration::from_millis(reply.number()?) })
}
