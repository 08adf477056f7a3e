//! The metrics of `/metrics`. Names and labels are a contract; series stay bounded whatever people call their tokens and models.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Encoder, HistogramOpts, HistogramVec, TextEncoder, proto};

use crate::ledger::Ledger;
use crate::maps::{Map, Set};
use crate::money::Usd;
use crate::prices::Usage;

use super::family::{Family, family, metric};

/// What stands for a token or model that gets no series of its own.
const OTHER: &str = "other";

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    requests: Family<5>,
    spend: Family<4>,
    units: Family<5>,
    overrun: Family<2>,
    estimated: Family<2>,
    ledger_errors: Family<1>,
    provider_counts: Family<2>,
    request_seconds: HistogramVec,
    upstream_head_seconds: HistogramVec,
    overhead_seconds: HistogramVec,
    ledger_seconds: HistogramVec,
    in_flight: AtomicI64,
    reload_failures: AtomicU64,
    /// Tokens with series of their own, at most `token_cap`.
    tokens: RwLock<TokenNames>,
    token_cap: usize,
}

/// Names of tokens by account: looked up without a copy of either.
#[derive(Debug, Default)]
struct TokenNames {
    by_account: Map<Box<str>, Set<Box<str>>>,
    count: usize,
}

/// The labels of one request.
#[derive(Clone, Copy, Debug)]
pub struct RequestLabels<'a> {
    /// The account, or empty where nobody was identified.
    pub account: &'a str,
    /// The token's name, or empty.
    pub token: &'a str,
    /// The route's path as written in the file, or empty.
    pub route: &'a str,
    /// The model as priced; none: not one of the price book's or the route's.
    pub model: Option<&'a str>,
    /// `ok`, `client_error`, `upstream_error`, `cut`, or a refusal's code.
    pub outcome: &'a str,
}

/// What one settled request cost.
#[derive(Clone, Copy, Debug)]
pub struct Spend<'a> {
    /// The account.
    pub account: &'a str,
    /// The token's name.
    pub token: &'a str,
    /// Whose prices.
    pub provider: &'a str,
    /// The model as priced.
    pub model: &'a str,
    /// What was charged.
    pub cost: Usd,
    /// What was consumed.
    pub usage: &'a Usage,
    /// By how much it exceeded its hold.
    pub overrun: Usd,
    /// True where the provider did not report it.
    pub estimated: bool,
}

/// An operation of the ledger, for `op`.
#[derive(Clone, Copy, Debug)]
pub enum LedgerOp {
    /// Admission.
    Admit,
    /// Settlement.
    Settle,
}

// === impl Metrics ===

impl Metrics {
    /// Nothing counted yet; at most `token_cap` tokens get series of their own.
    ///
    /// # Errors
    /// Never in practice: the histograms' names are fixed.
    pub fn new(token_cap: usize) -> Result<Self, prometheus::Error> {
        let histogram =
            |name: &str, help: &str, label: &str, buckets: &[f64]| HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), &[label]);
        let long = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0];
        let short = [0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5];
        Ok(Self {
            requests: Family::new("spendgate_requests_total", "Requests, by how they ended.", ["account", "token", "route", "model", "outcome"], 1.0),
            spend: Family::new("spendgate_spend_usd_total", "US dollars charged.", ["account", "token", "provider", "model"], 1e9),
            units: Family::new("spendgate_units_total", "Units consumed, by class.", ["account", "token", "provider", "model", "class"], 1.0),
            overrun: Family::new("spendgate_overrun_usd_total", "US dollars charged beyond the hold.", ["account", "token"], 1e9),
            estimated: Family::new("spendgate_estimated_charges_total", "Charges that the provider did not report.", ["account", "token"], 1.0),
            ledger_errors: Family::new("spendgate_ledger_errors_total", "Operations that the ledger failed.", ["op"], 1.0),
            provider_counts: Family::new(
                "spendgate_provider_counts_total",
                "Requests whose input the provider was asked to count, by how that ended.",
                ["upstream", "outcome"],
                1.0,
            ),
            request_seconds: histogram("spendgate_request_seconds", "From the request's head to the response's last byte.", "route", &long)?,
            upstream_head_seconds: histogram(
                "spendgate_upstream_head_seconds",
                "From sending a request upstream to the head of its response.",
                "route",
                &long,
            )?,
            overhead_seconds: histogram("spendgate_overhead_seconds", "Time spent in spendgate itself before the request goes upstream.", "route", &short)?,
            ledger_seconds: histogram("spendgate_ledger_seconds", "Time the ledger took.", "op", &short)?,
            in_flight: AtomicI64::new(0),
            reload_failures: AtomicU64::new(0),
            tokens: RwLock::default(),
            token_cap,
        })
    }

    /// Counts a request that ended.
    pub fn request(&self, labels: RequestLabels<'_>, took: Duration) {
        let token = self.token_label(labels.account, labels.token);
        self.requests.add([labels.account, token, labels.route, labels.model.unwrap_or(OTHER), labels.outcome], 1);
        self.request_seconds.with_label_values(&[labels.route]).observe(took.as_secs_f64());
    }

    /// Counts a charge.
    pub fn spend(&self, spend: &Spend<'_>) {
        let token = self.token_label(spend.account, spend.token);
        self.spend.add([spend.account, token, spend.provider, spend.model], spend.cost.nanos().max(0).unsigned_abs());
        for (unit, count) in spend.usage.iter() {
            self.units.add([spend.account, token, spend.provider, spend.model, unit.name()], count);
        }
        if spend.overrun.is_positive() {
            self.overrun.add([spend.account, token], spend.overrun.nanos().unsigned_abs());
        }
        if spend.estimated {
            self.estimated.add([spend.account, token], 1);
        }
    }

    /// Time spent before a request went upstream.
    pub fn overhead(&self, route: &str, took: Duration) {
        self.overhead_seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// Time until the head of the upstream's response.
    pub fn upstream_head(&self, route: &str, took: Duration) {
        self.upstream_head_seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }

    /// Time that the ledger took, and whether it failed.
    pub fn ledger(&self, op: LedgerOp, took: Duration, failed: bool) {
        let op = op.name();
        self.ledger_seconds.with_label_values(&[op]).observe(took.as_secs_f64());
        if failed {
            self.ledger_errors.add([op], 1);
        }
    }

    /// The provider was asked to count the input of a request.
    pub fn provider_count(&self, upstream: &str, outcome: &str) {
        self.provider_counts.add([upstream, outcome], 1);
    }

    /// A request began.
    pub fn request_began(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// A request that began has ended.
    pub fn request_ended(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many requests are under way.
    #[must_use]
    pub fn in_flight(&self) -> i64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// A reload was refused.
    pub fn reload_failed(&self) {
        self.reload_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// The text exposition, with every live token's balance as the ledger has it now.
    ///
    /// # Errors
    /// When a sample cannot be written; never in practice.
    pub async fn expose(&self, ledger: &Ledger) -> Result<String, prometheus::Error> {
        let mut live = TokenNames::default();
        let mut gauges: [Vec<proto::Metric>; 3] = Default::default();
        ledger
            .observe(&mut |token| {
                if gauges[1].len() < self.token_cap {
                    let mut gauge = |index: usize, value: f64| {
                        if let Some(samples) = gauges.get_mut(index) {
                            samples.push(metric(&["account", "token"], &[&token.account, &token.name], proto::MetricType::GAUGE, value));
                        }
                    };
                    if let Some(balance) = token.balance {
                        gauge(0, dollars(balance));
                    }
                    gauge(1, dollars(token.held));
                    if let Some(expiry) = token.expire_time {
                        gauge(2, expiry.as_duration().as_secs_f64());
                    }
                }
                live.insert(&token.account, &token.name);
            })
            .await;
        self.forget_all_but(&live);
        let mut families = vec![
            self.requests.collect(),
            self.spend.collect(),
            self.units.collect(),
            self.overrun.collect(),
            self.estimated.collect(),
            self.ledger_errors.collect(),
            self.provider_counts.collect(),
        ];
        for histogram in [&self.request_seconds, &self.upstream_head_seconds, &self.overhead_seconds, &self.ledger_seconds] {
            families.extend(histogram.collect());
        }
        let [balances, helds, expiries] = gauges;
        families.push(family("spendgate_balance_usd", "US dollars left to spend.", proto::MetricType::GAUGE, balances));
        families.push(family("spendgate_held_usd", "US dollars held by requests in flight.", proto::MetricType::GAUGE, helds));
        families.push(family("spendgate_token_expiry_timestamp_seconds", "When the token expires.", proto::MetricType::GAUGE, expiries));
        let single = |name: &str, help: &str, kind: proto::MetricType, value: f64| family(name, help, kind, vec![metric(&[], &[], kind, value)]);
        #[allow(clippy::cast_precision_loss)]
        {
            families.push(single(
                "spendgate_outbox_entries",
                "Settlements that the ledger has not taken yet.",
                proto::MetricType::GAUGE,
                ledger.pending_settlements() as f64,
            ));
            if let Some(slices) = ledger.slices() {
                let of = |event: &str, count: u64| metric(&["event"], &[event], proto::MetricType::COUNTER, count as f64);
                let events = vec![of("taken", slices.taken), of("given_back", slices.given_back), of("recalled", slices.recalled)];
                families.push(family("spendgate_slices_total", "Slices of budgets.", proto::MetricType::COUNTER, events));
                families.push(single(
                    "spendgate_slice_admissions_total",
                    "Requests that were admitted from slices.",
                    proto::MetricType::COUNTER,
                    slices.admitted as f64,
                ));
            }
            families.push(single("spendgate_requests_in_flight", "Requests under way.", proto::MetricType::GAUGE, self.in_flight() as f64));
            families.push(single(
                "spendgate_reload_failures_total",
                "Reloads refused because a file was broken.",
                proto::MetricType::COUNTER,
                self.reload_failures.load(Ordering::Relaxed) as f64,
            ));
        }
        let (silent, families): (Vec<_>, Vec<_>) = families.into_iter().partition(|family| family.get_metric().is_empty());
        let mut text = Vec::new();
        TextEncoder::new().encode(&families, &mut text)?;
        let mut text = String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))?;
        silent.iter().for_each(|family| text.push_str(&announced(family)));
        Ok(text)
    }

    /// The token's name, or `other` past the cap.
    fn token_label<'a>(&self, account: &str, token: &'a str) -> &'a str {
        if token.is_empty() {
            return token;
        }
        if self.tokens.read().unwrap_or_else(PoisonError::into_inner).contains(account, token) {
            return token;
        }
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if tokens.count >= self.token_cap && !tokens.contains(account, token) {
            return OTHER;
        }
        tokens.insert(account, token);
        token
    }

    /// Takes away the series of tokens that are no more.
    fn forget_all_but(&self, live: &TokenNames) {
        let gone = self.tokens.write().unwrap_or_else(PoisonError::into_inner).split_off_all_but(live);
        if gone.count == 0 {
            return;
        }
        let keep = |account: &str, token: &str| !gone.contains(account, token);
        self.requests.retain(&keep);
        self.spend.retain(&keep);
        self.units.retain(&keep);
        self.overrun.retain(&keep);
        self.estimated.retain(&keep);
    }
}

// === impl TokenNames ===

impl TokenNames {
    fn contains(&self, account: &str, token: &str) -> bool {
        self.by_account.get(account).is_some_and(|names| names.contains(token))
    }

    fn insert(&mut self, account: &str, token: &str) {
        if !self.by_account.contains_key(account) {
            self.by_account.insert(Box::from(account), Set::default());
        }
        let new = self.by_account.get_mut(account).is_some_and(|names| names.insert(Box::from(token)));
        self.count += usize::from(new);
    }

    /// Takes out those that `live` lacks.
    fn split_off_all_but(&mut self, live: &Self) -> Self {
        let mut gone = Self::default();
        self.by_account.retain(|account, names| {
            names.retain(|name| {
                let keep = live.contains(account, name);
                if !keep {
                    gone.insert(account, name);
                }
                keep
            });
            !names.is_empty()
        });
        self.count -= gone.count;
        gone
    }
}

// === impl LedgerOp ===

impl LedgerOp {
    const fn name(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Settle => "settle",
        }
    }
}

/// A family that has no sample yet: whoever looks for a metric finds what it is.
fn announced(family: &proto::MetricFamily) -> String {
    let kind = match family.get_field_type() {
        proto::MetricType::COUNTER => "counter",
        proto::MetricType::HISTOGRAM => "histogram",
        _ => "gauge",
    };
    format!("# HELP {name} {}\n# TYPE {name} {kind}\n", family.help(), name = family.name())
}

/// For showing only.
#[allow(clippy::cast_precision_loss)]
fn dollars(amount: Usd) -> f64 {
    amount.nanos() as f64 / 1e9
}
