//! Where endings are kept that the store can never take: a file of JSON lines for a person to read. Amounts are in nano-dollars.

use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::file::beside;
use super::record::{Ending, Record};
use crate::ledger::private::private;
use crate::ledger::types::{ChargeLabel, LedgerError};

/// Appends one line to the file beside the outbox at `path`, and waits for the disk: this is rare.
pub(super) fn append(path: &Path, record: &Record, why: &str) -> Result<(), LedgerError> {
    let path = beside(path, ".failed");
    let mut line = line(record, why).to_string();
    line.push('\n');
    let written = private().create(true).append(true).open(&path).and_then(|mut file| {
        // One write, so that lines never mix.
        file.write_all(line.as_bytes())?;
        file.sync_data()
    });
    written.map_err(|error| LedgerError::Unavailable(format!("cannot write {}: {error}", path.display())))
}

fn line(record: &Record, why: &str) -> Value {
    let (ending, more) = match &record.ending {
        Ending::Settle(settlement) => {
            let usage: Map<String, Value> = settlement.usage.iter().map(|(unit, count)| (unit.name().to_owned(), count.into())).collect();
            let more = json!({
                "cost_nanos": settlement.cost.nanos(),
                "certainty": format!("{:?}", settlement.certainty).to_lowercase(),
                "usage": usage,
                "label": label(&settlement.label),
                "price_version": &*settlement.price_version,
            });
            ("settle", more)
        }
        Ending::ChargeHold(_) => ("charge_hold", Value::Null),
        Ending::Void(_, lease) => ("void", json!({ "lease_ms": u64::try_from(lease.as_millis()).unwrap_or(u64::MAX) })),
    };
    json!({
        "why": why,
        "written_at": record.written_at.to_string(),
        "hold": record.hold().to_string(),
        "account": &*record.account,
        "token": record.token.0,
        "ending": ending,
        "of_ending": more,
        "held_nanos": record.facts.amount.nanos(),
        "on_token": record.facts.on_token,
        "on_account": record.facts.on_account,
        "held_label": label(&record.facts.label),
    })
}

fn label(label: &ChargeLabel) -> Value {
    json!({ "provider": label.provider, "model": label.model, "feature": label.feature })
}
