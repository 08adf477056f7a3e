//! The names that kinds and periods have in the token API, in reports and on the command line.

use super::{ResetPeriod, SecretKind, TokenKind};

impl TokenKind {
    /// Its name in the token API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api_token",
            Self::Sandbox => "sandbox_api_token",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Api, Self::Sandbox].into_iter().find(|kind| kind.name() == name)
    }

    /// The kind of its secrets.
    #[must_use]
    pub const fn secret_kind(self) -> SecretKind {
        match self {
            Self::Api => SecretKind::Live,
            Self::Sandbox => SecretKind::Test,
        }
    }
}

impl ResetPeriod {
    /// Its name in the token API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    /// The period of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Daily, Self::Weekly, Self::Monthly].into_iter().find(|period| period.name() == name)
    }
}
