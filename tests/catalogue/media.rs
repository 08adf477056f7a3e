//! Images, speech and recordings of OpenAI's API: fields that cost money, forms that can be read in two ways, recordings that lie about their length.

use super::attempt::Expect::{AtLeast, Exact, Fair, Refused};
use super::attempt::{Attempt, Expect, SECRET};

/// What it tries, the members beside the model, what the provider does, and what must come of it.
type Row = (&'static str, &'static str, &'static str, Expect);

/// The most that one image of `gpt-image-1` costs, beside a prompt of a hundred tokens.
const LARGEST: &str = "tokens=6240 prompt=100";

const IMAGES: &[Row] = &[
    ("one image", "", LARGEST, Exact),
    ("ten images", r#","n":10"#, LARGEST, Exact),
    ("images of null", r#","n":null"#, LARGEST, Exact),
    ("no images", r#","n":0"#, "", Refused(400)),
    ("a negative number of images", r#","n":-1"#, "", Refused(400)),
    ("an image and a half", r#","n":1.5"#, "", Refused(400)),
    ("a number of images as text", r#","n":"3""#, "", Refused(400)),
    ("a number of images with an exponent", r#","n":1e1"#, "", Refused(400)),
    ("a million images", r#","n":1000000"#, "", Refused(400)),
    ("the images twice", r#","n":1,"n":10"#, "", Refused(400)),
    ("the images twice, in capitals", r#","n":1,"N":10"#, "", Refused(400)),
    ("a coarse image", r#","quality":"low","size":"1024x1024""#, "tokens=272 prompt=100", Exact),
    ("an image that only looks coarse", r#","quality":"LOW","size":"1024x1024""#, "tokens=4160 prompt=100", Fair),
    ("an image whose quality is left open", r#","quality":"auto","size":"auto""#, LARGEST, Exact),
    ("an image of an unheard-of size", r#","size":"9999x9999""#, LARGEST, Fair),
    ("sketches on the way", r#","stream":true,"partial_images":3"#, "tokens=6540 prompt=100", Exact),
    ("many images, streamed", r#","stream":true,"n":2"#, "", Refused(400)),
    ("a drawing in lines", r#","output_format":"svg""#, "", Refused(400)),
    ("a moving image", r#","output_format":"gif","frame_count":100"#, "", Refused(400)),
    ("an image given by its address", r#","image_url":"https://127.0.0.1:9/large.png""#, "", Refused(400)),
    ("a field that nobody knows", r#","turbo":true"#, "", Refused(400)),
];

const PIECES: &[Row] = &[
    ("one image", r#"{"model":"dall-e-3","prompt":"a cat"}"#, "", Exact),
    ("a fine image", r#"{"model":"dall-e-3","prompt":"a cat","quality":"hd"}"#, "", Exact),
    ("a fine image that is escaped", r#"{"model":"dall-e-3","prompt":"a cat","quality":"h\u0064"}"#, "", Exact),
    ("a wide image", r#"{"model":"dall-e-3","prompt":"a cat","size":"1792x1024","quality":"hd"}"#, "", AtLeast),
    ("a quality that nobody knows", r#"{"model":"dall-e-3","prompt":"a cat","quality":"HD"}"#, "", Fair),
    ("a model without a price", r#"{"model":"dall-e-404","prompt":"a cat"}"#, "", Refused(403)),
    ("no model", r#"{"prompt":"a cat"}"#, "", Refused(400)),
];

const SPEECH: &[Row] = &[
    ("by the character", r#"{"model":"tts-1","voice":"alloy","input":"a text to be said"}"#, "tokens=20", Exact),
    ("by the character, of several bytes each", r#"{"model":"tts-1","voice":"alloy","input":"äöü\u00e4\ud83d\ude00"}"#, "tokens=20", Exact),
    ("slowly", r#"{"model":"tts-1","voice":"alloy","input":"a text to be said","speed":0.25}"#, "tokens=20", Exact),
    ("no text", r#"{"model":"tts-1","voice":"alloy"}"#, "", Refused(400)),
    ("a number", r#"{"model":"tts-1","voice":"alloy","input":7}"#, "", Refused(400)),
    ("the text twice", r#"{"model":"tts-1","voice":"alloy","input":"a","input":"a much longer text"}"#, "", Refused(400)),
    ("the text twice, in capitals", r#"{"model":"tts-1","voice":"alloy","input":"a","INPUT":"a much longer text"}"#, "", Refused(400)),
    (
        "by the token, as events",
        r#"{"model":"gpt-4o-mini-tts","voice":"alloy","input":"a text to be said","stream_format":"sse"}"#,
        "tokens=1500 prompt=17",
        Exact,
    ),
    (
        "by the token, without its usage",
        r#"{"model":"gpt-4o-mini-tts","voice":"alloy","input":"a text to be said","response_format":"pcm"}"#,
        "tokens=200 prompt=17",
        AtLeast,
    ),
    (
        "by the token, as events without usage",
        r#"{"model":"gpt-4o-mini-tts","voice":"alloy","input":"a text","stream_format":"sse"}"#,
        "tokens=200 prompt=6 usage=none",
        AtLeast,
    ),
    ("a field that nobody knows", r#"{"model":"tts-1","voice":"alloy","input":"a","turbo":true}"#, "", Refused(400)),
];

/// A WAV file of so many seconds, 8,000 samples of 16 bits each; its head says that it has `told` bytes of samples.
pub(super) fn wav(seconds: usize, told: Option<u32>) -> Vec<u8> {
    let samples = vec![0; seconds * 16_000];
    let told = told.unwrap_or(u32::try_from(samples.len()).unwrap());
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&(told + 36).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&8_000_u32.to_le_bytes());
    file.extend_from_slice(&16_000_u32.to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&told.to_le_bytes());
    file.extend_from_slice(&samples);
    file
}

/// The part of a form that is a file.
pub(super) fn file(name: &str, bytes: &[u8]) -> Vec<u8> {
    named_file("file", name, bytes)
}

/// Likewise, as another field.
pub(super) fn named_file(field: &str, name: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!("--x\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n");
    [head.as_bytes(), bytes, b"\r\n"].concat()
}

pub(super) fn field(name: &str, value: &str) -> Vec<u8> {
    format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
}

pub(super) fn form(name: &str, path: &str, kind: &str, parts: &[Vec<u8>], expect: Expect) -> Attempt {
    let body = [parts.concat(), b"--x--\r\n".to_vec()].concat();
    let headers = format!("Authorization: Bearer {SECRET}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
    Attempt::of(name, &format!("POST {path}"), &headers, body, expect)
}

fn recordings() -> Vec<Attempt> {
    const PATH: &str = "/v1/audio/transcriptions";
    const KIND: &str = "multipart/form-data; boundary=x";
    let short = || file("a.wav", &wav(3, None));
    let model = || field("model", "whisper-1");
    let lf = |part: Vec<u8>| String::from_utf8(part).unwrap().replace("\r\n", "\n").into_bytes();
    let rows = [
        ("as it is", KIND, vec![short(), model()], "", Exact),
        ("the model behind the file", KIND, vec![model(), short()], "", Exact),
        ("longer than its head says", KIND, vec![file("a.wav", &wav(60, Some(32)))], "", Refused(400)),
        ("longer than its head says, with a model", KIND, vec![file("a.wav", &wav(60, Some(32))), model()], "", Exact),
        ("whose head says that it is empty", KIND, vec![file("a.wav", &wav(60, Some(0))), model()], "", Exact),
        ("two in one", KIND, vec![file("a.wav", &[wav(3, None), wav(60, None)].concat()), model()], "", Exact),
        ("without its usage", KIND, vec![short(), model(), field("response_format", "text")], "usage=none", AtLeast),
        ("as subtitles", KIND, vec![short(), model(), field("response_format", "srt")], "usage=none", AtLeast),
        ("by the token", KIND, vec![short(), field("model", "gpt-4o-transcribe")], "tokens=500", Exact),
        ("by the token, streamed", KIND, vec![short(), field("model", "gpt-4o-transcribe"), field("stream", "true")], "tokens=500", Exact),
        ("by the token, cut", KIND, vec![short(), field("model", "gpt-4o-transcribe"), field("stream", "true")], "tokens=500 cut=9", AtLeast),
        ("under another name", KIND, vec![file("a.mp3", &wav(3, None)), model()], "", Refused(400)),
        ("that is none", KIND, vec![file("a.wav", b"not a recording"), model()], "", Refused(400)),
        ("that is empty", KIND, vec![file("a.wav", b""), model()], "", Refused(400)),
        ("two files", KIND, vec![short(), file("b.wav", &wav(60, None)), model()], "", Refused(400)),
        ("two models", KIND, vec![short(), model(), field("model", "gpt-4o-transcribe")], "", Refused(400)),
        ("a model in capitals", KIND, vec![short(), field("Model", "whisper-1")], "", Refused(400)),
        ("at an address", KIND, vec![field("url", "https://127.0.0.1:9/long.wav"), model()], "", Refused(400)),
        ("a field that nobody knows", KIND, vec![short(), model(), field("turbo", "true")], "", Refused(400)),
        ("something before the form", KIND, vec![b"preamble\r\n".to_vec(), short(), model()], "", Refused(400)),
        ("a form with bare line ends", KIND, vec![short(), lf(model())], "", Refused(400)),
        ("a form with two boundaries", "multipart/form-data; boundary=x; boundary=y", vec![short(), model()], "", Refused(400)),
        ("a form with another boundary", "multipart/form-data; boundary=y", vec![short(), model()], "", Refused(400)),
        ("a form without a boundary", "multipart/form-data", vec![short(), model()], "", Refused(400)),
        ("a form of another kind", "multipart/mixed; boundary=x", vec![short(), model()], "", Refused(400)),
        ("a form that says that it is JSON", "application/json", vec![short(), model()], "", Refused(400)),
    ];
    rows.into_iter()
        .map(|(name, kind, parts, script, expect)| form(&format!("recording: {name}"), PATH, kind, &parts, expect).told(&format!("tokens=100 {script}")))
        .collect()
}

/// All of them.
pub(super) fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let prompt = "a cat on a mat, ".repeat(7);
    for (name, members, script, expect) in IMAGES {
        let body = format!(r#"{{"model":"gpt-image-1","prompt":"{prompt}"{members}}}"#);
        attempts.push(Attempt::post(format!("images: {name}"), "/v1/images/generations", body, *expect).told(script));
    }
    for (name, body, script, expect) in PIECES {
        attempts.push(Attempt::post(format!("images by the piece: {name}"), "/v1/images/generations", body, *expect).told(script));
    }
    for (name, body, script, expect) in SPEECH {
        attempts.push(Attempt::post(format!("speech: {name}"), "/v1/audio/speech", body, *expect).told(script));
    }
    attempts.extend(recordings());
    attempts
}
