//! What operators see: metrics for Prometheus and log lines. Floats stop here: amounts become numbers of dollars only when they are shown.

mod family;
mod json;
mod lines;
mod logs;
mod metrics;

pub use lines::LogGuard;
pub use logs::start as start_logs;
pub use metrics::{LedgerOp, Metrics, RequestLabels, Spend};
