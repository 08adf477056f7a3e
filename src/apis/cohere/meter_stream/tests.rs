use proptest::prelude::*;

use super::*;
use crate::apis::Meter;

const START: &str =
    r#"{"id":"c14c80c3","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#;
const BEGUN: &str = r#"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"#;
const HELLO: &str = r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hel\"lo é"}}}}"#;
const CITED: &str = r#"{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":5,"text":"Hello","sources":[{"type":"document","id":"doc:0","document":{"snippet":"a very long text that was in the prompt"}}]}}}}"#;
const CITED_END: &str = r#"{"type":"citation-end","index":0}"#;
const ENDED: &str = r#"{"type":"content-end","index":0}"#;
const PLAN: &str = r#"{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}"#;
const CALL: &str =
    r#"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"f_1","type":"function","function":{"name":"f","arguments":""}}}}}"#;
const ARGUMENTS: &str = r#"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\":1"}}}}}"#;
const STOP: &str = r#"{"id":"c14c80c3","type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":17.0,"output_tokens":12.0},"tokens":{"input_tokens":215.0,"output_tokens":14.0}}}}"#;
const FAILED: &str = r#"{"type":"message-end","delta":{"finish_reason":"ERROR","error":"the model broke down"}}"#;

/// The events as the provider sends them, each named for its type.
fn events(line_end: &str, data: &[&str]) -> String {
    let name = |data: &str| serde_json::from_str::<Value>(data).unwrap()["type"].as_str().unwrap().to_owned();
    data.iter().map(|data| format!("event: {}{line_end}data: {data}{line_end}{line_end}", name(data))).collect()
}

struct Run {
    passed: String,
    held: String,
    measured: Measured,
    terminal: bool,
}

fn run(chunks: &[&[u8]]) -> Run {
    let mut meter = StreamMeter::begin();
    let mut pass = Vec::new();
    for chunk in chunks {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
    }
    meter.end(&mut pass);
    let text = |pieces: &[Bytes]| String::from_utf8(pieces.concat()).unwrap();
    Run { passed: text(&pass), held: text(&meter.take_held()), measured: meter.measured(), terminal: meter.terminal() }
}

#[test]
fn every_byte_passes_and_the_end_is_kept_back() {
    for line_end in ["\n", "\r\n"] {
        let stream = events(line_end, &[START, BEGUN, HELLO, CITED, CITED_END, ENDED, STOP]);
        let goodbye = format!("data: [DONE]{line_end}{line_end}");
        let run = run(&[stream.as_bytes(), goodbye.as_bytes()]);
        assert_eq!(run.held, events(line_end, &[STOP]) + &goodbye);
        assert_eq!(run.passed + &run.held, stream + &goodbye);
        assert!(run.terminal && run.measured.complete && !run.measured.absurd);
        assert_eq!(run.measured.usage, Some(Usage::default().with(Unit::Input, 17).with(Unit::Output, 12)));
    }
}

#[test]
fn the_end_is_kept_back_wherever_it_is_cut() {
    let stream = events("\n", &[START, BEGUN, HELLO, ENDED]);
    let end = events("\n", &[STOP]);
    let whole = stream.clone() + &end;
    for cut in stream.len()..whole.len() {
        let run = run(&[&whole.as_bytes()[..cut], &whole.as_bytes()[cut..]]);
        assert_eq!((run.passed.as_str(), run.held.as_str(), run.terminal), (stream.as_str(), end.as_str(), true), "{cut}");
    }
}

#[test]
fn what_was_generated_is_counted_and_what_is_cited_is_not() {
    let served = |data: &[&str]| run(&[events("\n", data).as_bytes()]).measured.served_output;
    let hello = served(&[START, HELLO]);
    assert!(hello >= 3 && served(&[START]) == 0);
    // The type of a part counts too: upwards.
    assert_eq!(served(&[START, BEGUN, HELLO, CITED, CITED_END]), hello + served(&[BEGUN]));
    assert!(served(&[START, PLAN, CALL, ARGUMENTS]) >= 6);
    let measured = run(&[events("\n", &[START, HELLO]).as_bytes()]).measured;
    assert_eq!((measured.usage, measured.complete, measured.absurd), (None, false, false));
    assert!(served(&[r#"{"type":"debug","prompt":"x"}"#]) == 0 && run(&[b"data: {\"type\n\n"]).measured.served_output > 0);
}

#[test]
fn an_error_ends_the_stream_without_a_bill() {
    let run = run(&[events("\n", &[START, BEGUN, HELLO, FAILED]).as_bytes()]);
    assert_eq!((run.held, run.terminal), (events("\n", &[FAILED]), true));
    assert_eq!((run.measured.usage, run.measured.complete), (None, true));
    assert!(run.measured.served_output > 0);
    let absurd = STOP.replace("12.0", "-12.0");
    assert!(super::tests::run(&[events("\n", &[START, &absurd]).as_bytes()]).measured.absurd);
}

/// What the meter ends a stream with, after these events.
fn ended(data: &[&str]) -> Option<Vec<Value>> {
    let mut meter = StreamMeter::begin();
    meter.chunk(Bytes::from(events("\n", data)), &mut Vec::new());
    let end = meter.end_at_limit(&Usage::default().with(Unit::Input, 5).with(Unit::Output, 9))?;
    let text = String::from_utf8(end.to_vec()).unwrap();
    let event = |event: &str| {
        let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["type"], name);
        data
    };
    Some(text.split_terminator("\n\n").map(event).collect())
}

#[test]
fn a_limit_ends_the_stream_as_the_api_does() {
    let units = json!({"input_tokens": 5, "output_tokens": 9});
    let end = json!({"type": "message-end", "id": "c14c80c3", "delta": {"finish_reason": "MAX_TOKENS", "usage": {"billed_units": units, "tokens": units}}});
    assert_eq!(ended(&[START]), Some(vec![end.clone()]));
    assert_eq!(ended(&[START, BEGUN, HELLO]), Some(vec![json!({"type": "content-end", "index": 0}), end.clone()]));
    assert_eq!(ended(&[START, BEGUN, HELLO, ENDED]), Some(vec![end.clone()]));
    assert_eq!(ended(&[START, PLAN, CALL, ARGUMENTS]), Some(vec![json!({"type": "tool-call-end", "index": 0}), end.clone()]));
    let both = vec![json!({"type": "citation-end", "index": 0}), json!({"type": "content-end", "index": 0}), end];
    assert_eq!(ended(&[START, BEGUN, HELLO, CITED]), Some(both));
    assert_eq!((ended(&[]), ended(&[START, STOP])), (None, None));
}

proptest! {
    #[test]
    fn cuts_make_no_difference(cuts in prop::collection::vec(0..1_000_usize, 0..12)) {
        let stream = events("\r\n", &[START, BEGUN, HELLO, CITED, CITED_END, ENDED, STOP]);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % stream.len()).collect();
        cuts.sort_unstable();
        let mut chunks = Vec::new();
        let mut at = 0;
        for cut in cuts.into_iter().chain([stream.len()]) {
            chunks.push(&stream.as_bytes()[at..cut]);
            at = cut;
        }
        let run = run(&chunks);
        prop_assert_eq!(run.passed + &run.held, stream);
        prop_assert_eq!(run.measured.usage.map(|usage| usage.get(Unit::Output)), Some(12));
    }
}
