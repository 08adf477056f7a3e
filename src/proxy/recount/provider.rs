//! Has the provider count the input of a request, which it does for nothing ([`CountCall`]).
//!
//! It is asked at the request's own upstream, with its key and what passes of the client's headers: a beta may change what counts. The wait is short, and
//! whatever goes wrong, the bytes bound the request as if nobody had been asked. Dropped, as when the client hangs up, the call ends.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::apis::{Ask, CountCall};
use crate::money::Usd;
use crate::proxy::quote::{ClientRequest, Quoted};
use crate::proxy::upstream::{self, UpstreamClients};
use crate::telemetry::Metrics;

/// So long a request waits for a count, its turn to ask included.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many counts are asked for at once, of all providers together: tokens with little left must not be a way to burden them.
const MOST_AT_ONCE: usize = 16;
/// A count is a line.
const MOST_ANSWER_BYTES: usize = 64 * 1024;
/// A provider that says that it was asked too often is left alone for so long, where it does not say how long; and the longest that it may say.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Asks providers to count.
#[derive(Debug)]
pub(super) struct Asking {
    turns: Semaphore,
    /// Upstreams that are left alone until then, by name.
    paused: Mutex<HashMap<String, Instant>>,
}

/// Why there is no count.
#[derive(Debug, thiserror::Error)]
enum NoCount {
    #[error("the provider asked not to be asked so often")]
    TooOften(Duration),
    #[error("the provider answered with {0}")]
    Refused(StatusCode),
    #[error("the provider's answer is no count that can be true")]
    Absurd,
    #[error("the provider did not answer in time")]
    TimedOut,
    #[error("the provider could not be asked")]
    Unreachable(#[source] anyhow::Error),
}

// === impl Asking ===

impl Default for Asking {
    fn default() -> Self {
        Self { turns: Semaphore::new(MOST_AT_ONCE), paused: Mutex::default() }
    }
}

impl Asking {
    /// The request bounded by what the provider counts. None where it is not asked, since a token with so much left could not pay for the least that a
    /// count may be, or where it does not tell.
    pub(super) async fn counted(&self, quoted: &Quoted, left: Usd, upstreams: &UpstreamClients, metrics: &Metrics) -> Option<Ask> {
        let margin = quoted.route.count_margin?;
        let call = quoted.operation.count_call(&quoted.request.view())?;
        let upstream = &quoted.route.upstream;
        if quoted.least_of(&call.ask_at_least(&quoted.ask)).is_none_or(|least| left < least) || self.is_paused(&upstream.name) {
            return None;
        }
        let counted = tokio::time::timeout(PATIENCE.min(upstream.timeout), self.ask(quoted, &call, upstreams)).await.unwrap_or(Err(NoCount::TimedOut));
        metrics.provider_count(&upstream.name, counted.as_ref().map_or_else(NoCount::outcome, |_| "counted"));
        match counted {
            Ok(count) => Some(call.ask_counted(&quoted.ask, count, margin)),
            Err(error) => {
                if let NoCount::TooOften(pause) = error {
                    self.pause(&upstream.name, pause);
                }
                tracing::debug!(error = format!("{:#}", anyhow::Error::new(error)), upstream = upstream.name, "the input of a request was not counted");
                None
            }
        }
    }

    async fn ask(&self, quoted: &Quoted, call: &CountCall, upstreams: &UpstreamClients) -> Result<u64, NoCount> {
        let Ok(_turn) = self.turns.acquire().await else { return Err(NoCount::TimedOut) };
        let client = upstreams.of(&quoted.route.upstream).map_err(NoCount::Unreachable)?;
        let request = upstream::request(quoted, &counting(quoted, call), call.body.clone()).map_err(NoCount::Unreachable)?;
        let (head, body) = client.request(request).await.map_err(|error| NoCount::Unreachable(error.into()))?.into_parts();
        match head.status {
            StatusCode::OK => {}
            StatusCode::TOO_MANY_REQUESTS => return Err(NoCount::TooOften(asked_pause(&head.headers))),
            status => return Err(NoCount::Refused(status)),
        }
        let answer = Limited::new(body, MOST_ANSWER_BYTES).collect().await.map_err(|error| NoCount::Unreachable(anyhow::Error::from_boxed(error)))?;
        call.read(&answer.to_bytes(), &quoted.ask).ok_or(NoCount::Absurd)
    }

    fn is_paused(&self, upstream: &str) -> bool {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner).get(upstream).is_some_and(|until| Instant::now() < *until)
    }

    fn pause(&self, upstream: &str, pause: Duration) {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner).insert(upstream.to_owned(), Instant::now() + pause);
    }
}

// === impl NoCount ===

impl NoCount {
    /// As the metric says it.
    const fn outcome(&self) -> &'static str {
        match self {
            Self::TooOften(_) => "too_often",
            Self::Refused(_) => "refused",
            Self::Absurd => "absurd",
            Self::TimedOut => "timed_out",
            Self::Unreachable(_) => "unreachable",
        }
    }
}

/// The call as a client would have sent it, to the mount that the request came to.
fn counting(quoted: &Quoted, call: &CountCall) -> ClientRequest {
    let request = &quoted.request;
    let mount = request.path.get(..request.below).unwrap_or_default();
    ClientRequest {
        method: Method::POST,
        path: format!("{mount}{}", call.path),
        below: request.below,
        query: call.query.clone(),
        headers: request.headers.clone(),
        body: Bytes::new(),
    }
}

/// How long a provider asks to be left alone.
fn asked_pause(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|value| value.trim().parse().ok());
    seconds.map_or(PAUSE, Duration::from_secs).min(LONGEST_PAUSE)
}
