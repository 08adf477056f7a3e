//! meter: one exchange with a provider, from sending the request to the durable charge.
//!
//! The exchange owns the provider's answer, the meter and the grant; the client's connection only borrows what passes. When the client
//! goes away the exchange moves into a task of its own and, by default, reads on until the usage is known. However it ends, the charge is
//! made from here, and is durable before the client sees the last byte.

mod broken_off;
mod gather;
mod left;
mod paid;
mod silence;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Error as ClientError, ResponseFuture};
use tokio::time::{Instant, Sleep};

use crate::apis::{Measured, Meter};
use crate::config::Route;
use crate::ledger::{ChargeLabel, Grant, LedgerError, Settled};
use crate::money::Usd;

pub(super) use self::broken_off::BrokenOff;
use self::broken_off::is_unreadable;
use self::gather::Gather;
use self::silence::Silence;
use super::charging::{Charging, Receipt};
use super::head::{is_encoded, is_event_stream, reported_in_header};
use super::keep_alive::KeepAlive;
use super::quote::{Asked, Price};
use super::record::{self, Record};
use super::rolling::{Paid, Rolling};
use super::settle::{Booked, Charge, Ending, charge};

/// After the API's last event, the provider has this long to end its body; then its connection is not used again.
const TAIL_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a body broke off.
pub(super) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A handle on the exchange; dropping it means that the client went away.
pub(super) struct Exchange(Option<Box<Inner>>);

/// Why there is no head.
#[derive(Debug)]
pub(super) enum HeadError {
    /// The provider could not be reached, or broke off before its response's head.
    Unreachable(ClientError),
    /// What it answered is no response: it may bill it all the same.
    Unreadable(ClientError),
    /// It did not answer in time.
    TimedOut,
}

/// How much of the answer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Bytes can pass, and there is more to come.
    Passing,
    /// All that passes is there, and the charge is durable.
    Ended,
    /// It does not come to its end; but for [`BrokenOff::NotDurable`] the charge is durable.
    Broken(BrokenOff),
}

struct Inner {
    stage: Stage,
    passing: VecDeque<Bytes>,
    /// What a stream's hold pays for, where it rolls; and what has come and is not known to be paid for.
    rolling: Option<Rolling>,
    unpaid: Vec<Bytes>,
    meter: Option<Box<dyn Meter>>,
    asked: Asked,
    route: Arc<Route>,
    bill: Option<Bill>,
    receipt: Option<Receipt>,
    record: Record,
    /// What the provider told in a header, where that is the price: the cost of all of the answer.
    reported: Option<Usd>,
    /// What ends a stream whose money ended.
    limit_end: Option<Bytes>,
    /// An encoding or length hides the usage: the hold is charged.
    unreadable: bool,
    failed: bool,
    comment: bool,
    deadline: Instant,
    last: Instant,
    timer: Pin<Box<Sleep>>,
    /// What the client is told while the provider is silent.
    keep_alive: Option<KeepAlive>,
    gather: Gather,
}

#[allow(clippy::large_enum_variant, reason = "there is one an exchange, boxed with it")]
enum Stage {
    AwaitingHead(ResponseFuture),
    Reading(Incoming),
    Settling {
        charging: Charging,
        then: Then,
    },
    /// The API's last event has passed; what follows it until the body's end passes too, for a moment.
    Tail(Incoming),
    Broken(BrokenOff),
    Ended,
}

enum Then {
    /// The API's last event was seen; the body goes on to its end.
    Tail(Incoming),
    End,
    Break(BrokenOff),
}

/// What the charge is made from.
pub(super) struct Bill {
    pub(super) grant: Grant,
    pub(super) price: Price,
    pub(super) label: Arc<ChargeLabel>,
    pub(super) price_version: Arc<str>,
}

// === impl Exchange ===

impl Exchange {
    /// Takes over a request that is being sent.
    pub(super) fn new(sending: ResponseFuture, asked: Asked, route: Arc<Route>, bill: Bill, rolling: Option<Rolling>, record: Record) -> Box<Self> {
        let now = Instant::now();
        let deadline = now + route.upstream.timeout;
        Box::new(Self(Some(Box::new(Inner {
            stage: Stage::AwaitingHead(sending),
            passing: VecDeque::new(),
            rolling,
            unpaid: Vec::new(),
            meter: None,
            asked,
            comment: route.stream_cost_comment,
            route,
            bill: Some(bill),
            receipt: None,
            record,
            reported: None,
            limit_end: None,
            unreadable: false,
            failed: false,
            deadline,
            last: now,
            timer: Box::pin(tokio::time::sleep_until(deadline)),
            keep_alive: None,
            gather: Gather::default(),
        }))))
    }

    /// The head of the provider's response. After an error the grant has been dealt with.
    pub(super) async fn head(&mut self) -> Result<Parts, HeadError> {
        std::future::poll_fn(|context| match &mut self.0 {
            Some(inner) => inner.poll_head(context),
            None => Poll::Ready(Err(HeadError::TimedOut)),
        })
        .await
    }

    /// Reads until something can pass, or all is settled.
    pub(super) async fn progress(&mut self) -> Progress {
        std::future::poll_fn(|context| match &mut self.0 {
            Some(inner) => inner.poll_progress(context),
            None => Poll::Ready(Progress::Ended),
        })
        .await
    }

    /// What is passed on next; none at the end.
    pub(super) fn poll_pass(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match &mut self.0 {
            Some(inner) => inner.poll_pass(context),
            None => Poll::Ready(None),
        }
    }

    /// The durable charge, once there is one.
    pub(super) fn receipt(&self) -> Option<Receipt> {
        self.0.as_ref().and_then(|inner| inner.receipt)
    }

    /// All that could pass, in one piece.
    pub(super) fn take_passing(&mut self) -> Option<Bytes> {
        self.0.as_mut().map(|inner| inner.next_passing().unwrap_or_default())
    }

    /// Drops what could pass.
    pub(super) fn discard(&mut self) {
        if let Some(inner) = &mut self.0 {
            inner.passing.clear();
        }
    }

    pub(super) fn record(&mut self) -> Option<&mut Record> {
        self.0.as_mut().map(|inner| &mut inner.record)
    }

    /// Ends the exchange and gives its record back, and what has not passed yet. Only after `Ended` or `Broken`, or an error of the head.
    pub(super) fn close(mut self) -> Option<(Record, VecDeque<Bytes>)> {
        let inner = self.0.take()?;
        let Inner { record, passing, .. } = *inner;
        Some((record, passing))
    }

    /// From now on the client is told this while the provider is silent, as often as the route says.
    pub(super) fn keep_alive(&mut self, says: Option<&'static str>) {
        if let Some(inner) = &mut self.0 {
            inner.keep_alive = says.zip(inner.route.keep_alive).map(|(says, every)| KeepAlive::new(says, every));
        }
    }

    /// Chooses the meter by the head of the answer.
    pub(super) fn begin_metering(&mut self, head: &Parts) {
        if let Some(inner) = &mut self.0 {
            inner.begin_metering(head);
        }
    }
}

// === impl Inner ===

impl Inner {
    /// Chooses the meter by the head of the answer.
    fn begin_metering(&mut self, head: &Parts) {
        let streamed = is_event_stream(&head.headers);
        self.failed = !head.status.is_success();
        let price = self.bill.as_ref().map(|bill| &bill.price);
        self.meter = Some(match price {
            Some(Price::ReportedJson { pointer, .. }) if !self.asked.operation.reports_cost() => crate::apis::http::reported_cost_meter(streamed, pointer),
            _ if self.failed => self.asked.error_meter(streamed),
            _ => self.asked.meter(streamed),
        });
        self.reported = price.and_then(|price| reported_in_header(price, self.asked.operation, &head.headers));
        self.unreadable = is_encoded(&head.headers) && !self.failed;
        // What is no stream, or cannot be read, is charged at its end: the first step is all that is held for it.
        self.rolling = self.rolling.take().filter(|_| streamed && !self.failed && !self.unreadable);
        if let (Some(rolling), Some(meter), Some(bill)) = (&self.rolling, &mut self.meter, &self.bill) {
            meter.keep_events_whole();
            if let Some(pace) = rolling.pace(&bill.label) {
                meter.set_pace(pace);
            }
        }
        self.comment &= streamed;
    }

    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Result<Parts, HeadError>> {
        let Stage::AwaitingHead(sending) = &mut self.stage else { return Poll::Ready(Err(HeadError::TimedOut)) };
        match Pin::new(sending).poll(context) {
            Poll::Ready(Ok(response)) => {
                let (head, body) = response.into_parts();
                self.stage = Stage::Reading(body);
                self.last = Instant::now();
                self.record.upstream_head();
                Poll::Ready(Ok(head))
            }
            Poll::Ready(Err(error)) if is_unreadable(&error) => {
                self.stage = self.conclude(Ending::Uncertain, Then::End);
                self.record.outcome(record::UPSTREAM_ERROR);
                Poll::Ready(Err(HeadError::Unreadable(error)))
            }
            Poll::Ready(Err(error)) => {
                // Nothing of an answer came: the provider has nothing to bill.
                if let Some(bill) = self.bill.take() {
                    bill.grant.void();
                }
                self.stage = Stage::Ended;
                self.record.outcome(record::UPSTREAM_ERROR);
                Poll::Ready(Err(HeadError::Unreachable(error)))
            }
            Poll::Pending => {
                ready!(self.timer.as_mut().poll(context));
                self.stage = self.conclude(Ending::Uncertain, Then::End);
                self.record.outcome(record::UPSTREAM_ERROR);
                Poll::Ready(Err(HeadError::TimedOut))
            }
        }
    }

    fn poll_progress(&mut self, context: &mut Context<'_>) -> Poll<Progress> {
        loop {
            match &self.stage {
                Stage::Tail(_) | Stage::Ended if self.receipt.is_some() || self.bill.is_none() => return Poll::Ready(Progress::Ended),
                Stage::Broken(why) => return Poll::Ready(Progress::Broken(*why)),
                _ if !self.passing.is_empty() => return Poll::Ready(Progress::Passing),
                _ => ready!(self.poll_step(context)),
            }
        }
    }

    fn poll_pass(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            if self.poll_gather(context).is_pending() {
                return Poll::Pending;
            }
            if let Some(bytes) = self.next_passing() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            match std::mem::replace(&mut self.stage, Stage::Ended) {
                Stage::Broken(why) => {
                    if why != BrokenOff::Spent {
                        self.record.outcome(record::CUT);
                    }
                    return Poll::Ready(Some(Err(why.into())));
                }
                Stage::Ended => return Poll::Ready(None),
                stage => self.stage = stage,
            }
            ready!(self.poll_step(context));
        }
    }

    /// What is ready goes out in one write.
    fn next_passing(&mut self) -> Option<Bytes> {
        let first = self.passing.pop_front()?;
        if let Some(keep_alive) = &mut self.keep_alive {
            keep_alive.heard();
        }
        if self.passing.is_empty() {
            return Some(first);
        }
        let mut joined = bytes::BytesMut::with_capacity(first.len() + self.passing.iter().map(Bytes::len).sum::<usize>());
        joined.extend_from_slice(&first);
        for bytes in self.passing.drain(..) {
            joined.extend_from_slice(&bytes);
        }
        Some(joined.freeze())
    }

    /// One step: a chunk of the provider's answer, its end, or the charge's durability.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.stage {
            Stage::Reading(_) if !self.unpaid.is_empty() => {
                match ready!(self.poll_paid(context)) {
                    Paid::Yes => self.passing.extend(self.unpaid.drain(..)),
                    Paid::Spent => self.end_at_limit(),
                }
                Poll::Ready(())
            }
            Stage::Reading(body) => {
                let frame = match Pin::new(body).poll_frame(context) {
                    Poll::Ready(frame) => frame,
                    Poll::Pending => {
                        if ready!(self.poll_silence(context)) == Silence::TooLong {
                            self.stage = self.conclude(Ending::Uncertain, Then::Break(BrokenOff::TimedOut));
                        }
                        return Poll::Ready(());
                    }
                };
                self.last = Instant::now();
                self.gather.came(self.last);
                self.take_frame(frame);
                Poll::Ready(())
            }
            Stage::Settling { charging, .. } => {
                let settled = ready!(charging.poll(context));
                let Stage::Settling { charging, then } = std::mem::replace(&mut self.stage, Stage::Ended) else { return Poll::Ready(()) };
                let durable = settled.is_ok();
                self.settled(&charging, settled);
                self.stage = match then {
                    // The client sees the end only of what is charged.
                    _ if !durable => Stage::Broken(BrokenOff::NotDurable),
                    Then::Break(why) => Stage::Broken(why),
                    Then::Tail(body) => {
                        self.timer.as_mut().reset(Instant::now() + TAIL_TIMEOUT);
                        Stage::Tail(body)
                    }
                    Then::End => Stage::Ended,
                };
                Poll::Ready(())
            }
            Stage::Tail(body) => {
                match Pin::new(body).poll_frame(context) {
                    Poll::Ready(Some(Ok(frame))) => self.passing.extend(frame.into_data()),
                    Poll::Ready(_) => self.stage = Stage::Ended,
                    Poll::Pending => {
                        ready!(self.timer.as_mut().poll(context));
                        self.stage = Stage::Ended;
                    }
                }
                Poll::Ready(())
            }
            Stage::AwaitingHead(_) | Stage::Broken(_) | Stage::Ended => Poll::Ready(()),
        }
    }

    fn take_frame(&mut self, frame: Option<Result<http_body::Frame<Bytes>, hyper::Error>>) {
        let mut pass = Vec::new();
        match frame {
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { return };
                if let Some(meter) = &mut self.meter {
                    meter.chunk(data, &mut pass);
                    if meter.terminal()
                        && let Stage::Reading(body) = std::mem::replace(&mut self.stage, Stage::Ended)
                    {
                        // The usage is known: what has come is charged as it is.
                        self.passing.extend(self.unpaid.drain(..).chain(pass));
                        self.stage = self.conclude(self.ending(), Then::Tail(body));
                        return;
                    }
                }
            }
            Some(Err(error)) => {
                tracing::debug!(%error, request_id = %self.record.id(), "the provider broke off its answer");
                self.stage = self.conclude(Ending::Cut, Then::Break(BrokenOff::ByProvider));
                return;
            }
            None => {
                if let Some(meter) = &mut self.meter {
                    meter.end(&mut pass);
                }
                self.passing.extend(pass);
                self.stage = self.conclude(self.ending(), Then::End);
                return;
            }
        }
        if self.rolling.is_some() {
            self.unpaid.extend(pass);
        } else {
            self.passing.extend(pass);
        }
    }

    fn ending(&self) -> Ending {
        if self.failed { Ending::ProviderError } else { Ending::Complete }
    }

    /// Makes the charge, once.
    fn conclude(&mut self, ending: Ending, then: Then) -> Stage {
        let Some(bill) = self.bill.take() else {
            return match then {
                Then::Break(why) => Stage::Broken(why),
                Then::Tail(body) => Stage::Tail(body),
                Then::End => Stage::Ended,
            };
        };
        let mut measured = self.meter.as_ref().map_or_else(Measured::default, |meter| meter.measured());
        measured.complete |= self.reported.is_some();
        let reported = self.reported.or(measured.reported_cost);
        if let (Some(rolling), Ending::Complete, Some(meter), Some(usage)) = (&self.rolling, ending, &self.meter, &measured.usage) {
            rolling.ended(meter.served(), usage.output_tokens(), &bill.label, &bill.grant);
        }
        let admitted = bill.grant.admitted();
        let due = match self.unreadable {
            true if matches!(bill.price, Price::Tokens(_)) && self.reported.is_none() => Charge::Hold,
            _ => charge(&bill.price, ending, &measured, reported, admitted, self.route.on_uncertain),
        };
        let due = due.booked(&bill.price, &measured, admitted);
        if let (Some(Booked { cost, .. }), Price::Tokens(tokens)) = (&due, &bill.price)
            && admitted.budgeted
            && *cost > admitted.amount
            && tokens.is_dearer_tier(measured.service_tier.as_deref())
        {
            tracing::warn!(
                request_id = %self.record.id(),
                route = self.route.path.pattern(),
                tier = measured.service_tier,
                "the provider served at a dearer service tier than was held for; where its account does so by default, set default_tier on the route"
            );
        }
        let job = self.meter.as_ref().and_then(|meter| meter.job()).filter(|_| ending == Ending::Complete);
        let charging = Charging::begin(bill, due, job);
        Stage::Settling { charging, then }
    }

    /// The charge is durable: what was kept back may pass.
    fn settled(&mut self, charging: &Charging, settled: Result<Settled, LedgerError>) {
        match settled {
            Ok(settled) => {
                self.receipt = charging.receipt(&settled);
                if charging.is_booked(&settled) {
                    self.record.charged(&charging.label, charging.cost, &charging.usage, charging.estimated, &settled, charging.began.elapsed());
                }
                if self.comment {
                    let balance = settled.balance.map_or_else(String::new, |balance| format!(" balance={balance}"));
                    self.passing.push_back(Bytes::from(format!(": spendgate cost={}{balance}\n\n", charging.cost)));
                }
                match (self.limit_end.take(), &mut self.meter) {
                    (Some(end), _) => self.passing.push_back(end),
                    (None, Some(meter)) => self.passing.extend(meter.take_held()),
                    (None, None) => {}
                }
            }
            Err(error) => tracing::error!(%error, request_id = %self.record.id(), "a settlement was not confirmed"),
        }
    }
}
