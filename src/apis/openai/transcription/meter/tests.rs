use bytes::Bytes;

use super::*;
use crate::apis::Meter;
use crate::apis::multipart::tests::form;
use crate::apis::recording::tests::wav;
use crate::apis::{Operation, RequestView};
use crate::prices::Unit;

fn ask(model: &str, format: &str) -> Ask {
    let audio = wav(8_000, &[0; 40_000]);
    let (headers, body) = form(&[("model", None, model.as_bytes()), ("response_format", None, format.as_bytes()), ("file", Some("a.wav"), &audio)]);
    let request = RequestView { method: &http::Method::POST, path: "", query: None, headers: &headers, body: &body };
    super::super::TRANSCRIPTIONS.ask(&request).unwrap()
}

fn whole(model: &str, format: &str, answer: &str) -> Measured {
    let mut meter = WholeTranscript::new(&ask(model, format));
    let mut pass = Vec::new();
    for chunk in answer.as_bytes().chunks(5) {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
    }
    meter.end(&mut pass);
    pass.extend(meter.take_held());
    assert_eq!(pass.concat(), answer.as_bytes());
    meter.measured()
}

#[test]
fn the_usage_wins_over_the_duration() {
    let verbose = r#"{"task":"transcribe","duration":8.47,"text":"x","usage":{"type":"duration","seconds":9}}"#;
    assert_eq!(whole("whisper-1", "verbose_json", verbose).usage, Some(usage::of_seconds(9)));
    let old = r#"{"task":"transcribe","duration":8.470000267028809,"text":"x","usage":null}"#;
    assert_eq!(whole("whisper-1", "verbose_json", old).usage, Some(usage::of_seconds(9)));
    let tokens = r#"{"text":"x","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":0,"audio_tokens":14},"output_tokens":45}}"#;
    let measured = whole("gpt-4o-transcribe", "json", tokens);
    assert_eq!(measured.usage, Some(Usage::default().with(Unit::InputAudio, 14).with(Unit::Output, 45)));
    assert!(measured.complete && !measured.absurd);
    // Seconds do not tell what a model costs that is billed by the token.
    let diarized = whole("gpt-4o-transcribe-diarize", "diarized_json", r#"{"duration":8,"text":"x"}"#);
    assert_eq!((diarized.usage, diarized.absurd), (None, false));
    assert!(whole("whisper-1", "json", r#"{"text":"x","usage":{"type":"duration","seconds":-9}}"#).absurd);
}

#[test]
fn plain_text_tells_nothing_whatever_is_said_in_it() {
    for format in ["text", "srt", "vtt"] {
        let measured = whole("whisper-1", format, r#"{"usage":{"type":"duration","seconds":0},"duration":0}"#);
        assert_eq!((measured.usage, measured.absurd, measured.complete), (None, false, true));
    }
    let measured = whole("whisper-1", "json", r#"{"text":"{\"usage\":{\"seconds\":0}}"}"#);
    assert_eq!(measured.usage, None);
    assert!(measured.served_output > 20);
}

#[test]
fn a_stream_ends_with_its_usage() {
    let events = [
        r#"{"type":"transcript.text.delta","delta":"hello "}"#,
        r#"{"type":"transcript.text.delta","delta":"world"}"#,
        r#"{"type":"transcript.text.done","text":"hello world","usage":{"type":"tokens","input_tokens":14,"output_tokens":3,"total_tokens":17}}"#,
    ];
    let mut meter = StreamMeter::transcript(&ask("gpt-4o-transcribe", "json"));
    let mut pass = Vec::new();
    for event in &events[..2] {
        meter.chunk(Bytes::from(format!("event: e\ndata: {event}\n\n")), &mut pass);
    }
    assert!(!meter.terminal() && meter.measured().served_output >= 11 && meter.measured().served_output < 20, "{}", meter.measured().served_output);
    meter.chunk(Bytes::from(format!("data: {}\n\n", events[2])), &mut pass);
    assert!(meter.terminal());
    assert_eq!(meter.measured().usage, Some(Usage::default().with(Unit::InputAudio, 14).with(Unit::Output, 3)));
    assert!(meter.take_held().concat().ends_with(b"}}\n\n"));
}
