use proptest::prelude::*;

use bytes::Bytes;

use super::*;
use crate::apis::Meter;
use crate::apis::event_meter::MAX_EVENT;

const ROLE: &str = r#"{"id":"c","object":"chat.completion.chunk","model":"gpt-4o-2024-08-06","service_tier":"default","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#;
const HELLO: &str = r#"{"id":"c","object":"chat.completion.chunk","model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":"Hel\"lo é \"usage\":null"},"finish_reason":null}], "usage" : null , "obfuscation":"x"}"#;
const USAGE: &str = r#"{"id":"c","object":"chat.completion.chunk","model":"gpt-4o-2024-08-06","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}"#;
const BOTH: &str =
    r#"{"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}, "choices":[{"index":0,"delta":{"content":"!"},"finish_reason":"stop"}]}"#;
const ERROR: &str = r#"{"error":{"message":"overloaded","type":"server_error"}}"#;

/// What the events above read without the usage.
const ROLE_HIDDEN: &str = r#"{"id":"c","object":"chat.completion.chunk","model":"gpt-4o-2024-08-06","service_tier":"default","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
const HELLO_HIDDEN: &str = r#"{"id":"c","object":"chat.completion.chunk","model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":"Hel\"lo é \"usage\":null"},"finish_reason":null}] , "obfuscation":"x"}"#;
const BOTH_HIDDEN: &str = r#"{"choices":[{"index":0,"delta":{"content":"!"},"finish_reason":"stop"}]}"#;

#[derive(Debug, PartialEq)]
struct Run {
    passed: String,
    held: String,
    measured: Measured,
    terminal: bool,
}

fn run(chunks: &[&[u8]], hides: bool) -> Run {
    let mut meter = StreamMeter::of(hides, 0, false);
    let mut pass = Vec::new();
    for chunk in chunks {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
    }
    meter.end(&mut pass);
    assert!(pass.iter().all(|piece| !piece.is_empty()));
    let text = |pieces: &[Bytes]| String::from_utf8(pieces.concat()).unwrap();
    Run { passed: text(&pass), held: text(&meter.take_held()), measured: meter.measured(), terminal: meter.terminal() }
}

fn events(line_end: &str, data: &[&str]) -> String {
    data.iter().map(|data| format!("data: {data}{line_end}{line_end}")).collect()
}

fn golden(line_end: &str) -> String {
    format!(": hello{line_end}{line_end}{}", events(line_end, &[ROLE, HELLO, BOTH, USAGE, "[DONE]"]))
}

#[test]
fn a_client_that_asked_gets_every_byte() {
    for line_end in ["\n", "\r\n", "\r"] {
        let stream = golden(line_end);
        let run = run(&[stream.as_bytes()], false);
        assert_eq!(run.held, events(line_end, &["[DONE]"]));
        assert_eq!(run.passed + &run.held, stream);
        assert!(run.terminal && run.measured.complete);
        // The last usage counts, and is not added to the one before.
        assert_eq!(run.measured.usage, Some(Usage::default().with(Unit::Input, 9).with(Unit::Output, 3)));
        assert_eq!(run.measured.model.as_deref(), Some("gpt-4o-2024-08-06"));
        assert_eq!(run.measured.service_tier.as_deref(), Some("default"));
    }
}

#[test]
fn a_client_that_did_not_ask_sees_no_usage() {
    for line_end in ["\n", "\r\n", "\r"] {
        let run = run(&[golden(line_end).as_bytes()], true);
        assert_eq!(run.passed, format!(": hello{line_end}{line_end}{}", events(line_end, &[ROLE_HIDDEN, HELLO_HIDDEN, BOTH_HIDDEN])));
        assert_eq!(run.held, events(line_end, &["[DONE]"]));
        assert_eq!(run.measured.usage, Some(Usage::default().with(Unit::Input, 9).with(Unit::Output, 3)));
    }
}

#[test]
fn untouched_events_are_not_copied() {
    let stream = Bytes::from(events("\n", &[BOTH, BOTH, BOTH]));
    let mut meter = StreamMeter::of(false, 0, false);
    let mut pass = Vec::new();
    meter.chunk(stream.clone(), &mut pass);
    assert_eq!(pass.len(), 1);
    assert_eq!(pass[0].as_ptr(), stream.as_ptr());
}

#[test]
fn complete_events_do_not_wait() {
    for hides in [false, true] {
        let mut meter = StreamMeter::of(hides, 0, false);
        let event = events("\n", &[BOTH_HIDDEN]);
        for _ in 0..3 {
            let mut pass = Vec::new();
            meter.chunk(Bytes::from(event.clone()), &mut pass);
            assert_eq!(pass.concat(), event.as_bytes());
        }
    }
    // Nor does a half of one that the client may see as it is, once it cannot be the last.
    let mut meter = StreamMeter::of(false, 0, false);
    let mut pass = Vec::new();
    meter.chunk(Bytes::copy_from_slice(&events("\n", &[BOTH]).as_bytes()[..80]), &mut pass);
    assert_eq!(pass.concat().len(), 80);
}

#[test]
fn the_end_is_kept_back_wherever_it_is_cut() {
    let stream = events("\n", &[BOTH, "[DONE]"]) + ": after\n\n";
    let end = stream.find("data: [DONE]").unwrap();
    for hides in [false, true] {
        for cut in end..stream.len() {
            let run = run(&[&stream.as_bytes()[..cut], &stream.as_bytes()[cut..]], hides);
            assert_eq!(run.held, "data: [DONE]\n\n: after\n\n", "{cut}");
        }
    }
    for done in ["data:[DONE]\n\n", "data: [DONE]\r\n\r\n", ": x\ndata: [DONE]\n\n", "data: [DONE]", "data: [DONE]\n"] {
        let run = run(&[done.as_bytes()], true);
        assert_eq!((run.held.as_str(), run.terminal), (done, true));
    }
}

#[test]
fn errors_and_cuts_are_not_the_end() {
    let stream = events("\n", &[HELLO, ERROR]);
    let seen = run(&[stream.as_bytes()], true);
    assert!(seen.passed.ends_with(&events("\n", &[ERROR])) && !seen.measured.complete && !seen.terminal);
    let cut = &stream.as_bytes()[..40];
    let seen = run(&[cut], true);
    assert_eq!(seen.passed.as_bytes(), cut);
    assert!(!seen.measured.complete && seen.measured.usage.is_none());
}

#[test]
fn usage_counts_in_a_last_event_without_an_empty_line() {
    let stream = format!("data: {USAGE}\n");
    let run = run(&[stream.as_bytes()], true);
    assert_eq!(run.measured.usage, Some(Usage::default().with(Unit::Input, 9).with(Unit::Output, 3)));
    assert_eq!(run.passed, "");
}

#[test]
fn absurd_usage_is_none() {
    let absurd = USAGE.replace("\"completion_tokens\":3", "\"completion_tokens\":-3");
    assert_eq!(run(&[events("\n", &[USAGE, &absurd, "[DONE]"]).as_bytes()], true).measured.usage, None);
}

#[test]
fn data_on_several_lines_is_read() {
    let stream = "event: x\ndata: {\"choices\":[],\ndata: \"usage\":{\"prompt_tokens\":1,\ndata: \"completion_tokens\":1}}\n\ndata: {\"choices\":[{\"text\":\"a\"}],\ndata: \"usage\":null}\n\n";
    let run = run(&[stream.as_bytes()], true);
    assert_eq!(run.passed, "data: {\"choices\":[{\"text\":\"a\"}]}\n\n");
    assert_eq!(run.measured.usage, Some(Usage::default().with(Unit::Input, 1).with(Unit::Output, 1)));
}

#[test]
fn served_output_is_at_least_the_tokens_seen() {
    let tool = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":1"}}],"reasoning_content":"hm"}}]}"#;
    let seen = run(&[events("\n", &[HELLO, tool, "not json"]).as_bytes()], true).measured.served_output;
    let least = r#"Hel"lo é "usage":null{"a":1hmnot json"#.len() as u64;
    assert!(seen >= least && seen <= least + 20, "{seen} {least}");
}

#[test]
fn giant_events_pass_in_bounded_memory() {
    for hides in [false, true] {
        let stream = format!(
            "{}data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}],\"usage\":null}}\n\n{}",
            events("\n", &[HELLO]),
            "y".repeat(9 << 20),
            events("\n", &[USAGE, "[DONE]"])
        );
        let mut meter = StreamMeter::of(hides, 0, false);
        let mut pass = Vec::new();
        for chunk in stream.as_bytes().chunks(65_536) {
            meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
            assert!(meter.partial.len() <= MAX_EVENT);
        }
        assert!(meter.terminal());
        let measured = meter.measured();
        assert!(measured.served_output >= 9 << 20);
        assert_eq!(measured.usage.unwrap().get(Unit::Output), 3);
        assert!(pass.concat().len() > 9 << 20);
    }
}

#[test]
fn something_can_be_put_in_only_where_no_event_is_torn() {
    let event = events("\n", &[BOTH]);
    let after = |pieces: &[&str], hides: bool| {
        let mut meter = StreamMeter::of(hides, 0, false);
        for piece in pieces {
            meter.chunk(Bytes::copy_from_slice(piece.as_bytes()), &mut Vec::new());
        }
        meter.between_events()
    };
    for hides in [false, true] {
        assert!(after(&[], hides) && after(&[&event], hides));
        // The front of an event is kept back while it may be the last one, or may have to be changed.
        assert!(after(&[&event[..20]], hides));
        assert!(after(&[&event[..80], &event[80..]], hides));
        // The second half of a line end may be to come; the end is the charge's business.
        assert!(!after(&["data: {}\r\n\r"], hides) && after(&["data: {}\r\n\r", "\n"], hides));
        assert!(!after(&["data: [DONE]\n\n"], hides));
        let giant = format!("data: {{\"choices\":[{{\"text\":\"{}", "y".repeat(9 << 20));
        assert!(!after(&[&giant], hides));
    }
    assert!(!after(&[&event[..80]], false) && after(&[&event[..80]], true));
}

#[test]
fn a_cost_counts_where_the_usage_is_told() {
    // As Eden AI sends it: beside the usage, in an event that has a choice all the same.
    let told = r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"content":null}}],"usage":{"prompt_tokens":9,"completion_tokens":1},"cost":4.2e-06}"#;
    let early = r#"{"choices":[],"usage":null,"cost":7}"#;
    let seen = run(&[events("\n", &[early, told, "[DONE]"]).as_bytes()], true);
    assert_eq!(seen.measured.reported_cost.map(Usd::nanos), Some(4_200));
    assert!(seen.passed.contains(r#""delta":{"content":null}}],"cost":4.2e-06}"#), "{}", seen.passed);
    for none in [r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1},"cost":-1}"#, USAGE, early] {
        assert_eq!(run(&[events("\n", &[none, "[DONE]"]).as_bytes()], true).measured.reported_cost, None);
    }
}

#[test]
fn odd_bytes_do_no_harm() {
    for odd in [
        &b"\xff\xfe\0"[..],
        b"\r",
        b"\n",
        b"\r\n\r\n\r\n",
        b"data",
        b"data:",
        b"data: \n\n",
        b"data: {\n\n",
        b"data: []\n\n",
        b"data: {\"choices\":3,\"usage\":\"x\",\"model\":1}\n\n",
        b"data: {\"usage\":null}\n\n",
    ] {
        let mut meter = StreamMeter::of(true, 0, false);
        let mut pass = Vec::new();
        meter.chunk(Bytes::copy_from_slice(odd), &mut pass);
        meter.end(&mut pass);
        assert_eq!(meter.measured().usage, None);
    }
    assert_eq!(run(&[b"data: {\"usage\":null}\n\n"], true).passed, "data: {}\n\n");
}

fn any_event() -> impl Strategy<Value = String> {
    let data = prop::sample::select(vec![ROLE, HELLO, USAGE, BOTH, ERROR, "", "{", "x"]);
    let line_end = prop::sample::select(vec!["\n", "\r\n", "\r"]);
    let before = prop::sample::select(vec!["", ": ping", "event: message"]);
    (data, line_end, before)
        .prop_map(|(data, end, before)| if before.is_empty() { format!("data: {data}{end}{end}") } else { format!("{before}{end}data: {data}{end}{end}") })
}

proptest! {
    #[test]
    fn cuts_make_no_difference(stream in prop::collection::vec(any_event(), 0..8), done in any::<bool>(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20), hides in any::<bool>()) {
        let stream = stream.concat() + if done { "data: [DONE]\r\n\r\n" } else { "" };
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).chain([stream.len()]).collect();
        cuts.sort_unstable();
        let mut at = 0;
        let mut chunks = Vec::new();
        for cut in cuts {
            chunks.push(&stream.as_bytes()[at..cut]);
            at = cut;
        }
        let whole = run(&[stream.as_bytes()], hides);
        prop_assert_eq!(&run(&chunks, hides), &whole);
        if !hides {
            prop_assert_eq!(whole.passed + &whole.held, stream);
        }
    }
}

/// What providers of the same API do with the usage.
#[test]
fn every_provider_s_usage_is_found() {
    let chunk = |choices: &str, more: &str| format!(r#"{{"id":"c","model":"m","choices":[{choices}]{more}}}"#);
    let word = r#"{"index":0,"delta":{"content":"w "},"finish_reason":null}"#;
    let thought = r#"{"index":0,"delta":{"reasoning_content":"hm","content":null},"finish_reason":null}"#;
    let end = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;
    let usage = |completion: u64| format!(r#"{{"prompt_tokens":9,"completion_tokens":{completion},"total_tokens":{},"cost":0.00012}}"#, 9 + completion);
    let expected = Some(Usage::default().with(Unit::Input, 9).with(Unit::Output, 3));
    for stream in [
        // On every chunk the sum so far.
        vec![
            chunk(word, &format!(r#","usage":{}"#, usage(1))),
            chunk(word, &format!(r#","usage":{}"#, usage(2))),
            chunk(end, &format!(r#","usage":{}"#, usage(3))),
        ],
        // On the last chunk with content.
        vec![chunk(word, ""), chunk(end, &format!(r#","usage":{}"#, usage(3)))],
        // In a member of the provider's own.
        vec![chunk(word, r#","x_groq":{"id":"req_1"}"#), chunk(end, &format!(r#","x_groq":{{"id":"req_1","usage":{}}}"#, usage(3)))],
        vec![chunk(end, &format!(r#","x_groq":{{"usage":{}}}"#, usage(1))), chunk("", &format!(r#","usage":{}"#, usage(3)))],
        // Thinking before it speaks.
        vec![chunk(thought, ""), chunk(word, ""), chunk("", &format!(r#","usage":{}"#, usage(3)))],
    ] {
        let mut stream: Vec<&str> = stream.iter().map(String::as_str).collect();
        stream.push("[DONE]");
        let text = format!(": OPENROUTER PROCESSING\n\n{}", events("\n", &stream));
        let asked = run(&[text.as_bytes()], false);
        assert_eq!((asked.measured.usage, asked.passed + &asked.held), (expected, text.clone()));
        let hidden = run(&[text.as_bytes()], true);
        assert_eq!(hidden.measured.usage, expected, "{text}");
        assert!(
            !hidden.passed.contains("\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12,\"cost\":0.00012}}")
                || hidden.passed.contains("x_groq")
        );
        assert_eq!(hidden.passed.matches("w ").count(), text.matches("w ").count(), "no word is lost");
    }
    let cached =
        usage::read(br#"{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23,"prompt_cache_hit_tokens":8,"prompt_cache_miss_tokens":12}"#, true)
            .unwrap();
    assert_eq!((cached.get(Unit::Input), cached.get(Unit::CacheRead)), (12, 8));
}
