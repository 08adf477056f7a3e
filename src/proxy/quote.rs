//! quote: the body is read and becomes an ask; the ask is priced. What cannot be priced goes no further.

mod read;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::HeaderName;
use jiff::Timestamp;

use crate::apis::{self, Api, Ask, Billing, KeptId, Meter, Operation, Refusal, RequestView, Seal, UnseenOutput};
use crate::config::{Configuration, HoldPolicy, Route, RoutePrice, UpstreamKey};
use crate::ledger::{ChargeLabel, TokenFacts};
use crate::money::Usd;
use crate::prices::{self, Bound, Margin, ModelPrice, PriceError, Quote, QuoteLimits, Rates, Unit, Usage, Variant};
use crate::sandbox::Faults;
use crate::tokens::{SecretHash, TokenKind};

use self::read::read;
use super::identify::Identified;
use super::{Refused, rolling};

/// A report of so many times what the model can hold is not believed; limits in the price book may be a little out of date.
const ABSURD_FACTOR: u64 = 4;

/// A request whose cost is bounded. What is large in it is kept in boxes: it moves from stage to stage.
pub(super) struct Quoted {
    pub(super) api: &'static dyn Api,
    pub(super) operation: &'static dyn Operation,
    pub(super) route: Arc<Route>,
    pub(super) request: ClientRequest,
    pub(super) ask: Box<Ask>,
    pub(super) price: Price,
    /// The most that is held for it: what it can cost as asked, or the first step of a rolling hold.
    pub(super) want: Usd,
    /// The least that is worth sending.
    pub(super) least: Usd,
    /// The hold rolls, if all of its first step is granted: so many tokens can be billed beside those that the stream shows.
    pub(super) rolling: Option<u64>,
    pub(super) label: Arc<ChargeLabel>,
    pub(super) price_version: Arc<str>,
    pub(super) facts: Arc<TokenFacts>,
    pub(super) secret: SecretHash,
    pub(super) kind: Kind,
    /// Marks what the answer names and the provider keeps as the token's own. None where the upstream has no key to make it with.
    pub(super) seal: Option<Box<Seal>>,
    pub(super) snapshot: Arc<Configuration>,
    /// The routes that speak this API at this path, in order.
    pub(super) routes: Vec<Arc<Route>>,
}

/// What the answer is metered by.
pub(super) struct Asked {
    pub(super) operation: &'static dyn Operation,
    pub(super) ask: Box<Ask>,
    /// As [`Quoted::seal`].
    pub(super) seal: Option<Box<Seal>>,
}

/// What the client sent, as far as it goes on.
pub(super) struct ClientRequest {
    pub(super) method: http::Method,
    pub(super) path: String,
    /// Where the mount ends in `path`.
    pub(super) below: usize,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Where the answer comes from.
pub(super) enum Kind {
    /// The provider.
    Provider,
    /// The sandbox, with these faults; models it lists.
    Sandbox { faults: Faults, models: Vec<String> },
}

/// How the request is priced, fixed when it came.
pub(super) enum Price {
    /// Nobody bills it: a list of models.
    Unbilled,
    /// Nothing, as the operator says.
    Free,
    /// So much if the provider answers with success.
    PerRequest(Usd),
    /// What the provider reports at a JSON pointer; this is held.
    ReportedJson { pointer: String, hold: Usd },
    /// What the provider reports in a header; this is held.
    ReportedHeader { name: HeaderName, hold: Usd },
    /// By tokens, at the model's rates.
    Tokens(Box<TokenPrice>),
}

/// A price by tokens.
pub(super) struct TokenPrice {
    source: RateSource,
    /// The tier that was asked for, or that the upstream's account gives to what asks for none.
    assumed_tier: Option<String>,
    at: Timestamp,
    /// By how much the provider's bill may exceed the rates.
    pub(super) margin: Margin,
    /// The provider's answers tell what they cost.
    pub(super) reports_cost: bool,
    pub(super) quote: Quote,
    pub(super) bound: Bound,
}

enum RateSource {
    Book(Arc<ModelPrice>),
    Route(Arc<Rates>),
}

/// Reads the body, parses the ask, picks the route by its model and prices it.
pub(super) async fn quote(identified: Identified, max_body: usize) -> Result<Box<Quoted>, Box<Refused>> {
    let Identified { routed, facts, secret } = identified;
    let api = routed.api;
    let refuse = |refusal| Refused::new(api, refusal);
    let body = read(routed.body, &routed.headers, max_body).await.map_err(refuse)?;
    let request = ClientRequest { method: routed.method, path: routed.path, below: routed.below, query: routed.query, headers: routed.headers, body };
    let mut ask = Box::new(routed.operation.ask(&request.view()).map_err(|error| refuse(Refusal::from(error)))?);
    let kept = if facts.kind == TokenKind::Api { routed.operation.kept_ids(&request.view()) } else { Vec::new() };

    let by_model = match routed.operation.billing() {
        Billing::Tokens => true,
        Billing::PerRequest => !ask.model.is_empty(),
        Billing::Free => false,
    };
    let route = if by_model {
        routed.routes.iter().find(|route| route.takes_model(&ask.model))
    } else {
        // What is kept somewhere is asked for there.
        routed.routes.iter().find(|route| owns(route, &facts, &kept)).or_else(|| routed.routes.first())
    };
    let route = route.cloned().ok_or_else(|| refuse(Refusal::model_not_allowed(&ask.model)))?;
    if !owns(&route, &facts, &kept) {
        return Err(refuse(not_kept(&kept)));
    }
    let deployed = Some(route.model_of(&ask.model)).filter(|model| *model != ask.model).map(str::to_owned);
    if let Some(model) = &deployed {
        *ask = routed.operation.ask_as(&request.view(), model).map_err(|error| refuse(Refusal::from(error)))?;
    }
    let book = &routed.snapshot.prices;
    let provider = &route.upstream.provider;
    // What is told of one model is told only to those who may use it.
    if !by_model && !ask.model.is_empty() {
        if !routed.routes.iter().any(|route| route.takes_model(&ask.model)) {
            return Err(refuse(Refusal::model_not_allowed(&ask.model)));
        }
        if !usable(&routed.snapshot, &routed.routes, &ask.model) {
            return Err(refuse(Refusal::model_not_priced(&ask.model)));
        }
    }

    let kind = match facts.kind {
        TokenKind::Api => Kind::Provider,
        TokenKind::Sandbox => {
            // The header may come more than once, as any list.
            let asked: Vec<&str> = request.headers.get_all("spendgate-simulate").iter().map(|value| value.to_str().unwrap_or("?")).collect();
            let faults = if asked.is_empty() { Ok(Faults::default()) } else { Faults::parse(&asked.join(",")) };
            let faults = faults.map_err(|what| refuse(Refusal::invalid_request(format!("Header spendgate-simulate: {what}"))))?;
            let faults = Faults { model: deployed, ..faults };
            let models = if by_model {
                Vec::new()
            } else {
                apis::listed(route.api, book, provider).filter(|model| usable(&routed.snapshot, &routed.routes, model)).collect()
            };
            Kind::Sandbox { faults, models }
        }
    };
    let priced = match (&kind, routed.operation.billing(), &route.price) {
        (Kind::Sandbox { .. }, ..) | (_, Billing::Free, _) => Ok((Price::Unbilled, String::new())),
        (_, _, Some(RoutePrice::Free)) => Ok((Price::Free, ask.model.clone())),
        (_, _, Some(RoutePrice::PerRequest(cost))) => Ok((Price::PerRequest(*cost), ask.model.clone())),
        (_, _, Some(RoutePrice::ReportedJson { pointer, hold })) => Ok((Price::ReportedJson { pointer: pointer.clone(), hold: *hold }, ask.model.clone())),
        (_, _, Some(RoutePrice::ReportedHeader { name, hold })) => Ok((Price::ReportedHeader { name: name.clone(), hold: *hold }, ask.model.clone())),
        (_, _, Some(RoutePrice::Units(rates))) => {
            TokenPrice::new(RateSource::Route(rates.clone()), &ask, routed.operation, &route).map(|price| (Price::Tokens(Box::new(price)), ask.model.clone()))
        }
        (_, _, None) => apis::price(route.api, book, provider, &ask.model).ok_or_else(|| Refusal::model_not_priced(&ask.model)).and_then(|priced| {
            TokenPrice::new(RateSource::Book(priced.price), &ask, routed.operation, &route).map(|price| (Price::Tokens(Box::new(price)), priced.id))
        }),
    };
    let (price, model) = priced.map_err(refuse)?;
    let Amounts { want, least, rolling } = Amounts::of(&price, &ask, &route);
    let feature = routed.operation.feature_of(&ask).unwrap_or_else(|| match routed.operation.billing() {
        Billing::PerRequest => route.feature.clone(),
        Billing::Tokens | Billing::Free => routed.operation.feature().to_owned(),
    });
    Ok(Box::new(Quoted {
        api,
        operation: routed.operation,
        label: Arc::new(ChargeLabel { provider: provider.clone(), model, feature }),
        price_version: Arc::clone(book.version()),
        seal: if routed.operation.seals() { seal(&route, &facts).map(Box::new) } else { None },
        route,
        request,
        ask,
        price,
        want,
        least,
        rolling,
        facts,
        secret,
        kind,
        snapshot: routed.snapshot,
        routes: routed.routes,
    }))
}

/// What is held.
struct Amounts {
    want: Usd,
    least: Usd,
    rolling: Option<u64>,
}

/// What a stream holds at first, where its hold rolls, and how many tokens it may be billed for that it does not show. A stream whose output nobody can
/// follow, or that comes several times over, holds all of it, and so does a short one.
fn first_step(price: &Price, ask: &Ask, route: &Route) -> Option<(Usd, u64)> {
    let (Price::Tokens(tokens), UnseenOutput::UpTo(unseen)) = (price, ask.unseen) else { return None };
    let rolls = route.hold == HoldPolicy::Rolling && ask.stream && tokens.bound.choices <= 1;
    let first = unseen.saturating_add(rolling::FIRST_STEP);
    let asked = tokens.quote.max_output()?;
    (rolls && asked > unseen.saturating_add(rolling::SHORT)).then(|| (tokens.quote.cost_at(first), unseen))
}

/// Whether a request for the model would be priced on one of these routes.
pub(super) fn usable(snapshot: &Configuration, routes: &[Arc<Route>], model: &str) -> bool {
    let route = routes.iter().find(|route| route.takes_model(model));
    route.is_some_and(|route| route.price.is_some() || apis::price(route.api, &snapshot.prices, &route.upstream.provider, route.model_of(model)).is_some())
}

/// Marks what the token has made at the route's provider.
fn seal(route: &Route, facts: &TokenFacts) -> Option<Seal> {
    let UpstreamKey::Value(key) = &route.upstream.key else { return None };
    // Another ledger may have given the same number to another token.
    Seal::new(key.as_bytes(), &format!("{} {} {}", facts.account, facts.id.0, facts.name))
}

/// Whether the token has made all of this at the route's provider.
fn owns(route: &Route, facts: &TokenFacts, kept: &[KeptId]) -> bool {
    kept.is_empty() || seal(route, facts).is_some_and(|seal| kept.iter().all(|kept| seal.owns(kept)))
}

/// What is not there, and what another token made, are refused alike.
fn not_kept(kept: &[KeptId]) -> Refusal {
    let first = kept.first();
    let id: String = first.map(|kept| kept.id.chars().take(80).collect()).unwrap_or_default();
    let message = format!("Nothing by the id '{id}' was made with this token through this gateway, or the provider's key has changed since.");
    match first.and_then(|kept| kept.param) {
        Some(param) => Refusal::invalid_request(message).with_param(Some(param.to_owned())),
        None => Refusal::route_not_found(message),
    }
}

// === impl Amounts ===

impl Amounts {
    fn of(price: &Price, ask: &Ask, route: &Route) -> Self {
        let (want, least) = match price {
            Price::Unbilled | Price::Free => (Usd::ZERO, Usd::ZERO),
            Price::PerRequest(cost) | Price::ReportedJson { hold: cost, .. } | Price::ReportedHeader { hold: cost, .. } => (*cost, *cost),
            Price::Tokens(tokens) => (tokens.quote.want, tokens.quote.least),
        };
        let (want, rolling) = match first_step(price, ask, route) {
            Some((first, unseen)) => (first, Some(unseen)),
            None => (want, None),
        };
        Self { want, least: least.min(want), rolling }
    }
}

// === impl Quoted ===

impl Quoted {
    /// The least that is worth sending, were the request asked in that way.
    pub(super) fn least_of(&self, ask: &Ask) -> Option<Usd> {
        let Price::Tokens(tokens) = &self.price else { return None };
        quote_of(&tokens.source, tokens.at, ask, self.operation, &self.route).ok().map(|(quote, _)| quote.least)
    }

    /// The same request, asked in another way that bounds it more tightly. Nothing changes where it does not.
    pub(super) fn requoted(&mut self, ask: Ask) {
        let Price::Tokens(tokens) = &mut self.price else { return };
        match quote_of(&tokens.source, tokens.at, &ask, self.operation, &self.route) {
            Ok((quote, bound)) if quote.want <= tokens.quote.want && quote.least <= tokens.quote.least => (tokens.quote, tokens.bound) = (quote, bound),
            _ => return,
        }
        *self.ask = ask;
        Amounts { want: self.want, least: self.least, rolling: self.rolling } = Amounts::of(&self.price, &self.ask, &self.route);
    }
}

// === impl Asked ===

impl Asked {
    /// Reads the provider's answer: events where it is `streamed`.
    pub(super) fn meter(&self, streamed: bool) -> Box<dyn Meter> {
        match &self.seal {
            Some(seal) => self.operation.meter_sealed(&self.ask, streamed, seal),
            None => self.operation.meter(&self.ask, streamed),
        }
    }

    /// Reads the error that came instead.
    pub(super) fn error_meter(&self, streamed: bool) -> Box<dyn Meter> {
        self.operation.error_meter(&self.ask, streamed)
    }
}

// === impl ClientRequest ===

impl ClientRequest {
    /// What an API sees of it.
    pub(super) fn view(&self) -> RequestView<'_> {
        RequestView {
            method: &self.method,
            path: self.path.get(self.below..).unwrap_or_default(),
            query: self.query.as_deref(),
            headers: &self.headers,
            body: &self.body,
        }
    }
}

// === impl TokenPrice ===

impl TokenPrice {
    fn new(source: RateSource, ask: &Ask, operation: &dyn Operation, route: &Route) -> Result<Self, Refusal> {
        let at = Timestamp::now();
        let (quote, bound) = quote_of(&source, at, ask, operation, route)?;
        let assumed_tier = tiers(ask, route).1.map(str::to_owned);
        Ok(Self { source, assumed_tier, at, margin: route.margin, reports_cost: operation.reports_cost() || route.reports_cost, quote, bound })
    }

    /// The provider whose model is priced, where the price is the price book's.
    pub(super) fn provider(&self) -> Option<&str> {
        if let RateSource::Book(model) = &self.source { Some(&model.provider) } else { None }
    }

    /// True where the price is the price book's, and not the route's own.
    pub(super) fn is_from_book(&self) -> bool {
        matches!(self.source, RateSource::Book(_))
    }

    /// The most that the request can consume.
    pub(super) fn most_usage(&self) -> Usage {
        let output = self.quote.max_output().unwrap_or(0).saturating_mul(self.bound.choices.max(1));
        let output = if self.bound.has_output { output.saturating_add(self.bound.input.get(Unit::Output)) } else { 0 };
        self.bound.input.with(Unit::Output, output).with(Unit::WebSearches, self.bound.max_searches)
    }

    /// Whether a report cannot be true: more than the model takes or gives, many times over.
    pub(super) fn is_absurd(&self, usage: &Usage) -> bool {
        let RateSource::Book(model) = &self.source else { return false };
        let most = |limit: Option<u64>| limit.filter(|limit| *limit > 0).map(|limit| limit.saturating_mul(ABSURD_FACTOR));
        let output = usage.output_tokens();
        let context = model.limits.context.map(|context| context.max(self.bound.widened_window));
        // Batches of embeddings hold many inputs, each as long as the model takes.
        let believed = |most: u64| most.saturating_mul(self.bound.windows.max(1)).max(self.bound.input.input_tokens());
        most(context).is_some_and(|most| usage.input_tokens() > believed(most) || output / self.bound.choices.max(1) > most)
    }

    /// Whether the provider itself is known to limit the model's output.
    pub(super) fn provider_limits_output(&self) -> bool {
        matches!(&self.source, RateSource::Book(model) if model.limits.output.is_some())
    }

    /// Whether the provider says that it served at a price which was not held for: that of another tier than the request named or the route assumes.
    pub(super) fn is_dearer_tier(&self, served_tier: Option<&str>) -> bool {
        let (served, assumed) = (self.rates(served_tier), self.rates(None));
        served.zip(assumed).is_some_and(|(served, assumed)| !std::ptr::eq(served, assumed))
    }

    /// The rates of the tier that the provider says it served, or, where it does not say or its name is new, of the one asked for.
    pub(super) fn rates(&self, served_tier: Option<&str>) -> Option<&Rates> {
        match &self.source {
            RateSource::Route(rates) => Some(rates),
            RateSource::Book(model) => {
                let of_tier = |tier| tier_variants(tier).into_iter().find_map(|variant| model.rates(self.at, &variant));
                let assumed = || self.assumed_tier.as_deref().and_then(of_tier).or_else(|| model.rates(self.at, &Variant::Default));
                served_tier.and_then(of_tier).or_else(assumed)
            }
        }
    }
}

#[cfg(test)]
impl TokenPrice {
    /// The price of a chat request on a route that has rates of its own.
    pub(super) fn of_route(route: &Route, body: &Bytes) -> Self {
        Self::of_route_at(route, "/v1/chat/completions", body)
    }

    /// The price of a request to that path on a route that has rates of its own.
    pub(super) fn of_route_at(route: &Route, path: &str, body: &Bytes) -> Self {
        let request = ClientRequest { method: http::Method::POST, path: path.to_owned(), below: 4, query: None, headers: HeaderMap::new(), body: body.clone() };
        let operation = route.api.operation(&request.method, request.view().path).unwrap();
        let Some(RoutePrice::Units(rates)) = &route.price else { panic!("the route has no rates") };
        Self::new(RateSource::Route(rates.clone()), &operation.ask(&request.view()).unwrap(), operation, route).unwrap()
    }
}

/// The tier that is asked for; and that, or the one that the upstream's account gives to what asks for none.
fn tiers<'a>(ask: &'a Ask, route: &'a Route) -> (Option<&'a str>, Option<&'a str>) {
    let asked = ask.service_tier.as_deref().filter(|tier| *tier != "auto" || route.default_tier.is_none());
    (asked, asked.or(route.default_tier.as_deref()))
}

/// What an ask costs at most, at the rates of that time; and the bound that says so.
fn quote_of(source: &RateSource, at: Timestamp, ask: &Ask, operation: &dyn Operation, route: &Route) -> Result<(Quote, Bound), Refusal> {
    let limits = QuoteLimits {
        min_output: route.min_output,
        default_max_output: operation.default_output().or(route.default_max_output),
        clamp: route.clamp && ask.clampable(),
    };
    // No prompt is longer than what the model takes at all, nor than what it takes as input.
    let context = if let RateSource::Book(model) = source { model.limits.context.into_iter().chain(model.limits.input).min() } else { None };
    let mut bound = ask.bound.with_window(context).map_err(|error| unpriceable(&ask.model, &error))?;
    if let Some(searches) = route.held_searches.filter(|_| operation.guesses_searches(ask)) {
        bound.max_searches = searches;
    }
    let (asked_tier, assumed_tier) = tiers(ask, route);
    let quote = match source {
        RateSource::Route(rates) => prices::quote(&[rates], &prices::ModelLimits::default(), &bound, &limits),
        RateSource::Book(model) => {
            let served_as = |tier| tier_variants(tier).into_iter().flat_map(|variant| model.candidates(at, &variant));
            let mut candidates = model.candidates(at, &Variant::Default);
            if let Some(tier) = asked_tier {
                let asked: Vec<&Rates> = served_as(tier).collect();
                if asked.is_empty() {
                    let message = format!("Model '{}' has no price for service tier '{tier}'.", ask.model);
                    return Err(Refusal::new(crate::apis::RefusalKind::ModelNotPriced, message).with_param(Some("service_tier".to_owned())));
                }
                // A provider may serve what it was asked to favour at its usual tier.
                candidates.extend(asked);
            }
            // What has no price at such a tier is not served at it.
            for tier in operation.unasked_tiers(ask).iter().copied().chain(assumed_tier.filter(|_| asked_tier.is_none())) {
                candidates.extend(served_as(tier));
            }
            if candidates.is_empty() {
                return Err(Refusal::model_not_priced(&ask.model));
            }
            prices::quote(&candidates, &model.limits, &bound, &limits)
        }
    };
    let quote = quote.map_err(|error| unpriceable(&ask.model, &error))?.widened(route.margin);
    Ok((quote, bound))
}

/// What a tier may be in the price book: a speed goes by the same name wherever it is asked for and reported.
fn tier_variants(tier: &str) -> [Variant<'_>; 2] {
    [Variant::ServiceTier(tier), Variant::Speed(tier)]
}

fn unpriceable(model: &str, error: &PriceError) -> Refusal {
    match error {
        PriceError::Unpriced(unit) => {
            Refusal::new(crate::apis::RefusalKind::ModelNotPriced, format!("Model '{model}' has no price for {}, which this request can consume.", unit.name()))
        }
        PriceError::Unbounded => {
            Refusal::invalid_request(format!("The output of model '{model}' has no known limit, so the cost cannot be bounded; set an output limit."))
        }
        PriceError::UnknownWindow => Refusal::invalid_request(format!(
            "The request brings documents or tools whose input only the context window of model '{model}' bounds, and that is not known here."
        )),
        PriceError::NoRates => Refusal::model_not_priced(model),
        PriceError::TooLarge => Refusal::invalid_request("The request can cost more than any budget can hold; lower its output limit."),
    }
}
