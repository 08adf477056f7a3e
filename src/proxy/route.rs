//! route: the raw path finds its routes, and the operation of their API that it names.

use std::sync::Arc;

use http::HeaderMap;
use http::Method;
use hyper::body::Incoming;

use crate::apis::{self, Api, Operation, Refusal};
use crate::config::{Configuration, Found, Route};

use super::Refused;
use super::screen::Screened;

/// A request that some route takes.
pub(super) struct Routed {
    pub(super) snapshot: Arc<Configuration>,
    /// The routes that take this path and speak this API, in order. Never empty: which of them is told by the model.
    pub(super) routes: Vec<Arc<Route>>,
    pub(super) api: &'static dyn Api,
    pub(super) operation: &'static dyn Operation,
    pub(super) method: Method,
    /// The path as it came.
    pub(super) path: String,
    /// Where the mount ends in `path`.
    pub(super) below: usize,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Incoming,
}

/// Finds the routes and the operation.
pub(super) fn route(screened: Screened, snapshot: Arc<Configuration>) -> Result<Routed, Box<Refused>> {
    let Screened { method, path, query, headers, body } = screened;
    let Some(Found { route: chosen, api, below, operation }) = snapshot.routes.find(&method, &path, query.as_deref(), &headers) else {
        return Err(Refused::new(apis::fallback(&headers, query.as_deref()), Refusal::route_not_found(format!("There is no route for {method} {path}."))));
    };
    let mounted = chosen.api;
    let operation = operation.map_err(|none| Refused::new(api, Refusal::from(none)))?;
    // Only the chosen route's mount decides what stands below it.
    let mounted_alike = |(route, other): &(&Arc<Route>, &str)| route.api.name() == mounted.name() && other.len() == below.len();
    let routes = snapshot.routes.matching(&path).filter(mounted_alike).map(|(route, _)| route.clone()).collect();
    let below = path.len() - below.len();
    Ok(Routed { routes, api, operation, method, below, path, query, headers, body, snapshot: snapshot.clone() })
}
