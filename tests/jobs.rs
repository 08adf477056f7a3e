//! Jobs of universal AI: begun by one request, and charged once, by whichever answer first tells what they cost.

use serde_json::json;

use crate::support::money::{CENT, nanos};
use crate::support::routes::Routes;
use crate::support::{Answer, Fleet, Gateway, Request, Setup, StandIn, Store, eventually};

/// Eden AI, with a hold of five cents for jobs that read.
fn routes(provider: &StandIn) -> Routes {
    let hold = "models = [\"ocr/*\"]\nprice = { reported = { json = \"/cost\" }, hold = \"0.05\" }";
    Routes::at(provider.address()).edenai("/v3/universal-ai*", hold).edenai("/v3/*", "")
}

fn told(answer: &Answer) -> i64 {
    nanos(answer.header("spendgate-cost").unwrap())
}

fn begin(secret: &str, model: &str, text: &str) -> Request {
    Request::post("/v3/universal-ai/async", &json!({"model": model, "input": {"file": text}, "webhook_receiver": "https://example.com"})).bearer(secret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_held_for_and_charged_once_by_whoever_first_sees_what_it_cost() {
    let provider = StandIn::start().await;
    let mut gateway = Gateway::start(Setup::new(&routes(&provider))).await;
    let secret = gateway.tokens().with_budget("jobs", "1.00").await;
    let other = gateway.tokens().with_budget("other", "1.00").await;
    let job = async |gateway: &Gateway, text: &str| {
        let begun = gateway.client().ask(begin(&secret, "ocr/ocr_async/google", text)).await.expect(202);
        assert_eq!((begun.json()["status"].as_str(), begun.header("spendgate-cost")), (Some("processing"), None), "nobody knows yet");
        format!("/v3/universal-ai/async/{}", begun.json()["public_id"].as_str().unwrap())
    };
    let dear = job(&gateway, "@{pending=2 cost=0.07}").await;
    let cheap = job(&gateway, "@{cost=0.002}").await;
    let failed = job(&gateway, "@{failed cost=0}").await;
    gateway.tokens().comes_to("jobs", 100 * CENT, 15 * CENT, 0).await;
    for _ in 0..2 {
        let poll = gateway.client().ask(Request::get(&dear).bearer(&secret)).await.expect(200);
        assert_eq!((poll.json()["status"].as_str(), told(&poll)), (Some("processing"), 0));
    }
    gateway.tokens().comes_to("jobs", 100 * CENT, 15 * CENT, 0).await;
    // The gateway dies; another process on the ledger settles what the first has begun.
    gateway.kill9();
    gateway.audit();
    gateway.launch().await;
    let poll = gateway.client().ask(Request::get(&dear).bearer(&secret)).await.expect(200);
    // The provider is asked for by its own id, and the answer tells the client its own again.
    let sealed = dear.rsplit('/').next().unwrap();
    let row = provider.rows().pop().unwrap();
    let id = row.target.rsplit('/').next().unwrap().to_owned();
    assert!(sealed.starts_with(&format!("{id}_sg")) && sealed.len() == id.len() + 35, "{sealed} {id}");
    assert_eq!((poll.text().replace(sealed, &id), told(&poll)), (String::from_utf8(row.sent).unwrap(), 7 * CENT));
    // Above its hold, and in full.
    gateway.tokens().comes_to("jobs", 93 * CENT, 10 * CENT, 7 * CENT).await;
    // Another token of the account that knows its id, the provider's own id, and one that another job's seal stands behind: nothing is asked for.
    let asked = provider.count();
    gateway.client().ask(Request::get(&cheap).bearer(&other)).await.refused(404, "route_not_found");
    let (bare, seal) = cheap.split_once("_sg").unwrap();
    let (_, others_seal) = dear.split_once("_sg").unwrap();
    for path in [bare.to_owned(), format!("{bare}_sg{others_seal}"), format!("{bare}_sg{}", seal.to_uppercase()), format!("{cheap}_sg{seal}")] {
        gateway.client().ask(Request::get(&path).bearer(&secret)).await.refused(404, "route_not_found");
    }
    assert_eq!(provider.count(), asked);
    gateway.tokens().comes_to("jobs", 93 * CENT, 10 * CENT, 7 * CENT).await;
    // Many at once: once.
    let mut asked = tokio::task::JoinSet::new();
    for poll in (0..8).map(|_| Request::get(&cheap).bearer(&secret)) {
        let client = gateway.client();
        asked.spawn(async move { client.ask(poll).await.expect(200) });
    }
    let answers = asked.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.header("spendgate-cost").is_some()).count(), 1, "once");
    gateway.tokens().comes_to("jobs", 93 * CENT - 2_000_000, 5 * CENT, 7 * CENT + 2_000_000).await;
    gateway.client().ask(Request::get(&failed).bearer(&secret)).await.expect(200);
    assert_eq!(gateway.tokens().settled("jobs").await.spent, provider.cost());
    gateway.kill9();
    gateway.launch().await;
    for path in [&dear, &cheap, &failed] {
        gateway.client().ask(Request::get(path).bearer(&secret)).await.expect(200);
    }
    assert_eq!((gateway.tokens().settled("jobs").await.spent, gateway.tokens().settled("other").await.spent), (provider.cost(), 0));
    let report = String::from_utf8(gateway.command(&["usage", "--json", "--by", "model,feature"]).stdout).unwrap();
    assert!(report.contains("\"ocr/ocr_async/google\"") && report.contains("\"ocr__ocr_async\""), "{report}");
    let metrics = gateway.metrics().await;
    assert!(metrics.contains("spendgate_requests_total"), "{metrics}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_not_known_to_have_begun_costs_its_hold_and_one_refused_nothing() {
    let provider = StandIn::start().await;
    let gateway = Gateway::start(Setup::new(&routes(&provider))).await;
    let secret = gateway.tokens().with_budget("odd", "1.00").await;
    let client = gateway.client();
    client.ask(begin(&secret, "ocr/ocr_async/google", "@{status=422}")).await.expect(422);
    assert_eq!(gateway.tokens().settled("odd").await.spent, 0);
    client.ask(begin(&secret, "ocr/ocr_async/google", "@{cut=1}")).await.expect(502);
    assert_eq!(gateway.tokens().settled("odd").await.spent, 5 * CENT);
    client.ask(Request::get("/v3/universal-ai/async/no-such-job").bearer(&secret)).await.refused(404, "route_not_found");
    // An answer that breaks off, or does not say what it cost, settles nothing; the next one does.
    let begun = client.ask(begin(&secret, "ocr/ocr_async/google", "@{cost=0.01}")).await.expect(202);
    let path = format!("/v3/universal-ai/async/{}", begun.json()["public_id"].as_str().unwrap());
    for (how, status) in [("cut=1", 502), ("no-cost", 200), ("status=500", 500)] {
        provider.behave(how);
        client.ask(Request::get(&path).bearer(&secret)).await.expect(status);
        gateway.tokens().comes_to("odd", 95 * CENT, 5 * CENT, 5 * CENT).await;
    }
    provider.behave("");
    client.ask(Request::get(&path).bearer(&secret)).await.expect(200);
    assert_eq!(gateway.tokens().settled("odd").await.spent, 6 * CENT);
    // A token that has no money for the hold begins none; the list, which is that of all tokens, and other methods are refused.
    let poor = gateway.tokens().with_budget("poor", "0.04").await;
    let count = provider.count();
    client.ask(begin(&poor, "ocr/ocr_async/google", "x")).await.refused(402, "budget_exhausted");
    client.ask(begin(&secret, "video/generation_async/openai", "x")).await.refused(403, "model_not_priced");
    client.ask(Request::get("/v3/universal-ai/async").bearer(&secret)).await.refused(404, "route_not_found");
    client.ask(Request::new(hyper::Method::DELETE, &path).bearer(&secret)).await.refused(404, "route_not_found");
    assert_eq!(provider.count(), count);
    let sandbox = gateway.tokens().sandbox("sand").await;
    let begun = client.ask(begin(&sandbox, "ocr/ocr_async/google", "x")).await.expect(202).json();
    let path = format!("/v3/universal-ai/async/{}", begun["public_id"].as_str().unwrap());
    assert_eq!(client.ask(Request::get(&path).bearer(&sandbox)).await.expect(200).json()["status"], "success");
    assert_eq!(provider.count(), count);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_on_one_ledger_settle_each_others_jobs_once() {
    let provider = StandIn::start().await;
    let routes = routes(&provider);
    let fleet = Fleet::start(Store::single().await, 2, &provider, |_| Setup::new(&routes)).await;
    let secret = fleet.tokens().with_budget("shared", "1.00").await;
    let mut paths = Vec::new();
    for number in 0..6 {
        let request = begin(&secret, "ocr/ocr_async/google", &format!("@{{cost=0.00{number}}}"));
        let begun = fleet.gateways[number % 2].client().ask(request).await.expect(202);
        paths.push(format!("/v3/universal-ai/async/{}", begun.json()["public_id"].as_str().unwrap()));
    }
    fleet.tokens().comes_to("shared", 100 * CENT, 30 * CENT, 0).await;
    let mut asked = tokio::task::JoinSet::new();
    for (path, gateway) in paths.iter().flat_map(|path| fleet.gateways.iter().cycle().take(4).map(move |gateway| (path, gateway))) {
        let (client, request) = (gateway.client(), Request::get(path).bearer(&secret));
        asked.spawn(async move { client.ask(request).await.expect(200) });
    }
    let charged = asked.join_all().await.iter().filter(|answer| answer.header("spendgate-cost").is_some()).count();
    assert_eq!((charged, fleet.tokens().settled("shared").await.spent), (6, provider.cost()));
    fleet.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_is_away_loses_no_job_and_charges_none_twice() {
    let provider = StandIn::start().await;
    let routes = routes(&provider);
    let mut fleet = Fleet::start(Store::single().await, 1, &provider, |_| Setup::new(&routes).env("SPENDGATE_LEASE", "5s")).await;
    let secret = fleet.tokens().with_budget("away", "1.00").await;
    let client = fleet.gateways[0].client();
    let job = |answer: &Answer| format!("/v3/universal-ai/async/{}", answer.json()["public_id"].as_str().unwrap());
    let early = job(&client.ask(begin(&secret, "ocr/ocr_async/google", "@{cost=0.001}")).await.expect(202));
    // One that is admitted, and one that is asked for, when the ledger goes away.
    let waiting = |request: Request| tokio::spawn(async move { client.try_ask(request).await.unwrap() });
    provider.behave("gate=head");
    let late = waiting(begin(&secret, "ocr/ocr_async/google", "late @{cost=0.001 gate=head}"));
    let poll = waiting(Request::get(&early).bearer(&secret));
    eventually("both to be at the provider", async || (provider.count() == 3).then_some(())).await;
    fleet.store.server().kill9();
    provider.behave("");
    provider.open_gate();
    // Nobody knows whether the hold of the one lives on: it is charged. What the other cost cannot be noted: it is withheld.
    late.await.unwrap().expect(202);
    poll.await.unwrap().expect(502);
    fleet.store.server().launch().await;
    eventually("the charge to arrive", async || (fleet.outbox_entries().await == 0).then_some(())).await;
    let money = eventually("the ledger", async || Some(fleet.tokens().get("away").await).filter(|answer| answer.status == 200)).await;
    drop(money);
    fleet.tokens().comes_to("away", 95 * CENT, 5 * CENT, 5 * CENT).await;
    let answer =
        eventually("to admit again", async || Some(client.ask(Request::get(&early).bearer(&secret)).await).filter(|answer| answer.status == 200)).await;
    assert_eq!(told(&answer), CENT / 10);
    assert_eq!(fleet.tokens().settled("away").await.spent, 5 * CENT + CENT / 10);
    fleet.close().await;
}
