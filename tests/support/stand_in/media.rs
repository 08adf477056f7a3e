//! The answers of the stand-in that are images, speech and transcripts, in the shapes of OpenAI's API, and what it bills for them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::Response;
use serde_json::{Value, json};

use super::answers::{self, Event};
use super::body::{self, ChannelBody};
use super::script::{Script, UsageReport};
use super::{Consumed, Entry, edenai};

/// The fields of a request, whether it is JSON or a form; of files, how long they are and what they hold.
struct Wish {
    path: String,
    fields: BTreeMap<String, String>,
    images: i64,
    file: Vec<u8>,
}

/// Answers one request.
pub(super) fn answer(path: &str, request: &Bytes, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let mut wish = Wish::read(path, request);
    // At Azure the deployment is the model, whatever the body says.
    if let Some((deployment, _)) = path.split_once("/deployments/").and_then(|(_, rest)| rest.split_once('/')) {
        wish.fields.insert("model".to_owned(), deployment.to_owned());
    }
    if path.contains("/images/") {
        images(&wish, script, entry)
    } else if path.ends_with("/speech") {
        speech(&wish, script, entry)
    } else {
        transcript(&wish, script, entry)
    }
}

/// An answer in one piece, with its cost where the API tells it.
fn whole(wish: &Wish, answer: Value, consumed: Consumed, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    if edenai::serves(&wish.path) { edenai::told(answer, consumed, script, entry) } else { answers::whole(answer, consumed, script, entry) }
}

/// A token of usage, told as the script says.
fn told(count: i64, script: &Script) -> i64 {
    match script.usage {
        UsageReport::Negative => -count,
        UsageReport::Absurd => 1 << 50,
        UsageReport::Honest | UsageReport::Missing | UsageReport::Twice | UsageReport::Comment => count,
    }
}

/// `gpt-image-1` at $5, $10 and $40 a million tokens of text, images given and images made; `dall-e-3` at 4 cents, 8 in HD.
fn images(wish: &Wish, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let count = wish.number("n").unwrap_or(1);
    if wish.model().starts_with("dall-e") {
        let each = if wish.get("quality") == "hd" { 80_000_000 } else { 40_000_000 };
        let data: Vec<Value> = (0..count).map(|_| json!({"url": "https://example.invalid/image.png"})).collect();
        return whole(wish, json!({"created": 1, "data": data}), Consumed { cost: count * each, ..Consumed::default() }, script, entry);
    }
    let (text, given, made) = (script.prompt.unwrap_or(20) * count, wish.images * 323 * count, script.tokens * count);
    let consumed = Consumed { prompt: text + given, cached: 0, completion: made, cost: text * 5_000 + given * 10_000 + made * 40_000 };
    let usage = json!({
        "input_tokens": text + given, "input_tokens_details": {"text_tokens": text, "image_tokens": given},
        "output_tokens": told(made, script), "total_tokens": text + given + made,
    });
    let usage = (!script.hides_usage()).then_some(usage);
    let image = "A".repeat(usize::try_from(script.cached).unwrap().max(100));
    if wish.get("stream") == "true" {
        let kind = if wish.path.ends_with("edits") { "image_edit" } else { "image_generation" };
        let event = |what: &str, usage: Option<&Value>, consumed: Consumed| {
            let mut event = json!({"type": format!("{kind}.{what}"), "b64_json": image, "created_at": 1, "size": "1024x1024"});
            event.as_object_mut().unwrap().extend(usage.map(|usage| ("usage".to_owned(), usage.clone())));
            Event { name: Some(format!("{kind}.{what}")), text: event.to_string(), consumed, carries_text: true }
        };
        let partial = wish.number("partial_images").unwrap_or(0);
        let mut events: Vec<Event> = (0..partial).map(|_| event("partial_image", None, consumed)).collect();
        events.push(event("completed", usage.as_ref(), consumed));
        return stream(events, consumed, script, entry);
    }
    let mut answer = json!({"created": 1, "data": vec![json!({"b64_json": image}); usize::try_from(count).unwrap()]});
    answer.as_object_mut().unwrap().extend(usage.map(|usage| ("usage".to_owned(), usage)));
    whole(wish, answer, consumed, script, entry)
}

/// `tts-1` at $15 a million characters; `gpt-4o-mini-tts` at $0.60 and $12 a million tokens, one for 50 ms of what is said: `tokens=N` of them.
fn speech(wish: &Wish, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let characters = i64::try_from(wish.get("input").chars().count()).unwrap();
    let (prompt, spoken) = (script.prompt.unwrap_or(characters / 4 + 1), script.tokens);
    let by_character = wish.model().starts_with("tts");
    let cost = if by_character { characters * 15_000 } else { prompt * 600 + spoken * 12_000 };
    let consumed = Consumed { prompt, cached: 0, completion: spoken, cost };
    let consumed = if edenai::serves(&wish.path) { edenai::billed(consumed, script) } else { consumed };
    // 24,000 samples a second of 16 bits.
    let audio = vec![7; usize::try_from(spoken).unwrap() * 2_400];
    if wish.get("stream_format") == "sse" {
        let piece = |index: i64| Consumed { completion: index, cost: if by_character { cost } else { prompt * 600 + index * 12_000 }, ..consumed };
        let mut events: Vec<Event> = (1..=spoken)
            .zip(audio.chunks(2_400))
            .map(|(index, audio)| {
                let text = json!({"type": "speech.audio.delta", "audio": STANDARD.encode(audio)}).to_string();
                Event { name: None, text, consumed: piece(index), carries_text: true }
            })
            .collect();
        let mut done = json!({"type": "speech.audio.done"});
        if !script.hides_usage() {
            done["usage"] = json!({"input_tokens": prompt, "output_tokens": told(spoken, script), "total_tokens": prompt + spoken});
        }
        events.push(Event { name: None, text: done.to_string(), consumed, carries_text: false });
        return stream(events, consumed, script, entry);
    }
    let (writer, body) = body::channel();
    let tells = edenai::serves(&wish.path) && !script.no_cost;
    let (script, entry) = (script.clone(), entry.clone());
    entry.update(|row| {
        row.consumed = consumed;
        row.would_report = Some(consumed);
    });
    tokio::spawn(async move {
        for (index, piece) in audio.chunks(4_800).enumerate() {
            if script.cut == Some(index) {
                return answers::cut_off(&writer).await;
            }
            entry.sends(piece);
            if writer.send(Ok(Bytes::copy_from_slice(piece))).await.is_err() {
                return;
            }
            if script.gate_first && index == 0 {
                entry.gate().await;
            }
        }
        entry.finish();
    });
    let mut response = Response::builder().header("content-type", "audio/pcm");
    if tells {
        response = response.header("x-edenai-provider", "stand-in").header("x-edenai-cost", edenai::dollars(consumed.cost).to_string());
    }
    response.body(body).unwrap()
}

/// `whisper-1` at $0.0001 a second; `gpt-4o-transcribe` at $6 and $10 a million tokens of audio and text. It hears all that there is, whatever
/// a header says.
fn transcript(wish: &Wish, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let seconds = script.prompt.unwrap_or_else(|| i64::try_from(wish.file.len().saturating_sub(44).div_ceil(16_000)).unwrap());
    let text = "word ".repeat(usize::try_from(script.tokens).unwrap());
    let by_second = wish.model().starts_with("whisper");
    let audio = seconds * 10;
    let consumed = |completion: i64| Consumed {
        prompt: if by_second { seconds } else { audio },
        cached: 0,
        completion,
        cost: if by_second { seconds * 100_000 } else { audio * 6_000 + completion * 10_000 },
    };
    let all = consumed(script.tokens);
    let usage = if by_second {
        json!({"type": "duration", "seconds": told(seconds, script)})
    } else {
        let details = json!({"text_tokens": 0, "audio_tokens": audio});
        json!({"type": "tokens", "input_tokens": audio, "input_token_details": details, "output_tokens": told(script.tokens, script), "total_tokens": audio})
    };
    let with_usage = |mut answer: Value| {
        if !script.hides_usage() {
            answer["usage"] = usage.clone();
        }
        answer
    };
    if wish.get("stream") == "true" && !by_second {
        let mut events: Vec<Event> = (1..=script.tokens)
            .map(|index| Event {
                name: None,
                text: json!({"type": "transcript.text.delta", "delta": "word "}).to_string(),
                consumed: consumed(index),
                carries_text: true,
            })
            .collect();
        events.push(Event {
            name: None,
            text: with_usage(json!({"type": "transcript.text.done", "text": text})).to_string(),
            consumed: all,
            carries_text: false,
        });
        return stream(events, all, script, entry);
    }
    match wish.get("response_format") {
        "text" | "srt" | "vtt" => {
            entry.update(|row| {
                row.consumed = all;
                row.would_report = Some(all);
            });
            entry.sends(text.as_bytes());
            entry.finish();
            Response::builder().header("content-type", "text/plain; charset=utf-8").body(body::whole(text.into())).unwrap()
        }
        "verbose_json" => whole(wish, with_usage(json!({"task": "transcribe", "duration": seconds, "text": text})), all, script, entry),
        _ => whole(wish, with_usage(json!({"text": text})), all, script, entry),
    }
}

fn stream(events: Vec<Event>, consumed: Consumed, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let (writer, body) = body::channel();
    entry.update(|row| row.would_report = Some(consumed));
    tokio::spawn(answers::send(events, script.clone(), entry.clone(), writer));
    Response::builder().header("content-type", "text/event-stream; charset=utf-8").body(body).unwrap()
}

// === impl Wish ===

impl Wish {
    fn read(path: &str, request: &Bytes) -> Self {
        let mut wish = Self { path: path.to_owned(), fields: BTreeMap::new(), images: 0, file: Vec::new() };
        if let Ok(Value::Object(json)) = serde_json::from_slice(request) {
            wish.fields = json.iter().map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect();
            return wish;
        }
        // A reader of its own, simpler than the gateway's: the first line is the boundary.
        let line = request.windows(2).position(|pair| pair == b"\r\n").expect("a form");
        let delimiter = [b"\r\n", &request[..line]].concat();
        let mut rest = &request[line..];
        while let Some(end) = memchr::memmem::find(rest, &delimiter) {
            let (part, next) = (&rest[..end], &rest[end + delimiter.len()..]);
            rest = next;
            let head = memchr::memmem::find(part, b"\r\n\r\n").expect("the end of a part's headers");
            let (head, data) = (std::str::from_utf8(&part[..head]).unwrap(), &part[head + 4..]);
            let name = head.split_once(" name=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
            if head.contains("filename=") {
                wish.images += 1;
                wish.file = data.to_vec();
            } else {
                wish.fields.insert(name, String::from_utf8(data.to_vec()).unwrap());
            }
        }
        wish
    }

    fn get(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Its name at its seller.
    fn model(&self) -> &str {
        self.get("model").rsplit('/').next().unwrap_or_default()
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.fields.get(name).filter(|value| *value != "null").map(|value| value.parse().unwrap())
    }
}
