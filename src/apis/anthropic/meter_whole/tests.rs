use proptest::prelude::*;

use bytes::Bytes;

use super::*;
use crate::apis::Meter;
use crate::prices::Usage;

const ANSWER: &str = r#"{ "id":"msg_1","type":"message","model":"claude-\"x","content":[{"type":"text","text":"{\"usage\":{\"input_tokens\":1}} \\"},{"type":"tool_use","input":{"usage":{"input_tokens":9,"output_tokens":9}}}],
  "stop_reason":"end_turn", "usage" : {"input_tokens": 12, "cache_read_input_tokens":2,"output_tokens":7,"service_tier":"priority"} }
"#;

fn run(chunks: &[&[u8]]) -> (Measured, Vec<u8>) {
    let mut meter = WholeMeter::new(&Bound::default());
    let mut pass = Vec::new();
    for chunk in chunks {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
        assert!(pass.is_empty() && !meter.terminal());
    }
    meter.end(&mut pass);
    assert!(meter.terminal());
    pass.extend(meter.take_held());
    (meter.measured(), pass.concat())
}

#[test]
fn reads_the_message_s_own_usage() {
    let (measured, bytes) = run(&[ANSWER.as_bytes()]);
    assert_eq!(bytes, ANSWER.as_bytes());
    assert_eq!(measured.usage, Some(Usage::default().with(Unit::Input, 12).with(Unit::CacheRead, 2).with(Unit::Output, 7)));
    assert_eq!((measured.model.as_deref(), measured.service_tier.as_deref()), (Some("claude-\"x"), Some("priority")));
    assert!(measured.complete && measured.served_output >= 30);
}

#[test]
fn cut_and_odd_answers_are_not_complete() {
    let (measured, _) = run(&[&ANSWER.as_bytes()[..200]]);
    assert!(!measured.complete && measured.usage.is_none() && measured.served_output > 0);
    let absurd = ANSWER.replace("\"output_tokens\":7", "\"output_tokens\":-7");
    assert!(run(&[absurd.as_bytes()]).0.absurd);
    for odd in ["", "[]", "null", "<html>usage</html>", "{\"usage\":null}", r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#] {
        let measured = run(&[odd.as_bytes()]).0;
        assert_eq!((measured.usage, measured.absurd), (None, false), "{odd}");
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
        prop_assert_eq!(run(&chunks), run(&[ANSWER.as_bytes()]));
    }
}
