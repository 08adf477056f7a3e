//! admit: the ledger says yes or no, in one step, on its own clock.

use std::time::{Duration, Instant};

use crate::apis::Refusal;
use crate::ledger::{Admission, AdmitRequest, Grant, HoldId, Ledger};
use crate::telemetry::{LedgerOp, Metrics};

use super::Refused;
use super::quote::Quoted;

/// A request that may go upstream.
pub(super) struct Granted {
    pub(super) quoted: Quoted,
    pub(super) grant: Grant,
}

/// Asks the ledger.
pub(super) async fn admit(quoted: Quoted, ledger: &Ledger, hold: HoldId, lease: Duration, metrics: &Metrics) -> Result<Granted, Box<Refused>> {
    let api = quoted.api;
    let provider_is_off = matches!(quoted.kind, super::quote::Kind::Provider).then(|| quoted.route.upstream.off()).flatten();
    if let Some(variable) = provider_is_off {
        let message = format!("The upstream '{}' is off: {variable} is not set.", quoted.route.upstream.name);
        return Err(Refused::new(api, Refusal::upstream_unavailable(message)));
    }
    let request =
        AdmitRequest { hold, token: quoted.facts.id, secret: quoted.secret, want: quoted.want, least: quoted.least, lease, label: quoted.label.clone() };
    let began = Instant::now();
    let admission = ledger.admit(request).await;
    metrics.ledger(LedgerOp::Admit, began.elapsed(), admission.is_err());
    match admission {
        Ok(Admission::Granted(grant)) => Ok(Granted { quoted, grant }),
        Ok(Admission::Denied(denied)) => Err(Refused::new(api, Refusal::from_denied(&denied, &quoted.facts.name))),
        Err(error) => {
            tracing::error!(%error, "the ledger did not answer an admission");
            Err(Refused::new(api, Refusal::ledger_unavailable()))
        }
    }
}
