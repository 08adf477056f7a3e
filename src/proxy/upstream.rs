//! Upstreams: connections to providers, and what of a request goes to them.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;

use crate::apis::Billing;
use crate::config::{Upstream, UpstreamKey};
use crate::maps::Map;
use crate::tls;

use super::quote::{ClientRequest, Quoted};

/// A pooled connection that was idle longer may be closed by the provider just as a request goes out on it.
const POOL_IDLE: Duration = Duration::from_secs(20);

pub(super) type UpstreamClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// What differs between the clients of two upstreams.
type Connecting = (Duration, Vec<CertificateDer<'static>>);

/// Clients by what differs between upstreams; each pools its connections by host.
#[derive(Debug, Default)]
pub(super) struct UpstreamClients(RwLock<Map<Connecting, UpstreamClient>>);

// === impl UpstreamClients ===

impl UpstreamClients {
    pub(super) fn of(&self, upstream: &Upstream) -> anyhow::Result<UpstreamClient> {
        let key = (upstream.connect_timeout, upstream.ca.clone());
        if let Some(client) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(client.clone());
        }
        let client = client(upstream.connect_timeout, &upstream.ca)?;
        Ok(self.0.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(client).clone())
    }
}

fn client(connect_timeout: Duration, extra_roots: &[CertificateDer<'static>]) -> anyhow::Result<UpstreamClient> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(connect_timeout));
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls::client_config(extra_roots)?).https_or_http().enable_http1().wrap_connector(connector);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        // Only what provably never left is sent again: a pooled connection that was found closed.
        .retry_canceled_requests(true)
        .build(connector))
}

/// A request as the provider gets it: the path from the route table, headers by the API's list, our key, the body as given. It is the client's own, or
/// one that is asked in its place.
pub(super) fn request(quoted: &Quoted, request: &ClientRequest, body: Bytes) -> anyhow::Result<Request<Full<Bytes>>> {
    let upstream = &quoted.route.upstream;
    let ClientRequest { method, headers, query, .. } = request;
    let mut target = quoted.api.upstream_path(&upstream.base_path, &request.view(), &request.path);
    if let Some(query) = query.as_deref().and_then(|query| passed_query(quoted, query)) {
        target.push('?');
        target.push_str(&query);
    }
    let mut uri = Uri::builder();
    if let (Some(scheme), Some(authority)) = (&upstream.origin.scheme, &upstream.origin.authority) {
        uri = uri.scheme(scheme.clone()).authority(authority.clone());
    }
    let mut passed = passed_headers(quoted, headers);
    if quoted.operation.billing() != Billing::PerRequest && is_object(&body) {
        // Told of another character set, a provider could find other members in the bytes that were priced.
        passed.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri.path_and_query(target).build().context("the upstream's address and this path make no URL")?;
    *request.headers_mut() = passed;
    quoted.api.complete_headers(request.headers_mut());
    if let UpstreamKey::Value(key) = &upstream.key {
        match &upstream.key_header {
            Some(name) => {
                request.headers_mut().insert(name, key.clone());
            }
            None => quoted.api.envelope().put_key(request.headers_mut(), key),
        }
    }
    Ok(request)
}

fn passed_headers(quoted: &Quoted, headers: &HeaderMap) -> HeaderMap {
    // Whatever `Connection` names is meant for us alone.
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let secret =
        |name: &HeaderName| name == AUTHORIZATION || matches!(name.as_str(), "x-api-key" | "api-key" | "x-goog-api-key" | "cookie" | "spendgate-simulate");
    let mut passed = HeaderMap::with_capacity(headers.len() + 2);
    for (name, value) in headers {
        if !secret(name) && !named.contains(name) && quoted.api.envelope().passes_request_header(name) {
            passed.append(name, value.clone());
        }
    }
    // Usage never hides in an encoding.
    passed.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    passed
}

/// Whether the body is a JSON object, and so has been read as one.
fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'{')
}

/// The query without the client's secret, for the APIs that take one.
fn passed_query(quoted: &Quoted, query: &str) -> Option<String> {
    let kept: Vec<&str> =
        query.split('&').filter(|pair| !pair.starts_with("key=") && quoted.api.passes_query(pair.split('=').next().unwrap_or_default())).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}
