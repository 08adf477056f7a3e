use bytes::Bytes;

use super::*;
use crate::apis::Meter;
use crate::prices::{Unit, Usage};

const CHAT: &str = r#"{"id":"1","finish_reason":"COMPLETE","message":{"role":"assistant","tool_plan":"I will {\"usage\":1}","content":[{"type":"text","text":"hello"}]},
  "usage":{"billed_units":{"input_tokens":5.0,"output_tokens":4.0},"tokens":{"input_tokens":71.0,"output_tokens":418.0}}}"#;

fn run(kind: Kind, chunks: &[&[u8]]) -> (Measured, Vec<u8>) {
    let mut meter = WholeMeter::new(kind);
    let mut pass = Vec::new();
    for chunk in chunks {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
        assert!(pass.is_empty() && !meter.terminal());
    }
    meter.end(&mut pass);
    pass.extend(meter.take_held());
    (meter.measured(), pass.concat())
}

#[test]
fn reads_what_each_operation_bills() {
    for cut in 0..CHAT.len() {
        let (measured, bytes) = run(Kind::Chat, &[&CHAT.as_bytes()[..cut], &CHAT.as_bytes()[cut..]]);
        assert_eq!(bytes, CHAT.as_bytes());
        assert_eq!(measured.usage, Some(Usage::default().with(Unit::Input, 5).with(Unit::Output, 4)));
        assert!(measured.complete && measured.served_output >= ("I will {\"usage\":1}".len() + 5) as u64);
    }
    let embed = br#"{"id":"1","embeddings":{"float":[[0.1,0.2]]},"texts":["x"],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":2.0}}}"#;
    let measured = run(Kind::Embed, &[embed]).0;
    assert_eq!((measured.usage, measured.served_output), (Some(Usage::default().with(Unit::Input, 2)), 0));
    let ranked = br#"{"results":[{"index":0,"relevance_score":0.5}],"meta":{"billed_units":{"search_units":1.0}}}"#;
    assert_eq!(run(Kind::Rerank, &[ranked]).0.usage, Some(Usage::default().with(Unit::SearchUnits, 1)));
}

#[test]
fn cut_and_odd_answers_are_not_complete() {
    let (measured, _) = run(Kind::Chat, &[&CHAT.as_bytes()[..150]]);
    assert!(!measured.complete && measured.usage.is_none() && measured.served_output > 0);
    assert!(run(Kind::Chat, &[CHAT.replace("4.0", "-4.0").as_bytes()]).0.absurd);
    for odd in ["", "[]", "null", "<html>", r#"{"usage":null}"#, r#"{"message":"invalid api token"}"#] {
        let measured = run(Kind::Chat, &[odd.as_bytes()]).0;
        assert_eq!((measured.usage, measured.absurd), (None, false), "{odd}");
    }
}
