//! Ledgers on the move between a file and a real server: nothing is lost, what is damaged is refused, what breaks off is not used. `moved.rs`: what a ledger
//! that was moved goes on to do; `refused.rs`: files and stores that are not taken.

mod moved;
mod refused;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::{LedgerReader, Record, TransferError, export, import};
use crate::ledger::StoreAddress;
use crate::ledger::redis::tests::server::Server;

/// A server of one's own, and its address.
fn server() -> (Server, StoreAddress) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    (Server::start(&format!("--port {port}")), format!("redis://127.0.0.1:{port}").parse().unwrap())
}

/// Asks the server itself.
fn ask<T: redis::FromRedisValue>(server: &Server, words: &[&str]) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut server.connect().await).await.unwrap()
    })
}

fn sqlite(path: PathBuf) -> StoreAddress {
    StoreAddress::Sqlite(path)
}

fn exported(store: &StoreAddress, file: &Path) {
    export(store, &TimeZone::UTC, file).unwrap();
}

fn imported(store: &StoreAddress, file: &Path) {
    let done = import(store, &TimeZone::UTC, file).unwrap();
    assert_eq!(done.audit.differences, []);
    assert_eq!((done.audit.tokens, done.audit.accounts), (done.counts.tokens, done.counts.accounts));
    assert_eq!((done.audit.journal_entries, done.audit.live_holds), (done.counts.journal, done.counts.holds));
}

/// Every record, in one order; the account of an id that is refused is what only a server knows.
fn records(file: &Path) -> BTreeSet<String> {
    let mut reader = LedgerReader::open(file).unwrap();
    let mut records = BTreeSet::new();
    while let Some(mut record) = reader.next_record().unwrap() {
        if let Record::Tombstone(tombstone) = &mut record {
            tombstone.account = None;
        }
        let text = serde_json::to_string(&record).unwrap();
        // Two entries of a journal may say the same.
        let again = (0..).map(|number| format!("{text} {number}")).find(|text| !records.contains(text)).unwrap();
        records.insert(again);
    }
    records
}
