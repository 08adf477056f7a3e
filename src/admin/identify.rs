//! Who calls: the holder of an account's main key, who manages its tokens, or of a custom token, who sees its own figures.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::AdminState;
use super::respond::Failure;
use crate::ledger::{Ledger, TokenFacts};
use crate::tokens::SecretHash;

/// Whoever presented a secret that is known. An expired token is one too: its holder may see that, and since when.
pub(super) enum Caller {
    /// The main key of this account.
    Main(Arc<str>),
    /// A custom token.
    Token(Arc<TokenFacts>),
}

/// The holder of a main key, with the account. A custom token is refused.
pub(super) struct Manager(pub(super) Arc<str>);

// === impl Caller ===

impl Caller {
    /// Looks the presented secret up. The steps are the same whatever was presented, and nothing at all: no timing tells one from another.
    async fn identify(ledger: &Ledger, headers: &HeaderMap) -> Result<Self, Failure> {
        let presented = bearer(headers);
        let hash = SecretHash::of(presented.unwrap_or_default());
        let account = ledger.account_of_main_key(&hash).await?;
        let token = ledger.token_facts_now(&hash).await?;
        match (presented, account, token) {
            (Some(_), Some(account), _) => Ok(Self::Main(account)),
            (Some(_), None, Some(token)) => Ok(Self::Token(token)),
            _ => Err(Failure::Unauthorized),
        }
    }
}

/// What stands behind `Authorization: Bearer`. Two such headers are as good as none: nobody knows which is meant.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    let secret = secret.trim();
    (values.next().is_none() && scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty()).then_some(secret)
}

impl FromRequestParts<AdminState> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Failure> {
        Self::identify(&state.ledger, &parts.headers).await
    }
}

// === impl Manager ===

impl FromRequestParts<AdminState> for Manager {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Failure> {
        match Caller::identify(&state.ledger, &parts.headers).await? {
            Caller::Main(account) => Ok(Self(account)),
            Caller::Token(_) => Err(Failure::Forbidden),
        }
    }
}
