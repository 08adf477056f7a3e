use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::config::{Environment, Routes};
use crate::ledger::Admitted;

/// A chat of 1 USD per million input tokens and 2 per million output tokens, at most 1,000 of them.
fn price() -> Price {
    price_of("openai", "1")
}

/// The same at a provider whose answers tell what they cost.
fn price_told(margin: &str) -> Price {
    price_of("edenai", margin)
}

fn price_of(api: &str, margin: &str) -> Price {
    let text = format!(
        "[upstreams.a]\nurl = \"http://127.0.0.1:1\"\n[[routes]]\npath = \"/v1/*\"\napi = \"{api}\"\nupstream = \"a\"\n\
         price = {{ input_mtok = \"1\", output_mtok = \"2\" }}\nmargin = \"{margin}\"\n"
    );
    let routes = Routes::parse(&text, "routes.toml", &Environment::of([])).unwrap();
    let body = Bytes::from_static(br#"{"model":"m","max_tokens":1000,"messages":[{"role":"user","content":"hello"}]}"#);
    Price::Tokens(Box::new(TokenPrice::of_route(&routes.all()[0], &body)))
}

fn usd(nanos: i64) -> Usd {
    Usd::from_nanos(nanos).unwrap()
}

fn held(nanos: i64) -> Admitted {
    Admitted { amount: usd(nanos), budgeted: true, free_after: None }
}

fn reported(input: u64, output: u64) -> Measured {
    Measured { usage: Some(Usage::default().with(Unit::Input, input).with(Unit::Output, output)), complete: true, ..Measured::default() }
}

fn due(price: &Price, ending: Ending, measured: &Measured, admitted: Admitted) -> Charge {
    charge(price, ending, measured, None, admitted, OnUncertain::Charge)
}

fn cost(charge: Charge) -> (i64, Certainty) {
    match charge {
        Charge::Cost { cost, certainty, .. } => (cost.nanos(), certainty),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_provider_reports_is_charged_exactly_even_above_the_hold() {
    let answer = reported(10, 20);
    assert_eq!(cost(due(&price(), Ending::Complete, &answer, held(1_000_000))), (10_000 + 40_000, Certainty::Exact));
    assert_eq!(cost(due(&price(), Ending::Complete, &answer, held(1))), (50_000, Certainty::Exact));
    assert_eq!(cost(due(&price(), Ending::ProviderError, &answer, held(1_000_000))), (50_000, Certainty::Exact));
}

#[test]
fn a_provider_that_reports_nothing_is_charged_by_what_passed() {
    let passed = Measured { served_output: 100, ..Measured::default() };
    for ending in [Ending::Complete, Ending::Cut] {
        let (nanos, certainty) = cost(due(&price(), ending, &passed, held(1_000_000)));
        assert!(nanos > 200_000 && certainty == Certainty::Estimated, "{nanos}");
        assert_eq!(cost(due(&price(), ending, &passed, held(150_000))), (150_000, Certainty::Estimated), "never more than the hold");
    }
    assert_eq!(due(&price(), Ending::ProviderError, &Measured::default(), held(1_000_000)), Charge::Void);
}

#[test]
fn an_answer_that_broke_off_costs_the_input_that_was_told_and_what_passed() {
    let input = Usage::default().with(Unit::Input, 3);
    let passed = Measured { input: Some(input), served_output: 10, ..Measured::default() };
    for ending in [Ending::Complete, Ending::Cut] {
        assert_eq!(cost(due(&price(), ending, &passed, held(1_000_000))), (3_000 + 20_000, Certainty::Estimated));
    }
    // All was told before it broke off: it costs that, and not what passed.
    let told = Measured { served_output: 500, ..reported(10, 20) };
    assert_eq!(cost(due(&price(), Ending::Cut, &told, held(1_000_000))), (50_000, Certainty::Exact));
    assert_eq!(due(&price(), Ending::ProviderError, &passed, held(1_000_000)), Charge::Void);
}

#[test]
fn reports_beyond_belief_and_waiting_in_vain_cost_the_hold() {
    let absurd = Measured { absurd: true, ..Measured::default() };
    assert_eq!(due(&price(), Ending::Complete, &absurd, held(7)), Charge::Hold);
    assert_eq!(due(&price(), Ending::Uncertain, &reported(1, 1), held(7)), Charge::Hold);
    let voiding = charge(&price(), Ending::Uncertain, &reported(1, 1), None, held(7), OnUncertain::Void);
    assert_eq!(voiding, Charge::Void);
}

#[test]
fn a_hold_is_booked_at_what_is_known_of_it_and_without_a_budget_at_the_best_guess() {
    let none = Measured::default();
    let open = Admitted { amount: Usd::ZERO, budgeted: false, free_after: None };
    let booked = |charge: Charge, price: &Price, measured: &Measured, admitted| {
        charge.booked(price, measured, admitted).map(|booked| (booked.cost.nanos(), booked.certainty, booked.usage.get(Unit::Output)))
    };
    assert_eq!(booked(Charge::Hold, &price(), &none, held(7)), Some((7, Certainty::Uncertain, 0)));
    assert_eq!(booked(Charge::Void, &price(), &none, held(7)), None);
    // Nothing is held: the most that it can have been, or what passed.
    let Price::Tokens(tokens) = price() else { panic!() };
    assert_eq!(booked(Charge::Hold, &price(), &none, open), Some((tokens.quote.want.nanos(), Certainty::Uncertain, 1_000)));
    let passed = Measured { served_output: 100, absurd: true, ..Measured::default() };
    let (cost, certainty, output) = booked(Charge::Hold, &price(), &passed, open).unwrap();
    assert!(cost > 200_000 && cost < tokens.quote.want.nanos() && certainty == Certainty::Uncertain && output == 100, "{cost}");
    let told = Price::ReportedJson { pointer: "/cost".to_owned(), hold: usd(10) };
    assert_eq!(booked(Charge::Hold, &told, &none, open), Some((10, Certainty::Uncertain, 0)));
    assert_eq!(booked(due(&price(), Ending::Complete, &reported(10, 20), open), &price(), &none, open), Some((50_000, Certainty::Exact, 20)));
}

#[test]
fn other_prices_go_by_the_answer() {
    let none = Measured::default();
    let once = Price::PerRequest(usd(10));
    assert_eq!(cost(due(&once, Ending::Complete, &none, held(10))), (10, Certainty::Exact));
    assert_eq!(cost(due(&once, Ending::Cut, &none, held(10))), (10, Certainty::Exact));
    assert_eq!(due(&once, Ending::ProviderError, &none, held(10)), Charge::Void);
    let told = Price::ReportedJson { pointer: "/cost".to_owned(), hold: usd(10) };
    assert_eq!(cost(charge(&told, Ending::Complete, &none, Some(usd(3)), held(10), OnUncertain::Charge)), (3, Certainty::Exact));
    assert_eq!(due(&told, Ending::Complete, &none, held(10)), Charge::Hold);
    assert_eq!(due(&told, Ending::ProviderError, &none, held(10)), Charge::Void);
    assert_eq!(due(&Price::Unbilled, Ending::Complete, &none, held(0)), Charge::Void);
    assert_eq!(cost(due(&Price::Free, Ending::Complete, &none, held(0))), (0, Certainty::Exact));
}

#[test]
fn what_is_counted_in_several_ways_costs_what_has_a_price() {
    let text = "[upstreams.a]\nurl = \"http://127.0.0.1:1\"\n[[routes]]\npath = \"/v1/*\"\napi = \"openai\"\nupstream = \"a\"\n\
                price = { images = \"0.04\" }\n";
    let routes = Routes::parse(text, "routes.toml", &Environment::of([])).unwrap();
    let body = Bytes::from_static(br#"{"model":"m","n":2,"prompt":"hello"}"#);
    let price = Price::Tokens(Box::new(TokenPrice::of_route_at(&routes.all()[0], "/v1/images/generations", &body)));
    let tokens = Usage::default().with(Unit::OutputImage, 272);
    let told = |usage: Usage| Measured { usage: Some(usage), complete: true, ..Measured::default() };
    let both = due(&price, Ending::Complete, &told(tokens.with(Unit::Images, 1)), held(80_000_000));
    let Charge::Cost { cost: one, certainty, usage } = both else { panic!("{both:?}") };
    assert_eq!((one.nanos(), certainty, usage), (40_000_000, Certainty::Exact, Usage::default().with(Unit::Images, 1)));
    // Told in tokens alone, which have no price here: that is not free.
    assert_eq!(due(&price, Ending::Complete, &told(tokens), held(80_000_000)), Charge::Hold);
    // Nothing told: all that was asked for, and no output beside it.
    assert_eq!(cost(due(&price, Ending::Cut, &Measured { served_output: 9, ..Measured::default() }, held(80_000_000))), (80_000_000, Certainty::Estimated));
    // Of one image it is not known whether it is all.
    let cut = Measured { complete: false, ..told(Usage::default().with(Unit::Images, 1)) };
    assert_eq!(cost(due(&price, Ending::Cut, &cut, held(80_000_000))), (80_000_000, Certainty::Estimated));
}

#[test]
fn a_cost_that_the_provider_tells_wins_over_the_price_book() {
    let told = |nanos, measured: &Measured, ending, amount| charge(&price_told("1"), ending, measured, Some(usd(nanos)), held(amount), OnUncertain::Charge);
    let answer = reported(10, 20);
    // Less than the book says, more, nothing, and more than was held.
    for (nanos, amount) in [(3, 1_000_000), (70_000, 1_000_000), (0, 1_000_000), (2_000_000, 1_000_000)] {
        assert_eq!(cost(told(nanos, &answer, Ending::Complete, amount)), (nanos, Certainty::Exact));
    }
    // Whatever the usage says, or an error.
    let absurd = Measured { absurd: true, complete: true, ..Measured::default() };
    assert_eq!(cost(told(3, &absurd, Ending::Complete, 7)), (3, Certainty::Exact));
    assert_eq!(cost(told(3, &Measured::default(), Ending::ProviderError, 7)), (3, Certainty::Exact));
    // At a provider whose answers are not known to tell it, it says nothing.
    assert_eq!(cost(charge(&price(), Ending::Complete, &answer, Some(usd(3)), held(1_000_000), OnUncertain::Charge)), (50_000, Certainty::Exact));
}

#[test]
fn without_a_told_cost_the_price_book_is_an_estimate_with_its_margin() {
    assert_eq!(cost(due(&price_told("1"), Ending::Complete, &reported(10, 20), held(1_000_000))), (50_000, Certainty::Estimated));
    assert_eq!(cost(due(&price_told("1.1"), Ending::Complete, &reported(10, 20), held(1_000_000))), (55_000, Certainty::Estimated));
    let passed = Measured { served_output: 100, input: Some(Usage::default().with(Unit::Input, 10)), ..Measured::default() };
    assert_eq!(cost(due(&price_told("1.1"), Ending::Cut, &passed, held(1_000_000))), (231_000, Certainty::Estimated));
    assert_eq!(due(&price_told("1.1"), Ending::ProviderError, &Measured::default(), held(7)), Charge::Void);
    let Price::Tokens(plain) = price_told("1") else { panic!() };
    let Price::Tokens(wide) = price_told("1.1") else { panic!() };
    assert_eq!(wide.quote.want.nanos(), (plain.quote.want.nanos() * 11 + 9) / 10);
}

#[test]
fn a_cost_told_before_the_answer_broke_off_is_not_all_of_it() {
    let cut = |nanos, measured: &Measured| charge(&price_told("1"), Ending::Cut, measured, Some(usd(nanos)), held(1_000_000), OnUncertain::Charge);
    let passed = Measured { served_output: 100, ..Measured::default() };
    let (by_bytes, _) = cost(due(&price_told("1"), Ending::Cut, &passed, held(1_000_000)));
    assert_eq!(cost(cut(3, &passed)), (by_bytes, Certainty::Estimated));
    assert_eq!(cost(cut(by_bytes + 1, &passed)), (by_bytes + 1, Certainty::Estimated));
    assert_eq!(cost(cut(3, &reported(10, 20))), (3, Certainty::Exact), "all was told before it broke off");
    // Waiting in vain costs the hold.
    let late = charge(&price_told("1"), Ending::Uncertain, &passed, Some(usd(3)), held(7), OnUncertain::Charge);
    assert_eq!(late, Charge::Hold);
}

#[test]
fn a_told_cost_beyond_any_budget_is_not_believed() {
    let told = |cost: Usd| charge(&price_told("1"), Ending::Complete, &reported(10, 20), Some(cost), held(7), OnUncertain::Charge);
    assert_eq!(told(Usd::MAX), Charge::Hold);
    assert_eq!(cost(told(MOST_BELIEVED)), (MOST_BELIEVED.nanos(), Certainty::Exact));
}

proptest! {
    /// Served <= charge <= hold, whatever a cut answer had reported before.
    #[test]
    fn a_cut_answer_costs_at_least_what_passed_and_at_most_the_hold(served in 0_u64..1000, seen in prop::option::of(0_u64..1000), amount in 0_i64..3_000_000) {
        let usage = seen.map(|output| Usage::default().with(Unit::Input, 1).with(Unit::Output, output));
        let measured = Measured { usage, served_output: served, ..Measured::default() };
        let (nanos, certainty) = cost(due(&price(), Ending::Cut, &measured, held(amount)));
        prop_assert_eq!(certainty, Certainty::Estimated);
        let passed = i64::try_from(served).unwrap() * 2_000;
        prop_assert!(nanos >= passed.min(amount));
        let told = seen.map_or(0, |output| 1_000 + i64::try_from(output).unwrap() * 2_000);
        prop_assert!(nanos <= amount.max(told));
    }
}
