use proptest::prelude::*;

use super::*;

fn chat(input: u64, output: u64) -> Told {
    Told::Units(Usage::default().with(Unit::Input, input).with(Unit::Output, output))
}

fn told(text: &str) -> Told {
    read(text.as_bytes(), Kind::Chat)
}

#[test]
fn billed_units_win() {
    let both = r#"{"billed_units":{"input_tokens":6772.0,"output_tokens":248.0,"search_units":null},"tokens":{"input_tokens":7596.0,"output_tokens":645.0},"cached_tokens":7000}"#;
    assert_eq!(told(both), chat(6_772, 248));
    assert_eq!(told(&both.replace("\"billed_units\"", "\"other\"")), chat(7_596, 645), "what is counted stands for what is billed");
    assert_eq!(told(&both.replace("{\"input_tokens\":6772.0,\"output_tokens\":248.0,\"search_units\":null}", "null")), chat(7_596, 645));
    assert_eq!(told(r#"{"billed_units":{"input_tokens":0,"output_tokens":0}}"#), chat(0, 0));
    for nothing in ["{}", r#"{"billed_units":{}}"#, r#"{"billed_units":{"input_tokens":3}}"#, r#"{"billed_units":null,"tokens":7}"#] {
        assert_eq!(told(nothing), Told::Nothing, "{nothing}");
    }
}

#[test]
fn floats_are_read_exactly_and_fractions_upwards() {
    for (written, count) in [("12", 12), ("12.0", 12), ("12.000", 12), ("12.5", 13), ("0.0001", 1), ("1.2e1", 12), ("1.25E1", 13), ("-0.0", 0), ("120e-1", 12)]
    {
        assert_eq!(told(&format!(r#"{{"billed_units":{{"input_tokens":{written},"output_tokens":1}}}}"#)), chat(count, 1), "{written}");
    }
    for absurd in ["-1", "-1.0", "-0.5", "1e30", "1e-99", "1099511627777", "99999999999999999999", "\"12\"", "true", "[]"] {
        assert_eq!(told(&format!(r#"{{"billed_units":{{"input_tokens":{absurd},"output_tokens":1}}}}"#)), Told::Absurd, "{absurd}");
    }
    assert_eq!(told("{\"billed_units\":{\"input_tokens\":1"), Told::Absurd);
    assert_eq!(told(r#"{"billed_units":{"input_tokens":1,"output_tokens":1,"classifications":2.0}}"#), Told::Absurd);
}

#[test]
fn embeddings_are_billed_by_text_image_tokens_or_images() {
    let embed = |units: &str| match read(format!(r#"{{"api_version":{{"version":"2"}},"billed_units":{units}}}"#).as_bytes(), Kind::Embed) {
        Told::Units(usage) => usage.iter().map(|(unit, count)| (unit.name(), count)).collect::<Vec<_>>(),
        other => panic!("{units}: {other:?}"),
    };
    assert_eq!(embed(r#"{"input_tokens":7.0}"#), [("input", 7)]);
    assert_eq!(embed(r#"{"input_tokens":100,"image_tokens":2716}"#), [("input", 100), ("input_image", 2_716)]);
    assert_eq!(embed(r#"{"input_tokens":2816,"text_tokens":100,"image_tokens":2716,"images":1}"#), [("input", 100), ("input_image", 2_716)]);
    assert_eq!(embed(r#"{"input_tokens":100,"text_tokens":100,"image_tokens":2716}"#), [("input", 100), ("input_image", 2_716)]);
    assert_eq!(embed(r#"{"input_tokens":null,"images":1.0}"#), [("images", 1)]);
    assert_eq!(read(b"{\"billed_units\":{}}", Kind::Embed), Told::Nothing);
}

#[test]
fn rankings_are_billed_by_search_units() {
    let told = |text: &str| read(text.as_bytes(), Kind::Rerank);
    assert_eq!(told(r#"{"billed_units":{"search_units":2.0}}"#).usage().unwrap().get(Unit::SearchUnits), 2);
    assert_eq!(told(r#"{"billed_units":{"search_units":1.01}}"#).usage().unwrap().get(Unit::SearchUnits), 2);
    assert_eq!(told(r#"{"billed_units":{"input_tokens":5}}"#), Told::Nothing);
    // Tokens say nothing of searches.
    assert_eq!(told(r#"{"tokens":{"search_units":1}}"#), Told::Nothing);
}

proptest! {
    #[test]
    fn whole_numbers_are_the_next_not_below(whole_part in 0..1_u64 << 40, fraction in 0..1_000_u32) {
        let written = format!("{whole_part}.{fraction:03}");
        prop_assert_eq!(whole(&written), Some(whole_part + u64::from(fraction > 0)));
        prop_assert_eq!(whole(&format!("{written}e0")), whole(&written));
    }

    #[test]
    fn no_report_breaks_it(text in "[\\[\\]{}\",:a-z_0-9.eE+-]{0,120}") {
        let _ = read(text.as_bytes(), Kind::Chat);
        let _ = read(text.as_bytes(), Kind::Embed);
    }
}
