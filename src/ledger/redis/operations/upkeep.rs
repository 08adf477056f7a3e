//! Sweeping, trimming, and what follows a failover.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Answered, Operations, unexpected};
use crate::ledger::redis::codec::{Arguments, label_text};
use crate::ledger::redis::script::{Name, Run};
use crate::ledger::types::{ChargeLabel, HoldId};
use crate::money::Usd;
use crate::tokens::TokenId;

/// A hold that was granted, as its gateway remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LostHold {
    /// Its id.
    pub(crate) hold: HoldId,
    /// Whose request.
    pub(crate) token: TokenId,
    /// How much, raises included.
    pub(crate) amount: Usd,
    /// Whether it stands on the token's budget.
    pub(crate) on_token: bool,
    /// Whether it stands on the account's budget.
    pub(crate) on_account: bool,
    /// Its lease begins anew, this long.
    pub(crate) lease: Duration,
    /// Under what it is booked, should it expire.
    pub(crate) label: Arc<ChargeLabel>,
    /// The slice that it was admitted from.
    pub(crate) slice: Option<HoldId>,
}

/// What became of a lost hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restored {
    /// It was lost, and is there again.
    PutBack,
    /// It was not lost, or has ended.
    NotLost,
    /// The token itself was lost.
    NoToken,
}

/// Whether a server's state is vouched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adoption {
    /// By all: requests may be admitted.
    Adopted,
    /// Other gateways have not put back yet what they remember; so long at most.
    Waiting(Duration),
}

impl<R: Run> Operations<R> {
    /// Expires due holds and drops old tombstones, `most` of each, and notes that the gateway lives. Whether there may be more.
    /// Where the answer is a failover, the gateway was noted nevertheless.
    ///
    /// # Errors
    /// When there is no answer. It may be repeated.
    pub(crate) async fn sweep(&self, account: &str, identity: &str, gateway: &str, most: usize) -> Answered<bool> {
        let arguments = Arguments::default().text(gateway).text(most.to_string());
        self.dated(account, Name::Sweep, identity, arguments, |reply| reply.flag()).await
    }

    /// Puts back a hold that a failover may have lost. May be repeated.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn restore(&self, account: &str, lost: &LostHold) -> Answered<Restored> {
        let arguments = Arguments::default()
            .hold(lost.hold)
            .text(lost.token.0.to_string())
            .amount(lost.amount.max(Usd::ZERO))
            .flag(lost.on_token)
            .flag(lost.on_account)
            .duration(lost.lease)
            .text(label_text(&lost.label))
            .optional(lost.slice, Arguments::hold);
        self.dated(account, Name::Restore, "", arguments, |reply| match reply.outcome.as_str() {
            "restored" => Ok(if reply.flag()? { Restored::PutBack } else { Restored::NotLost }),
            "unknown" => Ok(Restored::NoToken),
            _ => Err(unexpected(reply)),
        })
        .await
    }

    /// Says that this gateway has put back all that it remembers, and asks whether all the others have. To be repeated until it is adopted.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn adopt(&self, account: &str, identity: &str, gateway: &str, quarantine: Duration) -> Answered<Adoption> {
        let arguments = Arguments::default().text(identity).text(gateway).duration(quarantine);
        self.plain(account, Name::Adopt, arguments, |reply| match reply.outcome.as_str() {
            "adopted" => Ok(Adoption::Adopted),
            "waiting" => Ok(Adoption::Waiting(Duration::from_millis(reply.number()?))),
            _ => Err(unexpected(reply)),
        })
        .await
    }

    /// Turns journal entries from before `cutoff` into sums, oldest first. How many, and whether there may be more.
    ///
    /// # Errors
    /// When there is no answer. It may be repeated.
    pub(crate) async fn trim(&self, account: &str, cutoff: Timestamp, most: usize) -> Answered<(u64, bool)> {
        let arguments = Arguments::default().text("").moment(cutoff).text(most.to_string());
        self.plain(account, Name::Trim, arguments, |reply| Ok((reply.number()?, reply.flag()?))).await
    }
}
