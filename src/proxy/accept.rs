//! accept: TCP and TLS, with a limit and a timeout on everything that a client could hold open.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::tls::{ServerTls, TlsFiles};

use super::framing::{MAX_HEAD, Screened, Verdict};
use super::turn::taking_turns;

/// From the connection (or the end of the request before) to the whole head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// After an error of `accept` itself, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What came with a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    pub(super) verdict: Verdict,
}

/// A listener that serves until it is told to drain.
#[derive(Debug)]
pub struct Accept {
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
    connections: Arc<Semaphore>,
}

// === impl Peer ===

impl Peer {
    /// True where the request's framing is one that two proxies could read differently.
    #[must_use]
    pub fn oddly_framed(&self) -> bool {
        self.verdict != Verdict::Fine
    }
}

// === impl Accept ===

impl Accept {
    /// Binds the address.
    ///
    /// # Errors
    /// When the address is in use or not ours, or the certificate cannot be read.
    pub async fn bind(address: SocketAddr, tls: Option<&TlsFiles>, max_connections: usize) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| anyhow::anyhow!("cannot listen on {address}: {error}"))?;
        let tls = tls.map(|files| ServerTls::load(files.clone()).map(Arc::new)).transpose()?;
        Ok(Self { listener, tls, connections: Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS))) })
    }

    /// The address that was bound.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The certificate in use, to reload it.
    #[must_use]
    pub fn tls(&self) -> Option<Arc<ServerTls>> {
        self.tls.clone()
    }

    /// Serves each request with `service` until `draining` turns true, then waits until every connection has ended.
    pub async fn serve<S, F, B>(self, service: S, mut draining: watch::Receiver<bool>)
    where
        S: Fn(Request<Incoming>, Peer) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // Each connection holds a receiver; when the last is gone, all have ended.
        let (alive, _) = watch::channel(());
        loop {
            let Ok(permit) = self.connections.clone().acquire_owned().await else { return };
            let (stream, address) = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
                () = begun(&mut draining) => break,
            };
            // Small writes (events of a stream) go out at once.
            let _ = stream.set_nodelay(true);
            let connection = Connection { service: service.clone(), address, draining: draining.clone() };
            let tls = self.tls.as_ref().map(|tls| TlsAcceptor::from(tls.current()));
            let alive = alive.subscribe();
            tokio::spawn(taking_turns(async move {
                match tls {
                    None => connection.serve(stream).await,
                    Some(acceptor) => {
                        if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                            connection.serve(stream).await;
                        }
                    }
                }
                drop((alive, permit));
            }));
        }
        drop(self.listener);
        alive.closed().await;
    }
}

struct Connection<S> {
    service: S,
    address: SocketAddr,
    draining: watch::Receiver<bool>,
}

impl<S> Connection<S> {
    async fn serve<F, B, T>(mut self, stream: T)
    where
        S: Fn(Request<Incoming>, Peer) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (stream, verdicts) = Screened::new(stream);
        let address = self.address;
        let service = self.service;
        let connection = http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD).serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| {
                let response = service(request, Peer { address, verdict: verdicts.next() });
                async move { Ok::<_, Infallible>(response.await) }
            }),
        );
        tokio::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = begun(&mut self.draining) => connection.as_mut().graceful_shutdown(),
        }
        // An error here is the client's connection breaking; what it asked for is settled by whoever holds its grant.
        let _ = connection.await;
    }
}

/// Resolves when the drain begins.
async fn begun(draining: &mut watch::Receiver<bool>) {
    let _ = draining.wait_for(|draining| *draining).await;
}
