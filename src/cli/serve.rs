//! `spendgate serve`: runs the gateway.

use std::process::ExitCode;
use std::time::Duration;

use crate::config::{Environment, Settings, SettingsArgs};
use crate::server::{self, Server, StartError};
use crate::telemetry;

/// For tasks to be dropped that the drain's deadline cut off.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When the gateway cannot start; what is wrong with files and settings is printed line by line.
pub(super) fn run(args: &SettingsArgs) -> anyhow::Result<ExitCode> {
    let settings = match Settings::load(args) {
        Ok(settings) => settings,
        Err(errors) => return Ok(super::say_diagnostics(&errors)),
    };
    // Dropped last: what is logged until the end is written.
    let logs = telemetry::start_logs(&settings.log, settings.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // On a thread that serves requests later: the memory that reading the files took is used again there, and nowhere else.
    let starting = runtime.spawn(Server::start(settings, Environment::process()));
    let server = match runtime.block_on(starting)? {
        Ok(server) => server,
        Err(StartError::Configuration(errors)) => return Ok(super::say_diagnostics(&errors)),
        Err(StartError::Other(error)) => return Err(error),
    };
    let ledger = runtime.block_on(async {
        let (address, ops) = server.addresses()?;
        if let Some(key) = &server.generated_key {
            logs.flush();
            super::say(&format!(
                "\nThe main API key of account 'default', shown this once:\n\n    {}\n\nKeep it: it creates and manages tokens. Only its hash is stored.\n",
                key.reveal()
            ));
        }
        tracing::info!(%address, %ops, "spendgate is listening");
        server.run().await
    })?;
    // Whatever still ran drops its grant now, which hands it to the ledger.
    runtime.shutdown_timeout(SHUTDOWN);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(server::close(&ledger));
    Ok(ExitCode::SUCCESS)
}
