//! Answers: the one place where a failure gets its status and its body.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::ledger::LedgerError;
use crate::money::MoneyError;
use crate::tokens::fields::FieldErrors;

/// Why a call did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// No secret, or one that is not known.
    Unauthorized,
    /// A custom token where the main key is needed.
    Forbidden,
    /// No such token, or no such path.
    NotFound,
    /// The path exists, the method does not. The router adds which do.
    MethodNotAllowed,
    /// What is wrong with the request, by field.
    Invalid(FieldErrors),
    /// The body is beyond the cap, in bytes.
    TooLarge(usize),
    /// The body broke off.
    BrokenBody,
    /// The ledger could not answer.
    Ledger(LedgerError),
    /// Something that should not happen did, at this stage.
    Internal(&'static str),
}

/// A JSON answer, written as it is: amounts stand in it as [`super::money_json`] spelled them.
pub(super) fn json<T: Serialize>(status: StatusCode, body: &T) -> Result<Response, Failure> {
    let bytes = serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        Failure::Internal("an answer could not be written")
    })?;
    Ok(with_json(status, bytes))
}

fn with_json(status: StatusCode, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Balances and, on create and rotate, secrets: nothing between here and the client may keep them.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

// === impl Failure ===

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.answer().unwrap_or_else(|_| with_json(StatusCode::INTERNAL_SERVER_ERROR, Vec::new()));
        match response.status() {
            StatusCode::SERVICE_UNAVAILABLE => response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1")),
            StatusCode::UNAUTHORIZED => response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            _ => None,
        };
        response
    }
}

impl Failure {
    /// Status and body.
    fn answer(self) -> Result<Response, Self> {
        match self {
            Self::Unauthorized => json(StatusCode::UNAUTHORIZED, &json!({ "detail": "Invalid token" })),
            Self::Forbidden => typed(StatusCode::FORBIDDEN, "permission_error", "You do not have permission to manage tokens"),
            Self::NotFound => json(StatusCode::NOT_FOUND, &json!({ "details": "Not Found" })),
            Self::MethodNotAllowed => json(StatusCode::METHOD_NOT_ALLOWED, &json!({ "detail": "Method not allowed" })),
            Self::Invalid(errors) => typed(StatusCode::BAD_REQUEST, VALIDATION, errors),
            Self::TooLarge(cap) => {
                typed(StatusCode::PAYLOAD_TOO_LARGE, VALIDATION, FieldErrors::of(FieldErrors::WHOLE, format!("The body is larger than {cap} bytes.")))
            }
            Self::BrokenBody => typed(StatusCode::BAD_REQUEST, VALIDATION, FieldErrors::of(FieldErrors::WHOLE, "The body ended early.")),
            Self::Ledger(cause) => {
                tracing::error!(error = %cause, "the token API could not reach the ledger");
                typed(StatusCode::SERVICE_UNAVAILABLE, "ledger_unavailable", "The ledger cannot be reached. Try again.")
            }
            Self::Internal(what) => typed(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", what),
        }
    }
}

const VALIDATION: &str = "validation_error";

/// `{"error":{"type":..,"message":..}}`: the form of most failures.
fn typed<T: Serialize>(status: StatusCode, kind: &'static str, message: T) -> Result<Response, Failure> {
    #[derive(Serialize)]
    struct Outer<T> {
        error: Inner<T>,
    }
    #[derive(Serialize)]
    struct Inner<T> {
        #[serde(rename = "type")]
        kind: &'static str,
        message: T,
    }
    json(status, &Outer { error: Inner { kind, message } })
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<FieldErrors> for Failure {
    fn from(errors: FieldErrors) -> Self {
        Self::Invalid(errors)
    }
}

impl From<MoneyError> for Failure {
    fn from(_: MoneyError) -> Self {
        Self::Internal("a sum is beyond the largest amount that can be counted; ask for a shorter range")
    }
}
