//! A parameter as a client gave it: a member of a JSON body, or a field of a form, where everything is text.

use std::borrow::Cow;

use super::fields::{Added, Field};
use crate::apis::json::{Kind, Scanner};
use crate::apis::multipart::FormError;
use crate::apis::read::{self, short};
use crate::apis::{AskError, AskErrorKind};

/// The value of one parameter.
pub(super) enum Given<'s, 'a> {
    /// What comes next in a JSON body.
    Json(&'s mut Scanner<'a>),
    /// The value of a field.
    Form(&'a str),
}

// === impl Given ===

impl<'a> Given<'_, 'a> {
    /// A text.
    pub(super) fn text(self, param: &'static str) -> Result<Cow<'a, str>, AskError> {
        let wrong = || AskError::invalid(param, format!("'{param}' must be a string"));
        match self {
            Self::Json(scanner) => {
                if scanner.kind()? == Kind::String {
                    scanner.string()?.decode().ok_or_else(wrong)
                } else {
                    Err(wrong())
                }
            }
            Self::Form(text) => Ok(Cow::Borrowed(text)),
        }
    }

    /// The name of a model.
    pub(super) fn model(self) -> Result<String, AskError> {
        match self {
            Self::Json(scanner) => read::model(scanner),
            Self::Form(text) => read::model_name(text),
        }
    }

    /// A whole number of plain digits.
    pub(super) fn integer(self, param: &'static str, least: u64, most: u64) -> Result<u64, AskError> {
        let wrong = || AskError::invalid(param, format!("'{param}' must be a whole number from {least} to {most}"));
        let number = match self {
            Self::Json(scanner) => read::integer(scanner, param, most)?,
            Self::Form(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().map_err(|_| wrong())?,
            Self::Form(_) => return Err(wrong()),
        };
        if (least..=most).contains(&number) { Ok(number) } else { Err(wrong()) }
    }

    /// True or false.
    pub(super) fn boolean(self, param: &'static str) -> Result<bool, AskError> {
        match self {
            Self::Json(scanner) => read::boolean(scanner, param),
            Self::Form("true") => Ok(true),
            Self::Form("false") => Ok(false),
            Self::Form(_) => Err(AskError::invalid(param, format!("'{param}' must be true or false"))),
        }
    }

    /// Steps over it.
    pub(super) fn skip(self) -> Result<(), AskError> {
        match self {
            Self::Json(scanner) => Ok(scanner.skip()?),
            Self::Form(_) => Ok(()),
        }
    }
}

impl From<FormError> for AskError {
    fn from(error: FormError) -> Self {
        Self::invalid(None, error.to_string())
    }
}

/// Whether a parameter is one that is added to OpenAI's and costs nothing.
pub(super) fn is_added(added: Option<Added>, key: &str) -> Result<bool, AskError> {
    match added.and_then(|added| added(key)) {
        Some(Field::Refused(reason)) => Err(refused(key, reason)),
        added => Ok(added.is_some()),
    }
}

/// The refusal of a parameter that is not known; `known` tells whether another name is.
pub(super) fn unknown(key: &str, known: impl Fn(&str) -> bool) -> AskError {
    let key = short(key);
    let lower = key.to_ascii_lowercase();
    if lower != key && known(&lower) {
        return AskError { message: format!("'{key}' must be written '{lower}'"), param: Some(key), kind: AskErrorKind::Invalid };
    }
    let message = format!("'{key}' is not known to this gateway, so what it costs cannot be bounded; leave it out");
    AskError::unsupported(key, message)
}

/// The refusal of a parameter that is known and cannot be priced.
pub(super) fn refused(key: &str, reason: &str) -> AskError {
    AskError::unsupported(key, format!("'{key}' cannot be priced: {reason}"))
}
