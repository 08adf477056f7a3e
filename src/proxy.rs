//! The road: one request, one file a stage, each taking the type that the stage before it returns.
//!
//! ```text
//! accept -> screen -> route -> identify -> quote -> admit -> forward -> meter -> settle -> record
//! ```
//!
//! [`forward`] takes a [`crate::ledger::Grant`] by value and only the ledger can make one, so that no early return, panic or
//! disconnect can go round the budget or leak a hold.

mod accept;
mod admit;
mod body;
mod charging;
mod exchange;
mod forward;
mod framing;
mod head;
mod identify;
mod jobs;
mod keep_alive;
mod quote;
mod record;
mod recount;
mod respond;
mod rolling;
mod route;
mod screen;
mod settle;
mod turn;
mod upstream;

pub use accept::{Accept, Peer};
pub use body::ResponseBody;
pub use record::InFlight;

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::{Body, Incoming};

use crate::apis::Refusal;
use crate::config::Live;
use crate::ledger::Ledger;
use crate::telemetry::Metrics;

use self::admit::{Admitting, Granted};
use self::identify::BadCredentials;
use self::record::Record;
use self::recount::Counting;
use self::rolling::Experience;
use self::upstream::UpstreamClients;

/// What the road needs, shared by all requests.
#[derive(Debug)]
pub struct Proxy {
    live: Arc<Live>,
    ledger: Ledger,
    metrics: Arc<Metrics>,
    upstreams: UpstreamClients,
    bad_credentials: BadCredentials,
    in_flight: InFlight,
    experience: Arc<Experience>,
    counting: Counting,
    lease: std::time::Duration,
    max_body: usize,
}

// === impl Proxy ===

impl Proxy {
    /// The road over these routes, prices and this ledger.
    #[must_use]
    pub fn new(live: Arc<Live>, ledger: Ledger, metrics: Arc<Metrics>, lease: std::time::Duration, max_body: usize) -> Self {
        let upstreams = UpstreamClients::default();
        // Reading the system's roots takes a while: not while the first client waits.
        for upstream in live.snapshot().routes.upstreams() {
            if let Err(error) = upstreams.of(upstream) {
                tracing::error!("upstream '{}' cannot be connected to: {error:#}", upstream.name);
            }
        }
        Self {
            live,
            ledger,
            metrics,
            upstreams,
            bad_credentials: BadCredentials::default(),
            in_flight: InFlight::default(),
            experience: Arc::default(),
            counting: Counting::default(),
            lease,
            max_body,
        }
    }

    /// The requests under way, whoever still listens to them: a drain waits for these.
    #[must_use]
    pub fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// Forgets addresses that presented no bad credential lately. Called now and then.
    pub fn forget_old_failures(&self) {
        self.bad_credentials.forget_old();
    }

    /// Takes one request down the road.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>, peer: Peer) -> Response<ResponseBody> {
        let mut record = Record::begin(self.metrics.clone(), &self.in_flight);
        let has_body = !request.body().is_end_stream();
        match self.admit(request, peer, has_body, &mut record).await {
            Ok(granted) => forward::forward(granted, &self.upstreams, &self.experience, record).await,
            Err(refused) => respond::refused(*refused, record),
        }
    }

    /// All stages before anything is sent. What is refused before the body has been read leaves it unread.
    async fn admit(&self, request: Request<Incoming>, peer: Peer, has_body: bool, record: &mut Record) -> Result<Granted, Box<Refused>> {
        let unread = |mut refused: Box<Refused>| {
            refused.unread_body = has_body;
            refused
        };
        let screened = screen::screen(request, peer).map_err(unread)?;
        let routed = route::route(screened, self.live.snapshot()).map_err(unread)?;
        record.routed(&routed);
        let identified = identify::identify(routed, &self.ledger, &self.bad_credentials, peer.address.ip()).await.map_err(unread)?;
        record.identified(&identified);
        let quoted = quote::quote(identified, self.max_body).await?;
        record.quoted(&quoted);
        let admitting = Admitting { ledger: &self.ledger, counting: &self.counting, upstreams: &self.upstreams, metrics: &self.metrics, lease: self.lease };
        admit::admit(quoted, record.id(), admitting).await
    }
}

/// A refusal, with the API whose shape it takes.
#[derive(Debug)]
pub(crate) struct Refused {
    refusal: Refusal,
    api: &'static dyn crate::apis::Api,
    /// The request's body was not read: its connection cannot be used again, and the client is told so.
    unread_body: bool,
}

impl Refused {
    fn new(api: &'static dyn crate::apis::Api, refusal: Refusal) -> Box<Self> {
        Box::new(Self { refusal, api, unread_body: false })
    }
}
