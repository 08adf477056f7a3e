use serde_json::{Value, json};

use super::*;
use crate::apis::AskErrorKind;

fn ask(model: &str, more: Value) -> Result<Ask, AskError> {
    let mut body = json!({"model": model, "input_type": "search_document"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    read(body.to_string().as_bytes())
}

fn bound(model: &str, more: Value) -> Usage {
    let ask = ask(model, more).unwrap();
    assert!(!ask.bound.has_output && !ask.clampable() && !ask.stream);
    ask.bound.input
}

#[test]
fn texts_count_by_their_bytes_and_images_by_their_number() {
    let texts = bound("embed-v4.0", json!({"texts": ["hello", "wörld"], "embedding_types": ["float"], "output_dimension": 256, "max_tokens": 9}));
    assert_eq!((texts.get(Unit::Input), texts.get(Unit::InputImage)), (5 + 6 + 16, 0));
    let picture = "data:image/png;base64,AAAA";
    let images = bound("embed-v4.0", json!({"images": [picture, picture]}));
    assert_eq!((images.get(Unit::InputImage), images.get(Unit::Images)), (2 * IMAGE_TOKENS, 0));
    // The older ones are billed by the piece.
    let older = bound("embed-english-v3.0", json!({"images": [picture], "input_type": "image"}));
    assert_eq!((older.get(Unit::Images), older.get(Unit::InputImage)), (1, 0));
    let mixed = json!({"inputs": [{"content": [{"type": "text", "text": "hello"}, {"type": "image_url", "image_url": {"url": picture}}]}, {"content": []}]});
    let mixed = bound("embed-v4.0", mixed);
    assert_eq!(mixed.get(Unit::InputImage), IMAGE_TOKENS);
    assert!(mixed.get(Unit::Input) >= 5 + 2 * INPUT_TOKENS);
    // 2,458,624 pixels, one token for 162.8 of them.
    assert!(IMAGE_TOKENS >= 2_458_624_u64.div_ceil(162));
}

#[test]
fn refuses_what_is_odd() {
    let kind = |more: Value| ask("embed-v4.0", more.clone()).expect_err(&more.to_string()).kind;
    for more in [
        json!({}),
        json!({"texts": []}),
        json!({"texts": "hello"}),
        json!({"texts": [1]}),
        json!({"images": [7]}),
        json!({"inputs": ["x"]}),
        json!({"Texts": ["x"]}),
    ] {
        assert_eq!(kind(more), AskErrorKind::Invalid);
    }
    for more in [
        json!({"texts": ["x"], "video": "x"}),
        json!({"images": ["ftp://x"]}),
        json!({"inputs": [{"content": [{"type": "video", "text": "x"}]}]}),
        json!({"inputs": [{"content": [{"type": "text", "text": "x", "audio": "y"}]}]}),
        json!({"inputs": [{"pages": 3}]}),
    ] {
        assert_eq!(kind(more), AskErrorKind::Unsupported);
    }
}
