//! Tokens: the custom API keys that an account hands out, and the secrets that stand for them.

pub mod fields;
mod names;
mod secret;

pub use secret::{Secret, SecretForm, SecretHash, SecretKind};

use jiff::Timestamp;

use crate::money::Usd;

/// The account that exists from the first start.
pub const DEFAULT_ACCOUNT: &str = "default";

/// A token's identity: stays the same through rotation, is never used again after a delete. Unique over all accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub u64);

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Sends traffic to the provider and is charged for it.
    Api,
    /// Gets simulated answers, costs nothing and never reaches a provider.
    Sandbox,
}

/// How often a balance is set anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResetPeriod {
    /// At local midnight.
    Daily,
    /// At local midnight before Monday.
    Weekly,
    /// At local midnight before the first of the month.
    Monthly,
}

/// A periodic reset: at each boundary of the period the balance becomes the amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetReset {
    /// How often.
    pub period: ResetPeriod,
    /// What the balance becomes.
    pub amount: Usd,
}

/// What the API shows of a token at one moment. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenView {
    /// Its identity.
    pub id: TokenId,
    /// The account it belongs to.
    pub account: String,
    /// Unique among the account's live tokens.
    pub name: String,
    /// What it is for.
    pub kind: TokenKind,
    /// The masked form of its newest secret: `sg_live_a1B2...c5D6`.
    pub masked_secret: String,
    /// What is left to spend, if a figure was ever set.
    pub balance: Option<Usd>,
    /// Whether the balance is enforced.
    pub active_balance: bool,
    /// The reset, if any.
    pub reset: Option<BudgetReset>,
    /// When the balance is next set anew.
    pub resets_at: Option<Timestamp>,
    /// The sum of live holds that stand on its balance.
    pub held: Usd,
    /// All it ever cost, enforced or not.
    pub spent: Usd,
    /// From when on it is refused.
    pub expire_time: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a request of it was last admitted.
    pub last_used_at: Option<Timestamp>,
}

/// A token that is to be made. Already checked, but for what only the ledger can know (that the name is free).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// Unique among the account's live tokens.
    pub name: String,
    /// What it is for.
    pub kind: TokenKind,
    /// The first balance.
    pub balance: Option<Usd>,
    /// Whether the balance is enforced.
    pub active_balance: bool,
    /// From when on it is refused.
    pub expire_time: Option<Timestamp>,
    /// The reset, if any.
    pub reset: Option<BudgetReset>,
}

/// A change of a token: what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenPatch {
    /// Sets the balance absolutely; `Some(None)` takes the figure away (refused while it is enforced).
    pub balance: Option<Option<Usd>>,
    /// Turns enforcement on or off.
    pub active_balance: Option<bool>,
    /// Sets or clears the expiry.
    pub expire_time: Option<Option<Timestamp>>,
    /// `balance_reset_period`: `Some(None)` ends resets.
    pub reset_period: Option<Option<ResetPeriod>>,
    /// `balance_reset_amount`.
    pub reset_amount: Option<Option<Usd>>,
}

/// Why the ledger would not make or change a token. Each is a validation error of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenRuleError {
    /// Field `name`.
    #[error("Token with this name already exists.")]
    NameTaken,
    /// Field `active_balance`: nothing to enforce.
    #[error("A balance is required to turn active_balance on.")]
    NoBalanceToEnforce,
    /// Field `balance_reset_amount`: a period without an amount.
    #[error("This field is required unless balance_reset_period is \"none\".")]
    NoResetAmount,
}

impl TokenRuleError {
    /// The field of the token API that is at fault.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::NameTaken => "name",
            Self::NoBalanceToEnforce => "active_balance",
            Self::NoResetAmount => "balance_reset_amount",
        }
    }
}
