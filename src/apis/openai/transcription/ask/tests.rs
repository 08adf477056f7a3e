use bytes::Bytes;
use http::Method;

use super::*;
use crate::apis::AskErrorKind;
use crate::apis::multipart::tests::form;
use crate::apis::recording::tests::wav;

fn ask_of(kind: Kind, parts: &[(&str, Option<&str>, &[u8])]) -> Result<Ask, AskError> {
    let (headers, body): (_, Bytes) = form(parts);
    read(kind, None, &RequestView { method: &Method::POST, path: "", query: None, headers: &headers, body: &body }, None).map(Wish::into_ask)
}

/// A recording of two and a half seconds, and these fields.
fn ask(fields: &[(&str, &str)]) -> Result<Ask, AskError> {
    let audio = wav(8_000, &[0; 40_000]);
    let mut parts = vec![("file", Some("speech.wav"), audio.as_slice())];
    parts.extend(fields.iter().map(|(name, value)| (*name, None, value.as_bytes())));
    ask_of(Kind::Transcription, &parts)
}

#[test]
fn a_recording_is_bounded_by_its_seconds_and_in_tokens() {
    let whisper = ask(&[("model", "whisper-1"), ("language", "en"), ("temperature", "0.2"), ("timestamp_granularities[]", "word")]).unwrap();
    assert_eq!((whisper.bound.input.get(Unit::AudioMillis), whisper.bound.input.get(Unit::InputAudio)), (3_000, 60));
    assert!(whisper.bound.as_priced && whisper.asked_usage && !whisper.stream && !whisper.clampable());
    assert_eq!((whisper.bound.output_tokens, whisper.bound.choices), (Some(2_000), 1));
    let groq = ask(&[("model", "whisper-large-v3"), ("response_format", "text")]).unwrap();
    assert_eq!((groq.bound.input.get(Unit::AudioMillis), groq.asked_usage), (10_000, false));
    let diarized = ask(&[
        ("model", "gpt-4o-transcribe-diarize"),
        ("response_format", "diarized_json"),
        ("stream", "true"),
        ("chunking_strategy", "auto"),
        ("known_speaker_names[]", "ann"),
        ("known_speaker_references[]", "data:audio/wav;base64,AAAA"),
        ("known_speaker_references[]", "data:audio/wav;base64,AAAA"),
        ("prompt", "names"),
        ("include[]", "logprobs"),
    ])
    .unwrap();
    assert_eq!((diarized.bound.input.get(Unit::InputAudio), diarized.stream), ((3 + 20) * 20, true));
    assert_eq!(diarized.bound.input.get(Unit::Input), 3 + 64 + 5 + 64 + 64);
    // A minute and a half in pieces may be answered three times over.
    let audio = wav(8_000, &vec![0; 16_000 * 90]);
    let long = ask_of(
        Kind::Transcription,
        &[("model", None, b"gpt-4o-transcribe"), ("chunking_strategy[type]", None, b"server_vad"), ("file", Some("a.wav"), &audio)],
    );
    assert_eq!(long.unwrap().bound.choices, 3);
}

#[test]
fn what_cannot_be_priced_is_refused_by_name() {
    for (fields, param) in [
        (&[][..], "model"),
        (&[("model", "whisper-1"), ("url", "https://x")], "url"),
        (&[("model", "whisper-1"), ("n", "2")], "n"),
        (&[("model", "whisper-1"), ("Prompt", "x")], "Prompt"),
        (&[("model", "whisper-1"), ("response_format", "xml")], "response_format"),
        (&[("model", "whisper-1"), ("stream", "yes")], "stream"),
        (&[("model", "whisper-1"), ("timestamp_granularities[]", "letter")], "timestamp_granularities"),
        (&[("model", "")], "model"),
    ] {
        assert_eq!(ask(fields).unwrap_err().param.as_deref(), Some(param), "{fields:?}");
    }
    assert!(ask(&[("model", "whisper-1"), ("model", "gpt-4o-transcribe")]).unwrap_err().message.contains("twice"));
    let translated = |fields: &[(&str, Option<&str>, &[u8])]| ask_of(Kind::Translation, fields);
    assert_eq!(translated(&[("model", None, b"whisper-1")]).unwrap_err().param.as_deref(), Some("file"));
    assert_eq!(translated(&[("model", None, b"whisper-1"), ("stream", None, b"true")]).unwrap_err().param.as_deref(), Some("stream"));
    assert!(translated(&[("model", None, b"whisper-1"), ("file", None, b"RIFF")]).unwrap_err().message.contains("'file' must be a file"));
}

#[test]
fn a_recording_whose_length_is_not_known_is_refused_with_the_reason() {
    let audio = wav(8_000, &[0; 16_000]);
    for (name, data, reason) in
        [("a.wav", &b"not audio at all"[..], "none of"), ("a.mp3", &audio, "it is called \"a.mp3\" but it is a WAV file"), ("a.wav", &audio[..44], "no audio")]
    {
        let error = ask_of(Kind::Transcription, &[("model", None, b"whisper-1"), ("file", Some(name), data)]).unwrap_err();
        assert_eq!((error.param.as_deref(), error.kind), (Some("file"), AskErrorKind::Unsupported));
        assert!(error.message.contains(reason), "{}", error.message);
    }
}
