//! Answers that do not come to their end.

use std::error::Error;

use hyper_util::client::legacy::Error as ClientError;

/// Why an answer is broken off for the client too, never ended cleanly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::proxy) enum BrokenOff {
    #[error("the provider broke off")]
    ByProvider,
    #[error("the provider stopped answering")]
    TimedOut,
    #[error("the budget is spent")]
    Spent,
    #[error("the charge could not be made durable")]
    NotDurable,
}

/// Whether something was answered that is no response, and not nothing.
pub(super) fn is_unreadable(error: &ClientError) -> bool {
    error.source().and_then(|cause| cause.downcast_ref::<hyper::Error>()).is_some_and(hyper::Error::is_parse)
}
