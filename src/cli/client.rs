//! A small client of the HTTP API, and its errors in words that say what to do.
//!
//! The key comes from the environment alone: arguments can be read by every user of the machine, and stay in the shell's history.

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

/// The environment variable that holds the main API key.
pub const KEY_VARIABLE: &str = "SPENDGATE_API_KEY";
/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where the gateway is.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    /// The gateway's address. The main API key is read from SPENDGATE_API_KEY
    #[arg(long, env = "SPENDGATE_URL", default_value = "http://127.0.0.1:8080", global = true, display_order = 900)]
    pub url: String,
}

/// A connection to a gateway, with the key to it.
pub struct Client {
    base: String,
    authorization: HeaderValue,
    http: HttpClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No key in the environment.
    #[error("{KEY_VARIABLE} is not set: put the account's main API key (sg_main_...) there. The gateway printed it when it first started")]
    NoKey,
    /// The key cannot stand in a header.
    #[error("{KEY_VARIABLE} holds characters that no key has: was it copied whole, and without a line break?")]
    BadKey,
    /// The address is none.
    #[error("\"{0}\" is no address of a gateway: it looks like http://127.0.0.1:8080")]
    BadUrl(String),
    /// TLS could not be set up.
    #[error("TLS cannot be used: {0}")]
    Tls(String),
    /// Nobody answered at the address.
    #[error("cannot reach the gateway at {url}: {cause}. Is it running? Its address is taken from SPENDGATE_URL or --url")]
    Unreachable {
        /// The address.
        url: String,
        /// What the system said.
        cause: String,
    },
    /// 401.
    #[error("the gateway at {0} does not know the key in {KEY_VARIABLE}")]
    Unauthorized(String),
    /// 403.
    #[error("the key in {KEY_VARIABLE} may not do this: it takes the account's main API key (sg_main_...)")]
    Forbidden,
    /// 404.
    #[error("not found")]
    NotFound,
    /// 400, one line for each field that is wrong.
    #[error("the gateway refused it:{0}")]
    Invalid(String),
    /// Anything else.
    #[error("the gateway answered {status}: {text}")]
    Unexpected {
        /// The status.
        status: StatusCode,
        /// The body, cut where it is long.
        text: String,
    },
}

// === impl ServerArgs ===

impl ServerArgs {
    /// A client with the key of the environment.
    ///
    /// # Errors
    /// When there is no key, or the address is none.
    pub fn client(&self) -> Result<Client, ClientError> {
        Client::new(&self.url, std::env::var(KEY_VARIABLE).ok().as_deref())
    }
}

// === impl Client ===

impl Client {
    /// A client of the gateway at `url`, with `key`.
    ///
    /// # Errors
    /// When there is no key, or the address is none.
    pub fn new(url: &str, key: Option<&str>) -> Result<Self, ClientError> {
        let key = key.map(str::trim).filter(|key| !key.is_empty()).ok_or(ClientError::NoKey)?;
        let mut authorization = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| ClientError::BadKey)?;
        authorization.set_sensitive(true);
        let base = url.trim_end_matches('/').to_owned();
        let parsed: Option<Uri> = base.parse().ok();
        if !parsed.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && uri.query().is_none()) {
            return Err(ClientError::BadUrl(url.to_owned()));
        }
        Ok(Self { base, authorization, http: HttpClient::builder(TokioExecutor::new()).build(connector()?) })
    }

    /// Calls the API. `path` is encoded already, query included. Returns the body of a 2xx answer.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn call(&self, method: Method, path: &str, body: Option<String>) -> Result<String, ClientError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base)).header(AUTHORIZATION, self.authorization.clone());
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::from(body.unwrap_or_default())).map_err(|_| ClientError::BadUrl(self.base.clone()))?;
        let exchange = async {
            let response = self.http.request(request).await.map_err(|error| self.unreachable(&error))?;
            let status = response.status();
            let body = response.into_body().collect().await.map_err(|error| self.unreachable(&error))?.to_bytes();
            Ok((status, String::from_utf8_lossy(&body).into_owned()))
        };
        let timed_out = |_| ClientError::Unreachable { url: self.base.clone(), cause: format!("no answer within {} seconds", TIMEOUT.as_secs()) };
        let (status, text) = tokio::time::timeout(TIMEOUT, exchange).await.map_err(timed_out)??;
        match status {
            status if status.is_success() => Ok(text),
            StatusCode::UNAUTHORIZED => Err(ClientError::Unauthorized(self.base.clone())),
            StatusCode::FORBIDDEN => Err(ClientError::Forbidden),
            // Ours says so in its own words; any other is of a server that is no gateway, or of a wrong base path.
            StatusCode::NOT_FOUND if text.contains("\"details\"") => Err(ClientError::NotFound),
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Err(field_errors(&text).map_or_else(|| unexpected(status, &text), ClientError::Invalid)),
            status => Err(unexpected(status, &text)),
        }
    }

    fn unreachable(&self, error: &dyn Error) -> ClientError {
        // The innermost cause is what the system said: "Connection refused".
        let mut cause = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        ClientError::Unreachable { url: self.base.clone(), cause: cause.to_string() }
    }
}

fn connector() -> Result<HttpsConnector<HttpConnector>, ClientError> {
    let config = crate::tls::client_config(&[]).map_err(|error| ClientError::Tls(error.to_string()))?;
    Ok(HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build())
}

/// The messages of a validation error, one a line.
fn field_errors(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Outer {
        error: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        message: std::collections::BTreeMap<String, Vec<String>>,
    }
    let outer: Outer = serde_json::from_str(text).ok()?;
    let mut lines = String::new();
    for (field, message) in outer.error.message.iter().flat_map(|(field, messages)| messages.iter().map(move |message| (field, message))) {
        // Writing to a string cannot fail.
        let _ = write!(lines, "\n  {field}: {message}");
    }
    Some(lines)
}

fn unexpected(status: StatusCode, text: &str) -> ClientError {
    let text: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(500).collect();
    ClientError::Unexpected { status, text }
}

/// Percent-encodes one segment of a path, or one value of a query.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
