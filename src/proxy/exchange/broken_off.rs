//! Answers that do not come to their end.

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
