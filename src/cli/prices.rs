//! `spendgate prices`: what a model costs, what is odd about a price book, and prices from the public lists.

mod check;
mod import;
mod show;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};

pub use self::check::CheckArgs;
pub use self::import::ImportArgs;
pub use self::show::ShowArgs;
use super::Output;
use crate::config::{Settings, SettingsArgs};
use crate::diagnostic::Diagnostic;
use crate::prices::PriceBook;

/// Arguments of `spendgate prices`.
#[derive(Debug, Args)]
pub struct PricesArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: PricesAction,
}

/// What can be done with prices.
#[derive(Debug, Subcommand)]
pub enum PricesAction {
    /// Show which entry a model's name means, with its limits and every price
    Show(ShowArgs),
    /// Check a price book: mistakes, and what is right but odd; exits with 1 where there are mistakes
    Check(CheckArgs),
    /// Take prices from a public list: LiteLLM's, genai-prices', models.dev's or OpenRouter's
    Import(ImportArgs),
}

/// A price book that a command works on.
struct BookFile {
    path: PathBuf,
    /// Its name in messages.
    name: String,
    text: String,
    /// There is no file: this is the book that is built in.
    builtin: bool,
}

// === impl PricesArgs ===

impl PricesArgs {
    /// Does it.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub fn run(self) -> anyhow::Result<Output> {
        match self.action {
            PricesAction::Show(args) => args.run(),
            PricesAction::Check(args) => args.run(),
            PricesAction::Import(args) => args.run(),
        }
    }
}

// === impl BookFile ===

impl BookFile {
    /// The one that the gateway would read.
    fn of_settings(settings: &SettingsArgs) -> anyhow::Result<Self> {
        let settings = Settings::load(settings).map_err(|errors| anyhow::anyhow!(lines(&errors)))?;
        match std::fs::read_to_string(&settings.prices) {
            Err(error) if !settings.prices_named && error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self { path: settings.prices, name: "built-in price book".to_owned(), text: PriceBook::BUILTIN.to_owned(), builtin: true })
            }
            read => Self::of_text(settings.prices, read),
        }
    }

    /// The one that was named.
    fn at(path: PathBuf) -> anyhow::Result<Self> {
        let read = std::fs::read_to_string(&path);
        Self::of_text(path, read)
    }

    fn of_text(path: PathBuf, read: std::io::Result<String>) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let text = read.with_context(|| format!("cannot read {name}"))?;
        Ok(Self { path, name, text, builtin: false })
    }
}

fn lines(errors: &[Diagnostic]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What is wrong with a file, for the person at the terminal.
fn refused(errors: &[Diagnostic]) -> Output {
    Output { hint: format!("{}\n", lines(errors)), exit: 1, ..Output::default() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
