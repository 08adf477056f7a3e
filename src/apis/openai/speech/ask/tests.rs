use serde_json::{Value, json};

use super::*;

fn ask(more: Value) -> Result<Ask, AskError> {
    let mut body = json!({"model": "gpt-4o-mini-tts", "input": "Hello, world.", "voice": "alloy"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    read(body.to_string().as_bytes(), None, None).map(Wish::into_ask)
}

#[test]
fn speech_is_bounded_by_characters_and_in_tokens() {
    let plain = ask(json!({})).unwrap();
    assert_eq!((plain.bound.input.get(Unit::Characters), plain.bound.input.get(Unit::Input)), (13, 13 + 64));
    assert_eq!((plain.bound.output_tokens, plain.stream, plain.clampable()), (Some((13 * 4 + 10) * 22), false, false));
    // Characters are not bytes.
    let greek =
        ask(json!({"input": "\u{3b1}\u{3b2}\u{1f600}", "instructions": "slowly", "stream_format": "sse", "speed": 0.25, "voice": {"id": "v"}})).unwrap();
    assert_eq!((greek.bound.input.get(Unit::Characters), greek.bound.input.get(Unit::Input), greek.stream), (3, 8 + 6 + 64, true));
    let long = ask(json!({"input": "x".repeat(4_096), "instructions": null})).unwrap();
    assert_eq!(long.bound.output_tokens, Some(16_384));
}

#[test]
fn what_cannot_be_priced_is_refused_by_name() {
    for (more, param) in [
        (json!({"model": null}), "model"),
        (json!({"input": null}), "input"),
        (json!({"input": ["a"]}), "input"),
        (json!({"stream_format": "ogg"}), "stream_format"),
        (json!({"stream": true}), "stream"),
        (json!({"Input": "x"}), "Input"),
        (json!({"new": 1}), "new"),
    ] {
        assert_eq!(ask(more.clone()).unwrap_err().param.as_deref(), Some(param), "{more}");
    }
    assert!(read(br#"{"model":"tts-1","input":"a","input":"bbb"}"#, None, None).is_err());
}
