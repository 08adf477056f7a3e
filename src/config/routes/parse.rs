//! Reads `routes.toml`: first the shape (serde), then every meaning, so that one run tells all that is wrong.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use toml::Spanned;

use crate::apis;
use crate::config::environment::Expanded;
use crate::config::{Environment, parse_duration};
use crate::diagnostic::Diagnostic;
use crate::money::Usd;
use crate::prices::{Margin, Rates};
use crate::tls;

use super::{HoldPolicy, OnDisconnect, OnUncertain, Route, RoutePath, RoutePrice, Routes, Upstream, UpstreamKey};

/// Below this many output tokens an answer is not worth sending, unless a route says otherwise.
const MIN_OUTPUT: u64 = 16;
/// How long a request waits for money that only other requests hold, unless a route says otherwise; and the longest that one may say.
const HOLD_WAIT: Duration = Duration::from_millis(250);
const LONGEST_HOLD_WAIT: Duration = Duration::from_secs(30);

/// What comes on top of a count of the provider's own, unless a route says otherwise.
const COUNT_MARGIN: &str = "1.02";

/// The most searches that a route may hold for.
const MOST_SEARCHES: u64 = 1_000;

/// Stands for an address whose variable is not set. Nothing is sent there: the upstream is off, and the name leads nowhere (RFC 2606).
const NOWHERE: &str = "https://address-is-not-set.invalid";

/// Clients and the proxies before them wait for a minute at least.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    upstreams: BTreeMap<String, RawUpstream>,
    #[serde(default)]
    routes: Vec<RawRoute>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUpstream {
    url: Spanned<String>,
    provider: Option<String>,
    key: Option<Spanned<String>>,
    key_header: Option<Spanned<String>>,
    timeout: Option<Spanned<String>>,
    connect_timeout: Option<Spanned<String>>,
    idle_timeout: Option<Spanned<String>>,
    ca: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoute {
    path: Spanned<String>,
    api: Spanned<String>,
    upstream: Spanned<String>,
    models: Option<Spanned<Vec<String>>>,
    deployments: Option<Spanned<BTreeMap<String, String>>>,
    clamp: Option<bool>,
    on_disconnect: Option<Spanned<String>>,
    on_uncertain: Option<Spanned<String>>,
    price: Option<Spanned<toml::Value>>,
    hold: Option<Spanned<String>>,
    hold_wait: Option<Spanned<String>>,
    margin: Option<Spanned<String>>,
    reports_cost: Option<Spanned<bool>>,
    default_tier: Option<Spanned<String>>,
    held_searches: Option<Spanned<u32>>,
    count_margin: Option<Spanned<String>>,
    min_output: Option<u32>,
    default_max_output: Option<u32>,
    stream_cost_comment: Option<Spanned<bool>>,
    keep_alive: Option<Spanned<String>>,
    feature: Option<Spanned<String>>,
}

struct Checker<'a> {
    file: &'a str,
    text: &'a str,
    environment: &'a Environment,
    errors: Vec<Diagnostic>,
}

pub(super) fn parse(text: &str, file: &str, environment: &Environment) -> Result<Routes, Vec<Diagnostic>> {
    let raw: RawFile = toml::from_str(text).map_err(|error| vec![Diagnostic::from_toml(file, text, &error)])?;
    let mut checker = Checker { file, text, environment, errors: Vec::new() };
    let mut upstreams = BTreeMap::new();
    for (name, upstream) in raw.upstreams {
        if let Some(upstream) = checker.upstream(&name, upstream) {
            upstreams.insert(name, Arc::new(upstream));
        }
    }
    let wrong_upstreams = !checker.errors.is_empty();
    checker.given_twice(&raw.routes);
    let mut routes = Vec::with_capacity(raw.routes.len());
    for route in raw.routes {
        routes.extend(checker.route(route, &upstreams, wrong_upstreams).map(Arc::new));
    }
    if checker.errors.is_empty() { Ok(Routes { routes, upstreams }) } else { Err(checker.errors) }
}

// === impl Checker ===

impl Checker<'_> {
    fn fail<T>(&mut self, place: &Spanned<T>, what: impl Into<String>) {
        self.errors.push(Diagnostic::at(self.file, self.text, place.span().start, what));
    }

    /// The value, or a noted error.
    fn take<T, V>(&mut self, place: &Spanned<V>, result: Result<T, String>) -> Option<T> {
        result.map_err(|what| self.fail(place, what)).ok()
    }

    fn upstream(&mut self, name: &str, raw: RawUpstream) -> Option<Upstream> {
        let before = self.errors.len();
        let mut without_address = None;
        let url = match self.environment.expand(raw.url.get_ref()) {
            Expanded::Value(url) => Some(url),
            Expanded::Unset(variable) => {
                without_address = Some(variable);
                Some(NOWHERE.to_owned())
            }
            Expanded::Malformed => {
                self.fail(&raw.url, "a \"${\" without a variable's name and \"}\"");
                None
            }
        };
        let origin = url.and_then(|url| self.take(&raw.url, origin(&url)));
        let key = match &raw.key {
            None => Some(UpstreamKey::None),
            Some(place) => self.key(place),
        };
        let key = without_address.map_or(key, |variable| Some(UpstreamKey::Unset(variable)));
        let key_header = raw.key_header.as_ref().and_then(|place| {
            let parsed = place.get_ref().parse::<HeaderName>().map_err(|_| format!("{:?} is not a header's name", place.get_ref()));
            self.take(place, parsed)
        });
        let timeout = self.duration(raw.timeout.as_ref(), Duration::from_secs(600));
        let connect_timeout = self.duration(raw.connect_timeout.as_ref(), Duration::from_secs(10));
        let idle_timeout = self.duration(raw.idle_timeout.as_ref(), Duration::from_secs(300));
        let ca = raw.ca.as_ref().map_or(Some(Vec::new()), |place| {
            let read = tls::certificates(place.get_ref()).map_err(|error| format!("ca: {error:#}"));
            self.take(place, read)
        });
        if self.errors.len() > before {
            return None;
        }
        let (origin, base_path) = origin?;
        let provider = raw.provider.unwrap_or_else(|| name.to_owned());
        Some(Upstream { name: name.to_owned(), provider, origin, base_path, key: key?, key_header, timeout, connect_timeout, idle_timeout, ca: ca? })
    }

    fn key(&mut self, place: &Spanned<String>) -> Option<UpstreamKey> {
        if !place.get_ref().contains("${") {
            self.fail(place, "a secret does not stand in this file; write \"${NAME}\" and set that environment variable");
            return None;
        }
        match self.environment.expand(place.get_ref()) {
            Expanded::Unset(variable) => Some(UpstreamKey::Unset(variable)),
            Expanded::Malformed => {
                self.fail(place, "a \"${\" without a variable's name and \"}\"");
                None
            }
            Expanded::Value(value) => {
                let mut value =
                    HeaderValue::from_str(value.trim()).map_err(|_| self.fail(place, "the variable holds characters that cannot stand in a header")).ok()?;
                value.set_sensitive(true);
                Some(UpstreamKey::Value(value))
            }
        }
    }

    fn duration(&mut self, place: Option<&Spanned<String>>, default: Duration) -> Duration {
        let Some(place) = place else { return default };
        let parsed =
            parse_duration(place.get_ref()).and_then(|duration| if duration.is_zero() { Err("a timeout is above zero".to_owned()) } else { Ok(duration) });
        self.take(place, parsed).unwrap_or(default)
    }

    fn choice<T: Copy>(&mut self, place: Option<&Spanned<String>>, choices: [(&str, T); 2]) -> T {
        let Some(place) = place else { return choices[0].1 };
        if let Some((_, value)) = choices.iter().find(|(name, _)| name == place.get_ref()) {
            return *value;
        }
        self.fail(place, format!("{:?} is none of the choices; write {:?} or {:?}", place.get_ref(), choices[0].0, choices[1].0));
        choices[0].1
    }

    /// Of two routes with the same path, API and upstream the second is never asked, where the first takes all of its models. (One with another upstream
    /// may have answers to give that were kept there before.)
    fn given_twice(&mut self, routes: &[RawRoute]) {
        for (index, route) in routes.iter().enumerate() {
            let same = |earlier: &&RawRoute| {
                let takes_all = earlier.models.is_none() || earlier.models == route.models;
                takes_all && (&earlier.path, &earlier.api, &earlier.upstream) == (&route.path, &route.api, &route.upstream)
            };
            if let Some(earlier) = routes.iter().take(index).find(same) {
                let line = Diagnostic::at(self.file, self.text, earlier.path.span().start, "").line;
                let what = format!(
                    "the route on line {line} has the same path, api and upstream, and the first match wins; take one of them away, or give the first `models` of its own"
                );
                self.fail(&route.path, what);
            }
        }
    }

    fn route(&mut self, raw: RawRoute, upstreams: &BTreeMap<String, Arc<Upstream>>, wrong_upstreams: bool) -> Option<Route> {
        let before = self.errors.len();
        let path = self.take(&raw.path, route_path(raw.path.get_ref()));
        let api = apis::named(raw.api.get_ref());
        if api.is_none() {
            let known: Vec<&str> = apis::ALL.iter().map(|api| api.name()).collect();
            self.fail(&raw.api, format!("{:?} is not an API that this version speaks; write one of: {}", raw.api.get_ref(), known.join(", ")));
        }
        let upstream = upstreams.get(raw.upstream.get_ref()).cloned();
        if upstream.is_none() && !wrong_upstreams {
            let known: Vec<&str> = upstreams.keys().map(String::as_str).collect();
            self.fail(&raw.upstream, format!("there is no [upstreams.{}]; the upstreams are: {}", raw.upstream.get_ref(), known.join(", ")));
        }
        let price = raw.price.as_ref().and_then(|place| {
            let parsed = price(place.get_ref());
            self.take(place, parsed)
        });
        match (api, &path) {
            (Some(api), Some(RoutePath::Exact(exact))) if api.has_operations() => {
                let what = format!("api = \"{}\" is mounted at a prefix; write for example \"{}/*\"", api.name(), exact.trim_end_matches('/'));
                self.fail(&raw.path, what);
            }
            (Some(api), _) if !api.has_operations() && raw.price.is_none() => {
                self.fail(&raw.path, "a route with api = \"http\" needs a price of its own: price = { per_request = \"0.01\" }, { reported = { json = \"/cost\" }, hold = \"0.05\" } or \"free\"");
            }
            (Some(api), _) if !api.has_operations() && matches!(price, Some(RoutePrice::Units(_))) => {
                self.fail(
                    &raw.path,
                    "a route with api = \"http\" has no tokens to count; write price = { per_request = \"..\" }, { reported = .., hold = \"..\" } or \"free\"",
                );
            }
            (Some(api), _) if !api.has_operations() && raw.models.is_some() => {
                self.fail(&raw.path, "a route with api = \"http\" knows no models; take `models` away")
            }
            _ => {}
        }
        if let Some(models) = raw.models.as_ref().filter(|models| models.get_ref().is_empty()) {
            self.fail(models, "an empty list takes no model; write for example models = [\"gpt-*\"], or take it away where every model takes the route");
        }
        let stream_cost_comment = raw.stream_cost_comment.as_ref().is_some_and(|comment| *comment.get_ref());
        if let (Some(api), Some(place)) = (api, &raw.stream_cost_comment)
            && stream_cost_comment
            && !api.takes_comments()
        {
            self.fail(place, format!("clients of api = \"{}\" fail on comments in streams; take stream_cost_comment away", api.name()));
        }
        let margin = raw.margin.as_ref().map_or(Some(Margin::NONE), |place| {
            let parsed = place.get_ref().parse().map_err(|error| format!("margin {error}"));
            self.take(place, parsed)
        });
        let count_margin = match &raw.count_margin {
            None => COUNT_MARGIN.parse().ok(),
            Some(place) if place.get_ref() == "off" => None,
            Some(place) => {
                let parsed = place.get_ref().parse().map_err(|error| format!("count_margin {error}; or \"off\""));
                self.take(place, parsed)
            }
        };
        let feature = raw.feature.as_ref().map_or_else(
            || "http__request".to_owned(),
            |place| {
                if place.get_ref().split_once("__").is_none_or(|(feature, subfeature)| feature.is_empty() || subfeature.is_empty()) {
                    self.fail(place, format!("{:?} is not a feature; write \"feature__subfeature\", for example \"ocr__ocr\"", place.get_ref()));
                }
                place.get_ref().clone()
            },
        );
        if let (Some(api), Some(deployments)) = (api, &raw.deployments)
            && !api.has_operations()
        {
            let what = format!("a route with api = \"{}\" knows no models; take `deployments` away", api.name());
            self.fail(deployments, what);
        }
        let reports_cost = raw.reports_cost.as_ref().is_some_and(|reports| *reports.get_ref());
        if let (Some(api), Some(place)) = (api, &raw.reports_cost)
            && reports_cost
        {
            if !api.may_report_cost() {
                self.fail(
                    place,
                    format!("the answers of api = \"{}\" do not tell what they cost, or are charged by it anyway; take reports_cost away", api.name()),
                );
            } else if !matches!(price, None | Some(RoutePrice::Units(_))) {
                self.fail(place, "reports_cost goes with prices by tokens only; take it away, or the price");
            }
        }
        let default_tier = raw.default_tier.as_ref().and_then(|place| {
            let parsed = match place.get_ref().as_str() {
                tier if api.is_some_and(|api| !api.has_operations()) => {
                    Err(format!("default_tier {tier:?}: a route with api = \"http\" has no service tiers; take it away"))
                }
                "" | "auto" => {
                    Err("default_tier is what the account's setting names: for example \"priority\" or \"flex\"; leave it out where that is the standard tier"
                        .to_owned())
                }
                tier if tier.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') => Ok(tier.to_owned()),
                tier => Err(format!("default_tier {tier:?} is not the name of a tier; write for example \"priority\"")),
            };
            self.take(place, parsed)
        });
        let held_searches = raw.held_searches.as_ref().and_then(|place| {
            let searches = u64::from(*place.get_ref());
            let most =
                (1..=MOST_SEARCHES).contains(&searches).then_some(searches).ok_or_else(|| format!("held_searches is a number from 1 to {MOST_SEARCHES}"));
            self.take(place, most)
        });
        let keep_alive = match raw.keep_alive.as_ref() {
            Some(place) if place.get_ref() == "off" => None,
            place => Some(self.duration(place, KEEP_ALIVE)),
        };
        let on_disconnect = self.choice(raw.on_disconnect.as_ref(), [("drain", OnDisconnect::Drain), ("cancel", OnDisconnect::Cancel)]);
        let on_uncertain = self.choice(raw.on_uncertain.as_ref(), [("charge", OnUncertain::Charge), ("void", OnUncertain::Void)]);
        let hold = self.choice(raw.hold.as_ref(), [("rolling", HoldPolicy::Rolling), ("full", HoldPolicy::Full)]);
        let hold_wait = raw.hold_wait.as_ref().map_or(HOLD_WAIT, |place| {
            let parsed = parse_duration(place.get_ref())
                .and_then(|wait| if wait > LONGEST_HOLD_WAIT { Err("a request waits at most 30s".to_owned()) } else { Ok(wait) });
            self.take(place, parsed).unwrap_or(HOLD_WAIT)
        });
        if self.errors.len() > before {
            return None;
        }
        Some(Route {
            path: path?,
            api: api?,
            upstream: upstream?,
            models: raw.models.map(Spanned::into_inner),
            deployments: raw.deployments.map(Spanned::into_inner).unwrap_or_default(),
            clamp: raw.clamp.unwrap_or(true),
            on_disconnect,
            on_uncertain,
            price,
            hold,
            hold_wait,
            margin: margin?,
            reports_cost,
            default_tier,
            held_searches,
            count_margin,
            min_output: raw.min_output.map_or(MIN_OUTPUT, u64::from),
            default_max_output: raw.default_max_output.map(u64::from),
            stream_cost_comment,
            keep_alive,
            feature,
        })
    }
}

fn origin(url: &str) -> Result<(http::uri::Parts, String), String> {
    let wrong = |why: &str| format!("url {url:?} {why}; write scheme, host and optional base path, for example \"https://api.openai.com\"");
    let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("is neither http nor https"));
    }
    if uri.query().is_some() || url.contains('#') {
        return Err(wrong("has a query or a fragment"));
    }
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(wrong("has no host, or a user in it"));
    }
    if uri.authority().is_some_and(|authority| authority.as_str() != authority.host() && authority.port_u16().is_none()) {
        return Err(wrong("has a port that is none"));
    }
    let base_path = uri.path().trim_end_matches('/').to_owned();
    let mut parts = uri.into_parts();
    parts.path_and_query = None;
    Ok((parts, base_path))
}

fn route_path(path: &str) -> Result<RoutePath, String> {
    let (fixed, mount) = match path.strip_suffix('*') {
        Some(prefix) => (prefix, true),
        None => (path, false),
    };
    let odd = !fixed.starts_with('/')
        || fixed.contains("//")
        || fixed.contains("/./")
        || fixed.contains("/../")
        || fixed.bytes().any(|byte| !byte.is_ascii_graphic() || b"*?#%;\\".contains(&byte));
    // `/v1/messages*` takes some operations of a mount. `/v1*` would be half a name.
    let whole_steps = fixed.ends_with('/') || fixed.matches('/').count() > 1;
    if odd || (mount && !whole_steps) {
        return Err(format!("{path:?} is not a path; write one exact path (\"/ocr\") or a mount (\"/v1/*\", \"/v1/messages*\")"));
    }
    Ok(if mount { RoutePath::Mount(path.to_owned()) } else { RoutePath::Exact(fixed.to_owned()) })
}

/// A price of USD in a string; a float would not be exact.
fn amount(value: &toml::Value, name: &str) -> Result<Usd, String> {
    let text = value.as_str().ok_or_else(|| format!("{name} is an amount in USD as a string, for example \"0.01\""))?;
    let amount: Usd = text.parse().map_err(|error| format!("{name} {error}"))?;
    if amount.is_negative() { Err(format!("{name} is negative")) } else { Ok(amount) }
}

fn price(value: &toml::Value) -> Result<RoutePrice, String> {
    let forms =
        "write \"free\", { per_request = \"0.01\" }, { input_mtok = \"2.50\", output_mtok = \"10\" } or { reported = { json = \"/cost\" }, hold = \"0.05\" }";
    if value.as_str() == Some("free") {
        return Ok(RoutePrice::Free);
    }
    let table = value.as_table().filter(|table| !table.is_empty()).ok_or_else(|| format!("not a price; {forms}"))?;
    let only = |keys: &[&str]| match table.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(format!("{key:?} does not go with the rest of this price; {forms}")),
        None => Ok(()),
    };
    if let Some(per_request) = table.get("per_request") {
        only(&["per_request"])?;
        return Ok(RoutePrice::PerRequest(amount(per_request, "per_request")?));
    }
    if let Some(reported) = table.get("reported") {
        only(&["reported", "hold"])?;
        let hold = amount(
            table
                .get("hold")
                .ok_or("a reported price needs a hold: what is set aside until the provider has said what it cost, for example hold = \"0.05\"")?,
            "hold",
        )?;
        let reported = reported.as_table().filter(|reported| reported.len() == 1).ok_or("reported is { json = \"/cost\" } or { header = \"x-cost\" }")?;
        return match (reported.get("json").and_then(toml::Value::as_str), reported.get("header").and_then(toml::Value::as_str)) {
            (Some(pointer), None) if pointer.starts_with('/') => Ok(RoutePrice::ReportedJson { pointer: pointer.to_owned(), hold }),
            (None, Some(name)) => Ok(RoutePrice::ReportedHeader { name: name.parse().map_err(|_| format!("{name:?} is not a header's name"))?, hold }),
            _ => Err("reported is { json = \"/cost\" } (a JSON pointer, which begins with \"/\") or { header = \"x-cost\" }".to_owned()),
        };
    }
    let mut units = BTreeMap::new();
    for (key, value) in table {
        let text = value.as_str().ok_or_else(|| format!("{key} is a price as a string, for example \"2.50\"; {forms}"))?;
        units.insert(key.clone(), text.to_owned());
    }
    Rates::from_units(&units).map(|rates| RoutePrice::Units(Arc::new(rates))).map_err(|errors| {
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        format!("{}; {forms}", said.join("; "))
    })
}
