use bytes::Bytes;

use super::*;
use crate::apis::Meter;
use crate::apis::multipart::tests::headers;
use crate::apis::{Operation, RequestView};
use crate::prices::Unit;

fn ask(body: &'static str) -> Ask {
    let request = RequestView { method: &http::Method::POST, path: "", query: None, headers: &headers("x"), body: &Bytes::from_static(body.as_bytes()) };
    super::super::GENERATIONS.ask(&request).unwrap()
}

/// What the meter makes of an answer that comes in pieces of that size, and what has passed before its end.
fn whole(ask: &Ask, answer: &str, size: usize) -> Measured {
    let mut meter = WholeImages::new(ask);
    let mut pass = Vec::new();
    for chunk in answer.as_bytes().chunks(size) {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
    }
    meter.end(&mut pass);
    pass.extend(meter.take_held());
    assert_eq!(pass.concat(), answer.as_bytes());
    meter.measured()
}

const TOKENS: &str = r#"{"model":"gpt-image-1","prompt":"x","n":2}"#;
const PIECES: &str = r#"{"model":"dall-e-3","prompt":"x","n":2}"#;
const USAGE: &str = r#""usage":{"input_tokens":5,"input_tokens_details":{"text_tokens":5,"image_tokens":0},"output_tokens":272,"total_tokens":277}"#;

#[test]
fn the_usage_stands_behind_the_images() {
    let answer = format!(r#"{{"created":1,"data":[{{"b64_json":"{}"}},{{"b64_json":"A"}}],{USAGE}}}"#, "A".repeat(3_000_000));
    for size in [1 << 16, 1 << 22] {
        let measured = whole(&ask(TOKENS), &answer, size);
        assert_eq!(measured.usage, Some(Usage::default().with(Unit::Input, 5).with(Unit::OutputImage, 272)));
        assert!(measured.complete && !measured.absurd);
    }
}

#[test]
fn images_by_the_piece_are_counted() {
    let answer = r#"{"created":1,"data":[{"url":"x","revised_prompt":"{\"data\":[{},{}]}"},{"url":"y","more":[{},{}]}],"other":[{}]}"#;
    let pieces = Some(Usage::default().with_images(2, ImageKind::new(Some("1024x1024"), Some("standard"))));
    assert_eq!(whole(&ask(PIECES), answer, 7).usage, pieces);
    // Of a model that is billed by the token nothing is known then.
    assert_eq!(whole(&ask(TOKENS), answer, 7).usage, None);
    assert_eq!(whole(&ask(PIECES), r#"{"created":1}"#, 7).usage, None, "no images are no proof that nothing is billed");
    // Where both are told, the price book says which is billed.
    let both = whole(&ask(PIECES), &format!(r#"{{"data":[{{}}],{USAGE}}}"#), 9).usage.unwrap();
    assert_eq!((both.get(Unit::OutputImage), both.get(Unit::Images)), (272, 1));
    let odd = whole(&ask(PIECES), r#"{"data":[{}],"usage":{"cost":3}}"#, 9);
    assert_eq!((odd.usage.unwrap().get(Unit::Images), odd.absurd), (1, false));
}

#[test]
fn what_nobody_asked_for_or_cannot_be_is_absurd() {
    assert!(whole(&ask(TOKENS), &format!(r#"{{"data":[],{USAGE},"svg_usage":{{"model":"gpt-6"}}}}"#), 9).absurd);
    assert!(!whole(&ask(TOKENS), &format!(r#"{{"data":[],{USAGE},"svg_usage":null}}"#), 9).absurd);
    assert!(whole(&ask(TOKENS), r#"{"data":[],"usage":{"input_tokens":-1,"output_tokens":1}}"#, 9).absurd);
}

fn event(kind: &str, image: usize, rest: &str) -> String {
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"b64_json\":\"{}\"{rest}}}\n\n", "A".repeat(image))
}

#[test]
fn a_stream_ends_with_the_image_and_its_usage_however_long_it_is() {
    for image in [10, 100_000, 2 << 20] {
        for kind in ["image_generation", "image_edit"] {
            let partial = event(&format!("{kind}.partial_image"), image / 2, ",\"partial_image_index\":0");
            let last = event(&format!("{kind}.completed"), image, &format!(",{USAGE}"));
            let stream = format!("{partial}{last}");
            for size in [(stream.len() / 3).max(1), 1 << 14, stream.len()] {
                let mut meter = StreamMeter::images(&ask(TOKENS));
                let mut pass = Vec::new();
                for chunk in stream.as_bytes().chunks(size) {
                    assert!(!meter.terminal());
                    meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
                }
                assert!(meter.terminal(), "{image} {size}");
                let passed: usize = pass.iter().map(Bytes::len).sum();
                assert!(passed >= partial.len() && passed < stream.len(), "the end is kept back");
                pass.extend(meter.take_held());
                assert_eq!(pass.concat(), stream.as_bytes());
                let measured = meter.measured();
                assert_eq!(measured.usage, Some(Usage::default().with(Unit::Input, 5).with(Unit::OutputImage, 272)));
                assert!(measured.complete);
            }
        }
    }
}

#[test]
fn an_error_or_a_cut_tells_no_usage() {
    let mut meter = StreamMeter::images(&ask(TOKENS));
    let mut pass = Vec::new();
    meter.chunk(Bytes::from(event("error", 3, "")), &mut pass);
    meter.chunk(Bytes::from(event("image_generation.completed", 200_000, USAGE).split_at(150_000).0.to_owned()), &mut pass);
    meter.end(&mut pass);
    assert!(!meter.terminal() && meter.measured() == Measured::default(), "{:?}", meter.measured());
}
