//! `spendgate prices import`: prices from a public list into the operator's price book.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use jiff::Timestamp;

use super::{BookFile, refused};
use crate::cli::Output;
use crate::cli::usage::plain_table;
use crate::config::SettingsArgs;
use crate::prices::import::{Change, List, Merged, Selection, merge};

/// Arguments of `spendgate prices import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Where the price book is.
    #[command(flatten)]
    settings: SettingsArgs,
    /// The list, as JSON: LiteLLM's model_prices_and_context_window.json, genai-prices' data.json, models.dev's api.json or OpenRouter's /api/v1/models
    #[arg(value_name = "FILE")]
    pub list: PathBuf,
    /// Where to write the price book with the list's prices in it [default: the one that the gateway reads]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Take only this provider's models (`provider` in routes.toml)
    #[arg(long)]
    pub provider: Option<String>,
    /// Take only models whose name fits this pattern, in which each * stands for any characters
    #[arg(long, value_name = "PATTERN")]
    pub only: Option<String>,
    /// Take models too that cost nothing on the list; they become free = true
    #[arg(long)]
    pub free: bool,
    /// Print what would change, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

// === impl ImportArgs ===

impl ImportArgs {
    /// Does it.
    ///
    /// # Errors
    /// When a file cannot be read or written, or is no list.
    pub fn run(self) -> anyhow::Result<Output> {
        let file = BookFile::of_settings(&self.settings)?;
        self.import(&file, Timestamp::now())
    }

    pub(super) fn import(&self, file: &BookFile, now: Timestamp) -> anyhow::Result<Output> {
        let name = self.list.display();
        let text = fs::read_to_string(&self.list).with_context(|| format!("cannot read {name}"))?;
        let list = match List::parse(&text) {
            Ok(list) => list,
            Err(error) => bail!("{name} {error}"),
        };
        let format = list.format;
        let list = list.select(&Selection { provider: self.provider.clone(), only: self.only.clone(), free: self.free });
        let merged = match merge(&file.text, &file.name, list, now) {
            Ok(merged) => merged,
            Err(errors) => return Ok(refused(&errors)),
        };
        let mut output = Output::of(table(&merged));
        let _ = writeln!(output.hint, "{format}'s list: {}.", counts(&merged));
        let path = self.out.as_ref().unwrap_or(&file.path);
        if self.dry_run {
            let _ = writeln!(output.hint, "Nothing is written.");
        } else if merged.text == file.text && self.out.is_none() {
            let _ = writeln!(output.hint, "Nothing changes in {}.", file.name);
        } else {
            write(path, &merged.text).with_context(|| format!("cannot write {}", path.display()))?;
            let from = if file.builtin { ", from the one that is built in" } else { "" };
            let _ = writeln!(output.hint, "Written to {}{from}. A gateway that reads it takes it within seconds.", path.display());
        }
        Ok(output)
    }
}

fn counts(merged: &Merged) -> String {
    let count = |wanted: fn(&Change) -> bool| merged.changes.iter().filter(|(_, _, change)| wanted(change)).count();
    format!(
        "{} added, {} changed, {} as they were, {} left out",
        count(|change| matches!(change, Change::Added(_))),
        count(|change| matches!(change, Change::Changed(_))),
        count(|change| matches!(change, Change::Same)),
        count(|change| matches!(change, Change::LeftOut(_)))
    )
}

fn table(merged: &Merged) -> String {
    let mut table = plain_table();
    table.set_header(["CHANGE", "PROVIDER", "MODEL", "WHAT"]);
    let mut empty = true;
    for (provider, id, change) in &merged.changes {
        let (word, what) = match change {
            Change::Added(what) => ("added", what),
            Change::Changed(what) => ("changed", what),
            Change::LeftOut(why) => ("left out", why),
            Change::Same => continue,
        };
        empty = false;
        // What a list says must not steer a terminal.
        table.add_row([word, provider, id, what].map(|cell| cell.chars().filter(|letter| !letter.is_control()).collect::<String>()));
    }
    if empty { String::new() } else { table.trim_fmt() }
}

/// Writes the file whole or not at all: a gateway that reads it meanwhile sees the old one or the new one.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    // Behind a link the file itself is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let name = path.file_name().ok_or(std::io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let mut partial = std::ffi::OsString::from(".");
    partial.push(name);
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = folder.join(partial);
    let written = (|| {
        let mut file = File::create(&partial)?;
        file.write_all(text.as_bytes())?;
        if let Ok(there) = fs::metadata(&path) {
            file.set_permissions(there.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&partial, &path)
    })();
    if written.is_err() {
        // What is left of it is of no use.
        let _ = fs::remove_file(&partial);
    }
    written
}
