//! The embedded ledger on real files: the scripts of the rules with the file reopened in between (`scripts.rs`), many at once on one budget (`crowd.rs`),
//! killed processes (`killed.rs`), failing commits, locks, foreign files, trimming (`files.rs`), what becomes of grants (`grants.rs`), and
//! the holds of jobs (`kept.rs`).

mod crowd;
mod files;
mod grants;
mod kept;
mod killed;
pub(in crate::ledger) mod scripts;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::clock::Clock;
use crate::ledger::handle::Tuning;
use crate::ledger::rules::tests::script::{ACCOUNT, usd};
use crate::ledger::{Admission, AdmitRequest, Denied, Grant, HoldId, Ledger, LedgerOptions, StoreAddress};
use crate::tokens::{NewToken, Secret, SecretKind, TokenKind, TokenView};

const LEASE: Duration = Duration::from_secs(60);

fn start() -> Timestamp {
    "2026-01-15T12:00:00Z".parse().unwrap()
}

fn options(folder: &Path) -> LedgerOptions {
    LedgerOptions { lease: LEASE, ..LedgerOptions::at(StoreAddress::Sqlite(folder.join("deep/er/ledger.db"))) }
}

/// The file of a ledger.
fn file(options: &LedgerOptions) -> &Path {
    let StoreAddress::Sqlite(path) = &options.store else { panic!("not a file") };
    path
}

/// A ledger that expires nothing by itself: time stands still.
fn open(options: LedgerOptions, clock: &Arc<Clock>) -> Ledger {
    let tuning = Tuning { clock: Arc::clone(clock), tick: Duration::from_secs(3600), busy: Duration::from_millis(50), ..Tuning::default() };
    Ledger::open_tuned(options, tuning).unwrap()
}

/// A token with its secret, on a fresh account.
async fn token(ledger: &Ledger, name: &str, balance: Option<i64>) -> (TokenView, Secret) {
    ledger.ensure_account(ACCOUNT, None).await.unwrap();
    let secret = Secret::generate(SecretKind::Live).unwrap();
    let new =
        NewToken { name: name.into(), kind: TokenKind::Api, balance: balance.map(usd), active_balance: balance.is_some(), expire_time: None, reset: None };
    (ledger.create_token(ACCOUNT, new, &secret).await.unwrap().unwrap(), secret)
}

fn request(token: &TokenView, secret: &Secret, want: i64, least: i64) -> AdmitRequest {
    AdmitRequest { hold: HoldId::generate(), token: token.id, secret: secret.hash(), want: usd(want), least: usd(least), lease: LEASE, label: Arc::default() }
}

async fn admit(ledger: &Ledger, token: &TokenView, secret: &Secret, amount: i64) -> Result<Grant, Denied> {
    match ledger.admit(request(token, secret, amount, amount)).await.unwrap() {
        Admission::Granted(grant) => Ok(grant),
        Admission::Denied(denied) => Err(denied),
    }
}

/// Balance, held and spent.
async fn figures(ledger: &Ledger, name: &str) -> (Option<i64>, i64, i64) {
    let view = ledger.token(ACCOUNT, name).await.unwrap().unwrap();
    (view.balance.map(crate::money::Usd::nanos), view.held.nanos(), view.spent.nanos())
}

fn audited(path: &Path) -> crate::ledger::AuditReport {
    let report = crate::ledger::audit(&StoreAddress::Sqlite(path.to_owned())).unwrap();
    assert_eq!(report.differences, [], "the audit finds no difference");
    report
}
