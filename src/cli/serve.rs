//! `spendgate serve`: runs the gateway.

use std::process::ExitCode;

use crate::config::{Environment, Settings, SettingsArgs};
use crate::server::{Server, StartError};
use crate::telemetry;

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When the gateway cannot start; what is wrong with files and settings is printed line by line.
pub(super) fn run(args: &SettingsArgs) -> anyhow::Result<ExitCode> {
    let settings = match Settings::load(args) {
        Ok(settings) => settings,
        Err(errors) => return Ok(super::say_diagnostics(&errors)),
    };
    telemetry::start_logs(&settings.log, settings.log_format)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let server = match Server::start(settings, Environment::process()).await {
            Ok(server) => server,
            Err(StartError::Configuration(errors)) => return Ok(super::say_diagnostics(&errors)),
            Err(StartError::Other(error)) => return Err(error),
        };
        let (address, ops) = server.addresses()?;
        if let Some(key) = &server.generated_key {
            super::say(&format!(
                "\nThe main API key of account 'default', shown this once:\n\n    {}\n\nKeep it: it creates and manages tokens. Only its hash is stored.\n",
                key.reveal()
            ));
        }
        tracing::info!(%address, %ops, "spendgate is listening");
        server.run().await?;
        Ok(ExitCode::SUCCESS)
    })
}
