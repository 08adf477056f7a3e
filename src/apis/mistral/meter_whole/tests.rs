use bytes::Bytes;

use super::*;
use crate::apis::Meter;

fn run(billed: Billed, body: &str) -> Measured {
    let mut meter = WholeMeter::new(billed);
    let mut pass = Vec::new();
    meter.chunk(Bytes::copy_from_slice(body.as_bytes()), &mut pass);
    meter.end(&mut pass);
    assert!(meter.terminal() && pass.is_empty());
    assert_eq!(meter.take_held().concat(), body.as_bytes());
    meter.measured()
}

const CHAT: Billed = Billed::Tokens { has_output: true };

#[test]
fn reads_tokens_and_their_tier() {
    let body = r#"{"id":"1","model":"mistral-small-2603","choices":[{"message":{"content":"hello"}}],"usage":{"prompt_tokens":16,"completion_tokens":34,"total_tokens":50,"prompt_audio_seconds":null,"service_tier":"priority"}}"#;
    let measured = run(CHAT, body);
    assert_eq!(measured.usage, Some(Usage::default().with(Unit::Input, 16).with(Unit::Output, 34)));
    assert_eq!((measured.service_tier.as_deref(), measured.model.as_deref(), measured.complete), (Some("priority"), Some("mistral-small-2603"), true));
    assert!(measured.served_output >= 5);
    assert!(run(CHAT, &body.replace("34", "-34")).absurd);
    let silent = run(CHAT, r#"{"choices":[{"message":{"content":"hello"}}]}"#);
    assert_eq!((silent.usage, silent.absurd), (None, false));
}

#[test]
fn audio_is_billed_by_its_length_and_not_twice() {
    let measured = run(CHAT, r#"{"usage":{"prompt_audio_seconds":203,"prompt_tokens":4,"total_tokens":3264,"completion_tokens":635}}"#);
    assert_eq!(measured.usage, Some(Usage::default().with(Unit::Input, 4).with(Unit::Output, 635).with(Unit::AudioMillis, 203_000)));
    let cached = run(
        CHAT,
        r#"{"usage":{"prompt_tokens":100,"completion_tokens":5,"total_tokens":105,"num_cached_tokens":64,"prompt_tokens_details":{"cached_tokens":64}}}"#,
    );
    assert_eq!(cached.usage, Some(Usage::default().with(Unit::Input, 36).with(Unit::CacheRead, 64).with(Unit::Output, 5)));
}

#[test]
fn reads_pages() {
    let pages = |unit, body: &str| run(Billed::Pages(unit), body);
    let body = r#"{"pages":[{"index":0,"markdown":"{\"usage_info\":{\"pages_processed\":9}}"}],"model":"mistral-ocr-2512","usage_info":{"pages_processed":3,"doc_size_bytes":1}}"#;
    assert_eq!(pages(Unit::Pages, body).usage, Some(Usage::default().with(Unit::Pages, 3)));
    assert_eq!(pages(Unit::AnnotatedPages, body).usage, Some(Usage::default().with(Unit::AnnotatedPages, 3)));
    for absurd in ["-3", "3.5", "99999999999999", "\"3\""] {
        assert!(pages(Unit::Pages, &body.replace(":3,", &format!(":{absurd},"))).absurd, "{absurd}");
    }
    assert_eq!(pages(Unit::Pages, r#"{"detail":[]}"#).usage, None);
}
