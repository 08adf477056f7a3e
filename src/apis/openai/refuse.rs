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
    budget: Option<Budget<'a>>,
}

#[derive(Serialize)]
struct Budget<'a> {
    scope: &'static str,
    name: &'a str,
    balance: String,
    held: String,
    asked: String,
    resets_at: Option<String>,
}

/// The JSON body.
pub(in crate::apis) fn body(refusal: &Refusal, request_id: Option<&str>) -> Bytes {
    let body = Body {
        error: ErrorBody {
            message: &refusal.message,
            r#type: refusal.kind.openai_type(),
            param: refusal.param.as_deref(),
            code: refusal.code,
            budget: refusal.budget.as_ref().map(Budget::from),
        },
        message: &refusal.message,
        request_id,
    };
    // Strings and options only: this cannot fail.
    serde_json::to_vec(&body).map(Bytes::from).unwrap_or_default()
}

impl<'a> From<&'a BudgetBody> for Budget<'a> {
    fn from(budget: &'a BudgetBody) -> Self {
        Self {
            scope: budget.scope,
            name: &budget.name,
            balance: budget.balance.to_string(),
            held: budget.held.to_string(),
            asked: budget.asked.to_string(),
            resets_at: budget.resets_at.map(|at| at.to_string()),
        }
    }
}
