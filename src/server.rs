//! A whole gateway: ledger, road, token API, ops listener, reload and drain, put together.

mod dashboard;
mod descriptors;
mod ops;
mod reload;
mod simulator;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::watch;
use tower_service::Service;

use crate::admin;
use crate::config::{ConfigFiles, Environment, Live, Settings};
use crate::diagnostic::Diagnostic;
use crate::ledger::{Ledger, LedgerOptions};
use crate::proxy::{Accept, Peer, Proxy, ResponseBody};
use crate::telemetry::Metrics;
use crate::tokens::{DEFAULT_ACCOUNT, Secret, SecretHash, SecretKind};

pub use ops::Health;
pub use simulator::simulate;

/// The shortest main API key that an operator may set.
const MIN_MAIN_KEY: usize = 32;
/// A call of the token API takes no longer.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(60);
/// How often what only grows is looked through.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// After the drain's deadline, for settlements alone.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Files or settings are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Configuration(Vec<Diagnostic>),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// A gateway that listens.
pub struct Server {
    settings: Settings,
    live: Arc<Live>,
    ledger: Ledger,
    metrics: Arc<Metrics>,
    proxy: Arc<Proxy>,
    main: Accept,
    ops: Accept,
    /// The main API key, where it was generated just now: to be shown once.
    pub generated_key: Option<Secret>,
}

// === impl Server ===

impl Server {
    /// Opens the ledger, reads routes and prices, and listens.
    ///
    /// # Errors
    /// [`StartError`], with all that is wrong.
    pub async fn start(settings: Settings, environment: Environment) -> Result<Self, StartError> {
        let main_key = main_key(&environment).map_err(|error| StartError::Configuration(vec![error]))?;
        let live = Live::start(ConfigFiles::new(&settings, environment)).map_err(StartError::Configuration)?;
        let live = Arc::new(live);
        say_what_is_in_force(&live);
        let connections = descriptors::connections(settings.max_connections);
        let main = Accept::bind(settings.listen, settings.tls.as_ref(), connections).await?;
        let ops = Accept::bind(settings.ops_listen, None, connections.min(descriptors::OPS_CONNECTIONS)).await?;
        let ledger = Ledger::open(LedgerOptions {
            store: settings.store.clone(),
            fsync_always: settings.fsync_always,
            time_zone: settings.time_zone.clone(),
            journal_days: settings.journal_days,
            lease: settings.lease,
            outbox: settings.outbox.clone(),
            timeout: settings.ledger_timeout,
            replicas: settings.redis_wait,
            slices: settings.redis_leases,
        })
        .await
        .map_err(anyhow::Error::from)?;
        let generated_key = ensure_main_key(&ledger, main_key).await?;
        let metrics = Arc::new(Metrics::new(settings.metrics_tokens).context("the metrics could not be set up")?);
        let proxy = Arc::new(Proxy::new(live.clone(), ledger.clone(), metrics.clone(), settings.lease, settings.max_body));
        Ok(Self { settings, live, ledger, metrics, proxy, main, ops, generated_key })
    }

    /// The addresses that are listened on: provider traffic, ops.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn addresses(&self) -> std::io::Result<(std::net::SocketAddr, std::net::SocketAddr)> {
        Ok((self.main.local_addr()?, self.ops.local_addr()?))
    }

    /// Serves until SIGTERM or SIGINT, then drains. The ledger is still open: what the drain's deadline cut off ends with the runtime, and
    /// only then is the ledger to be [closed](close).
    ///
    /// # Errors
    /// When the system gives no signals.
    pub async fn run(self) -> anyhow::Result<Ledger> {
        let Self { settings, live, ledger, metrics, proxy, main, ops, .. } = self;
        // Before anybody is told that it is ready: whoever stops it then finds it draining, not killed.
        let stop = stop_signal()?;
        let (draining, drained) = watch::channel(false);
        let (ops_over, ops_draining) = watch::channel(false);
        let health = Health::new(ledger.clone(), metrics.clone(), drained.clone());
        let reloading = tokio::spawn(reload::watch(live, main.tls(), metrics.clone())?);
        let housekeeping = tokio::spawn(housekeeping(proxy.clone()));
        let ops = tokio::spawn(ops.serve(move |request, _| health.clone().respond(request), ops_draining));
        let token_api = admin::router(admin::AdminState { ledger: ledger.clone() });
        let road = proxy.clone();
        let main = main.serve(move |request, peer| dispatch(token_api.clone(), road.clone(), request, peer), drained);
        let main = tokio::spawn(main);

        stop.await;
        tracing::info!(deadline_s = settings.drain.as_secs(), under_way = proxy.in_flight().count(), "draining: no new connections, finishing what runs");
        let _ = draining.send(true);
        let finished = tokio::time::timeout(settings.drain, async {
            let _ = main.await;
            proxy.in_flight().idle().await;
        })
        .await;
        if finished.is_err() {
            tracing::warn!(under_way = proxy.in_flight().count(), "the drain's deadline is over: what still runs is cut off and charged");
        }
        reloading.abort();
        housekeeping.abort();
        let _ = ops_over.send(true);
        ops.abort();
        Ok(ledger)
    }
}

/// Closes the ledger when everything that held a grant is gone.
pub async fn close(ledger: &Ledger) {
    if tokio::time::timeout(CLOSE_TIMEOUT, ledger.close()).await.is_err() {
        tracing::error!("the ledger did not close in time; what it holds is settled at the next start");
    }
    tracing::info!("stopped");
}

/// The token API has fixed paths; all others are the routes'.
async fn dispatch(mut token_api: axum::Router, road: Arc<Proxy>, request: Request<Incoming>, peer: Peer) -> Response<ResponseBody> {
    if !admin::owns(request.uri().path()) {
        return road.handle(request, peer).await;
    }
    if peer.oddly_framed() {
        let mut response = Response::new(ResponseBody::whole("{\"error\":{\"type\":\"invalid_request\",\"message\":\"The request's framing is ambiguous.\"}}"));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
        return response;
    }
    match tokio::time::timeout(ADMIN_TIMEOUT, token_api.call(request)).await {
        Ok(Ok(response)) => response.map(ResponseBody::other),
        Ok(Err(never)) => match never {},
        Err(_) => {
            let mut response = Response::new(ResponseBody::whole(""));
            *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
            response
        }
    }
}

/// The main API key that the operator set, if any.
///
/// # Errors
/// When it is too short.
pub fn main_key(environment: &Environment) -> Result<Option<String>, Diagnostic> {
    let key = environment.get("SPENDGATE_API_KEY");
    if key.as_ref().is_some_and(|key| key.len() < MIN_MAIN_KEY) {
        let what = format!("the main API key is too short; use at least {MIN_MAIN_KEY} characters, or unset it to have one generated");
        return Err(Diagnostic::whole_file("SPENDGATE_API_KEY", what));
    }
    Ok(key)
}

async fn ensure_main_key(ledger: &Ledger, configured: Option<String>) -> anyhow::Result<Option<Secret>> {
    let hash = configured.as_deref().map(SecretHash::of);
    let account = ledger.ensure_account(DEFAULT_ACCOUNT, hash).await?;
    if account.replaced_main_key {
        tracing::warn!(account = DEFAULT_ACCOUNT, "SPENDGATE_API_KEY is another main API key than the ledger had: the one before opens nothing any more");
    }
    if account.has_main_key {
        return Ok(None);
    }
    let secret = Secret::generate(SecretKind::Main).map_err(|error| anyhow::anyhow!("no randomness for a main API key: {error}"))?;
    ledger.ensure_account(DEFAULT_ACCOUNT, Some(secret.hash())).await?;
    Ok(Some(secret))
}

fn say_what_is_in_force(live: &Live) {
    let snapshot = live.snapshot();
    for path in &snapshot.builtin {
        tracing::info!(missing = %path.display(), "using the file built into the binary");
    }
    for upstream in snapshot.routes.upstreams() {
        if let Some(variable) = upstream.off() {
            tracing::warn!(upstream = upstream.name, "the upstream is off: {variable} is not set. Its routes serve sandbox tokens only");
        }
    }
    if snapshot.routes.all().is_empty() {
        tracing::warn!("there are no routes: every request is answered with 404");
    }
    tracing::info!(routes = snapshot.routes.all().len(), models = snapshot.prices.models_count(), prices = &**snapshot.prices.version(), "configuration");
}

async fn housekeeping(proxy: Arc<Proxy>) {
    let mut every = tokio::time::interval(HOUSEKEEPING);
    loop {
        every.tick().await;
        proxy.forget_old_failures();
    }
}

/// Resolves on SIGTERM or SIGINT; one that comes as soon as this has returned counts.
///
/// # Errors
/// When the system gives no signals.
pub fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
