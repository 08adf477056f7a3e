//! The account's own balance: a second budget above all of its tokens, where it is set.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::AdminState;
use super::identify::Manager;
use super::money_json::Number;
use super::request::WholeBody;
use super::respond::{Failure, json};
use crate::money::Usd;
use crate::tokens::fields;

#[derive(Serialize)]
struct Credits {
    credits: Option<Number>,
}

/// GET: the balance, null where none is set.
pub(super) async fn show(Manager(account): Manager, State(state): State<AdminState>) -> Result<Response, Failure> {
    answer(state.ledger.credits(&account).await?)
}

/// PATCH: sets the balance, or takes it away.
pub(super) async fn set(Manager(account): Manager, State(state): State<AdminState>, WholeBody(body): WholeBody) -> Result<Response, Failure> {
    let credits = fields::credits(&body)?;
    state.ledger.set_credits(&account, credits).await?;
    tracing::info!(%account, "credits set");
    answer(credits)
}

fn answer(credits: Option<Usd>) -> Result<Response, Failure> {
    json(StatusCode::OK, &Credits { credits: credits.map(Number) })
}
