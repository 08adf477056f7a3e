use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;

fn units(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    list.iter().map(|(key, amount)| ((*key).to_owned(), (*amount).to_owned())).collect()
}

fn rates(list: &[(&str, &str)]) -> Rates {
    Rates::from_units(&units(list)).unwrap()
}

fn usage(list: &[(Unit, u64)]) -> Usage {
    list.iter().fold(Usage::default(), |usage, (unit, count)| usage.with(*unit, *count))
}

fn price(key: &str, base: &str, tiers: &[(u64, &str)]) -> (Unit, Price) {
    let key = PriceKey::from_name(key).unwrap();
    (key.unit, Price { base: key.rate(base).unwrap(), tiers: tiers.iter().map(|(above, amount)| (*above, key.rate(amount).unwrap())).collect() })
}

fn tiered(prices: Vec<(Unit, Price)>) -> Rates {
    let mut list = PriceList::default();
    prices.into_iter().for_each(|(unit, price)| list.add(unit, price));
    list.resolve()
}

#[test]
fn a_cost_is_exact_and_rounded_up_once() {
    let gpt = rates(&[("input_mtok", "2.50"), ("output_mtok", "10")]);
    let cost = |input, output| gpt.cost(&usage(&[(Unit::Input, input), (Unit::Output, output)])).unwrap().nanos();
    assert_eq!(cost(0, 0), 0);
    assert_eq!(cost(1, 0), 2_500);
    assert_eq!(cost(1_000_000, 1_000_000), 12_500_000_000);
    // Two parts below a nano-dollar each make one together, not two.
    let tiny = rates(&[("input_mtok", "0.0004"), ("output_mtok", "0.0005")]);
    assert_eq!(tiny.cost(&usage(&[(Unit::Input, 1), (Unit::Output, 1)])).unwrap().nanos(), 1);
    assert_eq!(tiny.cost(&usage(&[(Unit::Input, 3)])).unwrap().nanos(), 2);
    assert_eq!(tiny.cost(&usage(&[(Unit::Input, 5), (Unit::Output, 2)])).unwrap().nanos(), 3);
    // A price by the hour is no finite decimal for a millisecond, and exact all the same.
    let audio = rates(&[("audio_hours", "0.111")]);
    assert_eq!(audio.cost(&usage(&[(Unit::AudioMillis, 3_600_000)])).unwrap().nanos(), 111_000_000);
    assert_eq!(audio.cost(&usage(&[(Unit::AudioMillis, 1_200_000)])).unwrap().nanos(), 37_000_000);
    assert_eq!(audio.cost(&usage(&[(Unit::AudioMillis, 1)])).unwrap().nanos(), 31);
}

#[test]
fn a_class_without_a_price_takes_the_one_it_is_a_part_of() {
    let plain = rates(&[("input_mtok", "1"), ("output_mtok", "2")]);
    let nanos = |rates: &Rates, unit| rates.cost(&usage(&[(unit, 1)])).map(Usd::nanos);
    for unit in [
        Unit::Input,
        Unit::CacheRead,
        Unit::CacheWrite,
        Unit::CacheWrite1h,
        Unit::InputAudio,
        Unit::CacheAudioRead,
        Unit::InputImage,
        Unit::CacheImageRead,
        Unit::InputVideo,
    ] {
        assert_eq!(nanos(&plain, unit), Ok(1_000), "{unit:?}");
    }
    for unit in [Unit::Output, Unit::OutputReasoning, Unit::OutputAudio, Unit::OutputImage, Unit::OutputVideo] {
        assert_eq!(nanos(&plain, unit), Ok(2_000), "{unit:?}");
    }
    for unit in [Unit::WebSearches, Unit::StorageSearches, Unit::AudioMillis, Unit::Characters, Unit::Pages] {
        assert_eq!(nanos(&plain, unit), Err(PriceError::Unpriced(unit)));
    }
    let rich =
        rates(&[("input_mtok", "1"), ("cache_read_mtok", "0.1"), ("cache_write_mtok", "1.25"), ("input_audio_mtok", "30"), ("cache_image_read_mtok", "4")]);
    assert_eq!(nanos(&rich, Unit::CacheRead), Ok(100));
    assert_eq!(nanos(&rich, Unit::CacheWrite1h), Ok(1_250));
    assert_eq!(nanos(&rich, Unit::CacheAudioRead), Ok(30_000));
    assert_eq!(nanos(&rich, Unit::CacheImageRead), Ok(4_000));
    assert_eq!(nanos(&rich, Unit::InputImage), Ok(1_000));
    assert_eq!(nanos(&rich, Unit::Output), Err(PriceError::Unpriced(Unit::Output)));
}

#[test]
fn a_step_is_for_the_whole_request_once_its_input_is_longer() {
    let gpt = tiered(vec![
        price("input_mtok", "2.5", &[(272_000, "5")]),
        price("cache_read_mtok", "0.25", &[(100, "0.5")]),
        price("output_mtok", "15", &[(272_000, "22.5")]),
    ]);
    let cost = |list: &[(Unit, u64)]| gpt.cost(&usage(list)).unwrap().nanos();
    assert_eq!(cost(&[(Unit::Input, 272_000), (Unit::Output, 1)]), 272_000 * 2_500 + 15_000);
    assert_eq!(cost(&[(Unit::Input, 272_001), (Unit::Output, 1)]), 272_001 * 5_000 + 22_500);
    // All input counts towards the step, whatever its class; output does not.
    assert_eq!(cost(&[(Unit::Input, 1), (Unit::CacheRead, 272_000)]), 5_000 + 272_000 * 500);
    assert_eq!(cost(&[(Unit::Input, 1), (Unit::CacheRead, 271_999)]), 2_500 + 271_999 * 500);
    assert_eq!(cost(&[(Unit::CacheRead, 100)]), 100 * 250);
    assert_eq!(cost(&[(Unit::Output, 1_000_000)]), 15_000_000_000);
}

#[test]
fn a_request_has_its_price_even_when_nobody_counted_it() {
    let flat = Rates::per_request("0.01".parse().unwrap());
    assert_eq!(flat.cost(&Usage::default()).unwrap().to_short_string(), "0.01");
    assert_eq!(flat.cost(&usage(&[(Unit::Requests, 1), (Unit::Output, 9), (Unit::Pages, 3)])).unwrap().to_short_string(), "0.01");
    assert_eq!(flat.cost(&usage(&[(Unit::Requests, 3)])).unwrap().to_short_string(), "0.03");
    assert_eq!(rates(&[("requests_kcount", "12"), ("input_mtok", "1")]).cost(&usage(&[(Unit::Input, 1)])).unwrap().nanos(), 12_001_000);
    assert_eq!(Rates::free().cost(&usage(&Unit::ALL.map(|unit| (unit, u64::MAX)))).unwrap(), Usd::ZERO);
    assert_eq!(Rates::per_request("-1".parse().unwrap()).cost(&Usage::default()).unwrap(), Usd::ZERO);
}

#[test]
fn what_cannot_be_counted_is_an_error() {
    let dear = rates(&[("input_mtok", "999999"), ("requests_kcount", "999999"), ("output_mtok", "999999")]);
    for count in [u64::MAX, 1 << 40, 1 << 25] {
        assert_eq!(dear.cost(&usage(&[(Unit::Input, count), (Unit::Requests, count), (Unit::Output, count)])), Err(PriceError::TooLarge), "{count}");
    }
    assert!(rates(&[("input_mtok", "0.000000000001")]).cost(&usage(&[(Unit::Input, u64::MAX)])).is_ok());
}

#[test]
fn every_wrong_unit_of_a_route_is_told() {
    let errors = Rates::from_units(&units(&[("input_mtok", "x"), ("outputs", "1"), ("output_mtok", "-1"), ("web_searches_kcount", "1")])).unwrap_err();
    let keys: Vec<&str> = errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["input_mtok", "output_mtok", "outputs"]);
    assert!(errors[2].to_string().starts_with("outputs: no such price; one of requests_kcount, input_mtok"));
    assert_eq!(Rates::from_units(&BTreeMap::new()).unwrap_err().len(), 1);
    assert!(Rates::from_units(&units(&[("output_mtok", "1")])).is_err());
    // Two keys for one unit: the dearer counts.
    assert_eq!(rates(&[("audio_hours", "1"), ("input_audio_hours", "3.6")]).cost(&usage(&[(Unit::AudioMillis, 1)])).unwrap().nanos(), 1_000);
}

proptest! {
    /// Against decimal arithmetic: sum(price x count), rounded up to a nano-dollar at the end.
    #[test]
    fn a_cost_is_what_decimals_say(
        prices in prop::array::uniform4(0_i64..20_000_000),
        steps in prop::array::uniform4(0_i64..20_000_000),
        counts in prop::array::uniform4(0_u64..3_000_000),
        threshold in 1_u64..6_000_000,
        exact in any::<bool>(),
    ) {
        let keys = ["input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok"];
        let found = [Unit::Input, Unit::CacheRead, Unit::CacheWrite, Unit::Output];
        let input: u64 = counts[..3].iter().sum();
        // Half of the time just at the step, or one token beyond it.
        let threshold = if exact { (input - threshold % 2 * u64::from(input > 0)).max(1) } else { threshold };
        let amount = |price: i64| Decimal::new(price, 5);
        let rates = tiered((0..4).map(|i| price(keys[i], &amount(prices[i]).to_string(), &[(threshold, &amount(steps[i]).to_string())])).collect());
        let usage = (0..4).fold(Usage::default(), |usage, i| usage.with(found[i], counts[i]));
        let applied = if input > threshold { steps } else { prices };
        let sum: Decimal = (0..4).map(|i| amount(applied[i]) * Decimal::from(counts[i])).sum();
        prop_assert_eq!(rates.cost(&usage), Ok(Usd::ceil_from_decimal(sum / Decimal::from(1_000_000)).unwrap()));
    }
}
