//! identify: whose secret is it? Its form is checked offline, before a byte of the body is read.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::apis::Refusal;
use crate::ledger::{Ledger, TokenFacts};
use crate::tokens::{Secret, SecretForm, SecretHash, SecretKind};

use super::Refused;
use super::route::Routed;

/// Wrong secrets that one address may present at once, and each second after that. Those who know a right one are not touched.
const BAD_BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);
const BAD_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);

/// A request of a known token.
pub(super) struct Identified {
    pub(super) routed: Routed,
    pub(super) facts: Arc<TokenFacts>,
    pub(super) secret: SecretHash,
}

/// Counts bad credentials by address.
#[derive(Debug)]
pub(super) struct BadCredentials(DefaultKeyedRateLimiter<IpAddr>);

/// Looks the secret up.
pub(super) async fn identify(routed: Routed, ledger: &Ledger, bad: &BadCredentials, address: IpAddr) -> Result<Identified, Box<Refused>> {
    let api = routed.api;
    let mut found = credentials(&routed.headers, routed.query.as_deref());
    if api.repeats_credential() && is_repeated(&routed.headers, &found) {
        found.truncate(1);
    }
    let secret = match found.as_slice() {
        [] => Err(Refusal::invalid_token()),
        [one] => known(one, ledger).await,
        _ => Err(Refusal::invalid_request("More than one credential was given; send exactly one.")),
    };
    match secret {
        Ok((facts, secret)) => Ok(Identified { routed, facts, secret }),
        // The address is not to blame for a ledger that is away.
        Err(refusal) if refusal == Refusal::ledger_unavailable() => Err(Refused::new(api, refusal)),
        Err(refusal) => Err(Refused::new(api, bad.check(address).err().unwrap_or(refusal))),
    }
}

/// Every credential of the request, wherever an SDK puts it.
fn credentials<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Vec<&'a str> {
    let mut found = Vec::with_capacity(1);
    // A value that is not text is a credential all the same, and a malformed one.
    let text = |value: &'a http::HeaderValue| value.to_str().unwrap_or("");
    for value in headers.get_all(AUTHORIZATION) {
        let value = text(value);
        let (scheme, secret) = value.split_once(' ').unwrap_or((value, ""));
        found.push(if scheme.eq_ignore_ascii_case("bearer") { secret.trim() } else { "" });
    }
    for name in ["x-api-key", "api-key", "x-goog-api-key"] {
        found.extend(headers.get_all(name).iter().map(text));
    }
    found.extend(query.unwrap_or("").split('&').filter_map(|pair| pair.strip_prefix("key=")));
    found
}

/// Whether the only two credentials are the same, once in each of the places where Azure's clients put it.
fn is_repeated(headers: &HeaderMap, found: &[&str]) -> bool {
    let once = |name: &str| headers.get_all(name).iter().count() == 1;
    matches!(found, [one, other] if one == other) && once(AUTHORIZATION.as_str()) && once("api-key")
}

async fn known(presented: &str, ledger: &Ledger) -> Result<(Arc<TokenFacts>, SecretHash), Refusal> {
    // A main key manages tokens and opens no provider. It is refused like any other string that is no token's secret.
    match Secret::form(presented) {
        SecretForm::WellFormed(SecretKind::Live | SecretKind::Test) => {
            let hash = SecretHash::of(presented);
            let facts = ledger.token_facts(&hash).await.map_err(|error| {
                tracing::error!(%error, "the ledger did not answer whose secret it is");
                Refusal::ledger_unavailable()
            })?;
            facts.map(|facts| (facts, hash)).ok_or_else(Refusal::invalid_token)
        }
        SecretForm::WellFormed(SecretKind::Main) | SecretForm::Malformed => Err(Refusal::invalid_token()),
    }
}

// === impl BadCredentials ===

impl Default for BadCredentials {
    fn default() -> Self {
        Self(RateLimiter::keyed(Quota::per_second(BAD_PER_SECOND).allow_burst(BAD_BURST)))
    }
}

impl BadCredentials {
    fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        self.0.check_key(&address).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Refusal::rate_limited("Too many requests with invalid API tokens came from this address.", wait)
        })
    }

    /// Drops the addresses that are back at their full allowance.
    pub(super) fn forget_old(&self) {
        self.0.retain_recent();
        self.0.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_a_credential_is_looked_at() {
        let mut headers = HeaderMap::new();
        assert!(credentials(&headers, Some("a=b&monkey=c")).is_empty());
        headers.append("authorization", "bearer one".parse().unwrap());
        headers.append("authorization", "Basic dXNlcg==".parse().unwrap());
        headers.append("x-api-key", "two".parse().unwrap());
        headers.append("api-key", "three".parse().unwrap());
        headers.append("x-goog-api-key", "four".parse().unwrap());
        assert_eq!(credentials(&headers, Some("a=b&key=five")), ["one", "", "two", "three", "four", "five"]);
    }

    #[test]
    fn one_secret_in_the_two_places_of_azure_s_clients_is_one() {
        let with = |values: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in values {
                headers.append(*name, value.parse().unwrap());
            }
            is_repeated(&headers, &credentials(&headers, None))
        };
        assert!(with(&[("authorization", "Bearer one"), ("api-key", "one")]));
        for values in [
            &[("authorization", "Bearer one"), ("api-key", "two")][..],
            &[("authorization", "Bearer one"), ("x-api-key", "one")],
            &[("authorization", "Bearer one"), ("authorization", "Bearer one")],
            &[("api-key", "one"), ("api-key", "one")],
            &[("authorization", "Bearer one"), ("api-key", "one"), ("x-api-key", "one")],
            &[("api-key", "one")],
        ] {
            assert!(!with(values), "{values:?}");
        }
    }

    #[test]
    fn an_address_that_guesses_is_slowed_down() {
        let bad = BadCredentials::default();
        let address = IpAddr::from([127, 0, 0, 1]);
        let refused = (0..2000).filter(|_| bad.check(address).is_err()).count();
        assert!(refused > 0 && refused < 1001);
        assert!(bad.check(IpAddr::from([127, 0, 0, 2])).is_ok());
    }
}
