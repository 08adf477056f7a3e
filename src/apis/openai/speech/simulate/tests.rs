use super::*;
use crate::apis::recording;

fn answered(more: Value, faults: &Faults) -> Result<Simulated, Problem> {
    let mut body = json!({"model": "gpt-4o-mini-tts", "input": "Hello, world. This is spoken.", "voice": "alloy"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    answer(body.to_string().as_bytes(), None, None, faults)
}

#[test]
fn audio_comes_in_every_format_and_is_as_long_as_the_text() {
    for (format, content_type) in FORMATS {
        let simulated = answered(json!({"response_format": format}), &Faults::default()).unwrap();
        assert_eq!(simulated.content_type, content_type);
        let audio = simulated.chunks.concat();
        if !matches!(format, "pcm" | "aac") {
            let (_, nanos) = recording::longest(&audio).unwrap();
            assert!((1_740_000_000..1_800_000_000).contains(&nanos), "{format}: {nanos}");
        }
        assert_eq!(answered(json!({"response_format": format}), &Faults::default()).unwrap(), simulated);
    }
    let long = answered(json!({}), &Faults { tokens: Some(2_200), ..Faults::default() }).unwrap();
    assert!(recording::longest(&long.chunks.concat()).unwrap().1 >= 100_000_000_000);
}

#[test]
fn a_stream_has_the_same_audio() {
    let whole = answered(json!({}), &Faults::default()).unwrap().chunks.concat();
    let streamed = answered(json!({"stream_format": "sse"}), &Faults::default()).unwrap();
    let events: Vec<Value> = streamed
        .chunks
        .iter()
        .map(|event| serde_json::from_slice(event.split(|byte| *byte == b'\n').nth(1).unwrap().strip_prefix(b"data: ").unwrap()).unwrap())
        .collect();
    let audio: Vec<u8> = events.iter().filter_map(|event| event["audio"].as_str()).flat_map(|piece| STANDARD.decode(piece).unwrap()).collect();
    assert_eq!(audio, whole);
    let done = events.last().unwrap();
    assert_eq!((&done["type"], &done["usage"]["output_tokens"]), (&json!("speech.audio.done"), &json!(35)));
    let silent = answered(json!({"stream_format": "sse"}), &Faults { no_usage: true, ..Faults::default() }).unwrap();
    assert!(!String::from_utf8(silent.chunks.concat()).unwrap().contains("usage"));
}

#[test]
fn bad_requests_get_the_provider_s_error() {
    for (more, param) in [
        (json!({"voice": null}), "voice"),
        (json!({"input": ""}), "input"),
        (json!({"input": "x".repeat(4_097)}), "input"),
        (json!({"response_format": "ogg"}), "response_format"),
        (json!({"speed": 5}), "speed"),
        (json!({"model": "tts-1", "stream_format": "sse"}), "stream_format"),
    ] {
        assert_eq!(answered(more.clone(), &Faults::default()).unwrap_err().param.as_deref(), Some(param), "{more}");
    }
}
