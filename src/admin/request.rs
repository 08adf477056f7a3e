//! What handlers take out of a request besides the caller: the body under a cap, and the token's name out of the path.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use bytes::Bytes;
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::AdminState;
use super::respond::Failure;

/// The largest body of this API, in bytes. The longest legal one is a few kilobytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A whole body. Taken last by a handler, so that it is read only for a caller who is known.
pub(super) struct WholeBody(pub(super) Bytes);

/// A token's name, percent-decoded.
pub(super) struct Name(pub(super) String);

// === impl WholeBody ===

impl FromRequest<AdminState> for WholeBody {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &AdminState) -> Result<Self, Failure> {
        match Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await {
            Ok(body) => Ok(Self(body.to_bytes())),
            Err(error) if is_too_large(error.as_ref()) => Err(Failure::TooLarge(MAX_BODY_BYTES)),
            Err(_) => Err(Failure::BrokenBody),
        }
    }
}

fn is_too_large(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<LengthLimitError>() || error.source().is_some_and(is_too_large)
}

// === impl Name ===

impl FromRequestParts<AdminState> for Name {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Failure> {
        // What does not decode to UTF-8 cannot be the name of any token.
        Path::<String>::from_request_parts(parts, state).await.map(|Path(name)| Self(name)).map_err(|_| Failure::NotFound)
    }
}
