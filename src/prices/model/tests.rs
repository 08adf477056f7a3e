use super::*;
use crate::money::Usd;
use crate::prices::Usage;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An entry whose price by the request, in nano-dollars, tells which one it is.
fn entry(nanos: i64, variant: EntryVariant, from: &str, hours: Option<(u16, u16)>) -> Entry {
    let from = if from.is_empty() { Timestamp::MIN } else { at(&format!("{from}T00:00:00Z")) };
    Entry { variant, from, hours: hours.map(|(begin, end)| Hours { begin, end }), rates: Rates::per_request(Usd::from_nanos(nanos).unwrap()) }
}

fn model(entries: Vec<Entry>) -> ModelPrice {
    ModelPrice { provider: "p".into(), id: "m".into(), limits: ModelLimits::default(), entries: entries.into() }
}

fn nanos(rates: &Rates) -> i64 {
    rates.cost(&Usage::default()).unwrap().nanos()
}

fn price(model: &ModelPrice, moment: &str, variant: Variant<'_>) -> Option<i64> {
    model.rates(at(moment), &variant).map(nanos)
}

fn candidates(model: &ModelPrice, moment: &str) -> Vec<i64> {
    let mut found: Vec<i64> = model.candidates(at(moment), &Variant::Default).into_iter().map(nanos).collect();
    found.sort_unstable();
    found
}

#[test]
fn the_newest_date_that_has_come_applies() {
    // In no order, as an operator may write them.
    let model = model(vec![
        entry(3, EntryVariant::Default, "2026-11-01", None),
        entry(1, EntryVariant::Default, "", None),
        entry(2, EntryVariant::Default, "2026-10-01", None),
    ]);
    let rows = [
        ("0001-01-01T00:00:00Z", 1),
        ("2026-09-30T23:59:59.999Z", 1),
        ("2026-10-01T00:00:00Z", 2),
        ("2026-10-31T23:59:59Z", 2),
        ("2026-11-01T00:00:00Z", 3),
        ("2030-01-01T00:00:00Z", 3),
    ];
    for (moment, expected) in rows {
        assert_eq!(price(&model, moment, Variant::Default), Some(expected), "{moment}");
    }
    assert_eq!(candidates(&model, "2026-09-30T22:59:59Z"), [1]);
    assert_eq!(candidates(&model, "2026-09-30T23:00:00Z"), [1, 2]);
    assert_eq!(candidates(&model, "2026-10-01T00:00:00Z"), [2]);
}

#[test]
fn a_variant_has_its_own_prices_or_none() {
    let flex = || EntryVariant::ServiceTier("flex".into());
    let model = model(vec![
        entry(1, EntryVariant::Default, "", None),
        entry(2, flex(), "2026-10-01", None),
        entry(3, EntryVariant::Batch, "", None),
        entry(4, EntryVariant::Speed("fast".into()), "", None),
    ]);
    let price = |variant| price(&model, "2026-11-01T00:00:00Z", variant);
    for usual in ["default", "auto", "standard", "standard_only", "on_demand", ""] {
        assert_eq!(price(Variant::ServiceTier(usual)), Some(1), "{usual}");
    }
    assert_eq!(price(Variant::ServiceTier("flex")), Some(2));
    assert_eq!((price(Variant::Batch), price(Variant::ServiceTier("batch"))), (Some(3), Some(3)));
    assert_eq!((price(Variant::Speed("fast")), price(Variant::Speed("standard"))), (Some(4), Some(1)));
    for none in [Variant::ServiceTier("fast"), Variant::ServiceTier("Flex"), Variant::ServiceTier("priority"), Variant::Speed("flex")] {
        assert_eq!(price(none), None, "{none:?}");
    }
    // Not yet.
    assert_eq!(super::tests::price(&model, "2026-09-30T00:00:00Z", Variant::ServiceTier("flex")), None);
    assert!(model.candidates(at("2026-09-30T00:00:00Z"), &Variant::ServiceTier("flex")).is_empty());
    assert_eq!(model.candidates(at("2026-09-30T23:30:00Z"), &Variant::ServiceTier("flex")).len(), 1);
}

#[test]
fn hours_win_over_the_day_of_the_same_date() {
    let model = model(vec![
        entry(1, EntryVariant::Default, "", None),
        entry(2, EntryVariant::Default, "", Some((60, 240))),
        entry(3, EntryVariant::Default, "", Some((22 * 60, 30))),
        entry(9, EntryVariant::Default, "2027-01-01", None),
    ]);
    let rows = [
        ("00:29:59", 3),
        ("00:30:00", 1),
        ("00:59:59", 1),
        ("01:00:00", 2),
        ("03:59:59", 2),
        ("04:00:00", 1),
        ("21:59:59", 1),
        ("22:00:00", 3),
        ("23:59:59", 3),
    ];
    for (time, expected) in rows {
        assert_eq!(price(&model, &format!("2026-11-01T{time}Z"), Variant::Default), Some(expected), "{time}");
        assert_eq!(price(&model, &format!("1969-11-01T{time}Z"), Variant::Default), Some(expected), "{time}");
        assert_eq!(price(&model, &format!("2027-11-01T{time}Z"), Variant::Default), Some(9), "a newer date ends them");
    }
    assert_eq!(candidates(&model, "2026-11-01T00:00:00Z"), [1, 2, 3]);
    assert_eq!(candidates(&model, "2026-11-01T01:30:00Z"), [2]);
    assert_eq!(candidates(&model, "2026-11-01T03:00:00Z"), [1, 2]);
    assert_eq!(candidates(&model, "2026-11-01T21:00:00Z"), [1, 3]);
    assert_eq!(candidates(&model, "2026-12-31T23:30:00Z"), [3, 9]);
}

#[test]
fn candidates_hold_whatever_applies_within_the_hour() {
    let model = model(vec![
        entry(1, EntryVariant::Default, "", None),
        entry(2, EntryVariant::Default, "", Some((60, 61))),
        entry(3, EntryVariant::Default, "2026-11-02", None),
        entry(4, EntryVariant::Default, "2026-11-02", Some((23 * 60 + 59, 1))),
    ]);
    let begin = at("2026-11-01T00:00:00Z");
    for minute in 0..2 * 24 * 60 {
        let admitted = begin + SignedDuration::from_mins(minute);
        let found: Vec<i64> = model.candidates(admitted, &Variant::Default).into_iter().map(nanos).collect();
        for later in 0..=60 {
            let applied = nanos(model.rates(admitted + SignedDuration::from_mins(later), &Variant::Default).unwrap());
            assert!(found.contains(&applied), "{admitted} + {later} min: {applied} is not in {found:?}");
        }
    }
}
