use crate::apis::members::TopMembers;
use proptest::prelude::*;

use bytes::Bytes;

use super::*;
use crate::apis::Meter;
use crate::prices::Usage;

const ANSWER: &str = r#"{ "id":"c1","object":"chat.completion","model":"gpt-4o-2024\"x","choices":[{"index":0,"message":{"role":"assistant","content":"{\"usage\":{\"prompt_tokens\":1}} \\"},"usage":{"prompt_tokens":9,"completion_tokens":9}}],
  "usage" : {"prompt_tokens": 12, "completion_tokens":7,"prompt_tokens_details":{"cached_tokens":2}} ,"service_tier":"flex" }
"#;

fn run(chunks: &[&[u8]], has_output: bool) -> (Measured, Vec<u8>) {
    let mut meter = WholeMeter::new(has_output, 0);
    let mut pass = Vec::new();
    for chunk in chunks {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
        assert!(!meter.terminal());
    }
    meter.end(&mut pass);
    assert!(meter.terminal());
    pass.extend(meter.take_held());
    (meter.measured(), pass.concat())
}

#[test]
fn reads_the_top_members_only() {
    let (measured, bytes) = run(&[ANSWER.as_bytes()], true);
    assert_eq!(bytes, ANSWER.as_bytes());
    assert_eq!(measured.usage, Some(Usage::default().with(Unit::Input, 10).with(Unit::CacheRead, 2).with(Unit::Output, 7)));
    assert_eq!(measured.model.as_deref(), Some("gpt-4o-2024\"x"));
    assert_eq!(measured.service_tier.as_deref(), Some("flex"));
    assert!(measured.complete && measured.served_output >= 30);
}

#[test]
fn small_answers_wait_for_the_charge() {
    let mut meter = WholeMeter::new(true, 1);
    let mut pass = Vec::new();
    for chunk in ANSWER.as_bytes().chunks(10) {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
    }
    meter.end(&mut pass);
    assert!(pass.is_empty());
    assert_eq!(meter.take_held().concat(), ANSWER.as_bytes());
    assert_eq!(meter.measured().usage.unwrap().get(Unit::WebSearches), 1);
}

#[test]
fn large_answers_pass_but_for_the_last_chunk() {
    let body = format!(
        r#"{{"object":"list","data":[{}],"model":"e","usage":{{"prompt_tokens":5,"total_tokens":5}}}}"#,
        vec![r#"{"embedding":"AAAA"}"#; 100_000].join(",")
    );
    let mut meter = WholeMeter::new(false, 0);
    let mut pass = Vec::new();
    let chunks: Vec<&[u8]> = body.as_bytes().chunks(16_384).collect();
    for chunk in &chunks {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
    }
    meter.end(&mut pass);
    assert_eq!(pass.len(), chunks.len() - 1);
    assert_eq!(meter.take_held(), [chunks[chunks.len() - 1]]);
    assert_eq!(meter.measured().usage, Some(Usage::default().with(Unit::Input, 5)));
    assert_eq!(meter.measured().served_output, 0);
}

#[test]
fn cut_answers_are_not_complete() {
    let (measured, _) = run(&[&ANSWER.as_bytes()[..200]], true);
    assert!(!measured.complete && measured.usage.is_none() && measured.served_output > 0);
    for odd in ["", "[]", "[1,2]", "null", "<html>usage</html>", "}", "\"", "{\"usage\"", "{\"usage\":", "{\"usage\":nonsense}"] {
        assert_eq!(run(&[odd.as_bytes()], true).0.usage, None, "{odd}");
    }
}

proptest! {
    #[test]
    fn cuts_make_no_difference(cuts in prop::collection::vec(0..ANSWER.len(), 0..12)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let mut chunks = Vec::new();
        let mut at = 0;
        for cut in cuts.into_iter().chain([ANSWER.len()]) {
            chunks.push(&ANSWER.as_bytes()[at..cut]);
            at = cut;
        }
        prop_assert_eq!(run(&chunks, true), run(&[ANSWER.as_bytes()], true));
    }

    #[test]
    fn agrees_with_a_parser(value in crate::apis::json::tests::any_json()) {
        let body = serde_json::json!({ "a": value, "usage": value, "model": "m", "z": value });
        let text = serde_json::to_vec(&body).unwrap();
        let mut members = TopMembers::new(&["usage", "model"]);
        members.feed(&text);
        prop_assert!(members.closed());
        prop_assert_eq!(members.get("model"), Some(&b"\"m\""[..]));
        let kept: serde_json::Value = serde_json::from_slice(members.get("usage").unwrap()).unwrap();
        prop_assert_eq!(&kept, &body["usage"]);
    }
}
