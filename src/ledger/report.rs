//! Daily usage as reports ask for it.

use jiff::civil::Date;

use crate::money::Usd;
use crate::prices::Usage;
use crate::tokens::TokenId;

/// Which usage to report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// Of which account.
    pub account: String,
    /// From this day on.
    pub from: Option<Date>,
    /// To this day, inclusive.
    pub to: Option<Date>,
    /// Of the tokens of this name: it may have been used again after a delete.
    pub token: Option<String>,
    /// Of this token alone.
    pub token_id: Option<TokenId>,
    /// Of this provider.
    pub provider: Option<String>,
    /// Of this feature.
    pub feature: Option<String>,
}

/// The usage of one day, token, provider, model and feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// The day, in the configured time zone.
    pub day: Date,
    /// The token's name. It may be deleted.
    pub token: String,
    /// Whose prices.
    pub provider: String,
    /// The model as priced.
    pub model: String,
    /// The feature: `text__chat`.
    pub feature: String,
    /// How many requests.
    pub requests: u64,
    /// What they cost.
    pub cost: Usd,
    /// How many of them were not charged exactly.
    pub estimated: u64,
    /// What they consumed.
    pub usage: Usage,
}
