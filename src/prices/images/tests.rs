use super::*;

/// Prices by `(size, quality, rate)`; an empty name is any.
fn prices(list: &[(&str, &str, u128)]) -> Vec<ImagePrice> {
    list.iter().map(|(size, quality, rate)| ImagePrice { size: ImageWord::new(size), quality: ImageWord::new(quality), rate: *rate }).collect()
}

#[test]
fn a_kind_has_its_own_price_and_the_dearest_where_it_is_left_open() {
    let list = prices(&[("1024x1024", "standard", 40), ("1024x1792", "standard", 80), ("1024x1024", "hd", 90), ("1024x1792", "hd", 120)]);
    let get = |size, quality| dearest(&list, ImageKind::new(size, quality));
    assert_eq!(get(Some("1024x1024"), Some("standard")), Some(40));
    assert_eq!(get(Some("1024x1792"), Some("hd")), Some(120));
    assert_eq!((get(Some("1024x1024"), None), get(Some("1024x1024"), Some("auto"))), (Some(90), Some(90)));
    assert_eq!((get(None, Some("standard")), get(Some("auto"), Some("standard"))), (Some(80), Some(80)));
    assert_eq!(get(None, None), Some(120));
    // What is named and not on the list has no price: neither do names that differ in case, by a NUL, or are too long to be one.
    let (long, longer) = ("1".repeat(17), "1".repeat(100_000));
    for size in ["512x512", "", "1024X1024", "1024x1024\0", "1024x1024 ", &long, &longer] {
        assert_eq!(get(Some(size), Some("standard")), None, "{size:?}");
        assert_eq!(get(Some(size), None), None, "{size:?}");
    }
    assert_eq!(get(None, Some("ultra")), None);
    assert_eq!(dearest(&[], ImageKind::default()), None);
}

#[test]
fn what_names_more_goes_before_what_names_less() {
    let list = prices(&[("", "", 50), ("256x256", "", 20), ("", "hd", 30), ("256x256", "hd", 10)]);
    let long = "1".repeat(17);
    let get = |size, quality| dearest(&list, ImageKind::new(size, quality));
    assert_eq!(get(Some("256x256"), Some("hd")), Some(10));
    assert_eq!(get(Some("256x256"), Some("low")), Some(20));
    assert_eq!(get(Some("512x512"), Some("hd")), Some(30));
    assert_eq!(get(Some("512x512"), Some("low")), Some(50));
    assert_eq!(get(Some(&long), Some("low")), Some(50));
    // What is left open may turn out as any of them, but never as what a fuller name takes over.
    assert_eq!(get(Some("256x256"), None), Some(20));
    assert_eq!(get(None, Some("hd")), Some(30));
    assert_eq!(get(None, None), Some(50));
    // Each names one of both: the dearer counts.
    let list = prices(&[("256x256", "", 20), ("", "hd", 30)]);
    assert_eq!(dearest(&list, ImageKind::new(Some("256x256"), Some("hd"))), Some(30));
}

#[test]
fn a_word_is_what_was_written() {
    for name in ["hd", "1024x1024", "sixteen-bytes-xx", "größe"] {
        assert_eq!(ImageWord::new(name).unwrap().as_str(), name);
    }
    assert_eq!((ImageWord::new(""), ImageWord::new("a\0"), ImageWord::new("seventeen-bytes-x")), (None, None, None));
    assert_eq!(ImageWord::UNLISTED.as_str(), "");
}
