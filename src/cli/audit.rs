//! `spendgate audit`: recomputes every balance from the journal. It reads the store itself, beside a running gateway or without one.

use anyhow::Context;
use clap::Args;
use comfy_table::{Cell, CellAlignment};
use serde_json::json;

use super::Output;
use super::usage::plain_table;
use crate::config::{Settings, SettingsArgs};
use crate::ledger::{self, AuditReport, BudgetScope};

/// The exit code when a figure differs.
const DIFFERS: u8 = 1;

/// Arguments of `spendgate audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Where the ledger is.
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

// === impl AuditArgs ===

impl AuditArgs {
    /// Does it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn run(self) -> anyhow::Result<Output> {
        let store =
            Settings::load(&self.settings).map_err(|errors| anyhow::anyhow!(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?.store;
        let report = ledger::audit(&store).with_context(|| format!("cannot audit {store}"))?;
        Ok(if self.json { as_json(&report) } else { as_text(&report) })
    }
}

fn exit(report: &AuditReport) -> u8 {
    if report.differences.is_empty() { 0 } else { DIFFERS }
}

pub(super) fn as_json(report: &AuditReport) -> Output {
    let differences = report.differences.iter().map(|difference| {
        json!({
            "scope": scope(difference.scope), "name": difference.name, "what": difference.what,
            "recorded": difference.recorded.to_string(), "computed": difference.computed.to_string(),
        })
    });
    let text = json!({
        "agrees": report.differences.is_empty(),
        "tokens": report.tokens, "accounts": report.accounts, "journal_entries": report.journal_entries, "live_holds": report.live_holds,
        "differences": differences.collect::<Vec<_>>(),
    });
    Output { exit: exit(report), ..Output::of(text.to_string()) }
}

pub(super) fn as_text(report: &AuditReport) -> Output {
    let seen = format!("{} tokens, {} accounts, {} journal entries, {} live holds", report.tokens, report.accounts, report.journal_entries, report.live_holds);
    if report.differences.is_empty() {
        return Output::of(format!("The ledger agrees with its journal: {seen}."));
    }
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    let mut table = plain_table();
    table.set_header([Cell::new("SCOPE"), Cell::new("NAME"), Cell::new("WHAT"), right("RECORDED".into()), right("COMPUTED".into())]);
    for difference in &report.differences {
        table.add_row([
            Cell::new(scope(difference.scope)),
            Cell::new(&difference.name),
            Cell::new(difference.what),
            right(difference.recorded.to_string()),
            right(difference.computed.to_string()),
        ]);
    }
    Output { exit: exit(report), ..Output::of(format!("The ledger differs from its journal: {seen}.\n\n{}", table.trim_fmt())) }
}

fn scope(scope: BudgetScope) -> &'static str {
    match scope {
        BudgetScope::Token => "token",
        BudgetScope::Account => "account",
    }
}
