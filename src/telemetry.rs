//! What operators see: metrics for Prometheus and log lines. Floats stop here: amounts become numbers of dollars only when they are shown.

mod family;
mod logs;
mod metrics;

pub use logs::start as start_logs;
pub use metrics::{LedgerOp, Metrics, RequestLabels, Spend};
