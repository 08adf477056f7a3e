//! The hot pieces of the road, one by one: `cargo bench --bench pieces`.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench fails by panicking; criterion's macros are not documented")]

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use spendgate::apis::{self, Ask, Operation, RequestView};
use spendgate::ledger::rules::{Changes, State};
use spendgate::ledger::{AdmitRequest, Certainty, ChargeLabel, HoldId, Settlement};
use spendgate::money::Usd;
use spendgate::prices::{self, PriceBook, QuoteLimits, Unit, Usage, Variant};
use spendgate::tokens::{NewToken, Secret, SecretHash, SecretKind, TokenId, TokenKind};

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

fn secrets(bench: &mut Criterion) {
    let secret = Secret::generate(SecretKind::Live).unwrap();
    bench.bench_function("secret/form", |bench| bench.iter(|| Secret::form(black_box(secret.reveal()))));
    bench.bench_function("secret/hash", |bench| bench.iter(|| SecretHash::of(black_box(secret.reveal()))));
}

fn asks(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("ask");
    for (name, bytes) in [("0.5 kB", 512), ("64 kB", 65_536)] {
        let body = chat(bytes);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bench| bench.iter(|| ask(black_box(&body))));
    }
    group.finish();
}

fn quotes(bench: &mut Criterion) {
    let book = PriceBook::builtin().unwrap();
    let at = Timestamp::now();
    let bound = ask(&chat(512)).bound;
    let limits = QuoteLimits { min_output: 16, default_max_output: None, clamp: true };
    bench.bench_function("prices/find", |bench| bench.iter(|| book.find(black_box("openai"), black_box("gpt-4o-mini"))));
    let model = book.find("openai", "gpt-4o-mini").unwrap();
    bench.bench_function("prices/quote", |bench| {
        bench.iter(|| prices::quote(&model.candidates(at, &Variant::Default), &model.limits, black_box(&bound), &limits));
    });
    let usage = Usage::default().with(Unit::Input, 812).with(Unit::CacheRead, 64).with(Unit::Output, 391);
    let rates = model.rates(at, &Variant::Default).unwrap();
    bench.bench_function("prices/cost", |bench| bench.iter(|| rates.cost(black_box(&usage))));
}

fn rules(bench: &mut Criterion) {
    let now = Timestamp::now();
    let secret = Secret::generate(SecretKind::Live).unwrap();
    let mut state = State::new(TimeZone::UTC);
    let mut changes = Changes::default();
    state.ensure_account(now, "default", None, &mut changes);
    let token = NewToken {
        name: "bench".to_owned(),
        kind: TokenKind::Api,
        balance: Some(Usd::from_nanos(90_000_000_000_000).unwrap()),
        active_balance: true,
        expire_time: None,
        reset: None,
    };
    state.create_token(now, "default", token, secret.hash(), secret.masked(), &mut changes).unwrap().unwrap();
    changes.clear();
    let label = ChargeLabel { provider: "openai".to_owned(), model: "gpt-4o-mini".to_owned(), feature: "text__chat".to_owned() };
    let usage = Usage::default().with(Unit::Input, 812).with(Unit::Output, 391);
    let cost = Usd::from_nanos(1).unwrap();
    bench.bench_function("rules/admit and settle", |bench| {
        bench.iter(|| {
            let hold = HoldId::generate();
            let request = AdmitRequest {
                hold,
                token: TokenId(1),
                secret: secret.hash(),
                want: Usd::from_nanos(1_000).unwrap(),
                least: cost,
                lease: Duration::from_secs(60),
                label: label.clone(),
            };
            black_box(state.admit(now, &request, &mut changes).unwrap());
            let settlement = Settlement { hold, cost, certainty: Certainty::Exact, usage, label: label.clone(), price_version: String::new() };
            assert!(state.settle(now, &settlement, &mut changes).unwrap().charged);
            changes.clear();
        });
    });
}

fn meters(bench: &mut Criterion) {
    let body = Bytes::from_static(br#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"x"}],"stream":true}"#);
    let ask = ask(&body);
    let event = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","service_tier":"default","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}],"usage":null}"#;
    let chunk = Bytes::from(format!("{event}\n\n"));
    let mut group = bench.benchmark_group("meter");
    group.throughput(Throughput::Bytes(chunk.len() as u64));
    group.bench_function("an event whose usage is hidden", |bench| {
        let mut meter = operation().meter(&ask, true);
        let mut pass = Vec::new();
        bench.iter(|| {
            meter.chunk(black_box(chunk.clone()), &mut pass);
            pass.clear();
        });
    });
    group.finish();
}

criterion_group!(pieces, secrets, asks, quotes, rules, meters);
criterion_main!(pieces);
