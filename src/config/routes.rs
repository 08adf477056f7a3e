//! `routes.toml`: which path takes which API to which upstream, at what price.

mod parse;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use rustls::pki_types::CertificateDer;

use crate::apis::{Api, NoOperation, Operation};
use crate::diagnostic::Diagnostic;
use crate::money::Usd;
use crate::prices::{Margin, Rates};

use super::Environment;

/// The routes built into the binary: what runs where no file is given.
pub(super) const BUILTIN_ROUTES: &str = include_str!("../../config/routes.toml");

/// The route table. First match wins.
#[derive(Debug)]
pub struct Routes {
    routes: Vec<Arc<Route>>,
    upstreams: BTreeMap<String, Arc<Upstream>>,
}

/// One `[[routes]]` table.
#[derive(Debug)]
pub struct Route {
    /// Which paths it takes.
    pub path: RoutePath,
    /// The API that its requests speak.
    pub api: &'static dyn Api,
    /// Where they go.
    pub upstream: Arc<Upstream>,
    /// Only these models, where there are any: patterns with `*`.
    pub models: Option<Vec<String>>,
    /// What models the deployments of this route are, by name. A deployment that is not named here is the model of its own name.
    pub deployments: BTreeMap<String, String>,
    /// Whether the output limit may be lowered to what the balance buys.
    pub clamp: bool,
    /// What happens to the provider's answer when the client hangs up.
    pub on_disconnect: OnDisconnect,
    /// What a request costs whose end nobody knows.
    pub on_uncertain: OnUncertain,
    /// A price that overrides the price book.
    pub price: Option<RoutePrice>,
    /// How much a stream holds.
    pub hold: HoldPolicy,
    /// How long a request waits for money that only other requests hold, before it is refused.
    pub hold_wait: Duration,
    /// By how much the provider's bill may exceed the price book: on what is held, and on what is charged where the provider does not tell the cost.
    pub margin: Margin,
    /// Output tokens below which a request is not worth sending.
    pub min_output: u64,
    /// The output limit assumed where neither the client nor the price book names one.
    pub default_max_output: Option<u64>,
    /// Whether streams end with a comment that tells the cost.
    pub stream_cost_comment: bool,
    /// After how much silence a stream says that it lives; none: never.
    pub keep_alive: Option<Duration>,
    /// The report's key for `http` routes.
    pub feature: String,
}

/// Which paths a route takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoutePath {
    /// One exact path.
    Exact(String),
    /// All paths that begin with this: `/v1/`, or `/v1/messages` where only those operations are taken. What stands below it is what follows its
    /// last slash.
    Mount(String),
}

/// What happens to the provider's answer when the client hangs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisconnect {
    /// It is read to its end, so that the charge is exact.
    Drain,
    /// It is cancelled, and charged by what passed.
    Cancel,
}

/// What a request costs whose end nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUncertain {
    /// Its hold.
    Charge,
    /// Nothing.
    Void,
}

/// How much of what a stream may cost is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldPolicy {
    /// Its input and a first step of output, and more in steps as the output passes.
    Rolling,
    /// The most that it can cost.
    Full,
}

/// A price that a route sets itself.
#[derive(Clone, Debug)]
pub enum RoutePrice {
    /// So much for each request that the provider answered with success.
    PerRequest(Usd),
    /// By unit, for whatever model.
    Units(Arc<Rates>),
    /// What the provider reports, at a JSON pointer of the answer.
    ReportedJson {
        /// RFC 6901: `/cost`.
        pointer: String,
        /// Held meanwhile.
        hold: Usd,
    },
    /// What the provider reports, in a header of the answer.
    ReportedHeader {
        /// Its name.
        name: HeaderName,
        /// Held meanwhile.
        hold: Usd,
    },
    /// Nothing, as the operator says.
    Free,
}

/// One `[upstreams.NAME]` table.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in the file.
    pub name: String,
    /// Whose prices apply.
    pub provider: String,
    /// Scheme and authority: `https://api.openai.com`.
    pub origin: http::uri::Parts,
    /// The base path, without a slash at its end; often empty.
    pub base_path: String,
    /// The provider's key.
    pub key: UpstreamKey,
    /// Where the key goes, where the API does not say.
    pub key_header: Option<HeaderName>,
    /// For a whole request.
    pub timeout: Duration,
    /// To connect.
    pub connect_timeout: Duration,
    /// Between two chunks of an answer.
    pub idle_timeout: Duration,
    /// More roots to trust than the system's.
    pub ca: Vec<CertificateDer<'static>>,
}

/// The provider's key. Cannot be printed.
#[derive(Clone)]
pub enum UpstreamKey {
    /// The upstream wants none.
    None,
    /// This one.
    Value(HeaderValue),
    /// Its variable is not set: the upstream is off.
    Unset(String),
}

/// What a path leads to.
pub struct Found<'a> {
    /// The first route that takes it.
    pub route: &'a Arc<Route>,
    /// What the path says below the mount.
    pub below: &'a str,
    /// The operation, or why there is none.
    pub operation: Result<&'static dyn Operation, NoOperation>,
}

// === impl Routes ===

impl Routes {
    /// Reads and checks a routes file.
    ///
    /// # Errors
    /// All that is wrong, each with its place.
    pub fn parse(text: &str, file: &str, environment: &Environment) -> Result<Self, Vec<Diagnostic>> {
        parse::parse(text, file, environment)
    }

    /// The routes built into the binary.
    ///
    /// # Errors
    /// As [`Routes::parse`].
    pub fn builtin(environment: &Environment) -> Result<Self, Vec<Diagnostic>> {
        Self::parse(BUILTIN_ROUTES, "the routes of this binary (config/routes.toml)", environment)
    }

    /// The routes that take this raw path, in order, each with what the path says below the mount.
    pub fn matching<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a Arc<Route>, &'a str)> + 'a {
        self.routes.iter().filter_map(move |route| route.path.below(path).map(|below| (route, below)))
    }

    /// The operation that a request names. Several APIs have a `models`: what the client says of itself, in headers and query, tells which one it
    /// means. Otherwise the first route that knows the operation wins; where none does, the first that takes the path says so.
    #[must_use]
    pub fn find<'a>(&'a self, method: &Method, path: &'a str, query: Option<&str>, headers: &HeaderMap) -> Option<Found<'a>> {
        let found = |(route, below): (&'a Arc<Route>, &'a str)| Found { route, below, operation: route.api.operation(method, below) };
        let first = found(self.matching(path).next()?);
        let spoken = self.matching(path).find(|(route, _)| route.api.is_spoken(headers, query)).map(found);
        if let Some(spoken) = spoken
            && (spoken.operation.is_ok() || first.operation.is_err())
        {
            return Some(spoken);
        }
        if first.operation.is_ok() {
            return Some(first);
        }
        Some(self.matching(path).map(found).find(|other| other.operation.is_ok()).unwrap_or(first))
    }

    /// All routes, in order.
    #[must_use]
    pub fn all(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// All upstreams, by name.
    pub fn upstreams(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.upstreams.values()
    }
}

// === impl Route ===

impl Route {
    /// Whether this model takes the route.
    #[must_use]
    pub fn takes_model(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| glob(pattern, model)))
    }

    /// The model that a name stands for here.
    #[must_use]
    pub fn model_of<'a>(&'a self, name: &'a str) -> &'a str {
        self.deployments.get(name).map_or(name, String::as_str)
    }
}

// === impl RoutePath ===

impl RoutePath {
    /// What `path` says below this route, where the route takes it: empty for an exact path.
    #[must_use]
    pub fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        match self {
            Self::Exact(exact) => (exact == path).then_some(""),
            Self::Mount(prefix) => path.starts_with(prefix.as_str()).then(|| path.get(prefix.rfind('/')? + 1..)).flatten(),
        }
    }

    /// As written in the file; the metric label `route`.
    #[must_use]
    pub fn pattern(&self) -> String {
        match self {
            Self::Exact(exact) => exact.clone(),
            Self::Mount(prefix) => format!("{prefix}*"),
        }
    }
}

// === impl Upstream ===

impl Upstream {
    /// The variable that is missing, where the upstream is off.
    #[must_use]
    pub fn off(&self) -> Option<&str> {
        match &self.key {
            UpstreamKey::Unset(variable) => Some(variable),
            UpstreamKey::None | UpstreamKey::Value(_) => None,
        }
    }
}

// === impl UpstreamKey ===

impl std::fmt::Debug for UpstreamKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::None => "None",
            Self::Value(_) => "Value(..)",
            Self::Unset(_) => "Unset",
        })
    }
}

/// Whether `text` fits a pattern in which each `*` stands for any characters.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let mut pieces = tail.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests;
