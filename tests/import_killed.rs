//! `spendgate import`, broken off by kill -9 at any moment: what it leaves is never taken for a ledger, and the next import makes it whole.
//! `SPENDGATE_TEST_SEED` replays the moments.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::asks::ocr;
use crate::support::money::CENT;
use crate::support::process::{self, Written, both, run};
use crate::support::random::{Random, seed};
use crate::support::redis::Server;
use crate::support::refused::refuses_store;
use crate::support::routes::Routes;
use crate::support::{Gateway, Setup, StandIn, eventually, soak};

/// Tokens and journal entries besides the one token that is used: so many that an import takes a while.
const TOKENS: usize = 400;
const ENTRIES: usize = 12_000;
/// How often an import is broken off before one is let through.
const BREAKS: usize = 3;

/// A ledger in a file, and the secret of its token `used`, on which there are three cents left.
struct Exported {
    folder: TempDir,
    file: String,
    secret: String,
}

/// A place for a ledger.
struct Target {
    store: String,
    /// For a file: where it is.
    path: Option<PathBuf>,
}

impl Exported {
    /// What a gateway exported, grown by hand: other tokens, and entries that add up to nothing.
    async fn large(provider: &StandIn) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let routes = Routes::at(provider.address()).openai("").http("/ocr", r#"{ per_request = "0.01" }"#);
        // A file, whatever store the other tests run on.
        let store = format!("sqlite:{}", folder.path().join("first.db").display());
        let mut gateway = Gateway::start(Setup::new(&routes).env("SPENDGATE_STORE", &store)).await;
        let secret = gateway.tokens().with_budget("used", "0.05").await;
        for _ in 0..2 {
            gateway.client().ask(ocr(&secret)).await.expect(200);
        }
        assert!(gateway.terminate().await.success());
        let file = folder.path().join("ledger").display().to_string();
        let output = gateway.command(&["export", &file]);
        assert!(output.status.success(), "{}", both(&output));
        std::fs::write(&file, grown(&std::fs::read_to_string(&file).unwrap())).unwrap();
        Self { folder, file, secret }
    }

    /// Imports the file, to the end.
    fn import(&self, target: &Target) -> String {
        let output = run(self.folder.path(), &["import", &self.file], &target.environment());
        assert!(output.status.success(), "{}", both(&output));
        both(&output)
    }

    /// Imports the file, and is killed so long after it began to write. False where it had ended by then.
    async fn import_and_die(&self, target: &Target, server: Option<&Server>, after: Duration) -> bool {
        let written = Written::default();
        let mut child = process::spawn(process::command(self.folder.path(), &["import", &self.file], &target.environment()), &written);
        eventually("the import to begin", async || {
            // As a gateway would find it; an import that comes second finds the marks of the first, and soon begins too.
            let begun = match server {
                Some(server) => server.command(&["HGET", "sg:meta", "version"]).await == crate::support::redis::Reply::Text("importing".to_owned()),
                None => target.building().exists() || target.path.as_ref().unwrap().exists(),
            };
            (begun || child.try_wait().unwrap().is_some()).then_some(())
        })
        .await;
        tokio::time::sleep(after).await;
        let ended = child.try_wait().unwrap().is_some();
        let _ = child.kill();
        let status = child.wait().unwrap();
        if ended {
            assert!(status.success(), "{}", written.text());
        }
        // Between its last write and its end it is killed too late: all of it is there.
        let whole = match server {
            Some(server) => server.command(&["HGET", "sg:meta", "version"]).await != crate::support::redis::Reply::Text("importing".to_owned()),
            None => !target.building().exists(),
        };
        !ended && !whole
    }
}

impl Target {
    fn environment(&self) -> Vec<(String, String)> {
        vec![("SPENDGATE_STORE".to_owned(), self.store.clone())]
    }

    fn building(&self) -> PathBuf {
        let mut name = self.path.clone().unwrap().into_os_string();
        name.push(".importing");
        PathBuf::from(name)
    }
}

/// More tokens and more entries in the text of an export, counted and signed.
fn grown(text: &str) -> String {
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_kind = |kind: &str| lines.iter().find(|line| line.get(kind).is_some()).unwrap_or_else(|| panic!("no {kind}: {text}")).clone();
    let (mut token, mut entry, mut end) = (of_kind("token"), of_kind("journal"), of_kind("end"));
    let mut grown = String::new();
    for line in &lines[..lines.len() - 1] {
        writeln!(grown, "{line}").unwrap();
        if line.get("token").is_none() {
            continue;
        }
        for number in 0..TOKENS {
            let hash: [u8; 32] = Sha256::digest(format!("secret {number}")).into();
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            let fields = token["token"].as_object_mut().unwrap();
            fields.remove("balance");
            for (name, value) in [("id", json!(number + 2)), ("name", json!(format!("other-{number}"))), ("active", json!(false)), ("spent", json!(0))] {
                fields.insert(name.to_owned(), value);
            }
            fields["secrets"][0]["sha256"] = json!(hash);
            writeln!(grown, "{token}").unwrap();
        }
    }
    for number in 0..ENTRIES {
        entry["journal"]["token_delta"] = json!(if number % 2 == 0 { 7 } else { -7 });
        writeln!(grown, "{entry}").unwrap();
    }
    for (name, more) in [("tokens", TOKENS), ("journal", ENTRIES)] {
        let count = &mut end["end"]["counts"][name];
        *count = json!(count.as_u64().unwrap() + more as u64);
    }
    let digest: [u8; 32] = Sha256::digest(grown.as_bytes()).into();
    end["end"]["sha256"] = json!(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    writeln!(grown, "{end}").unwrap();
    grown
}

/// What must be true of what an import left: neither a gateway nor another command takes it for a ledger.
async fn nobody_takes_it_for_a_ledger(exported: &Exported, target: &Target) {
    let said = refuses_store(&target.store).await;
    assert!(said.contains("was begun and did not end") && said.contains("run \"spendgate import\" again"), "{said}");
    for command in [&["audit"] as &[&str], &["export", "half"]] {
        let output = run(exported.folder.path(), command, &target.environment());
        assert!(!output.status.success(), "{command:?} on half a ledger: {}", both(&output));
    }
    assert!(!exported.folder.path().join("half").exists());
}

/// What must be true of a ledger that was imported: the audit agrees, and the token has what it had.
async fn it_is_whole(exported: &Exported, target: &Target, provider: &StandIn) {
    let output = run(exported.folder.path(), &["audit", "--json"], &target.environment());
    let audit: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", both(&output)));
    assert_eq!((&audit["agrees"], &audit["tokens"]), (&json!(true), &json!(TOKENS + 1)), "{audit}");
    let routes = Routes::at(provider.address()).openai("").http("/ocr", r#"{ per_request = "0.01" }"#);
    let gateway = Gateway::start(Setup::new(&routes).env("SPENDGATE_STORE", &target.store)).await;
    let money = gateway.tokens().money("used").await;
    assert_eq!((money.balance, money.held, money.spent), (Some(3 * CENT), 0, 2 * CENT));
    for _ in 0..3 {
        gateway.client().ask(ocr(&exported.secret)).await.expect(200);
    }
    gateway.client().ask(ocr(&exported.secret)).await.refused(402, "budget_exhausted");
    gateway.close().await;
}

/// How long an import writes, from an import that is let through.
fn measured(exported: &Exported, target: &Target) -> Duration {
    let began = Instant::now();
    let said = exported.import(target);
    assert!(!said.contains("An import before this one"), "{said}");
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_server_what_a_killed_import_left_is_refused_until_another_has_ended() {
    let mut random = Random::new(seed());
    let provider = StandIn::start().await;
    let exported = Exported::large(&provider).await;
    let server = Server::start().await;
    let target = |database: usize| Target { store: format!("redis://{}/{database}", server.address()), path: None };
    let takes = measured(&exported, &target(1));
    let keys = server.info("db1").await;
    for _ in 0..if soak() { 20 } else { 1 } {
        let mut breaks = 0;
        for _ in 0..200 {
            if breaks == BREAKS {
                break;
            }
            let after = Duration::from_micros(random.below(u64::try_from(takes.as_micros()).unwrap()));
            if exported.import_and_die(&target(0), Some(&server), after).await {
                breaks += 1;
                let entries = server.command(&["LLEN", "sg:{default}:journal"]).await.number();
                eprintln!("broken off after {after:?} of {takes:?}, with {entries} entries of the journal there");
                nobody_takes_it_for_a_ledger(&exported, &target(0)).await;
            } else {
                // It was quicker this time.
                server.command(&["FLUSHDB"]).await;
            }
        }
        assert_eq!(breaks, BREAKS, "imports end sooner than they can be broken off");
        let said = exported.import(&target(0));
        assert!(said.contains("An import before this one had not come to its end"), "{said}");
        let there = server.info("db0").await;
        assert_eq!(there.split(',').next(), keys.split(',').next(), "nothing is left over, nothing is missing");
        it_is_whole(&exported, &target(0), &provider).await;
        server.command(&["FLUSHDB"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_file_what_a_killed_import_left_is_refused_until_another_has_ended() {
    let mut random = Random::new(seed());
    let provider = StandIn::start().await;
    let exported = Exported::large(&provider).await;
    let at = |path: &Path| Target { store: format!("sqlite:{}", path.display()), path: Some(path.to_owned()) };
    let takes = measured(&exported, &at(&exported.folder.path().join("measured.db")));
    for round in 0..if soak() { 20 } else { 1 } {
        let mut breaks = 0;
        let path = exported.folder.path().join(format!("target-{round}.db"));
        for _ in 0..200 {
            if breaks == BREAKS {
                break;
            }
            let after = Duration::from_micros(random.below(u64::try_from(takes.as_micros()).unwrap()));
            let died = exported.import_and_die(&at(&path), None, after).await;
            if died && !path.exists() {
                breaks += 1;
                nobody_takes_it_for_a_ledger(&exported, &at(&path)).await;
                assert!(!path.exists(), "nobody made a ledger there");
            } else {
                assert!(path.exists(), "it had ended, or was about to");
                std::fs::remove_file(&path).unwrap();
            }
        }
        assert_eq!(breaks, BREAKS, "imports end sooner than they can be broken off");
        exported.import(&at(&path));
        assert!(!at(&path).building().exists());
        it_is_whole(&exported, &at(&path), &provider).await;
    }
}
