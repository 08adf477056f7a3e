//! What a client asks for, as an operation reads it; and why it cannot be priced.

use bytes::Bytes;

use crate::prices::Bound;

use super::json::JsonError;
use super::splice::Edits;

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The model as the client names it. Empty where the operation has none.
    pub model: String,
    /// The most that it can consume.
    pub bound: Bound,
    /// True when the answer is a stream of events.
    pub stream: bool,
    /// The service tier asked for.
    pub service_tier: Option<String>,
    /// Output that can be billed and does not show in the stream, such as reasoning that the provider keeps to itself.
    pub unseen: UnseenOutput,
    /// The client itself asked for the usage at the end of a stream.
    pub(crate) asked_usage: bool,
    /// What changes in the body on its way to the provider.
    pub(crate) edits: Edits,
}

/// How much output of a stream can be billed beside what its bytes show. While it streams, [`super::Measured::served_output`] is at least all the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnseenOutput {
    /// At most so many tokens; zero where all that is billed is shown.
    UpTo(u64),
    /// Any number, up to the output limit.
    Any,
}

/// Why a request cannot be priced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AskError {
    /// The member that is to blame.
    pub param: Option<String>,
    /// What is wrong, and what would be right.
    pub message: String,
    /// Whose fault it is.
    pub kind: AskErrorKind,
}

/// Whose fault a refused request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskErrorKind {
    /// The body is malformed.
    Invalid,
    /// The provider would take it; the gateway cannot bound what it costs.
    Unsupported,
}

// === impl Ask ===

impl Ask {
    /// What an operation asks for that costs nothing.
    pub(crate) fn free(model: String) -> Self {
        Self { model, bound: Bound::default(), stream: false, service_tier: None, unseen: UnseenOutput::Any, asked_usage: false, edits: Edits::default() }
    }

    /// The body for the provider: the client's own bytes with the output limit set where one is given, and usage asked for on a
    /// stream. The same `Bytes` where nothing changes.
    #[must_use]
    pub fn upstream_body(&self, body: &Bytes, output_limit: Option<u64>) -> Bytes {
        self.edits.apply(body, output_limit)
    }

    /// Whether [`Ask::upstream_body`] can set an output limit.
    #[must_use]
    pub fn clampable(&self) -> bool {
        self.edits.has_limit()
    }
}

// === impl AskError ===

impl AskError {
    /// The body is malformed.
    pub(crate) fn invalid(param: impl Into<Option<&'static str>>, message: impl Into<String>) -> Self {
        Self { param: param.into().map(str::to_owned), message: message.into(), kind: AskErrorKind::Invalid }
    }

    /// The gateway cannot bound what `param` costs.
    pub(crate) fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { param: Some(param.into()), message: message.into(), kind: AskErrorKind::Unsupported }
    }
}

impl From<JsonError> for AskError {
    fn from(error: JsonError) -> Self {
        Self::invalid(None, error.to_string())
    }
}
