use super::super::voices::{FORMATS, silence};
use super::*;
use crate::apis::Operation;
use crate::apis::RequestView;

fn ask(model: &str) -> Ask {
    let body = Bytes::from(format!(r#"{{"model":"{model}","input":"Hello, world.","voice":"alloy"}}"#));
    super::super::Speech { added: None }
        .ask(&RequestView { method: &http::Method::POST, path: "", query: None, headers: &http::HeaderMap::new(), body: &body })
        .unwrap()
}

#[test]
fn characters_are_billed_whatever_is_heard() {
    let mut meter = SoundMeter::new(&ask("tts-1"));
    assert_eq!(meter.measured().usage, Some(Usage::default().with(Unit::Characters, 13)));
    assert!(meter.measured().complete);
    let mut pass = Vec::new();
    meter.chunk(Bytes::from_static(b"ID3x"), &mut pass);
    assert_eq!(meter.measured().usage, Some(Usage::default().with(Unit::Characters, 13)));
}

#[test]
fn bytes_pass_at_once_but_for_the_last() {
    let mut meter = SoundMeter::new(&ask("tts-1"));
    let mut pass = Vec::new();
    for (chunk, passed) in [("abc", "ab"), ("d", "abc"), ("", "abc"), ("efgh", "abcdefg")] {
        meter.chunk(Bytes::from_static(chunk.as_bytes()), &mut pass);
        assert_eq!(pass.concat(), passed.as_bytes());
    }
    assert!(!meter.terminal());
    meter.end(&mut pass);
    assert!(meter.terminal());
    assert_eq!((pass.concat(), meter.take_held().concat()), (b"abcdefg".to_vec(), b"h".to_vec()));
}

#[test]
fn without_a_usage_the_audio_is_counted_upwards_in_every_format() {
    for (format, _) in FORMATS {
        for millis in [500, 1_000, 20_000] {
            let audio = silence(format, millis);
            for size in [1, 3, 1_000, audio.len()] {
                let mut meter = SoundMeter::new(&ask("gpt-4o-mini-tts"));
                let mut pass = Vec::new();
                for chunk in audio.chunks(size) {
                    meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
                }
                let measured = meter.measured();
                let least = millis * 22 / 1_000;
                assert_eq!((measured.usage, measured.complete), (None, false));
                assert!((least..=least * 11 / 10 + 5).contains(&measured.served_output), "{format} {millis} {size}: {}", measured.served_output);
            }
        }
    }
}

fn stream(model: &str, events: &[&str]) -> (StreamMeter, Vec<u8>) {
    let mut meter = StreamMeter::speech(&ask(model));
    let mut pass = Vec::new();
    for event in events {
        meter.chunk(Bytes::from(format!("data: {event}\n\n")), &mut pass);
    }
    (meter, pass.concat())
}

#[test]
fn the_usage_comes_with_the_last_event() {
    let audio = STANDARD.encode(silence("mp3", 1_000));
    let delta = format!(r#"{{"type":"speech.audio.delta","audio":"{audio}"}}"#);
    let done = r#"{"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}"#;
    let (mut meter, passed) = stream("gpt-4o-mini-tts", &[&delta, done]);
    assert!(meter.terminal() && passed == format!("data: {delta}\n\n").as_bytes());
    assert_eq!(meter.take_held().concat(), format!("data: {done}\n\n").as_bytes());
    assert_eq!(meter.measured().usage, Some(Usage::default().with(Unit::Input, 14).with(Unit::OutputAudio, 101)));
    // Without it, what was heard counts.
    let (meter, _) = stream("gpt-4o-mini-tts", &[&delta, &delta]);
    let measured = meter.measured();
    assert!(!meter.terminal() && measured.usage.is_none() && (44..50).contains(&measured.served_output), "{measured:?}");
    let (meter, _) = stream("gpt-4o-mini-tts", &[r#"{"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":-1}}"#]);
    assert!(meter.measured().absurd);
    let (meter, _) = stream("gpt-4o-mini-tts", &[r#"{"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":100000}}"#]);
    assert!(meter.measured().absurd);
    // What is not known counts by its bytes, and hides nothing that comes after.
    let (meter, _) = stream("gpt-4o-mini-tts", &[r#"{"type":"new.event","sound":"AAAA"}"#, &delta]);
    assert!((23..30).contains(&meter.measured().served_output), "{}", meter.measured().served_output);
}
