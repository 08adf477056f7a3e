use super::*;
use proptest::prelude::*;

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

#[test]
fn what_people_type_is_read_exactly() {
    for (text, nanos) in [
        ("50.00", 50_000_000_000),
        ("0.000000001", 1),
        ("-12.5", -12_500_000_000),
        ("99999.999999999", 99_999_999_999_999),
        (".5", 500_000_000),
        ("5.", 5_000_000_000),
        ("-0", 0),
    ] {
        assert_eq!(usd(text).nanos(), nanos, "{text}");
    }
}

#[test]
fn what_is_not_an_amount_is_refused() {
    for text in ["", "-", ".", "-.", "+1", "1e3", "NaN", "inf", "100000", "0.0000000001", "1,5", " 1", "1 ", "0x1", "--1", "1.2.3", "١"] {
        assert_eq!(text.parse::<Usd>(), Err(MoneyError::Malformed), "{text:?}");
    }
}

#[test]
fn arithmetic_beyond_the_range_is_an_error() {
    assert_eq!(Usd::MAX.plus(usd("0.000000001")), Err(MoneyError::OutOfRange));
    assert_eq!(usd("0").minus(Usd::MAX).unwrap().minus(usd("0.000000001")), Err(MoneyError::OutOfRange));
    assert_eq!(Usd::from_nanos(i64::MIN), Err(MoneyError::OutOfRange));
    assert_eq!(Usd::saturating_from_nanos(i128::MIN).nanos(), -Usd::MAX.nanos());
}

#[test]
fn costs_round_up() {
    assert_eq!(Usd::ceil_from_decimal(Decimal::new(1, 12)).unwrap().nanos(), 1);
    assert_eq!(Usd::ceil_from_decimal(Decimal::new(1000, 12)).unwrap().nanos(), 1);
    assert_eq!(Usd::ceil_from_decimal(Decimal::new(1001, 12)).unwrap().nanos(), 2);
    assert_eq!(Usd::ceil_from_decimal(Decimal::MAX), Err(MoneyError::OutOfRange));
}

proptest! {
    #[test]
    fn printing_and_reading_agree(nanos in -99_999_999_999_999_i64..=99_999_999_999_999) {
        let amount = Usd::from_nanos(nanos).unwrap();
        prop_assert_eq!(amount.to_string().parse::<Usd>().unwrap(), amount);
        prop_assert_eq!(amount.to_short_string().parse::<Usd>().unwrap(), amount);
    }
}
