//! A refusal in Google's shape. SDKs raise by the status; `details` tells programs refusals apart, as Google's own errors do, by the same code as
//! in every other API.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::apis::{BudgetBody, Refusal, RefusalKind};

/// The JSON body.
pub(super) fn body(refusal: &Refusal, request_id: Option<&str>) -> Bytes {
    let mut metadata = Map::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            metadata.insert(name.to_owned(), Value::String(value));
        }
    };
    put("code", Some(refusal.code.to_owned()));
    put("param", refusal.param.clone());
    put("request_id", request_id.map(str::to_owned));
    if let Some(BudgetBody { scope, name, balance, held, asked, resets_at }) = &refusal.budget {
        put("scope", Some((*scope).to_owned()));
        put("name", Some(name.clone()));
        put("balance", Some(balance.to_string()));
        put("held", Some(held.to_string()));
        put("asked", Some(asked.to_string()));
        put("resets_at", resets_at.map(|at| at.to_string()));
    }
    let mut details = vec![json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": refusal.code.to_ascii_uppercase(),
        "domain": "spendgate",
        "metadata": metadata,
    })];
    if let Some(after) = refusal.retry_after {
        details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{}s", after.as_millis().div_ceil(1000).max(1))}));
    }
    error(refusal.status.as_u16(), &refusal.message, status(refusal.kind), Some(details))
}

/// An error as Google writes it.
pub(super) fn error(code: u16, message: &str, status: &str, details: Option<Vec<Value>>) -> Bytes {
    let mut error = json!({"code": code, "message": message, "status": status});
    if let (Value::Object(error), Some(details)) = (&mut error, details) {
        error.insert("details".to_owned(), Value::Array(details));
    }
    Bytes::from(json!({"error": error}).to_string())
}

/// The name of the status, as Google maps kinds of errors (its guide "Errors", of the Cloud APIs).
const fn status(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::InvalidToken | RefusalKind::TokenExpired => "UNAUTHENTICATED",
        RefusalKind::BudgetExhausted | RefusalKind::BudgetHeld | RefusalKind::RateLimited => "RESOURCE_EXHAUSTED",
        RefusalKind::ModelNotPriced | RefusalKind::ModelNotAllowed => "PERMISSION_DENIED",
        RefusalKind::RouteNotFound => "NOT_FOUND",
        RefusalKind::InvalidRequest | RefusalKind::RequestTooLarge | RefusalKind::UnsupportedEncoding => "INVALID_ARGUMENT",
        RefusalKind::LedgerUnavailable | RefusalKind::UpstreamUnavailable | RefusalKind::UpstreamError => "UNAVAILABLE",
        RefusalKind::UpstreamTimeout => "DEADLINE_EXCEEDED",
    }
}
