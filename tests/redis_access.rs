//! How a gateway gets in: over TLS with a certificate of one's own authority, as a user with no more rights than `docs/redis.md` names, into a database by
//! its number; and what is said where one of these is wrong.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::support::asks::{limited, ocr, send};
use crate::support::process::{both, run};
use crate::support::random::{Random, seed};
use crate::support::redis::Server;
use crate::support::refused::refuses_store;
use crate::support::routes::Routes;
use crate::support::{Gateway, Request, Setup, StandIn};

/// A password that has to be percent-encoded in an address.
const PASSWORD: &str = "p@ss/word:%";
const ENCODED: &str = "p%40ss%2Fword%3A%25";
/// What is said after a patience of ten seconds: what cannot pass by itself is told at once.
const WAITED_FOR: &str = "cannot be reached";

/// The rights that the documentation gives: those always, and those that follow a word of it.
struct Documented {
    always: Vec<String>,
    database: String,
}

impl Documented {
    fn read() -> Self {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/redis.md")).unwrap();
        let line = text.lines().find(|line| line.starts_with("user spendgate on ")).expect("a line for the server's configuration");
        let always = line.split(' ').skip_while(|word| *word != "resetchannels").map(str::to_owned).collect();
        let database = text.lines().find(|line| line.contains("database by number")).expect("what a database needs");
        let database = database.split('`').find(|word| word.starts_with('+')).unwrap().to_owned();
        Self { always, database }
    }
}

/// A server that speaks TLS, and its authority's certificate in a file. Plain connections too, for the test itself.
struct Secured {
    server: Server,
    tls_port: String,
    folder: TempDir,
}

impl Secured {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let root = authority.self_signed(&authority_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let issued = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let issued = issued.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let files = [("ca.pem", root.pem()), ("server.pem", issued.pem()), ("server.key", key.serialize_pem()), ("other.pem", other.cert.pem())];
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        std::fs::write(folder.path().join("empty.pem"), "no certificate\n").unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let lines = format!(
            "tls-port FREE_PORT\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients no\n",
            at("server.pem"),
            at("server.key"),
            at("ca.pem")
        );
        let server = Server::with(&lines).await;
        let tls_port = server.setting("tls-port").await;
        Self { server, tls_port, folder }
    }

    /// A user with these rights.
    async fn user(&self, rights: &[String]) {
        let password = format!(">{PASSWORD}");
        let mut command = vec!["ACL", "SETUSER", "spendgate", "reset", "on", &password];
        command.extend(rights.iter().map(String::as_str));
        self.server.command(&command).await;
    }

    fn url(&self, login: &str, host: &str, path: &str, authority: &str) -> String {
        let authority = if authority.is_empty() { String::new() } else { format!("?ca={}", self.folder.path().join(authority).display()) };
        format!("rediss://{login}@{host}:{}{path}{authority}", self.tls_port)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_with_the_documented_rights_in_a_database_a_gateway_does_all_it_has_to() {
    let rights = Documented::read();
    let secured = Secured::start().await;
    secured.user(&[rights.always.clone(), vec![rights.database]].concat()).await;
    let provider = StandIn::start().await;
    let routes = Routes::at(provider.address()).openai("").http("/ocr", r#"{ per_request = "0.01" }"#);
    // By name, and by address: the certificate has both.
    for (host, database) in [("localhost", 3), ("127.0.0.1", 7)] {
        let store = secured.url(&format!("spendgate:{ENCODED}"), host, &format!("/{database}"), "ca.pem");
        let mut gateway = Gateway::start(Setup::new(&routes).env("SPENDGATE_STORE", &store)).await;
        let before = provider.cost();
        let tokens = gateway.tokens();
        let secret = tokens.with_budget("tls", "0.03").await;
        gateway.client().ask(ocr(&secret)).await.expect(200);
        gateway.client().ask(send(&secret, &limited("hello @{tokens=5}", 20))).await.expect(200);
        gateway.client().ask(send(&secret, &limited("fails @{status=500}", 20))).await;
        gateway.client().ask(ocr(&secret)).await.expect(200);
        gateway.client().ask(ocr(&secret)).await.refused(402, "budget_exhausted");
        let money = tokens.settled("tls").await;
        assert_eq!((money.balance, money.spent), (Some(30_000_000 - money.spent), provider.cost() - before));
        let rotate = Request::post(&format!("{}rotate/", crate::support::tokens::path("tls")), &serde_json::json!({})).bearer(&tokens.key);
        gateway.client().ask(rotate).await.expect(200);
        gateway.client().ask(Request::get("/v2/usage/?by=token,day").bearer(&tokens.key)).await.expect(200);
        tokens.with_budget("gone", "1.00").await;
        tokens.delete("gone").await.expect(204);
        assert!(gateway.terminate().await.success());
        gateway.audit();
        assert!(secured.server.info(&format!("db{database}")).await.starts_with("keys="), "it is in the database that was asked for");
        let file = secured.folder.path().join(format!("ledger-{database}")).display().to_string();
        let moved = gateway.command(&["export", &file]);
        assert!(moved.status.success(), "{}", both(&moved));
        let into = [("SPENDGATE_STORE".to_owned(), secured.url(&format!("spendgate:{ENCODED}"), host, &format!("/{}", database + 1), "ca.pem"))];
        let moved = run(secured.folder.path(), &["import", &file], &into);
        assert!(moved.status.success(), "{}", both(&moved));
    }
    assert_eq!(secured.server.info("db0").await, "", "nothing is in a database that was not asked for");
    let refused = secured.server.command(&["ACL", "LOG"]).await;
    // The client library says its name, which needs no right: a server may refuse to hear it.
    let refused: Vec<String> = refused.array().iter().map(|entry| entry.array()[7].text().to_lowercase()).filter(|what| !what.starts_with("client|")).collect();
    assert!(refused.iter().all(|what| what.starts_with("config")), "rights that are documented are all it takes: {refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_about_the_way_in_is_told_at_once_with_what_would_be_right() {
    let rights = Documented::read();
    let secured = Secured::start().await;
    secured.user(&[rights.always.clone(), vec![rights.database.clone()]].concat()).await;
    let login = format!("spendgate:{ENCODED}");
    let plain = secured.server.address();
    let cases = [
        (secured.url("spendgate:wrong", "localhost", "/1", "ca.pem"), vec!["authentication failed", "Check the user and the password"]),
        (secured.url(&format!("nobody:{ENCODED}"), "localhost", "/1", "ca.pem"), vec!["authentication failed", "Check the user and the password"]),
        (secured.url(&login, "localhost", "/1", "other.pem"), vec!["invalid peer certificate", "\"?ca=/path/ca.pem\""]),
        (secured.url(&login, "localhost", "/1", ""), vec!["invalid peer certificate", "\"?ca=/path/ca.pem\""]),
        (secured.url(&login, "localhost", "/1", "nothing.pem"), vec!["nothing.pem cannot be read", "\"?ca=\""]),
        (secured.url(&login, "localhost", "/1", "empty.pem"), vec!["empty.pem holds no certificate", "\"?ca=\""]),
        (secured.url(&login, "localhost", "/99", "ca.pem"), vec!["out of range", "Write the number of a database", "\"databases\""]),
        (format!("redis://{login}@{plain}/-1"), vec!["\"-1\" is not the number of a database"]),
    ];
    for (url, parts) in cases {
        let said = refuses_store(&url).await;
        assert!(parts.iter().all(|part| said.contains(part)) && !said.contains(WAITED_FOR), "{url}: {said}");
        assert!(!said.contains(PASSWORD) && !said.contains(ENCODED), "no password is shown: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_missing_is_named_before_any_request_meets_it() {
    let mut random = Random::new(seed());
    let rights = Documented::read();
    let secured = Secured::start().await;
    let all = [rights.always, vec![rights.database]].concat();
    let granted: Vec<&String> = all.iter().filter(|word| word.starts_with('+')).collect();
    // These keep a gateway from asking about the others; and some of the others.
    let mut missing = vec!["+info".to_owned(), "+eval".to_owned(), "+select".to_owned()];
    while missing.len() < 6 {
        let word = granted[usize::try_from(random.below(granted.len() as u64)).unwrap()];
        if !missing.contains(word) {
            missing.push(word.clone());
        }
    }
    if crate::support::soak() {
        missing = granted.into_iter().cloned().collect();
    }
    let url = secured.url(&format!("spendgate:{ENCODED}"), "localhost", "/2", "ca.pem");
    let refused = async |rights: Vec<String>, names: &str| {
        secured.user(&rights).await;
        let said = refuses_store(&url).await;
        let advice = said.split_once("ACL SETUSER spendgate ~sg:* ").unwrap_or_else(|| panic!("without {names}: {said}"));
        assert!(advice.0.contains(names), "{names} is named: {said}");
        let given: Vec<&str> = advice.1.split_whitespace().collect();
        assert!(all.iter().filter(|word| word.starts_with('+')).all(|word| given.contains(&word.as_str())), "{said}");
        assert!(!said.contains(WAITED_FOR), "{said}");
    };
    for word in missing {
        refused(all.iter().filter(|other| **other != word).cloned().collect(), &word[1..]).await;
    }
    // Keys of another name.
    refused(all.iter().map(|word| if word == "~sg:*" { "~other:*".to_owned() } else { word.clone() }).collect(), "hset").await;
}
