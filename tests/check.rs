//! `spendgate check` and the other commands: mistakes in files are told by file, line and column, and the exit code says whether all is well.

use std::path::Path;

use serde_json::Value;

use crate::support::asks::{CHAT, chat, limited, ocr, send};
use crate::support::process::{Written, both, command, run, spawn};
use crate::support::routes::Routes;
use crate::support::{Client, Gateway, Request, Setup, StandIn, eventually, ports};

/// A routes.toml, the number of the line with the mistake, and words that the message must contain.
const BROKEN: &[(&str, u32, &[&str])] = &[
    ("[upstreams.a]\nurl = \"http://127.0.0.1:1\"\nkey = \"${K}\"\nurrl = 1\n", 4, &["urrl"]),
    ("[upstreams.a]\nurl = \"http://127.0.0.1:1\n", 2, &[]),
    ("[upstreams.a]\nurl = \"127.0.0.1:1/x y\"\nkey = \"${K}\"\n", 2, &["url"]),
    ("[upstreams.a]\nurl = \"http://127.0.0.1:1\"\nkey = \"sk-written-into-the-file\"\n", 3, &["${"]),
    ("[upstreams.a]\nurl = \"http://127.0.0.1:1\"\nkey = \"${K}\"\ntimeout = \"soon\"\n", 4, &["soon"]),
    (
        "[upstreams.a]\nurl = \"http://127.0.0.1:1\"\nkey = \"${K}\"\n\n[[routes]]\npath = \"/v1/*\"\napi = \"opnai\"\nupstream = \"a\"\n",
        7,
        &["opnai", "openai"],
    ),
    ("[upstreams.a]\nurl = \"http://127.0.0.1:1\"\nkey = \"${K}\"\n\n[[routes]]\npath = \"/v1/*\"\napi = \"openai\"\nupstream = \"b\"\n", 8, &["b"]),
    ("[upstreams.a]\nurl = \"http://127.0.0.1:1\"\nkey = \"${K}\"\n\n[[routes]]\npath = \"v1/*\"\napi = \"openai\"\nupstream = \"a\"\n", 6, &["/"]),
    (
        "[upstreams.a]\nurl = \"http://127.0.0.1:1\"\nkey = \"${K}\"\n\n[[routes]]\npath = \"/x\"\napi = \"http\"\nupstream = \"a\"\nprice = { per_request = \"-1\" }\n",
        9,
        &[],
    ),
    (
        "[upstreams.a]\nurl = \"http://127.0.0.1:1\"\nkey = \"${K}\"\n\n[[routes]]\npath = \"/x\"\napi = \"http\"\nupstream = \"a\"\nprice = { per_reqest = \"1\" }\n",
        9,
        &["per_reqest"],
    ),
    ("[upstreams.a]\nurl = \"http://127.0.0.1:1\"\nkey = \"${K}\"\n\n[[routes]]\npath = \"/x\"\napi = \"http\"\nupstream = \"a\"\nclamp = \"maybe\"\n", 9, &[]),
    (
        "[upstreams.a]\nurl = \"http://127.0.0.1:1\"\nkey = \"${K}\"\n\n[[routes]]\npath = \"/x\"\napi = \"http\"\nupstream = \"a\"\nprice = { per_request = \"0.01\" }\non_disconnect = \"panic\"\n",
        10,
        &["panic"],
    ),
];

fn environment(folder: &Path) -> Vec<(String, String)> {
    let pairs = [
        ("SPENDGATE_ROUTES", folder.join("routes.toml").display().to_string()),
        ("SPENDGATE_STORE", format!("sqlite:{}", folder.join("spendgate.db").display())),
        ("SPENDGATE_LISTEN", ports::free().to_string()),
        ("SPENDGATE_OPS_LISTEN", ports::free().to_string()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

/// True where the text has `FILE:LINE:COLUMN: ` with this file and line.
fn points_at(text: &str, file: &str, line: u32) -> bool {
    let place = format!("{file}:{line}:");
    text.match_indices(&place).any(|(at, _)| {
        let rest = &text[at + place.len()..];
        rest.split_once(':').is_some_and(|(column, _)| column.parse::<u32>().is_ok_and(|column| column > 0))
    })
}

#[test]
fn mistakes_are_told_by_file_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    for (text, line, words) in BROKEN {
        std::fs::write(folder.path().join("routes.toml"), text).unwrap();
        let output = run(folder.path(), &["check"], &environment(folder.path()));
        let said = both(&output);
        assert_eq!(output.status.code(), Some(1), "{text}\n{said}");
        assert!(points_at(&said, "routes.toml", *line), "line {line} of\n{text}\n{said}");
        for word in *words {
            assert!(said.contains(word), "{word:?} for\n{text}\n{said}");
        }
        assert!(!said.contains("sk-written-into-the-file"), "{said}");
        let serve = run(folder.path(), &["serve"], &environment(folder.path()));
        assert!(!serve.status.success(), "it does not serve either:\n{text}");
        assert!(points_at(&both(&serve), "routes.toml", *line), "{}", both(&serve));
    }
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[upstreams.a]\nurl = \"http://127.0.0.1:1\"\nkey = \"${K}\"\n\n[[routes]]\npath = \"/v1/*\"\napi = \"opnai\"\nupstream = \"b\"\n";
    std::fs::write(folder.path().join("routes.toml"), text).unwrap();
    let said = both(&run(folder.path(), &["check"], &environment(folder.path())));
    assert!(points_at(&said, "routes.toml", 7) && points_at(&said, "routes.toml", 8), "{said}");
}

#[test]
fn broken_prices_are_told_likewise() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prices.toml"), "\n\nnot a price book [").unwrap();
    let mut environment = environment(folder.path());
    environment.retain(|(name, _)| name != "SPENDGATE_ROUTES");
    environment.push(("SPENDGATE_PRICES".to_owned(), folder.path().join("prices.toml").display().to_string()));
    let output = run(folder.path(), &["check"], &environment);
    assert_eq!(output.status.code(), Some(1), "{}", both(&output));
    assert!(points_at(&both(&output), "prices.toml", 3), "{}", both(&output));
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["check"], &environment(folder.path()));
    assert_eq!(output.status.code(), Some(1), "{}", both(&output));
    assert!(both(&output).contains("routes.toml"), "{}", both(&output));
}

#[test]
fn settings_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in [("SPENDGATE_LEASE", "soon"), ("SPENDGATE_LISTEN", "nowhere"), ("SPENDGATE_API_KEY", "too-short"), ("SPENDGATE_STORE", "floppy:a")] {
        let mut environment = environment(folder.path());
        environment.retain(|(known, _)| known != name && known != "SPENDGATE_ROUTES");
        environment.push((name.to_owned(), value.to_owned()));
        let output = run(folder.path(), &["check"], &environment);
        assert!(!output.status.success(), "{name}={value}: {}", both(&output));
        // A key is a secret even where it is wrong.
        assert!(name != "SPENDGATE_API_KEY" || !both(&output).contains(value), "{}", both(&output));
    }
}

#[test]
fn all_is_well_with_no_files_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut environment = environment(folder.path());
    environment.retain(|(name, _)| name != "SPENDGATE_ROUTES");
    let output = run(folder.path(), &["check"], &environment);
    let said = both(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("/v1/*") && said.contains("openai"), "the route table: {said}");
    // No key in the environment: the upstream is off, and that is said.
    assert!(said.contains("OPENAI_API_KEY"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_managed_from_the_command_line() {
    let provider = StandIn::start().await;
    let gateway = Gateway::before(&provider).await;
    let command = |arguments: &[&str]| {
        let output = gateway.command(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", both(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let created: Value = serde_json::from_str(&command(&["token", "create", "by-hand", "--balance", "0.02", "--expires", "14d", "--json"])).unwrap();
    let secret = created["token"].as_str().unwrap().to_owned();
    assert_eq!(gateway.tokens().get("by-hand").await.expect(200).json()["active_balance"], true, "a balance on the command line is one that binds");
    gateway.client().ask(ocr(&secret)).await.expect(200);
    gateway.tokens().settled("by-hand").await;
    assert!(command(&["token", "list"]).contains("by-hand"));
    let shown: Value = serde_json::from_str(&command(&["token", "show", "by-hand", "--json"])).unwrap();
    assert_eq!(shown["balance"].to_string(), "0.01");
    command(&["token", "update", "by-hand", "--balance", "3.00"]);
    assert_eq!(gateway.tokens().money("by-hand").await.balance, Some(3_000_000_000));
    let rotated: Value = serde_json::from_str(&command(&["token", "rotate", "by-hand", "--json"])).unwrap();
    gateway.client().ask(ocr(&secret)).await.refused(401, "invalid_token");
    gateway.client().ask(ocr(rotated["token"].as_str().unwrap())).await.expect(200);
    assert!(command(&["usage"]).contains("by-hand"));
    assert!(command(&["usage", "--by", "token,day", "--csv"]).contains("by-hand"));
    serde_json::from_str::<Value>(&command(&["usage", "--by", "token,model,day", "--json"])).unwrap();
    command(&["token", "delete", "by-hand"]);
    gateway.tokens().get("by-hand").await.expect(404);
    assert!(!gateway.command(&["token", "show", "by-hand"]).status.success());
    assert!(!gateway.command(&["token", "create", "bad", "--balance", "1e3"]).status.success());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simulate_stands_in_for_a_provider() {
    let folder = tempfile::tempdir().unwrap();
    let address = ports::free();
    let listen = address.to_string();
    let written = Written::default();
    let simulate = command(folder.path(), &["simulate", "--listen", &listen], &[]);
    let mut child = spawn(simulate, &written);
    let simulator = Client { address };
    let up = eventually("the simulator", async || {
        let ended = child.try_wait().unwrap().is_some();
        let answer = simulator.try_ask(Request::post(CHAT, &chat("hi"))).await;
        if ended { Some(false) } else { answer.ok().map(|answer| answer.status == 200) }
    })
    .await;
    let gateway = Gateway::start(Setup::new(&Routes::at(address).openai(""))).await;
    let secret = gateway.tokens().with_budget("simulated", "1.00").await;
    let answer = gateway.client().ask(send(&secret, &limited("hi", 50))).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(up, "{}", written.tail());
    let usage = &answer.expect(200).json()["usage"];
    let cost = usage["prompt_tokens"].as_i64().unwrap() * 150 + usage["completion_tokens"].as_i64().unwrap() * 600;
    assert_eq!(gateway.tokens().settled("simulated").await.spent, cost);
    gateway.close().await;
}

#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    let folder = tempfile::tempdir().unwrap();
    let empty = ["CONFIG", "LISTEN", "STORE", "ROUTES", "PRICES", "LEASE", "OUTBOX", "TLS_CERT", "TLS_KEY", "REDIS_WAIT", "LOG", "API_KEY"];
    let environment: Vec<(String, String)> = empty.map(|name| (format!("SPENDGATE_{name}"), String::new())).to_vec();
    for arguments in [&["check"][..], &["check", "--lease", "5s"]] {
        let output = run(folder.path(), arguments, &environment);
        assert!(output.status.success(), "{}", both(&output));
    }
    // A flag that says nothing is a mistake.
    let output = run(folder.path(), &["check", "--lease", ""], &environment);
    assert!(!output.status.success() && both(&output).contains("is not a duration"), "{}", both(&output));
}

#[test]
fn routes_that_are_never_asked_and_files_without_any_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let own = Routes::at(([127, 0, 0, 1], 9).into()).http("/v2/usage/x", "\"free\"").openai("").route("/v2/user/custom_token/*", "openai", "openai", "");
    for (text, told) in [
        ("", &["there are no routes: every request is answered with 404"][..]),
        (own.text(), &["the route '/v2/usage/x' is never asked", "the route '/v2/user/custom_token/*' is never asked"]),
        (Routes::at(([127, 0, 0, 1], 9).into()).openai("").route("/v2/*", "cohere", "openai", "").text(), &[]),
    ] {
        std::fs::write(folder.path().join("routes.toml"), text).unwrap();
        let output = run(folder.path(), &["check"], &environment(folder.path()));
        let said = both(&output);
        assert!(output.status.success() && told.iter().all(|told| said.contains(told)), "{said}");
        assert_eq!(said.matches("never asked").count() + said.matches("no routes").count(), told.len(), "{said}");
    }
}
