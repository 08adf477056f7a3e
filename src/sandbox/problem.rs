//! Errors as the provider words them: the 400 of a bad request, and the error that a `status` fault asks for.

use serde_json::Value;

/// One error answer. Each API gives it its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub(crate) status: u16,
    pub(crate) message: String,
    /// As OpenAI names kinds of errors.
    pub(crate) kind: &'static str,
    pub(crate) param: Option<String>,
    pub(crate) code: Option<&'static str>,
}

// === impl Problem ===

impl Problem {
    /// A 400 that names the parameter.
    pub(crate) fn invalid(message: impl Into<String>, param: Option<&str>, code: Option<&'static str>) -> Self {
        Self { status: 400, message: message.into(), kind: "invalid_request_error", param: param.map(str::to_owned), code }
    }

    /// A parameter is not there.
    pub(crate) fn missing(param: &str) -> Self {
        Self::invalid(format!("Missing required parameter: '{param}'."), Some(param), Some("missing_required_parameter"))
    }

    /// A parameter has the wrong JSON type; `expected` as in "an array of objects".
    pub(crate) fn wrong_type(param: &str, expected: &str, got: &Value) -> Self {
        let got = type_name(got);
        Self::invalid(format!("Invalid type for '{param}': expected {expected}, but got {got} instead."), Some(param), Some("invalid_type"))
    }

    /// A parameter has the right type, but not a value that is known.
    pub(crate) fn unknown_value(param: &str, got: &str, known: &[&str]) -> Self {
        let known = known.iter().map(|value| format!("'{value}'")).collect::<Vec<_>>().join(", ");
        let got: String = got.chars().take(64).collect();
        Self::invalid(format!("Invalid value: '{got}'. Supported values are: {known}."), Some(param), Some("invalid_value"))
    }

    /// The request body is not a JSON object.
    pub(crate) fn not_json(reason: &str) -> Self {
        Self::invalid(format!("The body of the request is not a valid JSON object: {reason}."), None, None)
    }

    /// No such model.
    pub(crate) fn no_such_model(id: &str) -> Self {
        let id: String = id.chars().take(128).collect();
        Self {
            status: 404,
            message: format!("The model '{id}' does not exist."),
            kind: "invalid_request_error",
            param: Some("model".to_owned()),
            code: Some("model_not_found"),
        }
    }

    /// An error of the stand-alone service itself.
    pub(crate) fn service(status: u16, message: impl Into<String>, code: &'static str) -> Self {
        Self { status, message: message.into(), kind: "invalid_request_error", param: None, code: Some(code) }
    }

    /// What the provider would send with `status`, for the fault of that name.
    pub(crate) fn of_status(status: u16) -> Self {
        let (kind, code, what) = match status {
            401 => ("invalid_request_error", Some("invalid_api_key"), "Incorrect API key provided"),
            402 => ("insufficient_quota", Some("insufficient_quota"), "The account has no credit left"),
            403 => ("permission_error", Some("permission_denied"), "The API key may not do this"),
            404 => ("invalid_request_error", Some("model_not_found"), "The model does not exist"),
            408 => ("timeout", Some("request_timeout"), "The request timed out"),
            409 => ("conflict_error", Some("conflict"), "The resource was changed by another request"),
            413 => ("invalid_request_error", Some("request_too_large"), "The request is too large"),
            422 => ("invalid_request_error", Some("unprocessable_entity"), "The request was understood but cannot be followed"),
            429 => ("requests", Some("rate_limit_exceeded"), "Rate limit reached for requests"),
            503 => ("service_unavailable_error", Some("service_unavailable"), "The service is overloaded or not ready"),
            504 => ("server_error", Some("gateway_timeout"), "The server took too long to answer"),
            529 => ("overloaded_error", Some("overloaded"), "The service is overloaded"),
            400..=499 => ("invalid_request_error", None, "The request was refused"),
            _ => ("server_error", None, "The server had an error while processing the request"),
        };
        Self { status, message: format!("Simulated error {status}: {what}."), kind, param: None, code }
    }
}

/// The JSON type of a value, with its article.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
