//! record: one log line and one count for every request, whatever exit it takes: written when the record is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::apis::price;
use crate::config::Route;
use crate::ledger::{ChargeLabel, HoldId, Settled, TokenFacts};
use crate::money::Usd;
use crate::prices::Usage;
use crate::telemetry::{LedgerOp, Metrics, RequestLabels, Spend};

use super::identify::Identified;
use super::quote::{Price, Quoted};
use super::route::Routed;

/// How a request ended, besides the refusals, which have codes of their own.
pub(super) const OK: &str = "ok";
pub(super) const CLIENT_ERROR: &str = "client_error";
pub(super) const UPSTREAM_ERROR: &str = "upstream_error";
pub(super) const CUT: &str = "cut";
/// The budget ended in the middle of a stream: told like its refusal.
pub(super) const SPENT: &str = "budget_exhausted";

/// What is known of a request so far.
pub(super) struct Record {
    id: HoldId,
    began: Instant,
    metrics: Arc<Metrics>,
    token: Option<Arc<TokenFacts>>,
    route: Option<Arc<Route>>,
    /// As priced; none where the model is not one of the book's or the route's.
    model: Option<String>,
    outcome: &'static str,
    status: u16,
    cost: Option<Usd>,
    clamped: Option<u64>,
    sandbox: bool,
    overhead: Option<Duration>,
    sent: Option<Instant>,
    upstream_head: Option<Duration>,
    _under_way: UnderWay,
}

/// Counts the requests under way, so that a drain can wait for them.
#[derive(Clone, Debug, Default)]
pub struct InFlight(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    requests: AtomicUsize,
    idle: Notify,
}

struct UnderWay(Arc<Count>, Arc<Metrics>);

// === impl InFlight ===

impl InFlight {
    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.requests.load(Ordering::SeqCst)
    }

    /// Waits until there is none.
    pub async fn idle(&self) {
        loop {
            let notified = self.0.idle.notified();
            if self.count() == 0 {
                return;
            }
            notified.await;
        }
    }

    fn enter(&self, metrics: &Arc<Metrics>) -> UnderWay {
        self.0.requests.fetch_add(1, Ordering::SeqCst);
        metrics.request_began();
        UnderWay(self.0.clone(), metrics.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.1.request_ended();
        if self.0.requests.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

// === impl Record ===

impl Record {
    pub(super) fn begin(metrics: Arc<Metrics>, in_flight: &InFlight) -> Self {
        Self {
            id: HoldId::generate(),
            began: Instant::now(),
            token: None,
            route: None,
            model: Some(String::new()),
            // Until something better is known: the client went away.
            outcome: CUT,
            status: 0,
            cost: None,
            clamped: None,
            sandbox: false,
            overhead: None,
            sent: None,
            upstream_head: None,
            _under_way: in_flight.enter(&metrics),
            metrics,
        }
    }

    /// The request's id, which is its hold's too.
    pub(super) fn id(&self) -> HoldId {
        self.id
    }

    pub(super) fn routed(&mut self, routed: &Routed) {
        self.route = routed.routes.first().cloned();
    }

    pub(super) fn identified(&mut self, identified: &Identified) {
        self.token = Some(Arc::clone(&identified.facts));
        // The model is what the client says until a price is found for it.
        self.model = None;
    }

    pub(super) fn quoted(&mut self, quoted: &Quoted) {
        self.route = Some(Arc::clone(&quoted.route));
        self.sandbox = matches!(quoted.kind, super::quote::Kind::Sandbox { .. });
        self.model = match &quoted.price {
            _ if self.sandbox => price(quoted.route.api, &quoted.snapshot.prices, &quoted.route.upstream.provider, &quoted.ask.model).map(|priced| priced.id),
            // A route of its own price takes whatever model: only those that it names are labels.
            Price::Tokens(price) if price.is_from_book() => Some(quoted.label.model.clone()),
            _ if quoted.ask.model.is_empty() || quoted.route.models.as_ref().is_some_and(|models| models.contains(&quoted.ask.model)) => {
                Some(quoted.ask.model.clone())
            }
            _ => None,
        };
    }

    /// The request goes upstream now.
    pub(super) fn sent(&mut self) {
        let now = Instant::now();
        self.sent = Some(now);
        let overhead = now.duration_since(self.began);
        self.overhead = Some(overhead);
        self.metrics.overhead(self.route_label(), overhead);
    }

    pub(super) fn upstream_head(&mut self) {
        if let Some(sent) = self.sent {
            let took = sent.elapsed();
            self.upstream_head = Some(took);
            self.metrics.upstream_head(self.route_label(), took);
        }
    }

    fn account_label(&self) -> &str {
        self.token.as_ref().map_or("", |token| &token.account)
    }

    fn token_label(&self) -> &str {
        self.token.as_ref().map_or("", |token| &token.name)
    }

    fn route_label(&self) -> &str {
        self.route.as_ref().map_or("", |route| route.path.pattern())
    }

    pub(super) fn clamped(&mut self, limit: u64) {
        self.clamped = Some(limit);
    }

    pub(super) fn status(&mut self, status: u16) {
        self.status = status;
    }

    pub(super) fn outcome(&mut self, outcome: &'static str) {
        self.outcome = outcome;
    }

    /// The charge is durable.
    pub(super) fn charged(&mut self, label: &ChargeLabel, cost: Usd, usage: &Usage, estimated: bool, settled: &Settled, took: Duration) {
        self.cost = Some(cost);
        self.metrics.ledger(LedgerOp::Settle, took, false);
        if settled.charged {
            self.metrics.spend(&Spend {
                account: self.account_label(),
                token: self.token_label(),
                provider: &label.provider,
                model: self.model.as_deref().unwrap_or("other"),
                cost,
                usage,
                overrun: settled.overrun,
                estimated,
            });
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.metrics.request(
            RequestLabels {
                account: self.account_label(),
                token: self.token_label(),
                route: self.route_label(),
                model: self.model.as_deref(),
                outcome: self.outcome,
            },
            took,
        );
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        tracing::info!(
            request_id = %self.id,
            account = self.account_label(),
            token = self.token_label(),
            route = self.route_label(),
            model = self.model.as_deref().unwrap_or("other"),
            outcome = self.outcome,
            status = self.status,
            sandbox = self.sandbox,
            cost_usd = self.cost.map(tracing::field::display),
            clamped = self.clamped,
            overhead_us = self.overhead.map(micros),
            upstream_head_us = self.upstream_head.map(micros),
            took_us = micros(took),
            "request"
        );
    }
}
