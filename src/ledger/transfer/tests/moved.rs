//! What was moved is what it was.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::ledger::embedded::tests::scripts::Embedded;
use crate::ledger::redis::tests::server::settle;
use crate::ledger::rules::tests::model::compare;
use crate::ledger::rules::tests::script::{ACCOUNT, Action, Figures, Player, Reply, Subject, label, script, usd};
use crate::ledger::{Admission, AdmitRequest, Certainty, HoldId, Ledger, LedgerOptions, Settlement, audit};
use crate::prices::{Unit, Usage};
use crate::tokens::{NewToken, Secret, SecretHash, SecretKind, TokenKind, TokenView};

/// A file that moves to a server and back whenever a store would be opened again.
struct Mover<'a> {
    embedded: Embedded,
    server: &'a Server,
    shared: &'a StoreAddress,
    moves: u32,
}

impl Mover<'_> {
    fn go(&mut self) {
        self.moves += 1;
        let folder = self.embedded.folder.path().join(format!("move-{}", self.moves));
        let (server, shared) = (self.server, self.shared);
        self.embedded.go_on_with(|path| {
            let () = ask(server, &["FLUSHALL"]);
            std::fs::create_dir(&folder).unwrap();
            let files = ["1", "2", "3"].map(|name| folder.join(name));
            exported(&sqlite(path.to_owned()), &files[0]);
            imported(shared, &files[0]);
            exported(shared, &files[1]);
            let there = folder.join("ledger.db");
            imported(&sqlite(there.clone()), &files[1]);
            exported(&sqlite(there.clone()), &files[2]);
            let first = records(&files[0]);
            assert_eq!(first, records(&files[1]), "the server gives back what was in the file");
            assert_eq!(first, records(&files[2]), "and so does the next file");
            there
        });
    }
}

impl Subject for Mover<'_> {
    fn act(&mut self, now: Timestamp, action: &Action) -> Reply {
        if matches!(action, Action::Reopen) {
            self.go();
            return Reply::Nothing;
        }
        self.embedded.act(now, action)
    }

    fn figures(&mut self, now: Timestamp) -> Figures {
        self.embedded.figures(now)
    }
}

/// The model knows nothing of moves: live holds, expired ones that are corrected later, resets, secrets and all figures go on as if there had been none.
#[test]
fn a_ledger_that_moves_to_a_server_and_back_agrees_with_the_model() {
    let (server, shared) = server();
    let config = ProptestConfig { cases: 24, failure_persistence: None, max_shrink_iters: 100, ..ProptestConfig::default() };
    proptest!(config, |(steps in script(60))| {
        let mut mover = Mover { embedded: Embedded::new(Player::new().now), server: &server, shared: &shared, moves: 0 };
        compare(&mut mover, &steps, |_| Ok(())).map_err(TestCaseError::fail)?;
        mover.go();
        mover.embedded.check_the_end();
    });
}

struct Desk {
    runtime: tokio::runtime::Runtime,
    ledger: Ledger,
    store: StoreAddress,
}

impl Desk {
    fn open(store: &StoreAddress, folder: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let options = LedgerOptions { outbox: folder.join("outbox"), timeout: Duration::from_secs(5), ..LedgerOptions::at(store.clone()) };
        let ledger = runtime.block_on(Ledger::open(options)).unwrap();
        runtime.block_on(ledger.ensure_account(ACCOUNT, Some(main_key()))).unwrap();
        Self { runtime, ledger, store: store.clone() }
    }

    fn token(&self, name: &str) -> (TokenView, Secret) {
        let secret = Secret::generate(SecretKind::Live).unwrap();
        let new = NewToken { name: name.into(), kind: TokenKind::Api, balance: Some(usd(10_000)), active_balance: true, expire_time: None, reset: None };
        (self.runtime.block_on(self.ledger.create_token(ACCOUNT, new, &secret)).unwrap().unwrap(), secret)
    }

    fn admit(&self, token: &TokenView, secret: &Secret, amount: i64, lease: u64) -> HoldId {
        let (hold, secret, lease) = (HoldId::generate(), secret.hash(), Duration::from_millis(lease));
        let request = AdmitRequest { hold, token: token.id, secret, want: usd(amount), least: usd(amount), lease, label: label("admitted") };
        match self.runtime.block_on(self.ledger.admit(request)).unwrap() {
            Admission::Granted(grant) => {
                grant.crash();
                hold
            }
            Admission::Denied(denied) => panic!("{denied:?}"),
        }
    }

    fn settle(&self, hold: HoldId, cost: i64) -> bool {
        let settlement = Settlement {
            hold,
            cost: usd(cost),
            certainty: Certainty::Exact,
            usage: Usage::default().with(Unit::Input, 7),
            label: label("sett\"led/ü"),
            price_version: "v1".into(),
        };
        match &self.store {
            StoreAddress::Sqlite(_) => self.runtime.block_on(self.ledger.settler().settle(settlement)).unwrap().charged,
            StoreAddress::Redis(address) => self.runtime.block_on(settle(address, ACCOUNT, &settlement)),
        }
    }

    fn figures(&self, name: &str) -> (i64, i64, i64) {
        let view = self.runtime.block_on(self.ledger.token(ACCOUNT, name)).unwrap().unwrap();
        (view.balance.unwrap().nanos(), view.held.nanos(), view.spent.nanos())
    }

    fn close(self) {
        self.runtime.block_on(self.ledger.close());
    }
}

fn main_key() -> SecretHash {
    SecretHash::of("sg_main_of_the_tests")
}

/// On the server's clock, through its scripts.
fn a_life_goes_on(from: &StoreAddress, to: &StoreAddress) {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(from, folder.path());
    let (a, secret) = desk.token("a");
    desk.token("b");
    desk.runtime.block_on(desk.ledger.delete_token(ACCOUNT, "b")).unwrap();
    desk.runtime.block_on(desk.ledger.set_credits(ACCOUNT, Some(usd(50_000)))).unwrap();
    desk.admit(&a, &secret, 100, 60_000);
    let live = desk.admit(&a, &secret, 1_000, 3_600_000);
    let late = desk.admit(&a, &secret, 500, 1);
    // Expires on the way of the next admission, if not before.
    let began = std::time::Instant::now();
    while desk.figures("a").2 < 500 {
        assert!(began.elapsed() < Duration::from_secs(10), "the hold does not expire");
        desk.admit(&a, &secret, 1, 60_000);
        std::thread::sleep(Duration::from_millis(5));
    }
    desk.close();
    let file = folder.path().join("file");
    exported(from, &file);
    imported(to, &file);

    let desk = Desk::open(to, &folder.path().join("new"));
    assert_eq!(desk.runtime.block_on(desk.ledger.account_of_main_key(&main_key())).unwrap().as_deref(), Some(ACCOUNT));
    let (balance, held, spent) = desk.figures("a");
    assert_eq!((balance, spent), (9_500, 500));
    assert!(desk.settle(live, 300), "a live hold is settled");
    assert_eq!(desk.figures("a"), (9_200, held - 1_000, 800));
    assert!(desk.settle(late, 200), "an expired one is corrected");
    assert!(!desk.settle(late, 100) && !desk.settle(live, 1), "once");
    assert_eq!(desk.figures("a"), (9_500, held - 1_000, 500));
    assert_eq!(desk.runtime.block_on(desk.ledger.credits(ACCOUNT)).unwrap(), Some(usd(49_500)));
    let (again, _) = desk.token("b");
    assert!(again.id.0 > a.id.0 + 1, "the id of a deleted token is not given out again: {}", again.id.0);
    desk.admit(&a, &secret, 1, 60_000);
    desk.close();
    assert_eq!(audit(to).unwrap().differences, []);
}

#[test]
fn a_life_goes_on_in_every_other_store() {
    let folder = tempfile::tempdir().unwrap();
    let (one, shared) = server();
    let (_two, other) = server();
    a_life_goes_on(&sqlite(folder.path().join("1.db")), &shared);
    a_life_goes_on(&other, &sqlite(folder.path().join("2.db")));
    let () = ask(&one, &["FLUSHALL"]);
    // What one ledger has been through twice.
    let (file, there) = (folder.path().join("file"), folder.path().join("3.db"));
    exported(&other, &file);
    imported(&sqlite(there.clone()), &file);
    a_life_goes_on_with_ids_of_a_server(&sqlite(there), &shared);
}

/// A file goes on where the ids of a server ended, and a server where the file did.
fn a_life_goes_on_with_ids_of_a_server(from: &StoreAddress, to: &StoreAddress) {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(from, folder.path());
    let (c, secret) = desk.token("c");
    desk.close();
    exported(from, &folder.path().join("file"));
    imported(to, &folder.path().join("file"));
    let desk = Desk::open(to, folder.path());
    let (d, _) = desk.token("d");
    assert_eq!(d.id.0, c.id.0 + 1);
    desk.admit(&c, &secret, 10, 60_000);
    desk.close();
}

/// Every key of the server, each field and member in order.
fn keys_of(server: &Server) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for key in ask::<Vec<String>>(server, &["KEYS", "*"]) {
        let fields = match ask::<String>(server, &["TYPE", &key]).as_str() {
            "hash" => ask(server, &["HGETALL", &key]),
            "zset" => ask(server, &["ZRANGE", &key, "0", "-1", "WITHSCORES"]),
            "list" => {
                ask::<Vec<String>>(server, &["LRANGE", &key, "0", "-1"]).into_iter().enumerate().map(|(place, text)| (format!("{place:9}"), text)).collect()
            }
            _ => BTreeMap::from([(String::new(), ask(server, &["GET", &key]))]),
        };
        all.insert(key, fields);
    }
    all
}

/// What follows from the life of a server, and begins anew.
const OF_A_LIFE: [&str; 3] = ["seq", "identity", "now"];

#[test]
fn a_server_that_was_filled_is_like_one_that_lived() {
    let (server, store) = server();
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(&store, folder.path());
    let (a, secret) = desk.token("a");
    let (gone, other) = desk.token("gone \"ü\"");
    for number in 0..40 {
        let hold = desk.admit(&a, &secret, 10, 3_600_000);
        if number % 2 == 0 {
            desk.settle(hold, 7);
        }
    }
    desk.admit(&gone, &other, 5, 3_600_000);
    desk.runtime.block_on(desk.ledger.delete_token(ACCOUNT, "gone \"ü\"")).unwrap();
    let next = Secret::generate(SecretKind::Live).unwrap();
    desk.runtime.block_on(desk.ledger.rotate_token(ACCOUNT, "a", &next, Duration::from_secs(3600))).unwrap();
    desk.close();
    let before = keys_of(&server);
    exported(&store, &folder.path().join("file"));
    let () = ask(&server, &["FLUSHALL"]);
    imported(&store, &folder.path().join("file"));
    let after = keys_of(&server);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (key, mut fields) in before {
        let mut others = after[&key].clone();
        for field in OF_A_LIFE {
            fields.remove(field);
            others.remove(field);
        }
        assert_eq!(fields, others, "{key}");
    }
}

/// Accounts whose ids have a gap, as they have on a server where one was never finished; charged in turns.
#[test]
fn many_accounts_move_with_ids_that_have_gaps() {
    let (server, store) = server();
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(&store, folder.path());
    let _: i64 = ask(&server, &["HINCRBY", "sg:accounts", "", "3"]);
    let (first, secret) = desk.token("a");
    let other = Secret::generate(SecretKind::Live).unwrap();
    let new = NewToken { name: "a".into(), kind: TokenKind::Api, balance: Some(usd(500)), active_balance: true, expire_time: None, reset: None };
    desk.runtime.block_on(desk.ledger.ensure_account("a b/ü", None)).unwrap();
    let second = desk.runtime.block_on(desk.ledger.create_token("a b/ü", new, &other)).unwrap().unwrap();
    assert_eq!(second.id.0 >> 32, 4);
    for _ in 0..5 {
        let holds = [desk.admit(&first, &secret, 10, 3_600_000), desk.admit(&second, &other, 10, 3_600_000)];
        for hold in holds {
            desk.runtime.block_on(desk.ledger.settler().charge_hold(hold)).unwrap();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    desk.close();
    let before = keys_of(&server);
    let path = folder.path().join("ledger.db");
    exported(&store, &folder.path().join("1"));
    imported(&sqlite(path.clone()), &folder.path().join("1"));
    let file = rusqlite::Connection::open(&path).unwrap();
    let count = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM journal"), 12);
    assert_eq!(count("SELECT count(*) FROM journal AS one JOIN journal AS other ON one.seq < other.seq WHERE one.time_ms > other.time_ms"), 0);
    assert_eq!(count("SELECT max(account_id) FROM accounts"), 1, "a file knows no gaps");
    drop(file);
    let desk = Desk::open(&sqlite(path.clone()), folder.path());
    assert_eq!(desk.runtime.block_on(desk.ledger.token("a b/ü", "a")).unwrap().unwrap().balance, Some(usd(450)));
    let (third, _) = desk.token("third");
    assert_eq!(third.id.0, second.id.0 + 1);
    desk.close();
    exported(&sqlite(path), &folder.path().join("2"));
    let () = ask(&server, &["FLUSHALL"]);
    imported(&store, &folder.path().join("2"));
    let after = keys_of(&server);
    for (key, fields) in before.iter().filter(|(key, _)| key.ends_with(":journal") && !key.contains("default") || key.starts_with("sg:secret")) {
        assert_eq!(fields, &after[key], "{key}");
    }
    let desk = Desk::open(&store, folder.path());
    assert_eq!(desk.token("fourth").0.id.0, first.id.0 + 1);
    desk.close();
}
