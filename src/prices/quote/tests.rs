use proptest::prelude::*;

use super::*;
use crate::prices::rates::{Price, PriceList};

const ROUTE: QuoteLimits = QuoteLimits { min_output: 16, default_max_output: None, clamp: true };

fn rates(list: &[(&str, &str)]) -> Rates {
    Rates::from_units(&list.iter().map(|(key, amount)| ((*key).to_owned(), (*amount).to_owned())).collect()).unwrap()
}

fn ask(input: u64, output: Option<u64>) -> Bound {
    Bound { input: Usage::default().with(Unit::Input, input), output_tokens: output, has_output: true, choices: 1, ..Bound::default() }
}

fn nanos(quote: &Quote) -> (i64, i64) {
    (quote.want.nanos(), quote.least.nanos())
}

#[test]
fn want_is_the_most_and_least_is_sixteen_tokens() {
    let gpt = rates(&[("input_mtok", "2"), ("output_mtok", "10")]);
    let limits = ModelLimits { context: Some(8_000), input: None, output: Some(1_000) };
    let get = |limits: &ModelLimits, bound: &Bound, route: &QuoteLimits| quote(&[&gpt], limits, bound, route).map(|quote| (nanos(&quote), quote.max_output()));
    assert_eq!(get(&limits, &ask(100, Some(50)), &ROUTE), Ok(((200_000 + 500_000, 200_000 + 160_000), Some(50))));
    assert_eq!(get(&limits, &ask(100, Some(5)), &ROUTE), Ok(((250_000, 250_000), Some(5))));
    assert_eq!(get(&limits, &ask(100, Some(50)), &QuoteLimits { clamp: false, ..ROUTE }), Ok(((700_000, 700_000), Some(50))));
    // Where the client asks for no limit: the model's, or else the route's, or else the context window.
    let route = QuoteLimits { default_max_output: Some(300), ..ROUTE };
    assert_eq!(get(&limits, &ask(0, None), &route), Ok(((10_000_000, 160_000), Some(1_000))));
    assert_eq!(get(&ModelLimits { output: None, ..limits }, &ask(0, None), &route), Ok(((3_000_000, 160_000), Some(300))));
    assert_eq!(get(&ModelLimits { output: None, ..limits }, &ask(0, None), &ROUTE), Ok(((80_000_000, 160_000), Some(8_000))));
    assert_eq!(get(&ModelLimits::default(), &ask(0, None), &ROUTE), Err(PriceError::Unbounded));
    // Choices multiply the output, not the input; embeddings have no output.
    let three = Bound { choices: 3, ..ask(100, Some(50)) };
    assert_eq!(get(&limits, &three, &ROUTE), Ok(((200_000 + 1_500_000, 200_000 + 480_000), Some(50))));
    let none = Bound { has_output: false, ..ask(100, None) };
    assert_eq!(get(&ModelLimits::default(), &none, &ROUTE), Ok(((200_000, 200_000), None)));
    assert_eq!(quote(&[], &limits, &none, &ROUTE), Err(PriceError::NoRates));
}

#[test]
fn the_dearest_of_what_may_be_billed_counts() {
    let get = |list: &[(&str, &str)], bound: Bound| quote(&[&rates(list)], &ModelLimits::default(), &bound, &ROUTE).map(|quote| quote.want.nanos());
    let prices = [
        ("input_mtok", "1"),
        ("cache_write_mtok", "1.25"),
        ("cache_write_1h_mtok", "2"),
        ("output_mtok", "4"),
        ("output_reasoning_mtok", "3"),
        ("output_image_mtok", "30"),
    ];
    assert_eq!(get(&prices, ask(1, Some(1))), Ok(1_250 + 30_000));
    assert_eq!(get(&prices, Bound { input: Usage::default().with(Unit::CacheWrite1h, 1), ..ask(0, Some(0)) }), Ok(2_000));
    assert_eq!(get(&prices, Bound { input: Usage::default().with(Unit::InputImage, 1), ..ask(0, Some(0)) }), Ok(1_250));
    assert_eq!(get(&prices, Bound { max_searches: 1, ..ask(0, Some(0)) }), Err(PriceError::Unpriced(Unit::WebSearches)));
    assert_eq!(get(&[("web_searches_kcount", "10"), ("input_mtok", "1"), ("output_mtok", "1")], Bound { max_searches: 2, ..ask(0, Some(0)) }), Ok(20_000_000));
    assert_eq!(get(&[("input_mtok", "1")], ask(1, Some(1))), Err(PriceError::Unpriced(Unit::Output)));
    assert_eq!(get(&[("requests_kcount", "12")], Bound { has_output: false, ..ask(0, None) }), Ok(12_000_000));
    // Over candidates; each of them must have a price.
    let (flex, fast) = (rates(&[("input_mtok", "1"), ("output_mtok", "9")]), rates(&[("input_mtok", "5"), ("output_mtok", "2")]));
    let both = quote(&[&flex, &fast], &ModelLimits::default(), &ask(1, Some(1)), &ROUTE).unwrap();
    assert_eq!(both.want.nanos(), 14_000);
    let other = rates(&[("input_mtok", "5")]);
    assert_eq!(quote(&[&flex, &other], &ModelLimits::default(), &ask(1, Some(1)), &ROUTE), Err(PriceError::Unpriced(Unit::Output)));
}

#[test]
fn every_step_that_the_input_may_reach_counts_and_no_other() {
    let mut list = PriceList::default();
    list.add(Unit::Input, Price { base: 1_000 * ATOMS_PER_NANO, tiers: vec![(100, 3_000 * ATOMS_PER_NANO), (200, 2_000 * ATOMS_PER_NANO)] });
    list.add(Unit::Output, Price { base: 10 * ATOMS_PER_NANO, tiers: vec![(200, 30 * ATOMS_PER_NANO)] });
    let rates = list.resolve();
    let want = |input| quote(&[&rates], &ModelLimits::default(), &ask(input, Some(1)), &ROUTE).unwrap().want.nanos();
    assert_eq!((want(100), want(101)), (100 * 1_000 + 10, 101 * 3_000 + 10));
    // The last step is cheaper: a little less input than the bound costs more than the bound itself would.
    assert_eq!((want(200), want(201)), (200 * 3_000 + 10, 201 * 3_000 + 30));
}

#[test]
fn what_an_amount_buys() {
    let gpt = rates(&[("input_mtok", "2"), ("output_mtok", "10")]);
    let quoted = quote(&[&gpt], &ModelLimits::default(), &Bound { choices: 2, ..ask(100, Some(50)) }, &ROUTE).unwrap();
    let buys = |nanos: i64| quoted.output_limit_for(Usd::from_nanos(nanos).unwrap());
    assert_eq!((buys(-1), buys(0), buys(199_999), buys(200_000), buys(219_999), buys(220_000)), (0, 0, 0, 0, 0, 1));
    assert_eq!((buys(quoted.want.nanos() - 1), buys(quoted.want.nanos()), buys(Usd::MAX.nanos())), (49, 50, 50));
    // Free output is limited by what was asked alone; where there is none, there is nothing to limit.
    let free = quote(&[&Rates::free()], &ModelLimits::default(), &ask(100, Some(50)), &ROUTE).unwrap();
    assert_eq!((nanos(&free), free.output_limit_for(Usd::ZERO)), ((0, 0), 50));
    let none = quote(&[&gpt], &ModelLimits::default(), &Bound { has_output: false, ..ask(1, None) }, &ROUTE).unwrap();
    assert_eq!(none.output_limit_for(Usd::MAX), 0);
    // A price by the request needs no limit.
    let flat = Rates::per_request("0.01".parse().unwrap());
    let flat = quote(&[&flat], &ModelLimits::default(), &ask(100, None), &ROUTE).unwrap();
    assert_eq!((nanos(&flat), flat.max_output()), ((10_000_000, 10_000_000), None));
}

#[test]
fn more_than_can_be_counted_is_the_most_that_can() {
    let dear = rates(&[("input_mtok", "999999"), ("output_mtok", "999999")]);
    let quoted = quote(&[&dear], &ModelLimits::default(), &Bound { choices: u64::MAX, ..ask(u64::MAX, Some(u64::MAX)) }, &ROUTE).unwrap();
    assert_eq!((quoted.want, quoted.least, quoted.output_limit_for(Usd::MAX)), (Usd::MAX, Usd::MAX, 0));
}

/// A price list with up to two steps, and often without a price for this or that.
fn any_rates() -> impl Strategy<Value = Rates> {
    let price = || (0_u128..50, 0_u128..50, 0_u128..50).prop_map(|(base, first, second)| [base, first, second].map(|micro| micro * 9_000_000_000_000_037));
    let units = [
        Unit::CacheRead,
        Unit::CacheWrite,
        Unit::CacheWrite1h,
        Unit::InputAudio,
        Unit::CacheAudioRead,
        Unit::InputImage,
        Unit::CacheImageRead,
        Unit::OutputReasoning,
        Unit::OutputImage,
    ];
    let optional = units.map(|unit| prop::option::of(price()).prop_map(move |price| (unit, price)));
    (price(), price(), optional.to_vec(), 1_u64..2_000, 1_u64..2_000).prop_map(|(input, output, optional, first, step)| {
        let mut list = PriceList::default();
        for (unit, price) in optional.into_iter().chain([(Unit::Input, Some(input)), (Unit::Output, Some(output)), (Unit::WebSearches, Some([3, 3, 3]))]) {
            if let Some([base, second, third]) = price {
                list.add(unit, Price { base, tiers: vec![(first, second), (first + step, third)] });
            }
        }
        list.resolve()
    })
}

/// A bound, and a usage within it: what is text may come back from the cache, pictures and sound may come back as text, and there may be less of everything.
fn bound_and_usage() -> impl Strategy<Value = (Bound, Usage)> {
    let counts = (0_u64..2_000, 0_u64..500, 0_u64..500, any::<bool>(), 0_u64..800, 1_u64..4, 0_u64..3);
    (counts, prop::array::uniform16(0_u64..=1_000)).prop_map(|((text, audio, image, hour, output, choices, searches), part)| {
        let bound_text = if hour { Unit::CacheWrite1h } else { Unit::Input };
        let input = Usage::default().with(bound_text, text).with(Unit::InputAudio, audio).with(Unit::InputImage, image);
        let bound = Bound { input, output_tokens: Some(output), has_output: true, choices, max_searches: searches, ..Bound::default() };
        let mut usage = Usage::default();
        // Spreads a count over classes, some of it over none.
        let mut parts = part.into_iter();
        let mut spread = |count: u64, classes: &[Unit]| {
            let mut left = count;
            for unit in classes {
                let some = left * parts.next().unwrap_or(1_000) / 1_000;
                usage.set(*unit, usage.get(*unit) + some);
                left -= some;
            }
        };
        let text_classes = [Unit::CacheWrite, Unit::CacheRead, Unit::Input, Unit::CacheWrite1h];
        spread(text, &text_classes[..if hour { 4 } else { 3 }]);
        spread(audio, &[Unit::CacheAudioRead, Unit::CacheWrite, Unit::InputAudio, Unit::CacheRead]);
        spread(image, &[Unit::CacheImageRead, Unit::Input, Unit::InputImage]);
        spread(output * choices, &[Unit::OutputReasoning, Unit::OutputImage, Unit::Output]);
        spread(searches, &[Unit::WebSearches]);
        (bound, usage)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// No usage within the bound costs more than the quote, whichever of the candidates it is billed at.
    #[test]
    fn a_quote_is_never_exceeded(candidates in prop::collection::vec(any_rates(), 1..3), (bound, usage) in bound_and_usage()) {
        let candidates: Vec<&Rates> = candidates.iter().collect();
        let quoted = quote(&candidates, &ModelLimits::default(), &bound, &ROUTE).unwrap();
        prop_assert!(quoted.least <= quoted.want);
        for rates in &candidates {
            prop_assert!(rates.cost(&usage).unwrap() <= quoted.want);
        }
        // And with the limit lowered to what an amount buys, no more than that amount.
        for percent in [0, 10, 50, 90, 100] {
            let amount = Usd::from_nanos(quoted.least.nanos() + (quoted.want.nanos() - quoted.least.nanos()) * percent / 100).unwrap();
            let limit = quoted.output_limit_for(amount);
            let clamped = quote(&candidates, &ModelLimits::default(), &Bound { output_tokens: Some(limit), ..bound }, &ROUTE).unwrap();
            prop_assert!(clamped.want <= amount);
        }
    }

    /// The limit that an amount buys is the largest one, and never falls as the amount rises.
    #[test]
    fn what_an_amount_buys_is_tight(rates in any_rates(), (bound, _) in bound_and_usage(), amounts in prop::array::uniform8(0_i64..50_000_000)) {
        let quoted = quote(&[&rates], &ModelLimits::default(), &bound, &ROUTE).unwrap();
        let most = quoted.max_output().unwrap();
        let mut amounts = amounts.map(|nanos| nanos % (quoted.want.nanos() + 2));
        amounts.sort_unstable();
        let mut last = 0;
        for amount in amounts.map(|nanos| Usd::from_nanos(nanos).unwrap()) {
            let limit = quoted.output_limit_for(amount);
            prop_assert!(limit <= most && limit >= last);
            prop_assert!(limit == 0 || quoted.cost_at(limit) <= amount);
            prop_assert!(limit == most || quoted.cost_at(limit + 1) > amount);
            last = limit;
        }
        prop_assert_eq!(quoted.output_limit_for(quoted.want), most);
        prop_assert!(quoted.output_limit_for(quoted.least) >= most.min(16));
    }

    /// Exactly at each limit's cost, that limit is bought.
    #[test]
    fn a_limit_is_bought_at_its_cost(rates in any_rates(), (bound, _) in bound_and_usage(), limit in 0_u64..900) {
        let quoted = quote(&[&rates], &ModelLimits::default(), &bound, &ROUTE).unwrap();
        let limit = limit.min(quoted.max_output().unwrap());
        prop_assert!(quoted.output_limit_for(quoted.cost_at(limit)) >= limit);
        prop_assert_eq!(quoted.cost_at(quoted.output_limit_for(quoted.cost_at(limit))), quoted.cost_at(limit));
    }
}

#[test]
fn a_window_stands_for_all_input() {
    let seen = |windows, widened_window, unit, count, context| {
        let bound = Bound { input: Usage::default().with(unit, count), windows, widened_window, ..Bound::default() };
        bound.with_window(context).map(|bound| (bound.input.get(Unit::Input), bound.input.get(Unit::CacheWrite1h)))
    };
    assert_eq!(seen(0, 0, Unit::Input, 7, None), Ok((7, 0)));
    assert_eq!(seen(1, 0, Unit::Input, 7, Some(100)), Ok((100, 0)));
    assert_eq!(seen(3, 500, Unit::CacheWrite1h, 7, Some(100)), Ok((0, 1_500)));
    assert_eq!(seen(2, 0, Unit::Input, 900, Some(100)), Ok((900, 0)), "bytes may say more than an old price book");
    assert_eq!(seen(1, 500, Unit::Input, 7, None), Err(PriceError::UnknownWindow));
}

#[test]
fn the_least_is_a_limit_that_the_request_allows() {
    let gpt = rates(&[("input_mtok", "2"), ("output_mtok", "10")]);
    let least = |least_output, limit| quote(&[&gpt], &ModelLimits::default(), &Bound { least_output, ..ask(0, Some(limit)) }, &ROUTE).unwrap().least.nanos();
    assert_eq!((least(0, 50), least(40, 50), least(60, 50)), (160_000, 400_000, 500_000));
}

#[test]
fn a_window_may_be_full_of_sound_or_films() {
    let rates = rates(&[("input_mtok", "1"), ("input_audio_mtok", "7"), ("input_image_mtok", "2"), ("output_mtok", "1")]);
    let cost = |unit| {
        let bound = Bound { input: Usage::default().with(Unit::Input, 10).with(unit, 1), windows: 2, ..Bound::default() }.with_window(Some(1_000)).unwrap();
        quote(&[&rates], &ModelLimits::default(), &bound, &QuoteLimits { min_output: 16, default_max_output: None, clamp: true }).unwrap().want.nanos()
    };
    // A film is billed as text, as images or as sound: as the dearest of them.
    assert_eq!((cost(Unit::InputAudio), cost(Unit::InputVideo)), (2_000 * 7_000 + 10 * 1_000, 2_000 * 7_000 + 10 * 1_000));
}
