//! Images, speech and transcripts through the gateway: what is charged, whatever becomes of the answer; what passes; what is refused.

use serde_json::{Value, json};

use crate::support::client::Failure;
use crate::support::money::nanos;
use crate::support::routes::Routes;
use crate::support::{Answer, Gateway, Request, Setup, StandIn, events, forms, promises};

/// $5, $10, $40 a million tokens of text, of images given, of images made.
const IMAGES: &str = "gpt-image-1";
/// $6 and $10 a million tokens of audio and of text.
const TRANSCRIBE: &str = "gpt-4o-transcribe";

async fn gateway(provider: &StandIn) -> Gateway {
    Gateway::start(Setup::new(&Routes::at(provider.address()).openai(""))).await
}

fn generation(prompt: &str, more: Value) -> Value {
    promises::with(json!({"model": IMAGES, "prompt": prompt, "quality": "low", "size": "1024x1024"}), more)
}

fn generate(secret: &str, body: &Value) -> Request {
    Request::post("/v1/images/generations", body).bearer(secret)
}

fn speak(secret: &str, model: &str, input: &str, more: Value) -> Request {
    let body = promises::with(json!({"model": model, "input": input, "voice": "alloy", "response_format": "pcm"}), more);
    Request::post("/v1/audio/speech", &body).bearer(secret)
}

/// A form with a recording, a prompt by which it is known again, and these fields.
fn transcribe(secret: &str, audio: &[u8], prompt: &str, fields: &[(&str, &str)]) -> Request {
    let mut parts = vec![("file", Some("speech.wav"), audio), ("prompt", None, prompt.as_bytes())];
    parts.extend(fields.iter().map(|(name, value)| (*name, None, value.as_bytes())));
    forms::post("/v1/audio/transcriptions", &parts).bearer(secret)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_cost_what_the_provider_reports_streamed_or_not() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("images", "50.00").await;
    // `cached` is how many bytes an image has here: some are longer than what is kept of an event, or of an answer.
    let hows = ["tokens=272", "tokens=272 split=7", "tokens=200 prompt=3 cached=300000", "tokens=272 cached=3000000 split=70000", "tokens=272 crlf"];
    for (number, how) in hows.into_iter().enumerate() {
        for stream in [false, true] {
            let marker = format!("image-{number}-{stream}");
            let body = generation(&format!("{marker} @{{{how}}}"), json!({"stream": stream, "partial_images": if stream { 2 } else { 0 }}));
            let answer = gateway.client().ask(generate(&secret, &body)).await.expect(200);
            let row = provider.row_with(&marker);
            assert!(answer.body == row.sent, "{how}: every byte passes");
            assert_eq!((row.body, row.target.as_str()), (body.to_string().into(), "/v1/images/generations"), "{how}: and back");
            assert_eq!(gateway.tokens().settled("images").await.spent, provider.cost(), "{how} {stream}");
        }
    }
    // Several, edits with files, by the piece.
    let several = gateway.client().ask(generate(&secret, &generation("several @{tokens=272}", json!({"n": 3})))).await.expect(200);
    assert_eq!(nanos(several.header("spendgate-cost").unwrap()), provider.row_with("several").consumed.cost);
    for stream in ["false", "true"] {
        let fields =
            [("model", None, IMAGES.as_bytes()), ("prompt", None, &b"edit @{tokens=272}"[..]), ("quality", None, b"low"), ("stream", None, stream.as_bytes())];
        let files = [("image[]", Some("a.png"), &b"\x89PNG a"[..]), ("image[]", Some("b.png"), b"\x89PNG b"), ("mask", Some("m.png"), b"\x89PNG m")];
        let request = forms::post("/v1/images/edits", &[&fields[..], &files].concat()).bearer(&secret);
        let answer = gateway.client().ask(request).await.expect(200);
        let row = provider.rows().pop().unwrap();
        assert_eq!((answer.body, row.target.as_str(), row.consumed.prompt), (row.sent.into(), "/v1/images/edits", 20 + 3 * 323));
        assert!(row.headers["content-type"].to_str().unwrap().starts_with("multipart/form-data; boundary="));
    }
    for (more, cost) in [(json!({}), 40_000_000), (json!({"quality": "hd"}), 80_000_000), (json!({"quality": "hd", "n": 2}), 160_000_000)] {
        let mut body = json!({"model": "dall-e-3", "prompt": "piece"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = gateway.client().ask(generate(&secret, &body)).await.expect(200);
        assert_eq!(nanos(answer.header("spendgate-cost").unwrap()), cost, "{body}");
    }
    assert_eq!(gateway.tokens().settled("images").await.spent, provider.cost());
    let metrics = gateway.metrics().await;
    let estimated = metrics.lines().find(|line| line.starts_with("spendgate_estimated_charges_total") && line.contains("token=\"images\""));
    assert!(estimated.is_none_or(|line| line.ends_with(" 0")), "all of it is exact: {estimated:?}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_is_not_told_of_costs_its_bound_and_never_less() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let bound = (69 + 10) * 5_000 + 272 * 40_000;
    for (name, how, stream) in [
        ("silent", "usage=none", false),
        ("silent-stream", "usage=none", true),
        ("negative", "usage=negative", false),
        ("absurd", "usage=absurd", true),
        ("cut", "cut=1", true),
    ] {
        let secret = gateway.tokens().with_budget(name, "1.00").await;
        let body = generation(&format!("{name} @{{tokens=272 {how}}}"), json!({"stream": stream, "partial_images": if stream { 2 } else { 0 }}));
        let answer = gateway.client().try_ask(generate(&secret, &body)).await;
        assert_eq!(matches!(answer, Err(Failure::Cut { .. })), name == "cut", "{answer:?}");
        let spent = gateway.tokens().settled(name).await.spent;
        let row = provider.row_with(&format!("{name} @"));
        assert!(row.consumed.cost <= spent && spent <= bound + 200 * 40_000 + 400_000, "{name}: {spent} for {}", row.consumed.cost);
    }
    // What the provider refuses costs nothing, by the piece too.
    let secret = gateway.tokens().with_budget("failed", "1.00").await;
    for (request, status) in [
        (generate(&secret, &generation("no @{status=400}", json!({}))), 400),
        (generate(&secret, &json!({"model": "dall-e-3", "prompt": "no @{status=500}"})), 500),
        (speak(&secret, "tts-1", "no @{status=400}", json!({})), 400),
        (transcribe(&secret, &forms::wav(2_000, 2_000), "no @{status=400}", &[("model", "whisper-1")]), 400),
    ] {
        let answer = gateway.client().ask(request).await.expect(status);
        assert!(answer.text().contains("the stand-in says no"));
    }
    assert_eq!(gateway.tokens().settled("failed").await.spent, 0);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speech_costs_its_characters_or_what_was_heard() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("speech", "1.00").await;
    // By the character: exact, however much is heard, and however it ends.
    let text = "Characters \u{e4}\u{1f600} @{tokens=40}";
    let answer = gateway.client().ask(speak(&secret, "tts-1", text, json!({}))).await.expect(200);
    let row = provider.row_with("Characters");
    assert_eq!((answer.body.as_ref(), answer.header("content-type")), (row.sent.as_slice(), Some("audio/pcm")));
    let characters = i64::try_from(text.chars().count()).unwrap();
    assert_eq!(gateway.tokens().settled("speech").await.spent, characters * 15_000);
    let cut = "Cut @{tokens=40 cut=3}";
    let answer = gateway.client().try_ask(speak(&secret, "tts-1", cut, json!({}))).await;
    assert!(matches!(answer, Err(Failure::Cut { .. })), "{answer:?}");
    assert_eq!(gateway.tokens().settled("speech").await.spent, provider.cost());
    // In events: what is reported.
    let sse = json!({"stream_format": "sse"});
    let answer = gateway.client().ask(speak(&secret, "gpt-4o-mini-tts", "Events @{tokens=40}", sse.clone())).await.expect(200);
    assert_eq!(answer.body, provider.row_with("Events").sent);
    assert_eq!(gateway.tokens().settled("speech").await.spent, provider.cost());
    // As bytes, or without a usage: what was heard, upwards, and never more than was held.
    for (name, model, how, more) in [
        ("heard", "gpt-4o-mini-tts", "tokens=400", json!({})),
        ("silent", "gpt-4o-mini-tts", "tokens=400 usage=none", sse.clone()),
        ("broken", "gpt-4o-mini-tts", "tokens=400 cut=200", sse),
    ] {
        let secret = gateway.tokens().with_budget(name, "1.00").await;
        let _ = gateway.client().try_ask(speak(&secret, model, &format!("{name} {} @{{{how}}}", "word ".repeat(40)), more)).await;
        let row = provider.row_with(name);
        let spent = gateway.tokens().settled(name).await.spent;
        assert!(row.consumed.cost <= spent && spent <= row.consumed.cost * 5 / 4, "{name}: {spent} for {}", row.consumed.cost);
    }
    // The first sound passes before the last is made.
    let secret = gateway.tokens().with_budget("early", "1.00").await;
    let mut stream = gateway.client().stream(speak(&secret, "tts-1", "early @{tokens=40 gate=first}", json!({}))).await.unwrap();
    while stream.seen.len() < 4_799 {
        stream.more().await.unwrap().unwrap();
    }
    provider.open_gate();
    assert_eq!(stream.rest().await.unwrap().body.len(), 40 * 2_400);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_costs_what_the_provider_reports_or_what_it_plays() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("heard", "5.00").await;
    let spent = async || gateway.tokens().settled("heard").await.spent;
    let client = gateway.client();
    for (fields, how) in [
        (&[("model", "whisper-1")][..], ""),
        (&[("model", "whisper-1"), ("response_format", "verbose_json")], ""),
        (&[("model", "whisper-1"), ("response_format", "verbose_json")], "usage=none"),
        (&[("model", "whisper-1"), ("stream", "true")], ""),
        (&[("model", TRANSCRIBE)], ""),
        (&[("model", TRANSCRIBE), ("stream", "true")], "split=5"),
        // The provider heard less, or more, than the file holds: it is the provider who bills.
        (&[("model", "whisper-1")], "prompt=2"),
        (&[("model", "whisper-1")], "prompt=500"),
    ] {
        let answer = client.ask(transcribe(&secret, &forms::wav(7_300, 7_300), &format!("exact @{{{how}}}"), fields)).await.expect(200);
        let row = provider.rows().pop().unwrap();
        assert!(answer.body == row.sent && row.target == "/v1/audio/transcriptions", "{fields:?}");
        assert_eq!(spent().await, provider.cost(), "{fields:?} {how}");
    }
    let parts = [("file", Some("a.wav"), &forms::wav(1_500, 1_500)[..]), ("model", None, b"whisper-1")];
    client.ask(forms::post("/v1/audio/translations", &parts).bearer(&secret)).await.expect(200);
    assert_eq!(spent().await, provider.cost());
    // Plain text says nothing: the recording itself does, and a header that lies does not.
    for format in ["text", "srt", "vtt"] {
        for told in [7_300, 100, 0] {
            let before = spent().await;
            let fields = [("model", "whisper-1"), ("response_format", format)];
            client.ask(transcribe(&secret, &forms::wav(7_300, told), "plain", &fields)).await.expect(200);
            let row = provider.rows().pop().unwrap();
            assert_eq!((row.consumed.prompt, row.consumed.cost), (8, 800_000));
            assert_eq!(spent().await - before, 800_000, "{format} {told}");
        }
    }
    let metrics = gateway.metrics().await;
    assert!(metrics.contains("spendgate_estimated_charges_total{account=\"default\",token=\"heard\"} 9"), "{metrics}");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_holds_for_all_that_may_be_billed() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let asked = |answer: Answer| nanos(answer.refused(402, "budget_exhausted").json()["error"]["budget"]["asked"].as_str().unwrap());
    let poor = gateway.tokens().with_budget("poor", "0.000001").await;
    let client = gateway.client();
    let image = asked(client.ask(generate(&poor, &generation("x", json!({"n": 2})))).await);
    assert_eq!(image, 2 * (65 * 5_000 + 272 * 40_000));
    let piece = asked(client.ask(generate(&poor, &json!({"model": "dall-e-3", "prompt": "x", "n": 2, "quality": "hd", "size": "1792x1024"}))).await);
    assert_eq!(piece, 240_000_000);
    let characters = asked(client.ask(speak(&poor, "tts-1", "hello", json!({}))).await);
    assert_eq!(characters, 5 * 15_000);
    let tokens = asked(client.ask(speak(&poor, "gpt-4o-mini-tts", "hello", json!({}))).await);
    assert_eq!(tokens, (5 + 64) * 600 + (5 * 4 + 10) * 22 * 12_000);
    // An hour, whatever the header says.
    let long = forms::wav(60_000, 1_000);
    assert_eq!(asked(client.ask(transcribe(&poor, &long, "", &[("model", "whisper-1")])).await), 60 * 100_000);
    let transcript = asked(client.ask(transcribe(&poor, &long, "", &[("model", TRANSCRIBE)])).await);
    assert_eq!(transcript, 60 * 20 * 6_000 + (64 + 64) * 2_500 + 2_000 * 10_000);
    assert_eq!(provider.count(), 0, "nothing was sent");
    // The largest upload that OpenAI takes passes the gateway's own cap.
    let rich = gateway.tokens().with_budget("rich", "5.00").await;
    let largest = forms::wav(1_600_000, 1_600_000);
    assert!(largest.len() > 25_000_000);
    client.ask(transcribe(&rich, &largest, "largest", &[("model", "whisper-1"), ("response_format", "text")])).await.expect(200);
    assert_eq!(gateway.tokens().settled("rich").await.spent, 1_600 * 100_000);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_priced_is_refused_before_it_is_sent() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("refused", "100.00").await;
    let client = gateway.client();
    let audio = forms::wav(1_000, 1_000);
    let file = ("file", Some("a.wav"), audio.as_slice());
    let form = |path: &str, parts: &[(&str, Option<&str>, &[u8])]| forms::post(path, parts).bearer(&secret);
    let transcriptions = "/v1/audio/transcriptions";
    for (request, param) in [
        (generate(&secret, &generation("x", json!({"svg": {"model": "gpt-6"}}))), json!("svg")),
        (generate(&secret, &generation("x", json!({"output_format": "svg"}))), json!("output_format")),
        (generate(&secret, &generation("x", json!({"N": 9}))), json!("N")),
        (generate(&secret, &generation("x", json!({"stream": true, "n": 2}))), json!("n")),
        (generate(&secret, &json!({"prompt": "x"})), json!("model")),
        (speak(&secret, "tts-1", "x", json!({"new": 1})), json!("new")),
        (form(transcriptions, &[file]), json!("model")),
        (form(transcriptions, &[file, ("model", None, b"whisper-1"), ("new", None, b"1")]), json!("new")),
        (form(transcriptions, &[file, ("model", None, b"whisper-1"), ("model", None, b"gpt-transcribe")]), Value::Null),
        (form(transcriptions, &[("file", Some("a.mp3"), &audio), ("model", None, b"whisper-1")]), json!("file")),
        (form(transcriptions, &[("file", Some("a.wav"), b"no audio"), ("model", None, b"whisper-1")]), json!("file")),
        (Request::post(transcriptions, &json!({"model": "whisper-1"})).bearer(&secret), Value::Null),
        (form("/v1/images/edits", &[("model", None, IMAGES.as_bytes()), ("prompt", None, b"x"), ("image", None, b"x")]), Value::Null),
    ] {
        let answer = client.ask(request).await.refused(400, "invalid_request");
        assert_eq!(answer.json()["error"]["param"], param, "{}", answer.text());
    }
    // A second field after a bare line feed is one to some readers and none to others.
    let parts = [("model", None, IMAGES.as_bytes()), ("prompt", None, b"x"), ("image", Some("a"), b"@@")];
    let plain = String::from_utf8(forms::body(&parts)).unwrap();
    let boundary = plain.split_once("\r\n").unwrap().0;
    let smuggled = plain.replace("@@", &format!("\n{boundary}\nContent-Disposition: form-data; name=\"n\"\n\n9"));
    client.ask(forms::post_body("/v1/images/edits", smuggled.into()).bearer(&secret)).await.refused(400, "invalid_request");
    // No price for what is asked.
    let odd = json!({"model": "dall-e-3", "prompt": "x", "size": "64x64"});
    client.ask(generate(&secret, &odd)).await.refused(403, "model_not_priced");
    client.ask(form(transcriptions, &[file, ("model", None, b"nobody-knows-this")])).await.refused(403, "model_not_priced");
    assert_eq!((provider.count(), gateway.tokens().money("refused").await.spent), (0, 0));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_up_escapes_no_charge() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().with_budget("gone", "5.00").await;
    for bytes in [0, 1, 150, 3_000] {
        let body = generation(&format!("gone-{bytes} @{{tokens=272 delay=5 cached=2000}}"), json!({"stream": true, "partial_images": 3}));
        gateway.client().stream(generate(&secret, &body)).await.unwrap().hang_up_after(bytes).await.unwrap();
        let events = speak(&secret, "gpt-4o-mini-tts", &format!("gone-{bytes} @{{tokens=20 delay=5}}"), json!({"stream_format": "sse"}));
        gateway.client().stream(events).await.unwrap().hang_up_after(bytes).await.unwrap();
        let plain = speak(&secret, "tts-1", &format!("gone-{bytes} @{{tokens=20}}"), json!({}));
        gateway.client().stream(plain).await.unwrap().hang_up_after(bytes).await.unwrap();
        let audio = forms::wav(2_000, 2_000);
        let request = transcribe(&secret, &audio, &format!("gone-{bytes} @{{tokens=20 delay=5}}"), &[("model", TRANSCRIBE), ("stream", "true")]);
        gateway.client().stream(request).await.unwrap().hang_up_after(bytes).await.unwrap();
        assert_eq!(gateway.tokens().settled("gone").await.spent, provider.cost());
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sandbox_tokens_get_it_all_for_nothing() {
    let provider = StandIn::start().await;
    let gateway = gateway(&provider).await;
    let secret = gateway.tokens().sandbox("sand").await;
    let client = gateway.client();
    let image = client.ask(generate(&secret, &generation("a cat", json!({})))).await.expect(200);
    assert!(image.json()["data"][0]["b64_json"].as_str().unwrap().starts_with("iVBORw0KGgo"));
    assert_eq!(image.header("spendgate-sandbox"), Some("true"));
    let stream = client.ask(generate(&secret, &generation("a cat", json!({"stream": true, "partial_images": 1})))).await.expect(200);
    assert_eq!(events::split(&stream.body).len(), 2);
    let speech = client.ask(speak(&secret, "tts-1", "hello", json!({"response_format": "mp3"}))).await.expect(200);
    assert_eq!((speech.header("content-type"), &speech.body[..2]), (Some("audio/mpeg"), &b"\xff\xf3"[..]));
    let text = client.ask(transcribe(&secret, &forms::wav(3_000, 3_000), "x", &[("model", "whisper-1"), ("response_format", "srt")])).await.expect(200);
    assert!(text.text().contains("--> 00:00:03,000"), "{}", text.text());
    let fault = generate(&secret, &generation("a cat", json!({}))).header("spendgate-simulate", "status=429");
    client.ask(fault).await.expect(429);
    assert_eq!((provider.count(), gateway.tokens().money("sand").await.spent), (0, 0));
    gateway.close().await;
}
