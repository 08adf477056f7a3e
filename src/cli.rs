//! The command line: what can be typed, and one file a command that does it.
//!
//! A command does not print: it returns an [`Output`], so that there is one place that writes and tests can read what was said.

pub mod audit;
mod check;
pub mod client;
pub mod prices;
mod serve;
mod simulate;
pub mod time;
pub mod token;
pub mod transfer;
pub mod usage;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::admin;
use crate::config::SettingsArgs;
use crate::diagnostic::Diagnostic;

/// A gateway in front of AI providers that never lets a token spend more than its budget.
#[derive(Debug, Parser)]
#[command(name = "spendgate", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Settings of `serve`, where no command is given.
    #[command(flatten)]
    settings: SettingsArgs,
    /// What to do; `serve` where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway (what happens without a command)
    Serve(SettingsArgs),
    /// Validate settings, routes and prices, and print the route table
    Check(SettingsArgs),
    /// Manage tokens, through the HTTP API of a running gateway
    Token(token::TokenArgs),
    /// Show who spent what
    Usage(usage::UsageArgs),
    /// Look into price books, and take prices from public lists
    Prices(prices::PricesArgs),
    /// Recompute every balance from the journal; exits with 1 where one differs
    Audit(audit::AuditArgs),
    /// Write the whole ledger to a file, to move it to another store
    Export(transfer::ExportArgs),
    /// Fill an empty store from a file of `export`, then audit it; exits with 1 where it is refused
    Import(transfer::ImportArgs),
    /// Serve simulated answers alone, as a stand-in provider that needs no token
    Simulate(simulate::SimulateArgs),
    /// Print the OpenAPI document of the HTTP API
    Openapi,
}

/// What a command has to say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The result, for standard output: what a script reads.
    pub result: String,
    /// For the person at the terminal, on standard error.
    pub hint: String,
    /// The exit code.
    pub exit: u8,
}

/// Runs the command that was typed.
#[must_use]
pub fn main() -> ExitCode {
    let matches = without_empty_variables(Cli::command()).get_matches();
    let Cli { settings, command } = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let done = match command.unwrap_or(Command::Serve(settings)) {
        Command::Serve(settings) => serve::run(&settings),
        Command::Check(settings) => check::run(&settings),
        Command::Simulate(args) => simulate::run(&args),
        Command::Token(args) => ask(args.run()),
        Command::Usage(args) => ask(args.run()),
        Command::Prices(args) => args.run().and_then(|output| Ok(output.print()?)),
        Command::Audit(args) => args.run().and_then(|output| Ok(output.print()?)),
        Command::Export(args) => args.run().and_then(|output| Ok(output.print()?)),
        Command::Import(args) => args.run().and_then(|output| Ok(output.print()?)),
        Command::Openapi => {
            serde_json::to_string_pretty(&admin::openapi::document()).map_err(anyhow::Error::from).and_then(|text| Ok(Output::of(text).print()?))
        }
    };
    done.unwrap_or_else(|error| {
        say(&format!("spendgate: {error:#}"));
        ExitCode::FAILURE
    })
}

/// A variable that is set to nothing is not set: so compose files and shells leave out what they have no value for.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let empty = |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|argument| if argument.get_env().is_some_and(empty) { argument.env(Resettable::Reset) } else { argument })
        .mut_subcommands(without_empty_variables)
}

/// Runs a command that asks a gateway over HTTP.
fn ask(command: impl Future<Output = anyhow::Result<Output>>) -> anyhow::Result<ExitCode> {
    let output = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)?;
    Ok(output.print()?)
}

/// For the person at the terminal, on standard error. Where that is closed there is nobody to tell.
fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

fn say_diagnostics(errors: &[Diagnostic]) -> ExitCode {
    for error in errors {
        say(&error.to_string());
    }
    ExitCode::FAILURE
}

// === impl Output ===

impl Output {
    /// A result alone, ended by a newline.
    #[must_use]
    pub fn of(mut result: String) -> Self {
        if !result.is_empty() && !result.ends_with('\n') {
            result.push('\n');
        }
        Self { result, ..Self::default() }
    }

    /// Writes it out.
    ///
    /// # Errors
    /// When standard output cannot be written to. A reader that had enough (`| head`) is no error.
    pub fn print(self) -> io::Result<ExitCode> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(self.result.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
        io::stderr().lock().write_all(self.hint.as_bytes())?;
        Ok(ExitCode::from(self.exit))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
