//! `spendgate prices`: what it shows and finds odd, and prices from a public list that a running gateway takes up.

use std::path::Path;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::support::asks::{limited, send};
use crate::support::process::{both, run};
use crate::support::routes::Routes;
use crate::support::{Gateway, Setup, StandIn, eventually};

/// A list in LiteLLM's form of one model, at so many dollars a token of input and output.
fn list(model: &str, input: &str, output: &str) -> String {
    format!(
        r#"{{"{model}": {{"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": {input}, "output_cost_per_token": {output}, "max_input_tokens": 8000, "max_output_tokens": 1000}}}}"#
    )
}

/// What a command wrote, and its exit code.
fn ran(folder: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let output = run(folder, arguments, &[]);
    (both(&output), output.status.code())
}

#[test]
fn a_price_book_is_shown_checked_and_filled_without_a_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Without a file the one that is built in is meant.
    let (shown, code) = ran(folder, &["prices", "show", "gpt-4o-2024-08-06", "--provider", "openai"]);
    assert!(shown.starts_with("gpt-4o-2024-08-06 is gpt-4o of openai (built-in price book:") && code == Some(0), "{shown}");
    let (shown, code) = ran(folder, &["prices", "show", "no-such-model"]);
    assert!(shown.contains("No model has the name \"no-such-model\"") && code == Some(1), "{shown}");
    let (checked, code) = ran(folder, &["prices", "check"]);
    assert!(checked.contains("models priced") && code == Some(0), "{checked}");

    std::fs::write(folder.join("mine.toml"), "[[models]]\nprovider = \"p\"\nid = \"m\"\nprices = { input_mtok = 2.5 }\n").unwrap();
    let (checked, code) = ran(folder, &["prices", "check", "mine.toml"]);
    assert!(checked.starts_with("mine.toml:4:25: must be an amount as a string") && code == Some(1), "{checked}");

    std::fs::write(folder.join("list.json"), list("new-model", "1.25e-06", "1e-05")).unwrap();
    let (imported, code) = ran(folder, &["prices", "import", "list.json"]);
    assert!(imported.contains("LiteLLM's list: 1 added, 0 changed, 0 as they were, 0 left out.") && code == Some(0), "{imported}");
    assert!(imported.contains("Written to config/prices.toml, from the one that is built in."), "{imported}");
    let (shown, _) = ran(folder, &["prices", "show", "new-model", "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown[0]["file"], &shown[0]["max_output"]), (&json!("config/prices.toml"), &json!(1000)));
    assert_eq!(shown[0]["entries"][0]["prices"][0]["usd"], "1.25");
    // What was built in is in it too, and all of it is right.
    let (shown, code) = ran(folder, &["prices", "show", "gpt-4o"]);
    assert!(shown.contains("config/prices.toml:") && code == Some(0), "{shown}");
    let (checked, code) = ran(folder, &["check"]);
    assert!(checked.contains("all right") && code == Some(0), "{checked}");

    std::fs::write(folder.join("list.json"), "{}").unwrap();
    let (refused, code) = ran(folder, &["prices", "import", "list.json"]);
    assert!(refused.contains("list.json is none of the lists that are known") && code == Some(1), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_gateway_takes_up_imported_prices() {
    let provider = StandIn::start().await;
    let gateway = Gateway::start(Setup::new(&Routes::at(provider.address()).openai(""))).await;
    let secret = gateway.tokens().with_budget("prices", "5.00").await;
    let client = gateway.client();
    let mut body = limited("hello", 100);
    body["model"] = json!("new-model");
    client.ask(send(&secret, &body)).await.refused(403, "model_not_priced");
    for (input, output) in [("1.25e-06", "1e-05"), ("2.5e-06", "2e-05")] {
        std::fs::write(gateway.routes_file().with_file_name("list.json"), list("new-model", input, output)).unwrap();
        let imported = both(&gateway.command(&["prices", "import", "list.json"]));
        assert!(imported.contains("Written to config/prices.toml"), "{imported}");
        let checked = both(&gateway.command(&["prices", "check"]));
        let version = checked.split("price book ").nth(1).and_then(|rest| rest.get(..12)).unwrap();
        eventually("the new prices", async || gateway.written().contains(&format!("prices={version:?}")).then_some(())).await;
        let before = gateway.tokens().settled("prices").await.spent;
        let usage = client.ask(send(&secret, &body)).await.expect(200).json()["usage"].clone();
        let part = |amount: &str, count: &str| Decimal::from_scientific(amount).unwrap() * Decimal::from(usage[count].as_u64().unwrap());
        let dollars = part(input, "prompt_tokens") + part(output, "completion_tokens");
        let nanos = (dollars * Decimal::from(1_000_000_000)).ceil();
        assert!(nanos > Decimal::ZERO);
        assert_eq!(Decimal::from(gateway.tokens().settled("prices").await.spent - before), nanos);
    }
    gateway.close().await;
}
