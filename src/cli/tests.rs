//! The commands as they are typed, against the API behind a listener of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::CommandFactory;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;

use super::client::{Client, ClientError, encode};
use super::time::{Expiry, Span};
use super::*;
use crate::admin::{AdminState, router};
use crate::ledger::{Admission, AdmitRequest, Certainty, ChargeLabel, HoldId, Ledger, LedgerOptions, StoreAddress};
use crate::prices::{Unit, Usage};
use crate::tokens::{DEFAULT_ACCOUNT, Secret, SecretForm, SecretHash, SecretKind};

const MAIN_KEY: &str = "an-operator-chose-this-key-of-many-characters";
const NOW: &str = "2099-06-01T12:00:00.5Z";

struct Gateway {
    ledger: Ledger,
    url: String,
    client: Client,
    _folder: tempfile::TempDir,
}

impl Gateway {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = LedgerOptions::at(StoreAddress::Sqlite(folder.path().join("ledger.db")));
        let ledger = Ledger::open(options).await.unwrap();
        ledger.ensure_account(DEFAULT_ACCOUNT, Some(SecretHash::of(MAIN_KEY))).await.unwrap();
        let router = router(AdminState { ledger: ledger.clone() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = TowerToHyperService::new(router.clone());
                tokio::spawn(async move {
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        let url = format!("http://{address}");
        let client = Client::new(&url, Some(MAIN_KEY)).unwrap();
        Self { ledger, url, client, _folder: folder }
    }

    /// Runs what stands behind `spendgate`, words separated by blanks.
    async fn run(&self, line: &str) -> anyhow::Result<Output> {
        match parse(line)? {
            Command::Token(args) => args.action.run(&self.client, args.json, NOW.parse().unwrap()).await,
            Command::Usage(args) => args.report(&self.client).await,
            Command::Audit(args) => args.run(),
            other => panic!("not a command that asks: {other:?}"),
        }
    }

    async fn done(&self, line: &str) -> Output {
        self.run(line).await.unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    async fn refused(&self, line: &str) -> String {
        self.run(line).await.map(|output| output.result).expect_err(line).to_string()
    }

    async fn json(&self, line: &str) -> serde_json::Value {
        serde_json::from_str(&self.done(line).await.result).unwrap()
    }
}

fn parse(line: &str) -> Result<Command, clap::Error> {
    Cli::try_parse_from(std::iter::once("spendgate").chain(line.split(' '))).map(|cli| cli.command.unwrap())
}

#[test]
fn the_command_line_is_well_made() {
    Cli::command().debug_assert();
    assert!(Cli::try_parse_from(["spendgate"]).unwrap().command.is_none(), "no command: serve");
}

#[test]
fn no_key_can_be_given_as_an_argument() {
    for line in ["token --key x list", "token list --api-key x", "usage --key x"] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn bad_amounts_and_times_are_refused_before_anything_is_sent() {
    for line in [
        "token create n --balance 1e3",
        "token create n --balance 100000",
        "token create n --balance 0.1234567891",
        "token create n --balance NaN",
        "token create n --balance=",
        "token create n --expires tomorrow",
        "token create n --expires 14",
        "token create n --expires 2099-01-01",
        "token create n --expires 99999999999999999999d",
        "token create n --type admin",
        "token create n --reset-period daily",
        "token create n --reset-amount 5",
        "token create n --reset-period daily --reset-amount 5 --no-enforce",
        "token update n --balance x",
        "token update n --enforce --no-enforce",
        "token rotate n --grace 1y",
        "token rotate n --grace d",
        "usage --by colour",
        "usage --csv --json",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
    let message = parse("token create n --balance 1e3").unwrap_err().to_string();
    assert!(message.contains("at most 5 digits before and 9 after the point"), "{message}");
}

#[test]
fn spans_and_times_are_read() {
    for (text, seconds) in [("90s", 90), ("30m", 1800), ("1h", 3600), ("14d", 1_209_600), ("2w", 1_209_600), ("0s", 0)] {
        assert_eq!(text.parse(), Ok(Span(std::time::Duration::from_secs(seconds))), "{text}");
    }
    for text in ["", "d", "1", "-1d", "+1d", "1.5d", "1 d", "1D", "١d", "1dd", "é"] {
        assert!(text.parse::<Span>().is_err(), "{text}");
    }
    let now: Timestamp = NOW.parse().unwrap();
    assert_eq!("never".parse::<Expiry>().unwrap().resolve(now).unwrap(), None);
    assert_eq!("14d".parse::<Expiry>().unwrap().resolve(now).unwrap(), Some("2099-06-15T12:00:00Z".parse().unwrap()));
    assert_eq!("2099-01-01T00:00:00+01:00".parse::<Expiry>().unwrap().resolve(now).unwrap(), Some("2098-12-31T23:00:00Z".parse().unwrap()));
    assert!("9999999999999d".parse::<Expiry>().unwrap().resolve(now).is_err());
}

#[tokio::test]
async fn create_prints_the_secret_alone_and_once() {
    let gateway = Gateway::start().await;
    let output = gateway.done("token create team-backend --balance 50.00 --expires 14d").await;
    let secret = output.result.strip_suffix('\n').unwrap();
    assert_eq!(Secret::form(secret), SecretForm::WellFormed(SecretKind::Live));
    assert!(output.hint.contains("store it now") && !output.hint.contains(secret));
    let shown = gateway.json("token show team-backend --json").await;
    assert_eq!(shown["active_balance"], true, "a balance is enforced unless said otherwise");
    assert_eq!(shown["expire_time"], "2099-06-15T12:00:00Z");
    for line in ["token list", "token show team-backend", "token list --json"] {
        assert!(!gateway.done(line).await.result.contains(secret), "{line}");
    }
}

#[tokio::test]
async fn every_option_of_create_and_update_arrives() {
    let gateway = Gateway::start().await;
    let ci = gateway.json("token create ci --type sandbox_api_token --balance -0.5 --no-enforce --json").await;
    assert_eq!(
        (ci["token_type"].as_str(), ci["balance"].as_str(), ci["active_balance"].as_bool()),
        (Some("sandbox_api_token"), Some("-0.500000000"), Some(false))
    );
    let team = gateway.json("token create team --reset-period weekly --reset-amount 7.5 --json").await;
    assert_eq!((team["balance"].as_str(), team["balance_reset_period"].as_str()), (Some("7.500000000"), Some("weekly")));
    for (change, field, value) in [
        ("--balance 0.000000001", "\"balance\"", "1e-9"),
        ("--no-enforce", "\"active_balance\"", "false"),
        ("--enforce", "\"active_balance\"", "true"),
        ("--reset-amount 8", "\"balance_reset_amount\"", "8"),
        ("--reset-period none", "\"balance_reset_period\"", "\"none\""),
        ("--balance none", "\"balance\"", "null"),
        ("--expires 2099-12-31T00:00:00Z", "\"expire_time\"", "\"2099-12-31T00:00:00Z\""),
        ("--expires never", "\"expire_time\"", "null"),
    ] {
        let answer = gateway.json(&format!("token update team {change} --json")).await;
        let expected: serde_json::Value = serde_json::from_str(value).unwrap();
        assert_eq!(answer[field.trim_matches('"')], expected, "{change}");
    }
    assert_eq!(gateway.json("token update team --balance 5 --json").await["active_balance"], true);
    assert_eq!(gateway.json("token update team --balance 6 --no-enforce --json").await["active_balance"], false);
    assert_eq!(gateway.refused("token update team").await, "nothing to change: see `spendgate token update --help`");
}

#[tokio::test]
async fn the_list_is_a_table_and_can_be_narrowed() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.done("token list").await, Output { hint: "No tokens.\n".into(), ..Output::default() });
    for line in ["token create prod-web --balance 12345.678900001", "token create prod-batch", "token create ci"] {
        gateway.done(line).await;
    }
    let table = gateway.done("token list --prefix prod-").await.result;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "TYPE", "BALANCE", "ENFORCED", "HELD", "SPENT", "EXPIRES", "LAST", "USED"]);
    assert_eq!(lines[1], ["prod-web", "api_token", "12345.678900001", "yes", "0", "0", "never", "never"]);
    assert_eq!(lines[2], ["prod-batch", "api_token", "-", "no", "0", "0", "never", "never"]);
    assert_eq!(lines.len(), 3);
    let narrowed = gateway.done("token list --prefix prod-w --json").await.result;
    assert!(narrowed.starts_with("[{") && narrowed.contains(r#""balance":12345.678900001,"#) && !narrowed.contains("batch"), "{narrowed}");
    assert!(gateway.done("token show prod-web").await.result.lines().any(|line| line.split_whitespace().eq(["balance", "12345.678900001"])));
}

#[tokio::test]
async fn rotate_and_delete_do_what_they_say() {
    let gateway = Gateway::start().await;
    let first = gateway.done("token create n").await.result;
    let second = gateway.done("token rotate n --grace 1h").await.result;
    let third = gateway.done("token rotate n").await.result;
    assert!(first != second && second != third);
    assert!(gateway.ledger.token_facts(&SecretHash::of(third.trim())).await.unwrap().is_some());
    assert!(gateway.ledger.token_facts(&SecretHash::of(second.trim())).await.unwrap().is_none());
    assert_eq!(gateway.done("token delete n").await, Output { hint: "Token 'n' deleted.\n".into(), ..Output::default() });
    for line in ["token show n", "token delete n", "token rotate n", "token update n --enforce", "token show me", "token delete .."] {
        assert!(gateway.refused(line).await.starts_with("there is no token '"), "{line}");
    }
}

#[tokio::test]
async fn names_with_any_character_can_be_reached() {
    let gateway = Gateway::start().await;
    for name in ["Équipe", "50%", "a?b#c&d", "x%2Fy", "東京"] {
        gateway.done(&format!("token create {name}")).await;
        assert_eq!(gateway.json(&format!("token show {name} --json")).await["name"], name);
        gateway.done(&format!("token delete {name}")).await;
    }
    assert_eq!(encode("a b/é~"), "a%20b%2F%C3%A9~");
}

#[tokio::test]
async fn failures_say_what_to_do() {
    let gateway = Gateway::start().await;
    gateway.done("token create n").await;
    assert_eq!(gateway.refused("token create n").await, "the gateway refused it:\n  name: Token with this name already exists.");
    assert!(gateway.refused("token create a/b").await.contains("name: A name may not contain"));
    assert!(gateway.refused("usage --from yesterday").await.contains("from: Date has wrong format."));

    for missing in [None, Some(""), Some(" ")] {
        assert!(matches!(Client::new(&gateway.url, missing), Err(ClientError::NoKey)));
    }
    assert!(matches!(Client::new(&gateway.url, Some("a\nb")), Err(ClientError::BadKey)));
    for url in ["", "127.0.0.1:8080", "ftp://x", "http://", "not a url", "http://x/?a=b"] {
        assert!(matches!(Client::new(url, Some(MAIN_KEY)), Err(ClientError::BadUrl(_))), "{url}");
    }
    let list = || parse("token list").unwrap();
    let run = async |client: Client| {
        let Command::Token(args) = list() else { unreachable!() };
        args.action.run(&client, false, Timestamp::now()).await.unwrap_err().to_string()
    };
    let message = run(Client::new(&gateway.url, Some("wrong")).unwrap()).await;
    assert_eq!(message, format!("the gateway at {} does not know the key in SPENDGATE_API_KEY", gateway.url));
    let token = gateway.done("token create t").await.result;
    assert!(run(Client::new(&gateway.url, Some(&token)).unwrap()).await.contains("it takes the account's main API key"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let message = run(Client::new(&format!("http://{free}"), Some(MAIN_KEY)).unwrap()).await;
    assert!(message.starts_with(&format!("cannot reach the gateway at http://{free}: ")) && message.contains("refused"), "{message}");
    gateway.ledger.close().await;
    assert!(gateway.refused("token list").await.contains("503"));
}

#[tokio::test]
async fn usage_is_a_table_csv_or_json() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.done("usage").await.hint, "No usage.\n");
    for (name, cost) in [("a,\"b", "1.5"), ("c", "0.000000001")] {
        let secret = SecretHash::of(gateway.done(&format!("token create {name}")).await.result.trim());
        let facts = gateway.ledger.token_facts(&secret).await.unwrap().unwrap();
        let label = Arc::new(ChargeLabel { provider: "openai".into(), model: "gpt-5".into(), feature: "text__chat".into() });
        let cost = cost.parse().unwrap();
        let request = AdmitRequest {
            hold: HoldId::generate(),
            token: facts.id,
            secret,
            want: cost,
            least: cost,
            lease: std::time::Duration::from_secs(60),
            label: label.clone(),
        };
        let Admission::Granted(grant) = gateway.ledger.admit(request).await.unwrap() else { panic!("refused") };
        let usage = Usage::default().with(Unit::Input, 7).with(Unit::CacheRead, 3).with(Unit::OutputReasoning, 5);
        grant.settle(cost, Certainty::Estimated, usage, label, "test").await.unwrap();
    }
    let table = gateway.done("usage --by token,model").await.result;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["TOKEN", "PROVIDER", "MODEL", "REQUESTS", "INPUT", "OUTPUT", "ESTIMATED", "COST", "USD"]);
    assert_eq!(lines[1], ["a,\"b", "openai", "gpt-5", "1", "10", "5", "1", "1.500000000"]);
    assert_eq!(lines[2], ["c", "openai", "gpt-5", "1", "10", "5", "1", "0.000000001"]);
    assert_eq!(lines[3], ["total", "2", "20", "10", "2", "1.500000001"]);
    let csv = gateway.done("usage --csv").await.result;
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("token,requests,cost,estimated,units_requests,units_input,units_cache_read,"), "{csv}");
    assert!(lines[1].starts_with("\"a,\"\"b\",1,1.500000000,1,0,7,3,"), "{csv}");
    assert_eq!(lines.iter().map(|line| line.replace("a,\"\"b", "").split(',').count()).collect::<std::collections::BTreeSet<_>>().len(), 1);
    assert_eq!(gateway.json("usage --json --by day").await.as_array().unwrap().len(), 1);
}

#[test]
fn audit_takes_a_file_that_is_there() {
    let run = |line: &str| match parse(line).unwrap() {
        Command::Audit(args) => args.run().map(|output| output.exit).map_err(|error| format!("{error:#}")),
        _ => unreachable!(),
    };
    assert!(run("audit --store mysql://x").unwrap_err().contains("is not a store"));
    assert!(run("audit --store sqlite:/nowhere/spendgate.db").unwrap_err().starts_with("cannot audit sqlite:/nowhere/spendgate.db"));
}

#[tokio::test]
async fn audit_agrees_with_an_untouched_ledger() {
    let gateway = Gateway::start().await;
    gateway.done("token create n --balance 5").await;
    gateway.ledger.close().await;
    let path = gateway._folder.path().join("ledger.db");
    let output = gateway.done(&format!("audit --store sqlite:{}", path.display())).await;
    assert_eq!((output.exit, output.result.starts_with("The ledger agrees with its journal: 1 tokens, 1 accounts, ")), (0, true), "{}", output.result);
    assert_eq!(gateway.json(&format!("audit --json --store sqlite:{}", path.display())).await["agrees"], true);
}

#[test]
fn an_audit_that_differs_exits_with_1() {
    use crate::ledger::{AuditDifference, AuditReport, BudgetScope};
    let differences = vec![AuditDifference {
        scope: BudgetScope::Token,
        name: "n".into(),
        what: "balance",
        recorded: "1".parse().unwrap(),
        computed: "0.5".parse().unwrap(),
    }];
    let report = AuditReport { tokens: 1, accounts: 1, journal_entries: 2, live_holds: 0, differences };
    for output in [audit::as_text(&report), audit::as_json(&report)] {
        assert_eq!(output.exit, 1);
        assert!(output.result.contains("1.000000000") && output.result.contains("0.500000000"));
    }
}
