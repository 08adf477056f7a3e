//! Refusals: every way in which the gateway itself says no, and how it is put to HTTP. An [`Api`](super::Api) gives it its shape.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{AskError, NoOperation};
use crate::money::Usd;

/// Why the gateway says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalKind {
    /// No secret, or one that is malformed, unknown or revoked.
    InvalidToken,
    /// The token's time is over.
    TokenExpired,
    /// A budget is spent.
    BudgetExhausted,
    /// The balance would do, but requests in flight hold it.
    BudgetHeld,
    /// Too many requests.
    RateLimited,
    /// The model has no price.
    ModelNotPriced,
    /// The token or the route does not allow the model.
    ModelNotAllowed,
    /// No such route, or no such operation below it.
    RouteNotFound,
    /// A request that cannot be priced.
    InvalidRequest,
    /// The body is too large.
    RequestTooLarge,
    /// The body comes in an encoding that the gateway does not undo.
    UnsupportedEncoding,
    /// The ledger cannot be reached.
    LedgerUnavailable,
    /// The upstream is off.
    UpstreamUnavailable,
    /// The upstream cannot be reached.
    UpstreamError,
    /// The upstream does not answer in time.
    UpstreamTimeout,
}

/// What a kind of refusal is to HTTP and to SDKs.
struct Row {
    status: StatusCode,
    code: &'static str,
    openai_type: &'static str,
    should_retry: Option<bool>,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// What programs tell refusals apart by. Also a metric's `outcome`.
    pub code: &'static str,
    /// Why.
    pub kind: RefusalKind,
    /// The same for people.
    pub message: String,
    /// The member of the request that is to blame.
    pub param: Option<String>,
    /// The budget that stands in the way.
    pub budget: Option<BudgetBody>,
    /// When to come back.
    pub retry_after: Option<Duration>,
}

/// The budget that stands in the way. As JSON its amounts are texts, in dollars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BudgetBody {
    /// `token` or `account`.
    pub scope: &'static str,
    /// Its name.
    pub name: String,
    /// What is left.
    #[serde(serialize_with = "as_text")]
    pub balance: Usd,
    /// What requests in flight hold.
    #[serde(serialize_with = "as_text")]
    pub held: Usd,
    /// What this request needs at least.
    #[serde(serialize_with = "as_text")]
    pub asked: Usd,
    /// When the balance is next set anew.
    #[serde(serialize_with = "as_text_or_null")]
    pub resets_at: Option<Timestamp>,
}

/// How soon a request is worth repeating when others in flight hold the money.
const HELD_RETRY: Duration = Duration::from_secs(1);

/// How soon a request is worth repeating when the ledger or the upstream is away.
const AWAY_RETRY: Duration = Duration::from_secs(2);

// === impl RefusalKind ===

impl RefusalKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::InvalidToken,
        Self::TokenExpired,
        Self::BudgetExhausted,
        Self::BudgetHeld,
        Self::RateLimited,
        Self::ModelNotPriced,
        Self::ModelNotAllowed,
        Self::RouteNotFound,
        Self::InvalidRequest,
        Self::RequestTooLarge,
        Self::UnsupportedEncoding,
        Self::LedgerUnavailable,
        Self::UpstreamUnavailable,
        Self::UpstreamError,
        Self::UpstreamTimeout,
    ];

    /// The one table of statuses, codes and types. SDKs repeat a 5xx by themselves, so where the provider may have served and billed
    /// the call already, they are told not to.
    const fn row(self) -> Row {
        let (status, code, openai_type, should_retry) = match self {
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "invalid_token", "authentication_error", None),
            Self::TokenExpired => (StatusCode::UNAUTHORIZED, "token_expired", "authentication_error", None),
            Self::BudgetExhausted => (StatusCode::PAYMENT_REQUIRED, "budget_exhausted", "insufficient_quota", Some(false)),
            Self::BudgetHeld => (StatusCode::TOO_MANY_REQUESTS, "budget_held", "rate_limit_error", None),
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limited", "rate_limit_error", None),
            Self::ModelNotPriced => (StatusCode::FORBIDDEN, "model_not_priced", "permission_error", None),
            Self::ModelNotAllowed => (StatusCode::FORBIDDEN, "model_not_allowed", "permission_error", None),
            Self::RouteNotFound => (StatusCode::NOT_FOUND, "route_not_found", "invalid_request_error", None),
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid_request", "invalid_request_error", None),
            Self::RequestTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", "invalid_request_error", None),
            Self::UnsupportedEncoding => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", "invalid_request_error", None),
            Self::LedgerUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "ledger_unavailable", "api_error", None),
            Self::UpstreamUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "upstream_unavailable", "api_error", None),
            Self::UpstreamError => (StatusCode::BAD_GATEWAY, "upstream_error", "api_error", Some(false)),
            Self::UpstreamTimeout => (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", "api_error", Some(false)),
        };
        Row { status, code, openai_type, should_retry }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.row().status
    }

    /// What programs tell refusals apart by.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.row().code
    }

    /// `error.type` in OpenAI's shape.
    #[must_use]
    pub const fn openai_type(self) -> &'static str {
        self.row().openai_type
    }

    /// The header `x-should-retry`, where it is sent.
    #[must_use]
    pub const fn should_retry(self) -> Option<bool> {
        self.row().should_retry
    }
}

// === impl Refusal ===

impl Refusal {
    /// A refusal of that kind.
    #[must_use]
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { status: kind.status(), code: kind.code(), kind, message: message.into(), param: None, budget: None, retry_after: None }
    }

    /// The same, with the member of the request that is to blame.
    #[must_use]
    pub fn with_param(mut self, param: Option<String>) -> Self {
        self.param = param;
        self
    }

    /// The same, with the time to wait.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// No secret, or one that is malformed, unknown or revoked: all are told the same.
    #[must_use]
    pub fn invalid_token() -> Self {
        Self::new(RefusalKind::InvalidToken, "The API key is missing, malformed, unknown or revoked.")
    }

    /// The token's time is over.
    #[must_use]
    pub fn token_expired(token: &str, since: Timestamp) -> Self {
        Self::new(RefusalKind::TokenExpired, format!("Token '{token}' expired at {since}."))
    }

    /// A budget is spent.
    #[must_use]
    pub fn budget_exhausted(budget: BudgetBody) -> Self {
        let message = format!(
            "{} '{}' has {} left of its budget; this request needs at least {}.",
            budget.title(),
            budget.name,
            dollars(budget.balance),
            dollars(budget.asked)
        );
        Self { budget: Some(budget), ..Self::new(RefusalKind::BudgetExhausted, message) }
    }

    /// The balance would do, but requests in flight hold it.
    #[must_use]
    pub fn budget_held(budget: BudgetBody) -> Self {
        let message = format!(
            "{} '{}' has {} left of its budget, of which requests in flight hold {}; this request needs at least {}. Try again shortly.",
            budget.title(),
            budget.name,
            dollars(budget.balance),
            dollars(budget.held),
            dollars(budget.asked)
        );
        Self { budget: Some(budget), ..Self::new(RefusalKind::BudgetHeld, message) }.with_retry_after(HELD_RETRY)
    }

    /// Too many requests.
    #[must_use]
    pub fn rate_limited(message: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(RefusalKind::RateLimited, message).with_retry_after(retry_after)
    }

    /// The model has no price.
    #[must_use]
    pub fn model_not_priced(model: &str) -> Self {
        let message =
            format!("Model '{model}' has no price, so what it costs cannot be held against a budget. Add it to prices.toml, or set a price on its route.");
        Self::new(RefusalKind::ModelNotPriced, message).with_param(Some("model".to_owned()))
    }

    /// The token or the route does not allow the model.
    #[must_use]
    pub fn model_not_allowed(model: &str) -> Self {
        Self::new(RefusalKind::ModelNotAllowed, format!("Model '{model}' is not allowed here.")).with_param(Some("model".to_owned()))
    }

    /// No such route, or no such operation below it.
    #[must_use]
    pub fn route_not_found(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::RouteNotFound, message)
    }

    /// A request that cannot be priced.
    #[must_use]
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::InvalidRequest, message)
    }

    /// The body is too large.
    #[must_use]
    pub fn request_too_large(limit_bytes: u64) -> Self {
        Self::new(RefusalKind::RequestTooLarge, format!("The body is larger than {limit_bytes} bytes."))
    }

    /// The body comes in an encoding that the gateway does not undo.
    #[must_use]
    pub fn unsupported_encoding() -> Self {
        Self::new(RefusalKind::UnsupportedEncoding, "The body's content-encoding is not supported; send it as it is.")
    }

    /// The ledger cannot be reached.
    #[must_use]
    pub fn ledger_unavailable() -> Self {
        Self::new(RefusalKind::LedgerUnavailable, "The ledger cannot be reached, so nothing is admitted. Try again shortly.").with_retry_after(AWAY_RETRY)
    }

    /// The upstream is off.
    #[must_use]
    pub fn upstream_unavailable(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::UpstreamUnavailable, message).with_retry_after(AWAY_RETRY)
    }

    /// The upstream cannot be reached.
    #[must_use]
    pub fn upstream_error(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::UpstreamError, message)
    }

    /// The upstream does not answer in time.
    #[must_use]
    pub fn upstream_timeout(message: impl Into<String>) -> Self {
        Self::new(RefusalKind::UpstreamTimeout, message)
    }

    /// Whether the connection is closed after it: what is left of a body that was not read could be taken for a request.
    #[must_use]
    pub const fn closes_connection(&self) -> bool {
        matches!(self.kind, RefusalKind::InvalidRequest | RefusalKind::RequestTooLarge | RefusalKind::UnsupportedEncoding)
    }

    /// The header `x-should-retry`, where it is sent.
    #[must_use]
    pub const fn should_retry(&self) -> Option<bool> {
        self.kind.should_retry()
    }
}

impl From<AskError> for Refusal {
    fn from(error: AskError) -> Self {
        Self::new(RefusalKind::InvalidRequest, error.message).with_param(error.param)
    }
}

impl From<NoOperation> for Refusal {
    fn from(error: NoOperation) -> Self {
        Self::route_not_found(error.message)
    }
}

// === impl BudgetBody ===

impl BudgetBody {
    fn title(&self) -> &'static str {
        if self.scope == "account" { "Account" } else { "Token" }
    }
}

/// `$0.000012000`, `-$1.500000000`.
fn dollars(amount: Usd) -> String {
    let text = amount.to_string();
    match text.strip_prefix('-') {
        Some(digits) => format!("-${digits}"),
        None => format!("${text}"),
    }
}

fn as_text<S: Serializer>(amount: &Usd, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

#[allow(clippy::ref_option, reason = "serde calls it so")]
fn as_text_or_null<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
