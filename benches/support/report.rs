//! Figures of several runs: medians, their spread, the table, the JSON, and the machine.

use std::path::PathBuf;
use std::process::Command;

use comfy_table::{CellAlignment, Table};
use serde_json::{Map, Value, json};

/// Every figure of every run, of each column of the table.
#[derive(Default)]
pub(crate) struct Figures {
    /// Rows, in the order of their first appearance.
    rows: Vec<String>,
    columns: Vec<String>,
    values: Vec<(usize, usize, f64)>,
}

/// The median of some runs, and the smallest and largest.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    least: f64,
    most: f64,
}

// === impl Figures ===

impl Figures {
    /// Nothing yet; the columns in this order, and behind them whatever else comes.
    pub(crate) fn new(columns: impl IntoIterator<Item = String>) -> Self {
        Self { columns: columns.into_iter().collect(), ..Self::default() }
    }

    /// Adds what one run gave.
    pub(crate) fn add(&mut self, column: &str, row: &str, value: f64) {
        let (row, column) = (place(&mut self.rows, row), place(&mut self.columns, column));
        self.values.push((row, column, value));
    }

    /// What is known of a figure.
    pub(crate) fn spread(&self, column: &str, row: &str) -> Option<Spread> {
        let row = self.rows.iter().position(|known| known == row)?;
        let column = self.columns.iter().position(|known| known == column)?;
        let mut values: Vec<f64> = self.values.iter().filter(|value| (value.0, value.1) == (row, column)).map(|value| value.2).collect();
        values.sort_by(f64::total_cmp);
        Some(Spread { median: *values.get(values.len() / 2)?, least: *values.first()?, most: *values.last()? })
    }

    /// One line a figure, a column for each of what was measured.
    pub(crate) fn table(&self) -> Table {
        let mut table = markdown(std::iter::once("").chain(self.columns.iter().map(String::as_str)));
        for row in &self.rows {
            let cells = self.columns.iter().map(|column| self.spread(column, row).map_or_else(String::new, |spread| spread.show()));
            table.add_row(std::iter::once(row.clone()).chain(cells));
        }
        align(&mut table);
        table
    }

    /// The same as JSON, by column.
    pub(crate) fn json(&self) -> Value {
        let column = |column: &String| -> Value {
            let figures = self.rows.iter().filter_map(|row| {
                let Spread { median, least, most } = self.spread(column, row)?;
                Some((row.clone(), json!({"median": median, "least": least, "most": most})))
            });
            figures.collect::<Map<_, _>>().into()
        };
        self.columns.iter().map(|name| (name.clone(), column(name))).collect::<Map<_, _>>().into()
    }
}

// === impl Spread ===

impl Spread {
    fn show(&self) -> String {
        let digits = if self.median.abs() >= 100.0 {
            0
        } else if self.median.abs() >= 10.0 {
            1
        } else {
            2
        };
        if self.least.to_bits() == self.most.to_bits() {
            return format!("{:.digits$}", self.median);
        }
        format!("{:.digits$} ({:.digits$} to {:.digits$})", self.median, self.least, self.most)
    }
}

fn place(names: &mut Vec<String>, name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

/// A table that a Markdown page can hold as it is.
pub(crate) fn markdown<'a>(header: impl IntoIterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_MARKDOWN).set_header(header);
    table
}

/// Figures stand to the right.
pub(crate) fn align(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// What it was measured on: processor, cores, memory, kernel, and how busy it was.
pub(crate) fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start_matches([' ', '\t', ':']).to_owned()));
    let processor = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field(&read("/proc/meminfo"), "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok()).unwrap_or_default() / 1_000_000;
    let kernel = Command::new("uname").args(["-sr"]).output().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!("{processor}, {cores} cores, {memory} GB, {kernel}; load average {load} when it began")
}

/// Writes a report to `target/NAME.json` and returns where that is.
pub(crate) fn write(name: &str, report: &Value) -> anyhow::Result<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}.json"));
    std::fs::write(&path, serde_json::to_string_pretty(report)?)?;
    Ok(path)
}

/// A setting of the environment, or what it is where nothing is said.
pub(crate) fn setting<T: std::str::FromStr>(name: &str, default: T) -> anyhow::Result<T> {
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| anyhow::anyhow!("{name}={text} is not understood")),
        Err(_) => Ok(default),
    }
}

/// A list of the environment, with commas; each word one of `known`.
pub(crate) fn list(name: &str, known: &[&str]) -> anyhow::Result<Option<Vec<String>>> {
    let Ok(text) = std::env::var(name) else { return Ok(None) };
    let words: Vec<String> = text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect();
    if let Some(wrong) = words.iter().find(|word| !known.contains(&word.as_str())) {
        anyhow::bail!("{name}: there is no {wrong:?}, only {}", known.join(", "));
    }
    Ok(Some(words))
}
