//! `spendgate usage`: who spent what, as a table, CSV or JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::{Args, ValueEnum};
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use http::Method;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::Output;
use super::client::{Client, ServerArgs, encode};
use crate::prices::{Unit, Usage};

/// Arguments of `spendgate usage`.
#[derive(Debug, Args)]
pub struct UsageArgs {
    /// Where the gateway is.
    #[command(flatten)]
    pub server: ServerArgs,
    /// What to group by; a model comes with its provider
    #[arg(long, value_enum, value_delimiter = ',', default_value = "token")]
    pub by: Vec<KeyArg>,
    /// The first day, YYYY-MM-DD
    #[arg(long, value_name = "DAY")]
    pub from: Option<String>,
    /// The last day, included
    #[arg(long, value_name = "DAY")]
    pub to: Option<String>,
    /// Print comma-separated values
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Print the API's answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// What rows can be grouped by. In the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum KeyArg {
    /// The day.
    Day,
    /// The token's name.
    Token,
    /// The provider.
    Provider,
    /// The model, with its provider.
    Model,
    /// The feature: `text__chat`.
    Feature,
}

/// A row of the report.
#[derive(Debug, Deserialize)]
struct Row {
    day: Option<String>,
    token: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    feature: Option<String>,
    requests: u64,
    cost: String,
    estimated: u64,
    units: BTreeMap<String, u64>,
}

// === impl UsageArgs ===

impl UsageArgs {
    /// Does it.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub async fn run(self) -> anyhow::Result<Output> {
        let client = self.server.client()?;
        self.report(&client).await
    }

    /// Fetches the report and lays it out.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub async fn report(&self, client: &Client) -> anyhow::Result<Output> {
        let keys = self.keys();
        let mut path = format!("/v2/usage/?by={}", keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(","));
        for (name, day) in [("from", &self.from), ("to", &self.to)] {
            if let Some(day) = day {
                let _ = write!(path, "&{name}={}", encode(day));
            }
        }
        let answer = client.call(Method::GET, &path, None).await?;
        if self.json {
            return Ok(Output::of(answer));
        }
        let rows: Vec<Row> = serde_json::from_str(&answer)?;
        if self.csv {
            return Ok(Output::of(csv(&keys, &rows)));
        }
        if rows.is_empty() {
            return Ok(Output { hint: "No usage.\n".to_owned(), ..Output::default() });
        }
        Ok(Output::of(table(&keys, &rows)?))
    }

    /// The columns, each once, in their order.
    fn keys(&self) -> Vec<KeyArg> {
        let mut keys = self.by.clone();
        if keys.contains(&KeyArg::Model) {
            keys.push(KeyArg::Provider);
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// A table without lines: it can be read, and cut up by other programs.
pub(super) fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn table(keys: &[KeyArg], rows: &[Row]) -> anyhow::Result<String> {
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    let numbers = |requests: u64, input: u64, output: u64, estimated: u64, cost: String| {
        [right(requests.to_string()), right(input.to_string()), right(output.to_string()), right(estimated.to_string()), right(cost)]
    };
    let mut table = plain_table();
    let heads = ["REQUESTS", "INPUT", "OUTPUT", "ESTIMATED", "COST USD"].map(|head| right(head.to_owned()));
    table.set_header(keys.iter().map(|key| Cell::new(key.name().to_uppercase())).chain(heads));
    let (mut requests, mut input, mut output, mut estimated, mut cost) = (0_u64, 0_u64, 0_u64, 0_u64, Decimal::ZERO);
    for row in rows {
        let usage = row.usage();
        let (row_input, row_output) = (usage.input_tokens(), output_tokens(&usage));
        requests = requests.saturating_add(row.requests);
        input = input.saturating_add(row_input);
        output = output.saturating_add(row_output);
        estimated = estimated.saturating_add(row.estimated);
        cost += Decimal::from_str_exact(&row.cost)?;
        let names = keys.iter().map(|key| Cell::new(row.key(*key)));
        table.add_row(names.chain(numbers(row.requests, row_input, row_output, row.estimated, row.cost.clone())).collect::<Vec<_>>());
    }
    let names = keys.iter().enumerate().map(|(column, _)| Cell::new(if column == 0 { "total" } else { "" }));
    table.add_row(names.chain(numbers(requests, input, output, estimated, format!("{cost:.9}"))).collect::<Vec<_>>());
    Ok(table.trim_fmt())
}

fn output_tokens(usage: &Usage) -> u64 {
    [Unit::Output, Unit::OutputReasoning, Unit::OutputAudio, Unit::OutputImage, Unit::OutputVideo]
        .into_iter()
        .fold(0, |sum, unit| sum.saturating_add(usage.get(unit)))
}

/// The same columns whatever happened, so that scripts can rely on them: each unit has one.
fn csv(keys: &[KeyArg], rows: &[Row]) -> String {
    let mut text = String::new();
    let mut line = |cells: Vec<String>| {
        text.push_str(&cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(","));
        text.push('\n');
    };
    let heads = ["requests", "cost", "estimated"].into_iter().map(str::to_owned).chain(Unit::ALL.into_iter().map(|unit| format!("units_{}", unit.name())));
    line(keys.iter().map(|key| key.name().to_owned()).chain(heads).collect());
    for row in rows {
        let usage = row.usage();
        let mut cells: Vec<String> = keys.iter().map(|key| row.key(*key).to_owned()).collect();
        cells.extend([row.requests.to_string(), row.cost.clone(), row.estimated.to_string()]);
        cells.extend(Unit::ALL.into_iter().map(|unit| usage.get(unit).to_string()));
        line(cells);
    }
    text
}

/// A cell as RFC 4180 wants it.
fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

// === impl KeyArg ===

impl KeyArg {
    fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Token => "token",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Feature => "feature",
        }
    }
}

// === impl Row ===

impl Row {
    fn key(&self, key: KeyArg) -> &str {
        let value = match key {
            KeyArg::Day => &self.day,
            KeyArg::Token => &self.token,
            KeyArg::Provider => &self.provider,
            KeyArg::Model => &self.model,
            KeyArg::Feature => &self.feature,
        };
        value.as_deref().unwrap_or("")
    }

    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for (name, count) in &self.units {
            if let Some(unit) = Unit::from_name(name) {
                usage.set(unit, *count);
            }
        }
        usage
    }
}
