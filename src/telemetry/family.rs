//! Counters by labels, compared label by label. The library's own vectors identify a series by a hash of its values run together,
//! so that `("a","bc")` and `("ab","c")` would share one; people choose token names, so ours compare them.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use prometheus::proto;

use crate::maps::Map;

type Key<const N: usize> = [Box<str>; N];

/// A metric with `N` labels, each series a counter of whole steps.
#[derive(Debug)]
pub(super) struct Family<const N: usize> {
    name: &'static str,
    help: &'static str,
    labels: [&'static str; N],
    /// Steps in what is shown: 1, or 1e9 nano-dollars in a dollar.
    scale: f64,
    /// By the hash of the labels, so that finding a series copies none of them.
    series: RwLock<Map<u64, Vec<Series<N>>>>,
    hasher: foldhash::fast::RandomState,
}

#[derive(Debug)]
struct Series<const N: usize> {
    key: Key<N>,
    steps: AtomicU64,
}

// === impl Family ===

impl<const N: usize> Family<N> {
    pub(super) fn new(name: &'static str, help: &'static str, labels: [&'static str; N], scale: f64) -> Self {
        Self { name, help, labels, scale, series: RwLock::default(), hasher: foldhash::fast::RandomState::default() }
    }

    /// Adds whole steps to one series.
    pub(super) fn add(&self, values: [&str; N], steps: u64) {
        let hash = self.hasher.hash_one(values);
        if let Some(series) = find(self.series.read().unwrap_or_else(PoisonError::into_inner).get(&hash), values) {
            series.steps.fetch_add(steps, Ordering::Relaxed);
            return;
        }
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        let alike = all.entry(hash).or_default();
        match find(Some(alike), values) {
            Some(series) => drop(series.steps.fetch_add(steps, Ordering::Relaxed)),
            None => alike.push(Series { key: values.map(Box::from), steps: AtomicU64::new(steps) }),
        }
    }

    /// Takes away every series whose first two labels (account and token) `keep` does not want.
    pub(super) fn retain(&self, keep: &dyn Fn(&str, &str) -> bool) {
        self.series.write().unwrap_or_else(PoisonError::into_inner).retain(|_, alike| {
            alike.retain(|series| match (series.key.first(), series.key.get(1)) {
                (Some(account), Some(token)) => keep(account, token),
                _ => true,
            });
            !alike.is_empty()
        });
    }

    /// The family as the exposition wants it.
    pub(super) fn collect(&self) -> proto::MetricFamily {
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<(&Key<N>, u64)> = series.values().flatten().map(|series| (&series.key, series.steps.load(Ordering::Relaxed))).collect();
        rows.sort_unstable();
        #[allow(clippy::cast_precision_loss)]
        let metrics = rows
            .into_iter()
            .map(|(key, steps)| metric(&self.labels, &key.each_ref().map(AsRef::as_ref), proto::MetricType::COUNTER, steps as f64 / self.scale))
            .collect();
        family(self.name, self.help, proto::MetricType::COUNTER, metrics)
    }
}

fn find<'a, const N: usize>(alike: Option<&'a Vec<Series<N>>>, values: [&str; N]) -> Option<&'a Series<N>> {
    alike?.iter().find(|series| series.key.iter().zip(values).all(|(label, value)| **label == *value))
}

/// One sample with its labels.
pub(super) fn metric(labels: &[&str], values: &[&str], kind: proto::MetricType, value: f64) -> proto::Metric {
    let pairs = labels
        .iter()
        .zip(values)
        .map(|(name, value)| {
            let mut pair = proto::LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        })
        .collect();
    let mut metric = proto::Metric::from_label(pairs);
    if kind == proto::MetricType::COUNTER {
        let mut counter = proto::Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = proto::Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    metric
}

/// A family of samples.
pub(super) fn family(name: &str, help: &str, kind: proto::MetricType, metrics: Vec<proto::Metric>) -> proto::MetricFamily {
    let mut family = proto::MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_whose_labels_run_together_alike_stay_apart() {
        let counts = Family::new("x_total", "x", ["account", "token"], 1.0);
        counts.add(["a", "bc"], 1);
        counts.add(["ab", "c"], 2);
        counts.add(["a", "bc"], 3);
        let collected = counts.collect();
        let values: Vec<f64> = collected.get_metric().iter().map(|metric| metric.get_counter().get_value()).collect();
        assert_eq!(values, [4.0, 2.0]);
        counts.retain(&|_, token| token == "c");
        assert_eq!(counts.collect().get_metric().len(), 1);
    }
}
