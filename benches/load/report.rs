//! Medians, their spread, the table and the JSON.

use std::path::PathBuf;

use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use crate::generator::Outcome;

/// The figures of one run over one proxy.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) cpu_saturated_us: f64,
    pub(crate) requests_per_second: f64,
    /// Of the Redis behind the proxy.
    pub(crate) store_us: f64,
    pub(crate) cpu_paced_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) cpu_chunk_us: f64,
    pub(crate) peak_mb: f64,
}

/// All runs.
pub(crate) struct Report {
    pinned: bool,
    connections: usize,
    rate: u64,
    direct: Option<(f64, f64)>,
    runs: Vec<(&'static str, Run)>,
}

/// A figure by name.
type Figure = (&'static str, fn(&Run) -> f64);

/// What is compared, each with its yardstick.
const PAIRS: [(&str, &str); 2] = [("bare hyper", "spendgate"), ("bare hyper, EVALSHA", "spendgate, Redis")];

const FIGURES: [Figure; 8] = [
    ("CPU us a request, saturated", |run| run.cpu_saturated_us),
    ("requests a second, saturated", |run| run.requests_per_second),
    ("Redis' CPU us a request, saturated", |run| run.store_us),
    ("CPU us a request, paced", |run| run.cpu_paced_us),
    ("p50 us, paced", |run| run.p50_us),
    ("p99 us, paced", |run| run.p99_us),
    ("CPU us a streamed chunk, burst", |run| run.cpu_chunk_us),
    ("peak memory MB", |run| run.peak_mb),
];

/// The median of some runs, and the smallest and largest.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(pinned: bool, connections: usize, rate: u64) -> Self {
        Self { pinned, connections, rate, direct: None, runs: Vec::new() }
    }

    /// The load with no proxy in between.
    pub(crate) fn direct(&mut self, outcome: Outcome) {
        self.direct = Some((outcome.percentile(50), outcome.percentile(99)));
    }

    pub(crate) fn add(&mut self, name: &'static str, run: Run) {
        self.runs.push((name, run));
    }

    fn spread(&self, name: &str, figure: fn(&Run) -> f64) -> Spread {
        let mut values: Vec<f64> = self.runs.iter().filter(|(of, _)| *of == name).map(|(_, run)| figure(run)).collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Spread { median: at(values.len() / 2), least: at(0), most: at(values.len().saturating_sub(1)) }
    }

    /// How often each was measured.
    fn times(&self) -> usize {
        self.runs.len() / (2 * PAIRS.len())
    }

    pub(crate) fn print(&self) {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::ASCII_MARKDOWN);
        table.set_header(std::iter::once("").chain(PAIRS.into_iter().flat_map(|(bare, ours)| [bare, ours, "ratio"])));
        for (name, figure) in FIGURES {
            let mut row = vec![name.to_owned()];
            for (bare, ours) in PAIRS {
                let (bare, ours) = (self.spread(bare, figure), self.spread(ours, figure));
                let ratio = if bare.median > 0.0 { format!("{:.2}", ours.median / bare.median) } else { String::new() };
                row.extend([bare.show(), ours.show(), ratio]);
            }
            table.add_row(row);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        println!("{table}");
        let (p50, p99) = self.direct.unwrap_or_default();
        println!(
            "median (least to most) of {} runs; 500 B chats, 1 kB answers; saturated: {} connections; paced: {} requests a second",
            self.times(),
            self.connections,
            self.rate
        );
        println!(
            "no proxy in between, paced: p50 {p50:.0} us, p99 {p99:.0} us; {}",
            if self.pinned { "proxy on core 0, load and provider on core 1" } else { "NOT pinned: taskset is missing" }
        );
    }

    /// Writes everything as JSON and returns where to.
    pub(crate) fn write(&self) -> anyhow::Result<PathBuf> {
        let subject = |name: &str| -> Value {
            FIGURES
                .iter()
                .map(|(title, figure)| {
                    let spread = self.spread(name, *figure);
                    ((*title).to_owned(), json!({"median": spread.median, "least": spread.least, "most": spread.most}))
                })
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let (p50, p99) = self.direct.unwrap_or_default();
        let report = json!({
            "runs": self.times(), "pinned": self.pinned, "connections": self.connections, "rate": self.rate,
            "direct": {"p50 us": p50, "p99 us": p99},
            "subjects": PAIRS.into_iter().flat_map(|(bare, ours)| [bare, ours]).map(|name| (name.to_owned(), subject(name))).collect::<serde_json::Map<_, _>>(),
        });
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/load.json");
        std::fs::write(&path, serde_json::to_string_pretty(&report)?)?;
        Ok(path)
    }
}

// === impl Spread ===

impl Spread {
    fn show(&self) -> String {
        let digits = if self.median >= 100.0 { 0 } else { 1 };
        format!("{:.digits$} ({:.digits$} to {:.digits$})", self.median, self.least, self.most)
    }
}
