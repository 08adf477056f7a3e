//! Providers that are compatible with OpenAI's API: the routes that the examples give them, and what each does in its own way.

use serde_json::{Value, json};

use crate::support::process::{both, run};
use crate::support::routes::Routes;
use crate::support::{Gateway, Request, Setup, StandIn, events, ports, promises};

/// The base paths that tell the stand-in whose manners to have.
const MANNERS: [&str; 5] = ["cumulative", "last-content", "groq", "deepseek", "openrouter"];

async fn gateway(provider: &StandIn) -> Gateway {
    let at = provider.address();
    let mut routes = Routes::at(at);
    for name in MANNERS {
        routes = routes.upstream(name, at, &format!("/{name}"), "provider = \"openai\"").route(&format!("/{name}/v1/*"), "openai", name, "");
    }
    let routes = routes.route("/told/v1/*", "openai", "openrouter", "reports_cost = true");
    let routes = routes.upstream("own", at, "/cumulative", "").route("/own/v1/*", "openai", "own", "price = \"free\"");
    Gateway::start(Setup::new(&routes)).await
}

fn chat(content: &str, more: Value) -> Value {
    promises::with(json!({"model": "gpt-4o-mini", "max_tokens": 50, "messages": [{"role": "user", "content": content}]}), more)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_is_charged_what_it_reports_wherever_it_does() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    for name in MANNERS {
        let secret = gateway.tokens().with_budget(name, "1.00").await;
        for (number, more) in [json!({}), json!({"stream": true}), json!({"stream": true, "stream_options": {"include_usage": true}})].into_iter().enumerate() {
            let marker = format!("{name} {number} ");
            let how = format!("{marker}@{{tokens=12 prompt=40 cached=16 split={}}}", 7 + number);
            let answer =
                gateway.client().ask(Request::post(&format!("/{name}/v1/chat/completions"), &chat(&how, more.clone())).bearer(&secret)).await.expect(200);
            let row = provider.row_with(&marker);
            assert_eq!(
                gateway.tokens().settled(name).await.spent,
                provider.rows_with(&format!("{name} ")).iter().map(|row| row.consumed.cost).sum::<i64>(),
                "{how}"
            );
            assert!(row.consumed.cached == 16 && row.consumed.cost > 0);
            if number == 1 {
                assert_eq!(events::content(&answer.body), events::content(&row.sent), "{name}: no word is lost");
                assert!(!events::split(&answer.body).iter().any(|event| events::shows_usage(event)), "{name}: what was not asked for is not shown");
                assert_eq!(answer.text().contains("\"reasoning_content\":\"hm \""), name == "deepseek");
                assert_eq!(answer.text().matches(": OPENROUTER PROCESSING\n\n").count(), if name == "openrouter" { 2 } else { 0 });
            } else {
                assert_eq!(answer.body, row.sent, "{name}: every byte passes");
            }
        }
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cost_that_openrouter_tells_wins_where_the_route_says_so() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let ask = async |mount: &str, token: &str, how: &str, more: Value| {
        let secret = gateway.tokens().with_budget(token, "1.00").await;
        let body = chat(&format!("{token} @{{{how} tokens=12 prompt=40}}"), more);
        gateway.client().ask(Request::post(&format!("/{mount}/v1/chat/completions"), &body).bearer(&secret)).await.expect(200);
        let row = provider.row_with(&format!("{token} "));
        (gateway.tokens().settled(token).await.spent, row.consumed.cost)
    };
    let by_book = 40 * 150 + 12 * 600;
    for (name, more) in
        [("whole", json!({"usage": {"include": true}})), ("stream", json!({"stream": true, "usage": {"include": true}})), ("hidden", json!({"stream": true}))]
    {
        for (number, (how, spent)) in [
            // Dearer than the book, and far above the hold; cheaper; a cached answer.
            ("cost=0.000456", 456_000),
            ("cost=0.5", 500_000_000),
            ("cost=0.0000001", 100),
            ("cost=0", 0),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(ask("told", &format!("{name}-{number}"), how, more.clone()).await, (spent, spent), "{name} {how}");
        }
        // Not told: by the book. What cannot be a cost: the hold, here all of the 50 tokens asked for.
        assert_eq!(ask("told", &format!("{name}-missing"), "no-cost", more.clone()).await.0, by_book);
        for (number, how) in ["cost=-0.01", "cost=many", "cost=1e300", "cost=100001"].into_iter().enumerate() {
            let (spent, _) = ask("told", &format!("{name}-odd-{number}"), how, more.clone()).await;
            assert!(spent > by_book && spent < 500_000, "{name} {how}: {spent}");
        }
        // Where the route says nothing, it is the price book that counts.
        assert_eq!(ask("openrouter", &format!("{name}-untold"), "cost=0.5", more.clone()).await.0, by_book);
    }
    // Responses tell it alike: in one piece, and at the end of a stream.
    for (name, stream) in [("response", false), ("streamed-response", true)] {
        for (number, (how, spent)) in [("cost=0.000456", 456_000), ("cost=0.5", 500_000_000), ("cost=0", 0), ("no-cost", by_book)].into_iter().enumerate() {
            let token = format!("{name}-{number}");
            let secret = gateway.tokens().with_budget(&token, "1.00").await;
            for (mount, spent) in [("told", spent), ("openrouter", spent + by_book)] {
                let body =
                    json!({"model": "gpt-4o-mini", "input": format!("{token} @{{{how} tokens=12 prompt=40}}"), "max_output_tokens": 50, "stream": stream});
                gateway.client().ask(Request::post(&format!("/{mount}/v1/responses"), &body).bearer(&secret)).await.expect(200);
                assert_eq!(gateway.tokens().settled(&token).await.spent, spent, "{token} {mount} {how}");
            }
        }
    }
    let metrics = gateway.metrics().await;
    let of = |name: &str, token: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name) && line.contains(&format!("token=\"{token}\"")));
        line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
    };
    assert!(of("spendgate_overrun_usd_total", "whole-1") > 0.4);
    assert_eq!((of("spendgate_estimated_charges_total", "whole-0"), of("spendgate_estimated_charges_total", "whole-missing")), (0.0, 1.0));
    // Nothing else is asked by that name.
    let secret = gateway.tokens().with_budget("strict", "1.00").await;
    for (usage, named) in [
        (json!({"include": true, "plugins": []}), "usage.plugins"),
        (json!({"Include": true}), "usage.Include"),
        (json!({"include": "yes"}), "usage.include"),
        (json!(true), "'usage'"),
        (json!([]), "'usage'"),
    ] {
        let body = chat("strict", json!({"usage": usage}));
        let refused = gateway.client().ask(Request::post("/told/v1/chat/completions", &body).bearer(&secret)).await.refused(400, "invalid_request");
        assert!(refused.text().contains(named), "{}", refused.text());
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_s_own_server_costs_nothing_whatever_its_models_are_called() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("own", "0.000001").await;
    let body = chat("own", json!({"model": "my-own-llama:8b", "stream": true}));
    gateway.client().ask(Request::post("/own/v1/chat/completions", &body).bearer(&secret)).await.expect(200);
    assert_eq!((gateway.tokens().settled("own").await.spent, provider.count()), (0, 1));
    gateway.close().await;
}

/// The lines of an example without their hash signs; prose stays out.
fn without_hash_signs(text: &str) -> String {
    let toml = |line: &str| {
        let key = line.split(" = ").next().unwrap_or_default();
        line.starts_with('[') || line.contains(" = ") && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    text.lines().filter_map(|line| line.strip_prefix("# ").filter(|line| toml(line))).map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_example_is_a_route_that_works() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        std::fs::write(folder.path().join("routes.toml"), text).unwrap();
        let environment = [
            ("SPENDGATE_ROUTES", folder.path().join("routes.toml").display().to_string()),
            ("SPENDGATE_STORE", format!("sqlite:{}", folder.path().join("spendgate.db").display())),
            ("SPENDGATE_LISTEN", ports::free().to_string()),
            ("SPENDGATE_OPS_LISTEN", ports::free().to_string()),
        ];
        let output = run(folder.path(), &["check"], &environment.map(|(name, value)| (name.to_owned(), value)));
        assert!(output.status.success(), "{text}\n{}", both(&output));
        both(&output)
    };
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let builtin = std::fs::read_to_string(root.join("config/routes.toml")).unwrap();
    let table = check(&(builtin.clone() + "\n" + &without_hash_signs(&builtin)));
    for (path, prices) in [
        ("/deepseek/v1/*", "price book: deepseek"),
        ("/groq/v1/*", "price book: groq"),
        ("/together/v1/*", "price book: together"),
        ("/xai/v1/*", "price book: x-ai"),
        ("/openrouter/v1/*", "price book: openrouter"),
        ("/vllm/v1/*", "free"),
        ("/ollama/v1/*", "free"),
        ("/ocr", "a request"),
        ("/v2/rerank*", "price book: cohere"),
        ("/mistral/v1/*", "price book: mistral"),
    ] {
        let line = table.lines().find(|line| line.contains(&format!("{path} "))).unwrap_or_else(|| panic!("{path} in\n{table}"));
        assert!(line.contains(prices), "{line}");
    }
    // What the guide shows, each a file of its own.
    let guide = std::fs::read_to_string(root.join("docs/routes.md")).unwrap();
    let shown: Vec<&str> = guide.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!shown.is_empty());
    for text in shown {
        check(text);
    }
}
