//! forward: the request goes to the provider, or to the sandbox. Only a granted one can come here.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};

use crate::apis::{self, Api, ModelList, Refusal};
use crate::ledger::{Grant, Renewed};
use crate::money::Usd;
use crate::sandbox::Simulated;

use super::admit::Granted;
use super::charging::Receipt;
use super::exchange::{Bill, BrokenOff, Exchange, HeadError, Progress};
use super::head::is_event_stream;
use super::quote::{Asked, Kind, Price, Quoted, usable};
use super::record::{self, Record};
use super::rolling::{Experience, FIRST_STEP, Rolling, SHORT};
use super::upstream::{self, UpstreamClients};
use super::{Refused, ResponseBody, respond};

/// Sends the request and answers the client.
pub(super) async fn forward(granted: Granted, clients: &UpstreamClients, experience: &Arc<Experience>, record: Record) -> Response<ResponseBody> {
    let Granted { quoted, grant } = granted;
    match quoted.kind {
        Kind::Provider => to_provider(quoted, grant, clients, experience, record).await,
        Kind::Sandbox { faults, models } => {
            let Quoted { operation, request, api, .. } = *quoted;
            // A schema can be a good deal of work, which must not stop the streams of others.
            let simulating =
                tokio::task::spawn_blocking(move || apis::simulate(api, operation, &request.view(), &faults, &mut models.iter().map(String::as_str)));
            match simulating.await {
                Ok(simulated) => from_sandbox(simulated, record).await,
                Err(error) => {
                    tracing::error!(%error, "a simulation broke off");
                    respond::refused(*Refused::new(api, Refusal::upstream_error("The simulation broke off.")), record)
                }
            }
        }
    }
}

async fn from_sandbox(simulated: Simulated, mut record: Record) -> Response<ResponseBody> {
    tokio::time::sleep(simulated.latency).await;
    record.status(simulated.status.as_u16());
    record.outcome(outcome(simulated.status));
    let mut response = simulated.into_response().map(ResponseBody::other);
    respond::put_request_id(response.headers_mut(), &record);
    response.map(|body| body.recorded(record))
}

async fn to_provider(
    quoted: Box<Quoted>,
    mut grant: Grant,
    clients: &UpstreamClients,
    experience: &Arc<Experience>,
    mut record: Record,
) -> Response<ResponseBody> {
    let limit = output_limit(&quoted, &grant);
    let clamped = limit.filter(|limit| limit.clamped).map(|limit| limit.tokens);
    if let Some(tokens) = clamped {
        record.clamped(tokens);
    }
    let rolling = rolling(&quoted, &mut grant, limit, experience).await;
    let body = quoted.ask.upstream_body(&quoted.request.body, limit.map(|limit| limit.tokens));
    let prepared = clients.of(&quoted.route.upstream).and_then(|client| upstream::request(&quoted, &quoted.request, body).map(|request| (client, request)));
    let (client, request) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            tracing::error!(%error, upstream = quoted.route.upstream.name, "a request could not be made for the upstream");
            grant.void();
            return respond::refused(*Refused::new(quoted.api, Refusal::upstream_error("The upstream is misconfigured; the gateway's log says how.")), record);
        }
    };
    let Quoted { api, operation, route, ask, seal, price, label, price_version, snapshot, routes, .. } = *quoted;
    let model_list = operation.model_list();
    record.sent();
    grant.sent();
    let upstream_name = route.upstream.name.clone();
    let mut exchange =
        Exchange::new(client.request(request), Asked { operation, ask, seal }, route, Bill { grant, price, label, price_version }, rolling, record);
    match (exchange.head().await, model_list) {
        (Ok(head), Some(list)) if head.status.is_success() => {
            let keep = |model: &str| usable(&snapshot, &routes, model);
            list_models(head, exchange, api, list, &keep, &upstream_name).await
        }
        (Ok(head), _) => answer(head, exchange, api, clamped, &upstream_name).await,
        (Err(error), _) => {
            // Where the hold was charged, the charge is durable first.
            exchange.progress().await;
            let Some((mut record, _)) = exchange.close() else { return Response::new(ResponseBody::whole(Bytes::new())) };
            record.outcome(record::UPSTREAM_ERROR);
            let refusal = match error {
                HeadError::TimedOut => timed_out(&upstream_name),
                HeadError::Unreadable(error) => {
                    tracing::warn!(%error, cause = error_chain(&error), upstream = upstream_name, "what the upstream answered is no HTTP response");
                    Refusal::upstream_error(format!("The upstream '{upstream_name}' answered with what is no HTTP response."))
                }
                HeadError::Unreachable(error) => {
                    tracing::warn!(%error, cause = error_chain(&error), upstream = upstream_name, "the upstream could not be reached");
                    Refusal::upstream_error(format!("The upstream '{upstream_name}' could not be reached, or broke off before it answered."))
                }
            };
            respond::refused(*Refused::new(api, refusal), record)
        }
    }
}

/// The output limit that the provider is told.
#[derive(Clone, Copy)]
pub(super) struct OutputLimit {
    tokens: u64,
    /// Lower than what was asked for.
    pub(super) clamped: bool,
}

/// The hold of a stream that rolls, where all of its first step was granted.
async fn rolling(quoted: &Quoted, grant: &mut Grant, limit: Option<OutputLimit>, experience: &Arc<Experience>) -> Option<Rolling> {
    let (Price::Tokens(price), Some(unseen)) = (&quoted.price, quoted.rolling) else { return None };
    if !grant.admitted().budgeted || grant.admitted().amount < quoted.want {
        return None;
    }
    let most = limit.map(|limit| limit.tokens).or(price.quote.max_output())?;
    // Where the rest of the budget hardly pays for one answer, this one takes all that it may need: it ends as the provider ends it, and the others wait.
    let last = limit.is_some() && most <= experience.usual_length(quoted.facts.id).saturating_add(unseen).saturating_add(FIRST_STEP);
    let all = price.quote.cost_at(most);
    if last && matches!(grant.raise_to(all).await, Ok(Renewed::Done)) {
        grant.raised(all);
    }
    Some(Rolling::new(price.quote, unseen, most, Arc::clone(experience)))
}

/// The output limit that goes upstream, where the client's own does not do.
pub(super) fn output_limit(quoted: &Quoted, grant: &Grant) -> Option<OutputLimit> {
    let Price::Tokens(price) = &quoted.price else { return None };
    let admitted = grant.admitted();
    if !admitted.budgeted {
        return None;
    }
    if admitted.amount < quoted.want {
        return Some(OutputLimit { tokens: price.quote.output_limit_for(admitted.amount), clamped: true });
    }
    // The hold of a rolling stream may grow to all that is free now: the provider itself ends the answer there, and says exactly what it cost.
    if quoted.rolling.is_some() && quoted.route.clamp && quoted.ask.clampable() {
        let within = admitted.free_after.and_then(|free| free.max(Usd::ZERO).plus(admitted.amount).ok()).map(|all| price.quote.output_limit_for(all));
        if let Some(tokens) = within.filter(|tokens| Some(*tokens) < price.quote.max_output()) {
            return Some(OutputLimit { tokens, clamped: tokens < SHORT });
        }
    }
    // Where the client sets no limit, and nothing is known to keep one, the limit that the hold was made for is set.
    let kept = price.provider_limits_output() || quoted.route.default_max_output.is_none();
    let assumed = price.bound.output_tokens.is_none() && quoted.ask.clampable() && (quoted.operation.writes_limit() || !kept);
    price.quote.max_output().filter(|_| assumed).map(|tokens| OutputLimit { tokens, clamped: false })
}

/// The provider's answer on its way to the client.
async fn answer(head: Parts, mut exchange: Box<Exchange>, api: &'static dyn Api, clamped: Option<u64>, upstream_name: &str) -> Response<ResponseBody> {
    let streamed = is_event_stream(&head.headers);
    exchange.begin_metering(&head);
    if streamed && head.status.is_success() {
        exchange.keep_alive(api.envelope().keep_alive());
    }
    if let Some(record) = exchange.record() {
        record.status(head.status.as_u16());
        record.outcome(outcome(head.status));
    }
    let not_passed = match head.status {
        status if status.is_redirection() => Some("a redirect, which is not followed"),
        // Passed on, it would make the client's connection one that is no HTTP any more.
        status if status.is_informational() => Some("a change of protocols, which was not asked for"),
        _ => None,
    };
    if let Some(what) = not_passed {
        return broken(exchange, api, Refusal::upstream_error(format!("The upstream '{upstream_name}' answered with {what}."))).await;
    }
    let mut headers = passed_headers(&head, api);
    if let Some(tokens) = clamped {
        headers.insert(HeaderName::from_static("spendgate-clamped"), HeaderValue::from(tokens));
    }
    if let Some(record) = exchange.record() {
        respond::put_request_id(&mut headers, record);
    }
    let progress = if streamed { Progress::Passing } else { exchange.progress().await };
    let body = match progress {
        Progress::Broken(why) => return broken(exchange, api, broken_off(why, upstream_name)).await,
        Progress::Passing => ResponseBody::provider(exchange),
        Progress::Ended => {
            if let Some(receipt) = exchange.receipt() {
                put_receipt(&mut headers, receipt);
            }
            let Some((record, passing)) = exchange.close() else { return Response::new(ResponseBody::whole(Bytes::new())) };
            ResponseBody::whole(join(passing)).recorded(record)
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = headers;
    response
}

/// The provider's list of models, without those that the token may not use.
async fn list_models(
    head: Parts,
    mut exchange: Box<Exchange>,
    api: &'static dyn Api,
    model_list: ModelList,
    keep: &(dyn Fn(&str) -> bool + Sync),
    upstream_name: &str,
) -> Response<ResponseBody> {
    exchange.begin_metering(&head);
    let list = match exchange.progress().await {
        Progress::Ended => exchange.take_passing(),
        Progress::Passing => None,
        Progress::Broken(why) => return broken(exchange, api, broken_off(why, upstream_name)).await,
    };
    let filtered = list.and_then(|list| model_list.filter(&list, &|model| keep(model)));
    let Some(filtered) = filtered else {
        return broken(exchange, api, Refusal::upstream_error(format!("The upstream '{upstream_name}' answered with no list of models."))).await;
    };
    let Some((mut record, _)) = exchange.close() else { return Response::new(ResponseBody::whole(Bytes::new())) };
    record.status(head.status.as_u16());
    record.outcome(record::OK);
    let mut headers = passed_headers(&head, api);
    respond::put_request_id(&mut headers, &record);
    let mut response = Response::new(ResponseBody::whole(filtered).recorded(record));
    *response.headers_mut() = headers;
    response
}

/// The provider's headers that the client gets.
fn passed_headers(head: &Parts, api: &'static dyn Api) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(head.headers.len() + 6);
    for (name, value) in &head.headers {
        if api.envelope().passes_response_header(name) {
            headers.append(name, value.clone());
        }
    }
    headers
}

/// Nothing of the provider's answer goes to the client, but an error of our own, once the money is settled.
async fn broken(mut exchange: Box<Exchange>, api: &'static dyn Api, refusal: Refusal) -> Response<ResponseBody> {
    tracing::warn!("{}", refusal.message);
    while exchange.progress().await == Progress::Passing {
        exchange.discard();
    }
    let Some((record, _)) = exchange.close() else { return Response::new(ResponseBody::whole(Bytes::new())) };
    respond::refused(*Refused::new(api, refusal), record)
}

fn broken_off(why: BrokenOff, upstream_name: &str) -> Refusal {
    match why {
        BrokenOff::TimedOut => timed_out(upstream_name),
        // Nobody is told to try again: the provider has served it.
        BrokenOff::NotDurable => Refusal::upstream_error("What the answer costs could not be written down, so it is not passed on."),
        BrokenOff::ByProvider | BrokenOff::Spent => Refusal::upstream_error(format!("The upstream '{upstream_name}' broke off its answer.")),
    }
}

fn timed_out(upstream_name: &str) -> Refusal {
    Refusal::upstream_timeout(format!("The upstream '{upstream_name}' did not answer in time."))
}

fn put_receipt(headers: &mut HeaderMap, receipt: Receipt) {
    let amount = |amount: Usd| HeaderValue::from_str(&amount.to_string());
    if let Ok(cost) = amount(receipt.cost) {
        headers.insert(HeaderName::from_static("spendgate-cost"), cost);
    }
    if let Some(Ok(balance)) = receipt.balance.map(amount) {
        headers.insert(HeaderName::from_static("spendgate-balance"), balance);
    }
}

fn join(mut passing: std::collections::VecDeque<Bytes>) -> Bytes {
    if passing.len() <= 1 {
        return passing.pop_front().unwrap_or_default();
    }
    passing.iter().flat_map(|bytes| bytes.iter().copied()).collect()
}

fn outcome(status: StatusCode) -> &'static str {
    match status.as_u16() {
        0..400 => record::OK,
        400..500 => record::CLIENT_ERROR,
        _ => record::UPSTREAM_ERROR,
    }
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.join(": ")
}
