use super::*;
use crate::prices::ImageKind;
use crate::prices::images::{ImagePrice, ImageWord};
use crate::prices::rates::{Price, PriceList};

mod random;

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
fn images_are_quoted_by_their_kind_at_the_dearest_it_may_be() {
    let images = |pairs: &[(&str, u128)]| {
        let mut list = PriceList::default();
        list.add_images(pairs.iter().map(|(size, cents)| ImagePrice { size: ImageWord::new(size), quality: None, rate: cents * 10_000_000 * ATOMS_PER_NANO }));
        list.resolve()
    };
    let (usual, later) = (images(&[("256x256", 1), ("1024x1024", 3)]), images(&[("256x256", 2), ("1024x1024", 2)]));
    let want = |candidates: &[&Rates], size| {
        let input = Usage::default().with_images(5, ImageKind::new(size, Some("hd")));
        quote(candidates, &ModelLimits::default(), &Bound { input, ..Bound::default() }, &ROUTE).map(|quote| nanos(&quote))
    };
    assert_eq!(want(&[&usual], Some("256x256")), Ok((50_000_000, 50_000_000)));
    assert_eq!(want(&[&usual], None), Ok((150_000_000, 150_000_000)));
    assert_eq!(want(&[&usual, &later], Some("256x256")), Ok((100_000_000, 100_000_000)));
    assert_eq!(want(&[&usual], Some("512x512")), Err(PriceError::Unpriced(Unit::Images)));
    assert_eq!(want(&[&usual, &rates(&[("input_mtok", "1")])], None), Err(PriceError::Unpriced(Unit::Images)));
    // A route's own price by the piece, and no price at all.
    assert_eq!(want(&[&rates(&[("images", "0.04")])], Some("512x512")), Ok((200_000_000, 200_000_000)));
    assert_eq!(want(&[&Rates::free()], Some("512x512")), Ok((0, 0)));
}

#[test]
fn search_units_are_quoted() {
    let rerank = rates(&[("search_units_kcount", "2")]);
    let bound = Bound { input: Usage::default().with(Unit::SearchUnits, 3), ..Bound::default() };
    assert_eq!(quote(&[&rerank], &ModelLimits::default(), &bound, &ROUTE).map(|quote| nanos(&quote)), Ok((6_000_000, 6_000_000)));
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

#[test]
fn what_is_counted_in_several_ways_costs_what_the_model_has_a_price_for() {
    let input = Usage::default().with(Unit::AudioMillis, 60_000).with(Unit::InputAudio, 1_000).with(Unit::Input, 10);
    let bound = Bound { input, output_tokens: Some(100), has_output: true, choices: 1, as_priced: true, ..Bound::default() };
    let hours = rates(&[("audio_hours", "0.36")]);
    let tokens = rates(&[("input_mtok", "2"), ("input_audio_mtok", "6"), ("output_mtok", "10")]);
    let both = rates(&[("input_mtok", "2"), ("output_mtok", "10"), ("audio_hours", "0.36")]);
    let get = |candidates: &[&Rates], bound: Bound| {
        quote(candidates, &ModelLimits::default(), &bound, &QuoteLimits { clamp: false, ..ROUTE }).map(|quote| nanos(&quote))
    };
    assert_eq!(get(&[&hours], bound), Ok((6_000_000, 6_000_000)));
    assert_eq!(get(&[&tokens], bound), Ok((6_000_000 + 20_000 + 1_000_000, 6_000_000 + 20_000 + 1_000_000)));
    assert_eq!(get(&[&both], bound), Ok((6_000_000 + 2_020_000 + 1_000_000, 6_000_000 + 2_020_000 + 1_000_000)));
    assert_eq!(get(&[&Rates::free()], bound), Ok((0, 0)));
    // Where it may be billed in either way, each must have a price.
    assert_eq!(get(&[&hours, &tokens], bound), Err(PriceError::Unpriced(Unit::Input)));
    // None of it has one.
    let images = rates(&[("images", "0.04")]);
    assert_eq!(get(&[&images], bound), Err(PriceError::Unpriced(Unit::Input)));
    // Without that, each class needs a price of its own.
    assert_eq!(get(&[&hours], Bound { as_priced: false, ..bound }), Err(PriceError::Unpriced(Unit::Input)));
    assert_eq!(hours.priced(&input), Usage::default().with(Unit::AudioMillis, 60_000));
    assert_eq!(tokens.priced(&input), input.with(Unit::AudioMillis, 0));
}
