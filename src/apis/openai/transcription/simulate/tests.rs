use bytes::Bytes;

use super::*;
use crate::apis::multipart::tests::form;
use crate::apis::recording::tests::wav;

fn answered(kind: Kind, fields: &[(&str, &str)], faults: &Faults) -> Result<Simulated, Problem> {
    let audio = wav(8_000, &vec![0; 16_000 * 75]);
    let mut parts = vec![("file", Some("a.wav"), audio.as_slice())];
    parts.extend(fields.iter().map(|(name, value)| (*name, None, value.as_bytes())));
    let (headers, body): (_, Bytes) = form(&parts);
    answer(kind, None, &RequestView { method: &http::Method::POST, path: "", query: None, headers: &headers, body: &body }, faults)
}

fn transcribed(fields: &[(&str, &str)]) -> Simulated {
    answered(Kind::Transcription, fields, &Faults::default()).unwrap()
}

fn json(simulated: &Simulated) -> Value {
    serde_json::from_slice(&simulated.chunks.concat()).unwrap()
}

#[test]
fn every_form_of_an_answer_says_the_same() {
    let whisper = |format| transcribed(&[("model", "whisper-1"), ("response_format", format)]);
    let plain = json(&whisper("json"));
    assert_eq!(plain["usage"], json!({"type": "duration", "seconds": 75}));
    let text = String::from_utf8(whisper("text").chunks.concat()).unwrap();
    assert!(text.ends_with('\n') && !text.trim().is_empty());
    let srt = String::from_utf8(whisper("srt").chunks.concat()).unwrap();
    assert!(srt.starts_with("1\n00:00:00,000 --> 00:01:15,000\n"), "{srt}");
    assert!(String::from_utf8(whisper("vtt").chunks.concat()).unwrap().starts_with("WEBVTT\n\n00:00:00.000 --> 00:01:15.000\n"));
    let verbose = json(&whisper("verbose_json"));
    assert_eq!((&verbose["duration"], &verbose["segments"][0]["end"], &verbose["usage"]["seconds"]), (&json!(75), &json!(75), &json!(75)));
    let words = json(&transcribed(&[("model", "whisper-1"), ("response_format", "verbose_json"), ("timestamp_granularities[]", "word")]));
    assert_eq!((&words["words"][0]["start"], words["words"].as_array().unwrap().last().unwrap()["end"].as_f64()), (&json!(0.0), Some(75.0)));
    let translated = json(&answered(Kind::Translation, &[("model", "whisper-1"), ("response_format", "verbose_json")], &Faults::default()).unwrap());
    assert_eq!((&translated["task"], translated.get("usage")), (&json!("translate"), None));
    let diarized = json(&transcribed(&[("model", "gpt-4o-transcribe-diarize"), ("response_format", "diarized_json")]));
    assert_eq!((&diarized["segments"][0]["speaker"], &diarized["usage"]["type"]), (&json!("A"), &json!("tokens")));
}

#[test]
fn a_stream_says_and_counts_the_same() {
    let whole = json(&transcribed(&[("model", "gpt-4o-transcribe")]));
    let streamed = transcribed(&[("model", "gpt-4o-transcribe"), ("stream", "true")]);
    let events: Vec<Value> =
        streamed.chunks.iter().map(|event| serde_json::from_str(std::str::from_utf8(event).unwrap().split_once("data: ").unwrap().1.trim()).unwrap()).collect();
    let said: String = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    let done = events.last().unwrap();
    assert_eq!((said.as_str(), &done["text"], &done["usage"]), (whole["text"].as_str().unwrap(), &whole["text"], &whole["usage"]));
    assert_eq!(whole["usage"]["input_tokens"], 750);
    // Whisper does not stream, and says so by answering in one piece.
    assert!(!transcribed(&[("model", "whisper-1"), ("stream", "true")]).is_stream());
}

#[test]
fn faults_and_errors() {
    let faults = |faults| answered(Kind::Transcription, &[("model", "gpt-4o-transcribe")], &faults).unwrap();
    assert!(json(&faults(Faults { no_usage: true, ..Faults::default() })).get("usage").is_none());
    assert_eq!(json(&faults(Faults { tokens: Some(300), ..Faults::default() }))["usage"]["output_tokens"], 300);
    for fields in [[("model", "gpt-4o-transcribe"), ("response_format", "srt")], [("model", "whisper-1"), ("response_format", "diarized_json")]] {
        let problem = answered(Kind::Transcription, &fields, &Faults::default()).unwrap_err();
        assert_eq!((problem.status, problem.param.as_deref()), (400, Some("response_format")));
    }
}
