//! Simulated transcripts of a recording: prose, with times that fit its length, in every form that the provider answers in.

use serde_json::{Value, json};

use super::Kind;
use super::ask::{self, Wish, bills_tokens, least_seconds};
use crate::apis::openai::azure;
use crate::apis::openai::fields::Added;
use crate::apis::openai::simulate::named_event;
use crate::apis::{RequestView, multipart};
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Faults, Simulated, text};

/// Answers `POST audio/transcriptions` and `audio/translations`.
pub(super) fn answer(kind: Kind, added: Option<Added>, request: &RequestView<'_>, faults: &Faults) -> Result<Simulated, Problem> {
    let wish =
        ask::read(kind, added, request, azure::model_of(request, faults)).map_err(|error| Problem::invalid(error.message, error.param.as_deref(), None))?;
    let tokens = bills_tokens(wish.model());
    check(&wish, tokens)?;
    let seed = seed(request);
    let mut dice = seed.part("transcript", 0).dice();
    let said = match faults.tokens {
        Some(count) => text::prose_of(count, &mut dice),
        None => text::prose(&mut dice),
    };
    let usage = (!faults.no_usage).then(|| usage(&wish, tokens, &said));
    // Not streamed by `whisper-1`, which leaves it be (OpenAI's API reference).
    if wish.stream && tokens {
        return Ok(stream(&said, usage));
    }
    let seconds = wish.seconds;
    Ok(match wish.response_format.as_deref() {
        Some("text") => Simulated::body("text/plain; charset=utf-8", vec![format!("{said}\n").into()]),
        Some("srt") => Simulated::body("text/plain; charset=utf-8", vec![format!("1\n00:00:00,000 --> {}\n{said}\n\n", clock(seconds, ',')).into()]),
        Some("vtt") => Simulated::body("text/plain; charset=utf-8", vec![format!("WEBVTT\n\n00:00:00.000 --> {}\n{said}\n\n", clock(seconds, '.')).into()]),
        Some("verbose_json") => Simulated::json(verbose(kind, &wish, &said, usage).to_string()),
        Some("diarized_json") => Simulated::json(diarized(&wish, &said, usage).to_string()),
        _ => Simulated::json(with_usage(json!({"text": said}), usage).to_string()),
    })
}

fn check(wish: &Wish, tokens: bool) -> Result<(), Problem> {
    match wish.response_format.as_deref() {
        Some("srt" | "vtt" | "verbose_json") if tokens => {
            let message = format!(
                "response_format '{}' is not compatible with model '{}'. Use 'json' or 'text' instead.",
                wish.response_format.as_deref().unwrap_or_default(),
                wish.model()
            );
            Err(Problem::invalid(message, Some("response_format"), Some("unsupported_value")))
        }
        Some("diarized_json") if !wish.model().contains("diarize") => Err(Problem::invalid(
            "response_format 'diarized_json' needs a model that tells speakers apart.",
            Some("response_format"),
            Some("unsupported_value"),
        )),
        _ => Ok(()),
    }
}

/// All values and files of the form, whatever its boundary and the order of delivery.
fn seed(request: &RequestView<'_>) -> Seed {
    let parts = multipart::read(request.headers, request.body).map(|form| form.parts).unwrap_or_default();
    parts.iter().filter(|part| part.name != "stream").fold(Seed::of_bytes("transcription", b""), |seed, part| {
        let part = Seed::of_bytes(&part.name, &part.data);
        Seed::of_bytes("part", &[seed.bytes().as_slice(), part.bytes()].concat())
    })
}

fn usage(wish: &Wish, tokens: bool, said: &str) -> Value {
    if !tokens {
        return json!({"type": "duration", "seconds": wish.seconds.max(least_seconds(wish.model()))});
    }
    // A token for 100 ms.
    let audio = wish.seconds * 10;
    let output = text::tokens(said);
    json!({
        "type": "tokens",
        "input_tokens": audio,
        "input_token_details": {"text_tokens": 0, "audio_tokens": audio},
        "output_tokens": output,
        "total_tokens": audio + output,
    })
}

fn with_usage(mut answer: Value, usage: Option<Value>) -> Value {
    if let Some(usage) = usage {
        answer["usage"] = usage;
    }
    answer
}

fn stream(said: &str, usage: Option<Value>) -> Simulated {
    let mut events: Vec<Value> = text::pieces(said, said.len()).map(|piece| json!({"type": "transcript.text.delta", "delta": piece})).collect();
    events.push(with_usage(json!({"type": "transcript.text.done", "text": said}), usage));
    Simulated::events(events.iter().map(named_event).collect())
}

fn verbose(kind: Kind, wish: &Wish, said: &str, usage: Option<Value>) -> Value {
    let task = if kind == Kind::Translation { "translate" } else { "transcribe" };
    let mut answer = json!({
        "task": task,
        "language": wish.language.as_deref().unwrap_or("english"),
        "duration": wish.seconds,
        "text": said,
    });
    if wish.segments || !wish.words {
        answer["segments"] = json!([{
            "id": 0, "seek": 0, "start": 0, "end": wish.seconds, "text": said, "tokens": [50_364], "temperature": 0,
            "avg_logprob": -0.25, "compression_ratio": 1.25, "no_speech_prob": 0.0625,
        }]);
    }
    if wish.words {
        let words: Vec<&str> = said.split_whitespace().collect();
        // In thousandths, so that they need no rounding.
        let millis = |index: usize| format!("{:.3}", index as f64 * wish.seconds as f64 / words.len().max(1) as f64).parse::<f64>().unwrap_or_default();
        answer["words"] = words.iter().enumerate().map(|(index, word)| json!({"word": word, "start": millis(index), "end": millis(index + 1)})).collect();
    }
    // A translation has none.
    with_usage(answer, usage.filter(|_| kind == Kind::Transcription))
}

fn diarized(wish: &Wish, said: &str, usage: Option<Value>) -> Value {
    let segment = json!({"type": "transcript.text.segment", "id": "seg_001", "start": 0, "end": wish.seconds, "text": said, "speaker": "A"});
    with_usage(json!({"task": "transcribe", "duration": wish.seconds, "text": said, "segments": [segment]}), usage)
}

/// Hours, minutes, seconds and thousandths.
fn clock(seconds: u64, point: char) -> String {
    format!("{:02}:{:02}:{:02}{point}000", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
