use super::*;
use crate::apis::Operation;
use crate::apis::gemini::{GENERATE, STREAM_GENERATE};

const FIRST: &str = r#"{"candidates":[{"content":{"parts":[{"text":"Hello"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9},"modelVersion":"gemini-3.8-flash","responseId":"r"}"#;
const MIDDLE: &str = r#"{"candidates":[{"content":{"parts":[{"text":" there ]}, "}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":2,"thoughtsTokenCount":40,"totalTokenCount":51}}"#;
const LAST: &str = r#"{"candidates":[{"content":{"parts":[{"text":"!"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3,"thoughtsTokenCount":40,"totalTokenCount":52}}"#;
const SOURCES: &str = r#"{"candidates":[{"content":{"role":"model"},"finishReason":"STOP","index":0,"groundingMetadata":{"webSearchQueries":["x","y"]}}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":4,"thoughtsTokenCount":40,"totalTokenCount":53}}"#;
const FAILED: &str = r#"{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}"#;

fn ask(body: &str, stream: bool) -> Ask {
    crate::apis::gemini::ask::read("gemini-3.8-flash", body.as_bytes(), stream).unwrap()
}

fn plain(stream: bool) -> Ask {
    ask(r#"{"contents":[{"parts":[{"text":"hi"}]}]}"#, stream)
}

fn usage(output: u64, searches: u64) -> Option<Usage> {
    Some(Usage::default().with(Unit::Input, 9).with(Unit::Output, output).with(Unit::OutputReasoning, 40).with(Unit::WebSearches, searches))
}

struct Run {
    passed: String,
    held: String,
    measured: Measured,
    terminal: bool,
}

fn run(meter: &mut dyn Meter, chunks: &[&[u8]]) -> Run {
    let mut pass = Vec::new();
    for chunk in chunks {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
    }
    let before = meter.terminal();
    meter.end(&mut pass);
    assert!(pass.iter().all(|piece| !piece.is_empty()));
    let text = |pieces: &[Bytes]| String::from_utf8(pieces.concat()).unwrap();
    Run { passed: text(&pass), held: text(&meter.take_held()), measured: meter.measured(), terminal: before }
}

fn events(pieces: &[&str]) -> String {
    pieces.iter().map(|piece| format!("data: {piece}\r\n\r\n")).collect()
}

fn list(pieces: &[&str]) -> String {
    format!("[{}\n]\n", pieces.join("\n,\r\n"))
}

#[test]
fn events_pass_but_for_what_may_be_the_last() {
    let stream = events(&[FIRST, MIDDLE, LAST]) + "\n";
    for split in 1..40 {
        let chunks: Vec<&[u8]> = stream.as_bytes().chunks(split).collect();
        let run = run(&mut *STREAM_GENERATE.meter(&plain(true), true), &chunks);
        assert!(!run.terminal, "only the end of the body is the end");
        assert_eq!(run.held, events(&[LAST]) + "\n");
        assert_eq!(run.passed + &run.held, stream);
        assert_eq!((run.measured.usage, run.measured.complete, run.measured.model.as_deref()), (usage(3, 0), true, Some("gemini-3.8-flash")));
    }
    let run = run(&mut *STREAM_GENERATE.meter(&plain(true), true), &[stream.as_bytes()]);
    assert_eq!((run.held, run.measured.usage), (events(&[LAST]) + "\n", usage(3, 0)));
}

#[test]
fn what_follows_the_end_counts_too() {
    let asked = ask(r#"{"contents":[{"parts":[{"text":"hi"}]}],"tools":[{"googleSearch":{}}]}"#, true);
    let stream = events(&[FIRST, LAST, SOURCES]);
    for split in [1, 7, 1_000] {
        let chunks: Vec<&[u8]> = stream.as_bytes().chunks(split).collect();
        let run = run(&mut *STREAM_GENERATE.meter(&asked, true), &chunks);
        assert_eq!((run.held, run.measured.usage), (events(&[SOURCES]), usage(4, 2)));
        assert_eq!(run.measured.input, None, "what searches bring is no part of the prompt");
    }
    let whole = list(&[FIRST, LAST, SOURCES]);
    for split in [1, 7, 1_000] {
        let chunks: Vec<&[u8]> = whole.as_bytes().chunks(split).collect();
        let run = run(&mut *STREAM_GENERATE.meter(&asked, false), &chunks);
        assert_eq!((run.held.as_str(), run.measured.usage), ("}\n]\n", usage(4, 2)));
        assert_eq!(run.passed + &run.held, whole);
    }
}

#[test]
fn a_list_flows_and_its_end_is_kept_back() {
    let whole = list(&[FIRST, MIDDLE, LAST]);
    for split in 1..60 {
        let mut meter = STREAM_GENERATE.meter(&plain(true), false);
        let chunks: Vec<&[u8]> = whole.as_bytes().chunks(split).collect();
        let run = run(&mut *meter, &chunks);
        assert_eq!(run.held, "}\n]\n", "{split}");
        assert_eq!(run.passed + &run.held, whole);
        assert_eq!((run.measured.usage, run.measured.complete), (usage(3, 0), true));
    }
    // What has come is not kept waiting.
    let mut meter = STREAM_GENERATE.meter(&plain(true), false);
    let mut pass = Vec::new();
    meter.chunk(Bytes::from(format!("[{FIRST}")), &mut pass);
    assert_eq!(pass.concat(), format!("[{FIRST}").as_bytes());
    // Without an end of its own, the list's.
    let open = list(&[FIRST, MIDDLE]);
    let run = run(&mut *STREAM_GENERATE.meter(&plain(true), false), &[open.as_bytes()]);
    assert_eq!((run.held.as_str(), run.measured.usage, run.measured.complete), ("]\n", None, false));
}

#[test]
fn an_answer_without_an_end_is_not_all_of_it() {
    let cut = run(&mut *STREAM_GENERATE.meter(&plain(true), true), &[events(&[FIRST, MIDDLE]).as_bytes()]);
    assert_eq!((cut.held.as_str(), cut.measured.usage, cut.measured.complete), ("", None, false));
    assert_eq!(cut.measured.input, Some(Usage::default().with(Unit::Input, 9)));
    assert!(cut.measured.served_output >= 40 + 15, "the thoughts that were told of, and what was said: {}", cut.measured.served_output);
    let failed = run(&mut *STREAM_GENERATE.meter(&plain(true), true), &[events(&[FIRST, FAILED]).as_bytes()]);
    assert_eq!((failed.held, failed.measured.usage, failed.measured.complete), (events(&[FAILED]), None, false));
    let two = ask(r#"{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"candidateCount":2}}"#, true);
    let one_of_two = run(&mut *STREAM_GENERATE.meter(&two, true), &[events(&[LAST]).as_bytes()]);
    assert_eq!((one_of_two.measured.usage, one_of_two.measured.complete), (usage(3, 0), false), "the other may still come");
    let absurd = LAST.replace("\"promptTokenCount\":9", "\"promptTokenCount\":-9");
    let absurd = run(&mut *STREAM_GENERATE.meter(&plain(true), true), &[events(&[&absurd]).as_bytes()]);
    assert!(absurd.measured.absurd && absurd.measured.usage.is_none() && absurd.measured.input.is_none());
}

#[test]
fn a_whole_answer_is_kept_back_until_it_is_charged() {
    for split in [1, 50, 10_000] {
        let chunks: Vec<&[u8]> = SOURCES.as_bytes().chunks(split).collect();
        let run = run(&mut *GENERATE.meter(&plain(false), false), &chunks);
        assert_eq!((run.passed.as_str(), run.held.as_str(), run.measured.usage, run.measured.complete), ("", SOURCES, usage(4, 2), true));
    }
    // A picture of megabytes flows, but for its last bytes.
    let large = LAST.replace("\"text\":\"!\"", &format!("\"inlineData\":{{\"data\":\"{}\"}}", "A".repeat(3 << 20)));
    let chunks: Vec<&[u8]> = large.as_bytes().chunks(8_000).collect();
    let run = run(&mut *GENERATE.meter(&plain(false), false), &chunks);
    assert!(run.held.len() <= 8_000 && !run.held.is_empty());
    assert_eq!((run.measured.usage, run.measured.complete), (usage(3, 0), true));
    let cut = run_cut(&large);
    assert_eq!((cut.usage, cut.complete), (None, false));
    assert!(cut.served_output > 1 << 20);
}

fn run_cut(large: &str) -> Measured {
    run(&mut *GENERATE.meter(&plain(false), false), &[&large.as_bytes()[..2 << 20]]).measured
}

#[test]
fn a_stream_can_be_ended_as_at_its_limit() {
    let usage = Usage::default().with(Unit::Input, 9).with(Unit::Output, 5).with(Unit::OutputReasoning, 2);
    let mut pass = Vec::new();
    let mut meter = STREAM_GENERATE.meter(&plain(true), true);
    meter.chunk(Bytes::from(events(&[FIRST])), &mut pass);
    let end = meter.end_at_limit(&usage).unwrap();
    let text = std::str::from_utf8(&end).unwrap();
    let piece: Value = serde_json::from_str(text.strip_prefix("data: ").unwrap().trim_end()).unwrap();
    assert_eq!(piece["candidates"][0]["finishReason"], "MAX_TOKENS");
    assert_eq!(piece["usageMetadata"], json!({"promptTokenCount": 9, "candidatesTokenCount": 5, "thoughtsTokenCount": 2, "totalTokenCount": 16}));
    assert_eq!((&piece["modelVersion"], &piece["responseId"]), (&json!("gemini-3.8-flash"), &json!("r")));
    // What ends already is not ended twice.
    meter.chunk(Bytes::from(events(&[LAST])), &mut pass);
    assert_eq!(meter.end_at_limit(&usage), None);
    for (front, follows) in [
        (String::new(), None),
        ("[".to_owned(), Some(1)),
        (format!("[{FIRST}"), Some(2)),
        (format!("[{FIRST}\n,"), Some(2)),
        (format!("[{FIRST},{{\"cand"), None),
    ] {
        let mut meter = STREAM_GENERATE.meter(&plain(true), false);
        let mut pass = Vec::new();
        meter.chunk(Bytes::from(front.clone()), &mut pass);
        let end = meter.end_at_limit(&usage);
        let whole = end.map(|end| serde_json::from_str::<Value>(&(front.clone() + std::str::from_utf8(&end).unwrap())).unwrap());
        assert_eq!(whole.map(|whole| whole.as_array().unwrap().len()), follows, "{front}");
    }
}
