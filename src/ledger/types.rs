//! What goes into the ledger and what comes out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::money::Usd;
use crate::prices::Usage;
use crate::tokens::{SecretHash, TokenId, TokenKind};

/// A hold's identity: a UUIDv7 made by the gateway before the first try, so that every operation can be repeated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId(pub [u8; 16]);

/// What the ledger knows of a secret, for the stages before admission. Admission looks again, atomically.
#[derive(Clone, Debug)]
pub struct TokenFacts {
    /// The token.
    pub id: TokenId,
    /// Its account.
    pub account: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// What it is for.
    pub kind: TokenKind,
    /// From when on it is refused.
    pub expire_time: Option<Timestamp>,
}

/// What became of [`Ledger::ensure_account`](super::Ledger::ensure_account).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnsuredAccount {
    /// The account is new.
    pub created: bool,
    /// It has a main key now.
    pub has_main_key: bool,
    /// It had another main key before, which opens nothing any more.
    pub replaced_main_key: bool,
}

/// A request for admission.
#[derive(Clone, Debug)]
pub struct AdmitRequest {
    /// The hold to make.
    pub hold: HoldId,
    /// Whose budget.
    pub token: TokenId,
    /// The secret that was presented: checked again, in the same atomic step.
    pub secret: SecretHash,
    /// The most that the request can cost as asked.
    pub want: Usd,
    /// The least that is worth sending. At most `want`.
    pub least: Usd,
    /// How long the hold lives without being renewed.
    pub lease: Duration,
    /// What is charged is booked under this, should the hold expire.
    pub label: Arc<ChargeLabel>,
}

/// Under what a charge is booked in the journal and in reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ChargeLabel {
    /// Whose prices: `openai`.
    pub provider: String,
    /// The model as priced, or empty where there is none.
    pub model: String,
    /// The report's key: `text__chat`.
    pub feature: String,
}

/// The ledger's yes, in terms of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// What was set aside: between `least` and `want`; nothing where no budget is enforced (then the request is not limited).
    pub amount: Usd,
    /// False where no enforced budget stands above the token: `amount` is then zero and limits nothing.
    pub budgeted: bool,
    /// What is free after this hold on the budget with the least, where one is enforced.
    pub free_after: Option<Usd>,
}

/// The ledger's no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No such token, a revoked or an expired secret.
    Unknown,
    /// The token's time is over.
    Expired {
        /// Since when.
        since: Timestamp,
    },
    /// Only other requests in flight stand in the way.
    Held(BudgetState),
    /// The budget does not reach.
    Exhausted(BudgetState),
    /// The id was voided before it was admitted: a late or repeated request.
    Voided,
}

/// A budget at the moment it refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetState {
    /// Whose budget.
    pub scope: BudgetScope,
    /// The token's or the account's name.
    pub name: String,
    /// What is left.
    pub balance: Usd,
    /// What is held by requests in flight.
    pub held: Usd,
    /// What this request needs at least.
    pub asked: Usd,
    /// When the balance is next set anew.
    pub resets_at: Option<Timestamp>,
}

/// Whose budget it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BudgetScope {
    /// One token's.
    Token,
    /// The account's, above all of its tokens.
    Account,
}

/// How sure a charge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Certainty {
    /// The provider reported it.
    Exact,
    /// Metered by us, upwards: the provider did not say.
    Estimated,
    /// Nobody knows: the hold was charged.
    Uncertain,
}

/// How a request's money ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The hold that this ends.
    pub hold: HoldId,
    /// What is charged. May exceed the hold (an overrun).
    pub cost: Usd,
    /// How sure that is.
    pub certainty: Certainty,
    /// What was consumed.
    pub usage: Usage,
    /// Under what it is booked. Wins over the label of the admission, unless it is empty.
    pub label: Arc<ChargeLabel>,
    /// The version of the price book that priced it.
    pub price_version: Arc<str>,
}

/// What a settlement did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// False when the hold was gone already: nothing was charged.
    pub charged: bool,
    /// By how much the cost exceeded the hold.
    pub overrun: Usd,
    /// The balance afterwards of the enforced budget with the least; none where no budget is enforced.
    pub balance: Option<Usd>,
}

/// A change to a hold while its request runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The hold.
    pub hold: HoldId,
    /// Its lease begins anew, this long.
    pub lease: Duration,
    /// Raises the amount to this on the same budgets, on all of them or on none. At or below what is held: only the lease. So it may be repeated.
    pub raise_to: Usd,
}

/// What a renewal did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// Prolonged, and raised as asked.
    Done,
    /// Prolonged, not raised: a budget does not reach.
    NotRaised {
        /// What is free on the budget with the least.
        free: Usd,
        /// What other requests hold of that budget.
        others: Usd,
    },
    /// The hold is gone.
    Gone,
}

/// What happened with slices of budgets, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SliceCounts {
    /// Taken.
    pub taken: u64,
    /// Given back.
    pub given_back: u64,
    /// Of these, called back: by a request that they stood in the way of, or by a change of the token.
    pub recalled: u64,
    /// Requests that were admitted from one.
    pub admitted: u64,
}

/// Why the ledger could not say yes or no. Nothing is admitted on any of these.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store failed or is shutting down. What was asked did not happen, or will be undone.
    #[error("the ledger is unavailable: {0}")]
    Unavailable(String),
    /// Another process holds the store.
    #[error("{0}")]
    Locked(String),
    /// The store is damaged, or made by an incompatible version.
    #[error("{0}")]
    Incompatible(String),
    /// An amount left the range that can be counted.
    #[error(transparent)]
    Money(#[from] crate::money::MoneyError),
}

// === impl HoldId ===

impl HoldId {
    /// A fresh id, ordered by time.
    #[must_use]
    pub fn generate() -> Self {
        Self(*uuid::Uuid::now_v7().as_bytes())
    }

    /// The id that always follows from these words: a UUIDv8 from their SHA-256, so that it is never one that was generated.
    #[must_use]
    pub fn derived(words: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for word in words {
            // With their lengths, so that no two lists of words run together.
            hash.update((word.len() as u64).to_be_bytes());
            hash.update(word);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        Self(*uuid::Builder::from_custom_bytes(id).as_uuid().as_bytes())
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).fmt(out)
    }
}

impl fmt::Debug for HoldId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
