//! The sandbox as a service of its own: a stand-in provider on plain HTTP/1.1 that needs no token, for demos, CI and load tests. It answers
//! where the built-in routes say that an API is.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::apis::{self, Api, Billing, RequestView};
use crate::config::{Environment, Found, Routes};
use crate::diagnostic::Diagnostic;
use crate::prices::PriceBook;
use crate::sandbox::{Faults, Problem, Simulated, SimulatedBody};

/// The request header that asks for faults.
const FAULTS_HEADER: HeaderName = HeaderName::from_static("spendgate-simulate");
const MAX_BODY: usize = 32 << 20;
/// For the head of a request, and for its body.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// How long running requests may take to finish after the shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Before the next attempt to accept, when the system is out of sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the service answers from.
struct Simulator {
    routes: Routes,
    /// Its models are those that lists show; requests may name any model.
    prices: PriceBook,
}

/// Serves simulated answers on `listener` until `shutdown` completes, then finishes what runs (10 seconds at most).
///
/// # Errors
/// Where the routes or the price book built into the binary are broken.
pub async fn simulate(listener: TcpListener, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    let broken = |what: &str, errors: Vec<Diagnostic>| anyhow::anyhow!("the {what} built into the binary are broken: {errors:?}");
    let routes = Routes::builtin(&Environment::process()).map_err(|errors| broken("routes", errors))?;
    let prices = PriceBook::builtin().map_err(|errors| broken("prices", errors))?;
    let simulator = Arc::new(Simulator { routes, prices });
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => drop(connections.spawn(connection(socket, Arc::clone(&simulator), stopped.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            // Finished connections are taken away, or the set would grow for ever.
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    drop(stop);
    let drained = async { while connections.join_next().await.is_some() {} };
    // What is left after that is dropped with the set.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, drained).await;
    Ok(())
}

/// Serves one connection; `stopped` closes when the service ends.
async fn connection(socket: TcpStream, simulator: Arc<Simulator>, mut stopped: watch::Receiver<()>) {
    // Small events should not wait for each other.
    let _ = socket.set_nodelay(true);
    let service = service_fn(move |request| {
        let simulator = Arc::clone(&simulator);
        async move { Ok::<_, Infallible>(respond(request, &simulator).await) }
    });
    let connection = http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(READ_TIMEOUT).serve_connection(TokioIo::new(socket), service);
    tokio::pin!(connection);
    // How a connection ends is of no interest: most errors are clients that went away, or cuts that were asked for.
    tokio::select! {
        ended = connection.as_mut() => drop(ended),
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
}

async fn respond<B>(request: Request<B>, simulator: &Simulator) -> Response<SimulatedBody>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let path = request.uri().path().to_owned();
    let Some(found) = simulator.routes.find(request.method(), &path, request.uri().query(), request.headers()) else {
        let problem = Problem::service(404, format!("There is nothing at {} here.", shown(&path)), "route_not_found");
        return apis::problem_answer(apis::fallback(request.headers(), request.uri().query()), &problem).into_response();
    };
    let api = found.api;
    let simulated = answer(request, found, api, simulator).await.unwrap_or_else(|problem| apis::problem_answer(api, &problem));
    if !simulated.latency.is_zero() {
        tokio::time::sleep(simulated.latency).await;
    }
    simulated.into_response()
}

async fn answer<B>(request: Request<B>, found: Found<'_>, api: &'static dyn Api, simulator: &Simulator) -> Result<Simulated, Problem>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let operation = found.operation.map_err(|none| Problem::service(404, none.message, "route_not_found"))?;
    let faults = faults(&request)?;
    let (head, body) = request.into_parts();
    let body = read(body).await?;
    let view = RequestView { method: &head.method, path: found.below, query: head.uri.query(), headers: &head.headers, body: &body };
    // Only what costs nothing tells of other models than the one that is asked.
    let listed = (operation.billing() == Billing::Free).then(|| apis::listed(found.route.api, &simulator.prices, &found.route.upstream.provider));
    let models: Vec<String> = listed.into_iter().flatten().collect();
    Ok(apis::simulate(api, operation, &view, &faults, &mut models.iter().map(String::as_str)))
}

/// All faults of a request. The header may come more than once, like any list.
fn faults<B>(request: &Request<B>) -> Result<Faults, Problem> {
    let wrong = |what: String| Problem::service(400, format!("Header {FAULTS_HEADER}: {what}"), "invalid_simulate_header");
    let mut values = Vec::new();
    for value in request.headers().get_all(FAULTS_HEADER) {
        values.push(value.to_str().map_err(|_| wrong("it holds other than plain letters".to_owned()))?);
    }
    if values.is_empty() { Ok(Faults::default()) } else { Faults::parse(&values.join(",")).map_err(wrong) }
}

async fn read<B>(body: B) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let too_large = || Problem::service(413, format!("The body is larger than {} MiB.", MAX_BODY >> 20), "request_too_large");
    // Told beforehand: not worth reading any of it.
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(READ_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::service(400, "The body of the request broke off.", "invalid_request")),
        Err(_) => Err(Problem::service(408, "The body of the request took too long.", "request_timeout")),
    }
}

/// As much of a path as an error repeats.
fn shown(path: &str) -> String {
    path.chars().take(128).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
