//! The ops listener: `/metrics`, `/healthz`, `/readyz`, and the dashboard.

use std::sync::Arc;

use http::header::{ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::ledger::Ledger;
use crate::proxy::ResponseBody;
use crate::telemetry::Metrics;

use super::dashboard::Dashboard;

/// What the ops listener tells.
#[derive(Clone, Debug)]
pub struct Health {
    ledger: Ledger,
    metrics: Arc<Metrics>,
    draining: watch::Receiver<bool>,
}

const INDEX: &str = "spendgate\n\n/          the dashboard\n/metrics   for Prometheus\n/healthz   200 while the process lives\n/readyz    200 while the ledger answers and the gateway is not draining\n";

// === impl Health ===

impl Health {
    pub(super) fn new(ledger: Ledger, metrics: Arc<Metrics>, draining: watch::Receiver<bool>) -> Self {
        Self { ledger, metrics, draining }
    }

    pub(super) async fn respond(self, request: Request<Incoming>) -> Response<ResponseBody> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match request.uri().path() {
            "/" => self.dashboard().await,
            "/healthz" => text(StatusCode::OK, "ok\n".to_owned()),
            "/readyz" => match self.not_ready().await {
                None => text(StatusCode::OK, "ready\n".to_owned()),
                Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
            },
            "/metrics" => match self.metrics.expose(&self.ledger).await {
                Ok(exposition) => {
                    let mut response = text(StatusCode::OK, exposition);
                    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
                    response
                }
                Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n".to_owned()),
            },
            _ => text(StatusCode::NOT_FOUND, format!("no such page\n\n{INDEX}")),
        }
    }

    async fn dashboard(&self) -> Response<ResponseBody> {
        let mut dashboard = Dashboard::new(self.not_ready().await, self.metrics.in_flight(), self.ledger.pending_settlements());
        self.ledger.observe(&mut |token| dashboard.add(token)).await;
        let mut response = text(StatusCode::OK, dashboard.page(Timestamp::now()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"));
        response
    }

    async fn not_ready(&self) -> Option<String> {
        if *self.draining.borrow() {
            return Some("draining".to_owned());
        }
        self.ledger.ping().await.err().map(|error| error.to_string())
    }
}

fn text(status: StatusCode, body: String) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
