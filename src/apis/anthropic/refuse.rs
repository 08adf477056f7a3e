//! A refusal in Anthropic's shape. SDKs raise by the status; `code` tells refusals apart as it does in every other API.

use bytes::Bytes;
use serde::Serialize;

use crate::apis::{BudgetBody, Refusal, RefusalKind};

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    error: ErrorBody<'a>,
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    r#type: &'static str,
    message: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<&'a BudgetBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

/// What Anthropic's SDKs read to go on by themselves.
#[derive(Serialize)]
struct Details {
    error_code: &'static str,
    unsupported: [&'static str; 1],
}

/// The tool runner of Anthropic's JavaScript SDK has the provider hold the conversation unless it is told that this cannot be (its
/// `ThreadState`, `recoversFrom`): then it sends the request again, with the whole conversation and without the field.
const NO_THREADS: Details = Details { error_code: "thread_unsupported_request", unsupported: ["gateway"] };

/// The JSON body.
pub(super) fn body(refusal: &Refusal, request_id: Option<&str>) -> Bytes {
    let body = Body {
        r#type: "error",
        error: ErrorBody {
            r#type: error_type(refusal.kind),
            message: &refusal.message,
            code: refusal.code,
            param: refusal.param.as_deref(),
            budget: refusal.budget.as_ref(),
            details: (refusal.param.as_deref() == Some("thread")).then_some(NO_THREADS),
        },
        request_id,
    };
    // Strings and options only: this cannot fail.
    serde_json::to_vec(&body).map(Bytes::from).unwrap_or_default()
}

/// `error.type`, as Anthropic names it for the same status.
const fn error_type(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::InvalidToken | RefusalKind::TokenExpired => "authentication_error",
        RefusalKind::BudgetExhausted => "billing_error",
        RefusalKind::BudgetHeld | RefusalKind::RateLimited => "rate_limit_error",
        RefusalKind::ModelNotPriced | RefusalKind::ModelNotAllowed => "permission_error",
        RefusalKind::RouteNotFound => "not_found_error",
        RefusalKind::InvalidRequest | RefusalKind::RequestTooLarge | RefusalKind::UnsupportedEncoding => "invalid_request_error",
        RefusalKind::LedgerUnavailable | RefusalKind::UpstreamUnavailable | RefusalKind::UpstreamError => "api_error",
        RefusalKind::UpstreamTimeout => "timeout_error",
    }
}
