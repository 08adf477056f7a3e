//! Files and stores that are not taken.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::ledger::embedded::tests::scripts::Embedded;
use crate::ledger::rules::tests::script::{Action, Player, Subject, hold_id, label, usd};
use crate::ledger::types::{AdmitRequest, LedgerError, Settlement};
use crate::ledger::{Certainty, Ledger, LedgerOptions};
use crate::prices::{Unit, Usage};
use crate::tokens::{NewToken, Secret, TokenId, TokenKind};

/// The file of a ledger in which there is something of each kind.
fn file(folder: &Path, charges: usize) -> PathBuf {
    let now = Player::new().now;
    let mut embedded = Embedded::new(now);
    let secret = Secret::presented("sg_live_x".into());
    let new = NewToken { name: "a".into(), kind: TokenKind::Api, balance: Some(usd(1_000_000)), active_balance: true, expire_time: None, reset: None };
    embedded.act(now, &Action::Create(new, secret.clone()));
    let minute = std::time::Duration::from_secs(60);
    for number in 1..=charges {
        let hold = hold_id(number);
        let (want, least) = (usd(10), usd(10));
        let request = AdmitRequest { hold, token: TokenId(1), secret: secret.hash(), want, least, lease: minute, label: label("admitted") };
        embedded.act(now, &Action::Admit(request));
        let usage = Usage::default().with(Unit::Input, 7);
        let settlement = Settlement { hold, cost: usd(7), certainty: Certainty::Exact, usage, label: label("f"), price_version: "v".into() };
        if number % 5 > 0 {
            embedded.act(now, &Action::Settle(settlement));
        }
    }
    embedded.act(now, &Action::Void(hold_id(charges + 1), minute));
    let file = folder.join(format!("export-{charges}"));
    embedded.go_on_with(|path| {
        exported(&sqlite(path.to_owned()), &file);
        path.to_owned()
    });
    file
}

fn refused(store: &StoreAddress, file: &Path) -> String {
    import(store, &TimeZone::UTC, file).unwrap_err().to_string()
}

#[test]
fn an_export_is_private_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), 5);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&path).unwrap();
    let there = folder.path().join("there.db");
    imported(&sqlite(there.clone()), &path);
    assert!(matches!(export(&sqlite(there), &TimeZone::UTC, &path), Err(TransferError::Exists(_))));
    assert_eq!(fs::read(&path).unwrap(), before);
    let nothing = folder.path().join("nothing");
    assert!(export(&sqlite(folder.path().join("missing.db")), &TimeZone::UTC, &nothing).is_err());
    assert!(!nothing.exists() && !folder.path().join("nothing.partial").exists());
}

#[test]
fn a_file_that_was_changed_anywhere_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(file(folder.path(), 6)).unwrap();
    let (path, there) = (folder.path().join("changed"), folder.path().join("there.db"));
    let store = sqlite(there.clone());
    let check = |bytes: &[u8], what: &str| {
        fs::write(&path, bytes).unwrap();
        let message = refused(&store, &path);
        assert!(message.starts_with(&format!("{}:", path.display())), "{what}: it names the file and the line: {message}");
        assert!(!there.exists(), "{what}");
    };
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 1;
        check(&bytes, &format!("byte {position}"));
        if position % 7 == 0 {
            check(&whole[..position], &format!("cut at {position}"));
        }
    }
    check(&whole[..whole.len() - 1], "cut before the last newline");
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    for missing in 0..lines.len() {
        let left: Vec<&[u8]> = lines.iter().enumerate().filter(|(place, _)| *place != missing).map(|(_, line)| *line).collect();
        check(&left.concat(), &format!("without line {}", missing + 1));
    }
    check(&[&whole[..], b"{}\n"].concat(), "with a line more");
    fs::write(&path, &whole).unwrap();
    imported(&store, &path);
}

/// Signed again, as somebody would who edits it.
fn signed(text: &str) -> String {
    use sha2::Digest;
    let end = text.rfind("{\"end\":").unwrap();
    let (body, last) = text.split_at(end);
    let digest: [u8; 32] = sha2::Sha256::digest(body.as_bytes()).into();
    let from = last.find("sha256\":\"").unwrap() + 9;
    format!("{body}{}{}{}", &last[..from], super::super::Hex(digest).text(), &last[from + 64..])
}

#[test]
fn a_file_whose_figures_do_not_add_up_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(file(folder.path(), 6)).unwrap();
    let (path, there) = (folder.path().join("edited"), folder.path().join("there.db"));
    for (from, to, why) in [
        ("\"spent\":35", "\"spent\":36", "spent of token \"a\""),
        ("\"balance\":999965", "\"balance\":999966", "balance of token \"a\""),
        ("\"token_delta\":-7", "\"token_delta\":-6", "balance of token \"a\""),
        ("{\"hold\":{\"hold\"", "{\"hole\":{\"hold\"", "unknown variant"),
        ("\"version\":1", "\"version\":2", "version 2"),
        ("\"spent\":35", "\"spent\":35.0", "floating point"),
        ("\"token\":1,\"amount\"", "\"token\":2,\"amount\"", "no token with id 2"),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        fs::write(&path, signed(&text.replacen(from, to, 1))).unwrap();
        let message = refused(&sqlite(there.clone()), &path);
        assert!(message.contains(why), "{to}: {message}");
        assert!(!there.exists());
    }
    fs::write(&path, signed(&text)).unwrap();
    imported(&sqlite(there), &path);
}

#[test]
fn a_store_that_has_a_ledger_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), 6);
    let (server, shared) = server();
    for store in [sqlite(folder.path().join("there.db")), shared] {
        imported(&store, &path);
        let Err(TransferError::NotEmpty(message)) = import(&store, &TimeZone::UTC, &path) else { panic!("taken") };
        assert!(message.contains("1 accounts") && message.contains("SPENDGATE_STORE"), "{message}");
        let again = folder.path().join(format!("again-{}", message.len()));
        exported(&store, &again);
        assert_eq!(records(&again), records(&path));
    }
    assert_eq!(ask::<String>(&server, &["HGET", "sg:meta", "version"]), "1");
}

#[test]
fn what_an_import_left_that_broke_off_is_refused_by_gateways_and_cleared_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), 1_500);
    let (server, store) = server();
    let StoreAddress::Redis(address) = &store else { panic!("not a server") };
    let mut reader = LedgerReader::open(&path).unwrap();
    let mut check = super::super::Check::default();
    while let Some(record) = reader.next_record().unwrap() {
        check.take(&record).unwrap();
    }
    let checked = check.finish().unwrap();
    reader.rewind().unwrap();
    // The file ends in the middle, as the process might.
    let whole = fs::read(&path).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(whole.len() as u64 * 2 / 3).unwrap();
    assert!(crate::ledger::redis::import(address, &TimeZone::UTC, &checked, &mut reader).is_err());
    assert_eq!(ask::<String>(&server, &["HGET", "sg:meta", "version"]), "importing");
    let entries: usize = ask(&server, &["LLEN", "sg:{default}:journal"]);
    assert!(entries > 1, "some of it was written: {entries}");
    // Something that the whole file does not have: it must not be there afterwards.
    let () = ask(&server, &["HSET", "sg:{default}:holds", "00", "left over"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = LedgerOptions { outbox: folder.path().join("outbox"), ..LedgerOptions::at(store.clone()) };
    let Err(LedgerError::Incompatible(message)) = runtime.block_on(Ledger::open(options.clone())) else { panic!("a gateway started on it") };
    assert!(message.contains("spendgate import"), "{message}");
    assert!(export(&store, &TimeZone::UTC, &folder.path().join("half")).is_err());
    fs::write(&path, &whole).unwrap();
    assert!(import(&store, &TimeZone::UTC, &path).unwrap().cleared);
    exported(&store, &folder.path().join("again"));
    assert_eq!(records(&folder.path().join("again")), records(&path));
    runtime.block_on(async { Ledger::open(options).await.unwrap().close().await });
}
