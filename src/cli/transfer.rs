//! `spendgate export` and `spendgate import`: the whole ledger to a file, and from there into an empty store of any kind. Both open the store themselves.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::{Output, audit};
use crate::config::{Settings, SettingsArgs};
use crate::ledger::{self, Imported};

/// Arguments of `spendgate export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Where the ledger is.
    #[command(flatten)]
    settings: SettingsArgs,
    /// The file to write; it must not be there yet. Stop the gateways first: what they charge afterwards is not in it
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Arguments of `spendgate import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Where the ledger is to be.
    #[command(flatten)]
    settings: SettingsArgs,
    /// A file of `spendgate export`; all of it is checked before anything is written
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

// === impl ExportArgs ===

impl ExportArgs {
    /// Does it.
    ///
    /// # Errors
    /// When the store cannot be read, or the file not written.
    pub fn run(self) -> anyhow::Result<Output> {
        let settings = load(&self.settings)?;
        let counts = ledger::export(&settings.store, &settings.time_zone, &self.file).with_context(|| format!("cannot export {}", settings.store))?;
        Ok(Output::of(format!("Exported to {}: {counts}.", self.file.display())))
    }
}

// === impl ImportArgs ===

impl ImportArgs {
    /// Does it.
    ///
    /// # Errors
    /// When the file is refused, or the store has a ledger already or cannot be written.
    pub fn run(self) -> anyhow::Result<Output> {
        let settings = load(&self.settings)?;
        let imported = ledger::import(&settings.store, &settings.time_zone, &self.file).with_context(|| format!("cannot import into {}", settings.store))?;
        let Imported { counts, audit, cleared } = imported;
        let mut output = audit::as_text(&audit);
        output.result = format!("Imported into {}: {counts}.\n{}", settings.store, output.result);
        if cleared {
            output.hint.push_str("An import before this one had not come to its end; what it had written was cleared first.\n");
        }
        Ok(output)
    }
}

fn load(settings: &SettingsArgs) -> anyhow::Result<Settings> {
    Settings::load(settings).map_err(|errors| anyhow::anyhow!(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}
