//! Admission, and how holds end or live on.

use std::time::Duration;

use super::{Answered, Operations, unexpected};
use crate::ledger::redis::codec::{Arguments, Reply, certainty_name, json, label_text, senseless, usage_text};
use crate::ledger::redis::script::{CallError, Name, Run};
use crate::ledger::rules::AdmitReply;
use crate::ledger::types::{AdmitRequest, Admitted, BudgetScope, BudgetState, Denied, HoldId, Renewal, Renewed, Settled, Settlement};
use crate::money::{MoneyError, Usd};

/// An admission's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    /// Yes or no.
    pub(crate) reply: AdmitReply,
    /// Whether the hold stands on the token's budget: to be remembered, should a failover lose the hold.
    pub(crate) on_token: bool,
    /// Whether it stands on the account's budget.
    pub(crate) on_account: bool,
}

impl<R: Run> Operations<R> {
    /// Admits a request: sets money aside on every enforced budget above its token, or on none. May be repeated.
    ///
    /// # Errors
    /// When there is no answer. [`CallError::Unknown`]: there may be a hold.
    pub(crate) async fn admit(&self, account: &str, identity: &str, request: &AdmitRequest) -> Answered<Decided> {
        let want = request.want.max(Usd::ZERO);
        let least = request.least.max(Usd::ZERO).min(want);
        let arguments = Arguments::default()
            .hold(request.hold)
            .text(request.token.0.to_string())
            .secret(&request.secret)
            .amount(want)
            .amount(least)
            .duration(request.lease)
            .text(label_text(&request.label));
        self.dated(account, Name::Admit, identity, arguments, |reply| decided(reply, account)).await
    }

    /// Ends a hold by charging the cost in full; lowers the charge of an expired one, once. May be repeated.
    ///
    /// # Errors
    /// When there is no answer. [`CallError::Unknown`]: it may be settled.
    pub(crate) async fn settle(&self, account: &str, settlement: &Settlement) -> Answered<Settled> {
        let arguments = Arguments::default()
            .hold(settlement.hold)
            .amount(settlement.cost.max(Usd::ZERO))
            .text(certainty_name(settlement.certainty))
            .text(usage_text(&settlement.usage))
            .text(label_text(&settlement.label))
            .text(json(&settlement.price_version));
        self.dated(account, Name::Settle, "", arguments, settled).await
    }

    /// Ends a hold by charging what is held. May be repeated.
    ///
    /// # Errors
    /// When there is no answer. [`CallError::Unknown`]: it may be charged.
    pub(crate) async fn charge_hold(&self, account: &str, hold: HoldId) -> Answered<Settled> {
        self.dated(account, Name::ChargeHold, "", Arguments::default().hold(hold), settled).await
    }

    /// Ends a hold by giving everything back; refuses its id for one lease where it is not there. May be repeated.
    ///
    /// # Errors
    /// When there is no answer. [`CallError::Unknown`]: it may be voided.
    pub(crate) async fn void(&self, account: &str, hold: HoldId, lease: Duration) -> Answered<()> {
        self.dated(account, Name::Void, "", Arguments::default().hold(hold).duration(lease), |_| Ok(())).await
    }

    /// Gives a hold another id, under which it lives on. May be repeated.
    ///
    /// # Errors
    /// When there is no answer. [`CallError::Unknown`]: it may have it.
    pub(crate) async fn keep(&self, account: &str, hold: HoldId, kept: HoldId, lease: Duration) -> Answered<Settled> {
        self.dated(account, Name::Keep, "", Arguments::default().hold(hold).hold(kept).duration(lease), settled).await
    }

    /// Prolongs holds of one account, and raises those that ask for it. Answers for each, in order. May be repeated.
    ///
    /// At most about 1,000 at a time: the account waits meanwhile.
    ///
    /// # Errors
    /// When there is no answer. [`CallError::Unknown`]: it may be done.
    pub(crate) async fn renew(&self, account: &str, renewals: &[Renewal]) -> Answered<Vec<Result<Renewed, MoneyError>>> {
        let arguments = renewals
            .iter()
            .fold(Arguments::default(), |arguments, renewal| arguments.hold(renewal.hold).duration(renewal.lease).amount(renewal.raise_to.max(Usd::ZERO)));
        self.dated(account, Name::Renew, "", arguments, |reply| renewals.iter().map(|_| renewed(reply)).collect()).await
    }
}

fn decided(reply: &mut Reply, account: &str) -> Result<Decided, CallError> {
    let denied = |denied| Ok(Decided { reply: AdmitReply::Denied(denied), on_token: false, on_account: false });
    match reply.outcome.as_str() {
        "granted" => {
            let (amount, on_token, on_account, free_after, held) = (reply.amount()?, reply.flag()?, reply.flag()?, reply.optional_amount()?, reply.flag()?);
            let admitted = Admitted { amount, budgeted: on_token || on_account, free_after };
            Ok(Decided { reply: AdmitReply::Granted { admitted, held }, on_token, on_account })
        }
        "unknown" => denied(Denied::Unknown),
        "voided" => denied(Denied::Voided),
        "expired" => denied(Denied::Expired { since: reply.moment()? }),
        "held" => denied(Denied::Held(budget_state(reply, account)?)),
        "exhausted" => denied(Denied::Exhausted(budget_state(reply, account)?)),
        _ => Err(unexpected(reply)),
    }
}

fn budget_state(reply: &mut Reply, account: &str) -> Result<BudgetState, CallError> {
    let scope = match reply.text()?.as_str() {
        "token" => BudgetScope::Token,
        "account" => BudgetScope::Account,
        _ => return Err(senseless("a budget")),
    };
    let (balance, held, asked, resets_at, name) = (reply.amount()?, reply.amount()?, reply.amount()?, reply.optional_moment()?, reply.text()?);
    let name = if scope == BudgetScope::Account { account.to_owned() } else { name };
    Ok(BudgetState { scope, name, balance, held, asked, resets_at })
}

fn settled(reply: &mut Reply) -> Result<Settled, CallError> {
    Ok(Settled { charged: reply.flag()?, overrun: reply.amount()?, balance: reply.optional_amount()? })
}

fn renewed(reply: &mut Reply) -> Result<Result<Renewed, MoneyError>, CallError> {
    Ok(match reply.text()?.as_str() {
        "done" => Ok(Renewed::Done),
        "not_raised" => Ok(Renewed::NotRaised { free: reply.amount()?, others: reply.amount()? }),
        "gone" => Ok(Renewed::Gone),
        "range" => Err(MoneyError::OutOfRange),
        _ => return Err(senseless("what became of a hold")),
    })
}
