//! Log lines, on standard error.

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging for the whole process.
///
/// # Errors
/// When the filter is not one, or logging was started before.
pub fn start(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let builder = tracing_subscriber::fmt().with_env_filter(EnvFilter::try_new(filter)?).with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))
}
