//! The token API and the reports, as an axum router: what people manage tokens with. Compatible with Eden AI's custom-token API.
//!
//! Every call authenticates first, by its handler's first argument ([`identify`]); a body is read only after that, under a cap. Every answer that is
//! not a success is made in [`respond`].

mod costs;
mod credits;
mod identify;
mod money_json;
pub mod openapi;
mod query;
mod request;
mod respond;
mod token_json;
mod tokens;
mod usage;

use axum::Router;
use axum::routing::{MethodRouter, get, post};

use crate::ledger::Ledger;
use respond::Failure;

/// What the API works on. Cheap to clone.
#[derive(Clone)]
pub struct AdminState {
    /// The ledger: it alone decides, atomically.
    pub ledger: Ledger,
}

/// The paths of this API, without the slash at the end: these and everything below them are answered here.
pub const ROOTS: [&str; 3] = ["/v2/user/custom_token", "/v2/cost_management", "/v2/usage"];

/// Whether a path belongs to this API.
#[must_use]
pub fn owns(path: &str) -> bool {
    ROOTS.iter().any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// The API's router. Each path answers with and without a slash at its end; there are no redirects, which would lose a POST's body.
///
/// It logs no secret and takes the same steps for every wrong credential; limiting how often one may be wrong is left to the caller.
pub fn router(state: AdminState) -> Router {
    let mut router = Router::new();
    for (path, methods) in routes() {
        router = router.route(path, methods.clone()).route(&format!("{path}/"), methods);
    }
    router.fallback(async || Failure::NotFound).method_not_allowed_fallback(async || Failure::MethodNotAllowed).with_state(state)
}

/// Every path with its methods: the one place where they are told.
fn routes() -> [(&'static str, MethodRouter<AdminState>); 7] {
    [
        ("/v2/user/custom_token", get(tokens::list).post(tokens::create)),
        ("/v2/user/custom_token/me", get(tokens::me)),
        ("/v2/user/custom_token/{name}", get(tokens::show).patch(tokens::update).delete(tokens::delete)),
        ("/v2/user/custom_token/{name}/rotate", post(tokens::rotate)),
        ("/v2/cost_management", get(costs::report)),
        ("/v2/cost_management/credits", get(credits::show).patch(credits::set)),
        ("/v2/usage", get(usage::report)),
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
