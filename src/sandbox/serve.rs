//! The responder as a service of its own: a stand-in provider on plain HTTP/1.1 that needs no token, for demos, CI and load tests.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, HeaderValue};
use http::{HeaderName, Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::problem::Problem;
use super::{Faults, Simulated, SimulatedBody, SimulatedOperation, simulate, simulate_anthropic_model, simulate_model};

/// The request header by which a client of Anthropic's API is known.
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// The request header that asks for faults.
const FAULTS_HEADER: HeaderName = HeaderName::from_static("spendgate-simulate");
const MAX_BODY: usize = 32 << 20;
/// For the head of a request, and for its body.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// How long running requests may take to finish after the shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Before the next attempt to accept, when the system is out of sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a path leads to.
enum Target<'p> {
    Operation(SimulatedOperation),
    Model(&'p str),
    AnthropicModel(&'p str),
}

/// The ids that lists of models show.
#[derive(Clone, Debug, Default)]
pub struct ServedModels {
    /// In OpenAI's list.
    pub openai: Vec<String>,
    /// In Anthropic's list.
    pub anthropic: Vec<String>,
}

/// Serves simulated answers on `listener` until `shutdown` completes, then finishes what runs (10 seconds at most). `models` are the ids that
/// `GET /v1/models` lists, Anthropic's for who sends `anthropic-version`; requests may name any model.
///
/// # Errors
/// None at present: a failed accept is tried again. The result leaves room for listeners that can fail.
pub async fn serve(listener: TcpListener, models: ServedModels, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let models = Arc::new(models);
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => drop(connections.spawn(connection(socket, Arc::clone(&models), stopped.clone()))),
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
async fn connection(socket: TcpStream, models: Arc<ServedModels>, mut stopped: watch::Receiver<()>) {
    // Small events should not wait for each other.
    let _ = socket.set_nodelay(true);
    let service = service_fn(move |request| {
        let models = Arc::clone(&models);
        async move { Ok::<_, Infallible>(respond(request, &models).await) }
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

async fn respond<B>(request: Request<B>, models: &ServedModels) -> Response<SimulatedBody>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let path = request.uri().path().to_owned();
    let anthropic = request.headers().contains_key(ANTHROPIC_VERSION);
    let Some((allowed, target)) = find(&path, anthropic) else {
        let shape = if anthropic { SimulatedOperation::AnthropicModels } else { SimulatedOperation::Models };
        return Simulated::problem(shape, &Problem::service(404, format!("There is nothing at {} here.", shown(&path)), "route_not_found")).into_response();
    };
    let shape = target.shape();
    if request.method() != allowed {
        let message = format!("{} takes {allowed} requests only.", shown(&path));
        let mut response = Simulated::problem(shape, &Problem::service(405, message, "method_not_allowed")).into_response();
        response.headers_mut().extend(HeaderValue::from_str(allowed.as_str()).map(|value| (ALLOW, value)));
        return response;
    }
    let simulated = match answer(request, &target, models).await {
        Ok(simulated) => simulated,
        Err(problem) => Simulated::problem(shape, &problem),
    };
    if !simulated.latency.is_zero() {
        tokio::time::sleep(simulated.latency).await;
    }
    simulated.into_response()
}

async fn answer<B>(request: Request<B>, target: &Target<'_>, models: &ServedModels) -> Result<Simulated, Problem>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let faults = faults(&request)?;
    let listed = if target.shape().is_anthropic() { &models.anthropic } else { &models.openai };
    let mut models = listed.iter().map(String::as_str);
    match target {
        Target::Operation(operation) => {
            let body = read(request.into_body()).await?;
            Ok(simulate(*operation, &body, &faults, &mut models))
        }
        Target::Model(id) => Ok(simulate_model(id, &faults, &mut models)),
        Target::AnthropicModel(id) => Ok(simulate_anthropic_model(id, &faults, &mut models)),
    }
}

// === impl Target ===

impl Target<'_> {
    /// An operation whose API shapes errors.
    const fn shape(&self) -> SimulatedOperation {
        match self {
            Self::Operation(operation) => *operation,
            Self::Model(_) => SimulatedOperation::Models,
            Self::AnthropicModel(_) => SimulatedOperation::AnthropicModels,
        }
    }
}

/// The operation at a path, and the method that it takes. Two APIs have models: which is meant, the client's headers tell.
fn find(path: &str, anthropic: bool) -> Option<(Method, Target<'_>)> {
    let operation = |method, operation| Some((method, Target::Operation(operation)));
    match path {
        "/v1/chat/completions" => operation(Method::POST, SimulatedOperation::ChatCompletions),
        "/v1/completions" => operation(Method::POST, SimulatedOperation::Completions),
        "/v1/embeddings" => operation(Method::POST, SimulatedOperation::Embeddings),
        "/v1/messages" => operation(Method::POST, SimulatedOperation::Messages),
        "/v1/messages/count_tokens" => operation(Method::POST, SimulatedOperation::CountTokens),
        "/v1/models" if anthropic => operation(Method::GET, SimulatedOperation::AnthropicModels),
        "/v1/models" => operation(Method::GET, SimulatedOperation::Models),
        _ => {
            let id = path.strip_prefix("/v1/models/").filter(|id| !id.is_empty())?;
            Some((Method::GET, if anthropic { Target::AnthropicModel(id) } else { Target::Model(id) }))
        }
    }
}

/// All faults of a request. The header may come more than once, like any list.
fn faults<B>(request: &Request<B>) -> Result<Faults, Problem> {
    let wrong = |message: String| Problem::service(400, message, "invalid_simulate_header");
    let mut values = Vec::new();
    for value in request.headers().get_all(FAULTS_HEADER) {
        values.push(value.to_str().map_err(|_| wrong("spendgate-simulate: the header holds other than plain letters".to_owned()))?);
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
