//! route: the raw path finds its routes, and the operation of their API that it names.

use std::sync::Arc;

use http::HeaderMap;
use http::Method;
use hyper::body::Incoming;

use crate::apis::{self, Api, Operation, Refusal};
use crate::config::{Configuration, Route};

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
    let Some((first, first_below)) = snapshot.routes.matching(&path).next() else {
        return Err(Refused::new(apis::fallback(&headers), Refusal::route_not_found(format!("There is no route for {method} {path}."))));
    };
    let mut found = (first, first_below, apis::of(first.api).operation(&method, first_below));
    // Several APIs have a `models`: the client's headers tell which one it means. Otherwise the first match wins.
    let spoken = snapshot.routes.matching(&path).find(|(route, _)| apis::of(route.api).is_spoken(&headers));
    if let Some((route, below)) = spoken {
        let operation = apis::of(route.api).operation(&method, below);
        if operation.is_ok() || found.2.is_err() {
            found = (route, below, operation);
        }
    }
    let (chosen, below, operation) = found;
    let api = apis::of(chosen.api);
    let operation = operation.map_err(|none| Refused::new(api, Refusal::from(none)))?;
    // Only the chosen route's mount decides what stands below it.
    let mounted_alike = |(route, other): &(&Arc<Route>, &str)| route.api == chosen.api && other.len() == below.len();
    let routes = snapshot.routes.matching(&path).filter(mounted_alike).map(|(route, _)| route.clone()).collect();
    let below = path.len() - below.len();
    Ok(Routed { routes, api, operation, method, below, path, query, headers, body, snapshot: snapshot.clone() })
}
