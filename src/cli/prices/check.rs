//! `spendgate prices check`: what is wrong with a price book, and what is right but odd.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::{BookFile, refused};
use crate::cli::Output;
use crate::config::SettingsArgs;
use crate::prices::{PriceBook, review};

/// Arguments of `spendgate prices check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Where the price book is.
    #[command(flatten)]
    settings: SettingsArgs,
    /// The price book [default: the one that the gateway reads]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

// === impl CheckArgs ===

impl CheckArgs {
    /// Does it.
    ///
    /// # Errors
    /// When the price book cannot be read.
    pub fn run(self) -> anyhow::Result<Output> {
        let file = match self.file {
            Some(path) => BookFile::at(path)?,
            None => BookFile::of_settings(&self.settings)?,
        };
        Ok(check(&file, Timestamp::now()))
    }
}

pub(super) fn check(file: &BookFile, now: Timestamp) -> Output {
    let (book, models) = match PriceBook::read(&file.text, &file.name) {
        Ok(read) => read,
        Err(errors) => return refused(&errors),
    };
    let warnings = review(&models, &file.name, &file.text, now);
    let mut lines: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let odd = match lines.len() {
        0 => "all right".to_owned(),
        1 => "no mistakes, 1 warning".to_owned(),
        count => format!("no mistakes, {count} warnings"),
    };
    lines.push(format!("{}: {} models priced (price book {}): {odd}", file.name, book.models_count(), book.version()));
    Output::of(lines.join("\n"))
}
