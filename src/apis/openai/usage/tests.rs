use super::*;

fn units(raw: &str) -> Option<Vec<(Unit, u64)>> {
    read(raw.as_bytes(), true).map(|usage| usage.iter().collect())
}

#[test]
fn splits_into_disjoint_classes() {
    assert_eq!(units(r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}"#).unwrap(), [(Unit::Input, 10), (Unit::Output, 5)]);
    let raw = r#"{"prompt_tokens":1000,"completion_tokens":500,"total_tokens":1500,"prompt_tokens_details":{"cached_tokens":600,"cache_write_tokens":100,"audio_tokens":50,"image_tokens":30,"text_tokens":920},
        "completion_tokens_details":{"reasoning_tokens":200,"audio_tokens":40,"accepted_prediction_tokens":3,"rejected_prediction_tokens":4}}"#;
    assert_eq!(
        units(raw).unwrap(),
        [
            (Unit::Input, 220),
            (Unit::CacheRead, 600),
            (Unit::CacheWrite, 100),
            (Unit::InputAudio, 50),
            (Unit::InputImage, 30),
            (Unit::Output, 260),
            (Unit::OutputReasoning, 200),
            (Unit::OutputAudio, 40)
        ]
    );
}

#[test]
fn nulls_and_missing_details_count_nothing() {
    let raw = r#"{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":null},"cost":0.1,"cost_details":{"x":null}}"#;
    assert_eq!(units(raw).unwrap(), [(Unit::Input, 1), (Unit::Output, 2)]);
    assert_eq!(
        units(r#"{"prompt_tokens":100,"completion_tokens":2,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}"#).unwrap(),
        [(Unit::Input, 36), (Unit::CacheRead, 64), (Unit::Output, 2)]
    );
}

#[test]
fn cached_images_count_once() {
    let raw = r#"{"prompt_tokens":1100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":1000,"image_tokens":900}}"#;
    assert_eq!(units(raw).unwrap(), [(Unit::CacheRead, 1000), (Unit::InputImage, 100), (Unit::Output, 1)]);
    let raw = r#"{"prompt_tokens":1100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":1000,"image_tokens":900,"cached_tokens_details":{"image_tokens":900}}}"#;
    assert_eq!(units(raw).unwrap(), [(Unit::Input, 100), (Unit::CacheRead, 100), (Unit::CacheImageRead, 900), (Unit::Output, 1)]);
}

#[test]
fn reasoning_outside_the_completion_is_paid_for() {
    let raw = r#"{"prompt_tokens":10,"completion_tokens":20,"total_tokens":530}"#;
    assert_eq!(units(raw).unwrap(), [(Unit::Input, 10), (Unit::Output, 20), (Unit::OutputReasoning, 500)]);
    let raw = r#"{"prompt_tokens":10,"completion_tokens":20,"total_tokens":330,"completion_tokens_details":{"reasoning_tokens":300}}"#;
    assert_eq!(units(raw).unwrap(), [(Unit::Input, 10), (Unit::Output, 20), (Unit::OutputReasoning, 300)]);
}

#[test]
fn absurd_reports_are_no_reports() {
    for raw in [
        "null",
        "{}",
        "12",
        r#"{"prompt_tokens":1}"#,
        r#"{"completion_tokens":1}"#,
        r#"{"prompt_tokens":-1,"completion_tokens":1}"#,
        r#"{"prompt_tokens":1.0,"completion_tokens":1}"#,
        r#"{"prompt_tokens":1e2,"completion_tokens":1}"#,
        r#"{"prompt_tokens":"1","completion_tokens":1}"#,
        r#"{"prompt_tokens":1,"completion_tokens":1099511627777}"#,
        r#"{"prompt_tokens":1,"completion_tokens":99999999999999999999}"#,
        r#"{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":2}}"#,
        r#"{"prompt_tokens":3,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":2,"cache_write_tokens":2}}"#,
        r#"{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"image_tokens":2}}"#,
        r#"{"prompt_tokens":1,"completion_tokens":1,"completion_tokens_details":{"reasoning_tokens":2}}"#,
        r#"{"prompt_tokens":1,"completion_tokens":1,"completion_tokens_details":{"reasoning_tokens":-1}}"#,
        r#"{"prompt_tokens":1,"completion_tokens":1,"completion_tokens_details":{"audio_tokens":2}}"#,
    ] {
        assert_eq!(units(raw), None, "{raw}");
    }
}

#[test]
fn embeddings_report_no_completion() {
    let usage = read(br#"{"prompt_tokens":8,"total_tokens":8}"#, false).unwrap();
    assert_eq!(usage.iter().collect::<Vec<_>>(), [(Unit::Input, 8)]);
}
