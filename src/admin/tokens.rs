//! The calls on tokens: list, create, show, update, delete, rotate and `me`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;

use super::AdminState;
use super::identify::{Caller, Manager};
use super::request::{Name, WholeBody};
use super::respond::{Failure, json};
use super::token_json::TokenJson;
use crate::tokens::fields::{self, FieldErrors, RefusedCreate, RefusedPatch};
use crate::tokens::{Secret, TokenKind, TokenRuleError};

/// GET of the collection.
pub(super) async fn list(Manager(account): Manager, State(state): State<AdminState>) -> Result<Response, Failure> {
    let tokens = state.ledger.tokens(&account).await?;
    json(StatusCode::OK, &tokens.iter().map(TokenJson::listed).collect::<Vec<_>>())
}

/// POST to the collection.
pub(super) async fn create(Manager(account): Manager, State(state): State<AdminState>, WholeBody(body): WholeBody) -> Result<Response, Failure> {
    let token = match fields::create(&body, Timestamp::now()) {
        Ok(token) => token,
        Err(RefusedCreate { name, mut errors }) => {
            // Only to say everything at once: whether a name is free is decided by the ledger, when it makes the token.
            if let Some(name) = name
                && state.ledger.token(&account, &name).await?.is_some()
            {
                errors.add_rule(TokenRuleError::NameTaken);
            }
            return Err(errors.into());
        }
    };
    let secret = generate(token.kind)?;
    let view = state.ledger.create_token(&account, token, &secret).await?.map_err(rule_errors)?;
    tracing::info!(%account, token = %view.name, "token created");
    json(StatusCode::CREATED, &TokenJson::created(&view, &secret))
}

/// GET of one token.
pub(super) async fn show(Manager(account): Manager, Name(name): Name, State(state): State<AdminState>) -> Result<Response, Failure> {
    let view = state.ledger.token(&account, &name).await?.ok_or(Failure::NotFound)?;
    json(StatusCode::OK, &TokenJson::listed(&view))
}

/// GET of `me`: the caller's own token, expired or not.
pub(super) async fn me(caller: Caller, State(state): State<AdminState>) -> Result<Response, Failure> {
    // The main key is no token.
    let Caller::Token(facts) = caller else { return Err(Failure::NotFound) };
    let view = state.ledger.token_of(&facts).await?.ok_or(Failure::Unauthorized)?;
    json(StatusCode::OK, &TokenJson::listed(&view))
}

/// PATCH of one token.
pub(super) async fn update(
    Manager(account): Manager,
    Name(name): Name,
    State(state): State<AdminState>,
    WholeBody(body): WholeBody,
) -> Result<Response, Failure> {
    let token = state.ledger.token(&account, &name).await?.ok_or(Failure::NotFound)?;
    let (patch, mut errors) = match fields::patch(&body) {
        Ok(patch) => (patch, FieldErrors::default()),
        Err(RefusedPatch { patch, errors }) => (patch, errors),
    };
    fields::check_against(&patch, &token, &mut errors);
    // With something wrong already, the ledger only says what else is: all errors come back together.
    let dry_run = !errors.is_empty();
    match state.ledger.update_token(&account, &name, patch, dry_run).await? {
        None => return Err(Failure::NotFound),
        Some(Ok(view)) if !dry_run => {
            tracing::info!(%account, token = %view.name, "token updated");
            return json(StatusCode::OK, &TokenJson::listed(&view));
        }
        Some(Ok(_)) => {}
        Some(Err(rules)) => rules.into_iter().for_each(|rule| errors.add_rule(rule)),
    }
    Err(errors.into())
}

/// DELETE of one token.
pub(super) async fn delete(Manager(account): Manager, Name(name): Name, State(state): State<AdminState>) -> Result<Response, Failure> {
    if !state.ledger.delete_token(&account, &name).await? {
        return Err(Failure::NotFound);
    }
    tracing::info!(%account, token = %name, "token deleted");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// POST to a token's `rotate`: the same token, a new secret.
pub(super) async fn rotate(
    Manager(account): Manager,
    Name(name): Name,
    State(state): State<AdminState>,
    WholeBody(body): WholeBody,
) -> Result<Response, Failure> {
    let token = state.ledger.token(&account, &name).await?.ok_or(Failure::NotFound)?;
    let grace = fields::rotate(&body)?;
    let secret = generate(token.kind)?;
    let view = state.ledger.rotate_token(&account, &name, &secret, grace).await?.ok_or(Failure::NotFound)?;
    tracing::info!(%account, token = %view.name, grace_seconds = grace.as_secs(), "token rotated");
    json(StatusCode::OK, &TokenJson::created(&view, &secret))
}

fn generate(kind: TokenKind) -> Result<Secret, Failure> {
    Secret::generate(kind.secret_kind()).map_err(|error| {
        tracing::error!(%error, "the system has no randomness to give");
        Failure::Internal("no secret could be generated")
    })
}

fn rule_errors(rules: Vec<TokenRuleError>) -> Failure {
    let mut errors = FieldErrors::default();
    rules.into_iter().for_each(|rule| errors.add_rule(rule));
    errors.into()
}
