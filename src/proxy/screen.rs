//! screen: what no honest client sends is refused before anything else looks at it.

use http::header::{CONTENT_ENCODING, UPGRADE};
use http::{HeaderMap, Method, Request};
use hyper::body::Incoming;

use crate::apis::{self, Refusal};

use super::{Peer, Refused};

/// A request whose framing, method and path are plain.
pub(super) struct Screened {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Incoming,
}

/// Checks framing, method and path.
pub(super) fn screen(request: Request<Incoming>, peer: Peer) -> Result<Screened, Box<Refused>> {
    let (head, body) = request.into_parts();
    let api = apis::fallback(&head.headers, head.uri.query());
    let refuse = |message: &str| Refused::new(api, Refusal::invalid_request(message));
    if peer.oddly_framed() {
        return Err(refuse(
            "The request's framing is ambiguous: send exactly one Content-Length or one \"Transfer-Encoding: chunked\", and end every line with CR LF.",
        ));
    }
    if head.method == Method::CONNECT || head.headers.contains_key(UPGRADE) {
        return Err(refuse("Connections cannot be upgraded or tunnelled here."));
    }
    if head.headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refused::new(api, Refusal::unsupported_encoding()));
    }
    let path = head.uri.path();
    if !plain_path(path) {
        return Err(Refused::new(api, Refusal::route_not_found(format!("There is no route for {path:?}."))));
    }
    Ok(Screened { path: path.to_owned(), query: head.uri.query().map(str::to_owned), method: head.method, headers: head.headers, body })
}

/// False for a path that a server behind us may read as another one.
fn plain_path(path: &str) -> bool {
    let hidden = |coded: &[u8]| [&b"2e"[..], b"2f", b"5c", b"00", b"25", b"3b"].iter().any(|code| coded.eq_ignore_ascii_case(code));
    let bytes = path.as_bytes();
    bytes.first() == Some(&b'/')
        && !path.contains("//")
        && !path.split('/').any(|segment| segment == "." || segment == "..")
        && !bytes.iter().any(|byte| matches!(byte, b';' | b'\\' | 0..=0x20 | 0x7f..))
        && !bytes.windows(3).any(|window| window.first() == Some(&b'%') && hidden(window.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::plain_path;

    #[test]
    fn paths_that_can_be_read_in_two_ways_are_not_plain() {
        for path in ["/v1/chat/completions", "/ocr", "/files/a%20b", "/v1/models/gpt-4o"] {
            assert!(plain_path(path), "{path}");
        }
        for path in ["//v1/x", "/v1//x", "/./v1", "/v1/../x", "/v1/..", "/v1/%2e%2e/x", "/v1%2Fx", "/v1;x/y", "/v1/%00", "/v1/\\x", "/%252e", "*", ""] {
            assert!(!plain_path(path), "{path}");
        }
    }
}
