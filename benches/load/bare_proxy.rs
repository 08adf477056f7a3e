//! The yardstick: a proxy of bare hyper that does no work at all, or that makes one EVALSHA before it forwards. The bench runs itself again with a
//! hidden argument to be it.

use std::convert::Infallible;
use std::net::SocketAddr;

use http_body_util::{Either, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// The first argument that makes the bench a proxy.
pub(crate) const ROLE: &str = "--bare-proxy";

type Body = Either<Incoming, Empty<Bytes>>;

/// What the EVALSHA does: as little as a script can that writes.
const SCRIPT: &str = "return redis.call('HINCRBY', KEYS[1], 'requests', 1)";

/// A script on a server, called before each request is passed on.
#[derive(Clone)]
struct Store {
    connection: redis::aio::MultiplexedConnection,
    sha: String,
}

/// Listens and passes on, until it is killed. `store` is the address of a Redis to ask first.
pub(crate) fn run(listen: &str, upstream: &str, store: Option<&str>) -> anyhow::Result<()> {
    let listen: SocketAddr = listen.parse()?;
    let upstream = upstream.to_owned();
    tokio::runtime::Runtime::new()?.block_on(async move {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client: Client<HttpConnector, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
        let store = match store {
            Some(address) => Some(Store::connect(address).await?),
            None => None,
        };
        let listener = TcpListener::bind(listen).await?;
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let (client, upstream, store) = (client.clone(), upstream.clone(), store.clone());
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let (client, upstream, store) = (client.clone(), upstream.clone(), store.clone());
                    async move {
                        if let Some(store) = store
                            && store.ask().await.is_err()
                        {
                            return Ok::<_, Infallible>(bad_gateway());
                        }
                        Ok(pass(&client, &upstream, request).await)
                    }
                });
                // Clients close as they like.
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
            });
        }
    })
}

impl Store {
    async fn connect(address: &str) -> anyhow::Result<Self> {
        // On a busy machine an answer may take longer than the client waits by default.
        let patient = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        let mut connection = redis::Client::open(format!("redis://{address}"))?.get_multiplexed_async_connection_with_config(&patient).await?;
        let sha = redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(&mut connection).await?;
        Ok(Self { connection, sha })
    }

    async fn ask(mut self) -> redis::RedisResult<i64> {
        redis::cmd("EVALSHA").arg(&self.sha).arg(1).arg("load").query_async(&mut self.connection).await
    }
}

async fn pass(client: &Client<HttpConnector, Incoming>, upstream: &str, mut request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let Ok(uri) = format!("http://{upstream}{path}").parse::<Uri>() else { return bad_gateway() };
    *request.uri_mut() = uri;
    request.headers_mut().remove("host");
    match client.request(request).await {
        Ok(response) => response.map(Either::Left),
        Err(_) => bad_gateway(),
    }
}

fn bad_gateway() -> Response<Body> {
    let mut response = Response::new(Either::Right(Empty::new()));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
