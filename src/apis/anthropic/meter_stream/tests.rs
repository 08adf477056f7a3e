use proptest::prelude::*;

use bytes::Bytes;

use super::*;
use crate::apis::Meter;
use crate::apis::event_meter::MAX_EVENT;
use crate::prices::Usage;

const START: &str = r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"claude-x","content":[],"usage":{"input_tokens":9,"cache_creation_input_tokens":6,"cache_read_input_tokens":2,"cache_creation":{"ephemeral_5m_input_tokens":4,"ephemeral_1h_input_tokens":2},"output_tokens":1,"service_tier":"standard"}}}"#;
const BEGUN: &str = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
const HELLO: &str = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel\"lo é \"usage\":null"}}"#;
const TOOL: &str = r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1"}}"#;
const CITED: &str =
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"cited_text":"a very long text that was in the prompt"}}}"#;
const PING: &str = r#"{"type": "ping"}"#;
const ENDED: &str = r#"{"type":"content_block_stop","index":0}"#;
const DELTA: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":12}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;
const ERROR: &str = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;

fn meter() -> StreamMeter {
    StreamMeter::of(&Bound { choices: 1, ..Bound::default() })
}

#[derive(Debug, PartialEq)]
struct Run {
    passed: String,
    held: String,
    measured: Measured,
    terminal: bool,
}

fn run(chunks: &[&[u8]]) -> Run {
    let mut meter = meter();
    let mut pass = Vec::new();
    for chunk in chunks {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
    }
    meter.end(&mut pass);
    assert!(pass.iter().all(|piece| !piece.is_empty()));
    let text = |pieces: &[Bytes]| String::from_utf8(pieces.concat()).unwrap();
    Run { passed: text(&pass), held: text(&meter.take_held()), measured: meter.measured(), terminal: meter.terminal() }
}

/// The events as the provider sends them, each named for its type.
fn events(line_end: &str, data: &[&str]) -> String {
    let name = |data: &str| serde_json::from_str::<serde_json::Value>(data).unwrap()["type"].as_str().unwrap().to_owned();
    data.iter().map(|data| format!("event: {}{line_end}data: {data}{line_end}{line_end}", name(data))).collect()
}

fn told(output: u64) -> Usage {
    Usage::default().with(Unit::Input, 9).with(Unit::CacheRead, 2).with(Unit::CacheWrite, 4).with(Unit::CacheWrite1h, 2).with(Unit::Output, output)
}

#[test]
fn every_byte_passes_and_the_end_is_kept_back() {
    for line_end in ["\n", "\r\n", "\r"] {
        let stream = events(line_end, &[START, BEGUN, PING, HELLO, CITED, ENDED, DELTA, STOP]);
        let run = run(&[stream.as_bytes()]);
        assert_eq!(run.held, events(line_end, &[STOP]));
        assert_eq!(run.passed + &run.held, stream);
        assert!(run.terminal && run.measured.complete && !run.measured.absurd);
        assert_eq!(run.measured.usage, Some(told(12)));
        assert_eq!(run.measured.model.as_deref(), Some("claude-x"));
        assert_eq!(run.measured.service_tier.as_deref(), Some("standard"));
    }
}

#[test]
fn events_are_not_copied_and_do_not_wait() {
    let stream = Bytes::from(events("\n", &[START, HELLO, HELLO]));
    let mut meter = meter();
    let mut pass = Vec::new();
    meter.chunk(stream.clone(), &mut pass);
    assert_eq!((pass.len(), pass[0].as_ptr(), pass[0].len()), (1, stream.as_ptr(), stream.len()));
}

#[test]
fn the_end_is_kept_back_wherever_it_is_cut() {
    let stream = events("\n", &[START, DELTA]);
    let end = events("\n", &[STOP]) + "\n: after\n\n";
    let whole = stream.clone() + &end;
    for cut in stream.len()..whole.len() {
        let run = run(&[&whole.as_bytes()[..cut], &whole.as_bytes()[cut..]]);
        assert_eq!((run.passed.as_str(), run.held.as_str()), (stream.as_str(), end.as_str()), "{cut}");
    }
    for last in [
        "data:{\"type\":\"message_stop\"}\n\n",
        "event: message_stop\ndata: { \"x\":1, \"type\" : \"message_stop\" }\r\n\r\n",
        "data: {\"type\":\"message_stop\"}",
    ] {
        let run = run(&[last.as_bytes()]);
        assert_eq!((run.held.as_str(), run.terminal), (last, true));
    }
}

#[test]
fn a_cut_stream_tells_its_input_and_what_passed() {
    let stream = events("\n", &[START, BEGUN, HELLO, TOOL]);
    let measured = run(&[stream.as_bytes()]).measured;
    assert_eq!((measured.usage, measured.complete, measured.absurd), (None, false, false));
    assert_eq!(measured.input, Some(told(0)));
    let least = r#"Hel"lo é "usage":null{"a":1"#.len() as u64;
    assert!((least..least + 12).contains(&measured.served_output), "{}", measured.served_output);
    // Where tools at the provider add to the input, the first count of it is not the last.
    let mut looping = StreamMeter::of(&Bound { choices: 3, ..Bound::default() });
    looping.chunk(Bytes::from(stream), &mut Vec::new());
    assert_eq!(looping.measured().input, None);
}

#[test]
fn an_error_within_the_stream_is_not_its_end() {
    let stream = events("\n", &[START, HELLO, ERROR]);
    let run = run(&[stream.as_bytes()]);
    assert_eq!((run.passed.as_str(), run.held.as_str(), run.terminal), (stream.as_str(), "", false));
    assert_eq!((run.measured.usage, run.measured.input), (None, Some(told(0))));
}

#[test]
fn usage_is_whole_once_the_model_has_stopped() {
    let stopped = run(&[events("\n", &[START, HELLO, DELTA]).as_bytes()]).measured;
    assert_eq!((stopped.usage, stopped.complete), (Some(told(12)), true));
    let unstopped = DELTA.replace("\"end_turn\"", "null");
    assert_eq!(run(&[events("\n", &[START, HELLO, &unstopped]).as_bytes()]).measured.usage, None);
    assert_eq!(run(&[events("\n", &[START, &unstopped, STOP]).as_bytes()]).measured.usage, Some(told(12)));
    // No usage at the end: what the first event says of the output is not what it came to.
    let silent = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
    let measured = run(&[events("\n", &[START, HELLO, silent, STOP]).as_bytes()]).measured;
    assert_eq!((measured.usage, measured.input), (None, Some(told(0))));
}

#[test]
fn absurd_usage_is_none() {
    for (from, to) in [("\"output_tokens\":12", "\"output_tokens\":-12"), ("\"input_tokens\":9", "\"input_tokens\":1.5")] {
        let stream = events("\n", &[START, DELTA, STOP]).replace(from, to);
        let measured = run(&[stream.as_bytes()]).measured;
        assert_eq!((measured.usage, measured.input, measured.absurd), (None, None, true), "{to}");
    }
}

#[test]
fn thinking_that_is_not_shown_counts_by_its_signature() {
    let signed = format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"signature_delta","signature":"{}"}}}}"#, "s".repeat(400));
    assert!(run(&[events("\n", &[START, &signed]).as_bytes()]).measured.served_output >= 400);
}

#[test]
fn giant_events_pass_in_bounded_memory() {
    let stream = format!(
        "{}data: {{\"type\":\"content_block_start\",\"content_block\":{{\"type\":\"web_search_tool_result\",\"content\":\"{}\"}}}}\n\n{}",
        events("\n", &[START]),
        "y".repeat(9 << 20),
        events("\n", &[DELTA, STOP])
    );
    let mut meter = meter();
    let mut pass = Vec::new();
    for chunk in stream.as_bytes().chunks(65_536) {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
        assert!(meter.partial.len() <= MAX_EVENT);
    }
    assert!(meter.terminal() && meter.measured().served_output >= 9 << 20);
    assert_eq!(meter.measured().usage, Some(told(12)));
    assert_eq!([pass.concat(), meter.take_held().concat()].concat(), stream.as_bytes());
}

#[test]
fn odd_bytes_do_no_harm() {
    for odd in [&b"\xff\xfe\0"[..], b"\r", b"\n\n", b"data", b"data: {\n\n", b"data: []\n\n", b"data: {\"type\":3,\"message\":{\"usage\":7},\"delta\":[]}\n\n"]
    {
        let mut meter = meter();
        let mut pass = Vec::new();
        meter.chunk(Bytes::copy_from_slice(odd), &mut pass);
        meter.end(&mut pass);
        assert_eq!((pass.concat(), meter.measured().usage), (odd.to_vec(), None));
    }
}

fn any_event() -> impl Strategy<Value = String> {
    let data = prop::sample::select(vec![START, BEGUN, HELLO, TOOL, CITED, PING, ENDED, DELTA, ERROR]);
    (data, prop::sample::select(vec!["\n", "\r\n", "\r"])).prop_map(|(data, end)| events(end, &[data]))
}

proptest! {
    #[test]
    fn cuts_make_no_difference(stream in prop::collection::vec(any_event(), 0..8), stop in any::<bool>(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let stream = stream.concat() + &if stop { events("\r\n", &[STOP]) } else { String::new() };
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).chain([stream.len()]).collect();
        cuts.sort_unstable();
        let mut at = 0;
        let mut chunks = Vec::new();
        for cut in cuts {
            chunks.push(&stream.as_bytes()[at..cut]);
            at = cut;
        }
        let whole = run(&[stream.as_bytes()]);
        prop_assert_eq!(&run(&chunks), &whole);
        prop_assert_eq!(whole.passed + &whole.held, stream);
        prop_assert_eq!(whole.terminal, stop);
    }

    /// A stream counts what the same answer counts when it is not streamed.
    #[test]
    fn streamed_and_whole_usage_are_the_same(input in 0..1_u64 << 40, read in 0..9_999_u64, short in 0..9_999_u64, long in 0..9_999_u64, output in 0..9_999_u64, searches in 0..9_u64, fast in any::<bool>()) {
        let speed = if fast { "fast" } else { "standard" };
        let first = format!(r#""input_tokens":{input},"cache_read_input_tokens":{read},"cache_creation_input_tokens":{},"cache_creation":{{"ephemeral_5m_input_tokens":{short},"ephemeral_1h_input_tokens":{long}}},"speed":"{speed}""#, short + long);
        let last = format!(r#""output_tokens":{output},"server_tool_use":{{"web_search_requests":{searches},"web_fetch_requests":0}}"#);
        let start = format!(r#"{{"type":"message_start","message":{{"model":"m","usage":{{{first},"output_tokens":1}}}}}}"#);
        let delta = format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{{{last}}}}}"#);
        let streamed = run(&[events("\n", &[&start, HELLO, &delta, STOP]).as_bytes()]).measured;
        let mut whole = super::super::meter_whole::WholeMeter::new(&Bound::default());
        whole.chunk(Bytes::from(format!(r#"{{"model":"m","content":[{{"type":"text","text":"x"}}],"usage":{{{first},{last}}}}}"#)), &mut Vec::new());
        whole.end(&mut Vec::new());
        let whole = whole.measured();
        prop_assert_eq!(streamed.usage.unwrap().get(Unit::CacheWrite1h), long);
        prop_assert_eq!((streamed.usage, streamed.model, streamed.service_tier), (whole.usage, whole.model, whole.service_tier));
    }
}
