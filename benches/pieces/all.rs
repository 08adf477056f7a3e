//! The hot pieces of the road, each as a closure that runs it once: for the clock (`pieces.rs`) and for counting instructions (`instructions.rs`).

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use spendgate::apis::{self, Ask, Operation, RequestView};
use spendgate::ledger::rules::{Changes, State};
use spendgate::ledger::{AdmitRequest, Certainty, ChargeLabel, HoldId, Settlement};
use spendgate::money::Usd;
use spendgate::prices::{self, ModelPrice, PriceBook, QuoteLimits, Unit, Usage, Variant};
use spendgate::tokens::{NewToken, Secret, SecretHash, SecretKind, TokenId, TokenKind};

/// Runs a piece once.
pub(crate) type Once = Box<dyn FnMut()>;

/// A piece of the road.
pub(crate) struct Piece {
    pub(crate) name: &'static str,
    /// How many bytes it reads, where that matters.
    pub(crate) bytes: Option<usize>,
    /// Makes it ready.
    pub(crate) prepare: fn() -> Once,
}

const SMALL: usize = 512;
const LARGE: usize = 65_536;
/// An event of a stream.
const EVENT: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o-mini\",\"service_tier\":\"default\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}],\"usage\":null}\n\n";

/// All of them.
pub(crate) const ALL: [Piece; 9] = [
    Piece { name: "secret/form", bytes: None, prepare: secret_form },
    Piece { name: "secret/hash", bytes: None, prepare: secret_hash },
    Piece { name: "ask/0.5 kB", bytes: Some(SMALL), prepare: || asking(SMALL) },
    Piece { name: "ask/64 kB", bytes: Some(LARGE), prepare: || asking(LARGE) },
    Piece { name: "prices/find", bytes: None, prepare: find },
    Piece { name: "prices/quote", bytes: None, prepare: quote },
    Piece { name: "prices/cost", bytes: None, prepare: cost },
    Piece { name: "rules/admit and settle", bytes: None, prepare: admit_and_settle },
    Piece { name: "meter/an event whose usage is hidden", bytes: Some(EVENT.len()), prepare: meter },
];

fn chat(bytes: usize) -> Bytes {
    let text = "All work and no play makes a dull request. ".repeat(bytes / 43 + 1);
    let text = &text[..bytes.saturating_sub(120)];
    Bytes::from(format!(
        r#"{{"model":"gpt-4o-mini","messages":[{{"role":"system","content":"Be brief."}},{{"role":"user","content":"{text}"}}],"max_tokens":500}}"#
    ))
}

fn operation() -> &'static dyn Operation {
    apis::named("openai").unwrap().operation(&Method::POST, "chat/completions").unwrap()
}

fn ask(body: &Bytes) -> Ask {
    let (method, headers) = (Method::POST, HeaderMap::new());
    operation().ask(&RequestView { method: &method, path: "chat/completions", query: None, headers: &headers, body }).unwrap()
}

fn secret_form() -> Once {
    let secret = Secret::generate(SecretKind::Live).unwrap();
    Box::new(move || {
        black_box(Secret::form(black_box(secret.reveal())));
    })
}

fn secret_hash() -> Once {
    let secret = Secret::generate(SecretKind::Live).unwrap();
    Box::new(move || {
        black_box(SecretHash::of(black_box(secret.reveal())));
    })
}

fn asking(bytes: usize) -> Once {
    let body = chat(bytes);
    Box::new(move || {
        black_box(ask(black_box(&body)));
    })
}

/// A model of the built-in book, without reading the others: that takes a second under valgrind's eyes.
fn model() -> Arc<ModelPrice> {
    let is_meant = |entry: &&str| entry.starts_with("provider = \"openai\"\nid = \"gpt-4o-mini\"\n");
    let entry = PriceBook::BUILTIN.split("[[models]]\n").find(is_meant).unwrap();
    PriceBook::parse(&format!("[[models]]\n{entry}"), "one model").unwrap().find("openai", "gpt-4o-mini").unwrap()
}

fn find() -> Once {
    let book = PriceBook::builtin().unwrap();
    Box::new(move || {
        black_box(book.find(black_box("openai"), black_box("gpt-4o-mini")));
    })
}

fn quote() -> Once {
    let model = model();
    let (at, bound) = (Timestamp::now(), ask(&chat(SMALL)).bound);
    let limits = QuoteLimits { min_output: 16, default_max_output: None, clamp: true };
    Box::new(move || {
        black_box(prices::quote(&model.candidates(at, &Variant::Default), &model.limits, black_box(&bound), &limits)).unwrap();
    })
}

fn cost() -> Once {
    let model = model();
    let usage = Usage::default().with(Unit::Input, 812).with(Unit::CacheRead, 64).with(Unit::Output, 391);
    let rates = model.rates(Timestamp::now(), &Variant::Default).unwrap().clone();
    Box::new(move || {
        black_box(rates.cost(black_box(&usage))).unwrap();
    })
}

fn admit_and_settle() -> Once {
    let now = Timestamp::now();
    let secret = Secret::generate(SecretKind::Live).unwrap();
    let mut state = State::new(TimeZone::UTC);
    let mut changes = Changes::default();
    state.ensure_account(now, "default", None, &mut changes);
    let token = NewToken {
        name: "bench".to_owned(),
        kind: TokenKind::Api,
        balance: Some(Usd::from_nanos(9_000_000_000_000_000).unwrap()),
        active_balance: true,
        expire_time: None,
        reset: None,
    };
    state.create_token(now, "default", token, secret.hash(), secret.masked(), &mut changes).unwrap().unwrap();
    changes.clear();
    let label = Arc::new(ChargeLabel { provider: "openai".to_owned(), model: "gpt-4o-mini".to_owned(), feature: "text__chat".to_owned() });
    let usage = Usage::default().with(Unit::Input, 812).with(Unit::Output, 391);
    let cost = Usd::from_nanos(1).unwrap();
    Box::new(move || {
        let hold = HoldId::generate();
        let request = AdmitRequest {
            hold,
            token: TokenId(1),
            secret: secret.hash(),
            want: Usd::from_nanos(1_000).unwrap(),
            least: cost,
            lease: Duration::from_secs(60),
            label: Arc::clone(&label),
        };
        black_box(state.admit(now, &request, &mut changes).unwrap());
        let settlement = Settlement { hold, cost, certainty: Certainty::Exact, usage, label: Arc::clone(&label), price_version: Arc::default() };
        assert!(state.settle(now, &settlement, &mut changes).unwrap().charged);
        changes.clear();
    })
}

fn meter() -> Once {
    let body = Bytes::from_static(br#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"x"}],"stream":true}"#);
    let chunk = Bytes::from_static(EVENT.as_bytes());
    let mut meter = operation().meter(&ask(&body), true);
    let mut pass = Vec::new();
    Box::new(move || {
        meter.chunk(black_box(chunk.clone()), &mut pass);
        pass.clear();
    })
}
