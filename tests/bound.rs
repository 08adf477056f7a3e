//! The bound that a request is held for, against what the stand-in bills for it: never below, whatever the request and the price; and, on ordinary chats,
//! not far above.

mod requests;
mod texts;

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use serde_json::Value;
use spendgate::apis::{self, Ask, Operation, RequestView};
use spendgate::prices::{self, ModelPrice, PriceBook, QuoteLimits, Rates, Unit, Usage, Variant};

use self::requests::Case;
use self::texts::Kind;
use crate::support::random::{Random, seed};
use crate::support::stand_in::consumed_by;

const LIMITS: QuoteLimits = QuoteLimits { min_output: 16, default_max_output: None, clamp: true };

fn operation(path: &str) -> &'static dyn Operation {
    apis::named("openai").unwrap().operation(&Method::POST, path).unwrap()
}

/// What a request asks for by its bytes, and, where its texts can be counted, by their tokens.
fn asks(path: &str, body: &Value) -> (Ask, Option<Ask>) {
    let (bytes, headers) = (Bytes::from(body.to_string()), HeaderMap::new());
    let view = RequestView { method: &Method::POST, path, query: None, headers: &headers, body: &bytes };
    let model = body["model"].as_str().unwrap();
    let by_bytes = operation(path).ask(&view).unwrap_or_else(|error| panic!("{error}: {body}"));
    let counted = operation(path).counts(model).then(|| operation(path).ask_counted(&bytes, model).unwrap());
    (by_bytes, counted)
}

/// The most it costs, in nano-dollars: at the usual tier, or at the one that was asked for.
fn want(model: &ModelPrice, ask: &Ask, at: jiff::Timestamp) -> i64 {
    let mut candidates = model.candidates(at, &Variant::Default);
    if let Some(tier) = &ask.service_tier {
        candidates.extend(model.candidates(at, &Variant::ServiceTier(tier)));
    }
    let bound = ask.bound.with_window(model.limits.context).unwrap();
    prices::quote(&candidates, &model.limits, &bound, &LIMITS).unwrap().want.nanos()
}

fn cost(rates: &Rates, prompt: u64, cached: u64, completion: u64) -> i64 {
    let usage = Usage::default().with(Unit::Requests, 1).with(Unit::Input, prompt - cached).with(Unit::CacheRead, cached).with(Unit::Output, completion);
    rates.cost(&usage).unwrap().nanos()
}

#[test]
fn the_bound_is_never_below_what_is_billed() {
    let (book, at) = (PriceBook::builtin().unwrap(), jiff::Timestamp::now());
    let mut random = Random::new(seed());
    let (mut counted_cases, mut closest) = (0, i64::MAX);
    for _ in 0..1_500 {
        let Case { path, body, image_tokens } = requests::any(&mut random);
        let model = book.find("openai", body["model"].as_str().unwrap()).unwrap_or_else(|| panic!("no price: {body}"));
        let (by_bytes, counted) = asks(path, &body);
        let billed = consumed_by(path, &body, "greedy tokens=100000");
        let prompt = u64::try_from(billed.prompt).unwrap() + image_tokens;
        let completion = u64::try_from(billed.completion).unwrap();
        let tiers = [Variant::Default].into_iter().chain(by_bytes.service_tier.as_deref().map(Variant::ServiceTier));
        let billed: Vec<i64> = tiers
            .filter_map(|tier| model.rates(at, &tier))
            .flat_map(|rates| [0, random.below(prompt + 1), prompt].map(|cached| cost(rates, prompt, cached, completion)))
            .collect();
        let most = *billed.iter().max().unwrap();
        for (how, ask) in [("by bytes", Some(&by_bytes)), ("counted", counted.as_ref())] {
            let Some(ask) = ask else { continue };
            let want = want(&model, ask, at);
            assert!(want >= most, "{how}: bound {want}, billed {most} for {prompt} + {completion} tokens, {:?}\n{path} {body}", ask.bound);
            let input = ask.bound.input.input_tokens();
            assert!(input >= prompt, "{how}: {input} tokens, billed {prompt}\n{path} {body}");
            if how == "counted" {
                counted_cases += 1;
                closest = closest.min(i64::try_from(input - prompt).unwrap());
            }
        }
        if let Some(counted) = &counted {
            assert!(counted.bound.input.input_tokens() <= by_bytes.bound.input.input_tokens(), "{path} {body}");
        }
    }
    assert!(counted_cases > 700, "{counted_cases} requests were counted");
    // Sharp: a token less for a message, and this would have been below.
    assert_eq!(closest, 0, "tokens that the closest bound was above what was billed");
}

/// Sorted figures in thousandths.
fn row(name: &str, mut ratios: Vec<u64>) -> String {
    ratios.sort_unstable();
    let at = |percent: usize| {
        let milli = ratios[(ratios.len() - 1) * percent / 100];
        format!("{}.{:02}", milli / 1_000, milli % 1_000 / 10)
    };
    format!("{name:<34} min {:>6}  median {:>6}  p95 {:>6}  max {:>6}", at(0), at(50), at(95), at(100))
}

#[test]
fn on_ordinary_chats_the_counted_bound_is_close() {
    let (book, at) = (PriceBook::builtin().unwrap(), jiff::Timestamp::now());
    let mut random = Random::new(seed());
    let mut table = Vec::new();
    for kind in [Kind::English, Kind::Code, Kind::Chinese, Kind::Json] {
        let mut ratios = [const { Vec::new() }; 4];
        for _ in 0..150 {
            let body = requests::ordinary(kind, &mut random);
            let model = book.find("openai", body["model"].as_str().unwrap()).unwrap();
            let (by_bytes, counted) = asks("chat/completions", &body);
            // As OpenAI bills: its vocabulary, 4 tokens a message and 3 a request. The answer takes all of its limit.
            let billed = consumed_by("chat/completions", &body, "tokens=100000");
            let (prompt, completion) = (u64::try_from(billed.prompt).unwrap(), u64::try_from(billed.completion).unwrap());
            let cost = u64::try_from(cost(model.rates(at, &Variant::Default).unwrap(), prompt, 0, completion)).unwrap();
            for (index, ask) in [&by_bytes, counted.as_ref().unwrap()].into_iter().enumerate() {
                ratios[2 * index].push(ask.bound.input.input_tokens() * 1_000 / prompt);
                ratios[2 * index + 1].push(u64::try_from(want(&model, ask, at)).unwrap() * 1_000 / cost);
            }
        }
        let [input_by_bytes, cost_by_bytes, input_counted, cost_counted] = ratios;
        let most = |ratios: &[u64]| ratios.iter().max().copied().unwrap();
        assert!(most(&input_counted) <= 3_000 && most(&cost_counted) <= 2_000, "{kind:?}: {} and {}", most(&input_counted), most(&cost_counted));
        assert!(most(&input_by_bytes) <= 12_000, "{kind:?}: {}", most(&input_by_bytes));
        table.push(row(&format!("{kind:?}: input by bytes"), input_by_bytes));
        table.push(row(&format!("{kind:?}: input counted"), input_counted));
        table.push(row(&format!("{kind:?}: cost by bytes"), cost_by_bytes));
        table.push(row(&format!("{kind:?}: cost counted"), cost_counted));
    }
    eprintln!("the bound over what is billed, 150 chats of each kind:\n{}", table.join("\n"));
}
