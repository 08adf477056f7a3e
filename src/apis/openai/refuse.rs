//! A refusal in OpenAI's shape. The members beside `error` make it readable to the SDKs of Mistral and Cohere too.

use bytes::Bytes;
use serde::Serialize;

use crate::apis::{BudgetBody, Refusal};

#[derive(Serialize)]
struct Body<'a> {
    error: ErrorBody<'a>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<&'a BudgetBody>,
}

/// The JSON body.
pub(in crate::apis) fn body(refusal: &Refusal, request_id: Option<&str>) -> Bytes {
    let body = Body {
        error: ErrorBody {
            message: &refusal.message,
            r#type: refusal.kind.openai_type(),
            param: refusal.param.as_deref(),
            code: refusal.code,
            budget: refusal.budget.as_ref(),
        },
        message: &refusal.message,
        request_id,
    };
    // Strings and options only: this cannot fail.
    serde_json::to_vec(&body).map(Bytes::from).unwrap_or_default()
}
