//! Log lines, on standard error.

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

use super::json::JsonLines;
use super::lines::{Lines, LogGuard};

/// Starts logging for the whole process, until the guard is dropped.
///
/// # Errors
/// When the filter is not one, or logging was started before.
pub fn start(filter: &str, format: LogFormat) -> anyhow::Result<LogGuard> {
    let filter = EnvFilter::try_new(filter)?;
    let (lines, guard) = Lines::start(std::io::stderr()).map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines).with_target(false);
    match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.event_format(JsonLines).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))?;
    Ok(guard)
}
