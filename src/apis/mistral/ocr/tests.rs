use serde_json::{Value, json};

use super::*;

fn ask(more: Value) -> Result<Ask, AskError> {
    let mut body = json!({"model": "mistral-ocr-2512", "document": {"type": "document_url", "document_url": "https://example.com/a.pdf"}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    super::read(body.to_string().as_bytes())
}

fn pages(more: Value) -> Vec<(&'static str, u64)> {
    let ask = ask(more).unwrap();
    assert!(!ask.bound.has_output && !ask.clampable() && !ask.stream);
    ask.bound.input.iter().map(|(unit, count)| (unit.name(), count)).collect()
}

#[test]
fn a_document_has_the_pages_that_are_named_or_the_most_there_can_be() {
    assert_eq!(pages(json!({})), [("pages", 1_000)]);
    assert_eq!(pages(json!({"pages": null, "include_image_base64": true, "table_format": "html", "image_limit": 3})), [("pages", 1_000)]);
    assert_eq!(pages(json!({"pages": []})), [("pages", 1_000)]);
    assert_eq!(pages(json!({"pages": [0, 1, 2, 2]})), [("pages", 3)]);
    assert_eq!(pages(json!({"pages": "0-5, 7,9-9,3"})), [("pages", 8)]);
    assert_eq!(pages(json!({"pages": "0-99999999"})), [("pages", 1_000)]);
    assert_eq!(pages(json!({"pages": "5-2"})), [("pages", 1_000)], "an empty range names nothing: all may be read");
    assert_eq!(pages(json!({"pages": [0], "document_annotation_format": {"type": "json_schema"}})), [("annotated_pages", 1)]);
    assert_eq!(pages(json!({"pages": [0], "bbox_annotation_format": {"type": "json_schema"}})), [("annotated_pages", 1)]);
    for image in [json!({"type": "image_url", "image_url": "https://x/y.png"}), json!({"image_url": {"url": "data:image/png;base64,AA"}})] {
        assert_eq!(pages(json!({"document": image})), [("pages", 1)]);
    }
}

#[test]
fn refuses_what_is_odd() {
    let kind = |more: Value| ask(more.clone()).expect_err(&more.to_string()).kind;
    for more in [
        json!({"model": null}),
        json!({"document": null}),
        json!({"document": "https://x"}),
        json!({"document": {"type": "document_url"}}),
        json!({"document": {"type": "image_url", "document_url": "https://x"}}),
        json!({"pages": "all"}),
        json!({"pages": "-1"}),
        json!({"pages": "1-"}),
        json!({"pages": ""}),
        json!({"pages": [1.5]}),
        json!({"pages": [-1]}),
        json!({"pages": 3}),
        json!({"Pages": [1]}),
    ] {
        assert_eq!(kind(more), AskErrorKind::Invalid);
    }
    for more in [
        json!({"document": {"type": "file", "file_id": "1"}}),
        json!({"document": {"type": "video_url", "document_url": "https://x"}}),
        json!({"document": {"type": "document_url", "document_url": "https://x", "copies": 9}}),
        json!({"processing": "batch"}),
    ] {
        assert_eq!(kind(more), AskErrorKind::Unsupported);
    }
}
