use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::*;
use crate::apis::AskErrorKind;
use crate::apis::multipart::tests::form;
use crate::prices::{Unit, Usage};

fn ask(kind: Kind, headers: &HeaderMap, body: &Bytes) -> Result<Ask, AskError> {
    read(kind, None, &RequestView { method: &Method::POST, path: "images", query: None, headers, body }, None).map(Wish::into_ask)
}

fn generation(more: Value) -> Result<Ask, AskError> {
    let mut body = json!({"model": "gpt-image-1", "prompt": "a cat"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ask(Kind::Generation, &HeaderMap::new(), &body.to_string().into())
}

fn edit(parts: &[(&str, Option<&str>, &[u8])]) -> Result<Ask, AskError> {
    let parts = [&[("model", None, &b"gpt-image-1"[..]), ("prompt", None, b"a hat")][..], parts].concat();
    let (headers, body) = form(&parts);
    ask(Kind::Edit, &headers, &body)
}

#[test]
fn a_generation_is_bounded_by_the_piece_and_in_tokens() {
    let ask = generation(json!({"n": 2, "size": "1024x1024", "quality": "low", "user": "u", "moderation": "low", "background": "auto"})).unwrap();
    let expected = Usage::default().with(Unit::Input, 2 * 69).with(Unit::OutputImage, 2 * 272).with_images(2, ImageKind::new(Some("1024x1024"), Some("low")));
    assert_eq!((ask.model.as_str(), ask.bound.input, ask.stream), ("gpt-image-1", expected, false));
    assert!(ask.bound.as_priced && !ask.bound.has_output && !ask.clampable());
    let streamed = generation(json!({"stream": true, "partial_images": 3, "quality": "high", "size": null, "n": null})).unwrap();
    assert_eq!((streamed.stream, streamed.bound.input.get(Unit::OutputImage)), (true, 6_240 + 300));
    let dall_e = generation(json!({"model": "dall-e-3", "style": "vivid", "response_format": "url"})).unwrap();
    assert_eq!(dall_e.bound.input.image_kind(), ImageKind::new(Some("1024x1024"), Some("standard")));
}

#[test]
fn an_edit_is_a_form_with_files() {
    let one = edit(&[("image", Some("a.png"), b"png"), ("input_fidelity", None, b"high"), ("size", None, b"1024x1024"), ("n", None, b"2")]).unwrap();
    assert_eq!((one.bound.input.get(Unit::InputImage), one.bound.input.get(Unit::Images)), (2 * (2_129 + 6_240), 2));
    let several = edit(&[("image[]", Some("a"), b"1"), ("image[]", Some("b"), b"2"), ("mask", Some("m"), b"3"), ("stream", None, b"true")]).unwrap();
    assert_eq!((several.bound.input.get(Unit::InputImage), several.stream), (3 * 2_129, true));
    let (headers, body) = form(&[("image", Some("a.png"), b"png")]);
    let variation = ask(Kind::Variation, &headers, &body).unwrap();
    assert_eq!((variation.model.as_str(), variation.bound.input.get(Unit::Images)), ("dall-e-2", 1));
}

#[test]
fn what_cannot_be_priced_is_refused_by_name() {
    for (more, param) in [
        (json!({"svg": {"model": "gpt-6"}}), "svg"),
        (json!({"output_format": "svg"}), "output_format"),
        (json!({"output_format": "gif"}), "output_format"),
        (json!({"output_format": "bmp"}), "output_format"),
        (json!({"frame_count": 3}), "frame_count"),
        (json!({"complexity": "high"}), "complexity"),
        (json!({"new_field": 1}), "new_field"),
        (json!({"N": 10}), "N"),
        (json!({"image": "x"}), "image"),
        (json!({"n": 0}), "n"),
        (json!({"n": -1}), "n"),
        (json!({"n": 1.5}), "n"),
        (json!({"n": "2"}), "n"),
        (json!({"n": 129}), "n"),
        (json!({"n": 2, "stream": true}), "n"),
        (json!({"partial_images": 4}), "partial_images"),
        (json!({"size": 1}), "size"),
        (json!({"stream": "true"}), "stream"),
        (json!({"model": null}), "model"),
        (json!({"prompt": null}), "prompt"),
    ] {
        assert_eq!(generation(more.clone()).unwrap_err().param.as_deref(), Some(param), "{more}");
    }
    assert_eq!(generation(json!({"N": 1})).unwrap_err().kind, AskErrorKind::Invalid);
    assert_eq!(generation(json!({"svg": {}})).unwrap_err().kind, AskErrorKind::Unsupported);
    let file = |name: &'static str| (name, Some("x.png"), &b"x"[..]);
    let value = |name: &'static str, value: &'static str| (name, None, value.as_bytes());
    for (parts, named) in [
        (vec![value("image", "x")], "image"),
        (vec![], "image"),
        (vec![file("image"), file("image[]")], "image"),
        (vec![file("image"), file("image")], "image"),
        (vec![file("image"), file("n")], "n"),
        (vec![file("image"), value("n", "+1")], "n"),
        (vec![file("image"), value("n", "")], "n"),
        (vec![file("image"), value("n[]", "3")], "n[]"),
        (vec![file("image"), value("stream", "True")], "stream"),
        (vec![file("image"), value("svg[model]", "gpt-6")], "svg[model]"),
        (vec![file("image"), file("other")], "other"),
        (vec![file("image[]"); 18], "image"),
        (vec![file("image"), value("style", "vivid")], "style"),
    ] {
        let error = edit(&parts).unwrap_err();
        assert!(error.message.contains(&format!("'{named}'")) || error.param.as_deref() == Some(named), "{parts:?}: {error}");
    }
    let json = Bytes::from_static(br#"{"model":"gpt-image-1","prompt":"x","images":[{"file_id":"f"}]}"#);
    assert!(ask(Kind::Edit, &HeaderMap::new(), &json).unwrap_err().message.contains("multipart/form-data"));
}
