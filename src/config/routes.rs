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
    /// The provider's answers tell what they cost: that is charged, and the price book only bounds it.
    pub reports_cost: bool,
    /// The service tier that the upstream's account gives to requests which name none.
    pub default_tier: Option<String>,
    /// How many searches of one request are held for, where neither the request nor the provider limits them.
    pub held_searches: Option<u64>,
    /// What comes on top of a count of the provider's own, which is an estimate. None: the provider is not asked to count.
    pub count_margin: Option<Margin>,
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
    /// All paths that begin with what stands before the star: `/v1/*`, or `/v1/messages*` where only those operations are taken. What stands below it
    /// is what follows its last slash.
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
    /// The API whose shapes it takes there.
    pub api: &'static dyn Api,
    /// What the path says below the mount.
    pub below: &'a str,
    /// The operation, or why there is none.
    pub operation: Result<&'static dyn Operation, NoOperation>,
}

/// What base URLs end in. Whoever gives an SDK one too many of them asks for a path that names it twice.
const ENDS_OF_BASES: [&str; 6] = ["v1", "v1beta", "v1alpha", "v2", "v3", "openai"];

/// A route, what the path says below it, and the operation there.
type Chosen<'r, 'p> = (&'r Arc<Route>, &'p str, Result<&'static dyn Operation, NoOperation>);

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
    pub fn matching<'r, 'p>(&'r self, path: &'p str) -> impl Iterator<Item = (&'r Arc<Route>, &'p str)> {
        self.routes.iter().filter_map(move |route| route.path.below(path).map(|below| (route, below)))
    }

    /// The operation that a request names. Several APIs have a `models`: what the client says of itself, in headers and query, tells which one it
    /// means. Otherwise the first route that knows the operation wins; where none does, the first that takes the path says so, or what the path would be
    /// that the client means.
    #[must_use]
    pub fn find<'a>(&'a self, method: &Method, path: &'a str, query: Option<&str>, headers: &HeaderMap) -> Option<Found<'a>> {
        let chosen = self.choose(method, path, query, headers);
        if let Some((route, below, Ok(operation))) = chosen {
            return Some(Found { route, api: route.api_at(below), below, operation: Ok(operation) });
        }
        let right = undoubled(path).find_map(|(step, right)| {
            let (route, below, operation) = self.choose(method, &right, query, headers)?;
            operation.ok().filter(|_| route.api.has_operations()).map(|_| (route, route.api_at(below), NoOperation::named_twice(step, &right)))
        });
        match (right, chosen) {
            (Some((route, api, no_operation)), _) => Some(Found { route, api, below: "", operation: Err(no_operation) }),
            (None, Some((route, below, operation))) => Some(Found { route, api: route.api_at(below), below, operation }),
            (None, None) => None,
        }
    }

    fn choose<'r, 'p>(&'r self, method: &Method, path: &'p str, query: Option<&str>, headers: &HeaderMap) -> Option<Chosen<'r, 'p>> {
        let chosen = |(route, below): (&'r Arc<Route>, &'p str)| {
            let once = route.path.repeated(path, below).filter(|_| route.api.has_operations());
            let operation = route.api.operation(method, once.map_or(below, |(_, rest)| rest));
            // The API itself may take the version below any mount: here it would stand there twice.
            (
                route,
                below,
                match once {
                    Some((step, rest)) => {
                        operation.and_then(|_| Err(NoOperation::named_twice(step, &[path.strip_suffix(below).unwrap_or_default(), rest].concat())))
                    }
                    None => operation,
                },
            )
        };
        let first = chosen(self.matching(path).next()?);
        let spoken = self.matching(path).find(|(route, _)| route.api.is_spoken(headers, query)).map(chosen);
        if let Some(spoken) = spoken
            && (spoken.2.is_ok() || first.2.is_err())
        {
            return Some(spoken);
        }
        if first.2.is_ok() {
            return Some(first);
        }
        Some(self.matching(path).map(chosen).find(|other| other.2.is_ok()).unwrap_or(first))
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

    /// The API whose shapes a path below it takes.
    fn api_at(&self, below: &str) -> &'static dyn Api {
        self.api.at(below).unwrap_or(self.api)
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
            Self::Mount(pattern) => {
                let prefix = pattern.trim_end_matches('*');
                path.starts_with(prefix).then(|| path.get(prefix.rfind('/')? + 1..)).flatten()
            }
        }
    }

    /// The step that the mount ends in and `below`, the end of `path`, begins with again; and what follows it.
    fn repeated<'p>(&self, path: &str, below: &'p str) -> Option<(&'static str, &'p str)> {
        let mount = path.strip_suffix(below)?.strip_suffix('/')?;
        ENDS_OF_BASES.into_iter().find_map(|step| {
            let ends = mount.strip_suffix(step).is_some_and(|before| before.ends_with('/'));
            let rest = below.strip_prefix(step)?.strip_prefix('/')?;
            ends.then_some((step, rest))
        })
    }

    /// As written in the file; the metric label `route`.
    #[must_use]
    pub fn pattern(&self) -> &str {
        match self {
            Self::Exact(pattern) | Self::Mount(pattern) => pattern,
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

/// The steps that a path names twice in a row, and the path with each of them once.
fn undoubled(path: &str) -> impl Iterator<Item = (&'static str, String)> {
    ENDS_OF_BASES.into_iter().filter_map(move |step| {
        let (before, after) = path.split_once(&format!("/{step}/{step}/"))?;
        Some((step, format!("{before}/{step}/{after}")))
    })
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
