//! The promise of a quote, for whatever prices, bounds and usages there may be: no usage within the bound costs more than `want`, and the output limit
//! that an amount buys is exact.

use jiff::Timestamp;
use proptest::prelude::*;

use super::super::*;
use super::ROUTE;
use crate::prices::images::{ImagePrice, ImageWord};
use crate::prices::model::{Entry, EntryVariant, Hours};
use crate::prices::rates::{Price, PriceList};
use crate::prices::{ImageKind, ModelPrice, Variant};

/// Classes that may be left without a price of their own: another stands for it.
const OPTIONAL: [Unit; 12] = [
    Unit::CacheRead,
    Unit::CacheWrite,
    Unit::CacheWrite1h,
    Unit::InputAudio,
    Unit::CacheAudioRead,
    Unit::InputImage,
    Unit::CacheImageRead,
    Unit::InputVideo,
    Unit::OutputReasoning,
    Unit::OutputAudio,
    Unit::OutputImage,
    Unit::OutputVideo,
];
/// Classes for which no other stands.
const OWN: [Unit; 9] =
    [Unit::Input, Unit::Output, Unit::Requests, Unit::WebSearches, Unit::StorageSearches, Unit::AudioMillis, Unit::Characters, Unit::Pages, Unit::SearchUnits];
const SIZES: [&str; 3] = ["256x256", "1024x1024", "1792x1024"];
const QUALITIES: [&str; 2] = ["standard", "hd"];

/// A price list with up to two steps, often without a price for this or that, and without one for some or all images.
fn any_rates() -> impl Strategy<Value = Rates> {
    let price = || (0_u128..50, 0_u128..50, 0_u128..50).prop_map(|prices| <[u128; 3]>::from(prices).map(|micro| micro * 9_000_000_000_000_037));
    let optional = OPTIONAL.map(|unit| prop::option::of(price()).prop_map(move |price| (unit, price)));
    let own = OWN.map(|unit| price().prop_map(move |price| (unit, Some(price))));
    let words = (prop::option::of(prop::sample::select(&SIZES[..])), prop::option::of(prop::sample::select(&QUALITIES[..])));
    let images = prop::collection::vec((words, 0_u128..50), 0..6);
    (optional.to_vec(), own.to_vec(), images, 1_u64..2_000, 1_u64..2_000).prop_map(|(optional, own, images, first, step)| {
        let mut list = PriceList::default();
        for (unit, price) in optional.into_iter().chain(own) {
            if let Some([base, second, third]) = price {
                list.add(unit, Price { base, tiers: vec![(first, second), (first + step, third)] });
            }
        }
        let word = |name: Option<&str>| name.and_then(ImageWord::new);
        list.add_images(images.into_iter().map(|((size, quality), micro)| ImagePrice {
            size: word(size),
            quality: word(quality),
            rate: micro * 9_000_000_000_000_037_000_000,
        }));
        list.resolve()
    })
}

/// A kind of image as a client may ask for it, and one that a provider may make of it: what was left open is one of the names, known or not.
fn any_images() -> impl Strategy<Value = (ImageKind, ImageKind)> {
    let word = |names: &'static [&'static str]| {
        let made = prop::sample::select(names).prop_map(Some).boxed();
        let made = prop_oneof![8 => made, 1 => Just(Some("unheard-of"))];
        (made, prop_oneof![3 => Just(true), 1 => Just(false)], any::<bool>())
    };
    (word(&SIZES), word(&QUALITIES)).prop_map(|((size, size_asked, auto), (quality, quality_asked, told))| {
        let open = if auto { Some("auto") } else { None };
        let asked = ImageKind::new(if size_asked { size } else { open }, if quality_asked { quality } else { open });
        // Where the provider does not say what it made, it is as open as it was.
        (asked, if told { ImageKind::new(size, quality) } else { asked })
    })
}

/// A bound, and a usage within it: what is text may come back from the cache, pictures, sound and films may come back as text, and there may be less of
/// everything.
fn bound_and_usage() -> impl Strategy<Value = (Bound, Usage)> {
    let tokens = (0_u64..2_000, 0_u64..500, 0_u64..500, 0_u64..300, any::<bool>());
    let rest = (0_u64..800, 1_u64..4, 0_u64..3, prop::array::uniform6(0_u64..1_000), 0_u64..5, any_images());
    (tokens, rest, prop::collection::vec(0_u64..=1_000, 32)).prop_map(
        |((text, audio, image, video, hour), (output, choices, searches, others, images, (asked, made)), part)| {
            let other_units = [Unit::StorageSearches, Unit::AudioMillis, Unit::Characters, Unit::Pages, Unit::SearchUnits, Unit::OutputAudio];
            let bound_text = if hour { Unit::CacheWrite1h } else { Unit::Input };
            let input = Usage::default().with(bound_text, text).with(Unit::InputAudio, audio).with(Unit::InputImage, image).with(Unit::InputVideo, video);
            let input = other_units.into_iter().zip(others).fold(input, |input, (unit, count)| input.with(unit, count)).with_images(images, asked);
            let bound = Bound { input, output_tokens: Some(output), has_output: true, choices, max_searches: searches, ..Bound::default() };
            let mut usage = Usage::default().with(Unit::Requests, 1);
            // Spreads a count over classes, some of it over none.
            let mut parts = part.into_iter();
            let mut spread = |count: u64, classes: &[Unit]| {
                let mut left = count;
                for unit in classes {
                    let some = left * parts.next().unwrap() / 1_000;
                    usage.set(*unit, usage.get(*unit) + some);
                    left -= some;
                }
            };
            let text_classes = [Unit::CacheWrite, Unit::CacheRead, Unit::Input, Unit::CacheWrite1h];
            spread(text, &text_classes[..if hour { 4 } else { 3 }]);
            spread(audio, &[Unit::CacheAudioRead, Unit::CacheWrite, Unit::InputAudio, Unit::CacheRead]);
            spread(image, &[Unit::CacheImageRead, Unit::Input, Unit::InputImage]);
            spread(video, &[Unit::CacheRead, Unit::Input, Unit::InputVideo, Unit::CacheWrite]);
            spread(output * choices, &[Unit::OutputReasoning, Unit::OutputImage, Unit::OutputAudio, Unit::OutputVideo, Unit::Output]);
            spread(searches, &[Unit::WebSearches]);
            for (unit, count) in other_units.into_iter().zip(others) {
                spread(count, &[unit]);
            }
            spread(images, &[Unit::Images]);
            let made_count = usage.get(Unit::Images);
            (bound, usage.with_images(made_count, made))
        },
    )
}

/// A model with prices by date, hour and tier: an undated usual one is always among them.
fn any_model() -> impl Strategy<Value = ModelPrice> {
    let variant = prop::sample::select(vec![
        EntryVariant::Default,
        EntryVariant::ServiceTier("flex".into()),
        EntryVariant::ServiceTier("priority".into()),
        EntryVariant::Speed("fast".into()),
        EntryVariant::Batch,
    ]);
    let from = prop_oneof![2 => Just(Timestamp::MIN), 3 => (0_i64..4).prop_map(|day| Timestamp::from_second(day * 86_400).unwrap())];
    let hours = prop::option::of((0_u16..1440, 0_u16..1440).prop_map(|(begin, end)| Hours { begin, end: if begin == end { (end + 1) % 1440 } else { end } }));
    let entry = (variant, from, hours, any_rates()).prop_map(|(variant, from, hours, rates)| Entry { variant, from, hours, rates });
    (any_rates(), prop::collection::vec(entry, 0..6)).prop_map(|(usual, mut entries)| {
        entries.insert(0, Entry { variant: EntryVariant::Default, from: Timestamp::MIN, hours: None, rates: usual });
        ModelPrice { provider: "p".into(), id: "m".into(), limits: ModelLimits::default(), entries: entries.into() }
    })
}

/// What the quote says; none where some of the images have no price, and so nothing is sent.
fn quoted(candidates: &[&Rates], bound: &Bound) -> Option<Quote> {
    match quote(candidates, &ModelLimits::default(), bound, &ROUTE) {
        Ok(quoted) => Some(quoted),
        Err(PriceError::Unpriced(Unit::Images)) if bound.input.get(Unit::Images) > 0 => None,
        Err(error) => panic!("{error}"),
    }
}

/// The cost of a usage; none where the provider made images that have no price: then the hold is charged.
fn cost(rates: &Rates, usage: &Usage) -> Option<Usd> {
    match rates.cost(usage) {
        Ok(cost) => Some(cost),
        Err(PriceError::Unpriced(Unit::Images)) => None,
        Err(error) => panic!("{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// No usage within the bound costs more than the quote, whichever of the candidates it is billed at.
    #[test]
    fn a_quote_is_never_exceeded(candidates in prop::collection::vec(any_rates(), 1..3), (bound, usage) in bound_and_usage()) {
        let candidates: Vec<&Rates> = candidates.iter().collect();
        let Some(asked) = quoted(&candidates, &bound) else { return Ok(()) };
        prop_assert!(asked.least <= asked.want);
        for rates in &candidates {
            if let Some(cost) = cost(rates, &usage) {
                prop_assert!(cost <= asked.want, "{} > {}", cost, asked.want);
            }
        }
        // And with the limit lowered to what an amount buys, no more than that amount.
        for percent in [0, 10, 50, 90, 100] {
            let amount = Usd::from_nanos(asked.least.nanos() + (asked.want.nanos() - asked.least.nanos()) * percent / 100).unwrap();
            let limit = asked.output_limit_for(amount);
            let clamped = quoted(&candidates, &Bound { output_tokens: Some(limit), ..bound }).unwrap();
            prop_assert!(clamped.want <= amount);
        }
    }

    /// Nor at whatever date, hour and tier it is billed at, up to an hour after it was admitted.
    #[test]
    fn a_quote_holds_in_every_tier_and_hour(
        model in any_model(),
        (bound, usage) in bound_and_usage(),
        tier in prop::sample::select(vec![None, Some("flex"), Some("priority"), Some("auto"), Some("batch"), Some("fast"), Some("new")]),
        second in 0_i64..400_000,
        later in 0_i64..=3_600,
    ) {
        let admitted = Timestamp::from_second(second).unwrap();
        let variants = |tier: &'static str| [Variant::ServiceTier(tier), Variant::Speed(tier)];
        let mut candidates = model.candidates(admitted, &Variant::Default);
        candidates.extend(tier.into_iter().flat_map(variants).flat_map(|variant| model.candidates(admitted, &variant)));
        let Some(asked) = quoted(&candidates, &bound) else { return Ok(()) };
        let billed = Timestamp::from_second(second + later).unwrap();
        for variant in tier.into_iter().flat_map(variants).chain([Variant::Default]) {
            if let Some(cost) = model.rates(billed, &variant).and_then(|rates| cost(rates, &usage)) {
                prop_assert!(cost <= asked.want, "{:?}: {} > {}", variant, cost, asked.want);
            }
        }
    }

    /// The limit that an amount buys is the largest one, and never falls as the amount rises.
    #[test]
    fn what_an_amount_buys_is_exact(rates in any_rates(), (bound, _) in bound_and_usage(), amounts in prop::array::uniform8(0_i64..50_000_000)) {
        let Some(asked) = quoted(&[&rates], &bound) else { return Ok(()) };
        let most = asked.max_output().unwrap();
        let mut amounts = amounts.map(|nanos| nanos % (asked.want.nanos() + 2));
        amounts.sort_unstable();
        let mut last = 0;
        for amount in amounts.map(|nanos| Usd::from_nanos(nanos).unwrap()) {
            let limit = asked.output_limit_for(amount);
            prop_assert!(limit <= most && limit >= last);
            prop_assert!(limit == 0 || asked.cost_at(limit) <= amount);
            prop_assert!(limit == most || asked.cost_at(limit + 1) > amount);
            last = limit;
        }
        prop_assert_eq!(asked.output_limit_for(asked.want), most);
        prop_assert!(asked.output_limit_for(asked.least) >= most.min(16));
    }

    /// Exactly at each limit's cost, that limit is bought.
    #[test]
    fn a_limit_is_bought_at_its_cost(rates in any_rates(), (bound, _) in bound_and_usage(), limit in 0_u64..900) {
        let Some(asked) = quoted(&[&rates], &bound) else { return Ok(()) };
        let limit = limit.min(asked.max_output().unwrap());
        prop_assert!(asked.output_limit_for(asked.cost_at(limit)) >= limit);
        prop_assert_eq!(asked.cost_at(asked.output_limit_for(asked.cost_at(limit))), asked.cost_at(limit));
    }
}
